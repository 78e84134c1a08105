/* SPDX-License-Identifier: Apache-2.0
 *
 * A study in which everything happens that a model can do to its requests: timeouts, retries of
 * every sort, hedges, cancels, budgets, circuit breakers, throttles, deadlines, bad network,
 * refusals, losses, balancing, downstream calls, crashes and slowdowns. Its names are `users`,
 * `robots`, `crawlers`, `web` and `db`; the load is beyond what `db` can bear.
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
    "    requests: {read: {weight: 4, priority: low, bytes: 100},\n" \
    "               write: {priority: high, method: PUT}}\n" \
    "    call:\n" \
    "      timeout: 60ms\n" \
    "      retry: {kind: exponential, max_attempts: 4, initial_delay: 20ms, max_delay: 1s,\n" \
    "              jitter: full}\n" \
    "      methods:\n" \
    "        - methods: PUT\n" \
    "          retry: {kind: adaptive, base_delay: 10ms}\n" \
    "          strategy: {kind: parallel, attempts: 2,\n" \
    "                     delays: {percentile: {minimum: 10ms, window: 1s}}}\n" \
    "      retry_budget: {token_bucket: {capacity: 100, deposit_per_request: 1}}\n" \
    "      breaker: {kind: ratio, failure_threshold: 90%, minimum_throughput: 20,\n" \
    "                sampling_duration: 200ms, break_duration: 100ms, scope: endpoint}\n" \
    "      cancel: []\n" \
    "      accept_late: true\n" \
    "  robots:\n" \
    "    type: client\n" \
    "    target: {to: web, balance: least_outstanding}\n" \
    "    arrivals: {closed: {users: 20, think_time: {exponential: 50ms}}}\n" \
    "    call:\n" \
    "      timeout: {uniform: {low: 50ms, high: 300ms}}\n" \
    "      strategy: {kind: parallel, attempts: 3, reference: previous, after_failure: next,\n" \
    "                 delays: {kind: decorrelated_jitter, base_delay: 20ms, max_delay: 90ms,\n" \
    "                          shared_state: true}}\n" \
    "      retry: {kind: decorrelated_jitter, max_attempts: 3, base_delay: 5ms,\n" \
    "              max_delay: 200ms}\n" \
    "      retry_budget: {concurrency: {budget_percent: 50%}}\n" \
    "      throttle: {sre: {window: 1s, buckets: 10}}\n" \
    "      connection_latency: {exponential: 1ms}\n" \
    "      connection_attempts: 2\n" \
    "      cancel: [losers, timeouts]\n" \
    "      phases: {connect: 5ms, write: 20ms, read: 250ms}\n" \
    "      conditioner: {latency: 1ms, jitter: 3ms, loss: 1%}\n" \
    "  crawlers:\n" \
    "    type: client\n" \
    "    target: web\n" \
    "    arrivals: {kind: constant, rate: 100/s}\n" \
    "    requests: {page: {method: GET}, form: {method: POST}}\n" \
    "    call:\n" \
    "      timeout: 100ms\n" \
    "      retry: {kind: percentile, max_attempts: 4, minimum: 5ms, window: 2s, jitter: equal,\n" \
    "              retry_if: [{method: POST, retry: false}, {error: timeout, attempt: [1, 2]},\n" \
    "                         {status: 500-599, probability: 50%}, {flags: processing}],\n" \
    "              max_total_time: 300ms, max_wait_time: 50ms, jitter_factor: 10%}\n" \
    "      retry_budget: {rate: {max_share: 10%, window: 1s}}\n" \
    "      breaker: {kind: state_attributed, failure_threshold: 4, timeout: 50ms}\n" \
    "      deadline: 120ms\n" \
    "      deadline_split: between_attempts\n" \
    "      deadline_accounting: absolute\n" \
    "      low_timeout_threshold: 20ms\n" \
    "  web:\n" \
    "    type: server\n" \
    "    count: 4\n" \
    "    concurrency: 5\n" \
    "    queue: {discipline: priority, capacity: 5}\n" \
    "    service_time: {lognormal: {mean: 4ms, cv: 1.5}}\n" \
    "    responses: [{weight: 90}, {status: 503, retry_after: 10ms},\n" \
    "                {outcome: refuse, weight: 5}, {outcome: reset}, {outcome: drop},\n" \
    "                {processing: true}, {flaky: true}]\n" \
    "    reject_retry_after: 20ms\n" \
    "    on_cancel: abort\n" \
    "    middleware: {kind: deadline, timeout: 200ms, low_timeout_threshold: 20ms,\n" \
    "                 cancel_on_timeout: true}\n" \
    "    calls:\n" \
    "      - target: {to: db, balance: random}\n" \
    "        timeout: 60ms\n" \
    "        retry: {kind: fixed, max_attempts: 2, delay: 0s}\n" \
    "        retry_budget: {ratio: {ttl: 1s, min_retries_per_second: 1}}\n" \
    "        breaker: {kind: consecutive, failure_threshold: 5, recovery_timeout: 20ms,\n" \
    "                  check: attempt, while_open: counted}\n" \
    "        throttle: {failsafe: {window: 1s}}\n" \
    "        cancel: timeouts\n" \
    "  db: {type: server, count: 2, concurrency: 8, queue: {discipline: lifo, capacity: 10},\n" \
    "       service_time: {exponential: 18ms}, on_cancel: dequeue}\n"

#define STORM_REST \
    "network:\n" \
    "  - {from: web, to: db, latency: 250us}\n" \
    "  - {latency: 1ms, jitter: {exponential: 200us}, loss: 1%, bandwidth: 1GB/s}\n" \
    "timeline:\n" \
    "  - {at: 5s, for: 3s, slow: db, factor: 3}\n" \
    "  - {at: 6s, for: 4s, rate: users, factor: 1.5}\n" \
    "  - {at: 7s, for: 1s, conditioner: web, network: {latency: 2ms, loss: 5%}}\n" \
    "  - {at: 9s, for: 1s, crash: web}\n" \
    "  - {at: 11s, for: 500ms, crash: users}\n"

#define STORM STORM_SETTINGS "entities:\n" STORM_ENTITIES STORM_REST

#endif
