/* SPDX-License-Identifier: Apache-2.0 */
#include "policies/autoscaler.h"

#include <math.h>

enum { MOST_REMEMBERED = 10000 };
#define NOISE 1e-12 /* relative, of a product of doubles */

static const char *const metric_words[] = {"utilization", "queue", NULL};

static const struct param_spec hpa_rows[] = {
    P_WORD(autoscaler, metric, metric_words, "utilization",
           "What is looked at, on average since it was last: the share of workers in use, or the "
           "requests waiting per worker."),
    P_REAL(autoscaler, target, "80%", 1e-6, 1e9, "1", "What that is to be."),
    P_REAL(autoscaler, tolerance, "0.1", 0, 1e9, "1",
           "How far the metric may be off, relatively, without consequences."),
    P_COUNT(autoscaler, min_replicas, "1", 1, 1e6, "Replicas at least."),
    P_COUNT(autoscaler, max_replicas, "10", 1, 1e6, "Replicas at most."),
    P_COUNT(autoscaler, initial_replicas, "1", 1, 1e6, "Replicas at the start, all ready."),
    P_DURATION(autoscaler, sync_period, "15s", 1e6, 1e15, "Time from one decision to the next."),
    P_DURATION(autoscaler, boot_delay, "30s", 0, 1e15,
               "Time from a decision for a replica until it serves."),
    P_COUNT(autoscaler, scale_up_replicas, "4", 1, 1e6,
            "Replicas by which there may be more after each scale_up_period, ..."),
    P_REAL(autoscaler, scale_up_share, "100%", 1e-6, 1e6, "1",
           "... or by which share of those there were, if that is more."),
    P_DURATION(autoscaler, scale_up_period, "15s", 1, 1e15, "See scale_up_replicas."),
    P_DURATION(autoscaler, scale_down_window, "300s", 0, 1e15,
               "Replicas are only taken away that nothing has asked for in this time."),
    P_END};

static const struct alternative alternatives[] = {
    {.name = "none", .summary = "There is one replica.", .tag = AUTOSCALER_NONE},
    {.name = "hpa",
     .summary = "Replicas in proportion to a metric, as by Kubernetes' horizontal pod autoscaler.",
     .tag = AUTOSCALER_HPA,
     .rows = hpa_rows},
    {.name = NULL}};

static void derive(void *value, const struct node *at, struct diag *diag, struct arena *arena)
{
    (void)arena;
    struct autoscaler *a = value;
    if (a->kind == AUTOSCALER_NONE) {
        return;
    }
    if (a->min_replicas > a->initial_replicas || a->initial_replicas > a->max_replicas) {
        diag_error(diag, at, "initial_replicas must lie between min_replicas and max_replicas");
    }
    if (a->metric == METRIC_UTILIZATION && a->target > 1.0) {
        diag_error(diag, at, "target of utilization is above 100%%");
    }
    sim_time back =
        a->scale_down_window > a->scale_up_period ? a->scale_down_window : a->scale_up_period;
    if (back / a->sync_period > MOST_REMEMBERED) {
        diag_error(diag, at, "scale_down_window and scale_up_period are at most %d sync_periods",
                   MOST_REMEMBERED);
    }
    /* Those less than `back` ago, one before them, and the one that is being made. */
    a->remembered = (uint32_t)(back / a->sync_period) + 3;
}

const struct choice autoscaler_choice = {
    .name = "autoscaler",
    .summary = "How many replicas there are.",
    .size = sizeof(struct autoscaler),
    .tag_offset = SCHEMA_OFFSET(int, autoscaler, kind),
    .alternatives = alternatives,
    .derive = derive,
};

size_t autoscaler_state_size(const struct autoscaler *a)
{
    return a->kind == AUTOSCALER_NONE
               ? 0
               : sizeof(struct autoscaler_state) + a->remembered * sizeof(struct autoscaler_entry);
}

static void remember(const struct autoscaler *a, struct autoscaler_state *s,
                     struct autoscaler_entry entry)
{
    s->entries[s->n++ % a->remembered] = entry;
}

/* The i-th decision before the next one, or NULL if that is forgotten or never was. */
static const struct autoscaler_entry *before(const struct autoscaler *a,
                                             const struct autoscaler_state *s, uint64_t i)
{
    return i <= s->n && i <= a->remembered ? &s->entries[(s->n - i) % a->remembered] : NULL;
}

static int64_t recommend(const struct autoscaler *a, int64_t current, int64_t ready, double metric)
{
    double ratio = metric / a->target, counted = (double)ready;
    if (ready == 0) {
        return current;
    }
    if (ratio > 1.0 && ready < current) {
        counted = (double)current;
        ratio *= (double)ready / counted;
        if (ratio <= 1.0) {
            return current;
        }
    }
    if (fabs(ratio - 1.0) <= a->tolerance * (1.0 + NOISE) + NOISE) {
        return current;
    }
    double wanted = ceil(ratio * counted * (1.0 - NOISE));
    return wanted < (double)a->max_replicas ? (int64_t)wanted : a->max_replicas;
}

/* What the largest recommendation of the window asks for, up to what there is. */
static int64_t stabilised(const struct autoscaler *a, const struct autoscaler_state *s,
                          sim_time now, int64_t current, int64_t wanted)
{
    const struct autoscaler_entry *e;
    int64_t most = wanted;
    for (uint64_t i = 1; (e = before(a, s, i)) && now - e->time < a->scale_down_window; i++) {
        most = e->recommended > most ? e->recommended : most;
    }
    return wanted >= current ? wanted : most < current ? most : current;
}

static int64_t largest(const struct autoscaler *a, const struct autoscaler_state *s, sim_time now,
                       int64_t current)
{
    const struct autoscaler_entry *e;
    int64_t then = current;
    for (uint64_t i = 1; (e = before(a, s, i)); i++) {
        then = e->replicas;
        if (now - e->time >= a->scale_up_period) {
            break;
        }
    }
    double share = ceil((double)then * (1.0 + a->scale_up_share) * (1.0 - NOISE));
    double most = fmax(share, (double)(then + a->scale_up_replicas));
    most = fmin(fmax(most, (double)current), (double)a->max_replicas);
    return (int64_t)most;
}

int64_t autoscaler_decide(const struct autoscaler *a, struct autoscaler_state *s, sim_time now,
                          int64_t current, int64_t ready, double metric)
{
    if (s->n == 0) {
        remember(a, s, (struct autoscaler_entry){now, current, current});
    }
    int64_t recommended = recommend(a, current, ready, metric);
    int64_t wanted = stabilised(a, s, now, current, recommended);
    int64_t most = largest(a, s, now, current);
    wanted = wanted > most ? most : wanted;
    wanted = wanted < a->min_replicas ? a->min_replicas : wanted;
    remember(a, s, (struct autoscaler_entry){now, recommended, wanted});
    return wanted;
}
