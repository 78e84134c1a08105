/* SPDX-License-Identifier: Apache-2.0
 *
 * From the reset to the end of a replication nothing asks the C library for memory. The linker
 * redirects the program's own calls to the wrappers below.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/random_mesh.h"
#include "support/storm.h"
#include "support/trial.h"

static uint64_t calls;

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
void __real_free(void *p);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t size);
void __wrap_free(void *p);

void *__wrap_malloc(size_t size)
{
    calls++;
    return __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
    calls++;
    return __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t size)
{
    calls++;
    return __real_realloc(p, size);
}

void __wrap_free(void *p)
{
    calls++;
    __real_free(p);
}

static void assert_no_calls(const char *output)
{
    struct trial t;
    calls = 0;
    trial_open(&t, "%s%s", STORM, output);
    assert_true(calls > 0); /* the wrappers are in place */
    calls = 0;
    for (uint64_t r = 0; r < 3; r++) {
        trial_run(&t, r);
    }
    assert_int_equal(calls, 0);
    assert_true(sim_events(t.sim) > 100000);
    trial_close(&t);
    assert_true(calls > 0);
}

static void a_storm_asks_for_no_memory(void **state)
{
    (void)state;
    assert_no_calls("");
}

static void nor_do_its_time_series(void **state)
{
    (void)state;
    assert_no_calls("interval: 100ms\noutput: {series: [users, robots, crawlers, web, db]}\n");
}

static void nor_do_studies_at_random(void **state)
{
    (void)state;
    enum { STUDIES = 200 };
    static char text[32768];
    for (uint64_t n = 0; n < STUDIES; n++) {
        random_mesh(n, text, sizeof text);
        struct trial t;
        trial_open(&t, "%s", text);
        calls = 0;
        trial_run(&t, 0);
        trial_run(&t, 1);
        assert_int_equal(calls, 0);
        trial_close(&t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_storm_asks_for_no_memory),
                                       cmocka_unit_test(nor_do_its_time_series),
                                       cmocka_unit_test(nor_do_studies_at_random)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
