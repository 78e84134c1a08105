/* SPDX-License-Identifier: Apache-2.0
 *
 * Replicas of a service behind one queue, whose number an autoscaler decides on
 * (policies/autoscaler.h). A new one serves after it has booted. When some are to go, those that
 * boot go first, the newest of them; then those that are ready, which end what they have.
 *
 * The metric is an average over the time since the last decision: workers in use, or requests
 * waiting, times time, over the workers there were, times time. Without a worker in all that time
 * nothing is decided.
 *
 * A crash takes all replicas down; when the service is up again, there are as many as were wanted.
 */
#ifndef SQUALL_PARTS_REPLICAS_H
#define SQUALL_PARTS_REPLICAS_H

#include <stdint.h>

#include "engine/entity.h"
#include "policies/autoscaler.h"

struct replicas_stats {
    uint64_t up, down;
    struct gauge wanted, ready;
};
#define REPLICAS_STAT(tag, at, name_, member, type_, kind_, doc_) \
    { \
        .name = name_, .doc = doc_, .unit = "1", .kind = kind_, \
        .offset = offsetof(struct tag, at) + STAT_OFFSET(type_, replicas_stats, member) \
    }
#define REPLICAS_STATS(tag, at) \
    REPLICAS_STAT(tag, at, "replicas_added", up, uint64_t, STAT_COUNTER, \
                  "Replicas that the autoscaler has added."), \
        REPLICAS_STAT(tag, at, "replicas_removed", down, uint64_t, STAT_COUNTER, \
                      "Replicas that the autoscaler has taken away."), \
        REPLICAS_STAT(tag, at, "replicas_wanted", wanted, struct gauge, STAT_GAUGE, \
                      "Replicas that there are to be; 0: there is no autoscaler."), \
        REPLICAS_STAT(tag, at, "replicas", ready, struct gauge, STAT_GAUGE, \
                      "Replicas that serve; likewise.")

/* Replicas and what they need of their owner; put together on the spot, never stored. */
struct replicas_room {
    struct ctx *ctx;
    const struct autoscaler *params;
    uint32_t *place; /* part of the owner's plain data, where their memory lies; 0 at first */
    struct replicas_stats *stats;
    uint16_t sync_timer, boot_timer; /* kinds of the owner's timers */
};

/* At the start of the run. */
void replicas_open(const struct replicas_room *r);

/* How many serve. */
int64_t replicas_ready(const struct replicas_room *r);

/* From now on there are so many workers, so many of them in use, and so many requests wait. */
void replicas_note_workers(const struct replicas_room *r, int64_t workers);
void replicas_note_busy(const struct replicas_room *r, int64_t busy);
void replicas_note_queue(const struct replicas_room *r, int64_t waiting);

/* One of the timers has run. There may be more or fewer that serve, now. */
void replicas_sync(const struct replicas_room *r);
void replicas_booted(const struct replicas_room *r);

/* Up again after a crash. */
void replicas_restart(const struct replicas_room *r);

#endif
