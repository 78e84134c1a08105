/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of keys beside a plain list of them, both inside one entity of a small model.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/sim.h"
#include "parts/key_table.h"

enum { MOST = 600, KEYS = 1024 };

struct slot {
    uint64_t before; /* so that the offset is not 0 */
    struct keyed_slot in;
};

struct state {
    struct key_table table;
    uint32_t n;
    uint32_t slots[MOST];
};

static const struct stat_spec no_stats[] = {S_END};
static const char *const streams[] = {"moves", NULL};

static struct key_slots slots_of(struct ctx *c)
{
    return (struct key_slots){c, &c->slabs[0], offsetof(struct slot, in)};
}

/* Keys are numbers of requests: that of a client, and a small one. 0 is a key like any other. */
static uint64_t some_key(struct rng_stream *s)
{
    uint64_t bits = rng_bits(s) % KEYS;
    return bits % 4 << 32 | bits / 4;
}

static uint32_t listed(struct ctx *c, uint64_t key)
{
    const struct state *s = c->state;
    for (uint32_t i = 0; i < s->n; i++) {
        const struct slot *slot = slab_at(&c->slabs[0], s->slots[i]);
        if (slot->in.key == key) {
            return s->slots[i];
        }
    }
    return SLAB_NONE;
}

static void put(struct ctx *c, uint64_t key)
{
    struct state *s = c->state;
    struct key_slots in = slots_of(c);
    uint32_t slot = slab_take(&c->slabs[0]);
    ((struct slot *)slab_at(&c->slabs[0], slot))->in.key = key;
    key_table_put(&s->table, &in, slot);
    s->slots[s->n++] = slot;
}

static void drop(struct ctx *c, uint32_t i)
{
    struct state *s = c->state;
    struct key_slots in = slots_of(c);
    key_table_drop(&s->table, &in, s->slots[i]);
    slab_give(&c->slabs[0], s->slots[i]);
    s->slots[i] = s->slots[--s->n];
}

static void move(struct ctx *c)
{
    struct state *s = c->state;
    struct key_slots in = slots_of(c);
    uint64_t key = some_key(&c->streams[0]);
    uint32_t found = key_table_find(&s->table, &in, key);
    assert_int_equal(found, listed(c, key));
    if (found == SLAB_NONE && s->n < MOST) {
        put(c, key);
    } else if (s->n) {
        drop(c, (uint32_t)(rng_bits(&c->streams[0]) % s->n));
    }
    assert_int_equal(s->table.count, s->n);
}

static void play(struct ctx *c)
{
    struct state *s = c->state;
    struct key_slots in = slots_of(c);
    assert_int_equal(key_table_find(&s->table, &in, 0), SLAB_NONE);
    if (c->self == 0) {
        return; /* this one puts nothing in */
    }
    for (uint32_t i = 0; i < 20000; i++) {
        move(c);
    }
    assert_true(s->n > 300);
    while (s->n) {
        drop(c, s->n - 1);
    }
    uint32_t heads = s->table.heads;
    put(c, 0);
    assert_int_equal(s->table.heads, heads); /* what was taken once serves again */
    assert_int_equal(key_table_find(&s->table, &in, 0), s->slots[0]);
    assert_int_equal(key_table_find(&s->table, &in, 1), SLAB_NONE);
}

static const struct entity_type keeper = {.name = "keeper",
                                          .stats = no_stats,
                                          .stats_size = 8,
                                          .state_size = sizeof(struct state),
                                          .streams = streams,
                                          .slabs = {sizeof(struct slot)},
                                          .init = play};

/* What a model of so many keepers takes [B], of which the first puts nothing in. */
static size_t memory_of(uint32_t keepers)
{
    const struct group_plan group = {
        .name = "keeper", .type = &keeper, .count = keepers, .indexed = true};
    const struct blueprint plan = {.groups = &group, .n_groups = 1, .n_entities = keepers};
    struct sim *sim =
        sim_open(&plan, &(struct sim_options){.end = 1000, .interval = SIM_TIME_NEVER});
    sim_reset(sim, 1, 0);
    size_t memory = sim_memory(sim);
    sim_reset(sim, 1, 0); /* begins from nothing */
    assert_int_equal(sim_memory(sim), memory);
    sim_close(sim);
    return memory;
}

/* Whatever is put in and taken out, the table finds what a list would; keepers share a slab, not a
 * table. */
static void finds_what_a_list_finds(void **state)
{
    (void)state;
    size_t table = 2 * 512 * sizeof(uint32_t); /* all tables of up to 512 heads, nearly */
    size_t idle = memory_of(1);
    assert_true(idle < table);
    assert_true(memory_of(3) > idle + 2 * table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(finds_what_a_list_finds)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
