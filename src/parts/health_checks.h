/* SPDX-License-Identifier: Apache-2.0
 *
 * Active health checks: every so often each far end of a port is sent a request, and is unhealthy
 * when several in a row have not been answered well in time (policies/health.h). Checks go over the
 * wires and are served like any request. An answer that comes after the timeout is stale and tells
 * nothing.
 *
 * Each far end must have a wire of its own, on which the checks are not counted as outstanding.
 */
#ifndef SQUALL_PARTS_HEALTH_CHECKS_H
#define SQUALL_PARTS_HEALTH_CHECKS_H

#include "engine/entity.h"
#include "engine/kind.h"
#include "policies/health.h"

struct health_checks {
    struct kind kind;
    sim_time interval, timeout; /* [ns] */
    int64_t healthy, unhealthy; /* checks in a row */
    double bytes;               /* [B] */
};

extern const struct schema health_checks_schema;

/* One far end; zero at first. */
struct health_check {
    struct health_state health;
    uint32_t number; /* of the check that is awaited; 0: none */
    uint64_t timer;  /* of its timeout */
};

struct health_check_stats {
    uint64_t checks_performed, checks_passed, checks_failed, checks_timed_out, checks_forgotten;
    uint64_t checks_stale, backends_marked_unhealthy, backends_marked_healthy;
    struct gauge checks_awaited;
};

/* Statistics rows of a health_check_stats that is the member `at` of struct `tag`.
 * checks_performed = checks_passed + checks_failed + checks_forgotten + checks_awaited, without a
 * warm-up. */
#define HEALTH_CHECK_STAT(tag, at, member, kind_, doc_) \
    { \
        .name = #member, .doc = doc_, .unit = "1", .kind = kind_, \
        .offset = offsetof(struct tag, at) + offsetof(struct health_check_stats, member) \
    }
#define HEALTH_CHECK_STATS(tag, at) \
    HEALTH_CHECK_STAT(tag, at, checks_performed, STAT_COUNTER, "Health checks sent."), \
        HEALTH_CHECK_STAT(tag, at, checks_passed, STAT_COUNTER, \
                          "Checks answered well and in time."), \
        HEALTH_CHECK_STAT(tag, at, checks_failed, STAT_COUNTER, \
                          "Checks that were not, for whatever reason."), \
        HEALTH_CHECK_STAT(tag, at, checks_timed_out, STAT_COUNTER, \
                          "Checks that failed for want of an answer in time."), \
        HEALTH_CHECK_STAT(tag, at, checks_forgotten, STAT_COUNTER, \
                          "Checks forgotten in a crash."), \
        HEALTH_CHECK_STAT(tag, at, checks_stale, STAT_COUNTER, \
                          "Answers to checks that had timed out, or been forgotten."), \
        HEALTH_CHECK_STAT(tag, at, backends_marked_unhealthy, STAT_COUNTER, \
                          "Times that a backend became unhealthy."), \
        HEALTH_CHECK_STAT(tag, at, backends_marked_healthy, STAT_COUNTER, \
                          "Times that one became healthy again."), \
        HEALTH_CHECK_STAT(tag, at, checks_awaited, STAT_GAUGE, "Checks under way.")

/* What the part needs of its owner; put together on the spot, never stored. */
struct health_checker {
    struct ctx *ctx;
    const struct health_checks *params;
    struct health_check *checks; /* of all far ends of the port; zero again after a crash */
    struct health_check_stats *stats;
    uint32_t *last; /* number of the last check; not forgotten in a crash */
    uint16_t port;
    uint16_t timer_kind; /* the first of HEALTH_CHECK_TIMERS kinds of the owner's timers */
};
enum { HEALTH_CHECK_TIMERS = 2 };

/* Checks everybody, now and from now on. For the owner's init, and when it is up again. */
void health_checks_begin(const struct health_checker *h);

/* Whether a reply is one to a check: by its token, of which no slab has the like. */
static inline bool health_checks_own(const struct message *m)
{
    return m->token >> 32 == 0;
}

/* Takes a reply to a check, or one of the part's timers. True when that has made a far end healthy
 * or unhealthy. */
bool health_checks_handle(const struct health_checker *h, const struct event *e);

/* The owner has crashed. */
void health_checks_crash(struct health_check_stats *stats, sim_time now);

#endif
