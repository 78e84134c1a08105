/* SPDX-License-Identifier: Apache-2.0
 *
 * Links: what timed actions do to messages on their way between two sides, requests, replies and
 * cancels alike. A message is subject to what is in force at the instant at which it leaves; one
 * that is on its way already is not touched. In this order:
 *
 * - a cut loses it, without any chance;
 * - who holds it lets it leave at its end, where whatever is in force then applies to it;
 * - losses lose it, independently of each other and of that of the wire;
 * - latencies are added to that of the wire, which so keeps the lookahead that it gives;
 * - of several bandwidths, that of the wire among them, the least counts.
 *
 * So overlapping actions stack, and none has to be undone. What was held leaves in the order in
 * which its sender sent it, and before what it sends at that very instant.
 *
 * Chance is drawn from streams of each action's own, one a sender, and the windows of partitions
 * that come by chance and the halves into which they fall from others: the wires' own chance is
 * what it is without, and all ranks come to the same windows.
 */
#include <math.h>

#include "base/hash.h"
#include "engine/entity.h"
#include "engine/world.h"

/* Windows by chance that a replication may have, of all links. */
enum { WINDOWS_MOST = 1 << 26 };

/* --- open and reset ---------------------------------------------------------------------- */

static bool leaves_to_chance(const struct link_plan *p)
{
    return (p->loss > 0.0 && p->loss < 1.0) || !dist_is_constant(&p->latency);
}

static uint32_t count_entities(const struct entity_range *ranges, uint32_t n)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < n; i++) {
        count += ranges[i].count;
    }
    return count;
}

size_t links_size(const struct blueprint *b)
{
    size_t size = b->n_links * sizeof(struct link) + 64;
    for (uint32_t i = 0; i < b->n_links; i++) {
        const struct link_plan *p = &b->links[i];
        size += leaves_to_chance(p) ? b->n_entities * sizeof(struct rng_stream) + 64 : 0;
        size += p->halves ? count_entities(p->a, p->n_a) + 64 : 0;
    }
    return size;
}

void links_open(struct sim *s)
{
    const struct blueprint *b = s->plan;
    bool by_chance = false;
    s->n_links = b->n_links;
    s->links = region_take(&s->memory, b->n_links * sizeof *s->links, 64);
    for (uint32_t i = 0; i < b->n_links; i++) {
        struct link *l = &s->links[i];
        l->plan = &b->links[i];
        if (leaves_to_chance(l->plan)) {
            l->streams = region_take(&s->memory, b->n_entities * sizeof *l->streams, 64);
            s->untouched += (b->n_entities - s->n_own) * sizeof *l->streams;
        }
        if (l->plan->halves) {
            l->half = region_take(&s->memory, count_entities(l->plan->a, l->plan->n_a), 64);
        }
        by_chance |= l->plan->mtbf > 0;
    }
    if (by_chance) {
        region_open(&s->link_windows, "partitions by chance",
                    WINDOWS_MOST * sizeof(struct link_window));
    }
}

void links_close(struct sim *s)
{
    if (s->link_windows.reserved > 0) {
        region_close(&s->link_windows);
    }
}

static struct rng_stream stream_of(const struct sim *s, const struct link *l, uint64_t who,
                                   const char *purpose)
{
    struct rng_stream stream;
    rng_init(&stream, &(struct rng_key){s->seed, s->drawn_as, who,
                                        hash_pair(hash_text(purpose), l->plan->chance)});
    return stream;
}

/* Draws all windows of a replication. */
static void draw_windows(struct sim *s, struct link *l)
{
    const struct link_plan *p = l->plan;
    struct rng_stream stream = stream_of(s, l, 0, "windows");
    sim_time end = sim_time_add(p->from, p->lasts);
    l->first = (uint32_t)(s->link_windows.used / sizeof(struct link_window));
    l->n = 0;
    for (sim_time t = p->from;; l->n++) {
        sim_time from = sim_time_add(t, draw_time(&stream, p->mtbf));
        if (from >= end || from > s->options.end) {
            return;
        }
        t = sim_time_add(from, draw_time(&stream, p->mttr));
        t = t < end ? t : end;
        struct link_window *w = region_take(&s->link_windows, sizeof *w, sizeof(sim_time));
        *w = (struct link_window){from, t};
    }
}

void links_reset(struct sim *s)
{
    if (s->link_windows.reserved > 0) {
        region_rewind(&s->link_windows, 0);
    }
    for (uint32_t i = 0; i < s->n_links; i++) {
        struct link *l = &s->links[i];
        l->halved = 0;
        if (l->plan->mtbf > 0) {
            draw_windows(s, l);
        }
        for (uint32_t k = 0; l->streams && k < s->n_own; k++) {
            entity_id id = s->own[k];
            l->streams[id] = stream_of(s, l, blueprint_name_hash(s->plan, id), "link");
        }
    }
}

/* --- windows ----------------------------------------------------------------------------- */

/* One of a link's windows, and its number from 0. */
struct occasion {
    sim_time to; /* [ns] when it ends */
    uint64_t number;
};

/* The last of the windows by chance that begins by `t`; false when there is none. */
static bool find_drawn(const struct sim *s, const struct link *l, sim_time t, struct occasion *o)
{
    const struct link_window *windows =
        (const struct link_window *)(const void *)s->link_windows.base + l->first;
    uint32_t low = 0, high = l->n; /* windows[low - 1].from <= t < windows[high].from */
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        *(windows[middle].from <= t ? &low : &high) =
            windows[middle].from <= t ? middle + 1 : middle;
    }
    if (low > 0) {
        *o = (struct occasion){windows[low - 1].to, low - 1};
    }
    return low > 0;
}

/* When the window that begins at `begun` ends. Windows that touch are one, whoever waits for its
 * end, unless each of them has halves of its own. */
static sim_time end_of_window(const struct link_plan *p, sim_time begun)
{
    if (p->lasts < p->every || p->every == SIM_TIME_NEVER || p->halves) {
        return sim_time_add(begun, p->lasts);
    }
    bool ends = p->times <= (uint64_t)((SIM_TIME_NEVER - p->from) / p->every);
    return ends ? p->from + (sim_time)p->times * p->every : SIM_TIME_NEVER;
}

/* True when the link is in force at `t`. */
static bool is_in_force(const struct sim *s, const struct link *l, sim_time t, struct occasion *o)
{
    const struct link_plan *p = l->plan;
    if (p->mtbf > 0) {
        return find_drawn(s, l, t, o) && t < o->to;
    }
    sim_time begun;
    o->number = last_beginning(p->from, p->every, p->times, t, &begun);
    if (o->number == BEGUN_NOT) {
        return false;
    }
    o->to = end_of_window(p, begun);
    return t < o->to;
}

/* --- sides ------------------------------------------------------------------------------- */

/* The place of an entity among those of the ranges, or UINT32_MAX. */
static uint32_t place_among(const struct entity_range *ranges, uint32_t n, entity_id id)
{
    for (uint32_t i = 0, before = 0; i < n; before += ranges[i].count, i++) {
        if (id - ranges[i].first < ranges[i].count) {
            return before + (id - ranges[i].first);
        }
    }
    return UINT32_MAX;
}

/* Chooses half of the entities for one side (of an odd number the smaller half), each as likely:
 * a function of the window's number, whenever it is asked for. */
static void halve(struct sim *s, struct link *l, uint64_t number)
{
    if (l->halved == number + 1) {
        return;
    }
    struct rng_stream stream = stream_of(s, l, number + 1, "halves");
    uint32_t n = count_entities(l->plan->a, l->plan->n_a), wanted = n / 2;
    for (uint32_t i = 0; i < n; i++) {
        l->half[i] = rng_below(&stream, n - i) < wanted;
        wanted -= l->half[i];
    }
    l->halved = number + 1;
}

/* Whether a message from one entity to another goes between the link's sides. */
static bool concerns(struct sim *s, struct link *l, const struct occasion *o,
                     const struct passage *m)
{
    const struct link_plan *p = l->plan;
    uint32_t from = place_among(p->a, p->n_a, m->from), to = place_among(p->a, p->n_a, m->to);
    if (p->halves) {
        if (from == UINT32_MAX || to == UINT32_MAX) {
            return false;
        }
        halve(s, l, o->number);
        return p->asymmetric ? l->half[from] && !l->half[to] : l->half[from] != l->half[to];
    }
    bool rest = p->n_b == 0;
    bool from_b = rest ? from == UINT32_MAX : place_among(p->b, p->n_b, m->from) != UINT32_MAX;
    bool to_b = rest ? to == UINT32_MAX : place_among(p->b, p->n_b, m->to) != UINT32_MAX;
    return (from != UINT32_MAX && to_b) || (!p->asymmetric && from_b && to != UINT32_MAX);
}

/* --- messages ---------------------------------------------------------------------------- */

/* Whether some link of this sort acts on the message at `t`; `*to` is the latest end of these. */
static bool meets(struct sim *s, const struct passage *m, bool cuts, sim_time t, sim_time *to)
{
    bool met = false;
    for (uint32_t i = 0; i < s->n_links; i++) {
        struct link *l = &s->links[i];
        struct occasion o;
        if ((cuts ? l->plan->cuts : l->plan->holds) && is_in_force(s, l, t, &o) &&
            concerns(s, l, &o, m)) {
            *to = met && *to > o.to ? *to : o.to;
            met = true;
        }
    }
    return met;
}

/* Finds out when the message leaves; false when it never does. */
static bool leave(struct sim *s, struct passage *m, struct fault_stats *stats)
{
    sim_time to = 0;
    bool waits = false;
    while (m->leaves <= s->options.end) { /* what leaves later, nobody sees */
        if (meets(s, m, true, m->leaves, &to)) {
            stats->messages_cut++;
            return false;
        }
        if (!meets(s, m, false, m->leaves, &to)) {
            break;
        }
        stats->messages_held += !waits;
        waits = true;
        m->leaves = to;
        if (to == SIM_TIME_NEVER) {
            return false;
        }
    }
    m->held = waits || (m->leaves > 0 && meets(s, m, false, m->leaves - 1, &to));
    return true;
}

/* Adds what a link in force does to the message; false when it loses it. */
static bool hinder(const struct link *l, struct passage *m)
{
    const struct link_plan *p = l->plan;
    struct rng_stream *stream = l->streams ? &l->streams[m->from] : NULL;
    bool lost = p->loss >= 1.0 || (p->loss > 0.0 && rng_unit(stream) < p->loss);
    sim_time latency = dist_draw(&p->latency, stream);
    if (lost) {
        return false;
    }
    m->delay = sim_time_add(m->delay, latency);
    m->ns_per_byte = fmax(m->ns_per_byte, 1e9 / p->bandwidth); /* of no limit: 0 */
    return true;
}

void links_pass(struct sim *s, struct passage *m)
{
    struct fault_stats nobodys = {0}, *stats = fault_stats_of(s, s->current);
    stats = stats ? stats : &nobodys;
    bool lost = !leave(s, m, stats);
    sim_time transfer = sim_time_round(m->bytes * m->ns_per_byte); /* within m->delay */
    if (lost) {
        m->delay = SIM_TIME_NEVER;
        return;
    }
    for (uint32_t i = 0; i < s->n_links; i++) {
        struct link *l = &s->links[i];
        struct occasion o;
        if (!l->plan->cuts && !l->plan->holds && is_in_force(s, l, m->leaves, &o) &&
            concerns(s, l, &o, m)) {
            lost |= !hinder(l, m);
        }
    }
    if (lost) {
        stats->messages_dropped++;
        m->delay = SIM_TIME_NEVER;
        return;
    }
    sim_time longer = sim_time_round(m->bytes * m->ns_per_byte) - transfer;
    m->delay = sim_time_add(m->delay, longer);
}
