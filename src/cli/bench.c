/* SPDX-License-Identifier: Apache-2.0
 *
 * squall bench: how fast this program is on this machine, as medians of several runs. The two
 * sides of a ratio are run in turn, so that a machine that changes speed changes both.
 */
#include "cli/bench.h"

#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/verb.h"
#include "experiment/crew.h"

enum { MOST_RUNS = 99, KEY_RUNS = 'n', KEY_TASKS = 't' };

struct bench_options {
    int runs;
    const char *only;   /* case to be run, NULL: all that need no configuration */
    const char *config; /* of `parallel` */
    uint64_t tasks;     /* of `crew` */
    struct overrides overrides;
    struct team_request team;
};

struct sample {
    double values[MOST_RUNS];
    int n;
};

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(struct sample *s)
{
    qsort(s->values, (size_t)s->n, sizeof *s->values, by_value);
    return s->n % 2 ? s->values[s->n / 2] : 0.5 * (s->values[s->n / 2 - 1] + s->values[s->n / 2]);
}

static void add(struct sample *s, double value)
{
    s->values[s->n++] = value;
}

static double ns_each(struct bench_run r)
{
    return r.seconds * 1e9 / (double)r.work;
}

static double mib(uint64_t bytes)
{
    return (double)bytes / 1048576.0;
}

static void bench_limit(const struct bench_options *o, const struct entity_type *const *registry)
{
    static const double rates[] = {500.0, 900.0, 1010.0};
    static const double requests[] = {9e5, 9e5,
                                      2.5e5}; /* the last rate collapses: its queue grows */
    for (int k = 0; k < 3; k++) {
        char rate[64], duration[64];
        snprintf(rate, sizeof rate, "users.arrivals.rate=%g/s", rates[k]);
        snprintf(duration, sizeof duration, "duration=%gs", requests[k] / rates[k]);
        const char *overrides[] = {rate, duration, NULL};
        struct sample mine = {.n = 0}, special = {.n = 0}, ratio = {.n = 0};
        uint64_t bytes = 0;
        for (int i = -1; i < o->runs; i++) { /* the first pair only warms up */
            struct bench_run a = bench_study(bench_limit_text, overrides, "logical_requests",
                                             (uint64_t)(i + 1), registry);
            struct bench_run b = bench_limit_special(a.work, rates[k], (uint64_t)(i + 1));
            if (i >= 0) {
                add(&mine, ns_each(a));
                add(&special, ns_each(b));
                add(&ratio, ns_each(a) / ns_each(b));
                bytes = a.bytes;
            }
        }
        printf("limit    %4.0f requests/s: %6.1f ns a request; specialised program %6.1f; ratio "
               "%.2f; %.1f MiB\n",
               rates[k], median(&mine), median(&special), median(&ratio), mib(bytes));
    }
}

static void bench_queue(const struct bench_options *o, const struct entity_type *const *registry)
{
    (void)registry;
    for (uint64_t pending = 10; pending <= 1000000; pending *= 10) {
        struct sample distinct = {.n = 0}, tied = {.n = 0};
        uint64_t bytes = 0;
        for (int i = 0; i < o->runs; i++) {
            struct bench_run run = bench_hold(pending, 2000000, 0);
            add(&distinct, ns_each(run));
            bytes = run.bytes;
            add(&tied, ns_each(bench_hold(pending, 2000000, 1)));
        }
        printf(
            "queue    %7llu pending: %6.1f ns a pop and push, %6.1f with ties; %.0f B an event\n",
            (unsigned long long)pending, median(&distinct), median(&tied),
            (double)bytes / (double)pending);
    }
}

static void bench_random(const struct bench_options *o, const struct entity_type *const *registry)
{
    (void)registry;
    struct sample uniform = {.n = 0}, exponential = {.n = 0};
    for (int i = 0; i < o->runs; i++) {
        add(&uniform, ns_each(bench_uniform(20000000)));
        add(&exponential, ns_each(bench_exponential(20000000)));
    }
    printf("random   uniform %.1f ns, exponential %.1f ns a draw\n", median(&uniform),
           median(&exponential));
}

static void bench_entities(const struct bench_options *o, const struct entity_type *const *registry)
{
    for (uint64_t count = 1000; count <= 1000000; count *= 1000) {
        struct sample seconds = {.n = 0};
        struct bench_run run = {0};
        for (int i = 0; i < o->runs; i++) {
            run = bench_idle(count, registry);
            add(&seconds, run.seconds);
        }
        printf("idle     %7llu entities: opened in %.3f s, %.0f B an entity\n",
               (unsigned long long)count, median(&seconds), (double)run.bytes / (double)count);
    }
}

/* What pairs of runs of one model say. */
struct pairs {
    struct sample alone, divided, speedup;
    uint64_t alone_bytes, divided_bytes;
};

static void add_pair(void *context, struct bench_run alone, struct bench_run divided)
{
    struct pairs *p = context;
    add(&p->alone, ns_each(alone));
    add(&p->divided, ns_each(divided));
    add(&p->speedup, alone.seconds / divided.seconds);
    p->alone_bytes = alone.bytes;
    p->divided_bytes = divided.bytes;
}

static void print_pairs(const char *name, struct pairs *p, const char *report)
{
    int ranks;
    MPI_Comm_size(MPI_COMM_WORLD, &ranks);
    double alone = median(&p->alone), divided = median(&p->divided);
    printf("parallel %s: %.1f ns an event on one rank (%.3g events/s, %.1f MiB), %.1f ns on %d "
           "(%.3g events/s, %.1f MiB each): %.2f times as fast\n%s",
           name, alone, 1e9 / alone, mib(p->alone_bytes), divided, ranks, 1e9 / divided,
           mib(p->divided_bytes), median(&p->speedup), report ? report : "");
}

static enum exit_status bench_parallel(const struct bench_options *o,
                                       const struct entity_type *const *registry)
{
    int provided, rank;
    MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &provided);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    struct study *study = verb_study(o->config, &o->overrides, registry, rank == 0);
    if (study) {
        struct pairs pairs = {.alone = {.n = 0}};
        struct arena arena = {0};
        const char *report;
        bench_parallel_each(study, &o->team, o->runs, add_pair, &pairs, &arena, &report);
        if (rank == 0) {
            print_pairs(study->settings.name, &pairs, report);
        }
        arena_close(&arena);
        study_close(study);
    }
    MPI_Finalize();
    return study ? EXIT_DONE : EXIT_WRONG_INPUT;
}

static double percent_more(double a, double b)
{
    return 100.0 * (b / a - 1.0);
}

enum { CREW_EVENTS = 1000 /* of the shortest replications */ };

static void bench_overhead(const struct bench_options *o, const struct entity_type *const *registry,
                           uint64_t events, bool tell)
{
    struct bench_crew *b = bench_crew_open(registry, events);
    int ranks;
    MPI_Comm_size(MPI_COMM_WORLD, &ranks);
    struct sample plain = {.n = 0}, kept = {.n = 0}, more = {.n = 0}, busier = {.n = 0};
    struct sample extra = {.n = 0}; /* [s] a replication, of the rank that does it */
    struct bench_crew_run a, k = {.seconds = 0.0};
    uint64_t tasks = o->tasks / (events / CREW_EVENTS);
    double n = (double)tasks;
    for (int i = -1; i < o->runs; i++) { /* the first pair only warms up */
        a = bench_crew_plain(b, tasks);
        k = bench_crew_kept(b, tasks);
        if (i >= 0) {
            add(&plain, a.seconds / n);
            add(&kept, k.seconds / n);
            add(&extra, ranks * (k.seconds - a.seconds) / n);
            add(&more, percent_more(a.seconds, k.seconds));
            add(&busier, percent_more(a.busy, k.busy));
        }
    }
    if (tell) {
        double each = median(&kept);
        printf("crew     %d rank%s, %.0f replications of about %llu events, of which %.0f "
               "bytes are kept: %.1f us each in a loop, %.1f us handed out and kept: %.1f us or "
               "%.2g %% more, %.2g %% of processor time; %.3g/s, %.3g MB/s of journals; rank 0 has "
               "%.1f MiB after a tenth, %.1f MiB at the end\n",
               ranks, ranks == 1 ? "" : "s", n, (unsigned long long)events, (double)k.bytes / n,
               1e6 * ranks * median(&plain), 1e6 * ranks * each, 1e6 * median(&extra),
               median(&more), median(&busier), 1.0 / each, 1e-6 * (double)k.bytes / n / each,
               mib(k.early_memory), mib(k.late_memory));
    }
    bench_crew_close(b);
}

static void bench_hand_outs(const struct bench_options *o, uint64_t most, bool tell)
{
    struct sample each = {.n = 0}, busy = {.n = 0};
    double n = (double)o->tasks * (double)most, messages = 0.0;
    for (int i = 0; i < o->runs; i++) {
        struct bench_crew_run run = bench_crew_handed((uint64_t)n, most);
        messages = (double)run.messages;
        add(&each, run.seconds / n);
        add(&busy, run.first_busy / (messages > 0.0 ? messages : 1.0));
    }
    if (tell) {
        double s = median(&each);
        printf(
            "crew     up to %llu at a time: %.3g tasks/s and %.3g messages/s handed out; %.2f us "
            "of rank 0's time a message\n",
            (unsigned long long)most, 1.0 / s, messages / n / s, 1e6 * median(&busy));
    }
}

static enum exit_status bench_crew(const struct bench_options *o,
                                   const struct entity_type *const *registry)
{
    int provided, rank, ranks;
    MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &provided);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &ranks);
    bench_overhead(o, registry, CREW_EVENTS, rank == 0);
    bench_overhead(o, registry, 10 * CREW_EVENTS, rank == 0);
    if (ranks > 1) {
        bench_hand_outs(o, 1, rank == 0);
        bench_hand_outs(o, CREW_CHUNK, rank == 0);
    }
    MPI_Finalize();
    return EXIT_DONE;
}

static const struct bench_case {
    const char *name, *summary;
    void (*run)(const struct bench_options *, const struct entity_type *const *);
} cases[] = {{"limit", "a retry model against a program written for it alone", bench_limit},
             {"queue", "the event queue alone", bench_queue},
             {"random", "random numbers", bench_random},
             {"idle", "opening models of many entities", bench_entities}};
enum { CASES = sizeof cases / sizeof *cases };

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
    struct bench_options *o = state->input;
    switch (key) {
    case KEY_RUNS:
        o->runs = atoi(arg);
        if (o->runs < 1 || o->runs > MOST_RUNS) {
            argp_error(state, "--runs takes 1 to %d", MOST_RUNS);
        }
        return 0;
    case KEY_TASKS:
        o->tasks = strtoull(arg, NULL, 10);
        if (o->tasks < 1 || o->tasks > 1000000000) {
            argp_error(state, "--tasks takes 1 to 1000000000");
        }
        return 0;
    case VERB_SET_KEY:
        overrides_add(&o->overrides, arg);
        return 0;
    case ARGP_KEY_ARG:
        if (state->arg_num > 1) {
            argp_error(state, "one argument too many: '%s'", arg);
        }
        *(state->arg_num == 0 ? &o->only : &o->config) = arg;
        return 0;
    default:
        return verb_team_option(key, arg, state, &o->team);
    }
}

static const struct argp_option rows[] = {
    {.name = "runs", .key = KEY_RUNS, .arg = "N", .doc = "Runs of which the median is told (5)"},
    {.name = "tasks", .key = KEY_TASKS, .arg = "N", .doc = "Replications of the case crew (20000)"},
    VERB_SET_OPTION,
    VERB_TEAM_OPTIONS,
    {.name = NULL}};
static const struct argp argp = {
    .options = rows,
    .parser = parse_option,
    .args_doc = "[CASE]\nparallel CONFIG",
    .doc = "Measures this program on this machine. Cases: limit, queue, random, idle; and, under "
           "mpirun, crew: what handing out and keeping short replications costs, and parallel: a "
           "model of yours on one rank and divided among all."};

static enum exit_status run_bench(int argc, char **argv, const struct entity_type *const *registry)
{
    struct bench_options o = {.runs = 5, .tasks = 20000};
    verb_parse(&argp, argc, argv, &o);
    if (o.only && !o.config && strcmp(o.only, "parallel") == 0) {
        fputs("squall bench: parallel needs a configuration\n", stderr);
        return EXIT_WRONG_INPUT;
    }
    if (o.config && strcmp(o.only, "parallel") == 0) {
        enum exit_status status = bench_parallel(&o, registry);
        overrides_close(&o.overrides);
        return status;
    }
    if (o.only && strcmp(o.only, "crew") == 0) {
        return bench_crew(&o, registry);
    }
    bool any = false;
    for (int i = 0; i < CASES; i++) {
        if (!o.only || strcmp(o.only, cases[i].name) == 0) {
            cases[i].run(&o, registry);
            any = true;
        }
    }
    if (any) {
        return EXIT_DONE;
    }
    fprintf(stderr, "squall bench: there is no case '%s'; there are:\n", o.only);
    for (int i = 0; i < CASES; i++) {
        fprintf(stderr, "  %-8s %s\n", cases[i].name, cases[i].summary);
    }
    fputs("  crew     short replications on all ranks of mpirun\n", stderr);
    fputs("  parallel CONFIG: a model on one rank and on all ranks of mpirun\n", stderr);
    return EXIT_WRONG_INPUT;
}

const struct verb verb_bench = {"bench", "[CASE]", "measure this program on this machine",
                                run_bench};
