/* SPDX-License-Identifier: Apache-2.0
 *
 * Partitions, what they cost and how far ahead their parts may run, on models drawn by hand and by
 * chance. What is found with some cleverness is compared with what is found by trying all pairs.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "engine/entity.h"
#include "parallel/horizon.h"
#include "parallel/lookahead.h"
#include "parallel/partition.h"
#include "rng/stream.h"
#include "support/trial.h"

static const sim_time US = SIM_TIME_US, MS = SIM_TIME_MS;

/* --- models ------------------------------------------------------------------------------ */

/* Makes so many requests by itself, and passes on so much of each that it gets. */
struct relay {
    double makes, passes;
};

static void relay_traffic(const void *params, struct traffic *t)
{
    const struct relay *r = params;
    t->out[0] = r->makes + r->passes * t->in;
    t->events = t->in + t->out[0];
}

static const struct entity_type relay = {.name = "relay", .traffic = relay_traffic};

/* `n` entities of one port each. Wires are drawn in any order and then sorted by where they begin.
 */
struct model {
    struct blueprint plan;
    struct group_plan *groups; /* one an entity */
    struct relay *relays;
    struct port_plan *ports;
    struct wire_plan *wires;
    struct wire_spec specs[8];
    uint32_t n_wires, most_wires;
};

static void *zeros(size_t n, size_t size)
{
    void *p = calloc(n + 1, size);
    assert_non_null(p);
    return p;
}

/* Spec i takes floors[i]. */
static void model_begin(struct model *m, uint32_t n, uint32_t most_wires, const sim_time *floors,
                        uint32_t n_floors)
{
    *m = (struct model){.groups = zeros(n, sizeof *m->groups),
                        .relays = zeros(n, sizeof *m->relays),
                        .ports = zeros(n, sizeof *m->ports),
                        .wires = zeros(most_wires, sizeof *m->wires),
                        .most_wires = most_wires};
    for (uint32_t i = 0; i < n_floors; i++) {
        m->specs[i] = (struct wire_spec){.latency = dist_constant(floors[i]),
                                         .jitter = dist_exponential(US),
                                         .bandwidth = INFINITY};
    }
    for (uint32_t i = 0; i < n; i++) {
        m->groups[i] = (struct group_plan){.name = "relay",
                                           .type = &relay,
                                           .params = &m->relays[i],
                                           .first = i,
                                           .count = 1,
                                           .ports = 1,
                                           .first_port = i};
    }
    m->plan = (struct blueprint){.groups = m->groups,
                                 .n_groups = n,
                                 .n_entities = n,
                                 .ports = m->ports,
                                 .n_ports = n,
                                 .wires = m->wires,
                                 .specs = m->specs,
                                 .n_specs = n_floors};
}

static void add_fan(struct model *m, entity_id from, entity_id to, uint32_t more, uint32_t spec)
{
    assert_true(m->n_wires < m->most_wires);
    m->wires[m->n_wires++] = (struct wire_plan){.from = from, .to = to, .more = more, .spec = spec};
}

static void add_wire(struct model *m, entity_id from, entity_id to, uint32_t spec)
{
    add_fan(m, from, to, 0, spec);
}

static int by_from(const void *a, const void *b)
{
    const struct wire_plan *x = a, *y = b;
    return (x->from > y->from) - (x->from < y->from);
}

static void model_end(struct model *m)
{
    qsort(m->wires, m->n_wires, sizeof *m->wires, by_from);
    for (uint32_t w = m->n_wires; w-- > 0;) {
        struct port_plan *p = &m->ports[m->wires[w].from];
        p->first_wire = w;
        p->wires++;
        p->more += m->wires[w].more;
    }
    m->plan.n_wires = m->n_wires;
}

static void model_close(struct model *m)
{
    free(m->groups);
    free(m->relays);
    free(m->ports);
    free(m->wires);
}

/* A random model: some wires without delay, some fans over the same or other ranges. */
static void model_random(struct model *m, struct rng_stream *s)
{
    static const sim_time floors[] = {0, 5 * US, 5 * US, 20 * US, 250 * US, 3 * MS};
    enum { FLOORS = sizeof floors / sizeof floors[0] };
    uint32_t n = 1 + (uint32_t)rng_below(s, 40), wires = (uint32_t)rng_below(s, 2 * n);
    uint32_t slow = rng_below(s, 3) == 0 ? 1 : 0; /* nothing without delay */
    model_begin(m, n, wires, floors, FLOORS);
    for (uint32_t w = 0; w < wires; w++) {
        entity_id from = (entity_id)rng_below(s, n), to = (entity_id)rng_below(s, n);
        if (to + 1 < n && rng_below(s, 3) == 0) {
            uint32_t more = rng_below(s, 2) ? n - 1 - to : 1 + (uint32_t)rng_below(s, n - 1 - to);
            add_fan(m, from, to, more, 1 + (uint32_t)rng_below(s, FLOORS - 1));
        } else {
            add_wire(m, from, to, slow + (uint32_t)rng_below(s, FLOORS - slow));
        }
    }
    for (uint32_t i = 0; i < n; i++) {
        m->relays[i] = (struct relay){10.0 * rng_unit(s), 0.5 * rng_unit(s)};
    }
    model_end(m);
}

static struct rng_stream chance(uint64_t seed)
{
    struct rng_stream s;
    rng_init(&s, &(struct rng_key){.seed = seed});
    return s;
}

static sim_time floor_of(const struct model *m, const struct wire_plan *w)
{
    return wire_floor(&m->specs[w->spec]);
}

/* --- flow -------------------------------------------------------------------------------- */

static void assert_near(double a, double b)
{
    if (!(fabs(a - b) <= 1e-6 * fabs(b))) {
        fail_msg("%.12g is not %.12g", a, b);
    }
}

/* Five clients before two servers, which call a database twice and a delay once for each request;
 * one more client calls the database. */
#define TREE \
    "squall: 1\n" \
    "duration: 20s\n" \
    "entities:\n" \
    "  users: {type: client, count: 5, target: web, arrivals: {kind: constant, rate: 40/s}}\n" \
    "  robots: {type: client, target: db, arrivals: {closed: {users: 30, think_time: 100ms}}}\n" \
    "  web: {type: server, count: 2, concurrency: 100, service_time: 1ms,\n" \
    "        calls: [{target: db}, {target: cache}, {target: db}]}\n" \
    "  db: {type: server, count: 4, concurrency: 100, service_time: 1ms}\n" \
    "  cache: {type: delay, latency: 1ms}\n" \
    "network: [{latency: 1ms}]\n"

static double requests_from(const struct blueprint *b, const struct flow *f, entity_id id)
{
    double sum = 0.0;
    for (wire_id w = 0; w < b->n_wires; w++) {
        sum += b->wires[w].from == id ? f->requests[w] : 0.0;
    }
    return sum;
}

static void flows_follow_calls(void **state)
{
    (void)state;
    struct trial t;
    trial_open(&t, TREE);
    const struct blueprint *b = &t.study->blueprint;
    struct flow f;
    flow_expect(b, &f);
    /* web: 100/s each, 200/s in all; db: 400/s of these and 300/s of the robots, 175/s each. */
    static const struct {
        const char *name;
        double events, requests;
    } rows[] = {{"users", 80.0, 40.0},
                {"robots", 600.0, 300.0},
                {"web[1]", 500.0, 300.0},
                {"db[3]", 350.0, 0.0},
                {"cache", 400.0, 0.0}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        entity_id id = trial_entity(&t, rows[i].name);
        assert_near(f.events[id], rows[i].events);
        assert_near(requests_from(b, &f, id), rows[i].requests);
    }
    assert_near(f.total, 5 * 80.0 + 600.0 + 2 * 500.0 + 4 * 350.0 + 400.0);
    flow_close(&f);
    trial_close(&t);
}

static void flows_can_be_measured(void **state)
{
    (void)state;
    struct trial t;
    trial_open(&t, TREE);
    trial_run(&t, 0);
    const struct blueprint *b = &t.study->blueprint;
    struct flow f, expected;
    flow_measure(t.sim, &f);
    flow_expect(b, &expected);
    double total = 0.0;
    for (entity_id id = 0; id < b->n_entities; id++) {
        assert_near(f.events[id], sim_made(t.sim, id) * 1e9 / (double)sim_now(t.sim));
        total += f.events[id];
    }
    assert_near(f.total, total);
    for (wire_id w = 0; w < b->n_wires; w++) {
        entity_id from = b->wires[w].from;
        assert_near(f.requests[w], expected.requests[w] * f.events[from] / expected.events[from]);
    }
    /* Open clients make a timer and a request for each arrival, as was expected of them. */
    entity_id user = trial_entity(&t, "users");
    assert_true(fabs(f.events[user] / 80.0 - 1.0) < 0.01);
    flow_close(&expected);
    flow_close(&f);
    /* Before anything has happened, the equations. */
    sim_reset(t.sim, 1, 0);
    flow_measure(t.sim, &f);
    assert_near(f.events[user], 80.0);
    flow_close(&f);
    trial_close(&t);
}

static void flows_go_round(void **state)
{
    (void)state;
    enum { RING = 5 };
    const sim_time floor = MS;
    struct model m;
    struct flow f;
    /* A ring: what comes round is lambda = makes / (1 - passes^RING) at the source. */
    for (double passes = 0.25; passes <= 0.75; passes += 0.25) {
        model_begin(&m, RING, RING, &floor, 1);
        for (uint32_t i = 0; i < RING; i++) {
            m.relays[i] = (struct relay){i == 0 ? 12.0 : 0.0, passes};
            add_wire(&m, i, (i + 1) % RING, 0);
        }
        model_end(&m);
        flow_expect(&m.plan, &f);
        double rate = 12.0 / (1.0 - pow(passes, RING));
        for (uint32_t i = 0; i < RING; i++) {
            assert_near(f.requests[i], rate * pow(passes, i));
        }
        flow_close(&f);
        model_close(&m);
    }
}

static void flows_fan_out(void **state)
{
    (void)state;
    enum { MANY = 1000 };
    const sim_time floor = MS;
    struct model m;
    struct flow f;
    /* Each of many calls any of them, itself too: lambda = makes + passes * lambda. Entity 0 stands
     * outside and shares what it makes between one of them and all. */
    model_begin(&m, 1 + MANY, 2 + MANY, &floor, 1);
    m.relays[0].makes = 3003.0;
    add_wire(&m, 0, 7, 0);
    add_fan(&m, 0, 1, MANY - 1, 0);
    for (uint32_t i = 1; i <= MANY; i++) {
        m.relays[i] = (struct relay){2.0, 0.5};
        add_fan(&m, i, 1, MANY - 1, 0);
    }
    model_end(&m);
    flow_expect(&m.plan, &f);
    double each = 3003.0 / (1 + MANY); /* 3/s to each far end of entity 0 */
    double extra = each / MANY, in = (2.0 + each + extra * 0.5) / 0.5;
    assert_near(f.requests[0] + f.requests[1], 3003.0);
    assert_near(f.events[5], 2.0 + 1.5 * in);
    assert_near(f.events[7], 2.0 + 1.5 * (in + each));
    assert_near(f.requests[2], 2.0 + 0.5 * in);
    flow_close(&f);
    model_close(&m);
}

static void endless_flows_end(void **state)
{
    (void)state;
    const sim_time floor = MS;
    struct model m;
    struct flow f;
    for (double passes = 1.0; passes < 1e300; passes *= 1e10) {
        model_begin(&m, 2, 2, &floor, 1);
        m.relays[0] = m.relays[1] = (struct relay){1.0, passes};
        add_wire(&m, 0, 1, 0);
        add_wire(&m, 1, 0, 0);
        model_end(&m);
        flow_expect(&m.plan, &f);
        assert_true(isfinite(f.total) && f.total > 1.0);
        flow_close(&f);
        model_close(&m);
    }
}

/* --- partitions -------------------------------------------------------------------------- */

/* Components by going from each entity to all that it is joined with. */
static void visit(const struct model *m, sim_time contract, uint32_t id, uint32_t number,
                  uint32_t *component)
{
    component[id] = number;
    for (uint32_t w = 0; w < m->n_wires; w++) {
        const struct wire_plan *wire = &m->wires[w];
        sim_time floor = floor_of(m, wire);
        bool here = wire->from == id || (wire->to <= id && id <= wire->to + wire->more);
        if (!here || (floor > 0 && floor >= contract)) {
            continue;
        }
        for (uint32_t end = 0; end <= wire->more + 1; end++) {
            uint32_t other = end <= wire->more ? wire->to + end : wire->from;
            if (component[other] == UINT32_MAX) {
                visit(m, contract, other, number, component);
            }
        }
    }
}

static uint32_t find_components(const struct model *m, sim_time contract, uint32_t *component)
{
    uint32_t n = 0;
    memset(component, 0xff, m->plan.n_entities * sizeof *component);
    for (uint32_t id = 0; id < m->plan.n_entities; id++) {
        if (component[id] == UINT32_MAX) {
            visit(m, contract, id, n++, component);
        }
    }
    return n;
}

static void check_partition(const struct model *m, const struct flow *f,
                            const struct partition_request *q, const struct partition *p)
{
    uint32_t n = m->plan.n_entities, contracted = 0;
    uint32_t *component = zeros(n, sizeof *component);
    uint32_t *size = zeros(q->parts, sizeof *size);
    double *load = zeros(n, sizeof *load), largest = 0.0;
    assert_true(q->contract == 0 || p->contract == q->contract);
    assert_int_equal(p->components, find_components(m, p->contract, component));
    for (uint32_t w = 0; w < m->n_wires; w++) {
        sim_time floor = floor_of(m, &m->wires[w]);
        contracted += floor == 0 || floor < p->contract;
    }
    assert_int_equal(p->contracted, contracted);
    uint32_t *part_of = zeros(n, sizeof *part_of); /* by component */
    bool *seen = zeros(n, sizeof *seen);
    for (uint32_t id = 0; id < n; id++) {
        assert_true(p->part_of[id] < q->parts);
        if (!seen[component[id]]) {
            seen[component[id]] = true;
            part_of[component[id]] = p->part_of[id];
            size[p->part_of[id]]++;
        }
        assert_int_equal(p->part_of[id], part_of[component[id]]);
        load[component[id]] += f->events[id];
        largest = fmax(largest, load[component[id]]);
    }
    assert_near(load[component[p->largest]], largest);
    assert_near(p->largest_share, largest / f->total);
    uint32_t least = UINT32_MAX, most = 0;
    for (uint32_t part = 0; part < q->parts; part++) {
        least = size[part] < least ? size[part] : least;
        most = size[part] > most ? size[part] : most;
    }
    assert_true(q->method != PARTITION_SHUFFLE || most - least <= 1);
    assert_true(least > 0 || p->components < q->parts);
    assert_true(most <= 1 || p->components > q->parts);
    for (uint32_t c = 1; c < p->components && q->method == PARTITION_BLOCK; c++) {
        assert_true(part_of[c] - part_of[c - 1] <= 1);
    }
    free(seen);
    free(part_of);
    free(load);
    free(size);
    free(component);
}

static void components_stay_whole(void **state)
{
    (void)state;
    static const sim_time contracts[] = {0, 1, 5 * US, 20 * US + 1, MS, SIM_TIME_S};
    struct rng_stream s = chance(1);
    for (int i = 0; i < 300; i++) {
        struct model m;
        struct flow f;
        model_random(&m, &s);
        flow_expect(&m.plan, &f);
        for (int method = 0; partition_words[method]; method++) {
            struct partition_request q = {.method = (enum partition_method)method,
                                          .parts = 1 + (uint32_t)rng_below(&s, 9),
                                          .seed = (uint64_t)i,
                                          .contract = contracts[rng_below(&s, 6)]};
            struct partition p, again;
            partition_make(&m.plan, &f, &q, &p);
            check_partition(&m, &f, &q, &p);
            partition_make(&m.plan, &f, &q, &again);
            assert_memory_equal(p.part_of, again.part_of, m.plan.n_entities * sizeof(uint32_t));
            partition_close(&again);
            partition_close(&p);
        }
        flow_close(&f);
        model_close(&m);
    }
}

static void blocks_are_balanced(void **state)
{
    (void)state;
    enum { N = 1000 };
    struct rng_stream s = chance(2);
    for (uint32_t parts = 1; parts <= 20; parts++) {
        struct model m;
        struct flow f;
        model_begin(&m, N, 0, NULL, 0);
        double heaviest = 0.0;
        for (uint32_t i = 0; i < N; i++) {
            m.relays[i].makes = rng_exponential(&s);
            heaviest = fmax(heaviest, m.relays[i].makes);
        }
        model_end(&m);
        flow_expect(&m.plan, &f);
        struct partition p;
        struct cut cut;
        partition_make(&m.plan, &f,
                       &(struct partition_request){.method = PARTITION_BLOCK, .parts = parts}, &p);
        cut_measure(&m.plan, &f, p.part_of, parts, &cut);
        double even = f.total / parts;
        for (uint32_t part = 0; part < parts; part++) {
            assert_true(fabs(cut.load[part] - even) <= heaviest);
        }
        assert_true(cut.lookahead == SIM_TIME_NEVER && cut.limit == WIRE_NONE);
        assert_int_equal(cut.cut_wires + cut.neighbours, 0);
        cut_close(&cut);
        partition_close(&p);
        flow_close(&f);
        model_close(&m);
    }
}

static void one_giant_leaves_the_rest_to_others(void **state)
{
    (void)state;
    static const double loads[] = {1000.0, 1.0, 1.0, 1.0};
    struct model m;
    struct flow f;
    model_begin(&m, 4, 0, NULL, 0);
    for (uint32_t i = 0; i < 4; i++) {
        m.relays[i].makes = loads[i];
    }
    model_end(&m);
    flow_expect(&m.plan, &f);
    struct partition p;
    partition_make(&m.plan, &f, &(struct partition_request){.method = PARTITION_BLOCK, .parts = 3},
                   &p);
    assert_memory_equal(p.part_of, ((const uint32_t[]){0, 1, 1, 2}), 4 * sizeof(uint32_t));
    assert_int_equal(p.largest, 0);
    partition_close(&p);
    flow_close(&f);
    model_close(&m);
}

static void shuffles_follow_the_seed(void **state)
{
    (void)state;
    enum { N = 400, PARTS = 4, SEEDS = 50 };
    struct model m;
    struct flow f;
    model_begin(&m, N, 0, NULL, 0);
    model_end(&m);
    flow_expect(&m.plan, &f); /* nothing: all entities are alike */
    uint32_t same = 0, *first = zeros(N, sizeof *first);
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct partition_request q = {PARTITION_SHUFFLE, PARTS, seed, 0};
        struct partition p;
        partition_make(&m.plan, &f, &q, &p);
        for (uint32_t i = 0; i < N && seed > 0; i++) {
            same += p.part_of[i] == first[i];
        }
        memcpy(first, p.part_of, N * sizeof *first);
        assert_near(p.largest_share, 1.0 / N);
        partition_close(&p);
    }
    /* An entity stays in its part once in PARTS times; 5 standard errors. */
    double trials = (SEEDS - 1.0) * N, mean = trials / PARTS;
    assert_true(fabs(same - mean) < 5.0 * sqrt(mean * (1.0 - 1.0 / PARTS)));
    free(first);
    flow_close(&f);
    model_close(&m);
}

/* `cliques` of `size`, all alike, of which each one's first calls the next one's second. Entity i
 * is in clique i % cliques. */
static void draw_cliques(struct model *m, uint32_t cliques, uint32_t size, const sim_time *floors)
{
    uint32_t n = cliques * size;
    model_begin(m, n, n * size, floors, 2);
    for (uint32_t i = 0; i < n; i++) {
        m->relays[i].makes = 100.0;
        for (uint32_t k = 0; k < size; k++) {
            uint32_t other = k * cliques + i % cliques;
            if (other != i) {
                add_wire(m, i, other, 0);
            }
        }
        if (i < cliques) {
            add_wire(m, i, cliques + (i + 1) % cliques, 1);
        }
    }
    model_end(m);
}

static void metis_finds_cliques(void **state)
{
    (void)state;
    enum { CLIQUES = 100, SIZE = 100 };
    const sim_time floors[] = {MS, MS};
    struct model m;
    struct flow f;
    draw_cliques(&m, CLIQUES, SIZE, floors);
    flow_expect(&m.plan, &f);
    for (uint32_t parts = 5; parts <= 20; parts *= 2) {
        struct partition_request q = {.method = PARTITION_METIS, .parts = parts};
        struct partition p;
        struct cut cut;
        partition_make(&m.plan, &f, &q, &p);
        cut_measure(&m.plan, &f, p.part_of, parts, &cut);
        assert_int_equal(p.components, CLIQUES * SIZE);
        assert_int_equal(p.part_of[0], 0);
        assert_true(cut.balance <= 1.1 && cut.balance > 1.0 - 1e-9);
        assert_true(cut.cut_wires <= CLIQUES);
        for (uint32_t i = 0; i < CLIQUES * SIZE; i++) {
            assert_int_equal(p.part_of[i], p.part_of[i % CLIQUES]);
        }
        cut_close(&cut);
        partition_close(&p);
    }
    flow_close(&f);
    model_close(&m);
}

/* Three cliques for more parts: they can be kept whole, or be dealt out evenly. */
static void deal_three(const sim_time *floors, double makes, uint32_t parts, struct partition *p,
                       struct cut *cut)
{
    struct model m;
    struct flow f;
    draw_cliques(&m, 3, 50, floors);
    for (uint32_t i = 0; i < m.plan.n_entities; i++) {
        m.relays[i].makes = makes;
    }
    flow_expect(&m.plan, &f);
    struct partition_request q = {.method = PARTITION_METIS, .parts = parts};
    partition_make(&m.plan, &f, &q, p);
    cut_measure(&m.plan, &f, p->part_of, parts, cut);
    flow_close(&f);
    model_close(&m);
}

static void fast_wires_are_cut_where_it_pays(void **state)
{
    (void)state;
    struct partition p;
    struct cut cut;
    /* Windows of 1 us instead of 1 ms are no good. */
    deal_three((const sim_time[]){US, MS}, 100.0, 2, &p, &cut);
    assert_true(p.contract == MS && cut.lookahead == MS);
    assert_int_equal(p.components, 3);
    assert_near(cut.balance, 4.0 / 3.0);
    cut_close(&cut);
    partition_close(&p);
    /* Of 1 ms instead of 2 ms they are, when there is much to do and there are ten parts. */
    deal_three((const sim_time[]){MS, 2 * MS}, 1e5, 10, &p, &cut);
    assert_true(p.contract == MS && cut.lookahead == MS);
    assert_int_equal(p.components, 150);
    assert_true(cut.balance < 1.1);
    cut_close(&cut);
    partition_close(&p);
}

/* A ring with four slow wires among fast ones, where all carry as much. */
static void slow_wires_are_cut_first(void **state)
{
    (void)state;
    enum { RING = 64, STRIDE = 13 };
    const sim_time floors[] = {US, MS};
    struct model m;
    struct flow f;
    model_begin(&m, RING, RING, floors, 2);
    for (uint32_t i = 0; i < RING; i++) {
        m.relays[i].makes = 1.0;
        add_wire(&m, i * STRIDE % RING, (i + 1) * STRIDE % RING, i % (RING / 4) == 5);
    }
    model_end(&m);
    flow_expect(&m.plan, &f);
    struct partition_request q = {.method = PARTITION_METIS, .parts = 4, .contract = 1};
    struct partition p;
    struct cut cut;
    partition_make(&m.plan, &f, &q, &p);
    cut_measure(&m.plan, &f, p.part_of, 4, &cut);
    assert_int_equal(p.components, RING);
    assert_int_equal(cut.cut_wires, 4);
    assert_true(cut.lookahead == MS);
    assert_near(cut.balance, 1.0);
    cut_close(&cut);
    partition_close(&p);
    flow_close(&f);
    model_close(&m);
}

static void on_term(int signal)
{
    (void)signal;
}

static void metis_leaves_signals_alone(void **state)
{
    (void)state;
    const sim_time floors[] = {MS, MS};
    struct model m;
    struct flow f;
    draw_cliques(&m, 10, 10, floors);
    flow_expect(&m.plan, &f);
    struct sigaction mine = {.sa_handler = on_term, .sa_flags = SA_RESTART}, before, after;
    sigaction(SIGTERM, &mine, &before);
    struct partition p;
    partition_make(&m.plan, &f, &(struct partition_request){.parts = 3}, &p);
    partition_close(&p);
    sigaction(SIGTERM, &before, &after);
    assert_true(after.sa_handler == on_term);
    assert_true((after.sa_flags & SA_RESTART) && !(after.sa_flags & (int)SA_RESETHAND));
    sigset_t mask;
    sigprocmask(SIG_BLOCK, NULL, &mask);
    assert_false(sigismember(&mask, SIGTERM));
    flow_close(&f);
    model_close(&m);
}

/* --- cuts, lookahead and horizons -------------------------------------------------------- */

static uint32_t *deal_anyhow(const struct model *m, uint32_t parts, struct rng_stream *s)
{
    uint32_t *part_of = zeros(m->plan.n_entities, sizeof *part_of);
    for (uint32_t i = 0; i < m->plan.n_entities; i++) {
        part_of[i] = (uint32_t)rng_below(s, parts);
    }
    return part_of;
}

/* Direct matrix and limits by looking at every pair of ends. */
static void try_all_pairs(const struct model *m, const uint32_t *part_of, uint32_t parts,
                          sim_time *d, wire_id *limit)
{
    for (uint32_t i = 0; i < parts * parts; i++) {
        d[i] = SIM_TIME_NEVER;
        limit[i] = WIRE_NONE;
    }
    for (wire_id w = 0; w < m->n_wires; w++) {
        const struct wire_plan *wire = &m->wires[w];
        for (uint32_t end = 0; end <= wire->more; end++) {
            uint32_t from = part_of[wire->from], to = part_of[wire->to + end];
            for (int way = 0; way < 2 && from != to; way++) {
                uint32_t i = way ? to * parts + from : from * parts + to;
                if (floor_of(m, wire) < d[i]) {
                    d[i] = floor_of(m, wire);
                    limit[i] = w;
                }
            }
        }
    }
}

static void check_rows(const struct model *m, const uint32_t *part_of, uint32_t parts,
                       const sim_time *d)
{
    for (uint32_t part = 0; part < parts; part++) {
        struct lookahead l;
        lookahead_open(&m->plan, part_of, part, parts, &l);
        sim_time least = SIM_TIME_NEVER;
        for (uint32_t i = 0; i < parts; i++) {
            assert_true(l.to[i] == d[part * parts + i]);
            assert_true(l.to[i] == d[i * parts + part]);
            least = l.to[i] < least ? l.to[i] : least;
        }
        assert_true(l.least == least);
        assert_true(l.part == part && l.parts == parts);
        lookahead_close(&l);
    }
}

/* Ways of one wire and more from `from` on, by Bellman and Ford. */
static void ways_from(const sim_time *direct, uint32_t parts, uint32_t from, sim_time *ways)
{
    memcpy(ways, &direct[from * parts], parts * sizeof *ways);
    for (uint32_t round = 0; round < parts; round++) {
        for (uint32_t i = 0; i < parts * parts; i++) {
            sim_time t = sim_time_add(ways[i / parts], direct[i]);
            ways[i % parts] = t < ways[i % parts] ? t : ways[i % parts];
        }
    }
}

static void check_closure(sim_time *d, const sim_time *direct, uint32_t parts, struct rng_stream *s)
{
    sim_time *next = zeros(parts, sizeof *next), *horizon = zeros(parts, sizeof *horizon);
    sim_time *ways = zeros(parts, sizeof *ways), first = SIM_TIME_NEVER;
    for (uint32_t i = 0; i < parts; i++) {
        next[i] = rng_below(s, 4) ? (sim_time)rng_below(s, 10 * MS) : SIM_TIME_NEVER;
        first = next[i] < first ? next[i] : first;
        horizon[i] = SIM_TIME_NEVER;
    }
    lookahead_matrix_close(d, parts);
    for (uint32_t j = 0; j < parts; j++) {
        ways_from(direct, parts, j, ways);
        assert_memory_equal(&d[j * parts], ways, parts * sizeof *ways);
        for (uint32_t i = 0; i < parts; i++) {
            sim_time t = sim_time_add(next[j], ways[i]);
            horizon[i] = t < horizon[i] ? t : horizon[i];
        }
    }
    for (uint32_t i = 0; i < parts; i++) {
        sim_time least = SIM_TIME_NEVER;
        for (uint32_t j = 0; j < parts; j++) {
            least = direct[j * parts + i] < least ? direct[j * parts + i] : least;
        }
        assert_true(horizon_exact(next, d, parts, i) == horizon[i]);
        assert_true(horizon_reduced(first, least) <= horizon[i]);
        assert_true(horizon_even(next, d, parts, i) <= horizon[i]);
        assert_true(horizon_reduced(first, least) == sim_time_add(first, least));
    }
    free(ways);
    free(horizon);
    free(next);
}

static void lookahead_is_that_of_all_pairs(void **state)
{
    (void)state;
    struct rng_stream s = chance(3);
    for (int i = 0; i < 300; i++) {
        struct model m;
        model_random(&m, &s);
        uint32_t parts = 1 + (uint32_t)rng_below(&s, 9), *part_of = deal_anyhow(&m, parts, &s);
        sim_time *direct = zeros(parts * parts, sizeof *direct);
        wire_id *limit = zeros(parts * parts, sizeof *limit);
        wire_id *expected = zeros(parts * parts, sizeof *expected);
        try_all_pairs(&m, part_of, parts, direct, expected);
        sim_time *d = lookahead_matrix(&m.plan, part_of, parts, limit);
        assert_memory_equal(d, direct, parts * parts * sizeof *d);
        assert_memory_equal(limit, expected, parts * parts * sizeof *limit);
        check_rows(&m, part_of, parts, d);
        check_closure(d, direct, parts, &s);
        free(d);
        d = lookahead_matrix(&m.plan, part_of, parts, NULL);
        assert_memory_equal(d, direct, parts * parts * sizeof *d);
        free(d);
        free(expected);
        free(limit);
        free(direct);
        free(part_of);
        model_close(&m);
    }
}

/* A way over others may be shorter than the direct one, and what leaves may come back. */
static void the_shortest_way_counts(void **state)
{
    (void)state;
    const sim_time N = SIM_TIME_NEVER;
    sim_time d[] = {N, 10, 2, N, 10, N, 3, N, 2, 3, N, N, N, N, N, N};
    lookahead_matrix_close(d, 4);
    const sim_time closed[] = {4, 5, 2, N, 5, 6, 3, N, 2, 3, 4, N, N, N, N, N};
    assert_memory_equal(d, closed, sizeof d);
    assert_true(horizon_exact((const sim_time[]){N, 100, N, 0}, d, 4, 1) == 106);
    assert_true(horizon_exact((const sim_time[]){7, 100, N, 0}, d, 4, 1) == 12);
    assert_true(horizon_exact((const sim_time[]){N, N, N, 0}, d, 4, 1) == N);
    assert_true(horizon_exact((const sim_time[]){0, 0, 0, 0}, d, 4, 3) == N);
    /* All that affect each other stop where the first of them must; the lone fourth need not. */
    const sim_time apart[] = {7, 100, N, 0};
    for (uint32_t i = 0; i < 3; i++) {
        assert_true(horizon_even(apart, d, 4, i) == 9);
    }
    assert_true(horizon_even(apart, d, 4, 3) == N);
}

static void check_cut(const struct model *m, const struct flow *f, const uint32_t *part_of,
                      uint32_t parts)
{
    struct cut c;
    cut_measure(&m->plan, f, part_of, parts, &c);
    double *load = zeros(parts, sizeof *load), largest = 0.0, all = 0.0, remote = 0.0;
    uint32_t *entities = zeros(parts, sizeof *entities), neighbours = 0, wires = 0;
    bool *talks = zeros(parts * parts, sizeof *talks);
    sim_time lookahead = SIM_TIME_NEVER;
    wire_id limit = WIRE_NONE;
    for (uint32_t i = 0; i < m->plan.n_entities; i++) {
        load[part_of[i]] += f->events[i];
        entities[part_of[i]]++;
    }
    for (wire_id w = 0; w < m->n_wires; w++) {
        const struct wire_plan *wire = &m->wires[w];
        uint32_t from = part_of[wire->from], cut_ends = 0;
        for (uint32_t end = 0; end <= wire->more; end++) {
            uint32_t to = part_of[wire->to + end];
            cut_ends += to != from;
            talks[from * parts + to] = talks[to * parts + from] = true;
        }
        all += f->requests[w];
        remote += f->requests[w] * cut_ends / (wire->more + 1.0);
        wires += cut_ends > 0;
        if (cut_ends > 0 && floor_of(m, wire) < lookahead) {
            lookahead = floor_of(m, wire);
            limit = w;
        }
    }
    for (uint32_t p = 0; p < parts; p++) {
        uint32_t n = 0;
        for (uint32_t q = 0; q < parts; q++) {
            n += q != p && talks[p * parts + q];
        }
        neighbours = n > neighbours ? n : neighbours;
        largest = fmax(largest, load[p]);
        assert_near(c.load[p], load[p]);
        assert_int_equal(c.entities[p], entities[p]);
    }
    assert_near(c.balance, largest * parts / f->total);
    assert_near(c.remote, all > 0.0 ? remote / all : 0.0);
    assert_int_equal(c.cut_wires, wires);
    assert_true(c.lookahead == lookahead && c.limit == limit);
    assert_int_equal(c.neighbours, neighbours);
    free(talks);
    free(entities);
    free(load);
    cut_close(&c);
}

static void cuts_are_those_of_all_wires(void **state)
{
    (void)state;
    struct rng_stream s = chance(4);
    for (int i = 0; i < 500; i++) {
        struct model m;
        struct flow f;
        model_random(&m, &s);
        flow_expect(&m.plan, &f);
        uint32_t parts = 1 + (uint32_t)rng_below(&s, 12), *part_of = deal_anyhow(&m, parts, &s);
        check_cut(&m, &f, part_of, parts);
        free(part_of);
        flow_close(&f);
        model_close(&m);
    }
}

/* A hundred thousand that may all call each other, in as many parts: pairs of parts would be ten
 * thousand million. */
static void wide_fans_are_not_taken_apart(void **state)
{
    (void)state;
    enum { N = 100000 };
    const sim_time floor = MS;
    struct model m;
    struct flow f;
    model_begin(&m, N, N, &floor, 1);
    for (uint32_t i = 0; i < N; i++) {
        m.relays[i].makes = 1.0;
        add_fan(&m, i, 0, N - 1, 0);
    }
    model_end(&m);
    flow_expect(&m.plan, &f);
    struct partition p;
    partition_make(&m.plan, &f, &(struct partition_request){PARTITION_METIS, N, 0, 0}, &p);
    struct cut cut;
    cut_measure(&m.plan, &f, p.part_of, N, &cut);
    assert_int_equal(cut.neighbours, N - 1);
    assert_int_equal(cut.cut_wires, N);
    assert_near(cut.remote, (N - 1.0) / N);
    assert_near(cut.balance, 1.0);
    cut_close(&cut);
    struct lookahead l;
    lookahead_open(&m.plan, p.part_of, 77, N, &l);
    for (uint32_t i = 0; i < N; i++) {
        assert_true(l.to[i] == (i == 77 ? SIM_TIME_NEVER : MS));
    }
    lookahead_close(&l);
    partition_close(&p);
    /* Joined, they are one component. */
    partition_make(&m.plan, &f, &(struct partition_request){PARTITION_BLOCK, 2, 0, 2 * MS}, &p);
    assert_int_equal(p.components, 1);
    assert_near(p.largest_share, 1.0);
    partition_close(&p);
    flow_close(&f);
    model_close(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(flows_follow_calls),
        cmocka_unit_test(flows_can_be_measured),
        cmocka_unit_test(flows_go_round),
        cmocka_unit_test(flows_fan_out),
        cmocka_unit_test(endless_flows_end),
        cmocka_unit_test(components_stay_whole),
        cmocka_unit_test(blocks_are_balanced),
        cmocka_unit_test(one_giant_leaves_the_rest_to_others),
        cmocka_unit_test(shuffles_follow_the_seed),
        cmocka_unit_test(metis_finds_cliques),
        cmocka_unit_test(fast_wires_are_cut_where_it_pays),
        cmocka_unit_test(slow_wires_are_cut_first),
        cmocka_unit_test(metis_leaves_signals_alone),
        cmocka_unit_test(lookahead_is_that_of_all_pairs),
        cmocka_unit_test(the_shortest_way_counts),
        cmocka_unit_test(cuts_are_those_of_all_wires),
        cmocka_unit_test(wide_fans_are_not_taken_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
