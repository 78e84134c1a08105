/* SPDX-License-Identifier: Apache-2.0
 *
 * Nothing gets lost uncounted: identities between counters, exact, in hundreds of small studies put
 * together at random. Clients (one open, one closed) call two servers, or one that calls another,
 * in every way that a call block knows, over wires that may lose messages, while servers and
 * clients crash, slow down, lose workers and have bad network before them. Everything goes quiet in
 * the second half, so that at the end no request is under way.
 *
 * test_conservation [HOW_MANY [FIRST]]
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/world.h"
#include "parts/service.h"
#include "support/draft.h"
#include "support/trial.h"

static uint64_t n_studies = 600, first_study;

enum { MOST_WORKERS = 4 }; /* of a server */

/* --- studies at random ------------------------------------------------------------------- */

struct composed {
    struct draft draft;
    char text[16384];
    bool loss, server_crash, client_crash;
    bool shares; /* some servers have a machine, or kinds of requests */
};

static const char *target_of(struct draft *d)
{
    static const char *const targets[] = {"web", "\"web[0]\"", "{to: web, balance: random}",
                                          "{to: web, balance: least_outstanding}",
                                          "{to: web, balance: power_of_two_choices}"};
    return DRAFT_ONE_OF(d, targets);
}

static void add_clients(struct draft *d)
{
    static const char *const thinking[] = {"{exponential: 50ms}", "20ms", "1ms"};
    draft_add(d, "  open: {type: client, count: %u, target: %s,\n    ", 1 + draft_below(d, 3),
              target_of(d));
    draft_requests(d);
    draft_add(d, ",\n    arrivals: {kind: %s, rate: %u/s}, call: {",
              draft_below(d, 2) ? "poisson" : "constant", 20 + draft_below(d, 300));
    draft_call(d);
    draft_add(d, "}}\n  closed: {type: client, count: %u, target: %s,\n    ", 1 + draft_below(d, 2),
              target_of(d));
    draft_requests(d);
    draft_add(d, ",\n    arrivals: {closed: {users: %u, think_time: %s}}, call: {",
              1 + draft_below(d, 10), DRAFT_ONE_OF(d, thinking));
    draft_call(d);
    draft_add(d, "}}\n");
}

static void add_server(struct draft *d, const char *name, const char *callee)
{
    static const char *const times[] = {"5ms", "{exponential: 10ms}",
                                        "{lognormal: {mean: 10ms, cv: 2}}", "0s"};
    uint32_t workers = 1 + draft_below(d, MOST_WORKERS);
    draft_add(d, "  %s: {type: server, count: %u, concurrency: %u, service_time: %s,\n    ", name,
              1 + draft_below(d, 3), workers, DRAFT_ONE_OF(d, times));
    draft_queue(d);
    draft_add(d, ",\n    ");
    draft_answers(d);
    draft_service(d, workers);
    if (callee) {
        draft_add(d, ",\n    calls: [{target: %s, ", callee);
        draft_call(d);
        draft_add(d, "}]");
    }
    draft_add(d, "}\n");
}

static void add_network(struct composed *m)
{
    static const char *const jitters[] = {"0s", "{exponential: 2ms}", "{uniform: {high: 1ms}}"};
    static const char *const latencies[] = {"0s", "1ms", "20ms"};
    struct draft *d = &m->draft;
    m->loss = draft_once_in(d, 2);
    draft_add(d, "network: [{latency: %s, jitter: %s, loss: %u%%}]\n", DRAFT_ONE_OF(d, latencies),
              DRAFT_ONE_OF(d, jitters), m->loss ? 5 + draft_below(d, 20) : 0);
}

static void add_timeline(struct composed *m)
{
    static const char *const callers[] = {"open", "closed", "web"};
    struct draft *d = &m->draft;
    draft_add(d, "timeline:\n"
                 "  - {at: 1s, rate: open, factor: 0}\n"
                 "  - {at: 1s, rate: closed, factor: 0}\n");
    for (uint32_t i = draft_below(d, 3); i > 0; i--) {
        draft_add(d, "  - {at: %ums, for: %ums, slow: %s, factor: %u}\n", draft_below(d, 1000),
                  1 + draft_below(d, 800), draft_below(d, 2) ? "web" : "\"web[0]\"",
                  1 + draft_below(d, 9));
    }
    for (uint32_t i = draft_below(d, 4); i > 1; i--) {
        m->server_crash = true;
        draft_add(d, "  - {at: %ums, for: %ums, crash: %s}\n", draft_below(d, 1000),
                  1 + draft_below(d, 500), draft_below(d, 2) ? "web" : "db");
    }
    for (uint32_t i = draft_below(d, 4); i > 1; i--) {
        m->client_crash = true;
        draft_add(d, "  - {at: %ums, for: %ums, crash: %s}\n", draft_below(d, 900),
                  1 + draft_below(d, 99), draft_below(d, 2) ? "open" : "closed");
    }
    for (uint32_t i = draft_below(d, 3); i > 0; i--) {
        draft_add(d, "  - {at: %ums, for: %ums, conditioner: %s, network: ", draft_below(d, 1000),
                  1 + draft_below(d, 800), DRAFT_ONE_OF(d, callers));
        draft_conditioner(d);
        draft_add(d, "}\n");
    }
    static const char *const factors[] = {"0", "50%", "2"};
    if (draft_once_in(d, 4)) {
        draft_add(d, "  - {at: %ums, for: %ums, capacity: web, factor: %s}\n", draft_below(d, 1000),
                  1 + draft_below(d, 500), DRAFT_ONE_OF(d, factors));
    }
}

static void compose(struct composed *m, uint64_t number)
{
    *m = (struct composed){.loss = false};
    struct draft *d = &m->draft;
    draft_begin(d, number, 0, m->text, sizeof m->text);
    draft_add(d, "squall: 1\nduration: 10000s\nseed: %" PRIu64 "\nentities:\n", number);
    add_clients(d);
    add_server(d, "web", "db");
    add_server(d, "db", NULL);
    m->shares = strstr(m->text, " machine: {") || strstr(m->text, " kinds: {");
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

static uint64_t times(const struct trial *t, const char *entity, const char *stat, uint64_t *sum)
{
    static struct hist_counts h;
    char name[96];
    name_stat(name, sizeof name, entity, stat);
    memset(&h, 0, sizeof h);
    trial_histogram(t, name, &h);
    *sum = h.sum;
    return h.total;
}

/* Attempts that were begun and not sent. */
static uint64_t held_back(const struct trial *t, const char *name)
{
    return count(t, name, "rate_limited") + count(t, name, "circuit_broken") +
           count(t, name, "throttled") + count(t, name, "low_timeouts") +
           count(t, name, "dropped") + count(t, name, "connection_wait_timeouts");
}

/* Of the attempts of a caller, at any time. */
static void check_attempts(const struct trial *t, const char *name)
{
    uint64_t sent = count(t, name, "requests_sent"), received, sum;
    uint64_t under_way = level(t, name, "in_flight") + count(t, name, "abandoned");
    assert_int_equal(count(t, name, "logical_requests") + count(t, name, "retries") +
                         count(t, name, "hedges"),
                     sent + held_back(t, name));
    /* Attempts that have no end belong to requests in flight or forgotten. */
    received = count(t, name, "responses_received");
    assert_in_range(sent - received - count(t, name, "timeouts") - count(t, name, "refused") -
                        count(t, name, "cancelled"),
                    0, DRAFT_MOST_ATTEMPTS * under_way);
    assert_int_equal(received, times(t, name, "response_time", &sum));
}

/* Of its requests, at any time. */
static void check_requests(const struct trial *t, const char *name)
{
    uint64_t open = level(t, name, "in_flight"), abandoned = count(t, name, "abandoned");
    uint64_t failures = count(t, name, "failures"), successes = count(t, name, "successes");
    uint64_t errors = count(t, name, "errors"), late = count(t, name, "late_successes"), sum;
    assert_int_equal(count(t, name, "logical_requests"), successes + failures + open + abandoned);
    assert_int_equal(successes + failures, times(t, name, "request_latency", &sum));
    assert_int_equal(count(t, name, "responses_received") + late, successes + errors);
    assert_true(late <= count(t, name, "late_responses"));
    assert_true(count(t, name, "hedge_wins") <= count(t, name, "hedges"));
    /* Every retry, and every failure, is for an attempt that failed. The others that failed were
     * not alone in their round, or what came of their request in the end was something else. */
    uint64_t failed = errors + count(t, name, "timeouts") + count(t, name, "refused");
    assert_in_range(failed + held_back(t, name) - failures - count(t, name, "retries"), 0,
                    count(t, name, "hedges") + open + abandoned + late);
}

static void check_breakers(const struct trial *t, const char *name)
{
    uint64_t changes = count(t, name, "breaker_state_changes");
    uint64_t opened = count(t, name, "breaker_times_opened");
    uint64_t closed = count(t, name, "breaker_times_closed");
    uint64_t open = level(t, name, "breakers_open"), half = level(t, name, "breakers_half_open");
    /* All others lead from open to half-open. */
    assert_int_equal(open, opened - (changes - opened - closed));
    assert_in_range(half, 0, opened - closed - open);
}

/* At any time. */
static void check_caller(const struct trial *t, const char *name, bool crashes)
{
    check_attempts(t, name);
    check_requests(t, name);
    if (!crashes) {
        check_breakers(t, name);
    }
}

static uint64_t sum_of(const struct trial *t, const char *name, const char *const *counters)
{
    uint64_t sum = 0;
    for (; *counters; counters++) {
        sum += count(t, name, *counters);
    }
    return sum;
}

/* How requests end that a server or its queue does not let in, or has had for too long. */
static const char *const turned_away[] = {"requests_rejected", "requests_limited",
                                          "requests_balked", "requests_shed", NULL};
static const char *const too_late[] = {"requests_reneged", "requests_expired", NULL};

/* The slots of a server's type: of its own and of those of all other servers. */
static const struct slab *slab_of(const struct trial *t, const char *server, int which)
{
    return &t->sim->records[trial_entity(t, server)].slabs[which];
}

/* How many requests the servers of a name have in service, however many workers each takes. */
static uint64_t in_service(const struct trial *t, const char *server)
{
    const struct slab *jobs = slab_of(t, server, SERVICE_JOBS);
    const struct record *records = t->sim->records;
    uint32_t group = records[trial_entity(t, server)].group;
    uint64_t n = 0;
    for (uint32_t i = 0; i < jobs->n; i++) {
        const struct served *job = slab_at(jobs, i);
        n += slab_is_taken(jobs, i) && job->phase != SERVICE_AWAITED &&
             records[job->in.owner].group == group;
    }
    return n;
}

static void check_server(const struct trial *t, const char *name)
{
    static const char *const ends[] = {
        "requests_completed",   "requests_refused",  "requests_cancelled", "requests_dropped",
        "rejected_low_timeout", "deadline_exceeded", "requests_lost",      NULL};
    uint64_t ended =
        sum_of(t, name, ends) + sum_of(t, name, turned_away) + sum_of(t, name, too_late);
    uint64_t served = in_service(t, name), busy = level(t, name, "busy_workers");
    assert_int_equal(count(t, name, "requests_received"),
                     ended + level(t, name, "queue_depth") + served);
    assert_in_range(busy, served, served * MOST_WORKERS);
    assert_in_range(level(t, name, "event_loop_queue"), 0, served);
}

/* --- when all is quiet ------------------------------------------------------------------- */

static void check_quiet_caller(const struct trial *t, const char *name, bool crashes)
{
    assert_int_equal(level(t, name, "in_flight"), 0);
    if (!crashes) {
        assert_int_equal(count(t, name, "requests_sent"),
                         count(t, name, "responses_received") + count(t, name, "timeouts") +
                             count(t, name, "refused") + count(t, name, "cancelled"));
    }
}

/* Nothing is outstanding on any wire. */
static void check_loads(const struct trial *t)
{
    struct ctx c = {.sim = t->sim};
    for (wire_id wire = 0; wire < t->study->blueprint.n_wires; wire++) {
        assert_int_equal(*sim_wire_load(&c, wire), 0);
    }
}

enum { MOST_ATTEMPTS = 16 }; /* of a request at a time */

struct tally {
    uint64_t sent, lost; /* requests */
    uint64_t accepted;   /* replies that came to a caller, in time or not */
    uint64_t forgotten;  /* requests, of which attempts were perhaps not on their way yet */
};

static void add_caller(struct tally *f, const struct trial *t, const char *name)
{
    uint64_t tries = count(t, name, "reconnects") - count(t, name, "connect_failures");
    f->sent += count(t, name, "requests_sent") + tries - count(t, name, "unwritten");
    f->lost += count(t, name, "messages_lost");
    f->accepted += count(t, name, "responses_received") + count(t, name, "late_responses") +
                   count(t, name, "refused") + tries;
    f->forgotten += count(t, name, "abandoned");
}

/* Between servers of one name and all of their callers. */
static void check_wires(const struct trial *t, const char *server, struct tally f,
                        const struct composed *m)
{
    bool rejects = strstr(m->text, "on_reject: drop") == NULL;
    bool expires = strstr(m->text, "on_expired: drop") == NULL;
    uint64_t arrived = count(t, server, "requests_received") + count(t, server, "requests_missed");
    uint64_t answered =
        count(t, server, "requests_completed") - count(t, server, "replies_dropped") -
        count(t, server, "replies_lost") + count(t, server, "requests_refused") +
        count(t, server, "rejected_low_timeout") + count(t, server, "deadline_exceeded");
    answered += rejects ? sum_of(t, server, turned_away) + count(t, server, "requests_dropped") : 0;
    answered += expires ? sum_of(t, server, too_late) : 0;
    assert_in_range(f.sent - f.lost - arrived, 0, MOST_ATTEMPTS * f.forgotten);
    assert_true(m->server_crash || count(t, server, "requests_missed") == 0);
    if (rejects && expires && !m->server_crash && !m->client_crash) {
        assert_int_equal(f.accepted, answered);
    }
    if (!m->loss) {
        assert_int_equal(f.lost + count(t, server, "replies_lost"), 0);
    }
}

static uint64_t integral(const struct trial *t, const char *entity, const char *stat)
{
    char name[96];
    name_stat(name, sizeof name, entity, stat);
    return trial_integral(t, name);
}

/* Little's law without any mean: both sides are the same sum of the same nanoseconds. Those who
 * left before their time are in one only. */
static void check_little(const struct trial *t, const char *entity, const char *level_of,
                         const char *time_of, uint64_t leavers)
{
    uint64_t sum, area = integral(t, entity, level_of);
    times(t, entity, time_of, &sum);
    assert_in_range(area - sum, 0, leavers ? area : 0);
}

static void check_quiet_server(const struct trial *t, const char *name, const struct composed *m)
{
    uint64_t sum, cancelled = count(t, name, "requests_cancelled");
    check_little(t, name, "queue_depth", "wait_time", cancelled);
    uint64_t admitted = count(t, name, "requests_received") - count(t, name, "requests_refused") -
                        sum_of(t, name, turned_away);
    assert_in_range(admitted - times(t, name, "wait_time", &sum), 0, cancelled);
    assert_int_equal(count(t, name, "requests_completed"), times(t, name, "sojourn_time", &sum));
    uint64_t served = count(t, name, "total_service_time") + integral(t, name, "event_loop_queue") +
                      integral(t, name, "downstream_in_flight");
    uint64_t busy = integral(t, name, "busy_workers");
    if (m->shares) { /* some do less in that time than one alone would, or take several workers */
        uint64_t rounding = count(t, name, "requests_received");
        assert_in_range(served, 0, busy + rounding);
    } else {
        assert_int_equal(busy, served);
    }
}

/* No slot is left: of requests, of their work, of calls. */
static void check_slots(const struct trial *t)
{
    for (int which = 0; which <= SERVICE_END_SLABS; which++) {
        assert_int_equal(slab_of(t, "web", which)->live, 0);
    }
}

static void check_quiet(const struct trial *t, const struct composed *m)
{
    check_quiet_caller(t, "open", m->client_crash);
    check_quiet_caller(t, "closed", m->client_crash);
    check_quiet_caller(t, CALLS_OF("web"), m->server_crash);
    assert_int_equal(level(t, "web", "busy_workers") + level(t, "db", "busy_workers"), 0);
    assert_int_equal(level(t, "web", "queue_depth") + level(t, "db", "queue_depth"), 0);
    check_loads(t);
    check_slots(t);
    struct tally f = {0};
    add_caller(&f, t, "open");
    add_caller(&f, t, "closed");
    check_wires(t, "web", f, m);
    f = (struct tally){0};
    add_caller(&f, t, CALLS_OF("web"));
    check_wires(t, "db", f, m);
    if (!m->client_crash) {
        assert_int_equal(count(t, "open", "abandoned") + count(t, "closed", "abandoned"), 0);
        check_little(t, "open", "in_flight", "request_latency", 0);
        check_little(t, "closed", "in_flight", "request_latency", 0);
    }
    if (!m->server_crash) {
        uint64_t abandoned = count(t, CALLS_OF("web"), "abandoned");
        assert_in_range(abandoned, 0,
                        count(t, "web", "requests_cancelled") +
                            count(t, "web", "deadline_exceeded"));
        check_little(t, CALLS_OF("web"), "in_flight", "request_latency", abandoned);
        check_quiet_server(t, "web", m);
        check_quiet_server(t, "db", m);
    }
}

static void check_all(const struct trial *t, const struct composed *m)
{
    check_caller(t, "open", m->client_crash);
    check_caller(t, "closed", m->client_crash);
    check_caller(t, CALLS_OF("web"), m->server_crash);
    check_server(t, "web");
    check_server(t, "db");
}

/* The study in hand, so that a failure can show it. */
static struct composed study;

static int show_study(void **state)
{
    (void)state;
    if (study.draft.length > 0) {
        puts(study.text); /* cmocka would cut it short */
    }
    return 0;
}

/* What the studies are about, and how much of it there is to be for each ten of them. */
struct happening {
    const char *stat;
    uint64_t least;
};

static const struct happening happenings[] = {
    {"logical_requests", 1000}, {"timeouts", 500},       {"retries", 500},
    {"retries_denied", 100},    {"hedges", 500},         {"hedge_wins", 100},
    {"cancelled", 100},         {"late_responses", 100}, {"late_successes", 10},
    {"circuit_broken", 100},    {"rate_limited", 100},   {"throttled", 100},
    {"low_timeouts", 100},      {"dropped", 10},         {"refused", 10},
    {"reconnects", 10},         {"abandoned", 10},       {"breaker_times_opened", 10},
    {"breaker_times_closed", 5}};

enum { HAPPENINGS = sizeof happenings / sizeof happenings[0] };

/* Likewise of servers. */
static const struct happening servings[] = {
    {"requests_completed", 1000}, {"requests_rejected", 100}, {"requests_limited", 100},
    {"requests_balked", 10},      {"requests_shed", 10},      {"requests_dropped", 1},
    {"requests_reneged", 10},     {"requests_expired", 1},    {"replicas_added", 1},
    {"replicas_removed", 1},      {"deadline_exceeded", 10},  {"requests_cancelled", 10}};

enum { SERVINGS = sizeof servings / sizeof servings[0] };

static void add_happenings(const struct trial *t, uint64_t *sums)
{
    for (int i = 0; i < HAPPENINGS; i++) {
        sums[i] +=
            count(t, "open", happenings[i].stat) + count(t, CALLS_OF("web"), happenings[i].stat);
    }
    for (int i = 0; i < SERVINGS; i++) {
        sums[HAPPENINGS + i] +=
            count(t, "web", servings[i].stat) + count(t, "db", servings[i].stat);
    }
}

static void run_study(uint64_t number, uint64_t *sums)
{
    compose(&study, number);
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
    add_happenings(&t, sums);
    trial_close(&t);
}

static void counters_add_up(void **state)
{
    (void)state;
    uint64_t sums[HAPPENINGS + SERVINGS] = {0};
    for (uint64_t n = 0; n < n_studies; n++) {
        run_study(first_study + n, sums);
    }
    study.draft.length = 0;
    for (int i = 0; i < HAPPENINGS + SERVINGS; i++) {
        const struct happening *h = i < HAPPENINGS ? &happenings[i] : &servings[i - HAPPENINGS];
        if (sums[i] < h->least * (n_studies / 10)) {
            fail_msg("too few of %s: %" PRIu64, h->stat, sums[i]);
        }
    }
}

int main(int argc, char **argv)
{
    if (argc > 1) {
        n_studies = strtoull(argv[1], NULL, 10);
    }
    if (argc > 2) {
        first_study = strtoull(argv[2], NULL, 10);
    }
    const struct CMUnitTest tests[] = {cmocka_unit_test_teardown(counters_add_up, show_study)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
