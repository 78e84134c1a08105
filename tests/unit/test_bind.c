/* SPDX-License-Identifier: Apache-2.0
 *
 * From tree to structs and back: binding, the dump, and the reference, on rows of every kind.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/hash.h"
#include "config/bind.h"
#include "config/dump.h"
#include "config/policies.h"
#include "config/reference.h"
#include "config/yaml.h"

/* A law: none, constant, exponential, renewal of another law, steps. */
enum law_kind { LAW_NONE, LAW_CONSTANT, LAW_EXPONENTIAL, LAW_UNIFORM, LAW_STEPS };

struct step {
    sim_time at;
    double rate;
};
static const struct param_spec step_rows[] = {
    P_DURATION(step, at, NULL, 0, 1e18, "When it begins."),
    P_REAL(step, rate, "1/s", 0, 1e9, "1/s", "The rate from then on."),
    P_END,
};
static const struct schema step_schema = {
    .name = "step",
    .summary = "A step of a profile.",
    .size = sizeof(struct step),
    .rows = step_rows,
    .positional = true,
};

struct law {
    int kind;
    sim_time value, mean, low, high, shift;
    LIST_OF(struct step) steps;
    double derived; /* [ns] */
};
static const struct param_spec constant_rows[] = {
    P_DURATION(law, value, NULL, 0, 9.3e18, "The value."),
    P_END,
};
static const struct param_spec exponential_rows[] = {
    P_DURATION(law, mean, NULL, 1, 9.3e18, "The mean."),
    P_END,
};
static const struct param_spec uniform_rows[] = {
    P_DURATION(law, low, "0s", 0, 9.3e18, "The least value."),
    P_DURATION(law, high, "1s", 0, 9.3e18, "The greatest value."),
    P_END,
};
static const struct param_spec steps_rows[] = {
    P_LIST(law, steps, step_schema, NULL, "The steps."),
    P_END,
};
static const struct param_spec law_common[] = {
    P_DURATION(law, shift, "0s", 0, 1e18, "Added to every draw."),
    P_END,
};
static const struct alternative laws[] = {
    {"none", "Never.", LAW_NONE, true, NULL},
    {"constant", "Always the same.", LAW_CONSTANT, false, constant_rows},
    {"exponential", "Without memory.", LAW_EXPONENTIAL, false, exponential_rows},
    {"uniform", "Between two values.", LAW_UNIFORM, false, uniform_rows},
    {"steps", "In steps.", LAW_STEPS, false, steps_rows},
    {.name = NULL},
};
static void derive_law(void *value, const struct node *at, struct diag *diag, struct arena *arena)
{
    struct law *l = value;
    (void)arena;
    l->derived = (double)(l->mean + l->shift);
    if (l->kind == LAW_UNIFORM && l->low > l->high) {
        diag_error(diag, at, "low is above high");
    }
}
static const struct choice law_choice = {
    .name = "law",
    .summary = "A law of chance.",
    .size = sizeof(struct law),
    .tag_offset = offsetof(struct law, kind),
    .scalar = "constant",
    .common = law_common,
    .alternatives = laws,
    .derive = derive_law,
};

/* A choice whose alternative has a choice as first row. */
struct arrivals {
    int kind;
    double rate;
    struct law interval;
};
static const struct param_spec poisson_rows[] = {
    P_REAL(arrivals, rate, NULL, 0, 1e9, "1/s", "Per second."),
    P_END,
};
static const struct param_spec renewal_rows[] = {
    P_CHOICE(arrivals, interval, law_choice, NULL, "Between arrivals."),
    P_END,
};
static const struct alternative arrival_kinds[] = {
    {"poisson", "Without memory.", 0, false, poisson_rows},
    {"renewal", "Of any law.", 1, false, renewal_rows},
    {"silent", "None.", 2, false, NULL},
    {.name = NULL},
};
static const struct choice arrivals_choice = {
    .name = "arrivals",
    .summary = "How requests arrive.",
    .size = sizeof(struct arrivals),
    .tag_offset = offsetof(struct arrivals, kind),
    .alternatives = arrival_kinds,
};

struct call {
    struct name_ref target;
    sim_time timeout;
    const char *note;
};
static const struct param_spec call_rows[] = {
    P_REF(call, target, NULL, "Whom to call."),
    P_MAYBE_DURATION(call, timeout, "none", 1, 9.3e18, "How long to wait."),
    P_TEXT(call, note, "", "A remark | anything."),
    P_END,
};
static const struct schema call_schema = {
    .name = "call",
    .summary = "A call.",
    .size = sizeof(struct call),
    .rows = call_rows,
    .shorthand = true,
};

struct kind {
    const char *name;
    double weight;
};
static const struct param_spec kind_rows[] = {
    P_KEY(kind, name, "What it is called."),
    P_REAL(kind, weight, "1", 0, 1e9, "1", "Its share."),
    P_END,
};
static const struct schema kind_schema = {
    .name = "kind",
    .summary = "A kind of request.",
    .size = sizeof(struct kind),
    .rows = kind_rows,
    .shorthand = true,
};

struct queue {
    int64_t capacity;
    int discipline;
};
static const char *const disciplines[] = {"fifo", "lifo", "priority", NULL};
static const struct param_spec queue_rows[] = {
    P_LIMIT(queue, capacity, "unlimited", 0, 1e9, "Places."),
    P_WORD(queue, discipline, disciplines, "fifo", "Who is next."),
    P_END,
};
static const struct schema queue_schema = {
    .name = "queue",
    .summary = "A queue.",
    .size = sizeof(struct queue),
    .rows = queue_rows,
};

struct server {
    int64_t concurrency, seen_by_derive;
    double share, memory;
    bool keep;
    uint32_t flags;
    struct queue queue;
    struct law service_time, pause;
    struct arrivals arrivals;
    LIST_OF(struct call) calls;
    LIST_OF(struct kind) requests;
    const struct node *extra;
};
static const char *const flag_words[] = {"trace", "series", "histograms", NULL};
static const struct param_spec server_rows[] = {
    P_COUNT(server, concurrency, "1", 1, 1e9, "Requests served at the same time."),
    P_REAL(server, share, "5%", 0, 1, "1", "A fraction."),
    P_REAL(server, memory, "4KiB", 1, 1e15, "B", "A size."),
    P_BOOL(server, keep, "false", "Whether to keep \"it\"."),
    P_WORDS(server, flags, flag_words, "[series, trace]", "What to write."),
    P_BLOCK(server, queue, queue_schema, "{}", "Those that wait."),
    P_CHOICE(server, service_time, law_choice, "10ms", "Time one request takes."),
    P_MAYBE_CHOICE(server, pause, law_choice, "none", "none", "Time between two."),
    P_CHOICE(server, arrivals, arrivals_choice, "{poisson: 5/s}", "What it does alone."),
    P_LIST(server, calls, call_schema, "[]", "What it calls."),
    P_MAP(server, requests, kind_schema, "{}", "The mix."),
    P_RAW(server, extra, "{a: [1, 'x: y', ]}", "For others."),
    P_END,
};
static void derive_server(void *params, const struct node *at, struct diag *diag,
                          struct arena *arena)
{
    struct server *s = params;
    (void)arena;
    s->seen_by_derive = at ? at->line : -1;
    if (s->concurrency == 13) {
        diag_error(diag, node_child(at, "concurrency"), "13 is unlucky");
    }
}
static const struct schema server_schema = {
    .name = "server",
    .summary = "Serves \"requests\".",
    .size = sizeof(struct server),
    .rows = server_rows,
    .derive = derive_server,
};

/* Rows beside those of a server. */
struct entity {
    int64_t count;
    const char *type;
};
static const struct param_spec entity_rows[] = {
    P_COUNT(entity, count, "1", 1, 1e6, "How many."),
    P_TEXT(entity, type, NULL, "What it is."),
    P_END,
};
static const struct schema entity_schema = {
    .name = "entity",
    .summary = "An entity.",
    .size = sizeof(struct entity),
    .rows = entity_rows,
};

struct fixture {
    struct arena arena;
    struct diag diag;
    struct node *root;
    struct server server;
    bool good;
};

static void open_fixture(struct fixture *f, const char *yaml)
{
    memset(f, 0, sizeof *f);
    f->root = yaml_parse("f.yaml", yaml, strlen(yaml), &f->arena, &f->diag);
    if (f->root) {
        f->good =
            bind_block(&server_schema, f->root, &f->server, &(struct binder){&f->arena, &f->diag});
    }
}

static void close_fixture(struct fixture *f)
{
    diag_close(&f->diag);
    arena_close(&f->arena);
}

/* Text in memory to be freed. */
static char *messages(const struct diag *d)
{
    char *text;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    diag_print(d, out, 0);
    fclose(out);
    return text;
}

static char *dumped(const struct server *s, const struct node *given)
{
    char *text;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    dump_block(out, (const struct schema *[]){&server_schema, NULL}, (const void *[]){s}, given, 0);
    fclose(out);
    return text;
}

static void assert_good(const struct fixture *f)
{
    if (!f->good) {
        fail_msg("%s", messages(&f->diag));
    }
    assert_int_equal(f->diag.errors, 0);
}

static void defaults_are_read(void **state)
{
    (void)state;
    struct fixture f;
    open_fixture(&f, "{}");
    assert_good(&f);
    const struct server *s = &f.server;
    assert_int_equal(s->concurrency, 1);
    assert_true(s->share == 0.05 && s->memory == 4096);
    assert_false(s->keep);
    assert_int_equal(s->flags, 3);
    assert_true(s->queue.capacity == INT64_MAX);
    assert_int_equal(s->queue.discipline, 0);
    assert_int_equal(s->service_time.kind, LAW_CONSTANT);
    assert_int_equal(s->service_time.value, 10 * SIM_TIME_MS);
    assert_int_equal(s->pause.kind, LAW_NONE);
    assert_true(s->arrivals.kind == 0 && s->arrivals.rate == 5);
    assert_true(s->calls.count == 0 && s->requests.count == 0);
    assert_string_equal(node_item(node_child(s->extra, "a"), 1)->text, "x: y");
    assert_string_equal(s->extra->file, "(default)");
    assert_int_equal(s->seen_by_derive, 1);
    close_fixture(&f);
}

static void every_form_is_read(void **state)
{
    (void)state;
    struct fixture f;
    open_fixture(&f, "calls:\n"
                     "  - db\n"
                     "  - {target: cache, timeout: 5ms, note: hello}\n"
                     "requests: {browse: 4, check-out: {weight: 5%}, rest: {}}\n"
                     "flags: histograms\n"
                     "queue: {capacity: 1_000, discipline: priority}\n"
                     "service_time: {exponential: 20ms, shift: 1ms}\n"
                     "pause: {kind: uniform, high: 3}\n"
                     "arrivals: {renewal: {exponential: {mean: 1s, shift: 2ms}}}\n"
                     "keep: true\n"
                     "extra: [1, {b: c}]\n");
    assert_good(&f);
    const struct server *s = &f.server;
    assert_int_equal(s->calls.count, 2);
    assert_string_equal(s->calls.items[0].target.name, "db");
    assert_int_equal(s->calls.items[0].target.at->line, 2);
    assert_true(s->calls.items[0].timeout == SIM_TIME_NEVER);
    assert_int_equal(s->calls.items[1].timeout, 5 * SIM_TIME_MS);
    assert_string_equal(s->calls.items[1].note, "hello");
    assert_int_equal(s->requests.count, 3);
    assert_string_equal(s->requests.items[1].name, "check-out");
    assert_true(s->requests.items[0].weight == 4 && s->requests.items[1].weight == 0.05);
    assert_int_equal(s->flags, 4);
    assert_int_equal(s->queue.capacity, 1000);
    assert_int_equal(s->queue.discipline, 2);
    assert_int_equal(s->service_time.kind, LAW_EXPONENTIAL);
    assert_int_equal(s->service_time.mean, 20 * SIM_TIME_MS);
    assert_int_equal(s->service_time.shift, SIM_TIME_MS);
    assert_true(s->service_time.derived == 21e6);
    assert_true(s->pause.kind == LAW_UNIFORM && s->pause.high == 3 * SIM_TIME_S);
    assert_int_equal(s->arrivals.kind, 1);
    assert_int_equal(s->arrivals.interval.mean, SIM_TIME_S);
    assert_int_equal(s->arrivals.interval.shift, 2 * SIM_TIME_MS);
    assert_true(s->keep && s->extra->count == 2);
    close_fixture(&f);
    open_fixture(&f, "calls: {target: x}\nservice_time: {steps: [[0s, 5/s], {at: 1}, [2s]]}\n"
                     "pause: uniform\narrivals: silent");
    assert_good(&f);
    assert_int_equal(f.server.calls.count, 1);
    assert_int_equal(f.server.service_time.steps.count, 3);
    assert_true(f.server.service_time.steps.items[0].rate == 5);
    assert_true(f.server.service_time.steps.items[1].at == SIM_TIME_S);
    assert_true(f.server.service_time.steps.items[2].rate == 1);
    assert_int_equal(f.server.pause.kind, LAW_UNIFORM);
    assert_int_equal(f.server.arrivals.kind, 2);
    close_fixture(&f);
    open_fixture(&f, "calls: web\nservice_time: {kind: steps, steps: [3s, 5/s]}\nflags: []");
    assert_good(&f);
    assert_string_equal(f.server.calls.items[0].target.name, "web");
    assert_int_equal(f.server.service_time.steps.count, 1);
    assert_int_equal(f.server.flags, 0);
    close_fixture(&f);
}

static const struct {
    const char *yaml, *expected;
} mistakes[] = {
    {"concurrency: 0", "f.yaml:1:14: concurrency: 0 is below 1\n"},
    {"concurrency: 2e9", "f.yaml:1:14: concurrency: 2000000000 is above 1000000000\n"},
    {"concurrency: many", "f.yaml:1:14: concurrency: 'many' is not a whole number (expected for "
                          "instance 16, 1e6, 1_000)\n"},
    {"concurrency: [1]", "f.yaml:1:14: concurrency: expected a whole number, found a sequence\n"},
    {"concurrency:", "f.yaml:1:13: concurrency: expected a whole number, found nothing\n"},
    {"share: 1.5", "f.yaml:1:8: share: 1.5 is above 1\n"},
    {"share: -5%", "f.yaml:1:8: share: -0.05 is below 0\n"},
    {"share: {a: 1}", "f.yaml:1:8: share: expected a number, found a mapping\n"},
    {"memory: 0B", "f.yaml:1:9: memory: 0B is below 1B\n"},
    {"memory: 3s",
     "f.yaml:1:9: memory: '3s' is not a size (expected for instance 512B, 4KiB, 1MB)\n"},
    {"keep: yes", "f.yaml:1:7: keep: 'yes' is neither true nor false\n"},
    {"keep: []", "f.yaml:1:7: keep: expected true or false, found a sequence\n"},
    {"flags: [trace, seris]", "f.yaml:1:16: flags[1]: 'seris' is none of trace, series, histograms "
                              "(did you mean 'series'?)\n"},
    {"flags: {a: 1}", "f.yaml:1:8: flags: expected a sequence of words, found a mapping\n"},
    {"queue: 5", "f.yaml:1:8: queue: expected a mapping, found '5'\n"},
    {"queue: {capacity: lots}",
     "f.yaml:1:19: queue.capacity: 'lots' is not a whole number (expected for instance 16, 1e6, "
     "1_000); 'unlimited' is allowed too\n"},
    {"queue: {discipline: fofi}", "f.yaml:1:21: queue.discipline: 'fofi' is none of fifo, lifo, "
                                  "priority (did you mean 'fifo'?)\n"},
    {"queue: {discipline: [fifo]}",
     "f.yaml:1:21: queue.discipline: expected a word, found a sequence\n"},
    {"queue: {capasity: 5}",
     "f.yaml:1:9: queue.capasity: unknown key (did you mean 'capacity'?)\n"},
    {"queue: {zzzzzz: 5}", "f.yaml:1:9: queue.zzzzzz: unknown key (known: capacity, discipline)\n"},
    {"concurency: 5", "f.yaml:1:1: concurency: unknown key (did you mean 'concurrency'?)\n"},
    {"calls: [{timeout: 0}]", "f.yaml:1:9: calls[0]: 'target' is missing\n"
                              "f.yaml:1:19: calls[0].timeout: 0s is below 1ns\n"},
    {"calls: [a, [b]]", "f.yaml:1:12: calls[1]: expected a name, found a sequence\n"},
    {"calls: ", "f.yaml:1:7: calls: expected a sequence, found nothing\n"},
    {"calls: ''", "f.yaml:1:8: calls: expected a name, found an empty text\n"},
    {"requests: [a]", "f.yaml:1:11: requests: expected a mapping, found a sequence\n"},
    {"requests: {a: {name: b}}", "f.yaml:1:16: requests.a.name: unknown key (known: weight)\n"},
    {"requests: {a: }", "f.yaml:1:15: requests.a: expected a number, found nothing\n"},
    {"service_time: 20 parsecs",
     "f.yaml:1:15: service_time: '20 parsecs' is not a duration (expected for instance "
     "250us, 20ms, 1.5s, 2m)\n"},
    {"service_time: exponetial", "f.yaml:1:15: service_time: 'exponetial' is none of constant, "
                                 "exponential, uniform, steps (did you mean 'exponential'?)\n"},
    {"service_time: fast", "f.yaml:1:15: service_time: 'fast' is none of constant, exponential, "
                           "uniform, steps, nor a duration (for instance 250us, 20ms, 1.5s, "
                           "2m)\n"},
    {"service_time: exponential", "f.yaml:1:15: service_time: 'mean' is missing\n"},
    {"service_time: none", "f.yaml:1:15: service_time: 'none' is not allowed here (one of "
                           "constant, exponential, uniform, steps)\n"},
    {"service_time: {none: {}}", "f.yaml:1:22: service_time.none: 'none' is not allowed here (one "
                                 "of constant, exponential, uniform, steps)\n"},
    {"pause: {none: 5}", "f.yaml:1:15: pause.none: 'none' takes no value\n"},
    {"service_time: {exponetial: 5}",
     "f.yaml:1:16: service_time.exponetial: unknown alternative (did you mean 'exponential'?)\n"},
    {"service_time: {mean: 5}", "f.yaml:1:15: service_time: 'kind' is missing (one of constant, "
                                "exponential, uniform, steps)\n"},
    {"service_time: {}", "f.yaml:1:15: service_time: 'kind' is missing (one of constant, "
                         "exponential, uniform, steps)\n"},
    {"service_time: ", "f.yaml:1:14: service_time: expected one of constant, exponential, uniform, "
                       "steps, found nothing\n"},
    {"service_time: [5]", "f.yaml:1:15: service_time: expected a duration, found a sequence\n"},
    {"service_time: {kind: exponential, maen: 5}",
     "f.yaml:1:15: service_time: 'mean' is missing\n"
     "f.yaml:1:35: service_time.maen: unknown key (did you mean 'mean'?)\n"},
    {"service_time: {kind: [a]}",
     "f.yaml:1:22: service_time.kind: expected a word, found a sequence\n"},
    {"service_time: {kind: gauss}", "f.yaml:1:22: service_time.kind: 'gauss' is none of constant, "
                                    "exponential, uniform, steps\n"},
    {"service_time: {exponential: 5, uniform: {}}",
     "f.yaml:1:32: service_time.uniform: excluded by 'exponential' beside it\n"},
    {"service_time: {exponential: 5, shfit: 2}",
     "f.yaml:1:32: service_time.shfit: unknown key (did you mean 'shift'?)\n"},
    {"service_time: {exponential: {mean: 5, shift: 1}, shift: 2}",
     "f.yaml:1:50: service_time.shift: stands in 'exponential' too\n"},
    {"service_time: {uniform: {low: 5, high: 4}}",
     "f.yaml:1:15: service_time: low is above high\n"},
    {"service_time: {steps: [[1s, 2/s, 3]]}",
     "f.yaml:1:34: service_time.steps[0][2]: expected at most 2 values\n"},
    {"service_time: {steps: [[]]}", "f.yaml:1:24: service_time.steps[0]: 'at' is missing\n"},
    {"arrivals: 5/s", "f.yaml:1:11: arrivals: '5/s' is none of poisson, renewal, silent\n"},
    {"arrivals: [a]",
     "f.yaml:1:11: arrivals: expected one of poisson, renewal, silent, found a sequence\n"},
    {"arrivals: {silent: 5}", "f.yaml:1:20: arrivals.silent: 'silent' takes no value\n"},
    {"arrivals: {silent: {a: 5}}",
     "f.yaml:1:21: arrivals.silent.a: unknown key (none is known here)\n"},
    {"concurrency: 13", "f.yaml:1:14: concurrency: 13 is unlucky\n"},
    {"[a]", "f.yaml:1:1: expected a mapping, found a sequence\n"},
    {"text", "f.yaml:1:1: expected a mapping, found 'text'\n"},
};

static void mistakes_are_told(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof mistakes / sizeof mistakes[0]; i++) {
        struct fixture f;
        open_fixture(&f, mistakes[i].yaml);
        assert_false(f.good);
        char *text = messages(&f.diag);
        assert_string_equal(text, mistakes[i].expected);
        free(text);
        close_fixture(&f);
    }
}

static void all_mistakes_are_told_at_once(void **state)
{
    (void)state;
    struct fixture f;
    open_fixture(&f, "concurrency: 0\nshare: x\nqueue: {capacity: -1, foo: 1}\ncalls: [{}, {}]\n");
    assert_int_equal(f.diag.errors, 6);
    assert_int_equal(f.server.seen_by_derive, 0); /* derive waits for a block without errors */
    close_fixture(&f);
}

static void schemas_share_a_mapping(void **state)
{
    (void)state;
    struct arena a = {NULL};
    struct diag d = {.errors = 0};
    struct binder b = {&a, &d};
    struct server server;
    struct entity entity;
    const struct schema *schemas[] = {&entity_schema, &server_schema, NULL};
    void *outs[] = {&entity, &server};
    const char *yaml = "{type: server, count: 4, concurrency: 2}";
    struct node *root = yaml_parse("f.yaml", yaml, strlen(yaml), &a, &d);
    assert_true(bind_rows(schemas, outs, root, &b));
    assert_string_equal(entity.type, "server");
    assert_true(entity.count == 4 && server.concurrency == 2);
    yaml = "{cuont: 4, concurrncy: 2}";
    root = yaml_parse("f.yaml", yaml, strlen(yaml), &a, &d);
    assert_false(bind_rows(schemas, outs, root, &b));
    char *text = messages(&d);
    assert_string_equal(text,
                        "f.yaml:1:1: 'type' is missing\n"
                        "f.yaml:1:2: cuont: unknown key (did you mean 'count'?)\n"
                        "f.yaml:1:12: concurrncy: unknown key (did you mean 'concurrency'?)\n");
    free(text);
    diag_close(&d);
    arena_close(&a);
}

static void open_blocks_leave_other_keys_to_others(void **state)
{
    (void)state;
    struct arena a = {NULL};
    struct diag d = {.errors = 0};
    struct binder b = {&a, &d};
    struct entity entity;
    struct schema open = entity_schema;
    open.name = "open";
    open.open = true;
    const char *yaml = "{type: server, users.rate: 5, cuont: 4}";
    const struct node *root = yaml_parse("f.yaml", yaml, strlen(yaml), &a, &d);
    assert_false(bind_block(&entity_schema, root, &entity, &b));
    assert_int_equal(d.errors, 2);
    assert_true(bind_block(&open, root, &entity, &b));
    assert_string_equal(entity.type, "server");
    struct reference r = {.arena = &a};
    reference_add_schema(&r, &open);
    char *text;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    putc('{', out);
    reference_json_defs(&r, out);
    putc('}', out);
    fclose(out);
    const struct node *block = node_child(yaml_parse("open.json", text, size, &a, &d), "open");
    block = node_item(node_child(block, "anyOf"), 0);
    assert_string_equal(node_child(block, "additionalProperties")->text, "true");
    assert_null(node_child(node_child(block, "properties"), "policy"));
    assert_int_equal(node_child(block, "required")->count, 1);
    free(text);
    diag_close(&d);
    arena_close(&a);
}

static void defaults_carry_their_path(void **state)
{
    (void)state;
    static const struct param_spec rows[] = {
        P_COUNT(queue, capacity, "-5", 0, 9, "Out of its own bounds."),
        P_END,
    };
    static const struct schema schema = {
        .name = "odd", .summary = "Odd.", .size = sizeof(struct queue), .rows = rows};
    struct fixture f;
    struct queue q;
    open_fixture(&f, "queue: {}");
    assert_false(
        bind_block(&schema, node_child(f.root, "queue"), &q, &(struct binder){&f.arena, &f.diag}));
    char *text = messages(&f.diag);
    assert_string_equal(text, "(default): queue.capacity: -5 is below 0\n");
    free(text);
    close_fixture(&f);
}

static void dump_shows_what_was_given(void **state)
{
    (void)state;
    struct fixture f;
    open_fixture(&f,
                 "concurrency: 4\nqueue: {discipline: lifo}\nservice_time: {uniform: {low: 1ms}}\n"
                 "calls: [db, {target: 'a b', note: \"x\\ty: #\"}]\nrequests: {go: 2}\n");
    assert_good(&f);
    char *text = dumped(&f.server, f.root);
    assert_string_equal(text, "concurrency: 4\n"
                              "share: 0.05  # default\n"
                              "memory: 4KiB  # default\n"
                              "keep: false  # default\n"
                              "flags: [trace, series]  # default\n"
                              "queue:\n"
                              "  capacity: unlimited  # default\n"
                              "  discipline: lifo\n"
                              "service_time:\n"
                              "  kind: uniform\n"
                              "  low: 1ms\n"
                              "  high: 1s  # default\n"
                              "  shift: 0s  # default\n"
                              "pause: none  # default\n"
                              "arrivals:  # default\n"
                              "  kind: poisson  # default\n"
                              "  rate: 5/s  # default\n"
                              "calls:\n"
                              "  - target: db\n"
                              "    timeout: none  # default\n"
                              "    note: \"\"  # default\n"
                              "  - target: a b\n"
                              "    timeout: none  # default\n"
                              "    note: \"x\\u0009y: #\"\n"
                              "requests:\n"
                              "  go:\n"
                              "    weight: 2\n"
                              "extra: {a: [1, \"x: y\"]}  # default\n");
    free(text);
    close_fixture(&f);
}

static void assert_law_equal(const struct law *a, const struct law *b)
{
    assert_true(a->kind == b->kind && a->value == b->value && a->mean == b->mean);
    assert_true(a->low == b->low && a->high == b->high && a->shift == b->shift);
    assert_true(a->derived == b->derived);
    assert_int_equal(a->steps.count, b->steps.count);
    for (uint32_t i = 0; i < a->steps.count; i++) {
        assert_true(a->steps.items[i].at == b->steps.items[i].at);
        assert_true(a->steps.items[i].rate == b->steps.items[i].rate);
    }
}

static void assert_server_equal(const struct server *a, const struct server *b)
{
    assert_true(a->concurrency == b->concurrency && a->share == b->share);
    assert_true(a->memory == b->memory && a->keep == b->keep && a->flags == b->flags);
    assert_true(a->queue.capacity == b->queue.capacity);
    assert_true(a->queue.discipline == b->queue.discipline);
    assert_law_equal(&a->service_time, &b->service_time);
    assert_law_equal(&a->pause, &b->pause);
    assert_true(a->arrivals.kind == b->arrivals.kind && a->arrivals.rate == b->arrivals.rate);
    assert_law_equal(&a->arrivals.interval, &b->arrivals.interval);
    assert_int_equal(a->calls.count, b->calls.count);
    for (uint32_t i = 0; i < a->calls.count; i++) {
        assert_string_equal(a->calls.items[i].target.name, b->calls.items[i].target.name);
        assert_string_equal(a->calls.items[i].note, b->calls.items[i].note);
        assert_true(a->calls.items[i].timeout == b->calls.items[i].timeout);
    }
    assert_int_equal(a->requests.count, b->requests.count);
    for (uint32_t i = 0; i < a->requests.count; i++) {
        assert_string_equal(a->requests.items[i].name, b->requests.items[i].name);
        assert_true(a->requests.items[i].weight == b->requests.items[i].weight);
    }
}

static void drop_marks(char *text)
{
    static const char mark[] = "  # default";
    char *to = text;
    while (*text) {
        if (strncmp(text, mark, sizeof mark - 1) == 0) {
            text += sizeof mark - 1;
        } else {
            *to++ = *text++;
        }
    }
    *to = '\0';
}

/* dump, parse, bind and dump again: the same values and, nothing being a default any more, the
 * same text. */
static void assert_round_trip(const struct fixture *f)
{
    struct fixture again, third;
    char *once = dumped(&f->server, f->root);
    open_fixture(&again, once);
    assert_good(&again);
    assert_server_equal(&f->server, &again.server);
    char *twice = dumped(&again.server, again.root);
    open_fixture(&third, twice);
    assert_good(&third);
    char *thrice = dumped(&third.server, third.root);
    assert_string_equal(twice, thrice);
    char *bare = dumped(&f->server, f->root);
    drop_marks(bare);
    assert_string_equal(bare, twice);
    free(bare);
    free(once);
    free(twice);
    free(thrice);
    close_fixture(&again);
    close_fixture(&third);
}

/* A value of each row, by chance. */
static void put_random(FILE *out, uint64_t r)
{
    static const char *const laws_[] = {"7us",
                                        "{exponential: 1.5ms}",
                                        "{uniform: {}, shift: 3ns}",
                                        "{steps: [[0, 1/m], [1.5h, 3/ms]]}",
                                        "{constant: 0}",
                                        "{kind: constant, value: 1, shift: 2}",
                                        "uniform"};
    static const char *const calls[] = {"x",
                                        "[a, {target: b, timeout: 1d}]",
                                        "[]",
                                        "{target: \"\\u00e9 \\u2028 '\\\"'\", note: \"~\"}",
                                        "{target: 'null', note: '- x'}",
                                        "[{target: \"\\e[\"}]"};
    fprintf(out, "concurrency: %llu\n", (unsigned long long)(r % 999999999 + 1));
    if (r & 1 << 20) {
        fprintf(out, "share: %.17g\nmemory: %lluB\n", (double)(r >> 11) / 9007199254740992.,
                (unsigned long long)((r >> 30) + 1));
    }
    if (r & 1 << 21) {
        fprintf(out, "keep: %s\nflags: [%s]\n", r & 1 << 22 ? "true" : "false",
                r & 1 << 23 ? "histograms" : "");
    }
    r = hash_mix64(r);
    fprintf(out, "service_time: %s\ncalls: %s\n", laws_[r % 7], calls[r / 7 % 6]);
    if (r & 1 << 24) {
        fprintf(out, "pause: %s\narrivals: {renewal: %s}\n", laws_[r / 49 % 7], laws_[r / 343 % 7]);
    }
    if (r & 1 << 25) {
        fprintf(
            out,
            "requests: {a: %lluE-3, 'b c': {}, \"\\n\": 5%%}\nextra: {x: , 'y': [~, '', a b]}\n",
            (unsigned long long)(r >> 40));
    }
}

static void dumps_read_back(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 300; i++) {
        char *yaml;
        size_t size;
        FILE *out = open_memstream(&yaml, &size);
        put_random(out, hash_mix64(i + 1));
        fclose(out);
        struct fixture f;
        open_fixture(&f, yaml);
        assert_good(&f);
        assert_round_trip(&f);
        close_fixture(&f);
        free(yaml);
    }
}

/* Whatever is bound, there is either no error or one with a message; and nothing crashes. */
static void no_tree_does_harm(void **state)
{
    (void)state;
    static const char seed[] =
        "policies: {p: {concurrency: 4}}\npolicy: p\nshare: 5%\nqueue: {capacity: unlimited}\n"
        "service_time: {exponential: {mean: 5ms}, shift: 1}\ncalls: [a, {target: b}]\n"
        "requests: {a: {weight: 1}, b: 2}\narrivals: {renewal: {steps: [[0, 1/s]]}}\n"
        "flags: [trace]\npause: {kind: none}\nextra: {a: [1]}\n";
    static const char signs[] = "{}[]:,'\"\n ab0159.%-~";
    for (uint64_t round = 0; round < 3000; round++) {
        char text[sizeof seed];
        uint64_t r = hash_mix64(round);
        memcpy(text, seed, sizeof seed);
        for (uint64_t i = 0; i < round % 4; i++) {
            r = hash_mix64(r + i);
            text[r % (sizeof seed - 1)] = signs[(r >> 32) % (sizeof signs - 1)];
        }
        struct fixture f = {.good = false};
        f.root = yaml_parse("f.yaml", text, sizeof seed - 1, &f.arena, &f.diag);
        struct policies *p = f.root ? policies_open(f.root, &f.arena, &f.diag) : NULL;
        if (p) {
            policies_expand(p);
            policies_close(p);
        }
        if (p && f.diag.errors == 0) {
            f.good =
                bind_block(&server_schema, f.root, &f.server, &(struct binder){&f.arena, &f.diag});
        }
        assert_int_equal(f.good, f.diag.errors == 0);
        if (f.good) {
            assert_round_trip(&f);
        }
        free(messages(&f.diag));
        close_fixture(&f);
    }
}

static struct reference reference_of(struct arena *a)
{
    struct reference r = {.arena = a};
    reference_add_schema(&r, &server_schema);
    reference_add_schema(&r, &server_schema);
    return r;
}

static void reference_lists_each_entry_once(void **state)
{
    (void)state;
    static const char *const names[] = {"server",   "queue", "law", "step",
                                        "arrivals", "call",  "kind"};
    struct arena a = {NULL};
    struct reference r = reference_of(&a);
    size_t n = 0;
    for (const struct reference_item *i = r.first; i; i = i->next, n++) {
        assert_true(n < 7);
        assert_string_equal(i->schema ? i->schema->name : i->choice->name, names[n]);
    }
    assert_int_equal(n, 7);
    char *text;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    reference_text(r.first->next, out);
    reference_markdown(r.first->next, 3, out);
    reference_text(&(struct reference_item){.choice = &arrivals_choice}, out);
    reference_markdown(&(struct reference_item){.schema = &call_schema}, 2, out);
    fclose(out);
    assert_string_equal(text,
                        "queue\n"
                        "  A queue.\n"
                        "  capacity: whole number, at least 0, or unlimited; default "
                        "unlimited\n"
                        "      Places.\n"
                        "  discipline: one of fifo, lifo, priority; default fifo\n"
                        "      Who is next.\n"
                        "### queue\n\n"
                        "A queue.\n\n"
                        "| key | value | default | meaning |\n"
                        "|---|---|---|---|\n"
                        "| `capacity` | whole number, at least 0, or unlimited | "
                        "`unlimited` | Places. |\n"
                        "| `discipline` | one of fifo, lifo, priority | `fifo` | Who is next. "
                        "|\n"
                        "arrivals\n"
                        "  How requests arrive.\n"
                        "  poisson\n"
                        "    Without memory.\n"
                        "    rate: rate, at least 0/s; required\n"
                        "        Per second.\n"
                        "  renewal\n"
                        "    Of any law.\n"
                        "    interval: law; required\n"
                        "        Between arrivals.\n"
                        "  silent\n"
                        "    None.\n"
                        "## call\n\n"
                        "A call. The value of `target` may stand for the whole.\n\n"
                        "| key | value | default | meaning |\n"
                        "|---|---|---|---|\n"
                        "| `target` | name | required | Whom to call. |\n"
                        "| `timeout` | duration, at least 1ns, or none | `none` | How long to "
                        "wait. |\n"
                        "| `note` | text | optional | A remark \\| anything. |\n");
    free(text);
    arena_close(&a);
}

static void put_json(FILE *out, const struct reference *r)
{
    fputs("{\"$schema\": \"https://json-schema.org/draft/2020-12/schema\", \"$defs\": {\n", out);
    reference_json_defs(r, out);
    fputs("}, \"properties\": {\"web\": ", out);
    reference_json_block((const struct schema *[]){&entity_schema, &server_schema, NULL}, "sort",
                         "a \"b\"", out);
    fputs("}}\n", out);
}

/* JSON without repeated keys is YAML, which gives a check of it without another reader. */
static void json_schema_is_valid(void **state)
{
    (void)state;
    struct arena a = {NULL};
    struct diag d = {.errors = 0};
    struct reference r = reference_of(&a);
    char *text;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    put_json(out, &r);
    fclose(out);
    const struct node *root = yaml_parse("schema.json", text, size, &a, &d);
    assert_int_equal(d.errors, 0);
    const struct node *defs = node_child(root, "$defs");
    assert_int_equal(defs->count, 7);
    const struct node *call = node_item(node_child(node_child(defs, "call"), "anyOf"), 0);
    assert_string_equal(node_child(call, "additionalProperties")->text, "false");
    const struct node *keys = node_child(call, "properties");
    assert_int_equal(keys->count, 4);
    assert_non_null(node_child(keys, "policy"));
    assert_string_equal(node_child(node_child(keys, "timeout"), "default")->text, "none");
    const struct node *web = node_child(node_child(root, "properties"), "web");
    const struct node *service = node_child(node_child(web, "properties"), "service_time");
    assert_string_equal(node_child(node_item(node_child(service, "anyOf"), 0), "$ref")->text,
                        "#/$defs/law");
    free(text);
    diag_close(&d);
    arena_close(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_are_read),
        cmocka_unit_test(every_form_is_read),
        cmocka_unit_test(mistakes_are_told),
        cmocka_unit_test(all_mistakes_are_told_at_once),
        cmocka_unit_test(schemas_share_a_mapping),
        cmocka_unit_test(open_blocks_leave_other_keys_to_others),
        cmocka_unit_test(defaults_carry_their_path),
        cmocka_unit_test(dump_shows_what_was_given),
        cmocka_unit_test(dumps_read_back),
        cmocka_unit_test(no_tree_does_harm),
        cmocka_unit_test(reference_lists_each_entry_once),
        cmocka_unit_test(json_schema_is_valid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
