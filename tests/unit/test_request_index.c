/* SPDX-License-Identifier: Apache-2.0
 *
 * The index of requests beside a plain list of them, both inside one entity of a small model.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/sim.h"
#include "parts/request_index.h"

enum { MOST = 600 };

struct slot {
    uint64_t before; /* so that the offset is not 0 */
    struct indexed_request in;
};

struct state {
    struct request_index index;
    uint32_t n;
    uint32_t slots[MOST];
};

static const struct stat_spec no_stats[] = {S_END};
static const char *const streams[] = {"moves", NULL};

static struct request_slots slots_of(struct ctx *c)
{
    return (struct request_slots){c, &c->slabs[0], offsetof(struct slot, in)};
}

/* Few tokens, wires and attempts, so that requests differ in one of them only. */
static struct message some_message(struct rng_stream *s)
{
    return (struct message){.token = rng_bits(s) % 16,
                            .wire = (wire_id)(rng_bits(s) % 16),
                            .attempt = (uint16_t)(rng_bits(s) % 16)};
}

static uint32_t listed(struct ctx *c, const struct message *m)
{
    const struct state *s = c->state;
    for (uint32_t i = 0; i < s->n; i++) {
        const struct slot *slot = slab_at(&c->slabs[0], s->slots[i]);
        const struct message *have = &slot->in.m;
        if (have->token == m->token && have->wire == m->wire && have->attempt == m->attempt) {
            return s->slots[i];
        }
    }
    return SLAB_NONE;
}

static void put(struct ctx *c, const struct message *m)
{
    struct state *s = c->state;
    struct request_slots in = slots_of(c);
    uint32_t slot = slab_take(&c->slabs[0]);
    ((struct slot *)slab_at(&c->slabs[0], slot))->in.m = *m;
    request_index_put(&s->index, &in, slot);
    s->slots[s->n++] = slot;
}

static void drop(struct ctx *c, uint32_t i)
{
    struct state *s = c->state;
    struct request_slots in = slots_of(c);
    request_index_drop(&s->index, &in, s->slots[i]);
    slab_give(&c->slabs[0], s->slots[i]);
    s->slots[i] = s->slots[--s->n];
}

static void move(struct ctx *c)
{
    struct state *s = c->state;
    struct request_slots in = slots_of(c);
    struct message m = some_message(&c->streams[0]);
    uint32_t found = request_index_find(&s->index, &in, &m);
    assert_int_equal(found, listed(c, &m));
    if (found == SLAB_NONE && s->n < MOST) {
        put(c, &m);
    } else if (s->n) {
        drop(c, (uint32_t)(rng_bits(&c->streams[0]) % s->n));
    }
    assert_int_equal(s->index.count, s->n);
}

/* Another message with the same wire, token and attempt is found; the rest does not matter. */
static void find_by_the_key_alone(struct ctx *c)
{
    struct state *s = c->state;
    struct request_slots in = slots_of(c);
    put(c, &(struct message){.request = 1, .token = 2, .wire = 3, .attempt = 4, .bytes = 5});
    struct message m = {.request = 6, .token = 2, .wire = 3, .attempt = 4, .status = 7};
    assert_int_equal(request_index_find(&s->index, &in, &m), s->slots[0]);
    m.attempt = 5;
    assert_int_equal(request_index_find(&s->index, &in, &m), SLAB_NONE);
    drop(c, 0);
}

static void play(struct ctx *c)
{
    struct state *s = c->state;
    if (c->self == 0) {
        return; /* this one puts nothing in */
    }
    find_by_the_key_alone(c);
    for (uint32_t i = 0; i < 20000; i++) {
        move(c);
    }
    assert_true(s->n > 300);
    /* A crash takes the slots, not the table. */
    struct request_slots in = slots_of(c);
    uint32_t heads = s->index.heads, n = s->n;
    while (s->n) {
        slab_give(&c->slabs[0], s->slots[--s->n]);
    }
    request_index_clear(&s->index, c);
    for (uint32_t i = 0; i < n; i++) {
        struct message m = {.token = i};
        put(c, &m);
    }
    assert_int_equal(s->index.heads, heads);
    for (uint32_t i = 0; i < n; i++) {
        struct message m = {.token = i};
        assert_int_equal(listed(c, &m), request_index_find(&s->index, &in, &m));
    }
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

/* Whatever is put in and taken out, the index finds what a list would; keepers share a slab, not an
 * index. */
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
