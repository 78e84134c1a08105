/* SPDX-License-Identifier: Apache-2.0
 *
 * A trial: a study, written in the test as text or one that the project ships, run replication by
 * replication, and read by the names of its statistics. What the test did not ask for fails it with
 * the program's own messages.
 *
 * A statistic is named "entity.statistic": of one instance ("web[2].timeouts"), or of a whole group
 * ("web.timeouts"), whose counters and histograms are added up.
 */
#ifndef TESTS_SUPPORT_TRIAL_H
#define TESTS_SUPPORT_TRIAL_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/sim.h"
#include "model/study.h"

#define S(x) ((sim_time)((x)*1e9 + 0.5)) /* seconds of at most nine decimals [ns] */

struct trial {
    struct study *study; /* owned */
    struct sim *sim;     /* owned */
};

/* Reads the study that `format` and what follows make. Besides the program's own entity types it
 * may use `probe` and `asker` (support/probe.h, support/asker.h). */
void trial_open(struct trial *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
void trial_open_list(struct trial *t, const char *format, va_list args);
void trial_close(struct trial *t);

/* Reads a configuration of the project, named from its root, with overrides "path=value" that end
 * with NULL. */
void trial_load(struct trial *t, const char *path, const char *const *overrides);

/* One replication from reset to finish, under the study's seed. */
void trial_run(struct trial *t, uint64_t replication);

/* The parts of it: reset and run every event before `limit`; go on to the end and finish. */
void trial_begin(struct trial *t, uint64_t replication, sim_time limit);
void trial_end(struct trial *t);

/* The instance, or the first of the group, of this name. */
entity_id trial_entity(const struct trial *t, const char *name);

uint64_t trial_counter(const struct trial *t, const char *stat);
int64_t trial_level(const struct trial *t, const char *stat);     /* of a gauge, now */
int64_t trial_most(const struct trial *t, const char *stat);      /* of a gauge of one instance */
uint64_t trial_integral(const struct trial *t, const char *stat); /* of a gauge [level x ns] */
/* Adds the histogram to `h`. */
void trial_histogram(const struct trial *t, const char *stat, struct hist_counts *h);

/* Adds the values that a breakdown has under this group dealt with and this status to `h`. */
void trial_breakdown(const struct trial *t, const char *stat, const char *peer, uint16_t status,
                     struct hist_counts *h);

/* What a counter did in the i-th interval of the time series, from the start of the run. */
uint64_t trial_in_interval(const struct trial *t, const char *stat, uint32_t i);
uint32_t trial_intervals(const struct trial *t);

/* Seconds of simulated time that the statistics cover. */
double trial_seconds(const struct trial *t);

/* True if the groups of this name show the same figures in both trials, bucket by bucket.
 * `buckets` false: only count, sum, least and largest of the histograms. */
bool trial_same(const struct trial *a, const struct trial *b, const char *group, bool buckets);

#endif
