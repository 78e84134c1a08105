/* SPDX-License-Identifier: Apache-2.0
 *
 * Those that wait by deadline, beside a plain list of them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/sim.h"
#include "parts/wait_heap.h"

enum { MOST = 600 };

struct state {
    struct wait_heap heap;
    uint32_t n, slots[MOST]; /* in the order in which they came */
    sim_time when[MOST];     /* [ns] */
};

static const struct stat_spec no_stats[] = {S_END};
static const char *const streams[] = {"moves", NULL};

static void put(struct ctx *c, sim_time when)
{
    struct state *s = c->state;
    uint32_t slot = slab_take(&c->slabs[0]);
    wait_heap_put(&s->heap, c, &c->slabs[0], slot, when);
    s->slots[s->n] = slot;
    s->when[s->n++] = when;
}

static void forget(struct ctx *c, uint32_t i)
{
    struct state *s = c->state;
    slab_give(&c->slabs[0], s->slots[i]);
    s->n--;
    for (; i < s->n; i++) {
        s->slots[i] = s->slots[i + 1];
        s->when[i] = s->when[i + 1];
    }
}

static void pop(struct ctx *c)
{
    struct state *s = c->state;
    uint32_t first = 0;
    for (uint32_t i = 1; i < s->n; i++) {
        first = s->when[i] < s->when[first] ? i : first;
    }
    assert_int_equal(wait_heap_peek(&s->heap, c), s->slots[first]);
    assert_int_equal(wait_heap_pop(&s->heap, c, &c->slabs[0]), s->slots[first]);
    forget(c, first);
}

static void drop(struct ctx *c, uint32_t i)
{
    struct state *s = c->state;
    wait_heap_drop(&s->heap, c, &c->slabs[0], s->slots[i]);
    forget(c, i);
}

/* Few instants, so that there are ties; more come than go at first, and then fewer. */
static void play(struct ctx *c)
{
    struct state *s = c->state;
    struct rng_stream *chance = &c->streams[0];
    uint32_t most = 0;
    for (uint32_t i = 0; i < 20000; i++) {
        uint64_t what = rng_below(chance, 10);
        if (s->n < MOST && what < (i < 10000 ? 6 : 3)) {
            put(c, (sim_time)rng_below(chance, 50));
        } else if (s->n && what < 8) {
            pop(c);
        } else if (s->n) {
            drop(c, (uint32_t)rng_below(chance, s->n));
        }
        assert_int_equal(s->heap.count, s->n);
        most = s->n > most ? s->n : most;
    }
    assert_true(most > 300);
    put(c, SIM_TIME_NEVER);
    put(c, 5);
    while (s->n) {
        pop(c);
    }
}

static const struct entity_type keeper = {.name = "keeper",
                                          .stats = no_stats,
                                          .stats_size = 8,
                                          .state_size = sizeof(struct state),
                                          .streams = streams,
                                          .slabs = {sizeof(uint32_t)},
                                          .init = play};

static void the_earliest_is_first_and_the_oldest_of_equals(void **state)
{
    (void)state;
    const struct group_plan group = {.name = "keeper", .type = &keeper, .count = 1};
    const struct blueprint plan = {.groups = &group, .n_groups = 1, .n_entities = 1};
    struct sim *sim =
        sim_open(&plan, &(struct sim_options){.end = 1000, .interval = SIM_TIME_NEVER});
    for (uint64_t r = 0; r < 5; r++) {
        sim_reset(sim, 1, r);
    }
    sim_close(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_earliest_is_first_and_the_oldest_of_equals)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
