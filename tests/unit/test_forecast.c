/* SPDX-License-Identifier: Apache-2.0 */
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

#include "base/hash.h"
#include "engine/sim.h"
#include "experiment/forecast.h"
#include "experiment/makespan.h"
#include "parallel/efficiency.h"

extern const struct entity_type *const entity_registry[];

static uint64_t draw(uint64_t below)
{
    static uint64_t random = 3;
    random = hash_mix64(random + 1);
    return random % below;
}

/* --- handing out -------------------------------------------------------------------------- */

enum { POINTS = 12, WORKERS = 9 };

/* Points with costs drawn at random, in an order that is. */
static struct agenda_plan draw_plan(double *cost, uint64_t *order)
{
    struct agenda_plan plan = {.n_points = 1 + draw(POINTS), .n_replications = 1 + draw(7)};
    for (uint64_t p = 0; p < plan.n_points; p++) {
        cost[p] = (double)draw(100);
        order[p] = p;
    }
    for (uint64_t p = plan.n_points - 1; p > 0; p--) {
        uint64_t other = draw(p + 1), kept = order[p];
        order[p] = order[other];
        order[other] = kept;
    }
    plan.cost = cost;
    return plan;
}

static double naive(const struct agenda_plan *plan, const uint64_t *order, uint64_t workers)
{
    double busy[WORKERS] = {0}, end = 0.0;
    for (uint64_t i = 0; i < plan->n_points; i++) {
        for (uint64_t r = 0; r < plan->n_replications; r++) {
            if (agenda_has(plan, order[i] * plan->n_replications + r)) {
                uint64_t w = 0;
                for (uint64_t k = 1; k < workers; k++) {
                    w = busy[k] < busy[w] ? k : w;
                }
                busy[w] += plan->cost[order[i]];
                end = fmax(end, busy[w]);
            }
        }
    }
    return end;
}

static void whoever_is_free_gets_the_next_task(void **state)
{
    (void)state;
    for (int round = 0; round < 5000; round++) {
        double cost[POINTS];
        uint64_t order[POINTS], workers = 1 + draw(WORKERS);
        struct agenda_plan plan = draw_plan(cost, order);
        assert_true(makespan(&plan, order, workers) == naive(&plan, order, workers));
        plan.shards = 1 + (uint32_t)draw(20);
        for (plan.shard = 1; plan.shard <= plan.shards; plan.shard++) {
            assert_true(makespan(&plan, order, workers) == naive(&plan, order, workers));
        }
    }
}

/* The best of all ways to deal out the tasks from the i-th on. */
static double best(const double *cost, uint64_t n, uint64_t i, double *busy, uint64_t workers)
{
    double least = INFINITY;
    if (i == n) {
        least = 0.0;
        for (uint64_t w = 0; w < workers; w++) {
            least = fmax(least, busy[w]);
        }
    }
    for (uint64_t w = 0; i < n && w < workers; w++) {
        busy[w] += cost[i];
        least = fmin(least, best(cost, n, i + 1, busy, workers));
        busy[w] -= cost[i];
    }
    return least;
}

static void the_longest_first_is_nearly_the_best(void **state)
{
    (void)state;
    enum { TASKS = 7, HANDS = 3 };
    bool ever_worse = false;
    for (int round = 0; round < 300; round++) {
        double cost[TASKS], busy[HANDS] = {0};
        uint64_t order[TASKS];
        for (uint64_t i = 0; i < TASKS; i++) {
            uint64_t at = i;
            cost[i] = (double)(1 + draw(30));
            for (; at > 0 && cost[order[at - 1]] < cost[i]; at--) {
                order[at] = order[at - 1];
            }
            order[at] = i;
        }
        struct agenda_plan plan = {.n_points = TASKS, .n_replications = 1, .cost = cost};
        double found = makespan(&plan, order, HANDS);
        double least = best(cost, TASKS, 0, busy, HANDS);
        assert_true(found >= least && found <= least * 4.0 / 3.0);
        ever_worse |= found > least;
    }
    assert_true(ever_worse);
}

static void the_costliest_shard_is_found(void **state)
{
    (void)state;
    for (int round = 0; round < 2000; round++) {
        double cost[POINTS];
        uint64_t order[POINTS];
        struct agenda_plan plan = draw_plan(cost, order);
        uint32_t shards = 1 + (uint32_t)draw(20), found = makespan_shard(&plan, shards);
        double most = 0.0, of_found = 0.0;
        plan.shards = shards;
        for (plan.shard = 1; plan.shard <= shards; plan.shard++) {
            double all = naive(&plan, order, 1);
            most = fmax(most, all);
            of_found = plan.shard == found ? all : of_found;
        }
        assert_true(of_found == most);
    }
}

static void shards_of_studies_with_goals_have_whole_units(void **state)
{
    (void)state;
    const struct goals goals = {.n = 1, .search = true};
    for (int round = 0; round < 2000; round++) {
        double cost[POINTS];
        uint64_t order[POINTS], workers = 1 + draw(WORKERS);
        struct agenda_plan plan = draw_plan(cost, order);
        plan.goals = &goals;
        plan.levels = 1 + draw(3);
        uint32_t shards = 1 + (uint32_t)draw(6), found = makespan_shard(&plan, shards);
        double most = 0.0, of_found = 0.0;
        plan.shards = shards;
        for (plan.shard = 1; plan.shard <= shards; plan.shard++) {
            assert_true(makespan(&plan, order, workers) == naive(&plan, order, workers));
            double all = naive(&plan, order, 1);
            most = fmax(most, all);
            of_found = plan.shard == found ? all : of_found;
        }
        assert_true(of_found == most);
    }
}

static void many_tasks_fill_all_workers(void **state)
{
    (void)state;
    double cost[] = {2.0, 1.0};
    const uint64_t order[] = {0, 1};
    struct agenda_plan plan = {.n_points = 2, .n_replications = MAKESPAN_TASKS, .cost = cost};
    assert_true(makespan(&plan, order, 8) == 3.0 * MAKESPAN_TASKS / 8);
    cost[0] = 1e9;
    assert_true(makespan(&plan, order, 2 * MAKESPAN_TASKS) == 1e9);
}

static void rank_0_of_a_large_crew_does_no_work(void **state)
{
    (void)state;
    assert_int_equal(makespan_workers(1), 1);
    assert_int_equal(makespan_workers(64), 64);
    assert_int_equal(makespan_workers(65), 64);
    assert_int_equal(makespan_workers(1000), 999);
}

/* --- forecasts ---------------------------------------------------------------------------- */

static void note(void *context, const struct study *s, struct point *point, uint64_t k, uint64_t n)
{
    (void)point;
    forecast_note(context, s, k, n);
}

static void load(const char *text, struct points *points, struct forecast *f)
{
    char path[] = "/tmp/squall-forecast-XXXXXX";
    int file = mkstemp(path);
    assert_true(file >= 0 && write(file, text, strlen(text)) == (ssize_t)strlen(text));
    close(file);
    struct diag diag = {0};
    const struct points_visitor visitor = {note, f};
    bool good = points_load(points, path, NULL, entity_registry, &diag, &visitor);
    diag_print(&diag, stderr, 0);
    diag_close(&diag);
    unlink(path);
    assert_true(good);
}

static const char study[] =
    "squall: 1\n"
    "duration: 20s\n"
    "replications: 3\n"
    "entities:\n"
    "  users: {type: client, target: web, arrivals: {constant: 50/s}}\n"
    "  web: {type: server, count: 2, concurrency: 9, service_time: 1ms}\n"
    "network: [{latency: 1ms}]\n"
    "sweep: {users.arrivals.constant: [30/s, 10/s, 50/s, 20/s, 40/s, 70/s, 60/s]}\n";

static void the_traffic_equations_are_what_is_expected(void **state)
{
    (void)state;
    static const double rates[] = {30, 10, 50, 20, 40, 70, 60};
    static const uint64_t order[] = {5, 6, 2, 4, 0, 3, 1};
    struct points points;
    struct forecast f = {.n = 0};
    load(study, &points, &f);
    forecast_conclude(&f);
    assert_int_equal(f.n, 7);
    assert_int_equal(f.replications, 3);
    double each = f.points[1].expected / rates[1], all = 0.0;
    for (uint64_t k = 0; k < f.n; k++) {
        const struct forecast_point *p = &f.points[k];
        assert_true(fabs(p->expected - each * rates[k]) < 1e-6);
        assert_true(p->events == p->expected && p->ns == p->events * machine_default.event);
        assert_int_equal(f.order[k], order[k]);
        all += 3.0 * p->events;
    }
    assert_true(fabs(f.events - all) < 1e-6 && f.ns_low == f.ns && f.ns_high == f.ns);
    assert_int_equal(f.n_runs, 0);
    assert_true(f.records == 0.0);
    forecast_close(&f);
    points_close(&points);
}

/* Events of a replication, run to its end. */
static uint64_t count_events(const struct study *s, uint64_t replication)
{
    struct sim_options options = study_options(s);
    struct sim *sim = sim_open(&s->blueprint, &options);
    sim_reset(sim, (uint64_t)s->settings.seed, replication);
    while (!sim_run_until(sim, SIM_TIME_NEVER, 0)) {}
    uint64_t n = sim_events(sim);
    sim_close(sim);
    return n;
}

static void points_that_were_run_have_their_own_events(void **state)
{
    (void)state;
    struct points points;
    struct forecast f = {.n = 0};
    load(study, &points, &f);
    assert_true(forecast_calibrate(&f, &points, 100 * (uint64_t)SIM_TIME_S));
    forecast_conclude(&f);
    assert_int_equal(f.n_runs, 7);
    for (uint32_t i = 0; i < f.n_runs; i++) {
        const struct forecast_run *run = &f.runs[i];
        assert_int_equal(run->point, f.order[i]);
        assert_int_equal(run->replications, 3);
        assert_true(run->share == 1.0 && !run->stuck && !run->tripped);
        uint64_t seen = 0;
        for (uint64_t r = 0; r < 3; r++) {
            seen += count_events(points_study(&points, run->point), r);
        }
        assert_int_equal(run->seen, seen);
        const struct forecast_point *p = &f.points[run->point];
        assert_true(p->ran && fabs(p->events - (double)seen / 3.0) < 1e-9);
        assert_true(p->ns > 0.0 && p->memory > p->plan && p->record > 0.0);
    }
    assert_true(f.ns_low == f.ns && f.ns == f.ns_high);
    assert_true(f.resident > 0.0 && f.address > f.resident && f.reserved > 0.0);
    forecast_close(&f);
    points_close(&points);
}

static void the_ends_and_the_middle_are_run_when_time_is_short(void **state)
{
    (void)state;
    static const uint64_t ran[] = {5, 0, 1}; /* of 7 in order the first, the fifth and the last */
    struct points points;
    struct forecast f = {.n = 0};
    load(study, &points, &f);
    assert_true(forecast_calibrate(&f, &points, 0));
    forecast_conclude(&f);
    assert_int_equal(f.n_runs, FORECAST_RUNS_LEAST);
    for (uint32_t i = 0; i < f.n_runs; i++) {
        assert_int_equal(f.runs[i].point, ran[i]);
        assert_int_equal(f.runs[i].replications, 1);
        assert_true(f.points[ran[i]].ran);
    }
    assert_false(f.points[2].ran || f.points[3].ran || f.points[4].ran || f.points[6].ran);
    assert_true(f.ns_low <= f.ns && f.ns <= f.ns_high);
    forecast_close(&f);
    points_close(&points);
}

static void what_is_cut_short_is_taken_to_go_on(void **state)
{
    (void)state;
    static const char long_one[] =
        "squall: 1\n"
        "duration: 100000s\n"
        "entities:\n"
        "  users: {type: client, target: web, arrivals: {constant: 1000/s}}\n"
        "  web: {type: server, concurrency: 9, service_time: 1ms}\n"
        "network: [{latency: 1ms}]\n";
    struct points points;
    struct forecast f = {.n = 0};
    load(long_one, &points, &f);
    assert_true(forecast_calibrate(&f, &points, 100000000));
    forecast_conclude(&f);
    assert_int_equal(f.n_runs, 1);
    assert_true(f.runs[0].share > 0.0 && f.runs[0].share < 1.0);
    assert_int_equal(f.runs[0].replications, 1);
    /* Arrivals, answers and services come evenly. */
    assert_true(fabs(f.points[0].events / f.points[0].expected - 1.0) < 0.01);
    forecast_close(&f);
    points_close(&points);
}

static struct forecast_run run_at(uint64_t point, double ratio, double ns)
{
    return (struct forecast_run){.point = point,
                                 .replications = 1,
                                 .share = 1.0,
                                 .seen = 1,
                                 .events = ratio * 100.0,
                                 .ratio = ratio,
                                 .ns = ns,
                                 .overhead = 7.0,
                                 .memory = 1000.0 * ratio,
                                 .record = 10.0 * ratio};
}

static void others_lie_between_their_neighbours(void **state)
{
    (void)state;
    struct forecast_point points[5];
    uint64_t order[5] = {4, 3, 2, 1, 0};
    for (int i = 0; i < 5; i++) {
        points[i] = (struct forecast_point){.expected = 100.0, .entities = 10};
    }
    struct forecast f = {.n = 5, .replications = 2, .points = points, .order = order, .n_runs = 2};
    f.runs[0] = run_at(4, 3.0, 20.0);
    f.runs[1] = run_at(0, 1.0, 10.0);
    forecast_conclude(&f);
    static const double ratios[] = {1.0, 1.5, 2.0, 2.5, 3.0}, ns[] = {10, 12.5, 15, 17.5, 20};
    double all = 0.0;
    for (int i = 0; i < 5; i++) {
        assert_true(fabs(points[i].events - 100.0 * ratios[i]) < 1e-9);
        assert_true(fabs(points[i].ns - (100.0 * ratios[i] * ns[i] + 7.0)) < 1e-9);
        assert_true(fabs(points[i].memory - 1000.0 * ratios[i]) < 1e-9);
        assert_true(fabs(points[i].record - 10.0 * ratios[i]) < 1e-9);
        assert_int_equal(points[i].ran, i == 0 || i == 4);
        all += 2.0 * points[i].ns;
    }
    assert_true(fabs(f.ns - all) < 1e-9);
    /* Those that were run are known; of the others all might be like the one or like the other. */
    assert_true(fabs(f.ns_low - 2.0 * (6007.0 + 4.0 * 1007.0)) < 1e-9);
    assert_true(fabs(f.ns_high - 2.0 * (1007.0 + 4.0 * 6007.0)) < 1e-9);
    assert_true(fabs(f.memory - 3000.0) < 1e-9);
}

static void nothing_was_expected(void **state)
{
    (void)state;
    struct forecast_point points[1] = {{.expected = 0.0, .entities = 10}};
    uint64_t order[1] = {0};
    struct forecast f = {.n = 1, .replications = 2, .points = points, .order = order, .n_runs = 1};
    f.runs[0] = (struct forecast_run){.ratio = NAN, .ns = NAN, .overhead = 7.0};
    forecast_conclude(&f);
    assert_true(f.events == 0.0 && f.ns == 14.0 && f.ns_low == 14.0 && f.ns_high == 14.0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whoever_is_free_gets_the_next_task),
        cmocka_unit_test(the_longest_first_is_nearly_the_best),
        cmocka_unit_test(the_costliest_shard_is_found),
        cmocka_unit_test(shards_of_studies_with_goals_have_whole_units),
        cmocka_unit_test(many_tasks_fill_all_workers),
        cmocka_unit_test(rank_0_of_a_large_crew_does_no_work),
        cmocka_unit_test(the_traffic_equations_are_what_is_expected),
        cmocka_unit_test(points_that_were_run_have_their_own_events),
        cmocka_unit_test(the_ends_and_the_middle_are_run_when_time_is_short),
        cmocka_unit_test(what_is_cut_short_is_taken_to_go_on),
        cmocka_unit_test(others_lie_between_their_neighbours),
        cmocka_unit_test(nothing_was_expected),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
