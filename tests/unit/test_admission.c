/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "policies/admission.h"
#include "support/choice.h"

static struct admission admission;
static struct admission_state place;
static struct rng_stream stream;

/* Reads a policy, and forgets what was. */
static void begin(const char *text)
{
    assert_true(choice_read(&admission_choice, text, &admission));
    place = (struct admission_state){0};
    rng_init(&stream, &(struct rng_key){.seed = 3});
}

static bool refuses(uint32_t waiting)
{
    return admission_refuses(&admission, &place, waiting, false, &stream);
}

static void mistakes_are_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "a: {balking: {threshold: 0}}",
        "a: {balking: {probability: 101%}}",
        "a: red",
        "a: {red: {min_threshold: 5}}",
        "a: {red: {min_threshold: 5, max_threshold: 5}}",
        "a: {red: {min_threshold: -1, max_threshold: 5}}",
        "a: {red: {min_threshold: 1, max_threshold: 5, weight: 0}}"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct admission a;
        assert_false(choice_read(&admission_choice, wrong[i], &a));
    }
}

static void balking_begins_at_its_threshold(void **state)
{
    (void)state;
    begin("a: none");
    assert_false(refuses(1000000));
    begin("a: balking");
    assert_false(refuses(4));
    assert_true(refuses(5));
    assert_int_equal(stream.drawn, 0); /* what is certain is not drawn */
    begin("a: {balking: {threshold: 2, probability: 30%}}");
    int n = 0;
    for (int i = 0; i < 10000; i++) {
        assert_false(refuses(1));
        n += refuses(2);
    }
    assert_in_range(n, 2850, 3150);
    assert_int_equal(stream.drawn, 10000);
}

/* The average moves with every arrival, whatever becomes of it. */
static void red_looks_at_an_average(void **state)
{
    (void)state;
    begin("a: {red: {min_threshold: 1, max_threshold: 3, weight: 0.5}}");
    assert_true(admission.max_probability == 0.1);
    assert_false(refuses(2));
    assert_true(place.average == 1.0);
    admission_pass(&admission, &place);
    assert_true(place.average == 0.5);
    assert_false(admission_refuses(&admission, &place, 7, true, &stream)); /* there is no room */
    assert_true(place.average == 3.75);
    assert_true(refuses(3));
    assert_true(place.average == 3.375);
    assert_true(refuses(3));
    assert_true(refuses(3));
    assert_true(place.average == 3.09375);
    assert_false(refuses(0));
    begin("a: {red: {min_threshold: 1, max_threshold: 3}}");
    assert_true(admission.weight == 0.002);
}

/* With the average constant, so that b is 5 %: every number from 1 to 20 of arrivals from one
 * refused to the next is as probable as the others. */
static void red_spreads_its_refusals_evenly(void **state)
{
    (void)state;
    begin("a: {red: {min_threshold: 5, max_threshold: 15, weight: 1}}");
    enum { TURNS = 20000, MOST = 20 };
    int between[MOST + 1] = {0}, n = 0;
    for (int turns = 0; turns < TURNS;) {
        n++;
        if (refuses(10)) {
            assert_in_range(n, 1, MOST);
            between[n]++;
            n = 0;
            turns++;
        }
    }
    for (int i = 1; i <= MOST; i++) {
        assert_in_range(between[i], TURNS / MOST * 0.86, TURNS / MOST * 1.14); /* 4.5 deviations */
    }
    /* What was let in below the band does not count in it. */
    for (int i = 0; i < 100; i++) {
        assert_false(refuses(4));
    }
    assert_int_equal(place.let_in, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(mistakes_are_refused),
                                       cmocka_unit_test(balking_begins_at_its_threshold),
                                       cmocka_unit_test(red_looks_at_an_average),
                                       cmocka_unit_test(red_spreads_its_refusals_evenly)};
    return cmocka_run_group_tests(tests, NULL, choice_close);
}
