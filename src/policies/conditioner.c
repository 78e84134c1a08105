/* SPDX-License-Identifier: Apache-2.0 */
#include "policies/conditioner.h"

#include <string.h>

static const struct param_spec rows[] = {
    P_DURATION(conditioner, latency, "0s", 0, 1e18, "Time by which each attempt is delayed."),
    P_DURATION(conditioner, jitter, "0s", 0, 1e18,
               "Most by which that is more or less; a delay is not below 0."),
    P_REAL(conditioner, loss, "0", 0, 1, "1",
           "Probability that an attempt is lost, which its caller learns at once."),
    P_TEXT(conditioner, name_filter, "",
           "Only requests whose name has this in it, upper and lower case told apart: the name of "
           "the kind of request or, where that is unknown, of who is called."),
    P_END};

const struct schema conditioner_schema = {
    .name = "conditioner",
    .summary = "Bad network, put before each attempt.",
    .size = sizeof(struct conditioner),
    .rows = rows,
};

bool conditioner_applies(const struct conditioner *c, const char *name)
{
    return conditioner_does(c) && (!c->name_filter || strstr(name, c->name_filter));
}

bool conditioner_drops(const struct conditioner *c, struct rng_stream *stream)
{
    return c->loss >= 1.0 || (c->loss > 0.0 && rng_unit(stream) < c->loss);
}

sim_time conditioner_delay(const struct conditioner *c, struct rng_stream *stream)
{
    if (c->jitter == 0) {
        return c->latency;
    }
    double shift = (2.0 * rng_unit(stream) - 1.0) * (double)c->jitter;
    return sim_time_round((double)c->latency + shift); /* which is never below 0 */
}
