/* SPDX-License-Identifier: Apache-2.0
 *
 * Writing and reading stand side by side here, row kind by row kind, because they must agree.
 */
#include "results/record.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/check.h"
#include "engine/entity.h"

enum { RECORD_FORMAT = 1 };

const char *const run_status_names[RUN_STATUSES] = {
    [RUN_OK] = "ok",
    [RUN_EVENT_LIMIT] = "event_limit",
    [RUN_WATCHDOG] = "watchdog",
    [RUN_BUDGET_TRIPPED] = "budget_tripped",
    [RUN_FAILED] = "failed",
    [RUN_MISSING] = "missing",
};

/* What a record says of one entity: its statistics, or its time series. */
struct item {
    const struct group_plan *group;
    entity_id id;
    bool series;
};

/* Calls `visit` for the items of a record in their order, until one call returns false. */
static bool each_item(const struct blueprint *b,
                      bool (*visit)(void *context, const struct item *item), void *context)
{
    for (int series = 0; series < 2; series++) {
        for (const struct group_plan *g = b->groups; g < b->groups + b->n_groups; g++) {
            for (uint32_t i = 0; (g->sampled || !series) && i < g->count; i++) {
                const struct item item = {.group = g, .id = g->first + i, .series = series};
                if (!visit(context, &item)) {
                    return false;
                }
            }
        }
    }
    return true;
}

/* Buckets are written as gaps, which are mostly 0: neighbours are in use together. */
struct put_bins {
    struct buffer *to;
    uint32_t next; /* the bucket that gap 0 means */
    uint32_t n;
};

static void count_bin(uint32_t bin, uint64_t count, void *context)
{
    (void)bin;
    (void)count;
    ((struct put_bins *)context)->n++;
}

static void put_bin(uint32_t bin, uint64_t count, void *context)
{
    struct put_bins *put = context;
    buffer_varint(put->to, bin - put->next);
    buffer_varint(put->to, count);
    put->next = bin + 1;
}

static void put_histogram(struct buffer *to, const struct hist_pool *pool,
                          const struct histogram *h)
{
    buffer_varint(to, h->total);
    if (h->total == 0) {
        return;
    }
    buffer_varint(to, h->sum);
    buffer_varint(to, h->min);
    buffer_varint(to, h->max - h->min);
    struct put_bins put = {.to = to};
    hist_each(pool, h, count_bin, &put);
    buffer_varint(to, put.n);
    hist_each(pool, h, put_bin, &put);
}

static void put_gauge(struct buffer *to, uint64_t integral, int64_t max)
{
    CHECK(max >= 0, "a gauge's maximum is below 0");
    buffer_varint(to, integral);
    buffer_varint(to, (uint64_t)max);
}

static void put_stats(struct buffer *to, const struct stat_spec *rows, const void *stats,
                      const struct hist_pool *pool)
{
    for (const struct stat_spec *row = rows; row->name; row++) {
        const void *member = (const unsigned char *)stats + row->offset;
        const struct gauge *g = member;
        switch (row->kind) {
        case STAT_COUNTER:
            buffer_varint(to, *(const uint64_t *)member);
            break;
        case STAT_GAUGE:
            put_gauge(to, g->integral, g->max);
            break;
        case STAT_HISTOGRAM:
            put_histogram(to, pool, member);
            break;
        }
    }
}

static void put_interval(struct buffer *to, const struct stat_spec *rows, const struct series *s,
                         uint32_t column, uint32_t interval)
{
    for (const struct stat_spec *row = rows; row->name; row++, column++) {
        const uint32_t *bin;
        const uint64_t *count;
        int64_t max;
        uint64_t value;
        struct put_bins put = {.to = to};
        switch (row->kind) {
        case STAT_COUNTER:
            buffer_varint(to, series_counter(s, column, interval));
            break;
        case STAT_GAUGE:
            value = series_gauge(s, column, interval, &max);
            put_gauge(to, value, max);
            break;
        case STAT_HISTOGRAM:
            put.n = (uint32_t)series_histogram(s, column, interval, &bin, &count);
            buffer_varint(to, put.n);
            for (uint32_t i = 0; i < put.n; i++) {
                put_bin(bin[i], count[i], &put);
            }
            break;
        }
    }
}

static void put_series(struct buffer *to, const struct stat_spec *rows, const struct series *s,
                       uint32_t column)
{
    uint32_t n = s ? s->intervals : 0;
    buffer_varint(to, n);
    for (uint32_t k = 0; k < n; k++) {
        put_interval(to, rows, s, column, k);
    }
}

static void put_head(struct buffer *to, const struct record_head *head)
{
    buffer_varint(to, RECORD_FORMAT);
    buffer_varint(to, head->point);
    buffer_varint(to, head->replication);
    buffer_varint(to, head->status);
    buffer_varint(to, head->events);
    buffer_varint(to, (uint64_t)head->sim_end);
    buffer_u64(to, head->digest);
}

/* Who writes items: from where, and to where. */
struct writing {
    const struct sim *sim;
    const void *nothing; /* statistics that are all zero */
    struct buffer *to;
    struct buffer item; /* owned */
};

static void put_item(struct buffer *to, const struct sim *s, const struct item *item)
{
    const struct stat_spec *rows = item->group->type->stats;
    CHECK(sim_owns(s, item->id), "entity %" PRIu32 " is run elsewhere", item->id);
    if (item->series) {
        uint32_t column = 0;
        const struct series *series = sim_series(s, item->id, &column);
        put_series(to, rows, series, column);
    } else {
        put_stats(to, rows, sim_stats(s, item->id), sim_histograms(s));
    }
}

static bool put_whole_item(void *context, const struct item *item)
{
    const struct writing *w = context;
    put_item(w->to, w->sim, item);
    return true;
}

static bool put_blank_item(void *context, const struct item *item)
{
    const struct writing *w = context;
    if (item->series) {
        put_series(w->to, item->group->type->stats, NULL, 0);
    } else {
        put_stats(w->to, item->group->type->stats, w->nothing, NULL);
    }
    return true;
}

static bool put_own_item(void *context, const struct item *item)
{
    struct writing *w = context;
    if (sim_owns(w->sim, item->id)) {
        w->item.size = 0;
        put_item(&w->item, w->sim, item);
        buffer_varint(w->to, w->item.size);
        buffer_bytes(w->to, w->item.data, w->item.size);
    }
    return true;
}

void record_encode(const struct record_head *head, const struct sim *s, struct buffer *to)
{
    struct writing w = {.sim = s, .to = to};
    put_head(to, head);
    each_item(sim_blueprint(s), put_whole_item, &w);
}

void record_blank(const struct record_head *head, const struct blueprint *b, struct buffer *to)
{
    size_t most = 1;
    for (const struct group_plan *g = b->groups; g < b->groups + b->n_groups; g++) {
        most = g->type->stats_size > most ? g->type->stats_size : most;
    }
    void *nothing = calloc(1, most);
    CHECK(nothing != NULL, "out of memory for results");
    struct writing w = {.nothing = nothing, .to = to};
    put_head(to, head);
    each_item(b, put_blank_item, &w);
    free(nothing);
}

void record_piece(const struct sim *s, struct buffer *to)
{
    struct writing w = {.sim = s, .to = to};
    each_item(sim_blueprint(s), put_own_item, &w);
    buffer_close(&w.item);
}

/* Who puts a record together: what is left of each piece. */
struct joining {
    const uint32_t *part_of;
    struct bytes *left; /* owned */
    uint32_t parts;
    struct buffer *to;
};

static bool join_item(void *context, const struct item *item)
{
    const struct joining *j = context;
    uint32_t part = j->part_of[item->id];
    CHECK(part < j->parts, "entity %" PRIu32 " is in part %" PRIu32 " of %" PRIu32, item->id, part,
          j->parts);
    size_t size;
    const char *bytes = bytes_text(&j->left[part], &size);
    buffer_bytes(j->to, bytes, size);
    return true; /* also when this piece is bad: so the others are seen to be good */
}

bool record_join(const struct record_head *head, const struct blueprint *b, const uint32_t *part_of,
                 const struct buffer *pieces, uint32_t parts, struct buffer *to,
                 struct results_error *e)
{
    struct joining j = {.part_of = part_of, .parts = parts, .to = to};
    j.left = calloc(parts, sizeof *j.left);
    CHECK(j.left != NULL, "out of memory for results");
    for (uint32_t p = 0; p < parts; p++) {
        const struct buffer *piece = &pieces[p];
        j.left[p].at = piece->data;
        j.left[p].end = piece->size > 0 ? piece->data + piece->size : piece->data;
    }
    size_t before = to->size;
    put_head(to, head);
    each_item(b, join_item, &j);
    bool ok = true;
    for (uint32_t p = 0; ok && p < parts; p++) {
        ok = (!j.left[p].bad && j.left[p].at == j.left[p].end) ||
             results_fail(e,
                          "part %" PRIu32 " of point %" PRIu64 ", replication %" PRIu64
                          " does not fit the model of this study",
                          p, head->point, head->replication);
    }
    to->size = ok ? to->size : before;
    free(j.left);
    return ok;
}

struct reading {
    struct bytes bytes;
    const struct blueprint *blueprint;
    const struct record_visitor *visitor;
    struct record_place place;
    uint32_t bin[HIST_BINS];
    uint64_t count[HIST_BINS];
};

/* Reads the buckets and returns the sum of their counts. */
static uint64_t get_bins(struct reading *r, struct record_histogram *h)
{
    uint64_t n = bytes_varint(&r->bytes), total = 0, next = 0;
    h->n = n <= HIST_BINS ? (uint32_t)n : 0;
    h->bin = r->bin;
    h->count = r->count;
    r->bytes.bad |= n > HIST_BINS;
    for (uint32_t i = 0; i < h->n && !r->bytes.bad; i++) {
        uint64_t gap = bytes_varint(&r->bytes), count = bytes_varint(&r->bytes);
        if (gap >= HIST_BINS - next || count == 0 || __builtin_add_overflow(total, count, &total)) {
            r->bytes.bad = true;
            break;
        }
        r->bin[i] = (uint32_t)(next + gap);
        r->count[i] = count;
        next += gap + 1;
    }
    return total;
}

static void get_histogram(struct reading *r)
{
    struct record_histogram h = {
        .total = bytes_varint(&r->bytes), .bin = r->bin, .count = r->count};
    if (h.total > 0) {
        h.sum = bytes_varint(&r->bytes);
        h.min = bytes_varint(&r->bytes);
        h.max = bytes_varint(&r->bytes);
        r->bytes.bad |= __builtin_add_overflow(h.min, h.max, &h.max);
        uint64_t counted = get_bins(r, &h);
        r->bytes.bad |= h.n > 0 && counted != h.total;
    }
    if (!r->bytes.bad) {
        r->visitor->histogram(r->visitor->context, &r->place, &h);
    }
}

static void get_interval_histogram(struct reading *r)
{
    struct record_histogram h = {0};
    h.total = get_bins(r, &h);
    if (!r->bytes.bad) {
        r->visitor->histogram(r->visitor->context, &r->place, &h);
    }
}

static void get_gauge(struct reading *r)
{
    struct record_gauge g = {.integral = bytes_varint(&r->bytes)};
    uint64_t max = bytes_varint(&r->bytes);
    r->bytes.bad |= max > INT64_MAX;
    g.max = (int64_t)max;
    if (!r->bytes.bad) {
        r->visitor->gauge(r->visitor->context, &r->place, &g);
    }
}

static void get_rows(struct reading *r, const struct stat_spec *rows)
{
    uint64_t value;
    for (const struct stat_spec *row = rows; row->name && !r->bytes.bad; row++) {
        r->place.row = (uint32_t)(row - rows);
        switch (row->kind) {
        case STAT_COUNTER:
            value = bytes_varint(&r->bytes);
            if (!r->bytes.bad) {
                r->visitor->counter(r->visitor->context, &r->place, value);
            }
            break;
        case STAT_GAUGE:
            get_gauge(r);
            break;
        case STAT_HISTOGRAM:
            if (r->place.interval == RECORD_WHOLE) {
                get_histogram(r);
            } else {
                get_interval_histogram(r);
            }
            break;
        }
    }
}

static bool get_head(struct bytes *b, struct record_head *head, struct results_error *e)
{
    *head = (struct record_head){0};
    uint64_t format = bytes_varint(b);
    if (!b->bad && format > RECORD_FORMAT) {
        return results_fail(e,
                            "a replication was recorded by a newer squall: record format %" PRIu64
                            ", this program reads up to %d",
                            format, RECORD_FORMAT);
    }
    head->point = bytes_varint(b);
    head->replication = bytes_varint(b);
    uint64_t status = bytes_varint(b);
    head->events = bytes_varint(b);
    uint64_t end = bytes_varint(b);
    head->digest = bytes_u64(b);
    if (b->bad || format == 0 || status >= RUN_MISSING || end > INT64_MAX) {
        return results_fail(e, "a replication's record cannot be understood");
    }
    head->status = (enum run_status)status;
    head->sim_end = (sim_time)end;
    return true;
}

bool record_head_decode(const void *data, size_t size, struct record_head *head,
                        struct results_error *e)
{
    struct bytes b = {.at = data, .end = (const unsigned char *)data + size};
    return get_head(&b, head, e);
}

static void get_series(struct reading *r, const struct stat_spec *rows)
{
    uint64_t n = bytes_varint(&r->bytes);
    /* Without rows an interval takes no bytes, and any number of them would do. */
    n = rows->name ? n : 0;
    r->bytes.bad |= n >= RECORD_WHOLE;
    for (uint64_t k = 0; k < n && !r->bytes.bad; k++) {
        r->place.interval = (uint32_t)k;
        get_rows(r, rows);
    }
}

static bool get_item(void *context, const struct item *item)
{
    struct reading *r = context;
    r->place = (struct record_place){.group = (uint32_t)(item->group - r->blueprint->groups),
                                     .instance = item->id - item->group->first,
                                     .interval = RECORD_WHOLE};
    if (item->series) {
        get_series(r, item->group->type->stats);
    } else {
        get_rows(r, item->group->type->stats);
    }
    return !r->bytes.bad;
}

bool record_decode(const void *data, size_t size, const struct blueprint *blueprint,
                   const struct record_visitor *visitor, struct record_head *head,
                   struct results_error *e)
{
    struct reading r;
    r.bytes = (struct bytes){.at = data, .end = (const unsigned char *)data + size};
    r.blueprint = blueprint;
    r.visitor = visitor;
    if (!get_head(&r.bytes, head, e)) {
        return false;
    }
    each_item(blueprint, get_item, &r);
    if (r.bytes.bad || r.bytes.at != r.bytes.end) {
        return results_fail(e,
                            "the record of point %" PRIu64 ", replication %" PRIu64
                            " does not fit the model of this study",
                            head->point, head->replication);
    }
    return true;
}
