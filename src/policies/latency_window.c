/* SPDX-License-Identifier: Apache-2.0 */
#include "policies/latency_window.h"

#include <string.h>

#include "base/check.h"
#include "base/loglinear.h"

enum { SUB_BITS = 6 };

void latency_window_check(const struct latency_window *w, const struct node *at, struct diag *diag)
{
    if (w->maximum < w->minimum) {
        diag_error(diag, at, "maximum is below minimum");
    }
}

/* Counts of one bucket: one for what is not above the minimum, and one per log-linear bucket. */
static uint32_t bins(const struct latency_window *w)
{
    return loglinear_bin((uint64_t)w->maximum, SUB_BITS) -
           loglinear_bin((uint64_t)w->minimum, SUB_BITS) + 2;
}

static uint32_t bin_of(const struct latency_window *w, sim_time latency)
{
    if (latency <= w->minimum) {
        return 0;
    }
    latency = latency < w->maximum ? latency : w->maximum;
    return loglinear_bin((uint64_t)latency, SUB_BITS) -
           loglinear_bin((uint64_t)w->minimum, SUB_BITS) + 1;
}

/* The largest latency of a bin. */
static sim_time last_of(const struct latency_window *w, uint32_t bin)
{
    if (bin == 0) {
        return w->minimum;
    }
    uint32_t next = loglinear_bin((uint64_t)w->minimum, SUB_BITS) + bin;
    sim_time last = (sim_time)loglinear_edge(next, SUB_BITS) - 1;
    return last < w->maximum ? last : w->maximum;
}

static sim_time width_of(const struct latency_window *w)
{
    return w->window / w->buckets;
}

/* Buckets begin `width` apart and live for at most the window and a width, so there are at most
 * buckets + 2 of them, and one less that are not the newest. */
size_t latency_state_size(const struct latency_window *w)
{
    size_t counts = (size_t)bins(w) * ((size_t)w->buckets + 2);
    return sizeof(struct latency_state) + counts * sizeof(uint32_t);
}

/* What bucket i saw and the next one did not; i < live - 1. */
static uint32_t *seen_before_next(const struct latency_window *w, struct latency_state *s,
                                  uint32_t i)
{
    return s->counts + (size_t)bins(w) * (i + 1);
}

static void drop_oldest(const struct latency_window *w, struct latency_state *s)
{
    uint32_t n = bins(w);
    if (s->live == 1) {
        memset(s->counts, 0, n * sizeof(uint32_t));
        s->total = 0;
    } else {
        uint32_t *gone = seen_before_next(w, s, 0);
        for (uint32_t i = 0; i < n; i++) {
            s->counts[i] -= gone[i];
            s->total -= gone[i];
        }
        memmove(gone, gone + n, (size_t)n * (s->live - 2) * sizeof(uint32_t));
    }
    s->live--;
    memmove(s->start, s->start + 1, s->live * sizeof s->start[0]);
    s->cursor = s->before = 0;
}

static void drop_old(const struct latency_window *w, struct latency_state *s, sim_time now)
{
    sim_time most = w->window + width_of(w);
    while (s->live > 0 && now - s->start[0] > most) {
        drop_oldest(w, s);
    }
}

/* The newest bucket saw what the oldest did but for what came before it; with a next one, that is
 * kept by itself. */
static void begin_bucket(const struct latency_window *w, struct latency_state *s, sim_time now)
{
    CHECK(s->live < w->buckets + 2, "a bucket of latencies too many");
    if (s->live > 0) {
        uint32_t n = bins(w), *seen = seen_before_next(w, s, s->live - 1);
        memcpy(seen, s->counts, n * sizeof(uint32_t));
        for (uint32_t k = 0; k + 1 < s->live; k++) {
            const uint32_t *earlier = seen_before_next(w, s, k);
            for (uint32_t i = 0; i < n; i++) {
                seen[i] -= earlier[i];
            }
        }
    }
    s->start[s->live++] = now;
}

void latency_observe(const struct latency_window *w, struct latency_state *s, sim_time now,
                     sim_time latency)
{
    drop_old(w, s, now);
    if (s->live == 0 || now - s->start[s->live - 1] >= width_of(w)) {
        begin_bucket(w, s, now);
    }
    CHECK_LIMIT(s->total < UINT32_MAX, "a window of latencies holds 2^32 of them");
    uint32_t bin = bin_of(w, latency);
    s->total++;
    s->counts[bin]++;
    s->before += bin < s->cursor;
}

sim_time latency_quantile(const struct latency_window *w, struct latency_state *s, sim_time now)
{
    drop_old(w, s, now);
    if (s->total == 0) {
        return SIM_TIME_NEVER;
    }
    /* In integers, since 0.07 * 100 is above 7 in floating point. */
    uint64_t millionths = (uint64_t)(w->percentile * 1e6 + 0.5);
    uint64_t rank = (millionths * s->total + 999999) / 1000000;
    while (s->before >= rank) {
        s->before -= s->counts[--s->cursor];
    }
    while (s->before + s->counts[s->cursor] < rank) {
        s->before += s->counts[s->cursor++];
    }
    return last_of(w, s->cursor);
}
