/* SPDX-License-Identifier: Apache-2.0 */
#include "policies/admission.h"

static const struct param_spec balking_rows[] = {
    P_COUNT(admission, threshold, "5", 1, 1e9, "Requests waiting from which on others balk."),
    P_REAL(admission, probability, "1", 0, 1, "1", "Probability that one then does."), P_END};

static const struct param_spec red_rows[] = {
    P_REAL(admission, min_threshold, NULL, 0, 1e9, "1",
           "Average number waiting below which none is turned away."),
    P_REAL(admission, max_threshold, NULL, 0, 1e9, "1", "The same from which on all are."),
    P_REAL(admission, max_probability, "10%", 1e-9, 1, "1",
           "Probability of being turned away just below that."),
    P_REAL(admission, weight, "0.002", 1e-9, 1, "1",
           "Weight of the number that an arrival finds in the average."),
    P_END};

#define DAGOR(member, type_, kind_, unit_, fallback_, low_, high_, doc_) \
    { \
        .name = #member, .doc = doc_, .unit = unit_, .fallback = fallback_, .low = low_, \
        .high = high_, .kind = kind_, \
        .offset = offsetof(struct admission, dagor) + SCHEMA_OFFSET(type_, dagor, member) \
    }
#define DAGOR_TIME(member, fallback, low, doc) \
    DAGOR(member, sim_time, PARAM_DURATION, "ns", fallback, low, 1e15, doc)
#define DAGOR_SHARE(member, fallback, doc) \
    DAGOR(member, double, PARAM_REAL, "1", fallback, 0, 1, doc)

static const struct param_spec dagor_rows[] = {
    DAGOR_TIME(threshold, "20ms", 0, "Mean time in the queue above which there is overload."),
    DAGOR_TIME(window, "1s", 1, "How long it is observed before more or fewer are admitted, ..."),
    DAGOR(window_requests, int64_t, PARAM_COUNT, "1", "2000", 1, 1e9,
          "... or until so many have come."),
    DAGOR_SHARE(alpha, "5%", "Share of those admitted that is refused in addition in overload."),
    DAGOR_SHARE(beta, "1%", "Share of all that is admitted in addition without."),
    DAGOR_TIME(reshuffle, "1h", 1, "Time after which requests of a class change places."),
    P_END};

static const struct alternative alternatives[] = {
    {.name = "none", .summary = "All may wait.", .tag = ADMISSION_NONE},
    {.name = "balking",
     .summary = "Some or all do not when many wait already.",
     .tag = ADMISSION_BALKING,
     .rows = balking_rows},
    {.name = "red",
     .summary = "Ever more are turned away as the average number waiting grows (random early "
                "detection).",
     .tag = ADMISSION_RED,
     .rows = red_rows},
    {.name = "dagor",
     .summary = "Those of the lowest priorities are turned away, even where nobody waits, as long "
                "as those served wait for too long (DAGOR).",
     .tag = ADMISSION_DAGOR,
     .rows = dagor_rows},
    {.name = NULL}};

static void derive(void *value, const struct node *at, struct diag *diag, struct arena *arena)
{
    (void)arena;
    const struct admission *a = value;
    if (a->kind == ADMISSION_RED && a->max_threshold <= a->min_threshold) {
        diag_error(diag, at, "max_threshold must be above min_threshold");
    }
}

const struct choice admission_choice = {
    .name = "admission",
    .summary = "Whether a request waits where there is room.",
    .size = sizeof(struct admission),
    .tag_offset = SCHEMA_OFFSET(int, admission, kind),
    .alternatives = alternatives,
    .derive = derive,
};

static bool happens(double p, struct rng_stream *stream)
{
    return p >= 1.0 || (p > 0.0 && rng_unit(stream) < p);
}

static void average(const struct admission *a, struct admission_state *s, uint32_t waiting)
{
    s->average += a->weight * ((double)waiting - s->average);
}

void admission_pass(const struct admission *a, struct admission_state *s)
{
    if (a->kind == ADMISSION_RED) {
        average(a, s, 0);
    }
}

/* By its average, of which `waiting` is part now. */
static double red_probability(const struct admission *a, const struct admission_state *s)
{
    if (s->average >= a->max_threshold) {
        return 1.0;
    }
    double band = a->max_threshold - a->min_threshold;
    double b = a->max_probability * (s->average - a->min_threshold) / band;
    double rest = 1.0 - (double)s->let_in * b;
    return rest > b ? b / rest : 1.0;
}

static bool red_refuses(const struct admission *a, struct admission_state *s, bool full,
                        struct rng_stream *stream)
{
    if (full) {
        return false;
    }
    bool below = s->average < a->min_threshold;
    bool refuses = !below && happens(red_probability(a, s), stream);
    s->let_in = below || refuses ? 0 : s->let_in + 1;
    return refuses;
}

bool admission_refuses(const struct admission *a, struct admission_state *s, uint32_t waiting,
                       bool full, struct rng_stream *stream)
{
    if (a->kind == ADMISSION_RED) {
        average(a, s, waiting);
        return red_refuses(a, s, full, stream);
    }
    return a->kind == ADMISSION_BALKING && (int64_t)waiting >= a->threshold &&
           happens(a->probability, stream);
}
