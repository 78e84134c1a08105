/* SPDX-License-Identifier: Apache-2.0 */
#include "support/random_mesh.h"

#include <inttypes.h>

#include "support/draft.h"

enum { TIERS_MOST = 4 };

struct mesh {
    struct draft draft;
    uint32_t tiers; /* of servers, called tier0, tier1, ... */
};

/* Tier `tier`: all of it, one of it, or some of it at random. */
static void add_target(struct draft *d, uint32_t tier)
{
    static const char *const balances[] = {"round_robin", "random", "least_outstanding",
                                           "power_of_two_choices"};
    switch (draft_below(d, 3)) {
    case 0:
        draft_add(d, "\"tier%u[0]\"", tier);
        break;
    case 1:
        draft_add(d, "{to: tier%u, pick: 1, balance: %s}", tier, DRAFT_ONE_OF(d, balances));
        break;
    default:
        draft_add(d, "{to: tier%u, balance: %s}", tier, DRAFT_ONE_OF(d, balances));
    }
}

static void add_clients(struct mesh *m)
{
    static const char *const arrivals[] = {
        "{constant: 100/s}", "{constant: 100/s}", "{poisson: 200/s}",
        "{closed: {users: 3, think_time: 10ms}}", "{times: [10ms, 10ms, 400ms, 400ms, 410ms]}"};
    struct draft *d = &m->draft;
    uint32_t groups = 1 + draft_below(d, 3);
    for (uint32_t g = 0; g < groups; g++) {
        draft_add(d, "  users%u: {type: client, count: %u, arrivals: %s, target: ", g,
                  1 + draft_below(d, 5), DRAFT_ONE_OF(d, arrivals));
        add_target(d, draft_below(d, m->tiers));
        draft_add(d, ",\n    ");
        draft_requests(d);
        draft_add(d, ", call: {");
        draft_call(d);
        draft_add(d, "}}\n");
    }
}

static void add_servers(struct mesh *m)
{
    static const char *const times[] = {"5ms", "5ms", "0s", "{exponential: 4ms}"};
    struct draft *d = &m->draft;
    for (uint32_t t = 0; t < m->tiers; t++) {
        uint32_t workers = 1 + draft_below(d, 3);
        draft_add(d, "  tier%u: {type: server, count: %u, concurrency: %u, service_time: %s,\n    ",
                  t, 1 + draft_below(d, 6), workers, DRAFT_ONE_OF(d, times));
        draft_queue(d);
        draft_add(d, ",\n    ");
        draft_answers(d);
        draft_service(d, workers);
        uint32_t calls = t + 1 < m->tiers ? draft_below(d, 3) : 0;
        for (uint32_t c = 0; c < calls; c++) {
            draft_add(d, c == 0 ? ",\n    calls: [{target: " : ",\n      {target: ");
            add_target(d, t + 1 + draft_below(d, m->tiers - t - 1));
            draft_add(d, ", ");
            draft_call(d);
            draft_add(d, "}");
        }
        draft_add(d, calls > 0 ? "]}\n" : "}\n");
    }
}

static void add_network(struct mesh *m)
{
    static const char *const latencies[] = {"1ms", "1ms", "5ms", "100us", "20ms"};
    static const char *const jitters[] = {"0s", "0s", "{exponential: 1ms}",
                                          "{uniform: {low: 1ms, high: 2ms}}"};
    struct draft *d = &m->draft;
    draft_add(d, "network:\n");
    for (uint32_t t = 0; t < m->tiers; t++) {
        if (draft_below(d, 4) == 0) { /* joined without delay */
            draft_add(d, "  - {from: \"*\", to: tier%u, latency: 0s}\n", t);
        } else if (draft_below(d, 4) == 0) {
            draft_add(d, "  - {from: \"users*\", to: \"tier%u[0]\", latency: %s}\n", t,
                      DRAFT_ONE_OF(d, latencies));
        }
    }
    draft_add(d, "  - {latency: %s, jitter: %s, loss: %u%%}\n", DRAFT_ONE_OF(d, latencies),
              DRAFT_ONE_OF(d, jitters), draft_below(d, 3) ? 0 : 10);
}

static void add_timeline(struct mesh *m)
{
    struct draft *d = &m->draft;
    uint32_t n = draft_below(d, 4);
    draft_add(d, n > 0 ? "timeline:\n" : "timeline: []\n");
    for (uint32_t i = 0; i < n; i++) {
        uint32_t at = 10 * draft_below(d, 40), lasts = 1 + 10 * draft_below(d, 20),
                 tier = draft_below(d, m->tiers);
        switch (draft_below(d, 8)) {
        case 0:
            draft_add(d, "  - {at: %ums, for: %ums, slow: tier%u, factor: 3}\n", at, lasts, tier);
            break;
        case 1:
            draft_add(d, "  - {at: %ums, for: %ums, crash: \"tier%u[0]\"}\n", at, lasts, tier);
            break;
        case 2:
            draft_add(d, "  - {at: %ums, for: %ums, conditioner: users0, network: ", at, lasts);
            draft_conditioner(d);
            draft_add(d, "}\n");
            break;
        case 3:
            draft_add(d, "  - {at: %ums, for: %ums, pause: \"tier%u[0]\", in_service: %s}\n", at,
                      lasts, tier, draft_below(d, 2) ? "continues" : "freezes");
            break;
        case 4:
            draft_add(d, "  - {at: %ums, for: %ums, pause: %s}\n", at, lasts,
                      draft_below(d, 2) ? "users0" : "tier0");
            break;
        case 5:
            draft_add(d, "  - {at: %ums, for: %ums, capacity: tier%u, factor: %s}\n", at, lasts,
                      tier, draft_below(d, 2) ? "0.5" : "0");
            break;
        default:
            draft_add(d, "  - {at: %ums, for: %ums, crash: %s}\n", at, lasts,
                      draft_below(d, 2) ? "users0" : "tier0");
        }
    }
}

/* Now and then: of some clients, or of whoever there is. */
static void add_budget(struct mesh *m)
{
    static const char *const actions[] = {"end_run", "end_run", "stop_sources", "abort"};
    static const char *const windows[] = {"1ns", "10ms", "100ms", "1s"};
    struct draft *d = &m->draft;
    if (!draft_once_in(d, 3)) {
        return;
    }
    draft_add(d,
              "failure_budget: {threshold: %u%%, window: %s, min_samples: %u, action: %s, of: %s",
              10 * draft_below(d, 8), DRAFT_ONE_OF(d, windows), 1 + draft_below(d, 20),
              DRAFT_ONE_OF(d, actions), draft_below(d, 2) ? "attempts" : "requests");
    draft_add(d, "%s, from: %ums}\n", draft_below(d, 3) ? "" : ", entities: \"users0[0]\"",
              100 * draft_below(d, 3));
}

void random_mesh(uint64_t number, char *text, size_t size)
{
    struct mesh m;
    struct draft *d = &m.draft;
    draft_begin(d, number, 7, text, size);
    m.tiers = 1 + draft_below(d, TIERS_MOST);
    draft_add(
        d, "squall: 1\nduration: 500ms\nwarmup: %s\ninterval: %s\nseed: %" PRIu64 "\nentities:\n",
        draft_below(d, 2) ? "50ms" : "0s", draft_below(d, 2) ? "50ms" : "none", number);
    add_clients(&m);
    add_servers(&m);
    add_network(&m);
    add_timeline(&m);
    add_budget(&m);
}
