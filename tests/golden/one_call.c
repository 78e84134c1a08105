/* SPDX-License-Identifier: Apache-2.0 */
#include "one_call.h"

#include <setjmp.h>

#include <cmocka.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/probe.h"

void calls_at(struct trial *t, const char *times, const char *call, const char *service,
              const char *rest)
{
    trial_open(t,
               "squall: 1\n"
               "duration: 1000s\n"
               "entities:\n"
               "  users: {type: client, target: service, arrivals: {times: [%s]}, call: {%s}}\n"
               "  service: {%s}\n%s\n",
               times, call, service, rest);
    trial_run(t, 0);
}

void one_call(struct trial *t, const char *call, const char *service, const char *rest)
{
    calls_at(t, "0s", call, service, rest);
}

/* The number that `expected` has for the counter, and 0 without one. `*found` counts. */
static uint64_t expectation(const char *expected, const char *counter, uint32_t *found)
{
    size_t length = strlen(counter);
    for (const char *p = expected; (p = strstr(p, counter)); p += length) {
        if ((p == expected || p[-1] == ' ') && p[length] == ' ') {
            ++*found;
            return strtoull(p + length, NULL, 10);
        }
    }
    return 0;
}

void assert_counters(const struct trial *t, const char *name, const char *prefix,
                     const char *expected)
{
    uint32_t found = 0, named = *expected ? 1 : 0;
    bool same = true;
    for (const char *p = expected; *p; p++) {
        named += *p == ',';
    }
    const struct stat_spec *row =
        blueprint_group(&t->study->blueprint, trial_entity(t, name))->type->stats;
    for (; row->name; row++) {
        if (row->kind != STAT_COUNTER || strncmp(row->name, prefix, strlen(prefix)) != 0) {
            continue;
        }
        char stat[128];
        snprintf(stat, sizeof stat, "%s.%s", name, row->name);
        uint64_t is = trial_counter(t, stat),
                 should = expectation(expected, row->name + strlen(prefix), &found);
        if (is != should) {
            print_message("%s is %" PRIu64 ", expected %" PRIu64 "\n", stat, is, should);
            same = false;
        }
    }
    assert_int_equal(found, named);
    assert_true(same);
}

void assert_users(const struct trial *t, const char *expected)
{
    assert_counters(t, "users", "", expected);
}

void assert_ended(const struct trial *t, sim_time at)
{
    struct hist_counts h = {0};
    trial_histogram(t, "users.request_latency", &h);
    assert_int_equal(h.sum, at);
}
