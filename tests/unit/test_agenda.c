/* SPDX-License-Identifier: Apache-2.0
 *
 * Agendas worked off by any number of workers in any order: nothing is done twice, all that is
 * needed is done, and what the results consist of is the same.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/hash.h"
#include "experiment/agenda.h"

enum { MOST = 64 };

/* A made-up replication: the mean rises with the point, and so does the share. */
static double value_of(uint64_t task, uint64_t n_replications)
{
    uint64_t point = task / n_replications;
    double chance = (double)(hash_mix64(task + 1) >> 11) * 0x1p-53;
    return 10.0 + (double)(point % 9) + 8.0 * (chance - 0.5);
}

static void values_for(const struct agenda_plan *plan, uint64_t task, double values[GOALS_MOST])
{
    bool pilot = task & AGENDA_PILOT;
    values[0] =
        pilot ? 1000.0 + (double)(task & ~AGENDA_PILOT) : value_of(task, plan->n_replications);
    for (uint32_t i = 1; i < GOALS_MOST; i++) {
        values[i] = values[0];
    }
    if (plan->goals && plan->goals->search && plan->goals->items[0].side != 0 && !pilot) {
        values[0] = values[0] > 14.0;
    }
}

struct work {
    const struct agenda_plan *plan;
    struct agenda *agenda;
    uint64_t random;
    uint64_t *under_way, n; /* tasks */
    unsigned char *seen;    /* by task */
    unsigned char *piloted; /* by point */
    uint64_t ran;
};

static uint64_t draw(struct work *w, uint64_t below)
{
    w->random = hash_mix64(w->random + 1);
    return w->random % below;
}

static void begin(struct work *w, uint64_t task)
{
    if (task & AGENDA_PILOT) {
        assert_false(w->piloted[task & ~AGENDA_PILOT]);
        w->piloted[task & ~AGENDA_PILOT] = 1;
    } else {
        assert_true(agenda_has(w->plan, task));
        assert_false(w->seen[task]);
        w->seen[task] = 1;
        uint64_t point = task / w->plan->n_replications;
        if (w->plan->pilots) {
            assert_int_equal(agenda_warmup(w->agenda, point), 1000 + (sim_time)point);
        }
    }
    w->under_way[w->n++] = task;
    w->ran++;
}

static void end(struct work *w)
{
    double values[GOALS_MOST];
    uint64_t i = draw(w, w->n), task = w->under_way[i];
    w->under_way[i] = w->under_way[--w->n];
    values_for(w->plan, task, values);
    agenda_put(w->agenda, task, values);
}

/* Works until all is known. With nothing under way there must be something to do. */
static void work(struct work *w, uint64_t workers)
{
    while (!agenda_over(w->agenda)) {
        uint64_t tasks[MOST], n = 0;
        if (w->n < workers && draw(w, 3) > 0) {
            uint64_t most = 1 + draw(w, MOST);
            n = agenda_take(w->agenda, tasks, most < workers - w->n ? most : workers - w->n);
        }
        for (uint64_t i = 0; i < n; i++) {
            begin(w, tasks[i]);
            assert_int_equal(tasks[i] & AGENDA_PILOT ? n : 1, 1);
        }
        if (n == 0 && w->n > 0) {
            end(w);
        } else if (n == 0 && w->n == 0 && workers > 0) {
            uint64_t one = agenda_take(w->agenda, tasks, 1);
            assert_int_equal(one, 1);
            begin(w, tasks[0]);
        }
    }
}

static struct work work_open(const struct agenda_plan *plan, uint64_t seed)
{
    uint64_t all = plan->n_points * plan->n_replications;
    struct work w = {.plan = plan, .random = seed, .agenda = agenda_open(plan)};
    w.under_way = calloc(all + plan->n_points, sizeof *w.under_way);
    w.seen = calloc(all, 1);
    w.piloted = calloc(plan->n_points, 1);
    return w;
}

static void work_close(struct work *w)
{
    agenda_close(w->agenda);
    free(w->under_way);
    free(w->seen);
    free(w->piloted);
}

/* What an earlier run may have left: some tasks, in the order of a journal. */
static void recall(struct work *w)
{
    uint64_t all = w->plan->n_points * w->plan->n_replications;
    for (uint64_t p = 0; w->plan->pilots && p < w->plan->n_points; p++) {
        if (draw(w, 2) == 0) {
            double values[GOALS_MOST];
            values_for(w->plan, AGENDA_PILOT | p, values);
            agenda_put(w->agenda, AGENDA_PILOT | p, values);
            w->piloted[p] = 1;
        }
    }
    for (uint64_t t = 0; t < all; t++) {
        if (draw(w, 3) == 0 && agenda_has(w->plan, t) &&
            (!w->plan->pilots || w->piloted[t / w->plan->n_replications])) {
            double values[GOALS_MOST];
            values_for(w->plan, t, values);
            agenda_put(w->agenda, t, values);
            w->seen[t] = 1;
        }
    }
}

/* The plan worked off in many ways: always the same. */
static void same_for_all(const struct agenda_plan *plan)
{
    struct work one = work_open(plan, 1);
    work(&one, 1);
    for (uint64_t round = 0; round < 40; round++) {
        struct work w = work_open(plan, 100 + round);
        if (round % 2) {
            recall(&w);
        }
        work(&w, 1 + draw(&w, 64));
        for (uint64_t p = 0; p < plan->n_points; p++) {
            assert_int_equal(agenda_used(w.agenda, p), agenda_used(one.agenda, p));
            for (uint64_t r = 0; plan->shards == 0 && r < agenda_used(w.agenda, p); r++) {
                assert_true(w.seen[p * plan->n_replications + r]);
            }
        }
        assert_true(agenda_done(w.agenda) >= agenda_tasks(one.agenda));
        work_close(&w);
    }
    work_close(&one);
}

static const struct goals a_rule = {.n = 2,
                                    .items = {{.rule = {.relative = 0.05, .confidence = 0.95}},
                                              {.rule = {.half_width = 1.0, .confidence = 0.9}}}};
static const struct goals a_search = {
    .n = 1, .search = true, .target = 0.5, .confidence = 0.95, .items = {{.side = 1}}};

static void all_replications_are_run(void **state)
{
    (void)state;
    same_for_all(&(struct agenda_plan){.n_points = 7, .n_replications = 13});
    same_for_all(&(struct agenda_plan){.n_points = 7, .n_replications = 13, .pilots = true});
    same_for_all(&(struct agenda_plan){.n_points = 1, .n_replications = 1});
}

static void rules_end_points(void **state)
{
    (void)state;
    struct agenda_plan plan = {.n_points = 6, .n_replications = 60, .min = 4, .goals = &a_rule};
    same_for_all(&plan);
    plan.pilots = true;
    same_for_all(&plan);
    plan.antithetic = true;
    same_for_all(&plan);
    struct work w = work_open(&plan, 1);
    work(&w, 1);
    uint64_t used = 0;
    for (uint64_t p = 0; p < plan.n_points; p++) {
        used += agenda_used(w.agenda, p);
        assert_int_equal(agenda_used(w.agenda, p) % 2, 0);
        assert_non_null(agenda_stopping(w.agenda, p));
    }
    assert_in_range(used, 6 * 4 + 1, 6 * 60 - 1);
    work_close(&w);
}

static void searches_halve(void **state)
{
    (void)state;
    struct agenda_plan plan = {
        .n_points = 27, .n_replications = 80, .min = 4, .goals = &a_search, .levels = 9};
    same_for_all(&plan);
    plan.pilots = true;
    same_for_all(&plan);
    struct work w = work_open(&plan, 1);
    work(&w, 3);
    for (uint64_t unit = 0; unit < 3; unit++) {
        const struct bisection *b = agenda_search(w.agenda, unit);
        assert_int_equal(b->answer.outcome, BISECTION_FOUND);
        assert_in_range(b->answer.low, 2, 4); /* the mean passes 14 at the fifth of nine levels */
        assert_in_range(b->answer.high, 4, 6);
    }
    assert_null(agenda_search(w.agenda, 3));
    work_close(&w);
}

/* Every task is in one shard, and with goals a unit is not divided. */
static void shards_share_the_tasks(void **state)
{
    (void)state;
    struct agenda_plan plans[] = {
        {.n_points = 5, .n_replications = 7},
        {.n_points = 5, .n_replications = 30, .min = 4, .goals = &a_rule},
        {.n_points = 18, .n_replications = 60, .min = 4, .goals = &a_search, .levels = 9},
    };
    for (size_t i = 0; i < 3; i++) {
        struct agenda_plan plan = plans[i];
        uint64_t all = plan.n_points * plan.n_replications, sum = 0;
        struct work whole = work_open(&plan, 1);
        work(&whole, 1);
        for (uint32_t shard = 1; shard <= 3; shard++) {
            plan.shard = shard;
            plan.shards = 3;
            same_for_all(&plan);
            struct work w = work_open(&plan, shard);
            work(&w, 5);
            for (uint64_t t = 0; t < all; t++) {
                bool has = agenda_has(&plan, t);
                sum += has;
                assert_true(has || !w.seen[t]);
                if (has && plan.goals) {
                    uint64_t p = t / plan.n_replications;
                    assert_int_equal(agenda_used(w.agenda, p), agenda_used(whole.agenda, p));
                }
            }
            work_close(&w);
        }
        assert_int_equal(sum, all);
        work_close(&whole);
    }
}

static void the_costliest_come_first(void **state)
{
    (void)state;
    static const double cost[] = {1.0, 5.0, 3.0, 5.0};
    struct agenda *a =
        agenda_open(&(struct agenda_plan){.n_points = 4, .n_replications = 2, .cost = cost});
    static const uint64_t order[] = {2, 3, 6, 7, 4, 5, 0, 1};
    uint64_t tasks[3], n = 0;
    while (n < 8) {
        uint64_t got = agenda_take(a, tasks, 3);
        assert_int_equal(got, 2); /* of one point */
        assert_int_equal(tasks[0], order[n]);
        assert_int_equal(tasks[1], order[n + 1]);
        n += 2;
    }
    assert_int_equal(agenda_take(a, tasks, 3), 0);
    assert_false(agenda_over(a));
    agenda_close(a);
}

static void what_a_share_lacks(void **state)
{
    (void)state;
    double values[GOALS_MOST] = {0.0};
    struct agenda *a = agenda_open(&(struct agenda_plan){.n_points = 2, .n_replications = 4});
    uint64_t tasks[3], done[3];
    agenda_put(a, 0, values);
    agenda_put(a, 0, values);
    agenda_put(a, 3, values);
    agenda_put(a, 99, values);
    agenda_shares(a, 3, tasks, done);
    assert_int_equal(tasks[0], 3); /* 0, 3, 6 */
    assert_int_equal(done[0], 2);
    assert_int_equal(tasks[2], 2); /* 2, 5 */
    assert_int_equal(done[2], 0);
    assert_int_equal(agenda_tasks_left(a), 6);
    assert_int_equal(agenda_done(a), 2);
    agenda_close(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_replications_are_run), cmocka_unit_test(rules_end_points),
        cmocka_unit_test(searches_halve),           cmocka_unit_test(shards_share_the_tasks),
        cmocka_unit_test(the_costliest_come_first), cmocka_unit_test(what_a_share_lacks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
