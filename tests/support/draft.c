/* SPDX-License-Identifier: Apache-2.0 */
#include "support/draft.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

void draft_begin(struct draft *d, uint64_t number, uint16_t purpose, char *text, size_t size)
{
    *d = (struct draft){.text = text, .size = size};
    rng_init(&d->chance, &(struct rng_key){.seed = number, .purpose = purpose});
}

uint32_t draft_below(struct draft *d, uint32_t n)
{
    return (uint32_t)rng_below(&d->chance, n);
}

bool draft_once_in(struct draft *d, uint32_t n)
{
    return draft_below(d, n) == 0;
}

void draft_add(struct draft *d, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(d->text + d->length, d->size - d->length, format, args);
    va_end(args);
    d->length += (size_t)n;
    assert_true(d->length < d->size);
}

/* --- retries and strategies -------------------------------------------------------------- */

static const char *const delays[] = {
    "fixed, delay: 0s",
    "fixed, delay: 10ms",
    "fixed, delay: {exponential: 30ms}",
    "constant, delay: 20ms",
    "exponential, initial_delay: 5ms, max_delay: 50ms",
    "exponential, initial_delay: 5ms, max_delay: 50ms, jitter: full, exponent_offset: -2",
    "exponential, initial_delay: 10ms, multiplier: 3, max_delay: none, jitter: equal",
    "linear, delay_multiplier: 10ms, min_delay: 5ms, jitter: {additive: {width: 5ms}}",
    "linear, delay_multiplier: 5ms, max_delay: 12ms",
    "fibonacci, base: 4ms, jitter: {factor: {share: 0.5}}",
    "polynomial, coefficients: [1ms, 2ms, 3ms], max_delay: 30ms",
    "table, steps: [10ms, 0s, 20ms], jitter: {symmetric: {share: 10%}}",
    "percentile, minimum: 5ms, maximum: 200ms, window: 300ms, buckets: 3",
    "percentile, percentile: 50%, minimum: 1ms, maximum: 100ms, jitter: full",
    "decorrelated_jitter, base_delay: 5ms, max_delay: 80ms",
    "decorrelated_jitter, base_delay: 5ms, max_delay: 80ms, shared_state: true"};

static void add_retry(struct draft *d)
{
    static const char *const judgements[] = {
        "retry_on: timeout",
        "retry_on: error",
        "verdicts: [{status: 404, verdict: error}, {status: 503, verdict: final}]",
        "verdicts: [{status: 503, verdict: success}]",
        "status_forcelist: [429, 500-503]",
        "retry_if: [{status: 200, probability: 5%, attempt: [1, 2]}, {error: [timeout, refused]}]",
        ("retry_if: [{method: POST, retry: false}, {error: [circuit_open, throttled, deadline]},\n"
         "      {flags: [processing, flaky]}, {status: 400-599, elapsed: 20ms}]")};
    static const char *const limits[] = {
        "retry_after: ignore",   "retry_after_jitter: 50%, retry_after_max: 15ms",
        "max_total_time: 150ms", "max_total_time: 150ms, strict: true",
        "max_wait_time: 10ms",   "max_wait_time: 20ms, jitter_factor: 50%, jitter_after_cap: true",
        "jitter_factor: 20%"};
    static const char *const adaptive[] = {
        "base_delay: 5ms, max_delay: 40ms",
        "transient_budget: 2, flaky_budget: 1, permanent_budget: 1, base_delay: 10ms"};
    if (draft_once_in(d, 6)) {
        draft_add(d, "retry: none");
        return;
    }
    bool classes = draft_once_in(d, 6);
    if (classes) {
        draft_add(d, "retry: {kind: adaptive, %s", DRAFT_ONE_OF(d, adaptive));
    } else {
        draft_add(d, "retry: {kind: %s, max_attempts: %u", DRAFT_ONE_OF(d, delays),
                  1 + draft_below(d, 5));
    }
    if (!classes && draft_once_in(d, 2)) {
        draft_add(d, ", %s", DRAFT_ONE_OF(d, judgements));
    }
    if (draft_once_in(d, 6)) {
        draft_add(d, ", %s", DRAFT_ONE_OF(d, limits));
    }
    draft_add(d, "}");
}

static void add_plan(struct draft *d)
{
    uint32_t kind = draft_below(d, 6);
    if (kind == 0) {
        draft_add(d, "strategy: single, ");
    } else if (kind < 4) {
        draft_add(d, "strategy: {kind: parallel, attempts: %u, delays: {kind: %s},\n",
                  1 + draft_below(d, DRAFT_MOST_ATTEMPTS), DRAFT_ONE_OF(d, delays));
        draft_add(d, "      reference: %s, after_failure: %s}, ",
                  draft_once_in(d, 2) ? "start" : "previous",
                  draft_once_in(d, 2) ? "wait" : "next");
    }
    add_retry(d);
}

static void add_methods(struct draft *d)
{
    draft_add(d, ",\n      methods: [{methods: [POST, PATCH], ");
    add_plan(d);
    draft_add(d, "}");
    if (draft_once_in(d, 2)) {
        draft_add(d, ",\n        {methods: [PATCH, DELETE], ");
        add_plan(d);
        draft_add(d, "}");
    }
    draft_add(d, "]");
}

/* --- what stands in an attempt's way ----------------------------------------------------- */

static void add_breaker(struct draft *d)
{
    static const char *const kinds[] = {
        "consecutive, failure_threshold: 3, recovery_timeout: 50ms",
        ("consecutive, failure_threshold: 2, recovery_timeout: 20ms, success_threshold: 2,\n"
         "      half_open_max_requests: 2, while_open: counted"),
        ("consecutive, failure_threshold: 2, recovery_timeout: 30ms, half_open_max_requests: "
         "unlimited"),
        ("ratio, failure_threshold: 50%, minimum_throughput: 5, sampling_duration: 100ms,\n"
         "      break_duration: 20ms"),
        ("ratio, failure_threshold: 20%, minimum_throughput: 2, sampling_duration: 50ms,\n"
         "      break_duration: 50ms, windows_count: 2"),
        "state_attributed, failure_threshold: 2, timeout: 20ms",
        ("state_attributed, failure_threshold: 3, success_threshold: 1, timeout: 50ms,\n"
         "      half_open_max_requests: 3")};
    static const char *const scopes[] = {"scope: call, check: request",
                                         "scope: call, check: attempt", "scope: endpoint",
                                         "counts: requests", "check: attempt, counts: requests"};
    static const char *const more[] = {"", ", failure_on: [timeout, error, final]",
                                       ", failure_on: timeout", ", slow_call_duration: 30ms"};
    draft_add(d, ",\n      breaker: {kind: %s, ", DRAFT_ONE_OF(d, kinds));
    draft_add(d, "%s%s}", DRAFT_ONE_OF(d, scopes), DRAFT_ONE_OF(d, more));
}

static void add_budget(struct draft *d)
{
    static const char *const budgets[] = {
        "{token_bucket: {capacity: 20, initial_share: 50%}}",
        ("{token_bucket: {capacity: 5, retry_cost: 1, timeout_cost: 1, deposit_per_request: 0.1,\n"
         "      deposit_per_success: 0, refund: false, strict: true}}"),
        "{throttle: {max_tokens: 20, token_ratio: 0.5}}",
        "{ratio: {percent_can_retry: 20%, min_retries_per_second: 2, ttl: 1s}}",
        "{concurrency: {budget_percent: 20%, min_retry_concurrency: 2}}",
        "{failure_rate: {max_rate: 50%}}",
        "{concurrency: {budget_percent: 0, min_retry_concurrency: 1}}",
        "{rate: {max_share: 30%, window: 200ms}}",
        "{rate: {max_share: 100%, max_retries: 5, window: 100ms}}"};
    draft_add(d, ",\n      retry_budget: %s", DRAFT_ONE_OF(d, budgets));
}

static void add_rate_limit(struct draft *d)
{
    static const char *const limits[] = {
        "token_bucket: {capacity: 20, refill_rate: 200/s}", "leaky_bucket: {leak_rate: 400/s}",
        "sliding_window: {max_requests: 30, window: 100ms}",
        "fixed_window: {requests_per_window: 30, window: 100ms}",
        "aimd: {initial_rate: 200/s, min_rate: 50/s, window: 200ms}"};
    draft_add(d, ",\n      rate_limit: {%s}", DRAFT_ONE_OF(d, limits));
}

static void add_throttle(struct draft *d)
{
    static const char *const throttles[] = {
        "{sre: {multiplier: 1.5, window: 500ms, buckets: 5}}",
        "{sre: {window: 100ms, buckets: 10}}", "{failsafe: {window: 200ms, buckets: 4}}",
        "{failsafe: {failure_rate_threshold: 30%, max_rejection_rate: 50%, window: 1s}}"};
    draft_add(d, ",\n      throttle: %s", DRAFT_ONE_OF(d, throttles));
}

void draft_conditioner(struct draft *d)
{
    static const char *const conditioners[] = {
        "{latency: 2ms}", "{latency: 5ms, jitter: 10ms}", "{loss: 20%}",
        "{latency: 1ms, jitter: 1ms, loss: 5%, name_filter: \"a\"}"};
    draft_add(d, "%s", DRAFT_ONE_OF(d, conditioners));
}

static void add_deadline(struct draft *d)
{
    static const char *const deadlines[] = {"60ms", "100ms", "250ms", "0s"};
    static const char *const splits[] = {"", ", deadline_split: between_attempts",
                                         ", deadline_split: between_attempts, split_attempts: 2"};
    draft_add(d, ",\n      deadline: %s, deadline_accounting: %s, inherit_deadline: %s%s",
              DRAFT_ONE_OF(d, deadlines), draft_once_in(d, 2) ? "restart" : "absolute",
              draft_once_in(d, 2) ? "true" : "false", DRAFT_ONE_OF(d, splits));
    if (draft_once_in(d, 3)) {
        draft_add(d, ", low_timeout_threshold: %ums", 10 * draft_below(d, 3));
    }
}

static void add_phases(struct draft *d)
{
    static const char *const phases[] = {"connect: 3ms", "write: 10ms", "read: 30ms",
                                         "connect: 0s, write: 1ms, read: 50ms"};
    static const char *const latencies[] = {"2ms", "{exponential: 2ms}", "5ms", "0s"};
    draft_add(d, ",\n      connection_latency: %s, connection_attempts: %u",
              DRAFT_ONE_OF(d, latencies), 1 + draft_below(d, 3));
    if (draft_once_in(d, 2)) {
        draft_add(d, ", phases: {%s}", DRAFT_ONE_OF(d, phases));
    }
}

static const char *const timeouts[] = {
    "20ms", "40ms", "40ms", "100ms", "{exponential: 60ms}", "{uniform: {low: 10ms, high: 200ms}}",
    "0s"};

void draft_plain_call(struct draft *d)
{
    draft_add(d, "timeout: %s, ", DRAFT_ONE_OF(d, timeouts));
    add_retry(d);
    if (draft_once_in(d, 3)) {
        draft_add(d, ", accept_late: true");
    }
}

void draft_call(struct draft *d)
{
    static const char *const cancels[] = {"[]", "timeouts", "[losers, timeouts]"};
    static const char *const priorities[] = {"high", "normal", "low"};
    static void (*const rows[])(struct draft *) = {add_methods,   add_breaker,  add_budget,
                                                   add_throttle,  add_deadline, add_phases,
                                                   add_rate_limit};
    draft_add(d, "timeout: %s, ", DRAFT_ONE_OF(d, timeouts));
    add_plan(d);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (draft_once_in(d, 3)) {
            rows[i](d);
        }
    }
    if (draft_once_in(d, 5)) {
        draft_add(d, ",\n      conditioner: ");
        draft_conditioner(d);
    }
    if (draft_once_in(d, 2)) {
        draft_add(d, ", cancel: %s", DRAFT_ONE_OF(d, cancels));
    }
    if (draft_once_in(d, 3)) {
        draft_add(d, ", accept_late: true");
    }
    if (draft_once_in(d, 4)) {
        draft_add(d, ", priority: %s", DRAFT_ONE_OF(d, priorities));
    }
}

/* --- both ends --------------------------------------------------------------------------- */

void draft_requests(struct draft *d)
{
    static const char *const mixes[] = {
        "{any: {}}", "{a: {weight: 3, priority: low}, b: {priority: high}}",
        "{a: {method: POST, bytes: 1kB}, b: {method: DELETE}, ab: {method: PATCH, priority: low}}"};
    draft_add(d, "requests: %s", DRAFT_ONE_OF(d, mixes));
}

void draft_queue(struct draft *d)
{
    static const char *const disciplines[] = {
        "fifo",
        "fifo",
        "lifo",
        "priority",
        "deadline",
        "deadline",
        "{adaptive_lifo: 3}",
        "codel",
        "{codel: {target: 1ms, interval: 20ms}}",
        "siro",
        "fair",
        "{fair: {by: kind, per_flow_capacity: 3}}",
        "{weighted_fair: {by: priority, max_flows: 2, priorities: {high: 3, normal: 2}}}"};
    static const char *const capacities[] = {"0", "1", "10", "unlimited"};
    static const char *const admissions[] = {
        "{balking: {threshold: 2}}", "{balking: {threshold: 1, probability: 50%}}",
        "{red: {min_threshold: 1, max_threshold: 5, max_probability: 50%, weight: 0.2}}",
        "{red: {min_threshold: 0.1, max_threshold: 3}}",
        "{dagor: {threshold: 2ms, window: 50ms, window_requests: 20, alpha: 20%, beta: 5%}}"};
    static const char *const limits[] = {"max_wait: 10ms", "drop_expired: true",
                                         "drop_expired: true",
                                         "max_wait: 30ms, drop_expired: true"};
    draft_add(d, "queue: {discipline: %s, capacity: %s", DRAFT_ONE_OF(d, disciplines),
              DRAFT_ONE_OF(d, capacities));
    if (draft_once_in(d, 6)) {
        draft_add(d, ",\n      admission: %s", DRAFT_ONE_OF(d, admissions));
    }
    if (draft_once_in(d, 3)) {
        draft_add(d, ", %s", DRAFT_ONE_OF(d, limits));
    }
    draft_add(d, ", on_expired: %s}", draft_below(d, 6) ? "reply" : "drop");
}

/* The kinds that the clients before it have. */
static void add_kinds(struct draft *d, uint32_t workers)
{
    static const struct {
        const char *name, *given; /* as draft_requests writes it */
    } kinds[] = {{"any", "{any: {}}"}, {"a", "{a: {"}, {"b", ", b: {"}, {"ab", ", ab: {"}};
    static const char *const times[] = {"", ", service_time: {exponential: 15ms}",
                                        ", service_time: 0s"};
    const char *comma = "";
    draft_add(d, ",\n    kinds: {");
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (strstr(d->text, kinds[i].given) && draft_once_in(d, 2)) {
            draft_add(d, "%s%s: {weight: %u%s}", comma, kinds[i].name, 1 + draft_below(d, workers),
                      DRAFT_ONE_OF(d, times));
            comma = ", ";
        }
    }
    draft_add(d, "}");
}

static void add_autoscaler(struct draft *d)
{
    static const char *const metrics[] = {"", "metric: queue, target: 2, ", "target: 50%, "};
    draft_add(d,
              ",\n    autoscaler: {hpa: {%smax_replicas: 5, initial_replicas: %u,"
              " sync_period: 250ms,\n      boot_delay: %ums, scale_up_period: 100ms,"
              " scale_down_window: %ums}}",
              DRAFT_ONE_OF(d, metrics), 1 + draft_below(d, 3), draft_below(d, 3) * 60,
              draft_below(d, 3) * 100);
}

/* What a server with an autoscaler may not have. */
static void add_processor(struct draft *d)
{
    static const char *const warm_ups[] = {
        "{time: {slowdown: 3, duration: 200ms}}",
        "{time: {slowdown: 5, duration: 300ms, at_start: true}}",
        "{requests: {slowdown: 4, requests: 10, at_start: true}}"};
    static const char *const loops[] = {"{time: 1ms}", "{time: {exponential: 4ms}, loops: 2}",
                                        "{time: 0s}"};
    static const char *const machines[] = {"{cores: 1}", "{cores: 2, contention: 0.1}",
                                           "{contention: 0.05, coherency: 0.01}"};
    if (draft_once_in(d, 6)) {
        draft_add(d, ",\n    event_loop: %s", DRAFT_ONE_OF(d, loops));
    }
    if (draft_once_in(d, 6)) {
        draft_add(d, ",\n    machine: %s", DRAFT_ONE_OF(d, machines));
    }
    if (draft_once_in(d, 6)) {
        draft_add(d, ",\n    warm_up: %s", DRAFT_ONE_OF(d, warm_ups));
    }
}

void draft_service(struct draft *d, uint32_t workers)
{
    static const char *const limits[] = {
        "{fixed: 2}",
        "{aimd: {initial_limit: 4, min_limit: 1, max_limit: 10, timeout: 20ms}}",
        "{aimd: {initial_limit: 4, min_limit: 1, window: 20ms, min_rtt_threshold: 0s}}",
        "{vegas: {initial_limit: 3, max_limit: 10, probe_multiplier: 2}}",
        "{gradient2: {initial_limit: 2, min_limit: 1, max_limit: 10, long_window: 20}}",
        "{gradient: {update_interval: 10ms, min_rtt_interval: 100ms, request_count: 5}}"};
    if (draft_once_in(d, 6)) {
        draft_add(d, ",\n    concurrency_limit: %s", DRAFT_ONE_OF(d, limits));
    }
    if (draft_once_in(d, 6)) {
        add_kinds(d, workers);
    }
    if (draft_once_in(d, 10)) {
        add_autoscaler(d);
    } else {
        add_processor(d);
    }
}

void draft_answers(struct draft *d)
{
    static const char *const responses[] = {
        "[200]",
        "[200]",
        "[{status: 200, weight: 9}, {status: 503}]",
        "[{status: 204}, {status: 404}]",
        "[{weight: 8}, {outcome: reset}, {outcome: drop}, {outcome: refuse}]",
        ("[{weight: 5}, {status: 429, retry_after: 10ms}, {status: 503, retry_at: 500ms},\n"
         "      {status: 500, do_not_retry: true, service_time: 0s}]"),
        ("[{weight: 5, bytes: 1kB}, {processing: true}, {flaky: true, service_time: 1ms},\n"
         "      {outcome: refuse, weight: 4}]")};
    static const char *const cancels[] = {"ignore", "dequeue", "abort"};
    static const char *const middleware[] = {
        "none",
        "none",
        "deadline",
        "{deadline: {timeout: 50ms, low_timeout_threshold: 1ms, cancel_on_timeout: true}}",
        "{deadline: {timeout: 20ms, cancel_on_timeout: true}}",
        "{deadline: {low_timeout_threshold: 0s, cancel_on_timeout: true}}"};
    draft_add(d, "responses: %s, on_reject: %s,\n", DRAFT_ONE_OF(d, responses),
              draft_below(d, 3) ? "reply" : "drop");
    draft_add(d, "    on_cancel: %s, middleware: %s", DRAFT_ONE_OF(d, cancels),
              DRAFT_ONE_OF(d, middleware));
    if (draft_once_in(d, 4)) {
        draft_add(d, ", reject_retry_after: 10ms");
    }
}
