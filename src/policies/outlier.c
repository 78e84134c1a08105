/* SPDX-License-Identifier: Apache-2.0 */
#include "policies/outlier.h"

#include <math.h>

static const struct param_spec success_rate_rows[] = {
    P_REAL(outlier_success_rate, stdev_factor, "1.9", 0, 1000, "1",
           "Standard deviations of the hosts' shares of successes by which one may lie below their "
           "mean."),
    P_COUNT(outlier_success_rate, minimum_hosts, "5", 1, 1e9,
            "Hosts with enough requests without which nobody is judged."),
    P_COUNT(outlier_success_rate, request_volume, "100", 1, 1e9,
            "Requests in an interval without which a host is left out."),
    P_END};

static const struct schema success_rate_schema = {
    .name = "success_rate",
    .summary = "Ejects hosts that succeed less often than the others.",
    .size = sizeof(struct outlier_success_rate),
    .rows = success_rate_rows};

static const struct param_spec failure_percentage_rows[] = {
    P_REAL(outlier_failure_percentage, threshold, "85%", 0, 1, "1",
           "Share of failures from which on a host is ejected."),
    P_COUNT(outlier_failure_percentage, minimum_hosts, "5", 1, 1e9,
            "Hosts with enough requests without which nobody is judged."),
    P_COUNT(outlier_failure_percentage, request_volume, "50", 1, 1e9,
            "Requests in an interval without which a host is left out."),
    P_END};

static const struct schema failure_percentage_schema = {
    .name = "failure_percentage",
    .summary = "Ejects hosts that fail too often, however the others do.",
    .size = sizeof(struct outlier_failure_percentage),
    .rows = failure_percentage_rows};

static const struct param_spec rows[] = {
    P_LIMIT(outlier, consecutive_errors, "5", 1, 1e9,
            "Failures in a row for which a host is ejected at once."),
    P_DURATION(outlier, interval, "10s", 1, 1e18,
               "Time after which, again and again, shares are judged and hosts come back."),
    P_DURATION(outlier, base_ejection_time, "30s", 1, 1e18,
               "How long an ejection lasts at least, times the number of ejections."),
    P_DURATION(outlier, max_ejection_time, "300s", 1, 1e18,
               "How long it lasts at most, but for the end of the interval."),
    P_REAL(outlier, max_ejection_percent, "10%", 0, 1, "1",
           "Share of the hosts at which nobody else is ejected. Unless it is 0, one may be."),
    P_LIST(outlier, errors, status_range_schema, "[489, 500-599]",
           "Answers that are failures. What is not answered in time is one, too."),
    P_LIST(outlier, success_rate, success_rate_schema, "[]",
           "Ejection by comparison with the others; by default none."),
    P_LIST(outlier, failure_percentage, failure_percentage_schema, "[]",
           "Ejection by the share of failures; by default none."),
    P_END};

static void derive(void *params, const struct node *at, struct diag *diag, struct arena *arena)
{
    (void)arena;
    const struct outlier *o = params;
    if (o->max_ejection_time < o->base_ejection_time) {
        diag_error(diag, at, "max_ejection_time must not be shorter than base_ejection_time");
    }
    diag_at_most_one(diag, at, "success_rate", o->success_rate.count);
    diag_at_most_one(diag, at, "failure_percentage", o->failure_percentage.count);
}

const struct schema outlier_schema = {.name = "outlier_ejection",
                                      .summary = "Which backends get no requests for a while.",
                                      .size = sizeof(struct outlier),
                                      .rows = rows,
                                      .derive = derive};

static bool is_full(const struct outlier *o, const struct outlier_hosts *h)
{
    uint32_t ejected = 0;
    for (uint32_t i = 0; i < h->n; i++) {
        ejected += h->all[i].ejected;
    }
    return (double)ejected / (double)h->n >= o->max_ejection_percent;
}

/* Ejects a host that is due, for a reason that `count` counts, if that is allowed. */
static bool eject(const struct outlier *o, const struct outlier_hosts *h, uint32_t host,
                  sim_time now, uint64_t *count)
{
    struct outlier_host *s = &h->all[host];
    if (is_full(o, h)) {
        h->counts->spared++;
        return false;
    }
    s->ejected = true;
    s->ejected_at = now;
    s->times++;
    h->counts->ejections++;
    ++*count;
    return true;
}

bool outlier_take(const struct outlier *o, const struct outlier_hosts *h, uint32_t host,
                  sim_time now, bool failed)
{
    struct outlier_host *s = &h->all[host];
    s->failures += failed;
    s->successes += !failed;
    s->consecutive = failed ? s->consecutive + 1 : 0;
    if (s->ejected || s->consecutive < o->consecutive_errors) {
        return false;
    }
    s->consecutive = 0;
    return eject(o, h, host, now, &h->counts->consecutive_errors);
}

/* The time that the ejection of a host takes [ns]. */
static sim_time ejection_time(const struct outlier *o, const struct outlier_host *s)
{
    return s->times <= o->max_ejection_time / o->base_ejection_time
               ? s->times * o->base_ejection_time
               : o->max_ejection_time;
}

static bool let_back(const struct outlier *o, const struct outlier_hosts *h, sim_time now)
{
    bool changed = false;
    for (uint32_t i = 0; i < h->n; i++) {
        struct outlier_host *s = &h->all[i];
        if (!s->ejected) {
            s->times -= s->times > 0;
        } else if (now - s->ejected_at >= ejection_time(o, s)) {
            s->ejected = false;
            s->consecutive = 0;
            h->counts->returned++;
            changed = true;
        }
    }
    return changed;
}

/* The share of successes of a host, if that says something: -1 if it does not. */
static double share_of(const struct outlier_host *s, int64_t request_volume)
{
    uint64_t requests = s->successes + s->failures;
    return s->ejected || requests < (uint64_t)request_volume
               ? -1.0
               : (double)s->successes / (double)requests;
}

/* Ejects whose share of successes is below the others'. */
static bool compare(const struct outlier *o, const struct outlier_hosts *h, sim_time now)
{
    const struct outlier_success_rate *r = o->success_rate.items;
    double sum = 0.0, squares = 0.0, most = 0.0;
    int64_t n = 0;
    for (uint32_t i = 0; i < h->n; i++) {
        double share = share_of(&h->all[i], r->request_volume);
        sum += share >= 0.0 ? share : 0.0;
        most = share > most ? share : most;
        n += share >= 0.0;
    }
    if (n < r->minimum_hosts) {
        return false;
    }
    double mean = sum / (double)n;
    mean = mean < most ? mean : most; /* rounded up, it would lie above hosts that are all equal */
    for (uint32_t i = 0; i < h->n; i++) {
        double share = share_of(&h->all[i], r->request_volume);
        squares += share >= 0.0 ? (share - mean) * (share - mean) : 0.0;
    }
    double least = mean - r->stdev_factor * sqrt(squares / (double)n);
    bool changed = false;
    for (uint32_t i = 0; i < h->n; i++) {
        double share = share_of(&h->all[i], r->request_volume);
        if (share >= 0.0 && share < least) {
            changed |= eject(o, h, i, now, &h->counts->success_rate);
        }
    }
    return changed;
}

/* Ejects whose share of failures is too high. */
static bool hold_against_threshold(const struct outlier *o, const struct outlier_hosts *h,
                                   sim_time now)
{
    const struct outlier_failure_percentage *f = o->failure_percentage.items;
    int64_t n = 0;
    for (uint32_t i = 0; i < h->n; i++) {
        n += share_of(&h->all[i], f->request_volume) >= 0.0;
    }
    bool changed = false;
    for (uint32_t i = 0; i < h->n && n >= f->minimum_hosts; i++) {
        const struct outlier_host *s = &h->all[i];
        if (share_of(s, f->request_volume) >= 0.0 &&
            (double)s->failures / (double)(s->failures + s->successes) >= f->threshold) {
            changed |= eject(o, h, i, now, &h->counts->failure_percentage);
        }
    }
    return changed;
}

bool outlier_end_interval(const struct outlier *o, const struct outlier_hosts *h, sim_time now)
{
    bool changed = let_back(o, h, now);
    if (o->success_rate.count > 0) {
        changed |= compare(o, h, now);
    }
    if (o->failure_percentage.count > 0) {
        changed |= hold_against_threshold(o, h, now);
    }
    for (uint32_t i = 0; i < h->n; i++) {
        h->all[i].successes = h->all[i].failures = 0;
    }
    return changed;
}
