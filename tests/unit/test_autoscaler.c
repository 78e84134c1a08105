/* SPDX-License-Identifier: Apache-2.0
 *
 * The horizontal pod autoscaler, decision by decision.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "policies/autoscaler.h"
#include "rng/stream.h"
#include "support/choice.h"
#include "support/trial.h"

static struct autoscaler scaler;
static struct autoscaler_state *memory;

/* Reads one, which then stands at the start of a run. */
static void begin(const char *text)
{
    assert_true(choice_read(&autoscaler_choice, text, &scaler));
    free(memory);
    size_t size = autoscaler_state_size(&scaler);
    memory = size > 0 ? calloc(1, size) : NULL;
}

static int end(void **state)
{
    free(memory);
    return choice_close(state);
}

static int64_t decide(double seconds, int64_t current, int64_t ready, double metric)
{
    return autoscaler_decide(&scaler, memory, S(seconds), current, ready, metric);
}

static void defaults_are_as_published(void **state)
{
    (void)state;
    begin("a: none");
    assert_null(memory);
    begin("a: hpa");
    assert_true(scaler.metric == METRIC_UTILIZATION && scaler.target == 0.8);
    assert_true(scaler.tolerance == 0.1 && scaler.sync_period == S(15));
    assert_true(scaler.min_replicas == 1 && scaler.max_replicas == 10);
    assert_true(scaler.scale_up_replicas == 4 && scaler.scale_up_share == 1.0);
    assert_true(scaler.scale_up_period == S(15) && scaler.scale_down_window == S(300));
    assert_int_equal(scaler.remembered, 23);
}

static void mistakes_are_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "a: {hpa: {target: 0}}",         "a: {hpa: {target: 101%}}",
        "a: {hpa: {metric: cpu}}",       "a: {hpa: {min_replicas: 0}}",
        "a: {hpa: {min_replicas: 2}}",   "a: {hpa: {initial_replicas: 11}}",
        "a: {hpa: {tolerance: -1}}",     "a: {hpa: {sync_period: 0s}}",
        "a: {hpa: {sync_period: 15ms}}", "a: {hpa: {scale_up_replicas: 0}}",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct autoscaler a;
        assert_false(choice_read(&autoscaler_choice, wrong[i], &a));
    }
}

static void replicas_follow_the_metric(void **state)
{
    (void)state;
    static const struct {
        double metric; /* [1] target 0.5 */
        int64_t current, wanted;
    } cases[] = {{0.9, 50, 90},  {0.5, 7, 7},    {0.55, 10, 10}, {0.551, 10, 12}, {0.45, 10, 10},
                 {0.449, 10, 9}, {0.75, 2, 3},   {0.9, 5, 9},    {0.65, 10, 13},  {0.6, 80, 96},
                 {0.0, 8, 1},    {1.0, 60, 100}, {0.3, 5, 3},    {0.1, 3, 1}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        begin("a: {hpa: {target: 0.5, max_replicas: 100, initial_replicas: 50,"
              "          scale_down_window: 0s}}");
        assert_int_equal(decide(0, cases[i].current, cases[i].current, cases[i].metric),
                         cases[i].wanted);
    }
    begin("a: {hpa: {metric: queue, target: 4}}");
    assert_int_equal(decide(0, 3, 3, 6.0), 5);
    assert_int_equal(decide(15, 5, 0, 100.0), 5); /* nobody is ready: no metric */
}

/* Those that boot count as idle on the way up, and are left out on the way down. */
static void what_boots_is_counted(void **state)
{
    (void)state;
    static const struct {
        double metric; /* [1] target 0.5 */
        int64_t current, ready, wanted;
    } cases[] = {
        {1.0, 4, 2, 4}, /* ratio 2, then 1 */
        {1.0, 4, 3, 6}, /* 1.5 */
        {1.0, 10, 4, 10} /* 0.8: it does not turn around */,
        {0.8, 10, 9, 15} /* 14.4 */,
        {0.25, 4, 2, 1},
        {0.5, 4, 2, 4},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        begin("a: {hpa: {target: 0.5, max_replicas: 100, scale_down_window: 0s}}");
        assert_int_equal(decide(0, cases[i].current, cases[i].ready, cases[i].metric),
                         cases[i].wanted);
    }
}

static void growth_is_limited(void **state)
{
    (void)state;
    begin("a: {hpa: {target: 0.01, max_replicas: 100}}");
    assert_int_equal(decide(0, 1, 1, 1.0), 5);   /* + 4 */
    assert_int_equal(decide(15, 5, 5, 1.0), 10); /* twice */
    assert_int_equal(decide(30, 10, 10, 1.0), 20);
    assert_int_equal(decide(45, 20, 20, 1.0), 40);
    assert_int_equal(decide(60, 40, 40, 1.0), 80);
    assert_int_equal(decide(75, 80, 80, 1.0), 100);
    /* Decisions that follow one another sooner share the period. */
    begin("a: {hpa: {target: 0.01, max_replicas: 100, sync_period: 5s}}");
    assert_int_equal(decide(0, 1, 1, 1.0), 5);
    assert_int_equal(decide(5, 5, 5, 1.0), 5);
    assert_int_equal(decide(10, 5, 5, 1.0), 5);
    assert_int_equal(decide(15, 5, 5, 1.0), 10);
    assert_int_equal(decide(20, 10, 10, 1.0), 10);
    begin("a: {hpa: {target: 0.01, max_replicas: 100, scale_up_share: 50%, scale_up_replicas: 1}}");
    assert_int_equal(decide(0, 1, 1, 1.0), 2);
    assert_int_equal(decide(15, 2, 2, 1.0), 3);
    assert_int_equal(decide(30, 3, 3, 1.0), 5); /* 4.5 */
}

static void the_largest_recommendation_holds(void **state)
{
    (void)state;
    begin("a: {hpa: {target: 0.5, scale_down_window: 60s, initial_replicas: 6}}");
    assert_int_equal(decide(15, 6, 6, 0.1), 6); /* 2, but there were 6 at the start */
    assert_int_equal(decide(30, 6, 6, 0.3), 6); /* 4 */
    assert_int_equal(decide(45, 6, 6, 0.1), 6);
    assert_int_equal(decide(60, 6, 6, 0.1), 6);
    assert_int_equal(decide(75, 6, 6, 0.1), 4);
    assert_int_equal(decide(90, 4, 4, 0.1), 2);  /* of 45 s and later */
    assert_int_equal(decide(105, 2, 2, 1.0), 4); /* up at once */
}

static void counts_stay_in_bounds(void **state)
{
    (void)state;
    struct rng_stream stream;
    rng_init(&stream, &(struct rng_key){.seed = 1});
    begin("a: {hpa: {min_replicas: 2, max_replicas: 40, initial_replicas: 3,"
          "          scale_down_window: 45s}}");
    int64_t current = 3;
    for (int i = 0; i < 100000; i++) {
        int64_t ready = (int64_t)rng_below(&stream, (uint64_t)current + 1);
        int64_t next = decide(15.0 * i, current, ready, 2.0 * rng_unit(&stream));
        assert_in_range(next, 2, 40);
        assert_true(next <= current + 4 || next <= 2 * current);
        current = next;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_are_as_published),
        cmocka_unit_test(mistakes_are_refused),
        cmocka_unit_test(replicas_follow_the_metric),
        cmocka_unit_test(what_boots_is_counted),
        cmocka_unit_test(growth_is_limited),
        cmocka_unit_test(the_largest_recommendation_holds),
        cmocka_unit_test(counts_stay_in_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, end);
}
