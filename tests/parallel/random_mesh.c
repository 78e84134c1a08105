/* SPDX-License-Identifier: Apache-2.0 */
#include "random_mesh.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "rng/stream.h"

enum { TIERS_MOST = 4 };

struct draft {
    struct rng_stream chance;
    char *text;
    size_t length, size;
    uint32_t tiers; /* of servers, called tier0, tier1, ... */
};

static uint32_t below(struct draft *d, uint32_t n)
{
    return (uint32_t)rng_below(&d->chance, n);
}

static void add(struct draft *d, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void add(struct draft *d, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(d->text + d->length, d->size - d->length, format, args);
    va_end(args);
    d->length += (size_t)n;
    assert_true(d->length < d->size);
}

#define ONE_OF(d, words) words[below(d, sizeof words / sizeof words[0])]

static void add_call(struct draft *d)
{
    static const char *const timeouts[] = {"20ms", "20ms", "50ms", "{exponential: 30ms}", "0s"};
    static const char *const retries[] = {
        "none", "{kind: fixed, max_attempts: 3, delay: 0s}",
        "{kind: fixed, max_attempts: 2, delay: 10ms}",
        "{kind: exponential, max_attempts: 4, initial_delay: 5ms, max_delay: 50ms, jitter: none}",
        "{kind: exponential, max_attempts: 4, initial_delay: 5ms, max_delay: 50ms, jitter: full}"};
    add(d, "timeout: %s, retry: %s", ONE_OF(d, timeouts), ONE_OF(d, retries));
}

/* Tier `tier`: all of it, one of it, or some of it at random. */
static void add_target(struct draft *d, uint32_t tier)
{
    static const char *const balances[] = {"round_robin", "random", "least_outstanding",
                                           "power_of_two_choices"};
    switch (below(d, 3)) {
    case 0:
        add(d, "\"tier%u[0]\"", tier);
        break;
    case 1:
        add(d, "{to: tier%u, pick: 1, balance: %s}", tier, ONE_OF(d, balances));
        break;
    default:
        add(d, "{to: tier%u, balance: %s}", tier, ONE_OF(d, balances));
    }
}

static void add_clients(struct draft *d)
{
    static const char *const arrivals[] = {
        "{constant: 100/s}", "{constant: 100/s}", "{poisson: 200/s}",
        "{closed: {users: 3, think_time: 10ms}}", "{times: [10ms, 10ms, 400ms, 400ms, 410ms]}"};
    uint32_t groups = 1 + below(d, 3);
    for (uint32_t g = 0; g < groups; g++) {
        add(d, "  users%u: {type: client, count: %u, arrivals: %s, target: ", g, 1 + below(d, 5),
            ONE_OF(d, arrivals));
        add_target(d, below(d, d->tiers));
        add(d, ", call: {");
        add_call(d);
        add(d, "}}\n");
    }
}

static void add_servers(struct draft *d)
{
    static const char *const times[] = {"5ms", "5ms", "0s", "{exponential: 4ms}"};
    static const char *const queues[] = {"{}", "{discipline: lifo, capacity: 3}", "{capacity: 0}"};
    for (uint32_t t = 0; t < d->tiers; t++) {
        add(d, "  tier%u: {type: server, count: %u, concurrency: %u, service_time: %s, queue: %s",
            t, 1 + below(d, 6), 1 + below(d, 3), ONE_OF(d, times), ONE_OF(d, queues));
        uint32_t calls = t + 1 < d->tiers ? below(d, 3) : 0;
        for (uint32_t c = 0; c < calls; c++) {
            add(d, c == 0 ? ", calls: [{target: " : ", {target: ");
            add_target(d, t + 1 + below(d, d->tiers - t - 1));
            add(d, ", ");
            add_call(d);
            add(d, "}");
        }
        add(d, calls > 0 ? "]}\n" : "}\n");
    }
}

static void add_network(struct draft *d)
{
    static const char *const latencies[] = {"1ms", "1ms", "5ms", "100us", "20ms"};
    static const char *const jitters[] = {"0s", "0s", "{exponential: 1ms}",
                                          "{uniform: {low: 1ms, high: 2ms}}"};
    add(d, "network:\n");
    for (uint32_t t = 0; t < d->tiers; t++) {
        if (below(d, 4) == 0) { /* joined without delay */
            add(d, "  - {from: \"*\", to: tier%u, latency: 0s}\n", t);
        } else if (below(d, 4) == 0) {
            add(d, "  - {from: \"users*\", to: \"tier%u[0]\", latency: %s}\n", t,
                ONE_OF(d, latencies));
        }
    }
    add(d, "  - {latency: %s, jitter: %s, loss: %u%%}\n", ONE_OF(d, latencies), ONE_OF(d, jitters),
        below(d, 3) ? 0 : 10);
}

static void add_timeline(struct draft *d)
{
    uint32_t n = below(d, 4);
    add(d, n > 0 ? "timeline:\n" : "timeline: []\n");
    for (uint32_t i = 0; i < n; i++) {
        uint32_t at = 10 * below(d, 40), lasts = 1 + 10 * below(d, 20), tier = below(d, d->tiers);
        switch (below(d, 4)) {
        case 0:
            add(d, "  - {at: %ums, for: %ums, slow: tier%u, factor: 3}\n", at, lasts, tier);
            break;
        case 1:
            add(d, "  - {at: %ums, for: %ums, crash: \"tier%u[0]\"}\n", at, lasts, tier);
            break;
        default:
            add(d, "  - {at: %ums, for: %ums, crash: %s}\n", at, lasts,
                below(d, 2) ? "users0" : "tier0");
        }
    }
}

/* Now and then: of some clients, or of whoever there is. */
static void add_budget(struct draft *d)
{
    static const char *const actions[] = {"end_run", "end_run", "stop_sources", "abort"};
    static const char *const windows[] = {"1ns", "10ms", "100ms", "1s"};
    if (below(d, 3) > 0) {
        return;
    }
    add(d, "failure_budget: {threshold: %u%%, window: %s, min_samples: %u, action: %s, of: %s",
        10 * below(d, 8), ONE_OF(d, windows), 1 + below(d, 20), ONE_OF(d, actions),
        below(d, 2) ? "attempts" : "requests");
    add(d, "%s, from: %ums}\n", below(d, 3) ? "" : ", entities: \"users0[0]\"", 100 * below(d, 3));
}

void random_mesh(uint64_t number, char *text, size_t size)
{
    struct draft d = {.text = text, .size = size};
    rng_init(&d.chance, &(struct rng_key){.seed = number, .purpose = 7});
    d.tiers = 1 + below(&d, TIERS_MOST);
    add(&d, "squall: 1\nduration: 500ms\nwarmup: %s\ninterval: %s\nseed: %" PRIu64 "\nentities:\n",
        below(&d, 2) ? "50ms" : "0s", below(&d, 2) ? "50ms" : "none", number);
    add_clients(&d);
    add_servers(&d);
    add_network(&d);
    add_timeline(&d);
    add_budget(&d);
}
