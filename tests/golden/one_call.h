/* SPDX-License-Identifier: Apache-2.0
 *
 * What golden tests of calls share: a client called `users` that makes requests at given times to
 * an entity called `service`, and what it is to have counted.
 */
#ifndef TESTS_GOLDEN_ONE_CALL_H
#define TESTS_GOLDEN_ONE_CALL_H

#include "support/trial.h"

/* One request at 0 s, made as `call` says, to `service`; more of the study may follow in `rest`.
 * `call` may go on with the client after its own end, as in "timeout: 1s}, requests: {any: {}". */
void one_call(struct trial *t, const char *call, const char *service, const char *rest);

/* Likewise with requests at `times`. */
void calls_at(struct trial *t, const char *times, const char *call, const char *service,
              const char *rest);

/* Fails unless the counters of this entity, or of this group, are these, written as
 * "requests_sent 3, retries 2", and all others 0. Those whose name begins with `prefix` only. */
void assert_counters(const struct trial *t, const char *name, const char *prefix,
                     const char *expected);

/* Likewise of the calls of `users`. */
void assert_users(const struct trial *t, const char *expected);

/* Fails unless the request latencies of `users` add up to this [ns]: for one request at 0 s, when
 * it ended. */
void assert_ended(const struct trial *t, sim_time at);

#endif
