/* SPDX-License-Identifier: Apache-2.0
 *
 * A study in which everything happens that a model can do to its requests: timeouts, retries with
 * jitter, refusals, losses, balancing, downstream calls, crashes and slowdowns. Its names are
 * `users`, `robots`, `web` and `db`; the load is beyond what `db` can bear.
 */
#ifndef TESTS_SUPPORT_STORM_H
#define TESTS_SUPPORT_STORM_H

#define STORM_SETTINGS \
    "squall: 1\n" \
    "duration: 20s\n" \
    "warmup: 2s\n"

#define STORM_ENTITIES \
    "  users:\n" \
    "    type: client\n" \
    "    count: 3\n" \
    "    target: {to: web, balance: power_of_two_choices}\n" \
    "    arrivals: {kind: poisson, rate: 300/s}\n" \
    "    requests: {read: {weight: 4, priority: low, bytes: 100}, write: {priority: high}}\n" \
    "    call: {timeout: 150ms, retry: {kind: exponential, max_attempts: 4, initial_delay: " \
    "20ms,\n" \
    "           max_delay: 1s, jitter: full}}\n" \
    "  robots:\n" \
    "    type: client\n" \
    "    target: {to: web, balance: least_outstanding}\n" \
    "    arrivals: {closed: {users: 20, think_time: {exponential: 50ms}}}\n" \
    "    call: {timeout: {uniform: {low: 50ms, high: 300ms}},\n" \
    "           retry: {kind: decorrelated_jitter, max_attempts: 3, base_delay: 5ms,\n" \
    "                   max_delay: 200ms}}\n" \
    "  web:\n" \
    "    type: server\n" \
    "    count: 4\n" \
    "    concurrency: 16\n" \
    "    queue: {discipline: priority, capacity: 50}\n" \
    "    service_time: {lognormal: {mean: 4ms, cv: 1.5}}\n" \
    "    responses: [{status: 200, weight: 99}, {status: 503}]\n" \
    "    calls: [{target: {to: db, balance: random}, timeout: 60ms,\n" \
    "             retry: {kind: fixed, max_attempts: 2, delay: 0s}}]\n" \
    "  db: {type: server, count: 2, concurrency: 8, queue: {discipline: lifo, capacity: 200},\n" \
    "       service_time: {exponential: 18ms}}\n"

#define STORM_REST \
    "network:\n" \
    "  - {from: web, to: db, latency: 250us}\n" \
    "  - {latency: 1ms, jitter: {exponential: 200us}, loss: 1%, bandwidth: 1GB/s}\n" \
    "timeline:\n" \
    "  - {at: 5s, for: 3s, slow: db, factor: 3}\n" \
    "  - {at: 6s, for: 4s, rate: users, factor: 1.5}\n" \
    "  - {at: 9s, for: 1s, crash: web}\n" \
    "  - {at: 11s, for: 500ms, crash: users}\n"

#define STORM STORM_SETTINGS "entities:\n" STORM_ENTITIES STORM_REST

#endif
