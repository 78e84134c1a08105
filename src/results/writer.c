/* SPDX-License-Identifier: Apache-2.0
 *
 * One pass over the journal in the order of (point, replication). What belongs to a dataset with a
 * dimension of replications is gathered in a block of so many replications that chunks are written
 * whole and once; compressed rows are appended as they come. A second pass, over the index only,
 * follows for /provenance, which must come last.
 */
#include "results/writer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/hash.h"
#include "results/arrangement.h"
#include "results/durable.h"
#include "results/h5.h"
#include "results/layout.h"
#include "results/observed.h"
#include "results/provenance.h"
#include "results/record.h"
#include "results/rows.h"
#include "results/skeleton.h"

static const uint64_t block_bytes = UINT64_C(1) << 25; /* of all blocks together */

/* A dataset whose first dimensions are point and replication. */
struct column {
    hid_t dataset;
    char path[LAYOUT_PATH];
    struct h5_shape shape;
    uint64_t width;  /* numbers of one replication */
    uint64_t *block; /* owned; [replication of the block][width] */
};

/* A statistics row. */
struct writer_row {
    uint32_t column, series_column;  /* first of its columns */
    struct rows *rows, *series_rows; /* owned; histograms only */
    struct histogram *merged;        /* owned; [sampled entity][interval], of one point */
};

struct writer {
    struct h5 h5;
    struct arrangement study;
    struct journal_index *index; /* not owned */
    struct buffer payload;       /* of the replication being read */
    struct arena memory;
    struct column *columns; /* owned; runs first */
    uint32_t n_columns;
    struct writer_row *rows;   /* owned; of all types */
    struct observed *observed; /* owned */
    struct hist_pool pool;     /* of merged histograms */
    uint64_t block;            /* replications of a point in a block */
    uint64_t block_points;     /* points in a block; 1 unless it has all replications of a point */
    uint64_t at;               /* place in the block of the one being read */
    uint64_t run;              /* its number in the file */
    uint64_t digest;
    uint64_t early; /* replications that did not end well */
};

static uint64_t power_below(uint64_t n)
{
    return n < 2 ? 1 : UINT64_C(1) << (63 - __builtin_clzll(n));
}

static const struct arranged_type *type_of(const struct writer *w, const struct record_place *place)
{
    return &w->study.types[w->study.groups[place->group].type];
}

static struct writer_row *row_of(const struct writer *w, const struct record_place *place)
{
    return &w->rows[type_of(w, place)->first_row + place->row];
}

/* A sample beyond the last interval is taken at its very end and belongs to it. */
static uint64_t series_place(const struct writer *w, const struct record_place *place)
{
    uint64_t n = w->study.n_intervals, k = place->interval < n ? place->interval : n - 1;
    return (w->study.groups[place->group].first_sampled + place->instance) * n + k;
}

/* The number of a column that `place` stands for. */
static uint64_t *cell(const struct writer *w, const struct record_place *place, uint32_t leaf)
{
    const struct writer_row *row = row_of(w, place);
    bool whole = place->interval == RECORD_WHOLE;
    const struct column *c = &w->columns[(whole ? row->column : row->series_column) + leaf];
    uint64_t in_run =
        whole ? w->study.groups[place->group].first + place->instance : series_place(w, place);
    return &c->block[w->at * c->width + in_run];
}

static bool is_kept(const struct writer *w, const struct record_place *place)
{
    return place->interval == RECORD_WHOLE || w->study.n_intervals > 0;
}

static void take_counter(void *context, const struct record_place *place, uint64_t value)
{
    const struct writer *w = context;
    if (is_kept(w, place)) {
        *cell(w, place, 0) += value;
    }
}

static void take_gauge(void *context, const struct record_place *place,
                       const struct record_gauge *g)
{
    const struct writer *w = context;
    if (is_kept(w, place)) {
        uint64_t *max = cell(w, place, 1);
        *cell(w, place, 0) += g->integral;
        *max = (uint64_t)g->max > *max ? (uint64_t)g->max : *max;
    }
}

static void merge_bins(struct hist_pool *pool, struct histogram *h,
                       const struct record_histogram *from)
{
    h->total += from->total;
    for (uint32_t i = 0; i < from->n; i++) {
        uint32_t octave = from->bin[i] >> HIST_SUB_BITS;
        uint64_t *count = hist_octave(pool, h, octave);
        count = count ? count : hist_grow(pool, h, octave);
        count[from->bin[i] & (HIST_PAGE - 1)] += from->count[i];
    }
}

static bool is_well(const struct writer *w)
{
    return w->h5.error->text[0] == '\0';
}

static void take_histogram(void *context, const struct record_place *place,
                           const struct record_histogram *h)
{
    struct writer *w = context;
    if (!is_kept(w, place)) {
        return;
    }
    *cell(w, place, 0) += h->total;
    if (place->interval != RECORD_WHOLE) {
        merge_bins(&w->pool, &row_of(w, place)->merged[series_place(w, place)], h);
        return;
    }
    *cell(w, place, 1) = h->sum;
    *cell(w, place, 2) = h->min;
    *cell(w, place, 3) = h->max;
    struct rows *rows = row_of(w, place)->rows;
    uint64_t row = w->run * type_of(w, place)->n_entities + w->study.groups[place->group].first +
                   place->instance;
    if (is_well(w) && rows_reach(&w->h5, rows, row)) {
        rows_put(&w->h5, rows, h->n, h->bin, h->count);
    }
}

static void take_entry(void *context, const struct record_place *place,
                       const struct record_entry *e)
{
    struct writer *w = context;
    if (is_well(w)) {
        observed_entry(w->observed, place, e);
    }
}

static void take_trace(void *context, const struct record_place *place, const struct trace_row *row)
{
    struct writer *w = context;
    if (is_well(w)) {
        observed_trace(w->observed, place, row);
    }
}

static void take_dropped(void *context, const struct record_place *place, uint64_t n)
{
    struct writer *w = context;
    (void)place;
    w->columns[LAYOUT_DROPPED].block[w->at] += n;
}

static void plan_column(struct writer *w, const char *path, int rank, uint64_t entities)
{
    struct column *c = &w->columns[w->n_columns++];
    const struct arrangement *s = &w->study;
    const hsize_t dims[H5_RANK] = {s->n_points, s->n_replications, entities, s->n_intervals};
    *c = (struct column){.dataset = -1, .width = 1, .shape = {.rank = rank}};
    snprintf(c->path, sizeof c->path, "%s", path);
    for (int i = 0; i < rank; i++) {
        c->shape.dims[i] = dims[i];
        c->width *= i >= 2 ? dims[i] : 1;
    }
}

/* The shape of every column, before anything is made: the block's size follows from all. */
static void plan_columns(struct writer *w)
{
    char path[LAYOUT_PATH];
    for (int i = 0; i < LAYOUT_RUNS; i++) {
        plan_column(w, layout_runs[i].path, 2, 1);
    }
    for (uint32_t i = 0; i < w->study.n_types; i++) {
        const struct arranged_type *t = &w->study.types[i];
        for (uint32_t k = 0; k < t->n_rows; k++) {
            const struct stat_spec *row = &t->type->stats[k];
            struct writer_row *out = &w->rows[t->first_row + k];
            const struct layout_column *c = layout_columns(row->kind, false);
            out->column = w->n_columns;
            for (; c->section; c++) {
                layout_path(c, t->type->name, row->name, path, sizeof path);
                plan_column(w, path, 3, t->n_entities);
            }
            out->series_column = w->n_columns;
            c = layout_columns(row->kind, true);
            for (; c->section && w->study.n_intervals > 0 && t->n_sampled > 0; c++) {
                layout_path(c, t->type->name, row->name, path, sizeof path);
                plan_column(w, path, 4, t->n_sampled);
            }
        }
    }
}

/* Chunks are powers of two along replications and no longer than a block, so that none is written
 * in two goes; a block longer than any chunk would only take memory. Where all replications of a
 * point are a small part of a chunk, it spans several points, and so does a block where there is
 * room: what is left of a chunk HDF5 keeps in memory until the next one is begun. */
static void plan_blocks(struct writer *w)
{
    uint64_t width = 0, replications = w->study.n_replications, n_points = w->study.n_points;
    for (uint32_t i = 0; i < w->n_columns; i++) {
        width += w->columns[i].width;
    }
    uint64_t most = power_below(block_bytes / (width * sizeof(uint64_t)));
    most = most < H5_CHUNK ? most : H5_CHUNK;
    w->block = most < replications ? most : replications;
    w->block_points = w->block < replications ? 1 : most / replications;
    w->block_points = w->block_points < n_points ? w->block_points : n_points;
    for (uint32_t i = 0; i < w->n_columns; i++) {
        struct column *c = &w->columns[i];
        uint64_t left = H5_CHUNK;
        for (int d = c->shape.rank - 1; d >= 2; d--) {
            c->shape.chunk[d] = c->shape.dims[d] < left ? c->shape.dims[d] : left;
            left /= c->shape.chunk[d];
        }
        uint64_t tall = power_below(left) < most ? power_below(left) : most;
        c->shape.chunk[1] = tall < replications ? tall : replications;
        left /= c->shape.chunk[1];
        uint64_t points = c->shape.chunk[1] < replications || left < 1 ? 1 : left;
        c->shape.chunk[0] = points < n_points ? points : n_points;
        c->block = calloc(w->block_points * w->block * c->width, sizeof *c->block);
        CHECK(c->block != NULL, "out of memory for results");
    }
}

static bool open_column(struct writer *w, struct column *c, const char *type, const char *unit,
                        const char *long_name, const char *merge)
{
    return skeleton_dimensions(&w->h5, &w->memory, c->path, type, c->shape.rank == H5_RANK,
                               c->shape.rank, c->shape.scales) &&
           h5_dataset(&w->h5, c->path, H5T_STD_U64LE, &c->shape, &c->dataset) &&
           h5_describe(&w->h5, c->dataset, unit, long_name) &&
           (!merge || h5_attr_text(&w->h5, c->dataset, "merge", merge));
}

static bool open_run(struct writer *w, int i)
{
    const struct layout_named *run = &layout_runs[i];
    return open_column(w, &w->columns[i], NULL, run->unit, run->long_name, NULL);
}

static bool open_runs(struct writer *w)
{
    for (int i = 0; i < LAYOUT_WALL; i++) {
        if (!open_run(w, i)) {
            return false;
        }
    }
    uint64_t value[RUN_STATUSES];
    for (size_t i = 0; i < RUN_STATUSES; i++) {
        value[i] = i;
    }
    return h5_attr_flags(&w->h5, w->columns[LAYOUT_STATUS].dataset, value, run_status_names,
                         RUN_STATUSES);
}

static bool open_columns(struct writer *w, const struct arranged_type *t,
                         const struct stat_spec *row, uint32_t first, bool series)
{
    const struct layout_column *spec = layout_columns(row->kind, series);
    for (struct column *c = &w->columns[first]; spec->section; c++, spec++) {
        char unit[LAYOUT_PATH], long_name[LAYOUT_PATH];
        layout_unit(spec, row, unit, sizeof unit);
        layout_long_name(spec, row, long_name, sizeof long_name);
        if (!open_column(w, c, t->type->name, unit, long_name, spec->merge)) {
            return false;
        }
    }
    return true;
}

static bool open_rows(struct writer *w, const struct arranged_type *t, const char *row, bool series,
                      uint64_t n, struct rows **rows)
{
    char path[LAYOUT_PATH];
    layout_rows_path(series, t->type->name, row, path, sizeof path);
    *rows = calloc(1, sizeof **rows);
    CHECK(*rows != NULL, "out of memory for results");
    return rows_open(&w->h5, path, n, *rows);
}

static bool open_row(struct writer *w, const struct arranged_type *t, uint32_t k)
{
    const struct stat_spec *row = &t->type->stats[k];
    struct writer_row *out = &w->rows[t->first_row + k];
    uint64_t runs = w->study.n_points * w->study.n_replications;
    bool ok = open_columns(w, t, row, out->column, false);
    if (ok && row->kind == STAT_HISTOGRAM) {
        ok = open_rows(w, t, row->name, false, runs * t->n_entities, &out->rows);
    }
    return ok;
}

static bool open_series_row(struct writer *w, const struct arranged_type *t, uint32_t k)
{
    const struct stat_spec *row = &t->type->stats[k];
    struct writer_row *out = &w->rows[t->first_row + k];
    uint64_t n = t->n_sampled * w->study.n_intervals;
    bool ok = open_columns(w, t, row, out->series_column, true);
    if (ok && row->kind == STAT_HISTOGRAM) {
        out->merged = calloc(n, sizeof *out->merged);
        CHECK(out->merged != NULL, "out of memory for results");
        ok = open_rows(w, t, row->name, true, w->study.n_points * n, &out->series_rows);
    }
    return ok;
}

static bool open_all(struct writer *w)
{
    bool ok = open_runs(w);
    for (uint32_t i = 0; i < w->study.n_types; i++) {
        const struct arranged_type *t = &w->study.types[i];
        bool sampled = w->study.n_intervals > 0 && t->n_sampled > 0;
        for (uint32_t k = 0; ok && k < t->n_rows; k++) {
            ok = open_row(w, t, k) && (!sampled || open_series_row(w, t, k));
        }
    }
    return ok && observed_open(&w->h5, &w->study, &w->observed);
}

/* A part of a file: replications of neighbouring points. */
struct box {
    uint64_t point, points, replication, replications;
};

/* Writes a box, which fills the block from its beginning, and clears the block. */
static bool flush_column(struct writer *w, struct column *c, const struct box *b)
{
    hsize_t start[H5_RANK] = {b->point, b->replication};
    hsize_t count[H5_RANK] = {b->points, b->replications, c->shape.dims[2], c->shape.dims[3]};
    hid_t space = H5Dget_space(c->dataset);
    hid_t memory = H5Screate_simple(c->shape.rank, count, NULL);
    H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, count, NULL);
    herr_t status = H5Dwrite(c->dataset, H5T_NATIVE_UINT64, memory, space, H5P_DEFAULT, c->block);
    bool ok = status >= 0 || h5_failed(&w->h5, c->path);
    H5Sclose(memory);
    H5Sclose(space);
    memset(c->block, 0, b->points * b->replications * c->width * sizeof *c->block);
    return ok;
}

/* Whoever is not there, in this replication or at this point, has an empty row. */
static bool fill_rows(struct writer *w)
{
    bool ok = true;
    for (uint32_t i = 0; i < w->study.n_types; i++) {
        const struct arranged_type *t = &w->study.types[i];
        for (uint32_t k = t->first_row; k < t->first_row + t->n_rows && ok; k++) {
            ok = !w->rows[k].rows ||
                 rows_reach(&w->h5, w->rows[k].rows, (w->run + 1) * t->n_entities);
        }
    }
    return ok;
}

/* `entry` is NULL for a replication that is missing. */
static bool take_replication(struct writer *w, const struct journal_entry *entry)
{
    const struct record_visitor visitor = {.counter = take_counter,
                                           .gauge = take_gauge,
                                           .histogram = take_histogram,
                                           .entry = take_entry,
                                           .trace = take_trace,
                                           .dropped = take_dropped,
                                           .context = w};
    struct record_head head;
    struct buffer *payload = &w->payload;
    struct results_error *e = w->h5.error;
    if (!entry) {
        w->columns[LAYOUT_STATUS].block[w->at] = RUN_MISSING;
        return fill_rows(w);
    }
    observed_replication(w->observed, w->run / w->study.n_replications, entry->replication);
    const struct blueprint *model = meta_model(w->study.meta, entry->point, e);
    if (!model || !journal_read(w->index, (size_t)(entry - w->index->entries), payload, e) ||
        !record_decode(payload->data, payload->size, model, &visitor, &head, e) || e->text[0]) {
        return false;
    }
    w->digest = hash_bytes(w->digest, payload->data, payload->size);
    w->early += head.status != RUN_OK;
    w->columns[LAYOUT_STATUS].block[w->at] = head.status;
    w->columns[LAYOUT_EVENTS].block[w->at] = head.events;
    w->columns[LAYOUT_SIM_END].block[w->at] = (uint64_t)head.sim_end;
    w->columns[LAYOUT_DIGEST].block[w->at] = head.digest;
    w->columns[LAYOUT_TRIPPED].block[w->at] = (uint64_t)head.tripped;
    w->columns[LAYOUT_WARMUP].block[w->at] = (uint64_t)head.warmup;
    return fill_rows(w);
}

static bool take_provenance(struct writer *w, const struct journal_entry *entry)
{
    w->columns[LAYOUT_WALL].block[w->at] = entry ? entry->wall_ns : 0;
    w->columns[LAYOUT_SESSION].block[w->at] = provenance_session(entry);
    return true;
}

struct gathered {
    uint32_t n;
    uint32_t bin[HIST_BINS];
    uint64_t count[HIST_BINS];
};

static void gather_bin(uint32_t bin, uint64_t count, void *context)
{
    struct gathered *g = context;
    g->bin[g->n] = bin;
    g->count[g->n++] = count;
}

/* Writes the histograms merged over a point's replications and forgets them. */
static bool flush_merged(struct writer *w)
{
    struct gathered g;
    for (uint32_t i = 0; i < w->study.n_types; i++) {
        const struct arranged_type *t = &w->study.types[i];
        uint64_t n = t->n_sampled * w->study.n_intervals;
        for (uint32_t k = t->first_row; k < t->first_row + t->n_rows; k++) {
            struct writer_row *row = &w->rows[k];
            for (uint64_t m = 0; row->merged && m < n; m++) {
                g.n = 0;
                hist_each(&w->pool, &row->merged[m], gather_bin, &g);
                if (!rows_put(&w->h5, row->series_rows, g.n, g.bin, g.count)) {
                    return false;
                }
                row->merged[m] = (struct histogram){0};
            }
        }
    }
    hist_pool_reset(&w->pool);
    return true;
}

static bool flush_blocks(struct writer *w, const struct box *b)
{
    bool ok = true;
    for (uint32_t i = 0; ok && i < w->n_columns; i++) {
        bool provenance = i >= LAYOUT_WALL && i < LAYOUT_RUNS;
        ok = provenance || flush_column(w, &w->columns[i], b);
    }
    return ok;
}

static bool flush_provenance(struct writer *w, const struct box *b)
{
    return flush_column(w, &w->columns[LAYOUT_WALL], b) &&
           flush_column(w, &w->columns[LAYOUT_SESSION], b);
}

/* The journal's entry of (point, replication), or NULL; `*n` is where the search goes on, for what
 * is asked for comes in order. */
static const struct journal_entry *entry_of(const struct writer *w, uint64_t point,
                                            uint64_t replication, size_t *n)
{
    const struct journal_entry *e = w->index->entries;
    while (*n < w->index->n &&
           (e[*n].point < point || (e[*n].point == point && e[*n].replication < replication))) {
        ++*n;
    }
    bool there = *n < w->index->n && e[*n].point == point && e[*n].replication == replication;
    return there ? &e[*n] : NULL;
}

/* The box that is complete with replication r of point p; no points: none is. */
static struct box box_before(const struct writer *w, uint64_t p, uint64_t r)
{
    const struct arrangement *s = &w->study;
    uint64_t in_block = r % w->block, points = p % w->block_points + 1;
    bool last = r == s->n_replications - 1;
    if (w->block_points == 1) {
        bool full = in_block == w->block - 1 || last;
        return (struct box){p, full, r - in_block, in_block + 1};
    }
    bool full = last && (points == w->block_points || p == s->n_points - 1);
    return (struct box){p + 1 - points, full ? points : 0, 0, s->n_replications};
}

/* Takes every replication of the file, there or missing, and flushes where a block ends. `end` is
 * called after each point; NULL: nothing is to be done. */
static bool walk(struct writer *w, bool (*take)(struct writer *, const struct journal_entry *),
                 bool (*end)(struct writer *), bool (*flush)(struct writer *, const struct box *))
{
    const struct arrangement *s = &w->study;
    size_t n = 0;
    bool ok = true;
    for (uint64_t p = 0; ok && p < s->n_points; p++) {
        for (uint64_t r = 0; ok && r < s->n_replications; r++) {
            bool wanted = r < s->used[p];
            w->at = p % w->block_points * w->block + r % w->block;
            w->run = p * s->n_replications + r;
            ok = take(w, wanted ? entry_of(w, s->points[p], r, &n) : NULL);
            struct box box = box_before(w, p, r);
            ok = ok && (box.points == 0 || flush(w, &box));
        }
        ok = ok && (!end || end(w));
    }
    return ok;
}

/* Nothing in the journal is of a replication that the plan does not have. */
static bool has_all(const struct writer *w)
{
    const struct results_meta *m = w->study.meta;
    for (size_t i = 0; i < w->index->n; i++) {
        const struct journal_entry *entry = &w->index->entries[i];
        bool there = entry->replication < m->n_replications || entry->replication == RECORD_PILOT;
        if (entry->point >= m->n_points || !there) {
            return results_fail(w->h5.error,
                                "the journal holds point %llu, replication %llu, which "
                                "this study does not have",
                                (unsigned long long)entry->point,
                                (unsigned long long)entry->replication);
        }
    }
    return true;
}

/* Closing writes, too: what was left in buffers. Also to be called after a failure. */
static bool close_datasets(struct writer *w)
{
    bool ok = observed_close(w->observed);
    w->observed = NULL;
    for (uint32_t i = 0; i < w->study.n_rows; i++) {
        struct writer_row *row = &w->rows[i];
        ok = (!row->rows || rows_close(&w->h5, row->rows)) && ok;
        ok = (!row->series_rows || rows_close(&w->h5, row->series_rows)) && ok;
        free(row->rows);
        free(row->series_rows);
        free(row->merged);
        *row = (struct writer_row){0};
    }
    for (uint32_t i = 0; i < w->n_columns; i++) {
        struct column *c = &w->columns[i];
        bool closed = c->dataset < 0 || H5Dclose(c->dataset) >= 0;
        ok = (closed || h5_failed(&w->h5, c->path)) && ok;
        c->dataset = -1;
    }
    return ok;
}

static bool write_provenance(struct writer *w)
{
    return skeleton_provenance(&w->h5, &w->study) && open_run(w, LAYOUT_WALL) &&
           open_run(w, LAYOUT_SESSION) && walk(w, take_provenance, NULL, flush_provenance) &&
           provenance_write(&w->h5, w->index);
}

/* Closes everything that was opened, also after a failure. */
static bool close_all(struct writer *w)
{
    bool ok = close_datasets(w);
    ok = h5_close(&w->h5) && ok;
    for (uint32_t i = 0; i < w->n_columns; i++) {
        free(w->columns[i].block);
    }
    free(w->columns);
    free(w->rows);
    buffer_close(&w->payload);
    hist_pool_close(&w->pool);
    arrangement_close(&w->study);
    arena_close(&w->memory);
    return ok;
}

static bool write_file(const char *path, const struct results_meta *meta,
                       struct journal_index *index, const struct results_choice *choice,
                       uint64_t *early, struct results_error *e)
{
    struct writer w = {.index = index};
    arrangement_open(&w.study, meta, choice ? choice->used : NULL);
    hist_pool_open(&w.pool);
    /* A histogram has most columns: four, and one by interval. */
    w.columns = calloc(LAYOUT_RUNS + 5 * (size_t)w.study.n_rows, sizeof *w.columns);
    w.rows = calloc((size_t)w.study.n_rows + 1, sizeof *w.rows);
    CHECK(w.columns && w.rows, "out of memory for results");
    plan_columns(&w);
    plan_blocks(&w);
    bool ok = h5_create(&w.h5, path, e) && skeleton_write(&w.h5, &w.study) &&
              thresholds_write(&w.h5, choice ? &choice->thresholds : NULL) && open_all(&w) &&
              has_all(&w) && walk(&w, take_replication, flush_merged, flush_blocks) &&
              close_datasets(&w) && skeleton_finish(&w.h5, w.digest) && write_provenance(&w);
    if (early) {
        *early = w.early;
    }
    return close_all(&w) && ok;
}

bool results_write(const char *path, const struct results_meta *meta, struct journal_index *index,
                   const struct results_choice *choice, uint64_t *early, struct results_error *e)
{
    char *temporary;
    CHECK(asprintf(&temporary, "%s.tmp", path) > 0, "out of memory for a path");
    unlink(temporary);
    bool ok = write_file(temporary, meta, index, choice, early, e) && durable_file(temporary, e);
    if (ok && rename(temporary, path) != 0) {
        ok = results_fail(e, "cannot rename %s to %s: %s", temporary, path, strerror(errno));
    }
    if (!ok) {
        unlink(temporary);
    }
    free(temporary);
    return ok && durable_name(path, e);
}
