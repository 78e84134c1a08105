/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/limits.h"

#include <string.h>

#include "base/units.h"

/* A text that is refused ends the program. */
static void refuse(struct argp_state *state, const char *option, const char *reason)
{
    if (reason) {
        argp_error(state, "--%s: %s", option, reason);
    }
}

static sim_time read_duration(struct argp_state *state, const char *option, const char *arg)
{
    struct arena memory = {0};
    sim_time t = 0;
    refuse(state, option, units_read_duration(arg, &memory, &t));
    refuse(state, option, t > 0 ? NULL : "a limit is longer than nothing");
    arena_close(&memory);
    return t;
}

static int64_t read_size(struct argp_state *state, const char *option, const char *arg)
{
    struct arena memory = {0};
    double bytes = 0.0;
    refuse(state, option, units_read_real(arg, "B", &memory, &bytes));
    refuse(state, option, bytes >= 1.0 && bytes <= 1e18 ? NULL : "a limit is from 1B to 1e18B");
    arena_close(&memory);
    return (int64_t)bytes;
}

static struct failures_limit read_failures(struct argp_state *state, const char *option,
                                           const char *arg)
{
    struct arena memory = {0};
    struct failures_limit limit = {.text = arg, .is_share = strchr(arg, '%') != NULL};
    if (limit.is_share) {
        refuse(state, option, units_read_real(arg, "1", &memory, &limit.share));
        refuse(state, option,
               limit.share >= 0.0 && limit.share <= 1.0 ? NULL : "a share is from 0% to 100%");
    } else {
        refuse(state, option, units_read_count(arg, &memory, &limit.count));
        refuse(state, option, limit.count >= 0 ? NULL : "a number is from 0 on");
    }
    arena_close(&memory);
    return limit;
}

error_t limits_option(int key, char *arg, struct argp_state *state, struct run_request *request)
{
    switch (key) {
    case LIMITS_TIME_KEY:
        request->limit.wall = read_duration(state, "time-limit", arg);
        request->limit.text = arg;
        return 0;
    case LIMITS_WALL_KEY:
        request->watchdog.wall = read_duration(state, "replication-limit", arg);
        request->watchdog.wall_text = arg;
        return 0;
    case LIMITS_MEMORY_KEY:
        request->watchdog.memory = read_size(state, "memory-limit", arg);
        request->watchdog.memory_text = arg;
        return 0;
    case LIMITS_FAILURES_KEY:
        request->failures = read_failures(state, "max-failures", arg);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}
