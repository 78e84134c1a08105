/* SPDX-License-Identifier: Apache-2.0 */
#include "experiment/watchdog.h"

#include <stdio.h>

#include "parallel/patience.h"

void watchdog_begin(struct watchdog *w, const struct watchdog_limits *limits)
{
    *w = (struct watchdog){.limits = limits, .began = patience_clock()};
}

bool watchdog_poll(struct watchdog *w, const struct sim *s)
{
    const struct watchdog_limits *l = w->limits;
    if (l->wall > 0 && patience_clock() - w->began >= (uint64_t)l->wall) {
        w->bites = true;
        snprintf(w->limit, sizeof w->limit, "--replication-limit %s", l->wall_text);
    } else if (l->memory > 0 && sim_memory(s) > (uint64_t)l->memory) {
        w->bites = true;
        snprintf(w->limit, sizeof w->limit, "--memory-limit %s", l->memory_text);
    }
    return !w->bites;
}
