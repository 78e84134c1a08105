/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of a cache beside a naive one, which keeps plain lists of keys and searches them: both
 * hold the same entries after every one of many random operations, so both evict in the same order.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "engine/sim.h"
#include "parts/cache_table.h"

enum { KEYS = 40, MOST = 24, MOVES = 4000 };

/* --- naively ----------------------------------------------------------------------------- */

/* Keys, the first one first. */
struct row {
    uint32_t n, key[KEYS + 1];
};

struct naive {
    struct row first, second, gone;
    int uses[KEYS]; /* since it was put in, that included */
    bool used[KEYS];
};

static uint32_t place_in(const struct row *l, uint32_t key)
{
    uint32_t i = 0;
    while (i < l->n && l->key[i] != key) {
        i++;
    }
    return i;
}

static bool is_in(const struct row *l, uint32_t key)
{
    return place_in(l, key) < l->n;
}

static void append(struct row *l, uint32_t key)
{
    l->key[l->n++] = key;
}

static void take_out(struct row *l, uint32_t key)
{
    for (uint32_t i = place_in(l, key); i + 1 < l->n; i++) {
        l->key[i] = l->key[i + 1];
    }
    l->n--;
}

static void to_end(struct row *l, uint32_t key)
{
    take_out(l, key);
    append(l, key);
}

static void naive_use(struct naive *m, const struct eviction *e, uint32_t key)
{
    m->uses[key]++;
    m->used[key] = true;
    if (e->kind == EVICTION_LRU || e->kind == EVICTION_LFU) { /* lfu: the order of equals */
        to_end(&m->first, key);
    } else if (e->kind == EVICTION_2Q && is_in(&m->second, key)) {
        to_end(&m->second, key);
    } else if (e->kind == EVICTION_SLRU) {
        take_out(is_in(&m->first, key) ? &m->first : &m->second, key);
        append(&m->second, key);
        while (m->second.n > e->most_protected) {
            append(&m->first, m->second.key[0]);
            take_out(&m->second, m->second.key[0]);
        }
    }
}

static uint32_t naive_clock(struct naive *m)
{
    while (m->used[m->first.key[0]]) {
        m->used[m->first.key[0]] = false;
        to_end(&m->first, m->first.key[0]);
    }
    return m->first.key[0];
}

static uint32_t naive_least(const struct naive *m)
{
    uint32_t best = m->first.key[0];
    for (uint32_t i = 1; i < m->first.n; i++) {
        best = m->uses[m->first.key[i]] < m->uses[best] ? m->first.key[i] : best;
    }
    return best;
}

static uint32_t naive_victim(struct naive *m, const struct eviction *e, struct rng_stream *chance)
{
    switch ((enum eviction_kind)e->kind) {
    case EVICTION_LFU:
        return naive_least(m);
    case EVICTION_RANDOM:
        return m->first.key[rng_below(chance, m->first.n)];
    case EVICTION_CLOCK:
        return naive_clock(m);
    case EVICTION_SLRU:
        return m->first.n > 0 ? m->first.key[0] : m->second.key[0];
    case EVICTION_2Q:
        return m->first.n > e->most_in || m->second.n == 0 ? m->first.key[0] : m->second.key[0];
    default:
        return m->first.key[0];
    }
}

static void naive_drop(struct naive *m, const struct eviction *e, uint32_t key, bool evicted)
{
    if (is_in(&m->second, key)) {
        take_out(&m->second, key);
        return;
    }
    if (e->kind == EVICTION_RANDOM) { /* the last one fills the gap */
        m->first.key[place_in(&m->first, key)] = m->first.key[m->first.n - 1];
        m->first.n--;
        return;
    }
    take_out(&m->first, key);
    if (e->kind == EVICTION_2Q && evicted) {
        append(&m->gone, key);
        if (m->gone.n > e->most_out) {
            take_out(&m->gone, m->gone.key[0]);
        }
    }
}

/* Returns who was evicted, or KEYS. */
static uint32_t naive_put(struct naive *m, const struct eviction *e, int64_t capacity, uint32_t key,
                          struct rng_stream *chance)
{
    uint32_t victim = KEYS;
    bool back = is_in(&m->gone, key);
    if (back) {
        take_out(&m->gone, key);
    }
    if (m->first.n + m->second.n == capacity) {
        victim = naive_victim(m, e, chance);
        naive_drop(m, e, victim, true);
    }
    append(back ? &m->second : &m->first, key);
    m->uses[key] = 1;
    m->used[key] = false;
    return victim;
}

/* --- side by side ------------------------------------------------------------------------ */

static struct eviction eviction;
static int64_t capacity;
static uint64_t evicted;

struct state {
    struct cache_table table;
};

struct slot {
    struct cached in;
    uint64_t own; /* the owner's */
};

static const struct stat_spec no_stats[] = {S_END};
static const char *const streams[] = {"moves", "table", "naive", NULL};

static struct cache_slots slots_of(struct ctx *c)
{
    return (struct cache_slots){c, &c->slabs[0], &eviction, capacity, &c->streams[1]};
}

static void put(struct ctx *c, struct naive *m, uint32_t key)
{
    struct state *s = c->state;
    struct cache_slots in = slots_of(c);
    uint32_t expected = naive_put(m, &eviction, capacity, key, &c->streams[2]);
    uint32_t victim = cache_table_make_room(&s->table, &in, key);
    if (victim == SLAB_NONE) {
        assert_int_equal(expected, KEYS);
    } else {
        assert_int_equal(((struct slot *)slab_at(in.slab, victim))->own, expected);
        cache_table_drop(&s->table, &in, victim, true);
        evicted++;
    }
    ((struct slot *)slab_at(in.slab, cache_table_put(&s->table, &in, key)))->own = key;
}

static void assert_same(struct ctx *c, const struct naive *m)
{
    const struct state *s = c->state;
    struct cache_slots in = slots_of(c);
    assert_int_equal(s->table.count, m->first.n + m->second.n);
    for (uint32_t key = 0; key < KEYS; key++) {
        uint32_t slot = cache_table_find(&s->table, &in, key);
        assert_int_equal(slot != SLAB_NONE, is_in(&m->first, key) || is_in(&m->second, key));
    }
    assert_int_equal(in.slab->live, s->table.count + m->gone.n);
}

static void move(struct ctx *c, struct naive *m)
{
    struct state *s = c->state;
    struct cache_slots in = slots_of(c);
    struct rng_stream *moves = &c->streams[0];
    uint32_t a = (uint32_t)rng_below(moves, KEYS), b = (uint32_t)rng_below(moves, KEYS);
    uint32_t key = a < b ? a : b; /* some are popular */
    uint32_t slot = cache_table_find(&s->table, &in, key);
    if (slot == SLAB_NONE) {
        put(c, m, key);
    } else if (rng_below(moves, 16) == 0) {
        cache_table_drop(&s->table, &in, slot, false);
        naive_drop(m, &eviction, key, false);
    } else {
        cache_table_use(&s->table, &in, slot);
        naive_use(m, &eviction, key);
    }
}

static void empty(struct ctx *c, struct naive *m)
{
    struct state *s = c->state;
    struct cache_slots in = slots_of(c);
    for (uint32_t key = 0; key < KEYS; key++) {
        uint32_t slot = cache_table_find(&s->table, &in, key);
        if (slot != SLAB_NONE) {
            cache_table_drop(&s->table, &in, slot, false);
        }
    }
    cache_table_forget_gone(&s->table, &in);
    memset(m, 0, sizeof *m);
    assert_same(c, m);
    assert_int_equal(s->table.keys.count, 0);
}

static void play(struct ctx *c)
{
    struct naive m = {.first = {.n = 0}};
    c->streams[2] = c->streams[1];
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < MOVES; i++) {
            move(c, &m);
            assert_same(c, &m);
        }
        empty(c, &m);
    }
}

static const struct entity_type cache = {.name = "cache",
                                         .stats = no_stats,
                                         .stats_size = 8,
                                         .state_size = sizeof(struct state),
                                         .streams = streams,
                                         .slabs = {sizeof(struct slot)},
                                         .init = play};

static void play_one(int kind, int64_t places, double protected_share, double in, double out)
{
    const struct group_plan group = {.name = "cache", .type = &cache, .count = 1};
    const struct blueprint plan = {.groups = &group, .n_groups = 1, .n_entities = 1};
    eviction = (struct eviction){kind, protected_share, in, out, 0, 0, 0};
    capacity = places;
    evicted = 0;
    eviction_fit(&eviction, places);
    struct sim *sim =
        sim_open(&plan, &(struct sim_options){.end = 1000, .interval = SIM_TIME_NEVER});
    sim_reset(sim, (uint64_t)places, (uint64_t)kind);
    assert_true(places > KEYS ? evicted == 0 : evicted > 300);
    sim_close(sim);
}

static void each_policy_evicts_as_it_says(void **state)
{
    (void)state;
    for (int kind = EVICTION_LRU; kind <= EVICTION_2Q; kind++) {
        for (int64_t places = 1; places <= MOST; places += places < 6 ? 1 : 6) {
            play_one(kind, places, 0.8, 0.25, 0.5);
        }
        play_one(kind, INT64_MAX, 0.8, 0.25, 0.5);
    }
    play_one(EVICTION_SLRU, 10, 0.0, 0.25, 0.5);
    play_one(EVICTION_SLRU, 10, 1.0, 0.25, 0.5);
    play_one(EVICTION_2Q, 10, 0.8, 0.0, 0.0);
    play_one(EVICTION_2Q, 10, 0.8, 1.0, 2.0);
}

static void shares_are_rounded_down(void **state)
{
    (void)state;
    struct eviction e = {.protected_share = 0.8, .in_share = 0.25, .out_share = 0.5};
    const int64_t expected[][4] = {
        {1, 0, 1, 1}, {2, 1, 1, 1},          {5, 4, 1, 2},
        {9, 7, 2, 4}, {1000, 800, 250, 500}, {INT64_MAX, INT64_MAX - 1, INT64_MAX, INT64_MAX}};
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        eviction_fit(&e, expected[i][0]);
        assert_int_equal(e.most_protected, expected[i][1]);
        assert_int_equal(e.most_in, expected[i][2]);
        assert_int_equal(e.most_out, expected[i][3]);
    }
    e.protected_share = 0.29;
    eviction_fit(&e, 100);
    assert_int_equal(e.most_protected, 29);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(each_policy_evicts_as_it_says),
                                       cmocka_unit_test(shares_are_rounded_down)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
