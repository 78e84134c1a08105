/* SPDX-License-Identifier: Apache-2.0
 *
 * The blueprint drawn from a study: ids, ports, wires and their specifications, compared with
 * texts written by hand and, for random studies, with a naive search of the rules.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "engine/target.h"
#include "model/graph.h"
#include "model/study.h"
#include "support/reading.h"

/* A type with a target in every place where one may stand. */

struct hop {
    struct target target;
    sim_time wait;
};

static const struct param_spec hop_rows[] = {
    P_TARGET(hop, target, NULL, "Who is called."),
    P_DURATION(hop, wait, "0s", 0, 1e18, "Before the call."), P_END};

static const struct schema hop_schema = {
    .name = "hop", .summary = "A call.", .size = sizeof(struct hop), .rows = hop_rows};

enum { ROUTE_NONE, ROUTE_ONE, ROUTE_MANY };

struct route {
    int kind;
    struct target one;
    LIST_OF(struct target) many;
};

static const struct param_spec one_rows[] = {P_TARGET(route, one, NULL, "Who."), P_END};
static const struct param_spec many_rows[] = {P_LIST(route, many, target_schema, NULL, "Who."),
                                              P_END};
static const struct alternative routes[] = {
    {.name = "none", .summary = "Nobody.", .tag = ROUTE_NONE},
    {.name = "one", .summary = "One.", .tag = ROUTE_ONE, .rows = one_rows},
    {.name = "many", .summary = "Many.", .tag = ROUTE_MANY, .rows = many_rows},
    {.name = NULL}};
static const struct choice route_choice = {.name = "route",
                                           .summary = "Where to.",
                                           .size = sizeof(struct route),
                                           .tag_offset = offsetof(struct route, kind),
                                           .alternatives = routes};

struct node_params {
    struct target to;
    LIST_OF(struct hop) hops;
    struct route route;
};

static const struct param_spec node_rows[] = {
    P_TARGET(node_params, to, "{to: []}", "Who is called first."),
    P_LIST(node_params, hops, hop_schema, "[]", "Who is called then."),
    P_CHOICE(node_params, route, route_choice, "none", "Who is called at last."), P_END};

static const struct schema node_schema = {.name = "node",
                                          .summary = "Calls and is called.",
                                          .size = sizeof(struct node_params),
                                          .rows = node_rows};

static const struct entity_type node_type = {.name = "node",
                                             .answers = true,
                                             .heeds = 1u << ACTION_SLOW | 1u << ACTION_RATE,
                                             .params = &node_schema};
static const struct entity_type *const registry[] = {&node_type, NULL};

#define HEAD    "squall: 1\nduration: 10s\n"
#define LATENCY "network: {latency: 1ms}\n"

/* Groups, then the wires of each port of each entity, with those that fan out: "0 a[1].2: b[0]/1
 * c[1]+3/0". */
static char *drawn(const struct blueprint *b)
{
    char *text, name[64];
    size_t size;
    FILE *out = open_memstream(&text, &size);
    for (uint32_t g = 0; g < b->n_groups; g++) {
        const struct group_plan *p = &b->groups[g];
        fprintf(out, "%s %u+%u%s%s\n", p->name, p->first, p->count, p->indexed ? " indexed" : "",
                p->sampled ? " sampled" : "");
    }
    for (entity_id id = 0; id < b->n_entities; id++) {
        const struct group_plan *g = blueprint_group(b, id);
        for (uint32_t p = 0; p < g->ports; p++) {
            const struct port_plan *port =
                &b->ports[g->first_port + (id - g->first) * g->ports + p];
            blueprint_name(b, id, name, sizeof name);
            fprintf(out, "%u %s.%u:", id, name, p);
            for (uint32_t w = 0; w < port->wires; w++) {
                const struct wire_plan *wire = &b->wires[port->first_wire + w];
                assert_int_equal(wire->from, id);
                assert_int_equal(wire->port, p);
                blueprint_name(b, wire->to, name, sizeof name);
                fprintf(out, " %s", name);
                if (wire->more > 0) {
                    fprintf(out, "+%u", wire->more);
                }
                fprintf(out, "/%u", wire->spec);
            }
            fputs("\n", out);
        }
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

static void test_ports(void **state)
{
    (void)state;
    assert_drawn(HEAD LATENCY "entities:\n"
                              "  a:\n"
                              "    type: node\n"
                              "    count: 2\n"
                              "    to: [c, b]\n"
                              "    hops: [{target: 'b[1]'}, {target: [d, c]}]\n"
                              "    route: {many: [d, b]}\n"
                              "  b: {type: node, count: 3, route: {one: d}}\n"
                              "  c: {type: node, count: 1}\n"
                              "  d: {type: node}\n",
                 "a 0+2 indexed\n"
                 "b 2+3 indexed\n"
                 "c 5+1 indexed\n"
                 "d 6+1\n"
                 "0 a[0].0: c[0]/0 b[0]+2/0\n"
                 "0 a[0].1: b[1]/0\n"
                 "0 a[0].2: d/0 c[0]/0\n"
                 "0 a[0].3: d/0\n"
                 "0 a[0].4: b[0]+2/0\n"
                 "1 a[1].0: c[0]/0 b[0]+2/0\n"
                 "1 a[1].1: b[1]/0\n"
                 "1 a[1].2: d/0 c[0]/0\n"
                 "1 a[1].3: d/0\n"
                 "1 a[1].4: b[0]+2/0\n"
                 "2 b[0].0:\n"
                 "2 b[0].1: d/0\n"
                 "3 b[1].0:\n"
                 "3 b[1].1: d/0\n"
                 "4 b[2].0:\n"
                 "4 b[2].1: d/0\n"
                 "5 c[0].0:\n"
                 "6 d.0:\n");
}

static void test_ports_are_told(void **state)
{
    (void)state;
    struct study *s =
        reading_good(registry, HEAD LATENCY "entities:\n"
                                            "  a: {type: node, to: b, hops: [{target: b}],\n"
                                            "      route: {many: [b, b]}}\n"
                                            "  b: {type: node}\n");
    const struct node_params *p = s->groups[0].params;
    assert_int_equal(p->to.port, 0);
    assert_int_equal(p->hops.items[0].target.port, 1);
    assert_int_equal(p->route.many.items[0].port, 2);
    assert_int_equal(p->route.many.items[1].port, 3);
    assert_ptr_equal(s->blueprint.groups[0].params, p);
    assert_ptr_equal(s->blueprint.groups[0].type, &node_type);
    assert_int_equal(blueprint_name_hash(&s->blueprint, 1), hash_text("b"));
    study_close(s);
}

static void test_rules(void **state)
{
    (void)state;
    static const char text[] = HEAD "network:\n"
                                    "  - {from: 'a[1]', to: 'b[*]', latency: 3ms}\n"
                                    "  - {from: a, to: 'b[2]', latency: 2ms}\n"
                                    "  - {from: '?', to: b, latency: 1ms, loss: 1%}\n"
                                    "entities:\n"
                                    "  a: {type: node, count: 3, to: [b, c]}\n"
                                    "  b: {type: node, count: 3}\n"
                                    "  c: {type: node}\n";
    /* Specifications are numbered as they are first used. */
    assert_drawn(text, "a 0+3 indexed\nb 3+3 indexed\nc 6+1\n"
                       "0 a[0].0: b[0]/0 b[1]/0 b[2]/1 c/2\n"
                       "1 a[1].0: b[0]/3 b[1]/3 b[2]/3 c/2\n"
                       "2 a[2].0: b[0]/0 b[1]/0 b[2]/1 c/2\n"
                       "3 b[0].0:\n4 b[1].0:\n5 b[2].0:\n6 c.0:\n");
    struct study *s = reading_good(registry, text);
    const struct blueprint *b = &s->blueprint;
    assert_int_equal(b->n_specs, 4);
    static const sim_time latency[] = {1 * SIM_TIME_MS, 2 * SIM_TIME_MS, 0, 3 * SIM_TIME_MS};
    for (uint32_t i = 0; i < 4; i++) {
        assert_int_equal(dist_floor(&b->specs[i].latency), latency[i]);
        assert_true(b->specs[i].loss == (i == 0 ? 0.01 : 0.0));
        assert_true(isinf(b->specs[i].bandwidth));
    }
    study_close(s);
}

static void test_match(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *name;
        bool matches;
    } rows[] = {
        {"*", "", true},
        {"*", "web", true},
        {"web", "web", true},
        {"web", "webs", false},
        {"we", "web", false},
        {"w?b", "web", true},
        {"w?b", "wb", false},
        {"*b", "web", true},
        {"w*", "web", true},
        {"*e*", "web", true},
        {"*x*", "web", false},
        {"web[1]", "web[1]", true},
        {"web[1]", "web1", false},
        {"*[1]", "web[1]", true},
        {"*[1]", "web[11]", false},
        {"", "", true},
        {"", "a", false},
        {"a*b*c", "aXbXbc", true},
        {"a*b*c", "aXcXb", false},
        {"**", "a", true},
        {"?", "", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(graph_match(rows[i].pattern, rows[i].name), rows[i].matches);
    }
}

/* The first rule that matches both ends by the names of groups or instances. */
static double naive_loss(const struct study *s, const struct wire_plan *w)
{
    char from[64], to[64];
    const struct blueprint *b = &s->blueprint;
    blueprint_name(b, w->from, from, sizeof from);
    blueprint_name(b, w->to, to, sizeof to);
    for (uint32_t r = 0; r < s->settings.network.count; r++) {
        const struct network_rule *rule = &s->settings.network.items[r];
        bool sends = graph_match(rule->from.name, from) ||
                     graph_match(rule->from.name, blueprint_group(b, w->from)->name);
        bool receives = graph_match(rule->to.name, to) ||
                        graph_match(rule->to.name, blueprint_group(b, w->to)->name);
        if (sends && receives) {
            return rule->loss;
        }
    }
    return 0;
}

static void test_rules_against_naive_search(void **state)
{
    (void)state;
    static const char *const patterns[] = {"*",      "a",   "b*",   "a[1]",   "b[?]",
                                           "*[2]",   "?[*", "a*1]", "bb[1?]", "*b[1]",
                                           "nobody", "a[*", "*]",   "bb"};
    enum { PATTERNS = sizeof patterns / sizeof patterns[0] };
    uint64_t x = 1;
    for (int round = 0; round < 300; round++) {
        char *text;
        size_t size;
        FILE *out = open_memstream(&text, &size);
        fputs(HEAD "network:\n", out);
        for (int r = 1; r <= 6; r++) {
            x = hash_mix64(x + 1);
            fprintf(out, "  - {from: '%s', to: '%s', latency: 1ms, loss: 0.0%d}\n",
                    patterns[x % PATTERNS], patterns[x / 64 % PATTERNS], r);
        }
        fputs("entities:\n"
              "  a: {type: node, count: 4, to: [b, bb], hops: [{target: ['bb[11]', 'b[1]']}]}\n"
              "  b: {type: node, count: 3, to: bb}\n"
              "  bb: {type: node, count: 13}\n"
              "  c: {type: node, to: [a, b]}\n",
              out);
        fclose(out);
        char *messages;
        struct study *s = reading(registry, text, &messages);
        assert_non_null(s);
        assert_int_equal(s->blueprint.n_wires, 4 * (3 + 13 + 2) + 3 * 13 + 7);
        for (uint32_t w = 0; w < s->blueprint.n_wires; w++) {
            const struct wire_plan *wire = &s->blueprint.wires[w];
            assert_true(s->blueprint.specs[wire->spec].loss == naive_loss(s, wire));
        }
        free(messages);
        free(text);
        study_close(s);
    }
}

static void test_cycles(void **state)
{
    (void)state;
    reading_says(registry,
                 HEAD "entities:\n"
                      "  web: {type: node, to: db}\n"
                      "  db: {type: node, hops: [{target: web}]}\n",
                 "g.yaml:5:36: entities.db.hops[0].target: a cycle of calls without any delay: "
                 "web -> db -> web (give one of them a latency)\n");
    reading_says(registry,
                 HEAD "network: {from: c, jitter: {exponential: 1ms}}\n"
                      "entities:\n"
                      "  a: {type: node, to: b}\n"
                      "  b: {type: node, count: 2, to: 'c[1]'}\n"
                      "  c: {type: node, count: 2, to: 'b[0]', route: {one: a}}\n",
                 "g.yaml:7:33: entities.c.to: a cycle of calls without any delay: "
                 "b[0] -> c[1] -> b[0] (give one of them a latency)\n"
                 "g.yaml:7:54: entities.c.route.one: a cycle of calls without any delay: "
                 "a -> b[0] -> c[1] -> a (give one of them a latency)\n");
    /* One latency breaks the cycle; without a cycle none is needed. */
    reading_says(registry,
                 HEAD "network: {from: db, latency: 1ns}\n"
                      "entities:\n"
                      "  web: {type: node, to: db}\n"
                      "  db: {type: node, to: web}\n",
                 "");
    reading_says(registry,
                 HEAD "entities:\n"
                      "  a: {type: node, to: [b, c]}\n"
                      "  b: {type: node, to: d}\n"
                      "  c: {type: node, to: d}\n"
                      "  d: {type: node}\n",
                 "");
    /* Of many cycles between the same groups one is told. */
    char *messages;
    struct study *s = reading(registry,
                              HEAD "entities:\n"
                                   "  a: {type: node, count: 50, to: b}\n"
                                   "  b: {type: node, count: 50, to: a}\n",
                              &messages);
    assert_null(s);
    assert_ptr_equal(strchr(messages, '\n'), messages + strlen(messages) - 1);
    free(messages);
}

static void test_actions_and_series(void **state)
{
    (void)state;
    struct study *s =
        reading_good(registry, HEAD LATENCY "interval: 1s\n"
                                            "timeline:\n"
                                            "  - {at: 1s, for: 2s, slow: b, factor: 3}\n"
                                            "  - {at: 2s, crash: 'c[1]'}\n"
                                            "  - {at: 3s, for: 1s, rate: a, factor: 0}\n"
                                            "entities:\n"
                                            "  a: {type: node, to: [b, c, d]}\n"
                                            "  b: {type: node, count: 3}\n"
                                            "  c: {type: node, count: 2}\n"
                                            "  d: {type: node}\n");
    const struct blueprint *b = &s->blueprint;
    assert_int_equal(b->n_actions, 3);
    const struct action_plan expected[] = {
        {.kind = ACTION_SLOW,
         .from = SIM_TIME_S,
         .to = 3 * SIM_TIME_S,
         .factor = 3.0,
         .first = 1,
         .count = 3},
        {.kind = ACTION_CRASH,
         .from = 2 * SIM_TIME_S,
         .to = SIM_TIME_NEVER,
         .factor = 1.0,
         .first = 5,
         .count = 1},
        {.kind = ACTION_RATE,
         .from = 3 * SIM_TIME_S,
         .to = 4 * SIM_TIME_S,
         .factor = 0.0,
         .count = 1},
    };
    for (int i = 0; i < 3; i++) {
        const struct action_plan *x = &b->actions[i], *y = &expected[i];
        assert_int_equal(x->kind, y->kind);
        assert_int_equal(x->from, y->from);
        assert_int_equal(x->to, y->to);
        assert_true(x->factor == y->factor);
        assert_int_equal(x->first, y->first);
        assert_int_equal(x->count, y->count);
    }
    const bool sampled[] = {true, true, true, false};
    for (int g = 0; g < 4; g++) {
        assert_int_equal(b->groups[g].sampled, sampled[g]);
    }
    study_close(s);
    s = reading_good(registry, HEAD LATENCY
                     "interval: 1s\n"
                     "output: {series: b}\n"
                     "entities: {a: {type: node, to: b}, b: {type: node, count: 1}}\n");
    assert_false(s->blueprint.groups[0].sampled);
    assert_true(s->blueprint.groups[1].sampled);
    study_close(s);
}

static void test_observed(void **state)
{
    (void)state;
    static const struct stat_spec rows[] = {{.name = "by", .kind = STAT_BREAKDOWN}, S_END};
    struct entity_type loud = *registry[0];
    const struct entity_type *const with_loud[] = {&loud, registry[0], NULL};
    loud.name = "loud";
    loud.stats = rows;
    struct study *s = reading_good(with_loud, HEAD LATENCY
                                   "output: {breakdowns: [b, a], trace: {entities: ['b[1]', c],\n"
                                   "         sample: 0.5%, limit: 3}}\n"
                                   "entities:\n"
                                   "  a: {type: loud, to: [b, c]}\n"
                                   "  b: {type: loud, count: 3}\n"
                                   "  c: {type: node, count: 2}\n");
    static const bool breakdowns[] = {true, true, false}, traced[] = {false, true, true};
    for (int g = 0; g < 3; g++) {
        assert_int_equal(s->blueprint.groups[g].breakdowns, breakdowns[g]);
        assert_int_equal(s->blueprint.groups[g].traced, traced[g]);
    }
    struct sim_options options = study_options(s);
    assert_true(options.trace.sample == 0.005 && options.trace.limit == 3);
    study_close(s);
}

/* Large models stay small: nothing is kept for an entity but its ports and wires. */
static void test_large(void **state)
{
    (void)state;
    struct study *s = reading_good(registry, HEAD "network: {from: 'a[7]', latency: 1ms}\n"
                                                  "entities:\n"
                                                  "  a: {type: node, count: 1e6, to: [b, c]}\n"
                                                  "  b: {type: node, to: c}\n"
                                                  "  c: {type: node}\n");
    const struct blueprint *b = &s->blueprint;
    assert_int_equal(b->n_entities, 1000002);
    assert_int_equal(b->n_wires, 2000001);
    char name[32];
    assert_int_equal(blueprint_name(b, 999999, name, sizeof name), 9);
    assert_string_equal(name, "a[999999]");
    assert_int_equal(blueprint_name(b, 999999, name, 4), 9);
    assert_string_equal(name, "a[9");
    assert_true(blueprint_name_hash(b, 999999) == hash_text("a[999999]"));
    assert_ptr_equal(blueprint_group(b, 999999), &b->groups[0]);
    assert_ptr_equal(blueprint_group(b, 1000000), &b->groups[1]);
    assert_ptr_equal(blueprint_group(b, 1000001), &b->groups[2]);
    assert_int_equal(b->wires[14].spec, b->wires[15].spec);
    assert_int_not_equal(b->wires[14].spec, b->wires[16].spec);
    study_close(s);
}

/* Ten thousand groups in a chain: no loop over pairs of groups. */
static void test_many_groups(void **state)
{
    (void)state;
    enum { GROUPS = 10000 };
    char *text;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    fputs(HEAD "entities:\n", out);
    for (int i = 0; i < GROUPS - 1; i++) {
        fprintf(out, "  e%d: {type: node, to: e%d}\n", i, i + 1);
    }
    fprintf(out, "  e%d: {type: node}\n", GROUPS - 1);
    fclose(out);
    struct study *s = reading_good(registry, text);
    const struct blueprint *b = &s->blueprint;
    assert_int_equal(b->n_wires, GROUPS - 1);
    for (uint32_t w = 0; w < b->n_wires; w++) {
        assert_int_equal(b->wires[w].from, w);
        assert_int_equal(b->wires[w].to, w + 1);
    }
    study_close(s);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ports),
        cmocka_unit_test(test_ports_are_told),
        cmocka_unit_test(test_rules),
        cmocka_unit_test(test_match),
        cmocka_unit_test(test_rules_against_naive_search),
        cmocka_unit_test(test_cycles),
        cmocka_unit_test(test_actions_and_series),
        cmocka_unit_test(test_observed),
        cmocka_unit_test(test_large),
        cmocka_unit_test(test_many_groups),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
