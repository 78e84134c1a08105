/* SPDX-License-Identifier: Apache-2.0
 *
 * Nothing gets lost uncounted: identities between counters, exact, in hundreds of small studies put
 * together at random. Clients (one open, one closed) call two servers, or one that calls another,
 * over wires that may lose messages, while servers and clients crash and slow down. Everything goes
 * quiet in the second half, so that at the end no request is under way.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "rng/stream.h"
#include "support/trial.h"

enum { STUDIES = 600 };

/* --- studies at random ------------------------------------------------------------------- */

struct mix {
    struct rng_stream chance;
    char text[6144];
    size_t length;
    bool loss, server_crash, client_crash;
};

static uint32_t below(struct mix *m, uint32_t n)
{
    return (uint32_t)rng_below(&m->chance, n);
}

static void add(struct mix *m, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void add(struct mix *m, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(m->text + m->length, sizeof m->text - m->length, format, args);
    va_end(args);
    m->length += (size_t)n;
    assert_true(m->length < sizeof m->text);
}

#define ONE_OF(m, words) words[below(m, sizeof words / sizeof words[0])]

static void add_call(struct mix *m)
{
    static const char *const timeouts[] = {"40ms", "100ms", "{exponential: 60ms}", "0s",
                                           "{uniform: {low: 10ms, high: 200ms}}"};
    static const char *const retries[] = {
        "none",
        "{kind: fixed, max_attempts: 3, delay: 0s}",
        "{kind: fixed, max_attempts: 2, delay: {exponential: 30ms}, retry_on: timeout}",
        "{kind: exponential, max_attempts: 5, initial_delay: 10ms, max_delay: 100ms, jitter: full}",
        "{kind: exponential, max_attempts: 4, initial_delay: 5ms, max_delay: 1s, retry_on: error}",
        "{kind: decorrelated_jitter, max_attempts: 6, base_delay: 5ms, max_delay: 80ms}"};
    add(m, "timeout: %s, retry: %s", ONE_OF(m, timeouts), ONE_OF(m, retries));
}

static const char *target_of(struct mix *m)
{
    static const char *const targets[] = {"web", "\"web[0]\"", "{to: web, balance: random}",
                                          "{to: web, balance: least_outstanding}",
                                          "{to: web, balance: power_of_two_choices}"};
    return ONE_OF(m, targets);
}

static void add_clients(struct mix *m)
{
    static const char *const mixes[] = {"{any: {}}",
                                        "{a: {weight: 3, priority: low}, b: {priority: high}}"};
    static const char *const thinking[] = {"{exponential: 50ms}", "20ms", "1ms"};
    add(m, "  open: {type: client, count: %u, target: %s, requests: %s,\n", 1 + below(m, 3),
        target_of(m), ONE_OF(m, mixes));
    add(m, "         arrivals: {kind: %s, rate: %u/s}, call: {",
        below(m, 2) ? "poisson" : "constant", 20 + below(m, 300));
    add_call(m);
    add(m, "}}\n  closed: {type: client, count: %u, target: %s,\n", 1 + below(m, 2), target_of(m));
    add(m, "           arrivals: {closed: {users: %u, think_time: %s}},\n           call: {",
        1 + below(m, 10), ONE_OF(m, thinking));
    add_call(m);
    add(m, "}}\n");
}

static void add_server(struct mix *m, const char *name, const char *callee)
{
    static const char *const times[] = {"5ms", "{exponential: 10ms}",
                                        "{lognormal: {mean: 10ms, cv: 2}}", "0s"};
    static const char *const responses[] = {"[200]", "[{status: 200, weight: 9}, {status: 503}]",
                                            "[{status: 204}, {status: 404}]"};
    static const char *const disciplines[] = {"fifo", "lifo", "priority"};
    static const char *const capacities[] = {"0", "1", "10", "unlimited"};
    add(m, "  %s: {type: server, count: %u, concurrency: %u, service_time: %s,\n", name,
        1 + below(m, 3), 1 + below(m, 4), ONE_OF(m, times));
    add(m, "    responses: %s, queue: {discipline: %s, capacity: %s}, on_reject: %s",
        ONE_OF(m, responses), ONE_OF(m, disciplines), ONE_OF(m, capacities),
        below(m, 3) ? "reply" : "drop");
    if (callee) {
        add(m, ",\n    calls: [{target: %s, ", callee);
        add_call(m);
        add(m, "}]");
    }
    add(m, "}\n");
}

static void add_network(struct mix *m)
{
    static const char *const jitters[] = {"0s", "{exponential: 2ms}", "{uniform: {high: 1ms}}"};
    static const char *const latencies[] = {"0s", "1ms", "20ms"};
    m->loss = below(m, 2);
    add(m, "network: [{latency: %s, jitter: %s, loss: %u%%}]\n", ONE_OF(m, latencies),
        ONE_OF(m, jitters), m->loss ? 5 + below(m, 20) : 0);
}

static void add_timeline(struct mix *m)
{
    add(m, "timeline:\n"
           "  - {at: 1s, rate: open, factor: 0}\n"
           "  - {at: 1s, rate: closed, factor: 0}\n");
    for (uint32_t i = below(m, 3); i > 0; i--) {
        add(m, "  - {at: %ums, for: %ums, slow: %s, factor: %u}\n", below(m, 1000),
            1 + below(m, 800), below(m, 2) ? "web" : "\"web[0]\"", 1 + below(m, 9));
    }
    for (uint32_t i = below(m, 4); i > 1; i--) {
        m->server_crash = true;
        add(m, "  - {at: %ums, for: %ums, crash: %s}\n", below(m, 1000), 1 + below(m, 500),
            below(m, 2) ? "web" : "db");
    }
    for (uint32_t i = below(m, 4); i > 1; i--) {
        m->client_crash = true;
        add(m, "  - {at: %ums, for: %ums, crash: %s}\n", below(m, 900), 1 + below(m, 99),
            below(m, 2) ? "open" : "closed");
    }
}

static void compose(struct mix *m, uint64_t number)
{
    *m = (struct mix){.length = 0};
    rng_init(&m->chance, &(struct rng_key){.seed = number});
    add(m, "squall: 1\nduration: 10000s\nseed: %" PRIu64 "\nentities:\n", number);
    add_clients(m);
    add_server(m, "web", "db");
    add_server(m, "db", NULL);
    add_network(m);
    add_timeline(m);
}

/* --- identities -------------------------------------------------------------------------- */

/* What begins the names of a server's own calls. */
#define CALLS_OF(server) server ".downstream"

/* "entity.stat", or "server.downstream_stat" for its calls. */
static void name_stat(char *name, size_t size, const char *entity, const char *stat)
{
    snprintf(name, size, "%s%c%s", entity, strchr(entity, '.') ? '_' : '.', stat);
}

static uint64_t count(const struct trial *t, const char *entity, const char *stat)
{
    char name[96];
    name_stat(name, sizeof name, entity, stat);
    return trial_counter(t, name);
}

static uint64_t level(const struct trial *t, const char *entity, const char *stat)
{
    char name[96];
    name_stat(name, sizeof name, entity, stat);
    return (uint64_t)trial_level(t, name);
}

/* At any time. */
static void check_caller(const struct trial *t, const char *name, bool crashes)
{
    uint64_t logical = count(t, name, "logical_requests"), sent = count(t, name, "requests_sent");
    uint64_t open = level(t, name, "in_flight"), abandoned = count(t, name, "abandoned");
    uint64_t received = count(t, name, "responses_received");
    uint64_t timeouts = count(t, name, "timeouts"), errors = count(t, name, "errors");
    uint64_t failures = count(t, name, "failures"), successes = count(t, name, "successes");
    assert_int_equal(logical, successes + failures + open + abandoned);
    assert_int_equal(count(t, name, "retries"), sent - logical);
    assert_int_equal(received, successes + errors);
    /* Attempts that have no end belong to requests in flight or forgotten, one each at most. */
    assert_in_range(sent - received - timeouts, 0, open + abandoned);
    /* So do failed attempts that were neither the last nor followed by another. */
    assert_in_range(timeouts + errors - failures - (sent - logical), 0, open + abandoned);
    if (!crashes) {
        assert_int_equal(abandoned, 0);
    }
}

static void check_server(const struct trial *t, const char *name)
{
    assert_int_equal(count(t, name, "requests_received"),
                     count(t, name, "requests_completed") + count(t, name, "requests_rejected") +
                         count(t, name, "requests_lost") + level(t, name, "queue_depth") +
                         level(t, name, "busy_workers"));
}

/* When nothing is under way any more. */
static void check_quiet_caller(const struct trial *t, const char *name, bool crashes)
{
    assert_int_equal(level(t, name, "in_flight"), 0);
    if (!crashes) {
        uint64_t sent = count(t, name, "requests_sent");
        assert_int_equal(sent, count(t, name, "responses_received") + count(t, name, "timeouts"));
        assert_int_equal(count(t, name, "timeouts") + count(t, name, "errors"),
                         count(t, name, "failures") + count(t, name, "retries"));
    }
}

struct tally {
    uint64_t sent, lost;        /* requests */
    uint64_t replies, accepted; /* replies that came to a caller, in time or not */
};

static void add_caller(struct tally *f, const struct trial *t, const char *name)
{
    f->sent += count(t, name, "requests_sent");
    f->lost += count(t, name, "messages_lost");
    f->accepted += count(t, name, "responses_received") + count(t, name, "late_responses");
}

/* Between servers of one name and all of their callers. */
static void check_wires(const struct trial *t, const char *server, struct tally f,
                        const struct mix *m)
{
    uint64_t received = count(t, server, "requests_received");
    uint64_t answered = count(t, server, "requests_completed") - count(t, server, "replies_lost");
    bool drops = strstr(m->text, "on_reject: drop") != NULL;
    answered += drops ? 0 : count(t, server, "requests_rejected");
    uint64_t missed = count(t, server, "requests_missed");
    assert_int_equal(f.sent - f.lost, received + missed);
    assert_true(m->server_crash || missed == 0);
    if (!drops && !m->server_crash && !m->client_crash) {
        assert_int_equal(answered, f.accepted);
    }
    if (!m->loss) {
        assert_int_equal(f.lost + count(t, server, "replies_lost"), 0);
    }
}

/* Little's law without any mean: both sides are the same sum of the same nanoseconds. */
static void check_little(const struct trial *t, const char *level_of, const char *time_of)
{
    static struct hist_counts h;
    memset(&h, 0, sizeof h);
    trial_histogram(t, time_of, &h);
    assert_int_equal(trial_integral(t, level_of), h.sum);
}

static void check_quiet(const struct trial *t, const struct mix *m)
{
    check_quiet_caller(t, "open", m->client_crash);
    check_quiet_caller(t, "closed", m->client_crash);
    check_quiet_caller(t, CALLS_OF("web"), m->server_crash);
    assert_int_equal(level(t, "web", "busy_workers") + level(t, "db", "busy_workers"), 0);
    struct tally f = {0};
    add_caller(&f, t, "open");
    add_caller(&f, t, "closed");
    check_wires(t, "web", f, m);
    f = (struct tally){0};
    add_caller(&f, t, CALLS_OF("web"));
    check_wires(t, "db", f, m);
    if (!m->client_crash) {
        check_little(t, "open.in_flight", "open.request_latency");
        check_little(t, "closed.in_flight", "closed.request_latency");
    }
    if (!m->server_crash) {
        check_little(t, "web.queue_depth", "web.wait_time");
        check_little(t, "db.queue_depth", "db.wait_time");
        check_little(t, "web.downstream_in_flight", "web.downstream_request_latency");
        assert_int_equal(trial_integral(t, "db.busy_workers"),
                         trial_counter(t, "db.total_service_time"));
        assert_int_equal(trial_integral(t, "web.busy_workers"),
                         trial_counter(t, "web.total_service_time") +
                             trial_integral(t, "web.downstream_in_flight"));
    }
}

static void check_all(const struct trial *t, const struct mix *m)
{
    check_caller(t, "open", m->client_crash);
    check_caller(t, "closed", m->client_crash);
    check_caller(t, CALLS_OF("web"), m->server_crash);
    check_server(t, "web");
    check_server(t, "db");
}

/* The study in hand, so that a failure can show it. */
static struct mix study;

static int show_study(void **state)
{
    (void)state;
    if (study.length > 0) {
        print_message("%s\n", study.text);
    }
    return 0;
}

static void counters_add_up(void **state)
{
    (void)state;
    uint64_t requests = 0, timeouts = 0, crashed = 0;
    for (uint64_t n = 0; n < STUDIES; n++) {
        compose(&study, n);
        struct trial t;
        trial_open(&t, "%s", study.text);
        trial_begin(&t, 0, 0);
        for (sim_time limit = 100 * SIM_TIME_MS; limit < 2 * SIM_TIME_S; limit += 77777777) {
            assert_true(sim_run_until(t.sim, limit, 0));
            check_all(&t, &study);
        }
        trial_end(&t);
        check_all(&t, &study);
        check_quiet(&t, &study);
        requests += trial_counter(&t, "open.logical_requests");
        timeouts +=
            trial_counter(&t, "web.downstream_timeouts") + trial_counter(&t, "open.timeouts");
        crashed += trial_counter(&t, "web.requests_lost") + trial_counter(&t, "db.requests_lost");
        trial_close(&t);
    }
    study.length = 0;
    /* The studies are about something. */
    assert_true(requests > 100 * STUDIES);
    assert_true(timeouts > 50 * STUDIES);
    assert_true(crashed > STUDIES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test_teardown(counters_add_up, show_study)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
