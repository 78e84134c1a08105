/* SPDX-License-Identifier: Apache-2.0
 *
 * Writing and reading stand side by side here, row kind by row kind, because they must agree.
 */
#include "results/record.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "engine/entity.h"

enum { RECORD_FORMAT = 3 };

const char *const run_status_names[RUN_STATUSES] = {
    [RUN_OK] = "ok",
    [RUN_EVENT_LIMIT] = "event_limit",
    [RUN_WATCHDOG] = "watchdog",
    [RUN_BUDGET_TRIPPED] = "budget_tripped",
    [RUN_FAILED] = "failed",
    [RUN_MISSING] = "missing",
};

/* What a record says of one entity. */
enum item_kind { ITEM_STATS, ITEM_SERIES, ITEM_TRACE, ITEMS };
struct item {
    const struct group_plan *group;
    entity_id id;
    enum item_kind kind;
};

static bool has_item(const struct group_plan *g, enum item_kind kind)
{
    return kind == ITEM_STATS || (kind == ITEM_SERIES ? g->sampled : g->traced);
}

/* Calls `visit` for the items of a record in their order, until one call returns false. */
static bool each_item(const struct blueprint *b,
                      bool (*visit)(void *context, const struct item *item), void *context)
{
    for (enum item_kind kind = ITEM_STATS; kind < ITEMS; kind++) {
        for (const struct group_plan *g = b->groups; g < b->groups + b->n_groups; g++) {
            for (uint32_t i = 0; has_item(g, kind) && i < g->count; i++) {
                const struct item item = {.group = g, .id = g->first + i, .kind = kind};
                if (!visit(context, &item)) {
                    return false;
                }
            }
        }
    }
    return true;
}

/* Buckets are written as gaps, which are mostly 0: neighbours are in use together. */
static inline unsigned char *put_bin(unsigned char *at, uint64_t gap, uint64_t count)
{
    if (__builtin_expect((gap | count) < 0x80, 1)) {
        at[0] = (unsigned char)gap;
        at[1] = (unsigned char)count;
        return at + 2;
    }
    return varint_put(varint_put(at, gap), count);
}

static void put_bins(struct buffer *to, uint32_t n, const uint32_t *bin, const uint64_t *count)
{
    buffer_varint(to, n);
    buffer_reserve(to, (size_t)n * 2 * VARINT_MOST);
    unsigned char *at = to->data + to->size;
    for (uint32_t i = 0, next = 0; i < n; next = bin[i++] + 1) {
        at = put_bin(at, bin[i] - next, count[i]);
    }
    to->size = (size_t)(at - to->data);
}

/* Where writing buckets one after another has got to. */
struct bins {
    unsigned char *at;
    uint32_t n, next; /* written; least bucket that may follow */
};

static struct bins put_octave(struct bins b, uint32_t first, const uint64_t *count)
{
    struct hist_used used = hist_used(count);
    for (uint32_t w = 0; w < HIST_PAGE / 64; w++, first += 64, count += 64) {
        for (uint64_t left = used.word[w]; left; left &= left - 1) {
            uint32_t i = (uint32_t)__builtin_ctzll(left);
            b.at = put_bin(b.at, first + i - b.next, count[i]);
            b.next = first + i + 1;
            b.n++;
        }
    }
    return b;
}

/* Writes all buckets. Their number, which stands before them, is known when they are written. */
static void put_buckets(struct buffer *to, const struct hist_pool *pool, const struct histogram *h)
{
    size_t most = h->total < HIST_BINS ? (size_t)h->total : HIST_BINS;
    buffer_reserve(to, (1 + 2 * most) * VARINT_MOST);
    unsigned char *number = to->data + to->size, *first = number + VARINT_MOST;
    struct bins b = {.at = first};
    uint32_t last = hist_bin(h->max) >> HIST_SUB_BITS;
    for (uint32_t octave = hist_bin(h->min) >> HIST_SUB_BITS; octave <= last; octave++) {
        const uint64_t *count = hist_octave(pool, h, octave);
        b = count ? put_octave(b, octave << HIST_SUB_BITS, count) : b;
    }
    number = varint_put(number, b.n);
    memmove(number, first, (size_t)(b.at - first));
    to->size = (size_t)(number + (b.at - first) - to->data);
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
    put_buckets(to, pool, h);
}

static void put_gauge(struct buffer *to, uint64_t integral, int64_t max)
{
    CHECK(max >= 0, "a gauge's maximum is below 0");
    buffer_varint(to, integral);
    buffer_varint(to, (uint64_t)max);
}

static void put_breakdown(struct buffer *to, const struct sim *s, const struct breakdown *b)
{
    if (b->first == 0) {
        buffer_varint(to, 0);
        return;
    }
    const struct breakdown_pool *pool = sim_breakdowns(s);
    buffer_varint(to, breakdown_count(pool, b));
    const struct breakdown_entry *e;
    for (uint64_t next = 0; (e = breakdown_next(pool, b, next));) {
        uint64_t order = breakdown_order(e->key);
        buffer_varint(to, order - next);
        put_histogram(to, sim_histograms(s), &e->values);
        next = order + 1;
    }
}

/* `s` is NULL where all statistics are zero. */
static void put_stats(struct buffer *to, const struct stat_spec *rows, const void *stats,
                      const struct sim *s)
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
            put_histogram(to, s ? sim_histograms(s) : NULL, member);
            break;
        case STAT_BREAKDOWN:
            put_breakdown(to, s, member);
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
        uint32_t n;
        uint64_t value;
        switch (row->kind) {
        case STAT_COUNTER:
            buffer_varint(to, series_counter(s, column, interval));
            break;
        case STAT_GAUGE:
            value = series_gauge(s, column, interval, &max);
            put_gauge(to, value, max);
            break;
        case STAT_HISTOGRAM:
            n = (uint32_t)series_histogram(s, column, interval, &bin, &count);
            put_bins(to, n, bin, count);
            break;
        case STAT_BREAKDOWN:
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

/* A difference modulo 2^64, such that small ones of either sign are small numbers. */
static uint64_t fold(uint64_t difference)
{
    return difference << 1 ^ (difference >> 63 ? UINT64_MAX : 0);
}

static uint64_t unfold(uint64_t folded)
{
    return folded >> 1 ^ (folded & 1 ? UINT64_MAX : 0);
}

static void put_trace_row(struct buffer *to, const struct trace_row *row,
                          const struct trace_row *before)
{
    buffer_varint(to, (uint64_t)(row->time - before->time));
    buffer_varint(to, fold(row->request - before->request));
    buffer_varint(to, (uint64_t)row->wait);
    buffer_varint(to, (uint64_t)row->total);
    buffer_varint(to, row->attempt);
    buffer_varint(to, row->status);
    buffer_varint(to, row->kind);
    buffer_varint(to, row->error);
}

/* `s` is NULL where there are no rows. */
static void put_trace(struct buffer *to, const struct sim *s, entity_id id)
{
    const struct trace_row nothing = {.time = 0}, *before = &nothing, *row = NULL;
    uint64_t dropped = 0, n = s ? sim_trace_rows(s, id, &dropped) : 0;
    buffer_varint(to, dropped);
    buffer_varint(to, n);
    while (n > 0 && (row = sim_trace_next(s, id, row))) {
        put_trace_row(to, row, before);
        before = row;
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
    buffer_varint(to, (uint64_t)head->tripped);
    buffer_varint(to, (uint64_t)head->warmup);
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
    if (item->kind == ITEM_SERIES) {
        uint32_t column = 0;
        const struct series *series = sim_series(s, item->id, &column);
        put_series(to, rows, series, column);
    } else if (item->kind == ITEM_TRACE) {
        put_trace(to, s, item->id);
    } else {
        put_stats(to, rows, sim_stats(s, item->id), s);
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
    if (item->kind == ITEM_SERIES) {
        put_series(w->to, item->group->type->stats, NULL, 0);
    } else if (item->kind == ITEM_TRACE) {
        put_trace(w->to, NULL, item->id);
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

void record_pilot(const struct record_head *head, struct buffer *to)
{
    put_head(to, head);
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

static struct record_histogram get_whole_histogram(struct reading *r)
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
    return h;
}

static void get_histogram(struct reading *r)
{
    struct record_histogram h = get_whole_histogram(r);
    if (!r->bytes.bad) {
        r->visitor->histogram(r->visitor->context, &r->place, &h);
    }
}

static void get_breakdown(struct reading *r)
{
    uint64_t n = bytes_varint(&r->bytes), next = 0, most = (uint64_t)r->blueprint->n_groups << 16;
    for (; n > 0 && !r->bytes.bad; n--) {
        uint64_t gap = bytes_varint(&r->bytes);
        if (gap >= most - next) {
            r->bytes.bad = true;
            return;
        }
        next += gap;
        struct record_entry e = {.key = {(uint32_t)(next >> 16), (uint16_t)next},
                                 .values = get_whole_histogram(r)};
        r->bytes.bad |= e.values.total == 0;
        if (!r->bytes.bad) {
            r->visitor->entry(r->visitor->context, &r->place, &e);
        }
        next++;
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
        case STAT_BREAKDOWN:
            if (r->place.interval == RECORD_WHOLE) {
                get_breakdown(r);
            }
            break;
        }
    }
}

static bool get_head(struct bytes *b, struct record_head *head, struct results_error *e)
{
    *head = (struct record_head){0};
    uint64_t format = bytes_varint(b);
    if (!b->bad && format != 0 && format != RECORD_FORMAT) {
        return results_fail(e,
                            "a replication was recorded by %s squall: record format %" PRIu64
                            ", this program reads %d",
                            format > RECORD_FORMAT ? "a newer" : "an older", format, RECORD_FORMAT);
    }
    head->point = bytes_varint(b);
    head->replication = bytes_varint(b);
    uint64_t status = bytes_varint(b);
    head->events = bytes_varint(b);
    uint64_t end = bytes_varint(b), tripped = bytes_varint(b), warmup = bytes_varint(b);
    head->digest = bytes_u64(b);
    if (b->bad || format == 0 || status >= RUN_MISSING || end > INT64_MAX || tripped > INT64_MAX ||
        warmup > INT64_MAX) {
        return results_fail(e, "a replication's record cannot be understood");
    }
    head->status = (enum run_status)status;
    head->sim_end = (sim_time)end;
    head->tripped = (sim_time)tripped;
    head->warmup = (sim_time)warmup;
    return true;
}

bool record_head_decode(const void *data, size_t size, struct record_head *head,
                        struct results_error *e)
{
    struct bytes b = {.at = data, .end = (const unsigned char *)data + size};
    return get_head(&b, head, e);
}

static bool has_series(const struct stat_spec *rows)
{
    while (rows->name && rows->kind == STAT_BREAKDOWN) {
        rows++;
    }
    return rows->name;
}

static void get_series(struct reading *r, const struct stat_spec *rows)
{
    uint64_t n = bytes_varint(&r->bytes);
    /* Without rows an interval takes no bytes, and any number of them would do. */
    n = has_series(rows) ? n : 0;
    r->bytes.bad |= n >= RECORD_WHOLE;
    for (uint64_t k = 0; k < n && !r->bytes.bad; k++) {
        r->place.interval = (uint32_t)k;
        get_rows(r, rows);
    }
}

/* A number of at most `most`. */
static uint64_t get_number(struct bytes *b, uint64_t most)
{
    uint64_t value = bytes_varint(b);
    b->bad |= value > most;
    return b->bad ? 0 : value;
}

static void get_trace(struct reading *r)
{
    struct trace_row row = {.time = 0};
    struct bytes *b = &r->bytes;
    uint64_t dropped = bytes_varint(b), n = bytes_varint(b);
    if (!b->bad) {
        r->visitor->dropped(r->visitor->context, &r->place, dropped);
    }
    for (; n > 0 && !b->bad; n--) {
        row.time += (sim_time)get_number(b, (uint64_t)(INT64_MAX - row.time));
        row.request += unfold(bytes_varint(b));
        row.wait = (sim_time)get_number(b, INT64_MAX);
        row.total = (sim_time)get_number(b, INT64_MAX);
        row.attempt = (uint32_t)get_number(b, UINT32_MAX);
        row.status = (uint16_t)get_number(b, UINT16_MAX);
        row.kind = (uint8_t)get_number(b, TRACE_KINDS - 1);
        row.error = (uint8_t)get_number(b, UINT8_MAX);
        if (!b->bad) {
            r->visitor->trace(r->visitor->context, &r->place, &row);
        }
    }
}

static bool get_item(void *context, const struct item *item)
{
    struct reading *r = context;
    r->place = (struct record_place){.group = (uint32_t)(item->group - r->blueprint->groups),
                                     .instance = item->id - item->group->first,
                                     .interval = RECORD_WHOLE};
    if (item->kind == ITEM_SERIES) {
        get_series(r, item->group->type->stats);
    } else if (item->kind == ITEM_TRACE) {
        get_trace(r);
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
