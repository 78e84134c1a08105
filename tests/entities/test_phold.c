/* SPDX-License-Identifier: Apache-2.0
 *
 * phold: events are neither made nor lost, come as often as the closed form says, and go where they
 * should.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "model/resolved.h"
#include "support/claim.h"
#include "support/trial.h"

/* Without chance: an event comes after latency + hold, again and again. */
static void each_event_makes_one(void **state)
{
    (void)state;
    struct trial t;
    trial_open(&t, "squall: 1\n"
                   "duration: 10s\n"
                   "network: {latency: 100ms}\n"
                   "entities: {cells: {type: phold, count: 3, target: cells, remote: 0,\n"
                   "                   hold: 900ms, population: 2}}\n");
    trial_begin(&t, 0, SIM_TIME_S);
    assert_int_equal(sim_next_time(t.sim), SIM_TIME_S);
    assert_int_equal(sim_events(t.sim), 0);
    trial_end(&t);
    assert_int_equal(trial_counter(&t, "cells[0].events_handled"), 2 * 10);
    assert_int_equal(trial_counter(&t, "cells.events_handled"), 3 * 2 * 10);
    assert_int_equal(trial_counter(&t, "cells.events_sent_remote"), 0);
    trial_close(&t);
}

/* With a hold of fixed length all events come at one beat: whoever counts them counts them all. */
static void the_population_stays(void **state)
{
    (void)state;
    struct trial t;
    trial_open(&t, "squall: 1\n"
                   "duration: 1000s\n"
                   "network: {latency: 100ms}\n"
                   "entities: {cells: {type: phold, count: 7, target: cells, remote: 1,\n"
                   "                   hold: 900ms, population: 3}}\n");
    trial_run(&t, 0);
    assert_int_equal(trial_counter(&t, "cells.events_handled"), 7 * 3 * 1000);
    assert_int_equal(trial_counter(&t, "cells.events_lost"), 0);
    trial_close(&t);
}

/* Each of the population comes once in latency + mean hold, and leaves with probability
 * remote (n - 1) / n. */
static void the_rate_is_that_of_the_closed_form(void **state)
{
    (void)state;
    struct trial t;
    trial_open(&t, "squall: 1\n"
                   "duration: 400s\n"
                   "warmup: 100s\n"
                   "network: {latency: 100ms}\n"
                   "entities: {cells: {type: phold, count: 16, target: cells, population: 4}}\n");
    const struct claim claims[] = {CLAIM_RATE("cells.events_handled", 64 / 1.0, 0.01),
                                   {.measure = CLAIM_RATIO,
                                    .stat = "cells.events_sent_remote",
                                    .per = "cells.events_handled",
                                    .value = 0.25 * 15 / 16,
                                    .goal = 0.01},
                                   CLAIMS_END};
    claims_hold("PHOLD", &t, claims);
    trial_close(&t);
}

/* All sent anywhere, an instance gets as many as another: chi-square with 31 degrees of freedom,
 * one in 10,000 is above. */
static void destinations_are_uniform(void **state)
{
    (void)state;
    struct trial t;
    trial_open(&t, "squall: 1\n"
                   "duration: 3000s\n"
                   "network: {latency: 100ms}\n"
                   "entities: {cells: {type: phold, count: 32, target: cells, remote: 1}}\n");
    trial_run(&t, 0);
    double all = (double)trial_counter(&t, "cells.events_handled"), mean = all / 32, misfit = 0;
    assert_true(fabs(all - 32 * 3000) < 1500);
    assert_int_equal(t.study->blueprint.n_wires, 32);
    for (entity_id id = 0; id < 32; id++) {
        const uint64_t *handled = sim_stats(t.sim, id);
        misfit += ((double)*handled - mean) * ((double)*handled - mean) / mean;
    }
    assert_true(misfit < 70.0);
    trial_close(&t);
}

static uint64_t digest(const char *network, const char *cells, uint32_t wires)
{
    struct trial t;
    trial_open(&t,
               "squall: 1\n"
               "duration: 100s\n"
               "network: %s\n"
               "entities: {other: {type: phold, target: other}, cells: {type: phold, count: 12,\n"
               "           target: {to: cells, cells: %s}}}\n",
               network, cells);
    trial_run(&t, 0);
    assert_int_equal(t.study->blueprint.n_wires, wires);
    uint64_t sum = sim_digest(t.sim);
    trial_close(&t);
    return sum;
}

/* A fan or a wire for each, all of them or a cell. */
static void wires_do_not_matter(void **state)
{
    (void)state;
    const char *fan = "{latency: 100ms}", *wires = "[{to: '*[?]', latency: 100ms}, {latency: 0.1}]";
    assert_true(digest(fan, "1", 13) == digest(wires, "1", 1 + 12 * 12));
    assert_true(digest(fan, "3", 13) == digest(wires, "3", 1 + 3 * 16));
    assert_true(digest(fan, "1", 13) != digest(fan, "3", 13));
}

/* Down, an instance loses what comes to it. */
static void losses_are_counted(void **state)
{
    (void)state;
    struct trial t;
    trial_open(&t, "squall: 1\n"
                   "duration: 100s\n"
                   "network: {latency: 100ms, loss: 1%%}\n"
                   "timeline: [{at: 50s, for: 2s, crash: 'cells[3]'}]\n"
                   "entities: {cells: {type: phold, count: 8, target: cells, population: 50,\n"
                   "                   hold: 900ms}}\n");
    trial_run(&t, 0);
    uint64_t lost = trial_counter(&t, "cells.events_lost");
    /* Every one of 400 is handled once a second until it is lost. */
    assert_true(lost > 200 && lost < 400);
    assert_in_range(trial_counter(&t, "cells.events_handled"), 10000, 400 * 100 - lost);
    trial_close(&t);
}

/* Other ranks read the resolved text, in which the defaults stand, too. */
static void the_resolved_text_loads(void **state)
{
    (void)state;
    struct trial t;
    trial_open(&t, "squall: 1\n"
                   "duration: 1s\n"
                   "network: {latency: 100ms}\n"
                   "entities: {cells: {type: phold, count: 8, target: cells}}\n");
    struct arena arena = {NULL};
    const char *text = resolved_text(t.study, &arena);
    struct diag diag = {.errors = 0};
    struct study *again =
        study_parse("resolved", text, strlen(text), NULL, t.study->registry, &diag);
    diag_print(&diag, stderr, 0);
    assert_non_null(again);
    assert_true(plan_hash(again) == plan_hash(t.study));
    study_close(again);
    diag_close(&diag);
    arena_close(&arena);
    trial_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_event_makes_one),
        cmocka_unit_test(the_population_stays),
        cmocka_unit_test(the_rate_is_that_of_the_closed_form),
        cmocka_unit_test(destinations_are_uniform),
        cmocka_unit_test(wires_do_not_matter),
        cmocka_unit_test(losses_are_counted),
        cmocka_unit_test(the_resolved_text_loads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
