/* SPDX-License-Identifier: Apache-2.0 */
#include "results/reader.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "results/layout.h"
#include "results/reader_parts.h"

static bool check_schema(struct results *r)
{
    struct h5 *h = r->file;
    const char *filetype = "";
    uint64_t schema[2];
    bool absent = false;
    if (!h5_get_text_attr(h, &r->memory, "/", "filetype", &filetype, &absent) ||
        strcmp(filetype, LAYOUT_FILETYPE) != 0 ||
        !h5_get_number_attr(h, "/", "schema", schema, 2, &absent)) {
        return results_fail(h->error, "%s is not a results file of squall", h->path);
    }
    r->major = schema[0];
    r->minor = schema[1];
    if (r->major != LAYOUT_MAJOR) {
        return results_fail(h->error,
                            "%s was written by %s squall: its schema is %" PRIu64 ".%" PRIu64
                            ", this program reads %d.x",
                            h->path, r->major > LAYOUT_MAJOR ? "a newer" : "an older", r->major,
                            r->minor, LAYOUT_MAJOR);
    }
    return true;
}

static bool read_hash(struct results *r, const char *name, uint64_t *value)
{
    const char *text;
    if (!h5_get_text_attr(r->file, &r->memory, "/", name, &text, NULL)) {
        return false;
    }
    *value = strtoull(text, NULL, 16);
    return true;
}

/* A time that was left off has no attribute. */
static void read_limit(struct results *r, const char *name, sim_time *value)
{
    uint64_t number;
    bool absent = false;
    *value = h5_get_number_attr(r->file, "plan", name, &number, 1, &absent) ? (sim_time)number
                                                                            : SIM_TIME_NEVER;
}

static bool read_meta(struct results *r)
{
    struct h5 *h = r->file;
    struct results_meta *m = &r->meta;
    struct arena *a = &r->memory;
    bool absent = false;
    m->parallel = "";
    read_limit(r, "end_ns", &m->end);
    read_limit(r, "warmup_ns", &m->warmup);
    read_limit(r, "interval_ns", &m->interval);
    return h5_get_text_attr(h, a, "/", "title", &m->name, NULL) &&
           h5_get_text_attr(h, a, "/", "software", &m->software, NULL) &&
           h5_get_text_attr(h, a, "/", "git", &m->git, NULL) &&
           h5_get_text_attr(h, a, "/", "results_digest", &r->digest, NULL) &&
           read_hash(r, "plan_hash", &m->plan_hash) &&
           h5_get_number_attr(h, "/", "seed", &m->seed, 1, NULL) &&
           h5_get_text_attr(h, a, "provenance", "created", &r->created, NULL) &&
           h5_get_text_attr(h, a, "provenance", "host", &r->host, NULL) &&
           h5_get_text_attr(h, a, "provenance", "command", &m->command, NULL) &&
           (h5_get_text_attr(h, a, "provenance", "parallel", &m->parallel, &absent) || absent) &&
           h5_get_number_attr(h, "plan", "n_points", &m->n_points, 1, NULL) &&
           h5_get_number_attr(h, "plan", "n_replications", &m->n_replications, 1, NULL) &&
           h5_get_text(h, a, "config", &m->config) &&
           h5_get_text(h, a, "overrides", &m->overrides) &&
           h5_get_text(h, a, "config_resolved", &m->resolved);
}

/* There is room for as many points and replications as the file has, not as it says. */
static bool check_plan(struct results *r)
{
    const char *path = layout_runs[LAYOUT_STATUS].path;
    struct h5_numbers d;
    hsize_t dims[2] = {0, 0};
    bool ok = h5_numbers_open(r->file, path, 2, &d);
    if (ok) {
        hid_t space = H5Dget_space(d.id);
        H5Sget_simple_extent_dims(space, dims, NULL);
        H5Sclose(space);
        ok = (dims[0] > 0 && dims[0] == r->meta.n_points && dims[1] == r->meta.n_replications) ||
             results_fail(r->file->error,
                          "cannot read %s: %s is of %" PRIu64 " points and %" PRIu64
                          " replications, the plan of %" PRIu64 " and %" PRIu64,
                          r->file->path, path, (uint64_t)dims[0], (uint64_t)dims[1],
                          r->meta.n_points, r->meta.n_replications);
    }
    h5_numbers_close(&d);
    return ok;
}

/* What a row was, from the attributes of one of its datasets. */
static bool read_row(struct results *r, const char *type, const char *name, enum stat_kind kind,
                     struct stat_spec *row)
{
    /* The column that has the row's own unit. */
    const struct layout_column *c = layout_columns(kind, false);
    while (c->unit) {
        c++;
    }
    const struct layout_column sum = {layout_section(kind), layout_entries[LAYOUT_ENTRY_SUM].path,
                                      layout_entries[LAYOUT_ENTRY_SUM].long_name, NULL, NULL};
    c = c->section ? c : &sum;
    char path[LAYOUT_PATH];
    layout_path(c, type, name, path, sizeof path);
    *row = (struct stat_spec){.name = name, .kind = kind};
    if (!h5_get_text_attr(r->file, &r->memory, path, "units", &row->unit, NULL) ||
        !h5_get_text_attr(r->file, &r->memory, path, "long_name", &row->doc, NULL)) {
        return false;
    }
    size_t n = c->what ? strlen(c->what) : 0;
    if (n > 0 && strncmp(row->doc, c->what, n) == 0 && strncmp(row->doc + n, ": ", 2) == 0) {
        row->doc += n + 2;
    }
    return true;
}

static bool read_rows(struct results *r, struct results_type *t)
{
    enum { KINDS = 4 };
    const enum stat_kind kinds[KINDS] = {STAT_COUNTER, STAT_GAUGE, STAT_HISTOGRAM, STAT_BREAKDOWN};
    const char *const *names[KINDS];
    uint32_t n[KINDS], total = 0;
    for (int i = 0; i < KINDS; i++) {
        const char *section = layout_section(kinds[i]);
        bool datasets = kinds[i] == STAT_COUNTER;
        char path[LAYOUT_PATH];
        snprintf(path, sizeof path, "%s/%s", section, t->name);
        /* A section without such rows may be absent, too. */
        if (H5Lexists(r->file->file, section, H5P_DEFAULT) <= 0) {
            n[i] = 0;
        } else if (!h5_list(r->file, &r->memory, path, !datasets, &names[i], &n[i])) {
            return false;
        }
        total += n[i];
    }
    t->rows = arena_take(&r->memory, ((size_t)total + 1) * sizeof *t->rows);
    for (int i = 0; i < KINDS; i++) {
        for (uint32_t k = 0; k < n[i]; k++) {
            if (!read_row(r, t->name, names[i][k], kinds[i], &t->rows[t->n_rows++])) {
                return false;
            }
        }
    }
    return true;
}

static bool read_ids(struct results *r, struct results_type *t)
{
    char path[LAYOUT_PATH];
    struct h5_numbers d;
    const hsize_t start = 0, n = t->n_entities;
    uint64_t *ids = arena_take(&r->memory, (n + 1) * sizeof *ids);
    snprintf(path, sizeof path, "entities/%s/id", t->name);
    bool ok = h5_numbers_open(r->file, path, 1, &d) && h5_numbers_get(&d, &start, &n, ids);
    h5_numbers_close(&d);
    t->ids = ids;
    return ok;
}

/* What only some studies keep. */
static bool read_observed(struct results *r)
{
    hid_t file = r->file->file;
    hsize_t n = 0;
    r->traced = H5Lexists(file, LAYOUT_TRACE, H5P_DEFAULT) > 0;
    bool ok = H5Lexists(file, layout_section(STAT_BREAKDOWN), H5P_DEFAULT) <= 0 ||
              h5_get_texts(r->file, &r->memory, LAYOUT_GROUPS, &r->groups, &n);
    r->n_groups = n;
    return ok;
}

static bool read_types(struct results *r)
{
    const char *const *names;
    if (!h5_list(r->file, &r->memory, "entities", true, &names, &r->n_types)) {
        return false;
    }
    r->types = arena_take(&r->memory, ((size_t)r->n_types + 1) * sizeof *r->types);
    for (uint32_t i = 0; i < r->n_types; i++) {
        struct results_type *t = &r->types[i];
        char path[LAYOUT_PATH];
        hsize_t n, n_groups;
        t->name = names[i];
        snprintf(path, sizeof path, "entities/%s/entity", t->name);
        if (!h5_get_texts(r->file, &r->memory, path, &t->entities, &n)) {
            return false;
        }
        snprintf(path, sizeof path, "entities/%s/group", t->name);
        if (!h5_get_texts(r->file, &r->memory, path, &t->groups, &n_groups)) {
            return false;
        }
        t->n_entities = n < n_groups ? n : n_groups;
        if (!read_ids(r, t) || !read_rows(r, t)) {
            return false;
        }
    }
    return true;
}

static bool check_buckets(struct results *r)
{
    uint64_t sub_bits;
    return h5_get_number_attr(r->file, "histograms/edges", "sub_bits", &sub_bits, 1, NULL) &&
           (sub_bits == HIST_SUB_BITS ||
            results_fail(r->file->error,
                         "%s has histograms of 2^%" PRIu64 " buckets an octave, this program's "
                         "have 2^%d",
                         r->file->path, sub_bits, HIST_SUB_BITS));
}

static bool is_folder(const char *path)
{
    struct stat there_is;
    return stat(path, &there_is) == 0 && S_ISDIR(there_is.st_mode);
}

/* The length of a text before an end that it has; 0: it does not end so. */
static int stem_length(const char *text, size_t n, const char *end)
{
    size_t m = strlen(end);
    return n > m && strncmp(text + n - m, end, m) == 0 ? (int)(n - m) : 0;
}

/* What cannot be read: often results that are still to be, whose study has a journal. */
static bool refuse_path(const char *path, int why, struct results_error *e)
{
    static const char results[] = ".h5", journals[] = ".journal";
    struct arena memory = {0};
    size_t n = strlen(path);
    while (n > 1 && path[n - 1] == '/') {
        n--;
    }
    int stem = stem_length(path, n, results);
    const char *journal = arena_format(&memory, "%.*s%s", stem, path, journals);
    if (why == ENOENT && stem > 0 && is_folder(journal)) {
        results_fail(e,
                     "%s is not there yet: its study is not finished; 'squall status %s' tells how "
                     "far it is, 'squall resume %s' goes on with it",
                     path, journal, journal);
    } else if (why == EISDIR && stem_length(path, n, journals) > 0) {
        results_fail(e,
                     "%s is the journal of a study that is not finished, and no results file; "
                     "'squall status %s' tells how far it is, 'squall resume %s' goes on with it",
                     path, path, path);
    } else {
        results_fail(e, "cannot read %s: %s", path, strerror(why));
    }
    arena_close(&memory);
    return false;
}

bool results_open(const char *path, struct results *r, struct results_error *e)
{
    *r = (struct results){0};
    if (access(path, R_OK) != 0) {
        return refuse_path(path, errno, e);
    }
    if (is_folder(path)) {
        return refuse_path(path, EISDIR, e);
    }
    r->file = arena_take(&r->memory, sizeof *r->file);
    *r->file = (struct h5){.file = -1};
    path = arena_copy(&r->memory, path);
    bool ok = h5_is_file(path) || results_fail(e, "%s is not a results file of squall", path);
    ok = ok && h5_open(r->file, path, e) && check_schema(r) && read_meta(r) && check_plan(r) &&
         check_buckets(r) && read_types(r) && read_observed(r) && reader_axes(r) &&
         reader_intervals(r);
    if (!ok) {
        results_close(r);
    }
    return ok;
}

void results_close(struct results *r)
{
    if (r->file) {
        struct results_error unwanted = {""};
        r->file->error = &unwanted;
        h5_close(r->file);
    }
    arena_close(&r->memory);
    *r = (struct results){0};
}

const struct results_type *results_find_type(const struct results *r, const char *name)
{
    for (uint32_t i = 0; i < r->n_types; i++) {
        if (strcmp(r->types[i].name, name) == 0) {
            return &r->types[i];
        }
    }
    return NULL;
}

const struct stat_spec *results_find_row(const struct results_type *t, const char *name)
{
    for (uint32_t i = 0; i < t->n_rows; i++) {
        if (strcmp(t->rows[i].name, name) == 0) {
            return &t->rows[i];
        }
    }
    return NULL;
}

struct results_range results_all(const struct results_type *t)
{
    return (struct results_range){.first = 0, .count = t->n_entities};
}

struct results_range results_group(const struct results_type *t, const char *group)
{
    struct results_range range = {0};
    for (uint64_t i = 0; i < t->n_entities; i++) {
        if (strcmp(t->groups[i], group) == 0) {
            range.first = range.count ? range.first : i;
            range.count++;
        }
    }
    return range;
}

/* All replications of one dataset in /runs. */
static bool read_run(struct h5 *h, const char *path, uint64_t point, uint64_t n, uint64_t *value)
{
    const hsize_t start[] = {point, 0}, count[] = {1, n};
    struct h5_numbers d;
    bool ok = h5_numbers_open(h, path, 2, &d) && h5_numbers_get(&d, start, count, value);
    h5_numbers_close(&d);
    return ok;
}

/* Those that version 1.0 does not have. */
static bool came_later(int run)
{
    return run == LAYOUT_TRIPPED || run == LAYOUT_DROPPED || run == LAYOUT_WARMUP ||
           run == LAYOUT_SESSION;
}

/* What files of earlier versions do not tell. */
static uint64_t untold(const struct results *r, int run)
{
    return run == LAYOUT_WARMUP    ? (uint64_t)r->meta.warmup
           : run == LAYOUT_SESSION ? LAYOUT_NO_SESSION
                                   : 0;
}

bool results_runs(struct results *r, uint64_t point, struct results_run *run,
                  struct results_error *e)
{
    uint64_t n = r->meta.n_replications, *value = calloc(LAYOUT_RUNS * n + 1, sizeof *value);
    CHECK(value != NULL, "out of memory for results");
    r->file->error = e;
    bool ok = true;
    for (int i = 0; ok && i < LAYOUT_RUNS; i++) {
        const char *path = layout_runs[i].path;
        if (came_later(i) && H5Lexists(r->file->file, path, H5P_DEFAULT) <= 0) {
            for (uint64_t k = 0; k < n; k++) {
                value[(uint64_t)i * n + k] = untold(r, i);
            }
        } else {
            ok = read_run(r->file, path, point, n, value + (uint64_t)i * n);
        }
    }
    for (uint64_t i = 0; ok && i < n; i++) {
        run[i] = (struct results_run){.status = (enum run_status)value[LAYOUT_STATUS * n + i],
                                      .events = value[LAYOUT_EVENTS * n + i],
                                      .sim_end = (sim_time)value[LAYOUT_SIM_END * n + i],
                                      .tripped = (sim_time)value[LAYOUT_TRIPPED * n + i],
                                      .dropped = value[LAYOUT_DROPPED * n + i],
                                      .warmup = (sim_time)value[LAYOUT_WARMUP * n + i],
                                      .digest = value[LAYOUT_DIGEST * n + i],
                                      .wall_ns = value[LAYOUT_WALL * n + i],
                                      .session = value[LAYOUT_SESSION * n + i]};
        ok = value[LAYOUT_STATUS * n + i] < RUN_STATUSES ||
             results_fail(e, "cannot read %s: a replication has an unknown status", r->file->path);
    }
    free(value);
    return ok;
}

/* Which numbers of a row are wanted: `n` replications from `first` on. */
struct slice {
    struct results *results;
    const struct results_type *type;
    const struct stat_spec *row;
    uint64_t point, first, n;
    struct results_range range;
};

enum { PART = 1 << 16 }; /* numbers of a dataset in memory at a time */

/* Called for each replication and entity with one number of each column of the row; `replication`
 * counts from 0. False ends the walk with an error. */
typedef bool take_cell(void *context, uint64_t replication, const uint64_t *number);

static bool walk_part(const struct slice *s, struct h5_numbers *column, int n_columns,
                      uint64_t *part, const hsize_t *from, const hsize_t *count, take_cell *take,
                      void *context)
{
    const hsize_t start[] = {s->point, s->first + from[1], s->range.first + from[2]};
    for (int c = 0; c < n_columns; c++) {
        if (!h5_numbers_get(&column[c], start, count, part + (size_t)c * PART)) {
            return false;
        }
    }
    bool ok = true;
    for (uint64_t m = 0; ok && m < count[1] * count[2]; m++) {
        uint64_t number[H5_RANK];
        for (int c = 0; c < n_columns; c++) {
            number[c] = part[(size_t)c * PART + m];
        }
        ok = take(context, from[1] + m / count[2], number);
    }
    return ok;
}

static bool walk_columns(const struct slice *s, struct h5_numbers *column, int n_columns,
                         take_cell *take, void *context)
{
    uint64_t wide = s->range.count < PART ? s->range.count : PART, tall = wide ? PART / wide : 0;
    uint64_t *part = malloc((size_t)n_columns * PART * sizeof *part);
    CHECK(part != NULL, "out of memory for results");
    bool ok = true;
    for (uint64_t r = 0; ok && wide > 0 && r < s->n; r += tall) {
        for (uint64_t i = 0; ok && i < s->range.count; i += wide) {
            uint64_t rows = s->n - r, entities = s->range.count - i;
            const hsize_t from[] = {0, r, i};
            const hsize_t count[] = {1, rows < tall ? rows : tall,
                                     entities < wide ? entities : wide};
            ok = walk_part(s, column, n_columns, part, from, count, take, context);
        }
    }
    free(part);
    return ok;
}

/* Walks the columns of a row side by side, in the order of layout_columns. */
static bool walk(const struct slice *s, take_cell *take, void *context)
{
    struct h5_numbers column[H5_RANK] = {{0}};
    int n = 0;
    bool ok = true;
    for (const struct layout_column *c = layout_columns(s->row->kind, false); ok && c->section;
         c++) {
        char path[LAYOUT_PATH];
        layout_path(c, s->type->name, s->row->name, path, sizeof path);
        ok = h5_numbers_open(s->results->file, path, 3, &column[n++]);
    }
    ok = ok && walk_columns(s, column, n, take, context);
    for (int i = 0; i < n; i++) {
        h5_numbers_close(&column[i]);
    }
    return ok;
}

struct summing {
    struct results_error *error;
    uint64_t *counter;
    struct record_gauge *gauge;
};

static bool take_counter(void *context, uint64_t replication, const uint64_t *number)
{
    struct summing *s = context;
    uint64_t *to = &s->counter[replication];
    return !__builtin_add_overflow(*to, number[0], to) ||
           results_fail(s->error, "a sum of counters exceeds 2^64");
}

static bool take_gauge(void *context, uint64_t replication, const uint64_t *number)
{
    struct summing *s = context;
    struct record_gauge *to = &s->gauge[replication];
    to->max = (int64_t)number[1] > to->max ? (int64_t)number[1] : to->max;
    return !__builtin_add_overflow(to->integral, number[0], &to->integral) ||
           results_fail(s->error, "a sum of time integrals exceeds 2^64");
}

static bool take_figures(void *context, uint64_t replication, const uint64_t *number)
{
    (void)replication;
    const struct histogram exact = {
        .total = number[0], .sum = number[1], .min = number[2], .max = number[3]};
    hist_counts_add_bins(context, &exact, 0, NULL, NULL);
    return true;
}

bool results_counter(struct results *r, const struct results_type *t, const struct stat_spec *row,
                     uint64_t point, struct results_range range, uint64_t *value,
                     struct results_error *e)
{
    CHECK(row->kind == STAT_COUNTER, "%s is no counter", row->name);
    r->file->error = e;
    struct slice s = {r, t, row, point, 0, r->meta.n_replications, range};
    struct summing summing = {.error = e, .counter = value};
    memset(value, 0, s.n * sizeof *value);
    return walk(&s, take_counter, &summing);
}

bool results_gauge(struct results *r, const struct results_type *t, const struct stat_spec *row,
                   uint64_t point, struct results_range range, struct record_gauge *value,
                   struct results_error *e)
{
    CHECK(row->kind == STAT_GAUGE, "%s is no gauge", row->name);
    r->file->error = e;
    struct slice s = {r, t, row, point, 0, r->meta.n_replications, range};
    struct summing summing = {.error = e, .gauge = value};
    memset(value, 0, s.n * sizeof *value);
    return walk(&s, take_gauge, &summing);
}

/* Adds the buckets from[0] <= i < from[1] of a row's `bin` and `count`. */
bool reader_bins(struct h5_numbers *part, const uint64_t *number, hsize_t n, uint32_t *bin)
{
    bool ok = true;
    for (hsize_t i = 0; ok && i < n; i++) {
        bin[i] = (uint32_t)number[i];
        ok = number[i] < HIST_BINS ||
             results_fail(part->h->error, "cannot read %s: %s names a bucket that there is not",
                          part->h->path, part->path);
    }
    return ok;
}

bool reader_rows_open(struct results *r, const char *group, struct h5_numbers *part)
{
    char path[LAYOUT_PATH + 16];
    bool ok = true;
    for (int i = 0; ok && i < LAYOUT_ROWS; i++) {
        snprintf(path, sizeof path, "%s/%s", group, layout_rows[i].path);
        ok = h5_numbers_open(r->file, path, 1, &part[i]);
    }
    return ok;
}

void reader_rows_close(struct h5_numbers *part)
{
    for (int i = 0; i < LAYOUT_ROWS; i++) {
        h5_numbers_close(&part[i]);
    }
}

static bool add_bins(struct h5_numbers *part, const uint64_t *from, struct hist_counts *to)
{
    const struct histogram nothing = {0};
    uint64_t *number = malloc(2 * (size_t)PART * sizeof *number);
    uint32_t *bin = malloc(PART * sizeof *bin);
    CHECK(number && bin, "out of memory for results");
    bool ok = true;
    hsize_t n;
    for (hsize_t at = from[0]; ok && at < from[1]; at += n) {
        n = from[1] - at < PART ? from[1] - at : PART;
        ok = h5_numbers_get(&part[LAYOUT_BIN], &at, &n, number) &&
             h5_numbers_get(&part[LAYOUT_COUNT], &at, &n, number + PART);
        ok = ok && reader_bins(&part[LAYOUT_BIN], number, n, bin);
        if (ok) {
            hist_counts_add_bins(to, &nothing, n, bin, number + PART);
        }
    }
    free(number);
    free(bin);
    return ok;
}

/* Rows of the same replication stand together; where all entities are wanted, so do those of all
 * replications. */
static bool add_rows(const struct slice *s, struct h5_numbers *part, struct hist_counts *to)
{
    uint64_t entities = s->type->n_entities;
    uint64_t row = (s->point * s->results->meta.n_replications + s->first) * entities;
    bool together = s->range.count == entities, ok = true;
    uint64_t n = together ? s->n * entities : s->range.count;
    row += s->range.first;
    for (uint64_t r = 0; ok && r < (together ? 1 : s->n); r++, row += entities) {
        uint64_t from[2];
        const hsize_t one = 1, first = row, last = row + n;
        ok = h5_numbers_get(&part[LAYOUT_OFFSETS], &first, &one, &from[0]) &&
             h5_numbers_get(&part[LAYOUT_OFFSETS], &last, &one, &from[1]) &&
             add_bins(part, from, to);
    }
    return ok;
}

/* False when there are more values than can be counted: the file is damaged. */
static bool count_buckets(const struct hist_counts *h, uint64_t *counted)
{
    *counted = 0;
    for (uint32_t i = 0; i < HIST_BINS; i++) {
        if (__builtin_add_overflow(*counted, h->count[i], counted)) {
            return false;
        }
    }
    return true;
}

bool results_histogram(struct results *r, const struct results_type *t, const struct stat_spec *row,
                       uint64_t point, uint64_t replication, struct results_range range,
                       struct hist_counts *to, struct results_error *e)
{
    CHECK(row->kind == STAT_HISTOGRAM, "%s is no histogram", row->name);
    r->file->error = e;
    struct slice s = {r, t, row, point, replication, 1, range};
    if (replication == RESULTS_POOLED) {
        s.first = 0;
        s.n = r->meta.n_replications;
    }
    char group[LAYOUT_PATH];
    layout_rows_path(false, t->name, row->name, group, sizeof group);
    struct h5_numbers part[LAYOUT_ROWS] = {{0}};
    bool ok =
        reader_rows_open(r, group, part) && add_rows(&s, part, to) && walk(&s, take_figures, to);
    reader_rows_close(part);
    uint64_t counted;
    return ok && ((count_buckets(to, &counted) && (counted == 0 || counted == to->total)) ||
                  results_fail(e, "cannot read %s: the buckets of %s do not add up to its total",
                               r->file->path, group));
}

bool results_has_buckets(const struct hist_counts *h)
{
    uint64_t counted;
    return count_buckets(h, &counted) && counted == h->total;
}
