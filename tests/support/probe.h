/* SPDX-License-Identifier: Apache-2.0
 *
 * probe: an entity type for tests. It writes down, to the nanosecond, when each request and each
 * cancel reached it, and answers the k-th request by the k-th of its `answers` (the last one serves
 * all that follow), whatever is cancelled:
 *
 *   probe: {type: probe, answers: [{after: 1.5s}, {after: 0s, status: 503}, {after: none}]}
 *   probe: {type: probe, answers: [{status: 503, flags: retry_after, retry_after: 7s},
 *                                  {status: 200, flags: [processing]}, {refuse: true}]}
 */
#ifndef TESTS_SUPPORT_PROBE_H
#define TESTS_SUPPORT_PROBE_H

#include "engine/entity.h"
#include "support/trial.h"

/* The program's registry with the probe and the asker (support/asker.h) added. */
const struct entity_type *const *probe_registry(void);

enum { PROBE_MOST = 256 }; /* requests that are written down; more are only counted */

struct probe_visit {
    sim_time at;       /* [ns] */
    sim_time deadline; /* [ns] as in the message */
    uint32_t number;   /* of the logical request at its client, from 1 */
    entity_id client;
    uint16_t attempt;
    uint16_t class_;
    uint8_t priority; /* enum priority */
    uint8_t flags;    /* enum request_flag */
};

uint32_t probe_visits(const struct trial *t, const char *name);
const struct probe_visit *probe_visit(const struct trial *t, const char *name, uint32_t i);

uint32_t probe_cancels(const struct trial *t, const char *name);
const struct probe_visit *probe_cancel(const struct trial *t, const char *name, uint32_t i);

/* Fails unless the requests, or the cancels, reached the probe at these times [ns]. */
void probe_assert_times(const struct trial *t, const char *name, uint32_t n, const sim_time *at);
void probe_assert_cancels(const struct trial *t, const char *name, uint32_t n, const sim_time *at);

#endif
