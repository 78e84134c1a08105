/* SPDX-License-Identifier: Apache-2.0
 *
 * What lets large models be written in a few lines and kept in little memory: wires that fan out,
 * cells, picks, and tables of edges. Drawn graphs are compared with texts written by hand and, for
 * random studies, with a naive search.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "engine/target.h"
#include "model/graph.h"
#include "model/resolved.h"
#include "model/study.h"
#include "model/subset.h"
#include "support/reading.h"
#include "support/trial.h"

/* Two types with two targets each; peers may call their own group. */

struct node_params {
    struct target to, also;
};

static const struct param_spec node_rows[] = {
    P_TARGET(node_params, to, "{to: []}", "Who is called."),
    P_TARGET(node_params, also, "{to: []}", "Who is called, too."), P_END};

static const struct schema node_schema = {.name = "node",
                                          .summary = "Calls and is called.",
                                          .size = sizeof(struct node_params),
                                          .rows = node_rows};

static const struct entity_type node_type = {
    .name = "node", .answers = true, .params = &node_schema};
static const struct entity_type peer_type = {
    .name = "peer", .answers = true, .peers = true, .params = &node_schema};
static const struct entity_type source_type = {.name = "source", .params = &node_schema};
static const struct entity_type *const registry[] = {&node_type, &peer_type, &source_type, NULL};

#define HEAD    "squall: 1\nduration: 10s\n"
#define LATENCY "network: {latency: 1ms}\n"

static const struct port_plan *port_of(const struct blueprint *b, entity_id id, uint32_t port)
{
    const struct group_plan *g = blueprint_group(b, id);
    return &b->ports[g->first_port + (id - g->first) * g->ports + port];
}

/* The far ends of a port, expanded, and the latency to each. */
struct ends {
    uint32_t n;
    entity_id to[64];
    sim_time latency[64];
};

static struct ends ends_of(const struct blueprint *b, entity_id id, uint32_t port)
{
    struct ends e = {.n = 0};
    const struct port_plan *p = port_of(b, id, port);
    for (uint32_t w = 0; w < p->wires; w++) {
        const struct wire_plan *wire = &b->wires[p->first_wire + w];
        assert_int_equal(wire->from, id);
        assert_int_equal(wire->port, port);
        for (uint32_t k = 0; k <= wire->more; k++, e.n++) {
            e.to[e.n] = wire->to + k;
            e.latency[e.n] = dist_floor(&b->specs[wire->spec].latency);
        }
    }
    assert_int_equal(e.n, p->wires + p->more);
    return e;
}

/* The first port of each entity that has one: "a[1] b[0]+3 c/250us", with latencies other than
 * 1 ms. */
static char *drawn(const struct blueprint *b)
{
    char *text, name[64];
    size_t size;
    FILE *out = open_memstream(&text, &size);
    for (entity_id id = 0; id < b->n_entities; id++) {
        const struct port_plan *p = port_of(b, id, 0);
        blueprint_name(b, id, name, sizeof name);
        fputs(p->wires > 0 ? name : "", out);
        for (uint32_t w = 0; w < p->wires; w++) {
            const struct wire_plan *wire = &b->wires[p->first_wire + w];
            sim_time latency = dist_floor(&b->specs[wire->spec].latency);
            blueprint_name(b, wire->to, name, sizeof name);
            fprintf(out, " %s", name);
            if (wire->more > 0) {
                fprintf(out, "+%" PRIu32, wire->more);
            }
            if (latency != SIM_TIME_MS) {
                fprintf(out, "/%gms", (double)latency / SIM_TIME_MS);
            }
        }
        fputs(p->wires > 0 ? "\n" : "", out);
    }
    fclose(out);
    return text;
}

static void assert_drawn(const char *text, const char *expected)
{
    struct study *s = reading_good(registry, text);
    char *got = drawn(&s->blueprint);
    assert_string_equal(got, expected);
    free(got);
    study_close(s);
}

/* --- fans -------------------------------------------------------------------------------- */

#define TWO_AND_THREE \
    "entities:\n" \
    "  a: {type: source, count: 2, to: {to: [b, c], balance: %s}}\n" \
    "  b: {type: node, count: 3}\n" \
    "  c: {type: node}\n"

static void test_fans(void **state)
{
    (void)state;
    static const struct {
        const char *network, *balance;
        bool fans;
    } rows[] = {
        {"{latency: 1ms}", "round_robin", true},
        {"{latency: 1ms}", "random", true},
        {"{latency: 1ms}", "least_outstanding", false},
        {"{latency: 1ms}", "power_of_two_choices", false},
        {"{latency: 0.5ms, jitter: 0.5ms}", "random", true},
        {"{latency: 1ms, jitter: {exponential: 1us}}", "random", false},
        {"{latency: {exponential: 1us, floor: 1ms}}", "random", false},
        {"{latency: 1ms, loss: 1%}", "random", false},
        {"{latency: 1ms, bandwidth: 1MB/s}", "random", false},
        {"[{to: 'b[2]', latency: 1ms}, {latency: 1ms}]", "random", false},
        {"[{to: 'b[9]', latency: 1ms}, {latency: 1ms}]", "random", false},
        {"[{from: 'a[9]', latency: 1ms}, {latency: 1ms}]", "random", true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[512], *messages;
        snprintf(text, sizeof text, HEAD "network: %s\n" TWO_AND_THREE, rows[i].network,
                 rows[i].balance);
        struct study *s = reading(registry, text, &messages);
        assert_non_null(s);
        assert_int_equal(s->blueprint.n_wires, rows[i].fans ? 4 : 8);
        assert_int_equal(s->blueprint.ports[0].more, rows[i].fans ? 2 : 0);
        free(messages);
        study_close(s);
    }
    /* Without a delay, to one instance, and for one of several callers only. */
    assert_drawn(HEAD "entities: {a: {type: source, to: b}, b: {type: node, count: 2}}\n",
                 "a b[0]/0ms b[1]/0ms\n");
    assert_drawn(HEAD LATENCY "entities: {a: {type: source, to: 'b[1]'}, b: {type: node, count: 2},"
                              " c: {type: source, to: b}}\n",
                 "a b[1]\nc b[0]+1\n");
    assert_drawn(HEAD "network: [{from: 'a[0]', to: 'b[1]', latency: 2ms}, {latency: 1ms}]\n"
                      "entities: {a: {type: source, count: 2, to: b}, b: {type: node, count: 3}}\n",
                 "a[0] b[0] b[1]/2ms b[2]\na[1] b[0]+2\n");
}

/* The first rule that matches both ends by the names of groups or instances. */
static sim_time naive_latency(const struct study *s, entity_id from_id, entity_id to_id)
{
    char from[64], to[64];
    const struct blueprint *b = &s->blueprint;
    blueprint_name(b, from_id, from, sizeof from);
    blueprint_name(b, to_id, to, sizeof to);
    for (uint32_t r = 0; r < s->settings.network.count; r++) {
        const struct network_rule *rule = &s->settings.network.items[r];
        bool sends = graph_match(rule->from.name, from) ||
                     graph_match(rule->from.name, blueprint_group(b, from_id)->name);
        bool receives = graph_match(rule->to.name, to) ||
                        graph_match(rule->to.name, blueprint_group(b, to_id)->name);
        if (sends && receives) {
            return dist_floor(&rule->latency);
        }
    }
    return 0;
}

/* Whatever fans are laid, they lead where single wires would, as fast. */
static void test_fans_against_naive_search(void **state)
{
    (void)state;
    static const char *const patterns[] = {"*",   "a",      "b*", "a[1]", "b[?]", "*[2]",
                                           "?[*", "bb[1?]", "*b", "bb",   "b[0]", "*]"};
    enum { PATTERNS = sizeof patterns / sizeof patterns[0] };
    uint64_t x = 1, fans = 0, singles = 0;
    for (int round = 0; round < 300; round++) {
        char *text, *messages;
        size_t size;
        FILE *out = open_memstream(&text, &size);
        fputs(HEAD "network:\n", out);
        for (int r = 1; r <= 4; r++) {
            x = hash_mix64(x + 1);
            fprintf(out, "  - {from: '%s', to: '%s', latency: %dms}\n", patterns[x % PATTERNS],
                    patterns[x / 64 % PATTERNS], r);
        }
        fputs("entities:\n"
              "  a: {type: source, count: 4, to: [b, bb]}\n"
              "  b: {type: node, count: 3, to: bb}\n"
              "  bb: {type: node, count: 13}\n",
              out);
        fclose(out);
        struct study *s = reading(registry, text, &messages);
        assert_non_null(s);
        for (entity_id id = 0; id < 7; id++) {
            struct ends e = ends_of(&s->blueprint, id, 0);
            entity_id first = id < 4 ? 4 : 7;
            assert_int_equal(e.n, 20 - first);
            for (uint32_t k = 0; k < e.n; k++) {
                assert_int_equal(e.to[k], first + k);
                assert_int_equal(e.latency[k], naive_latency(s, id, first + k));
            }
        }
        fans += s->blueprint.n_wires < 4 * 16 + 3 * 13;
        singles += s->blueprint.n_wires > 4 * 2 + 3;
        free(messages);
        free(text);
        study_close(s);
    }
    assert_true(fans > 50 && singles > 50);
}

/* Callers of a group behind one rule, or behind two equal ones of which one names instances. */
static uint64_t digest_of(const char *balance, const char *network, uint32_t *wires)
{
    struct trial t;
    trial_open(
        &t,
        "squall: 1\n"
        "duration: 20s\n"
        "network: %s\n"
        "entities:\n"
        "  users: {type: client, count: 3, target: {to: [web, near], balance: %s},\n"
        "          arrivals: {poisson: 100/s}, call: {timeout: 50ms,\n"
        "          retry: {kind: fixed, max_attempts: 3, delay: 10ms}}}\n"
        "  web: {type: server, count: 7, concurrency: 2, service_time: {exponential: 40ms},\n"
        "        calls: [{target: {to: db, balance: %s}, timeout: 30ms}]}\n"
        "  db: {type: delay, count: 4, latency: {exponential: 10ms}}\n"
        "  near: {type: delay, count: 2, latency: {exponential: 30ms}}\n",
        network, balance, balance);
    trial_run(&t, 3);
    assert_true(trial_counter(&t, "users.timeouts") > 100);
    *wires = t.study->blueprint.n_wires;
    uint64_t digest = sim_digest(t.sim);
    trial_close(&t);
    return digest;
}

static void test_fans_change_no_result(void **state)
{
    (void)state;
    static const char *const balances[] = {"round_robin", "random"};
    uint64_t digests[2];
    for (int i = 0; i < 2; i++) {
        uint32_t fans, singles;
        digests[i] = digest_of(balances[i], "{latency: 250us}", &fans);
        uint64_t other = digest_of(
            balances[i], "[{to: '*[0]', latency: 250us}, {to: '*[?]', latency: 250us}]", &singles);
        assert_int_equal(fans, 3 * 2 + 7);
        assert_int_equal(singles, 3 * 9 + 7 * 4);
        assert_true(digests[i] == other);
    }
    assert_true(digests[0] != digests[1]);
}

/* --- cells and picks --------------------------------------------------------------------- */

static void test_cells(void **state)
{
    (void)state;
    /* Instance i of n is in cell i * cells / n: of 5, 2 are in the first cell of 2, 3 in the second
     * of 7 callers 4 and 3. */
    assert_drawn(HEAD LATENCY "entities:\n"
                              "  a: {type: source, count: 7, to: {to: [b, c], cells: 2}}\n"
                              "  b: {type: node, count: 5}\n"
                              "  c: {type: node, count: 2}\n",
                 "a[0] b[0]+2 c[0]\na[1] b[0]+2 c[0]\na[2] b[0]+2 c[0]\na[3] b[0]+2 c[0]\n"
                 "a[4] b[3]+1 c[1]\na[5] b[3]+1 c[1]\na[6] b[3]+1 c[1]\n");
    assert_drawn(HEAD "entities:\n"
                      "  a: {type: source, count: 3, to: {to: b, cells: 3}}\n"
                      "  b: {type: node, count: 3}\n",
                 "a[0] b[0]/0ms\na[1] b[1]/0ms\na[2] b[2]/0ms\n");
    assert_drawn(HEAD LATENCY "entities: {p: {type: peer, count: 5, to: {to: p, cells: 2}}}\n",
                 "p[0] p[0]+2\np[1] p[0]+2\np[2] p[0]+2\np[3] p[3]+1\np[4] p[3]+1\n");
}

static void test_cells_against_naive_search(void **state)
{
    (void)state;
    for (uint32_t n = 1; n <= 12; n++) {
        for (uint32_t m = 1; m <= 12; m++) {
            for (uint32_t cells = 1; cells <= n && cells <= m; cells++) {
                char text[256];
                snprintf(text, sizeof text,
                         HEAD "%sentities:\n"
                              "  a: {type: source, count: %u, to: {to: b, cells: %u}}\n"
                              "  b: {type: node, count: %u}\n",
                         m % 2 ? LATENCY : "", n, cells, m);
                struct study *s = reading_good(registry, text);
                for (uint32_t i = 0; i < n; i++) {
                    struct ends e = ends_of(&s->blueprint, i, 0);
                    uint32_t k = 0;
                    for (uint32_t j = 0; j < m; j++) {
                        if (i * cells / n == j * cells / m) {
                            assert_int_equal(e.to[k++], n + j);
                        }
                    }
                    assert_int_equal(e.n, k);
                }
                study_close(s);
            }
        }
    }
}

static void test_pick(void **state)
{
    (void)state;
    static const char text[] = HEAD LATENCY
        "%s"
        "entities:\n"
        "%s"
        "  a: {type: source, count: 3, to: {to: [c, b], pick: 3}, also: {to: b, pick: 3}}\n"
        "  b: {type: node, count: 6}\n"
        "  c: {type: node, count: 3}\n";
    char plain[512], other[512];
    snprintf(plain, sizeof plain, text, "", "");
    struct study *s = reading_good(registry, plain);
    /* Nine are named: b[0..5] are 3 to 8, c[0..2] are 9 to 11; chance is that of this version. */
    static const entity_id golden[3][3] = {{7, 10, 11}, {3, 6, 9}, {3, 7, 11}};
    for (uint32_t i = 0; i < 3; i++) {
        struct ends e = ends_of(&s->blueprint, i, 0), also = ends_of(&s->blueprint, i, 1);
        assert_int_equal(e.n, 3);
        assert_memory_equal(e.to, golden[i], sizeof golden[i]);
        assert_memory_not_equal(also.to, e.to, sizeof golden[i]);
    }
    /* It depends neither on the seed nor on who else there is. */
    snprintf(other, sizeof other, text, "seed: 9\n", "  z: {type: source, count: 2, to: c}\n");
    struct study *t = reading_good(registry, other);
    for (uint32_t i = 0; i < 3; i++) {
        struct ends e = ends_of(&s->blueprint, i, 0), f = ends_of(&t->blueprint, 2 + i, 0);
        for (int k = 0; k < 3; k++) {
            assert_int_equal(f.to[k], 2 + e.to[k]);
        }
    }
    study_close(s);
    study_close(t);
}

/* Distinct ones, in order, of the own cell and of all groups named; none is favoured. */
static void test_pick_in_cells(void **state)
{
    (void)state;
    enum { CALLERS = 12000, CELLS = 3, PICK = 4 };
    struct study *s =
        reading_good(registry, HEAD LATENCY "entities:\n"
                                            "  b: {type: node, count: 20}\n"
                                            "  a: {type: source, count: 12000,\n"
                                            "      to: {to: [c, b], pick: 4, cells: 3}}\n"
                                            "  c: {type: node, count: 10}\n");
    uint32_t calls[30] = {0}, size[CELLS] = {0};
    for (uint32_t j = 0; j < 30; j++) {
        size[j < 20 ? j * CELLS / 20 : (j - 20) * CELLS / 10]++;
    }
    for (uint32_t i = 0; i < CALLERS; i++) {
        struct ends e = ends_of(&s->blueprint, 20 + i, 0);
        assert_int_equal(e.n, PICK);
        for (uint32_t k = 0; k < PICK; k++) {
            uint32_t j = e.to[k] < 20 ? e.to[k] : e.to[k] - CALLERS;
            uint32_t cell = j < 20 ? j * CELLS / 20 : (j - 20) * CELLS / 10;
            assert_int_equal(cell, i * CELLS / CALLERS);
            assert_true(k == 0 || e.to[k] > e.to[k - 1]);
            calls[j]++;
        }
    }
    double misfit = 0;
    for (uint32_t j = 0; j < 30; j++) {
        uint32_t cell = j < 20 ? j * CELLS / 20 : (j - 20) * CELLS / 10;
        double mean = (double)CALLERS / CELLS * PICK / size[cell];
        misfit += (calls[j] - mean) * (calls[j] - mean) / mean;
    }
    /* Chi-square with 27 degrees of freedom, at most; one in 10,000 is above. */
    assert_true(misfit < 62.0);
    study_close(s);
}

/* Every subset of 3 of 6 is as likely: 19 degrees of freedom, one in 10,000 is above. */
static void test_subsets(void **state)
{
    (void)state;
    enum { ROUNDS = 40000, SUBSETS = 20 };
    struct subset s = {.most = 0};
    struct rng_stream stream;
    rng_init(&stream, &(struct rng_key){.who = 1, .purpose = hash_text("subsets")});
    uint32_t count[64] = {0};
    for (int i = 0; i < ROUNDS; i++) {
        const uint32_t *m = subset_draw(&s, &stream, 6, 3);
        assert_true(m[0] < m[1] && m[1] < m[2] && m[2] < 6);
        count[1u << m[0] | 1u << m[1] | 1u << m[2]]++;
    }
    double misfit = 0, mean = (double)ROUNDS / SUBSETS;
    int seen = 0;
    for (int i = 0; i < 64; i++) {
        seen += count[i] > 0;
        misfit += count[i] > 0 ? (count[i] - mean) * (count[i] - mean) / mean : 0;
    }
    assert_int_equal(seen, SUBSETS);
    assert_true(misfit < 51.0);
    const uint32_t *all = subset_draw(&s, &stream, 1000, 1000);
    for (uint32_t i = 0; i < 1000; i++) {
        assert_int_equal(all[i], i);
    }
    const uint32_t *few = subset_draw(&s, &stream, 4000000000u, 5);
    for (int i = 1; i < 5; i++) {
        assert_true(few[i] > few[i - 1]);
    }
    subset_close(&s);
}

/* --- tables ------------------------------------------------------------------------------ */

#define GRAPH(lines) \
    HEAD LATENCY "entities:\n" \
                 "  a: {type: source, count: 3, to: {to: b, graph: {edges: " lines "}}}\n" \
                 "  b: {type: node, count: 4}\n"

static void test_graph(void **state)
{
    (void)state;
    assert_drawn(GRAPH("\"\\uFEFFfrom,to\\n2,1\\n0,3\\n1,1\\n0,1\\n\""),
                 "a[0] b[1] b[3]\na[1] b[1]\na[2] b[1]\n");
    assert_drawn(GRAPH("\"from,to\\n2,1\\n0,3\\n1,1\\n0,1\\n\""),
                 "a[0] b[1] b[3]\na[1] b[1]\na[2] b[1]\n");
    assert_drawn(GRAPH("\"# comment\\n\\n latency , to, from\\n250us,b[3],a[0]\\n\\n,2 , 1\\n"
                       "  # more\\n1h,b[0],2\\n0s,0,a[0]\""),
                 "a[0] b[0]/0ms b[3]/0.25ms\na[1] b[2]\na[2] b[0]/3.6e+06ms\n");
    assert_drawn(HEAD
                 "network: [{from: 'a[1]', latency: 2ms, jitter: 3ms}, {latency: 1ms}]\n"
                 "entities:\n"
                 "  a: {type: source, count: 2, to: {to: b, graph: {edges: \"from,to,latency\n\n"
                 "      0,b,5ms\n\n      1,b,5ms\"}}}\n"
                 "  b: {type: node}\n",
                 "a[0] b/5ms\na[1] b/5ms\n");
}

/* The rest of the network's rule stays: equal latencies after different rules are two kinds. */
static void test_graph_keeps_the_rule(void **state)
{
    (void)state;
    struct study *s = reading_good(
        registry, HEAD
        "network: [{from: 'a[1]', latency: 2ms, jitter: 3ms}, {latency: 1ms, loss: 1%}]\n"
        "entities:\n"
        "  a: {type: source, count: 3, to: {to: b, graph: {edges: \"from,to,latency\\n0,0,5ms\\n"
        "1,0,5ms\\n2,0,\\n2,1,5ms\\n\"}}}\n"
        "  b: {type: node, count: 2}\n");
    const struct blueprint *b = &s->blueprint;
    assert_int_equal(b->n_wires, 4);
    assert_int_equal(b->n_specs, 3);
    static const struct {
        sim_time latency, jitter;
        double loss;
    } expected[] = {{5, 0, 0.01}, {5, 3, 0}, {1, 0, 0.01}, {5, 0, 0.01}};
    for (uint32_t w = 0; w < 4; w++) {
        const struct wire_spec *spec = &b->specs[b->wires[w].spec];
        assert_int_equal(dist_floor(&spec->latency), expected[w].latency * SIM_TIME_MS);
        assert_int_equal(dist_floor(&spec->jitter), expected[w].jitter * SIM_TIME_MS);
        assert_true(spec->loss == expected[w].loss);
    }
    assert_int_equal(b->wires[0].spec, b->wires[3].spec);
    study_close(s);
}

/* A million edges of their own latencies: no loop over pairs. */
static void test_large_table(void **state)
{
    (void)state;
    enum { CALLERS = 20000, EACH = 5 };
    char *text;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    fputs(HEAD "entities:\n"
               "  b: {type: node, count: 30000}\n"
               "  a: {type: source, count: 20000, to: {to: b, graph: {edges: \"from,to,latency\\n",
          out);
    uint64_t x = 1;
    for (uint32_t i = CALLERS; i-- > 0;) {
        for (uint32_t k = 0; k < EACH; k++) {
            x = hash_mix64(x + 1);
            fprintf(out, "%u,%u,%uus\\n", i, (uint32_t)(x % 6000) + 6000 * k,
                    1 + (uint32_t)(x / 65536 % 5000));
        }
    }
    fputs("\"}}}\n", out);
    fclose(out);
    struct study *s = reading_good(registry, text);
    assert_int_equal(s->blueprint.n_wires, CALLERS * EACH);
    assert_true(s->blueprint.n_specs > 4900 && s->blueprint.n_specs <= 5001);
    for (uint32_t i = 0; i < CALLERS; i += 100) {
        struct ends e = ends_of(&s->blueprint, 30000 + i, 0);
        assert_int_equal(e.n, EACH);
        for (uint32_t k = 0; k < EACH; k++) {
            assert_int_equal(e.to[k] / 6000, k);
        }
    }
    struct arena arena = {NULL};
    struct study *again = reading_good(registry, resolved_text(s, &arena));
    assert_true(plan_hash(s) == plan_hash(again));
    assert_memory_equal(s->blueprint.wires, again->blueprint.wires,
                        s->blueprint.n_wires * sizeof *s->blueprint.wires);
    arena_close(&arena);
    study_close(again);
    study_close(s);
    free(text);
}

static void test_mistakes(void **state)
{
    (void)state;
    reading_says(registry, GRAPH("\"from,to,weight\\n0,1,2\\n\""),
                 "g.yaml:5:50: entities.a.to.graph: line 1: 'weight' is no column (expected "
                 "from, to and latency)\n");
    reading_says(registry, GRAPH("\"to,latency\\n0,1ms\""),
                 "g.yaml:5:50: entities.a.to.graph: line 1: expected the columns 'from' and "
                 "'to'\n");
    reading_says(registry, GRAPH("\"from,to,from\""),
                 "g.yaml:5:50: entities.a.to.graph: line 1: two columns called 'from'\n");
    reading_says(registry, GRAPH("\"from,to\""),
                 "g.yaml:5:50: entities.a.to.graph: 3 callers have no edge, the first is "
                 "a[0]\n");
    reading_says(
        registry,
        GRAPH("\"from,to,latency\\n0,1\\n0,4,\\n3,0,\\nc[0],1,\\n0,-1,\\na[1,1,\\n1,1,fast\\n"
              "1,1,-1s\\n1,1,200d\\n1,1,1ms,\\n\""),
        "g.yaml:5:50: entities.a.to.graph: line 2: expected 3 cells, found 2\n"
        "g.yaml:5:50: entities.a.to.graph: line 3: there is no b[4], the last is b[3]\n"
        "g.yaml:5:50: entities.a.to.graph: line 4: there is no a[3], the last is a[2]\n"
        "g.yaml:5:50: entities.a.to.graph: line 5: 'c[0]' is neither a number nor one of 'a'\n"
        "g.yaml:5:50: entities.a.to.graph: line 6: '-1' is neither a number nor one of 'b'\n"
        "g.yaml:5:50: entities.a.to.graph: line 7: 'a[1' is neither a number nor one of 'a'\n"
        "g.yaml:5:50: entities.a.to.graph: line 8: 'fast' is not a duration (expected for "
        "instance 250us, 20ms, 1.5s, 2m)\n"
        "g.yaml:5:50: entities.a.to.graph: line 9: the latency is below 0\n"
        "g.yaml:5:50: entities.a.to.graph: line 10: the latency is above 104 days\n"
        "g.yaml:5:50: entities.a.to.graph: line 11: expected 3 cells, found 4\n");
    reading_says(registry, GRAPH("\"from,to\\n0,1\\n2,1\\n0,2\\na[0],b[1]\\n\""),
                 "g.yaml:5:50: entities.a.to.graph: line 5: the same pair as in line 2\n"
                 "g.yaml:5:50: entities.a.to.graph: a[1] has no edge\n");
    reading_says(registry, GRAPH("\"from,to\\n0,1\", file: x.csv"),
                 "g.yaml:5:50: entities.a.to.graph: needs either a file or edges\n");
}

/* --- size -------------------------------------------------------------------------------- */

static void test_large(void **state)
{
    (void)state;
    struct study *s = reading_good(
        registry, HEAD "network: {latency: 1ms}\n"
                       "entities:\n"
                       "  a: {type: source, count: 1e5, to: b, also: {to: b, pick: 3}}\n"
                       "  b: {type: node, count: 1e5, to: {to: c, cells: 100, pick: 2}}\n"
                       "  c: {type: node, count: 3e4, to: {to: d, cells: 3e4}}\n"
                       "  d: {type: node, count: 1e5}\n");
    assert_int_equal(s->blueprint.n_wires, 100000 * (1 + 3 + 2) + 30000);
    study_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fans),
        cmocka_unit_test(test_fans_against_naive_search),
        cmocka_unit_test(test_fans_change_no_result),
        cmocka_unit_test(test_cells),
        cmocka_unit_test(test_cells_against_naive_search),
        cmocka_unit_test(test_pick),
        cmocka_unit_test(test_pick_in_cells),
        cmocka_unit_test(test_subsets),
        cmocka_unit_test(test_graph),
        cmocka_unit_test(test_graph_keeps_the_rule),
        cmocka_unit_test(test_large_table),
        cmocka_unit_test(test_mistakes),
        cmocka_unit_test(test_large),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
