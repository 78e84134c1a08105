/* SPDX-License-Identifier: Apache-2.0 */
#include "policies/discipline.h"

static const struct param_spec adaptive_rows[] = {
    P_COUNT(discipline, congestion_threshold, NULL, 1, 1e9,
            "Requests waiting from which on the newest is next."),
    P_END};

static const struct param_spec codel_rows[] = {
    P_DURATION_AS(discipline, codel.target, "target", "5ms", 1, 1e18,
                  "Time that a request may wait without being too late."),
    P_DURATION_AS(discipline, codel.interval, "interval", "100ms", 1, 1e18,
                  "Time for which they must all have waited longer before one is dropped."),
    P_END};

static const struct alternative alternatives[] = {
    {.name = "fifo", .summary = "The oldest is served next.", .tag = DISCIPLINE_FIFO},
    {.name = "lifo", .summary = "The newest.", .tag = DISCIPLINE_LIFO},
    {.name = "priority",
     .summary = "The oldest of the highest priority.",
     .tag = DISCIPLINE_PRIORITY},
    {.name = "deadline",
     .summary = "The one with the earliest deadline, the oldest of equals; whose deadline has "
                "passed is not served. A deadline that is a time left counts from the arrival.",
     .tag = DISCIPLINE_DEADLINE},
    {.name = "adaptive_lifo",
     .summary = "The oldest while few wait, the newest while many do.",
     .tag = DISCIPLINE_ADAPTIVE_LIFO,
     .rows = adaptive_rows},
    {.name = "codel",
     .summary = "The oldest, of whom some are dropped, ever more often, while waits stay too long "
                "(RFC 8289); they get what a request gets that finds the queue full.",
     .tag = DISCIPLINE_CODEL,
     .rows = codel_rows},
    {.name = NULL}};

const struct choice discipline_choice = {
    .name = "discipline",
    .summary = "Who of those that wait is served next.",
    .size = sizeof(struct discipline),
    .tag_offset = SCHEMA_OFFSET(int, discipline, kind),
    .alternatives = alternatives,
};
