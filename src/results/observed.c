/* SPDX-License-Identifier: Apache-2.0 */
#include "results/observed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "policies/verdict.h"
#include "results/lines.h"
#include "results/rows.h"

/* A statistics row that is a breakdown. */
struct broken_down {
    struct lines lines;
    struct rows rows;
};

struct observed {
    struct h5 *h5;                   /* not owned */
    const struct arrangement *study; /* not owned */
    struct broken_down **rows;       /* owned; of all types, NULL where there is nothing to keep */
    struct lines *trace;             /* owned; NULL: nobody is traced */
    uint64_t point, replication;
};

enum { MOST_FLAGS = 128 };

static bool flag_status(struct h5 *h, hid_t dataset)
{
    char text[MOST_FLAGS][64];
    uint64_t value[MOST_FLAGS];
    const char *word[MOST_FLAGS];
    hsize_t n = 0;
    for (unsigned status = 0; status <= UINT16_MAX; status++) {
        char each[64];
        if (layout_status(status, each, sizeof each)[0]) {
            CHECK(n < MOST_FLAGS, "more than %d words for statuses", MOST_FLAGS);
            memcpy(text[n], each, sizeof each);
            value[n] = status;
            word[n] = text[n];
            n++;
        }
    }
    return h5_attr_flags(h, dataset, value, word, n);
}

static bool flag_kind(struct h5 *h, hid_t dataset)
{
    uint64_t value[TRACE_KINDS];
    for (int kind = 0; kind < TRACE_KINDS; kind++) {
        value[kind] = (uint64_t)kind;
    }
    return h5_attr_flags(h, dataset, value, trace_kind_names, TRACE_KINDS);
}

/* An error of 0 stands where there was an answer, or nothing to be said of any. */
static bool flag_error(struct h5 *h, hid_t dataset)
{
    uint64_t value[MOST_FLAGS];
    const char *word[MOST_FLAGS] = {"none"};
    hsize_t n = 0;
    for (; attempt_error_words[n]; n++) {
        CHECK(n < MOST_FLAGS, "more than %d words for errors", MOST_FLAGS);
        value[n] = n;
        word[n] = n > ERROR_NONE ? attempt_error_words[n] : word[n];
    }
    return h5_attr_flags(h, dataset, value, word, n);
}

static bool open_row(struct observed *o, const struct arranged_type *t, uint32_t k)
{
    char path[LAYOUT_PATH];
    const struct stat_spec *row = &t->type->stats[k];
    struct broken_down *b = calloc(1, sizeof *b);
    CHECK(b != NULL, "out of memory for results");
    o->rows[t->first_row + k] = b;
    snprintf(path, sizeof path, "%s/%s/%s", layout_section(STAT_BREAKDOWN), t->type->name,
             row->name);
    bool lines = lines_open(o->h5, path, layout_entries, LAYOUT_ENTRIES, row, &b->lines);
    bool rows = rows_open(o->h5, path, ROWS_GROW, &b->rows);
    return lines && rows && flag_status(o->h5, b->lines.part[LAYOUT_ENTRY_STATUS].dataset);
}

static bool write_groups(struct h5 *h, const struct blueprint *b)
{
    const char **names = calloc(b->n_groups + (size_t)1, sizeof *names);
    CHECK(names != NULL, "out of memory for results");
    for (uint32_t g = 0; g < b->n_groups; g++) {
        names[g] = b->groups[g].name;
    }
    bool ok = h5_group(h, layout_section(STAT_BREAKDOWN)) &&
              h5_scale_texts(h, LAYOUT_GROUPS, names, b->n_groups, "Name of the group");
    free(names);
    return ok;
}

static bool open_rows(struct observed *o)
{
    bool any = false, ok = true;
    for (uint32_t i = 0; ok && i < o->study->n_types; i++) {
        const struct arranged_type *t = &o->study->types[i];
        for (uint32_t k = 0; ok && t->breakdowns && k < t->n_rows; k++) {
            if (t->type->stats[k].kind == STAT_BREAKDOWN) {
                ok = (any || write_groups(o->h5, o->study->meta->blueprint)) && open_row(o, t, k);
                any = true;
            }
        }
    }
    return ok;
}

static bool open_trace(struct observed *o)
{
    if (!o->study->traced) {
        return true;
    }
    struct lines *l = o->trace = calloc(1, sizeof *l);
    CHECK(l != NULL, "out of memory for results");
    return lines_open(o->h5, LAYOUT_TRACE, layout_traces, LAYOUT_TRACES, NULL, l) &&
           flag_kind(o->h5, l->part[LAYOUT_TRACE_KIND].dataset) &&
           flag_status(o->h5, l->part[LAYOUT_TRACE_STATUS].dataset) &&
           flag_error(o->h5, l->part[LAYOUT_TRACE_ERROR].dataset);
}

bool observed_open(struct h5 *h, const struct arrangement *study, struct observed **observed)
{
    struct observed *o = calloc(1, sizeof *o);
    CHECK(o != NULL, "out of memory for results");
    *o = (struct observed){.h5 = h, .study = study};
    o->rows = calloc(study->n_rows + (size_t)1, sizeof *o->rows);
    CHECK(o->rows != NULL, "out of memory for results");
    *observed = o;
    return open_rows(o) && open_trace(o);
}

bool observed_close(struct observed *o)
{
    if (!o) {
        return true;
    }
    bool ok = true;
    for (uint32_t i = 0; i < o->study->n_rows; i++) {
        if (o->rows[i]) {
            ok = lines_close(o->h5, &o->rows[i]->lines) && ok;
            ok = rows_close(o->h5, &o->rows[i]->rows) && ok;
            free(o->rows[i]);
        }
    }
    ok = (!o->trace || lines_close(o->h5, o->trace)) && ok;
    free(o->trace);
    free(o->rows);
    free(o);
    return ok;
}

void observed_replication(struct observed *o, uint64_t point, uint64_t replication)
{
    o->point = point;
    o->replication = replication;
}

bool observed_entry(struct observed *o, const struct record_place *place,
                    const struct record_entry *e)
{
    const struct arranged_group *g = &o->study->groups[place->group];
    struct broken_down *b = o->rows[o->study->types[g->type].first_row + place->row];
    const struct record_histogram *h = &e->values;
    const uint64_t value[LAYOUT_ENTRIES] = {
        [LAYOUT_ENTRY_POINT] = o->point,
        [LAYOUT_ENTRY_REPLICATION] = o->replication,
        [LAYOUT_ENTRY_ENTITY] = g->first + place->instance,
        [LAYOUT_ENTRY_PEER] = e->key.group,
        [LAYOUT_ENTRY_STATUS] = e->key.status,
        [LAYOUT_ENTRY_TOTAL] = h->total,
        [LAYOUT_ENTRY_SUM] = h->sum,
        [LAYOUT_ENTRY_MIN] = h->min,
        [LAYOUT_ENTRY_MAX] = h->max,
    };
    /* A group that is to keep none may yet be given some by a damaged record. */
    return b ? lines_put(o->h5, &b->lines, value) &&
                   rows_put(o->h5, &b->rows, h->n, h->bin, h->count)
             : results_fail(o->h5->error, "a breakdown was recorded that this study does not keep");
}

bool observed_trace(struct observed *o, const struct record_place *place,
                    const struct trace_row *row)
{
    const uint64_t value[LAYOUT_TRACES] = {
        [LAYOUT_TRACE_POINT] = o->point,
        [LAYOUT_TRACE_REPLICATION] = o->replication,
        [LAYOUT_TRACE_ENTITY] =
            o->study->meta->blueprint->groups[place->group].first + place->instance,
        [LAYOUT_TRACE_TIME] = (uint64_t)row->time,
        [LAYOUT_TRACE_KIND] = row->kind,
        [LAYOUT_TRACE_REQUEST] = row->request,
        [LAYOUT_TRACE_ATTEMPT] = row->attempt,
        [LAYOUT_TRACE_WAIT] = (uint64_t)row->wait,
        [LAYOUT_TRACE_TOTAL] = (uint64_t)row->total,
        [LAYOUT_TRACE_STATUS] = row->status,
        [LAYOUT_TRACE_ERROR] = row->error,
    };
    return lines_put(o->h5, o->trace, value);
}
