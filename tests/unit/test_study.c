/* SPDX-License-Identifier: Apache-2.0
 *
 * Studies: what is read and derived, every mistake with its exact message, the resolved text and
 * the plan's hash, and the reference.
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
#include <unistd.h>

#include "config/yaml.h"
#include "engine/target.h"
#include "model/describe.h"
#include "model/resolved.h"
#include "model/study.h"

/* Two small types. */

struct source_params {
    struct target target;
    double speed;
};

static const struct param_spec source_rows[] = {
    P_TARGET(source_params, target, NULL, "Who is called."),
    P_REAL(source_params, speed, "10/s", 0, 1e9, "1/s", "Requests a second."), P_END};

static const struct schema source_schema = {.name = "source",
                                            .summary = "Calls.",
                                            .size = sizeof(struct source_params),
                                            .rows = source_rows};

struct sink_params {
    int64_t concurrency;
    struct dist service_time;
};

static const struct param_spec sink_rows[] = {
    P_LIMIT(sink_params, concurrency, "1", 1, 1e9, "At the same time."),
    P_CHOICE(sink_params, service_time, dist_duration, "10ms", "Time a request takes."), P_END};

static const struct schema sink_schema = {
    .name = "sink", .summary = "Is called.", .size = sizeof(struct sink_params), .rows = sink_rows};

struct sink_stats {
    uint64_t served;
    struct gauge depth;
    struct histogram wait;
};

static const struct stat_spec sink_stats[] = {S_COUNTER(sink_stats, served, "Requests served."),
                                              S_GAUGE(sink_stats, depth, "Requests waiting."),
                                              S_HISTOGRAM(sink_stats, wait, "Time waited."), S_END};

static const char *is_still(const void *params, enum action_kind kind)
{
    const struct source_params *p = params;
    return kind == ACTION_RATE && p->speed == 0.0 ? "calls nobody, however often" : NULL;
}

static const struct entity_type source_type = {
    .name = "source", .heeds = 1u << ACTION_RATE, .exempt = is_still, .params = &source_schema};
static const struct entity_type sink_type = {.name = "sink",
                                             .answers = true,
                                             .heeds = 1u << ACTION_SLOW,
                                             .params = &sink_schema,
                                             .stats = sink_stats};
static const struct entity_type *const registry[] = {&sink_type, &source_type, NULL};

/* Reads a text; what diag prints goes to `messages`, to be freed. */
static struct study *read_with(const char *text, const char *const *overrides, char **messages)
{
    struct diag diag = {.errors = 0};
    struct study *s = study_parse("dir/storm.yaml", text, strlen(text), overrides, registry, &diag);
    size_t size;
    FILE *out = open_memstream(messages, &size);
    diag_print(&diag, out, 0);
    fclose(out);
    assert_int_equal(s == NULL, diag.errors > 0);
    diag_close(&diag);
    return s;
}

static struct study *read_good(const char *text)
{
    char *messages;
    struct study *s = read_with(text, NULL, &messages);
    if (!s) {
        print_error("%s", messages);
    }
    assert_non_null(s);
    free(messages);
    return s;
}

#define HEAD "squall: 1\nduration: 10s\n"
#define PAIR "entities:\n  a: {type: source, target: b}\n  b: {type: sink}\n"

static void test_defaults(void **state)
{
    (void)state;
    struct study *s = read_good(HEAD "network: {latency: 1ms}\n" PAIR);
    const struct study_settings *t = &s->settings;
    assert_string_equal(t->name, "storm");
    assert_int_equal(t->duration, 10 * SIM_TIME_S);
    assert_int_equal(t->warmup, 0);
    assert_true(t->interval == SIM_TIME_NEVER);
    assert_int_equal(t->seed, 1);
    assert_int_equal(t->replications.max, 1);
    assert_int_equal(t->network.count, 1);
    assert_int_equal(t->timeline.count, 0);
    assert_int_equal(t->output.histograms, STUDY_HISTOGRAMS_PER_ENTITY);
    assert_int_equal(s->n_groups, 2);
    assert_string_equal(s->text, HEAD "network: {latency: 1ms}\n" PAIR);
    const struct source_params *p = s->groups[0].params;
    assert_true(p->speed == 10.0);
    study_close(s);
}

static void test_overrides(void **state)
{
    (void)state;
    char *messages;
    const char *overrides[] = {"b.concurrency=7", "duration=1m", "entities.a.speed=2/s", NULL};
    struct study *s = read_with(HEAD "network: {latency: 1ms}\n" PAIR, overrides, &messages);
    assert_non_null(s);
    assert_string_equal(messages, "");
    free(messages);
    assert_int_equal(((const struct sink_params *)s->groups[1].params)->concurrency, 7);
    assert_int_equal(s->settings.duration, 60 * SIM_TIME_S);
    assert_true(((const struct source_params *)s->groups[0].params)->speed == 2.0);
    assert_string_equal(s->overrides[2], "entities.a.speed=2/s");
    assert_null(s->overrides[3]);
    study_close(s);
}

/* The presets as the specification gives them, and keys beside one. */
static void test_presets(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        sim_time latency;
        double loss, bits, jitter;
    } rows[] = {
        {"local", 100 * SIM_TIME_US, 0, 1e9, 0},
        {"datacenter", 500 * SIM_TIME_US, 0, 10e9, 1e5},
        {"cross_region", 50 * SIM_TIME_MS, 1e-4, 1e9, 5e6},
        {"internet", 100 * SIM_TIME_MS, 1e-3, 100e6, 20e6},
        {"satellite", 600 * SIM_TIME_MS, 5e-3, 10e6, 50e6},
        {"mobile_3g", 100 * SIM_TIME_MS, 5e-3, 2e6, 30e6},
        {"mobile_4g", 50 * SIM_TIME_MS, 1e-3, 20e6, 15e6},
        {"lossy, loss: 5%", 10 * SIM_TIME_MS, 0.05, 100e6, 0},
        {"slow, latency: 300ms", 300 * SIM_TIME_MS, 0, 1e6, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[512];
        snprintf(text, sizeof text, HEAD "network: {preset: %s}\n" PAIR, rows[i].name);
        struct study *s = read_good(text);
        const struct wire_spec *w = &s->blueprint.specs[0];
        assert_int_equal(dist_floor(&w->latency), rows[i].latency);
        assert_true(w->loss == rows[i].loss);
        assert_true(w->bandwidth == rows[i].bits / 8);
        assert_true(dist_mean(&w->jitter) == rows[i].jitter);
        study_close(s);
    }
    struct study *s =
        read_good(HEAD "network: {preset: internet, loss: 0, bandwidth: unlimited}\n" PAIR);
    const struct wire_spec *w = &s->blueprint.specs[0];
    assert_true(w->loss == 0.0 && isinf(w->bandwidth));
    assert_int_equal(dist_floor(&w->latency), 100 * SIM_TIME_MS);
    study_close(s);
}

static void test_policies(void **state)
{
    (void)state;
    struct study *s =
        read_good(HEAD "policies: {big: {concurrency: 99}}\n"
                       "entities: {a: {type: source, target: b}, b: {type: sink, policy: big}}\n");
    assert_int_equal(((const struct sink_params *)s->groups[1].params)->concurrency, 99);
    study_close(s);
}

static const char shared[] =
    HEAD "policies:\n"
         "  slow: {concurrency: 9, service_time: {kind: lognormal, mean: 8ms, cv: 1.5}}\n"
         "  fast: {service_time: {kind: lognormal, mean: 1ms, cv: 0.5}}\n"
         "entities:\n"
         "  a: {type: source, target: b}\n"
         "  b: {type: sink, policy: slow}\n"
         "  c: {type: sink, policy: fast}\n";

static const struct {
    const char *overrides[4];
    int64_t concurrency, mean_ns; /* of b */
    double cv;
} changes_of_policies[] = {
    {{NULL}, 9, 8000000, 1.5},
    {{"b.service_time.cv=2"}, 9, 8000000, 2},
    {{"b.service_time.cv=2", "policies.slow.service_time.mean=7ms"}, 9, 7000000, 2},
    {{"policies.slow.service_time.mean=7ms", "b.service_time.mean=6ms"}, 9, 6000000, 1.5},
    {{"b.policy=fast"}, 1, 1000000, 0.5},
    {{"b.service_time.cv=2", "b.policy=[fast, slow]"}, 9, 1000000, 2},
    {{"b={type: sink, policy: slow, concurrency: 3}", "b.service_time.cv=2"}, 3, 8000000, 2},
    {{"b.concurrency=4", "b.service_time={kind: lognormal, mean: 2ms, cv: 1}"}, 4, 2000000, 1},
};

/* An override changes one value of what a policy gave, and leaves the rest of it. */
static void test_overrides_of_policies(void **state)
{
    (void)state;
    size_t n = sizeof changes_of_policies / sizeof changes_of_policies[0];
    for (size_t i = 0; i < n; i++) {
        char *messages;
        struct study *s = read_with(shared, changes_of_policies[i].overrides, &messages);
        assert_non_null(s);
        const struct sink_params *b = s->groups[1].params, *c = s->groups[2].params;
        assert_int_equal(b->concurrency, changes_of_policies[i].concurrency);
        assert_int_equal(b->service_time.mean, changes_of_policies[i].mean_ns);
        assert_true(b->service_time.cv == changes_of_policies[i].cv);
        assert_true(c->service_time.cv == 0.5);
        study_close(s);
        free(messages);
    }
    char *messages;
    const char *wrong[] = {"b.policy=quick", "c.service_time.cvv=1", "b", NULL};
    assert_null(read_with(shared, wrong, &messages));
    assert_string_equal(messages,
                        "--set b: expected PATH=VALUE\n"
                        "--set b.policy=quick: entities.b.policy: no policy 'quick'\n"
                        "--set c.service_time.cvv=1: entities.c.service_time.cvv: unknown key (did "
                        "you mean 'cv'?)\n"
                        "dir/storm.yaml:4:9: warning: policies.slow: this policy is never used\n");
    free(messages);
}

struct bad {
    const char *text, *messages;
};

static const struct bad bads[] = {
    {"squall: [1\n", "dir/storm.yaml:2:1: syntax error: did not find expected ',' or ']' (while "
                     "parsing a flow sequence from 1:9)\n"},
    {"duration: 1s\n", "dir/storm.yaml:1:1: 'squall' is missing\n"
                       "dir/storm.yaml:1:1: 'entities' is missing\n"},
    {"[]\n", "dir/storm.yaml:1:1: expected a mapping, found a sequence\n"},
    {"squall: 2\n"
     "duration: 0s\n"
     "warmup: -1s\n"
     "replications: 0\n"
     "sedd: 3\n"
     "entities: {}\n",
     "dir/storm.yaml:1:9: squall: 2 is above 1\n"
     "dir/storm.yaml:2:11: duration: 0s is below 1ns\n"
     "dir/storm.yaml:3:9: warmup: -1s is below 0s\n"
     "dir/storm.yaml:4:15: replications: 0 is below 1\n"
     "dir/storm.yaml:5:1: sedd: unknown key (did you mean 'seed'?)\n"
     "dir/storm.yaml:6:11: entities: expected a mapping from names to entities\n"},
    {HEAD "warmup: 10s\n"
          "interval: 1ns\n"
          "name: a/b\n" PAIR,
     "dir/storm.yaml:3:9: warmup: the warm-up does not end before the run does\n"
     "dir/storm.yaml:4:11: interval: the run has more than 100000000 intervals\n"
     "dir/storm.yaml:5:7: name: a name has only letters, digits, '.', '_' and '-', and "
     "starts with neither '.' nor '-'\n"},
    {HEAD "entities: [a]\n",
     "dir/storm.yaml:3:11: entities: expected a mapping from names to entities\n"},
    {HEAD "entities:\n"
          "  1a: {type: sink}\n"
          "  a b: {type: sink}\n"
          "  c: sink\n"
          "  d: {count: 2}\n"
          "  e: {type: snk}\n"
          "  f: {type: database, tpye: 3}\n"
          "  g: {type: [sink]}\n"
          "  h: {type: sink, concurency: 4, count: 0, service_time: 10 parsecs}\n"
          "  i: {type: source, target: [a, k]}\n"
          "  j: {type: source, target: 'h[7]'}\n",
     "dir/storm.yaml:4:3: entities.1a: a name starts with a letter and has only letters, digits, _ "
     "and -\n"
     "dir/storm.yaml:5:3: entities.a b: a name starts with a letter and has only letters, digits, "
     "_ and -\n"
     "dir/storm.yaml:6:6: entities.c: expected a mapping with a type\n"
     "dir/storm.yaml:7:6: entities.d: 'type' is missing\n"
     "dir/storm.yaml:8:13: entities.e.type: 'snk' is none of sink, source (did you mean 'sink'?)\n"
     "dir/storm.yaml:9:13: entities.f.type: 'database' is none of sink, source\n"
     "dir/storm.yaml:10:13: entities.g.type: expected a text, found a sequence\n"
     "dir/storm.yaml:11:19: entities.h.concurency: unknown key (did you mean 'concurrency'?)\n"
     "dir/storm.yaml:11:41: entities.h.count: 0 is below 1\n"
     "dir/storm.yaml:11:58: entities.h.service_time: '10 parsecs' is not a duration (expected for "
     "instance 250us, 20ms, 1.5s, 2m)\n"
     "dir/storm.yaml:12:30: entities.i.target[0]: there is no entity 'a'\n"
     "dir/storm.yaml:12:33: entities.i.target[1]: there is no entity 'k'\n"},
    {HEAD "entities:\n"
          "  users: {type: source, target: wbe}\n"
          "  web: {type: sink, count: 3}\n"
          "  db: {type: sink}\n"
          "  u1: {type: source, target: ['web[3]', 'db[0]', 'web[x]', nobody]}\n"
          "  u2: {type: source, target: u2}\n"
          "  u8: {type: source, target: u2}\n"
          "  u3: {type: source, target: [web, db, 'web[1]']}\n"
          "  u4: {type: source, target: []}\n"
          "  u5: {type: source, target: ['web[', '']}\n"
          "  u7: {type: source, target: 'web['}\n"
          "  u6: {type: source, target: ['web[1]', 'web[0]', 'web[1]', 'web[01]', "
          "'web[99999999999]']}\n",
     "dir/storm.yaml:4:33: entities.users.target: there is no entity 'wbe' (did you mean 'web'?)\n"
     "dir/storm.yaml:7:31: entities.u1.target[0]: the last of 'web' is web[2]\n"
     "dir/storm.yaml:7:41: entities.u1.target[1]: 'db' is one entity without a count; call it "
     "'db'\n"
     "dir/storm.yaml:7:50: entities.u1.target[2]: 'web[x]' is neither a group nor an instance such "
     "as web[0]\n"
     "dir/storm.yaml:7:60: entities.u1.target[3]: there is no entity 'nobody'\n"
     "dir/storm.yaml:8:30: entities.u2.target: 'u2' would call itself\n"
     "dir/storm.yaml:9:30: entities.u8.target: 'u2' is a source, which answers no requests\n"
     "dir/storm.yaml:10:40: entities.u3.target[2]: this entity is named twice\n"
     "dir/storm.yaml:11:30: entities.u4.target: nobody is named\n"
     "dir/storm.yaml:12:39: entities.u5.target[1]: expected a name, found an empty text\n"
     "dir/storm.yaml:13:30: entities.u7.target: 'web[' is neither a group nor an instance such as "
     "web[0]\n"
     "dir/storm.yaml:14:51: entities.u6.target[2]: this entity is named twice\n"
     "dir/storm.yaml:14:61: entities.u6.target[3]: this entity is named twice\n"
     "dir/storm.yaml:14:72: entities.u6.target[4]: the last of 'web' is web[2]\n"},
    {HEAD "network:\n"
          "  - {from: 'we?', to: b}\n"
          "  - {from: a, to: c*, latency: 1ms}\n"
          "  - {from: b, to: a}\n"
          "  - {latency: 1ms}\n" PAIR,
     "dir/storm.yaml:4:12: warning: network[0].from: 'we?' matches no entity\n"
     "dir/storm.yaml:5:19: warning: network[1].to: 'c*' matches no entity\n"
     "dir/storm.yaml:6:5: warning: network[2]: no call is left for this rule to decide\n"},
    {HEAD "network:\n"
          "  - {preset: lunar, loss: 2, bandwidth: 0B/s, latency: never}\n" PAIR,
     "dir/storm.yaml:4:14: network[0].preset: 'lunar' is none of none, local, datacenter, "
     "cross_region, internet, satellite, mobile_3g, mobile_4g, lossy, slow\n"
     "dir/storm.yaml:4:27: network[0].loss: 2 is above 1\n"
     "dir/storm.yaml:4:41: network[0].bandwidth: 0B/s is below 1B/s\n"
     "dir/storm.yaml:4:56: network[0].latency: 'never' is none of constant, exponential, uniform, "
     "normal, lognormal, gamma, erlang, weibull, pareto, hyperexponential, zipf, empirical, "
     "percentiles, mixture, nor a duration (for instance 250us, 20ms, 1.5s, 2m)\n"},
    {HEAD "network:\n"
          "  - {preset: lossy}\n"
          "  - {preset: slow, loss: 5%}\n" PAIR,
     "dir/storm.yaml:4:14: network[0].preset: lossy needs a loss beside it\n"
     "dir/storm.yaml:5:14: network[1].preset: slow needs a latency beside it\n"},
    {HEAD "timeline:\n"
          "  - {at: 1s, partition: {a: a, b: b}}\n"
          "  - {at: 1s, partition: {a: a, b: c}}\n"
          "  - {at: 1s, partition: {a: [a, b], b: c}}\n"
          "  - {at: 1s, partition: {a: [a, b, c]}}\n"
          "  - {at: 1s, link: {a: 'c[1]', latency: 1s}}\n"
          "  - {at: 1s, link: {a: 'c[0]', b: 'c[1]', latency: 1s}}\n"
          "  - {at: 1s, partition: {among: [a, c]}}\n"
          "entities:\n"
          "  a: {type: source, target: b}\n"
          "  b: {type: sink}\n"
          "  d: {type: source, target: c}\n"
          "  c: {type: sink, count: 2}\n",
     "dir/storm.yaml:5:25: warning: timeline[1].partition: nobody calls anybody between these "
     "sides\n"
     "dir/storm.yaml:6:25: warning: timeline[2].partition: nobody calls anybody between these "
     "sides\n"
     "dir/storm.yaml:9:20: warning: timeline[5].link: nobody calls anybody between these sides\n"
     "dir/storm.yaml:10:25: warning: timeline[6].partition: nobody calls anybody between these "
     "sides\n"},
    {HEAD "timeline:\n"
          "  - {at: 1s, slow: b}\n"
          "  - {at: 1s, crash: b, factor: 2}\n"
          "  - {at: 1s}\n"
          "  - {at: 1s, slow: a, crash: b, factor: 2}\n"
          "  - {slow: b, factor: 2}\n"
          "  - {at: 1s, for: 0s, crash: b}\n"
          "  - {at: 1s, pause: b, factor: 2}\n"
          "  - {at: 1s, crash: b, in_service: continues}\n"
          "  - {at: 1s, pause: b, in_service: stops}\n" PAIR,
     "dir/storm.yaml:4:5: timeline[0]: 'factor' is missing\n"
     "dir/storm.yaml:5:32: timeline[1].factor: a crash has no factor\n"
     "dir/storm.yaml:6:5: timeline[2]: expected exactly one of slow, crash, rate, "
     "conditioner, pause, capacity, errors, link and partition\n"
     "dir/storm.yaml:7:5: timeline[3]: expected exactly one of slow, crash, rate, "
     "conditioner, pause, capacity, errors, link and partition\n"
     "dir/storm.yaml:8:5: timeline[4]: 'at' is missing\n"
     "dir/storm.yaml:9:19: timeline[5].for: 0s is below 1ns\n"
     "dir/storm.yaml:10:32: timeline[6].factor: a pause has no factor\n"
     "dir/storm.yaml:11:36: timeline[7].in_service: only a pause has this\n"
     "dir/storm.yaml:12:36: timeline[8].in_service: 'stops' is none of freezes, continues\n"},
    {HEAD "timeline:\n"
          "  - {at: 1s, slow: c, factor: 2}\n"
          "  - {at: 1s, slow: b, factor: 0}\n"
          "  - {at: 11s, for: 1s, crash: b}\n" PAIR,
     "dir/storm.yaml:4:20: timeline[0].slow: there is no entity 'c'; there are a, b\n"
     "dir/storm.yaml:5:31: timeline[1].factor: service cannot take no time at all; expected more "
     "than 0\n"
     "dir/storm.yaml:6:31: warning: timeline[2].crash: this begins after the end of the run\n"},
    {HEAD "timeline:\n"
          "  - {at: 1s, slow: a, factor: 2}\n"
          "  - {at: 1s, rate: b, factor: 2}\n"
          "  - {at: 1s, rate: s, factor: 2}\n"
          "  - {at: 1s, crash: a}\n"
          "entities:\n"
          "  a: {type: source, target: b}\n"
          "  s: {type: source, target: b, speed: 0}\n"
          "  b: {type: sink}\n",
     "dir/storm.yaml:4:20: timeline[0].slow: 'a' is a source, which has no service that could be "
     "slowed (types that have: sink)\n"
     "dir/storm.yaml:5:20: timeline[1].rate: 'b' is a sink, which has no arrivals that a rate "
     "could "
     "change (types that have: source)\n"
     "dir/storm.yaml:6:20: timeline[2].rate: 's' calls nobody, however often\n"},
    {"squall: 1\nduration: 10 parsecs\ntimeline: [{at: 1s, crash: b}]\n" PAIR,
     "dir/storm.yaml:2:11: duration: '10 parsecs' is not a duration (expected for instance 250us, "
     "20ms, 1.5s, 2m)\n"},
    {HEAD "network: {latency: 1ms}\n" PAIR "  c: {type: sink}\n",
     "dir/storm.yaml:7:6: warning: entities.c: nobody calls this\n"},
    {HEAD "entities:\n  c: {type: sink}\n",
     "dir/storm.yaml:4:3: warning: entities: nobody here makes requests by itself\n"},
    {HEAD "output: {histograms: all, series: [b, q], color: red}\n" PAIR,
     "dir/storm.yaml:3:22: output.histograms: 'all' is none of per_entity, none\n"
     "dir/storm.yaml:3:35: warning: output.series: without an interval nobody keeps series\n"
     "dir/storm.yaml:3:39: output.series[1]: there is no entity 'q'; there are a, b\n"
     "dir/storm.yaml:3:43: output.color: unknown key (known: histograms, series, breakdowns, "
     "trace)\n"},
    {HEAD "output: {breakdowns: q, trace: {entities: [b, z], sample: 101%, limit: 0}}\n" PAIR,
     "dir/storm.yaml:3:22: output.breakdowns: there is no entity 'q'; there are a, b\n"
     "dir/storm.yaml:3:47: output.trace.entities[1]: there is no entity 'z'; there are a, b\n"
     "dir/storm.yaml:3:59: output.trace.sample: 1.01 is above 1\n"
     "dir/storm.yaml:3:72: output.trace.limit: 0 is below 1\n"},
    {HEAD "output: {breakdowns: b}\n" PAIR,
     "dir/storm.yaml:3:22: warning: output.breakdowns: the type sink has no breakdowns to "
     "keep\n"},
    {HEAD "output: {series: [b, q]}\n" PAIR,
     "dir/storm.yaml:3:18: warning: output.series: without an interval nobody keeps series\n"
     "dir/storm.yaml:3:22: output.series[1]: there is no entity 'q'; there are a, b\n"},
    {HEAD "entities: {a: {type: source, count: 4e9, target: b}, b: {type: sink, count: 1e9}}\n",
     "dir/storm.yaml:3:54: entities.b: more than 4294967294 entities\n"},
    {HEAD "entities: {a: {type: source, count: 1e6, target: b}, b: {type: sink, count: 1e6}}\n",
     "dir/storm.yaml:3:12: entities.a: with this, more than 4294967294 pairs of entities would "
     "call each other\n"},
};

static void test_mistakes(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bads / sizeof bads[0]; i++) {
        char *messages;
        struct study *s = read_with(bads[i].text, NULL, &messages);
        assert_string_equal(messages, bads[i].messages);
        free(messages);
        study_close(s);
    }
}

static void write_file(const char *path, const char *text)
{
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    fputs(text, out);
    assert_int_equal(fclose(out), 0);
}

static struct study *load_good(const char *path)
{
    struct diag diag = {.errors = 0};
    struct study *s = study_load(path, NULL, registry, &diag);
    diag_print(&diag, stderr, 0);
    diag_close(&diag);
    assert_non_null(s);
    return s;
}

/* What a measured law was read from is part of the plan, stands beside the configuration, and is
 * not needed any more once it was read. */
static void test_measured_files(void **state)
{
    (void)state;
    char folder[] = "/tmp/squall-study-XXXXXX", study[64], law[64];
    assert_non_null(mkdtemp(folder));
    snprintf(study, sizeof study, "%s/study.yaml", folder);
    snprintf(law, sizeof law, "%s/law.csv", folder);
    write_file(study, HEAD "network: {latency: 1ms}\nentities:\n  a: {type: source, target: b}\n"
                           "  b: {type: sink, service_time: {empirical: law.csv}}\n");
    write_file(law, "1ms,3\n2.5us\n");
    struct study *s = load_good(study);
    struct arena arena = {NULL};
    const char *text = resolved_text(s, &arena);
    assert_non_null(strstr(text, "- [1ms, 3]"));
    assert_non_null(strstr(text, "- 2.5us "));
    assert_null(strstr(text, "law.csv"));
    uint64_t hash = plan_hash(s);
    study_close(s);
    unlink(law);
    s = read_good(text);
    assert_true(plan_hash(s) == hash);
    const struct sink_params *p = s->groups[1].params;
    assert_true(dist_mean(&p->service_time) == (3e6 + 2500) / 4);
    study_close(s);
    write_file(law, "1ms,3\n2.5us,2\n");
    s = load_good(study);
    assert_true(plan_hash(s) != hash);
    study_close(s);
    write_file(study, HEAD "network: {latency: 1ms}\nentities:\n  a: {type: source, target: b}\n"
                           "  b: {type: sink, service_time: {empirical: {values: [[1ms, 3], "
                           "2.5us]}}}\n");
    s = load_good(study);
    assert_true(plan_hash(s) == hash);
    study_close(s);
    arena_close(&arena);
    unlink(law);
    unlink(study);
    rmdir(folder);
}

/* So is a table of who calls whom; its order and how it names instances do not matter. */
static void test_edge_files(void **state)
{
    (void)state;
    char folder[] = "/tmp/squall-study-XXXXXX", study[64], table[64];
    assert_non_null(mkdtemp(folder));
    snprintf(study, sizeof study, "%s/study.yaml", folder);
    snprintf(table, sizeof table, "%s/edges.csv", folder);
    write_file(study, HEAD "network: {latency: 1ms}\nentities:\n"
                           "  a: {type: source, count: 2, target: {to: b, graph: edges.csv}}\n"
                           "  b: {type: sink, count: 3}\n");
    write_file(table, "from,to,latency\na[1],b[2],250us\n0,1,\n");
    struct study *s = load_good(study);
    struct arena arena = {NULL};
    const char *text = resolved_text(s, &arena);
    assert_non_null(strstr(text, "edges: \"from,to,latency\\u000a0,1,\\u000a1,2,250us\\u000a\"  "));
    assert_null(strstr(text, "edges.csv"));
    uint64_t hash = plan_hash(s);
    assert_int_equal(s->blueprint.n_wires, 2);
    study_close(s);
    unlink(table);
    s = read_good(text);
    assert_true(plan_hash(s) == hash);
    assert_int_equal(s->blueprint.wires[1].to, 4);
    assert_true(dist_mean(&s->blueprint.specs[s->blueprint.wires[1].spec].latency) == 250000);
    study_close(s);
    static const struct {
        const char *lines;
        bool same;
    } others[] = {{"to,from,latency\n1,0,\n\n2,1,0.25ms\n", true},
                  {"from,to,latency\n1,2,250us\n0,2,\n", false},
                  {"from,to,latency\n1,2,251us\n0,1,\n", false},
                  {"from,to\n1,2\n0,1\n", false}};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        write_file(table, others[i].lines);
        s = load_good(study);
        assert_int_equal(plan_hash(s) == hash, others[i].same);
        study_close(s);
    }
    arena_close(&arena);
    unlink(table);
    unlink(study);
    rmdir(folder);
}

/* The name of results is safe, whatever the file is called; the resolved text reads back. */
static void test_names(void **state)
{
    (void)state;
    static const struct {
        const char *file, *name;
    } table[] = {{"a/storm.v2.yaml", "storm.v2"},
                 {"my study (1).yaml", "my_study__1_"},
                 {".hidden", "_hidden"},
                 {"-x.yaml", "_x"}};
    const char text[] = HEAD "network: {latency: 1ms}\n" PAIR;
    struct diag diag = {.errors = 0};
    struct arena arena = {NULL};
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct study *s = study_parse(table[i].file, text, strlen(text), NULL, registry, &diag);
        assert_non_null(s);
        assert_string_equal(s->settings.name, table[i].name);
        struct study *again = read_good(resolved_text(s, &arena));
        assert_string_equal(again->settings.name, table[i].name);
        study_close(again);
        study_close(s);
    }
    static const char *const bad[] = {"a b", ".a", "-a", "a/b", "caf\xc3\xa9", "a$b"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char *messages;
        const char *whole = arena_format(&arena, "name: %s\n%s", bad[i], text);
        assert_null(read_with(whole, NULL, &messages));
        assert_non_null(strstr(messages, ":1:7: name: a name has only letters"));
        free(messages);
    }
    diag_close(&diag);
    arena_close(&arena);
}

static void test_files(void **state)
{
    (void)state;
    char path[] = "/tmp/squall-study-XXXXXX.yaml";
    int file = mkstemps(path, 5);
    assert_true(file >= 0);
    const char text[] = HEAD "network: {latency: 1ms}\n" PAIR;
    assert_int_equal(write(file, text, strlen(text)), strlen(text));
    close(file);
    struct diag diag = {.errors = 0};
    struct study *s = study_load(path, NULL, registry, &diag);
    unlink(path);
    assert_non_null(s);
    assert_int_equal(s->length, strlen(text));
    assert_memory_equal(s->settings.name, "squall-study-", 13);
    assert_null(strchr(s->settings.name, '.'));
    study_close(s);
    assert_null(study_load(path, NULL, registry, &diag));
    assert_int_equal(diag.errors, 1);
    diag_close(&diag);
}

/* Every kind of key, most of them written. */
static const char full[] =
    "squall: 1\n"
    "name: all\n"
    "duration: 300s\n"
    "warmup: 30s\n"
    "interval: 1s\n"
    "seed: 7\n"
    "replications: 32\n"
    "policies: {big: {concurrency: 99}}\n"
    "network:\n"
    "  - {from: 'a[1]', preset: mobile_3g, loss: 0}\n"
    "  - {latency: {lognormal: {mean: 8ms, cv: 1.2}, floor: 1ms}, bandwidth: 3MB/s}\n"
    "timeline:\n"
    "  - {at: 100s, for: 10s, slow: c, factor: 4}\n"
    "  - {at: 110s, crash: 'b[2]'}\n"
    "  - {at: 120s, for: 1s, rate: a, factor: 0.1}\n"
    "output: {histograms: none}\n"
    "entities:\n"
    "  a: {type: source, count: 1, target: {to: [b, c], balance: random}, speed: 900/s}\n"
    "  a2: {type: source, count: 2, target: 'b[1]'}\n"
    "  b: {type: sink, count: 3, policy: big}\n"
    "  c: {type: sink, concurrency: unlimited, service_time: {exponential: 20ms}}\n"
    "  d: {type: sink}\n";

/* The same study said in other words: order, comments, defaults, units, policies. */
static const char full_again[] =
    "# a comment\n"
    "entities:\n"
    "  a: {count: 1, speed: 54000/m, type: source, target: {balance: random, to: [b, c]}}\n"
    "  a2: {type: source, count: 2, target: {to: ['b[1]'], balance: round_robin}, speed: 10}\n"
    "  b: {type: sink, count: 3, concurrency: 99, service_time: 0.01}\n"
    "  c: {type: sink, concurrency: unlimited, service_time: {kind: exponential, mean: 20ms}}\n"
    "  d: {type: sink, concurrency: 1, count: none} # another\n"
    "output: {series: [a, a2, b, c, d], histograms: none}\n"
    "timeline:\n"
    "  - {factor: 4, at: 100s, for: 10000ms, slow: c}\n"
    "  - {at: 110s, crash: 'b[2]', for: none}\n"
    "  - {at: 2m, for: 1s, rate: a, factor: 10%}\n"
    "network:\n"
    "  - {from: 'a[1]', to: '*', latency: 100ms, jitter: {exponential: 30ms}, preset: mobile_3g,\n"
    "     loss: 0, bandwidth: 250kB/s}\n"
    "  - {latency: {kind: lognormal, mean: 8ms, cv: 120%, floor: 1ms}, bandwidth: 3e6}\n"
    "replications: 32\n"
    "seed: 7\n"
    "interval: 1\n"
    "warmup: 0.5m\n"
    "duration: 5m\n"
    "name: other\n"
    "squall: 1\n";

static void test_resolved_loads_again(void **state)
{
    (void)state;
    struct arena arena = {0};
    struct study *s = read_good(full);
    const char *text = resolved_text(s, &arena);
    struct study *again = read_good(text);
    assert_true(plan_hash(s) == plan_hash(again));
    assert_int_equal(again->blueprint.n_wires, s->blueprint.n_wires);
    assert_memory_equal(again->blueprint.wires, s->blueprint.wires,
                        s->blueprint.n_wires * sizeof *s->blueprint.wires);
    assert_int_equal(again->blueprint.groups[0].indexed, true);
    assert_int_equal(again->blueprint.groups[4].indexed, false);
    const char *const *changes = resolved_changes(text, resolved_text(again, &arena), &arena);
    assert_null(changes[0]);
    assert_non_null(strstr(text, "\n    speed: 900/s\n"));
    assert_non_null(strstr(text, "\n    speed: 10/s  # default\n"));
    assert_non_null(strstr(text, "\n    count: none  # default\n"));
    study_close(s);
    study_close(again);
    arena_close(&arena);
}

static void test_hash_of_other_words(void **state)
{
    (void)state;
    struct arena arena = {0};
    struct study *s = read_good(full), *again = read_good(full_again);
    const char *const *changes =
        resolved_changes(resolved_text(s, &arena), resolved_text(again, &arena), &arena);
    assert_string_equal(changes[0], "name: all -> other");
    assert_null(changes[1]);
    assert_true(plan_hash(s) == plan_hash(again));
    study_close(s);
    study_close(again);
    arena_close(&arena);
}

/* One assignment each, and the line that tells of it. */
static const struct {
    const char *assignment, *change;
} changes_told[] = {
    {"duration=301s", "duration: 5m -> 301s"},
    {"warmup=31s", "warmup: 30s -> 31s"},
    {"interval=2s", "interval: 1s -> 2s"},
    {"seed=8", "seed: 7 -> 8"},
    {"replications=33", "replications.max: 32 -> 33"},
    {"network[0].loss=1%", "network[0].loss: 0 -> 0.01"},
    {"network[0].preset=mobile_4g", "network[0].preset: mobile_3g -> mobile_4g"},
    {"network[1].from=b", "network[1].from: \"*\" -> b"},
    {"network[1].bandwidth=unlimited", "network[1].bandwidth: 3MB/s -> unlimited"},
    {"timeline[0].factor=5", "timeline[0].factor: 4 -> 5"},
    {"timeline[1].crash=b", "timeline[1].crash: \"b[2]\" -> b"},
    {"output.histograms=per_entity", "output.histograms: none -> per_entity"},
    {"output.series=[a, a2, b, c]", "output.series[4]: {name: d} -> (nothing)"},
    {"output.trace.entities=[a, b]", "output.trace.entities[0]: (nothing) -> {name: a}"},
    {"output.trace.sample=1%", "output.trace.sample: 1 -> 0.01"},
    {"output.trace.limit=7", "output.trace.limit: 1000000 -> 7"},
    {"a.count=2", "entities.a.count: 1 -> 2"},
    {"a.target.pick=1", "entities.a.target.pick: all -> 1"},
    {"a2.target={to: b, cells: 2}", "entities.a2.target.to[0].name: \"b[1]\" -> b"},
    {"d.count=1", "entities.d.count: none -> 1"},
    {"a.target.balance=round_robin", "entities.a.target.balance: random -> round_robin"},
    {"b.concurrency=8", "entities.b.concurrency: 99 -> 8"},
    {"c.service_time=20ms", "entities.c.service_time: {kind: exponential, mean: 20ms, floor: "
                            "0s} -> 20ms"},
};

static void test_hash_of_changes(void **state)
{
    (void)state;
    struct arena arena = {0};
    struct study *s = read_good(full);
    const char *before = resolved_text(s, &arena);
    for (size_t i = 0; i < sizeof changes_told / sizeof changes_told[0]; i++) {
        char *messages;
        const char *overrides[] = {changes_told[i].assignment, NULL};
        struct study *other = read_with(full, overrides, &messages);
        free(messages);
        assert_non_null(other);
        assert_true(plan_hash(s) != plan_hash(other));
        const char *const *changes = resolved_changes(before, resolved_text(other, &arena), &arena);
        bool told = false;
        for (const char *const *c = changes; *c; c++) {
            told = told || strcmp(*c, changes_told[i].change) == 0;
        }
        assert_true(told);
        study_close(other);
    }
    study_close(s);
    arena_close(&arena);
}

static void test_order_of_entities_counts(void **state)
{
    (void)state;
    struct arena arena = {0};
    struct study *s = read_good(HEAD "entities: {a: {type: sink}, b: {type: sink}}\n");
    struct study *other = read_good(HEAD "entities: {b: {type: sink}, a: {type: sink}}\n");
    assert_true(plan_hash(s) != plan_hash(other));
    const char *const *changes =
        resolved_changes(resolved_text(s, &arena), resolved_text(other, &arena), &arena);
    assert_string_equal(changes[0], "entities: in another order");
    assert_null(changes[1]);
    struct study *third = read_good(HEAD "entities: {b: {type: sink}, c: {type: sink}}\n");
    changes = resolved_changes(resolved_text(s, &arena), resolved_text(third, &arena), &arena);
    assert_memory_equal(changes[0], "entities.a: {type: sink, count: none, ", 38);
    assert_memory_equal(changes[1], "entities.c: (nothing) -> {type: sink, ", 38);
    assert_null(changes[2]);
    study_close(s);
    study_close(other);
    study_close(third);
    arena_close(&arena);
}

/* What `write` prints, to be freed. */
static char *printed(void (*write_to)(const struct entity_type *const *, FILE *))
{
    char *text;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    write_to(registry, out);
    fclose(out);
    return text;
}

static void test_describe(void **state)
{
    (void)state;
    static const char sink[] = "sink\n"
                               "  Is called.\n"
                               "  concurrency: whole number, at least 1, or unlimited; default 1\n"
                               "      At the same time.\n"
                               "  service_time: duration law; default 10ms\n"
                               "      Time a request takes.\n"
                               "\n"
                               "duration law\n";
    char *text;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    assert_false(describe_entry(registry, "snk", out));
    fflush(out);
    assert_int_equal(size, 0);
    assert_true(describe_entry(registry, "sink", out));
    fclose(out);
    assert_memory_equal(text, sink, strlen(sink));
    assert_non_null(
        strstr(text, "\nstatistics of sink\n  served: counter\n      Requests served.\n"));
    assert_non_null(strstr(text, "  wait: histogram [ns]\n      Time waited.\n"));
    free(text);
    text = printed(describe_study);
    assert_non_null(strstr(text, "\ntypes of entities\n  sink: Is called.\n  source: Calls.\n"));
    free(text);
    struct arena arena = {0};
    const char *const *names = describe_names(registry, &arena);
    assert_string_equal(names[0], "sink");
    assert_string_equal(names[1], "source");
    assert_string_equal(names[2], "study");
    arena_close(&arena);
}

/* Every key of every row stands in the page and in the schema, which is JSON (and so YAML). */
static void test_reference(void **state)
{
    (void)state;
    char *page = printed(describe_markdown), *json = printed(describe_json_schema);
    static const char *const keys[] = {
        "squall", "duration", "replications", "policies", "entities", "from",        "bandwidth",
        "slow",   "series",   "count",        "speed",    "target",   "concurrency", NULL};
    for (const char *const *k = keys; *k; k++) {
        char row[64], property[64];
        snprintf(row, sizeof row, "\n| `%s` | ", *k);
        snprintf(property, sizeof property, "\"%s\": {", *k);
        assert_non_null(strstr(page, row));
        assert_non_null(strstr(json, property));
    }
    assert_non_null(strstr(page, "\n| `entities` | keys below it | required | "));
    assert_non_null(strstr(page, "\n| `type` | one of sink, source | required | "));
    assert_null(strstr(page, "\n## blocks"));
    assert_null(strstr(page, "277777"));
    assert_non_null(strstr(page, "\n### sink\n"));
    assert_non_null(strstr(page, "\n| `wait` | histogram [ns] | Time waited. |\n"));
    assert_non_null(strstr(page, "\n| `mobile_3g` | `{latency: 100ms, "));
    struct arena arena = {0};
    struct diag diag = {.errors = 0};
    const struct node *root = yaml_parse("json", json, strlen(json), &arena, &diag);
    assert_non_null(root);
    const struct node *types = node_child(node_child(root, "properties"), "entities");
    types = node_child(node_child(types, "additionalProperties"), "anyOf");
    assert_int_equal(types->count, 2);
    const struct node *type = node_child(node_child(node_item(types, 1), "properties"), "type");
    assert_string_equal(node_child(type, "const")->text, "source");
    diag_close(&diag);
    arena_close(&arena);
    free(page);
    free(json);
}

/* Whether a heading of the page has this anchor, by the rule that hosts of Markdown follow. */
static bool has_heading(const char *page, const char *name, size_t length)
{
    for (const char *line = page; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        size_t marks = strspn(line, "#");
        const char *heading = line + marks + 1;
        if (marks == 0 || strcspn(heading, "\n") != length) {
            continue;
        }
        size_t i = 0;
        while (i < length && name[i] == (heading[i] == ' ' ? '-' : heading[i])) {
            i++;
        }
        if (i == length) {
            return true;
        }
    }
    return false;
}

/* Links of the page lead somewhere, and so do those of the schema, also by names with spaces. */
static void test_reference_links(void **state)
{
    (void)state;
    char *page = printed(describe_markdown), *json = printed(describe_json_schema);
    size_t links = 0, refs = 0;
    for (const char *p = page; (p = strstr(p, "](#")); links++) {
        p += 3;
        assert_true(has_heading(page, p, strcspn(p, ")")));
    }
    struct arena arena = {0};
    struct diag diag = {.errors = 0};
    const struct node *defs =
        node_child(yaml_parse("json", json, strlen(json), &arena, &diag), "$defs");
    static const char ref[] = "\"$ref\": \"#/$defs/";
    for (const char *p = json; (p = strstr(p, ref)); refs++) {
        p += strlen(ref);
        assert_non_null(node_child(defs, arena_text(&arena, p, strcspn(p, "\""))));
    }
    assert_true(links > 0 && refs > 0);
    assert_non_null(strstr(page, "[duration law](#duration-law)"));
    assert_non_null(node_child(defs, "duration-law"));
    diag_close(&diag);
    arena_close(&arena);
    free(page);
    free(json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_overrides),
        cmocka_unit_test(test_presets),
        cmocka_unit_test(test_policies),
        cmocka_unit_test(test_overrides_of_policies),
        cmocka_unit_test(test_mistakes),
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_measured_files),
        cmocka_unit_test(test_edge_files),
        cmocka_unit_test(test_resolved_loads_again),
        cmocka_unit_test(test_hash_of_other_words),
        cmocka_unit_test(test_hash_of_changes),
        cmocka_unit_test(test_order_of_entities_counts),
        cmocka_unit_test(test_describe),
        cmocka_unit_test(test_reference),
        cmocka_unit_test(test_reference_links),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
