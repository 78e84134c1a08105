/* SPDX-License-Identifier: Apache-2.0 */
#include "policies/warm_up.h"

#define COMMON_ROWS \
    P_REAL(warm_up, slowdown, NULL, 1, 1e6, "1", "How many times as long service takes at first.")
#define AT_START_ROW \
    P_BOOL(warm_up, at_start, "false", \
           "Whether it is cold at the start of the run, too, and not only after a crash.")

static const struct param_spec time_rows[] = {
    COMMON_ROWS,
    P_DURATION(warm_up, duration, NULL, 1, 1e18, "Time after which it takes its usual time."),
    AT_START_ROW, P_END};

static const struct param_spec requests_rows[] = {
    COMMON_ROWS,
    P_COUNT(warm_up, requests, NULL, 1, 1e15, "Requests after which it takes its usual time."),
    AT_START_ROW, P_END};

static const struct alternative alternatives[] = {
    {.name = "none", .summary = "It is warm at once.", .tag = WARM_UP_NONE},
    {.name = "time",
     .summary = "Slow start: service takes its usual time after a while.",
     .tag = WARM_UP_TIME,
     .rows = time_rows},
    {.name = "requests",
     .summary = "Cold caches: service takes its usual time after some requests.",
     .tag = WARM_UP_REQUESTS,
     .rows = requests_rows},
    {.name = NULL}};

const struct choice warm_up_choice = {
    .name = "warm-up",
    .summary = "How service takes longer at first.",
    .size = sizeof(struct warm_up),
    .tag_offset = SCHEMA_OFFSET(int, warm_up, kind),
    .alternatives = alternatives,
};

double warm_up_factor(const struct warm_up *w, sim_time age, uint64_t begun)
{
    double passed = 1.0;
    if (w->kind == WARM_UP_TIME && age < w->duration) {
        passed = (double)age / (double)w->duration;
    } else if (w->kind == WARM_UP_REQUESTS && begun < (uint64_t)w->requests) {
        passed = (double)begun / (double)w->requests;
    }
    return 1.0 + (w->slowdown - 1.0) * (1.0 - passed);
}
