/* SPDX-License-Identifier: Apache-2.0
 *
 * Who is at the target when, to the nanosecond, and what a bulkhead counts.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>
#include <stdio.h>

#include "rng/stream.h"
#include "support/asker.h"
#include "support/probe.h"
#include "support/trial.h"

static void open_wall(struct trial *t, const char *steps, const char *wall, const char *answers,
                      const char *rest)
{
    asker_open(t, steps, "wall", "bulkhead", wall, answers, rest);
}

/* An asker's `steps` through a bulkhead to a probe. */
static void run(struct trial *t, const char *steps, const char *wall, const char *answers)
{
    open_wall(t, steps, wall, answers, "");
    trial_run(t, 0);
}

static void assert_requests(const struct trial *t, uint64_t accepted, uint64_t queued,
                            uint64_t rejected, uint64_t timed_out)
{
    assert_int_equal(trial_counter(t, "wall.accepted_requests"), accepted);
    assert_int_equal(trial_counter(t, "wall.queued_requests"), queued);
    assert_int_equal(trial_counter(t, "wall.rejected_requests"), rejected);
    assert_int_equal(trial_counter(t, "wall.timed_out_requests"), timed_out);
}

/* What holds at any time. */
static void assert_balance(const struct trial *t)
{
    uint64_t total = trial_counter(t, "wall.total_requests");
    uint64_t accepted = trial_counter(t, "wall.accepted_requests");
    uint64_t rejected = trial_counter(t, "wall.rejected_requests");
    uint64_t timed_out = trial_counter(t, "wall.timed_out_requests");
    uint64_t answered = trial_counter(t, "wall.responses_received");
    uint64_t expired = trial_counter(t, "wall.target_timeouts");
    uint64_t gone =
        trial_counter(t, "wall.cancels_received") + trial_counter(t, "wall.requests_lost");
    uint64_t there = (uint64_t)trial_level(t, "wall.in_flight");
    uint64_t waiting = (uint64_t)trial_level(t, "wall.queue_depth");
    assert_int_equal(total, trial_counter(t, "wall.requests_received"));
    assert_int_equal(accepted, trial_counter(t, "wall.requests_sent"));
    assert_int_equal(trial_level(t, "wall.in_progress"), there + waiting);
    assert_int_equal(total, rejected + timed_out + answered + expired + gone + there + waiting);
    /* Of those given up or lost some had a place and the others waited. */
    assert_true(accepted >= answered + expired + there);
    assert_true(accepted <= answered + expired + there + gone);
}

/* --- places and the line ----------------------------------------------------------------- */

static void one_place_two_waiting_and_a_limit(void **state)
{
    (void)state;
    struct trial t;
    run(&t, "[0s, 1], [0.1s, 2], [0.2s, 3], [0.3s, 4]",
        "max_concurrent: 1, max_wait_queue: 2, max_wait_time: 1.5s", "{after: 1s}");
    probe_assert_times(&t, "far", 2, (sim_time[]){0, S(1)});
    asker_assert_replies(
        &t, "users", 4,
        (struct asker_reply[]){{S(0.3), 4, 503}, {S(1), 1, 200}, {S(1.7), 3, 503}, {S(2), 2, 200}});
    assert_requests(&t, 2, 2, 1, 1);
    assert_int_equal(trial_counter(&t, "wall.total_requests"), 4);
    assert_int_equal(trial_integral(&t, "wall.in_flight"), S(2));
    assert_int_equal(trial_integral(&t, "wall.queue_depth"), S(0.9) + S(1.5));
    struct hist_counts waits = {.total = 0};
    trial_histogram(&t, "wall.wait_time", &waits);
    assert_int_equal(waits.total, 2);
    assert_int_equal(waits.min, 0);
    assert_int_equal(waits.max, S(0.9));
    assert_balance(&t);
    trial_close(&t);
}

static void whoever_came_first_goes_first(void **state)
{
    (void)state;
    struct trial t;
    run(&t, "[0s, 1], [0.1s, 2], [0.2s, 3], [0.3s, 4], [0.4s, 5], [0.5s, 6]",
        "max_concurrent: 2, max_wait_queue: unlimited",
        "{after: 2s}, {after: 3s}, {after: 0.1s}, {after: 5s}, {after: 1s}, {after: 1s}");
    /* Places come free at 2.0 (1), 2.1 (3), 3.1 (2), 4.1 (5), 5.1 (6), 7.1 (4). */
    probe_assert_times(&t, "far", 6, (sim_time[]){0, S(0.1), S(2), S(2.1), S(3.1), S(4.1)});
    for (uint32_t i = 0; i < 6; i++) {
        assert_int_equal(probe_visit(&t, "far", i)->number, i + 1);
    }
    asker_assert_replies(&t, "users", 6,
                         (struct asker_reply[]){{S(2), 1, 200},
                                                {S(2.1), 3, 200},
                                                {S(3.1), 2, 200},
                                                {S(4.1), 5, 200},
                                                {S(5.1), 6, 200},
                                                {S(7.1), 4, 200}});
    assert_requests(&t, 6, 4, 0, 0);
    trial_close(&t);
}

/* Who comes when a place comes free finds the line before it, whoever of the two is first. */
static void nobody_overtakes_the_line(void **state)
{
    (void)state;
    struct trial t;
    run(&t, "[0s, 1], [0.5s, 2], [1s, 3], [2s, 4]", "max_concurrent: 1, max_wait_queue: 2",
        "{after: 1s}");
    for (uint32_t i = 0; i < 4; i++) {
        assert_int_equal(probe_visit(&t, "far", i)->number, i + 1);
        assert_int_equal(probe_visit(&t, "far", i)->at, S(i));
    }
    trial_close(&t);
}

static void without_a_line_the_rest_is_rejected(void **state)
{
    (void)state;
    struct trial t;
    const char *steps = "[0s, 1], [0.999999999s, 2], [1.000000001s, 3]";
    run(&t, steps, "max_concurrent: 1, reject_status: 429", "{after: 1s}");
    asker_assert_replies(
        &t, "users", 3,
        (struct asker_reply[]){{S(0.999999999), 2, 429}, {S(1), 1, 200}, {S(2.000000001), 3, 200}});
    assert_requests(&t, 2, 0, 1, 0);
    trial_close(&t);
    run(&t, steps, "max_concurrent: 1, on_reject: drop", "{after: 1s}");
    asker_assert_replies(&t, "users", 2,
                         (struct asker_reply[]){{S(1), 1, 200}, {S(2.000000001), 3, 200}});
    assert_requests(&t, 2, 0, 1, 0);
    assert_int_equal(trial_level(&t, "wall.in_progress"), 0);
    trial_close(&t);
    run(&t, steps, "max_concurrent: unlimited", "{after: 1s}");
    assert_requests(&t, 3, 0, 0, 0);
    trial_close(&t);
}

/* A rejection asks not to be tried again. */
static void rejected_requests_are_not_tried_again(void **state)
{
    (void)state;
    struct trial t;
    trial_open(&t, "squall: 1\n"
                   "duration: 10s\n"
                   "entities:\n"
                   "  users: {type: client, target: wall, arrivals: {times: [0s, 0.5s]},\n"
                   "          call: {retry: {kind: fixed, max_attempts: 5, delay: 1s}}}\n"
                   "  wall: {type: bulkhead, target: far, max_concurrent: 1}\n"
                   "  far: {type: probe, answers: [{after: 1s}]}\n");
    trial_run(&t, 0);
    assert_int_equal(trial_counter(&t, "users.successes"), 1);
    assert_int_equal(trial_counter(&t, "users.failures"), 1);
    assert_int_equal(trial_counter(&t, "users.retries"), 0);
    trial_close(&t);
}

/* --- ties -------------------------------------------------------------------------------- */

/* A waiter leaves at the very instant, and a place that comes free then is not for it. */
static void a_place_that_comes_with_the_limit_is_late(void **state)
{
    (void)state;
    struct trial t;
    const char *steps = "[0s, 1], [0.5s, 2], [0.6s, 3]";
    run(&t, steps, "max_concurrent: 1, max_wait_queue: 2, max_wait_time: 1.5s", "{after: 2s}");
    asker_assert_replies(&t, "users", 3,
                         (struct asker_reply[]){{S(2), 2, 503}, {S(2), 1, 200}, {S(4), 3, 200}});
    assert_requests(&t, 2, 2, 0, 1);
    trial_close(&t);
    run(&t, steps, "max_concurrent: 1, max_wait_queue: 2, max_wait_time: 1.500000001s",
        "{after: 2s}");
    asker_assert_replies(
        &t, "users", 3,
        (struct asker_reply[]){{S(2), 1, 200}, {S(2.100000001), 3, 503}, {S(4), 2, 200}});
    assert_requests(&t, 2, 2, 0, 1);
    trial_close(&t);
    run(&t, "[0s, 1], [0.5s, 2]",
        "max_concurrent: 1, max_wait_queue: 1, max_wait_time: 1s, on_reject: drop", "{after: 2s}");
    asker_assert_replies(&t, "users", 1, (struct asker_reply[]){{S(2), 1, 200}});
    assert_requests(&t, 1, 1, 0, 1);
    trial_close(&t);
}

/* --- what does not come back ------------------------------------------------------------- */

static void lost_requests_keep_their_place(void **state)
{
    (void)state;
    struct trial t;
    const char *steps = "[0s, 1], [1s, 2], [50s, 3]", *answers = "{after: none}, {after: 1s}";
    run(&t, steps, "max_concurrent: 1, max_wait_queue: 1", answers);
    asker_assert_replies(&t, "users", 1, (struct asker_reply[]){{S(50), 3, 503}});
    assert_int_equal(trial_level(&t, "wall.in_flight"), 1);
    assert_int_equal(trial_level(&t, "wall.queue_depth"), 1);
    assert_balance(&t);
    trial_close(&t);
    run(&t, steps, "max_concurrent: 1, max_wait_queue: 1, timeout: 3s", answers);
    asker_assert_replies(&t, "users", 3,
                         (struct asker_reply[]){{S(3), 1, 504}, {S(4), 2, 200}, {S(51), 3, 200}});
    assert_int_equal(trial_counter(&t, "wall.target_timeouts"), 1);
    assert_int_equal(trial_counter(&t, "wall.late_responses"), 0);
    assert_balance(&t);
    trial_close(&t);
}

/* A timeout wins ties, too; the late reply is of no use to anybody. */
static void what_takes_too_long_gives_its_place_back(void **state)
{
    (void)state;
    struct trial t;
    run(&t, "[0s, 1], [1s, 2]", "max_concurrent: 1, max_wait_queue: 1, timeout: 2s",
        "{after: 2s}, {after: 1.999999999s}");
    asker_assert_replies(&t, "users", 2,
                         (struct asker_reply[]){{S(2), 1, 504}, {S(3.999999999), 2, 200}});
    assert_int_equal(trial_counter(&t, "wall.target_timeouts"), 1);
    assert_int_equal(trial_counter(&t, "wall.late_responses"), 1);
    assert_int_equal(trial_counter(&t, "wall.responses_received"), 1);
    assert_int_equal(trial_counter(&t, "far.cancels_received"), 0);
    trial_close(&t);
    run(&t, "[0s, 1]", "max_concurrent: 1, timeout: 2s, pass_cancel: true", "{after: 5s}");
    probe_assert_cancels(&t, "far", 1, (sim_time[]){S(2)});
    trial_close(&t);
}

/* --- cancels and crashes ----------------------------------------------------------------- */

static void cancels_leave_the_line_or_the_place(void **state)
{
    (void)state;
    struct trial t;
    const char *wall = "max_concurrent: 1, max_wait_queue: 3, max_wait_time: 10s";
    const char *steps = "[0s, 1], [0.1s, 2], [0.2s, 3], [0.3s, 4], "
                        "[0.5s, 3, cancel], [0.6s, 5], [0.7s, 1, cancel]";
    run(&t, steps, wall, "{after: 2s}");
    asker_assert_replies(
        &t, "users", 3,
        (struct asker_reply[]){{S(2.7), 2, 200}, {S(4.7), 4, 200}, {S(6.7), 5, 200}});
    assert_requests(&t, 4, 4, 0, 0);
    assert_int_equal(trial_counter(&t, "wall.cancels_received"), 2);
    assert_int_equal(trial_counter(&t, "wall.late_responses"), 1);
    assert_int_equal(trial_counter(&t, "far.cancels_received"), 0);
    assert_int_equal(trial_integral(&t, "wall.in_flight"), S(6.7));
    assert_balance(&t);
    trial_close(&t);
    char telling[256];
    snprintf(telling, sizeof telling, "pass_cancel: true, %s", wall);
    run(&t, steps, telling, "{after: 2s}");
    probe_assert_cancels(&t, "far", 1, (sim_time[]){S(0.7)}); /* not of the one that waited */
    trial_close(&t);
    /* The last and the first of the line. */
    run(&t, "[0s, 1], [0.1s, 2], [0.2s, 3], [0.3s, 4], [0.4s, 4, cancel], [0.5s, 2, cancel]", wall,
        "{after: 2s}");
    asker_assert_replies(&t, "users", 2, (struct asker_reply[]){{S(2), 1, 200}, {S(4), 3, 200}});
    trial_close(&t);
}

/* A crash forgets those in the line and those at the target; nothing of them comes due. */
static void a_crash_empties_it(void **state)
{
    (void)state;
    struct trial t;
    open_wall(&t, "[0s, 1], [0.5s, 2], [1.2s, 3], [2s, 4], [2.5s, 5]",
              "max_concurrent: 1, max_wait_queue: 1, max_wait_time: 3s, timeout: 4s", "{after: 2s}",
              "timeline: [{at: 1s, for: 0.5s, crash: wall}]");
    trial_run(&t, 0);
    asker_assert_replies(&t, "users", 2, (struct asker_reply[]){{S(4), 4, 200}, {S(6), 5, 200}});
    assert_int_equal(trial_counter(&t, "wall.requests_lost"), 2);
    assert_int_equal(trial_counter(&t, "wall.requests_missed"), 1);
    assert_int_equal(trial_counter(&t, "wall.late_responses"), 1);
    assert_int_equal(trial_integral(&t, "wall.in_flight"), S(1) + S(4));
    assert_int_equal(trial_integral(&t, "wall.queue_depth"), S(0.5) + S(1.5));
    assert_balance(&t);
    trial_close(&t);
}

/* Word of a connection of a pool is passed on, and frees no place. */
static void a_pool_may_stand_behind_it(void **state)
{
    (void)state;
    struct trial t;
    trial_open(&t, "squall: 1\n"
                   "duration: 10s\n"
                   "entities:\n"
                   "  users: {type: asker, target: wall, steps: [[0s, 1, ask_pooled], [0.5s, 2]]}\n"
                   "  wall: {type: bulkhead, target: pool, max_concurrent: 1}\n"
                   "  pool: {type: connection_pool, target: far}\n"
                   "  far: {type: probe, answers: [{after: 1s}]}\n");
    trial_run(&t, 0);
    asker_assert_replies(
        &t, "users", 3,
        (struct asker_reply[]){{S(0.01), 1, 100}, {S(0.5), 2, 503}, {S(1.01), 1, 200}});
    trial_close(&t);
    /* It is told of cancels, or it would keep the connection of what nobody waits for. */
    trial_open(&t, "squall: 1\n"
                   "duration: 10s\n"
                   "entities:\n"
                   "  users: {type: asker, target: wall, steps: [[0s, 1, ask_pooled],\n"
                   "          [0.5s, 1, cancel], [1s, 2, ask_pooled]]}\n"
                   "  wall: {type: bulkhead, target: pool, max_concurrent: 1}\n"
                   "  pool: {type: connection_pool, target: far, max_connections: 1}\n"
                   "  far: {type: probe, answers: [{after: none}, {after: 1s}]}\n");
    trial_run(&t, 0);
    probe_assert_times(&t, "far", 2, (sim_time[]){S(0.01), S(1)});
    trial_close(&t);
}

/* --- whatever happens -------------------------------------------------------------------- */

enum { REQUESTS = 60, MOST_PLACES = 3, MOST_LINE = 4 };

/* A script and, beside it, what should become of it, by looking through all requests each time. */
struct script {
    int64_t places, line;
    sim_time max_wait, timeout; /* [ns] SIM_TIME_NEVER: none */
    struct request {
        sim_time ask, cancel, leaves, reply, expires; /* [ns] SIM_TIME_NEVER: not */
        bool waits, there;
    } requests[REQUESTS];
    sim_time answers[REQUESTS]; /* [ns] after which the k-th that arrives is answered */
    sim_time begun[REQUESTS];   /* [ns] when it arrived */
    uint32_t order[REQUESTS];   /* whose it is */
    uint64_t accepted, queued, rejected, timed_out, answered, expired, cancelled;
};

static int count(const struct script *s, size_t what)
{
    int n = 0;
    for (int i = 0; i < REQUESTS; i++) {
        n += *((const bool *)((const char *)&s->requests[i] + what));
    }
    return n;
}

static void expect_start(struct script *s, struct request *q, sim_time now)
{
    q->waits = false;
    q->there = true;
    q->leaves = SIM_TIME_NEVER;
    q->reply = sim_time_add(now, s->answers[s->accepted]);
    q->expires = sim_time_add(now, s->timeout);
    s->begun[s->accepted] = now;
    s->order[s->accepted++] = (uint32_t)(q - s->requests) + 1;
}

static void expect_end(struct script *s, struct request *q, sim_time now)
{
    q->ask = q->cancel = q->leaves = q->reply = q->expires = SIM_TIME_NEVER;
    q->waits = q->there = false;
    int there = count(s, offsetof(struct request, there));
    for (int i = 0; i < REQUESTS && there < s->places; i++) { /* they came in this order */
        if (s->requests[i].waits) {
            expect_start(s, &s->requests[i], now);
            there++;
        }
    }
}

static void expect_ask(struct script *s, struct request *q, sim_time now)
{
    if (count(s, offsetof(struct request, there)) < s->places) {
        expect_start(s, q, now);
    } else if (count(s, offsetof(struct request, waits)) < s->line) {
        s->queued++;
        q->waits = true;
        q->leaves = sim_time_add(now, s->max_wait);
    } else {
        s->rejected++;
        q->cancel = SIM_TIME_NEVER;
    }
}

static bool expect_step(struct script *s)
{
    sim_time *next = NULL;
    struct request *q = NULL;
    for (int i = 0; i < REQUESTS; i++) {
        struct request *r = &s->requests[i];
        sim_time *steps[] = {&r->ask, &r->cancel, &r->leaves, &r->reply, &r->expires};
        for (int k = 0; k < 5; k++) {
            if (*steps[k] != SIM_TIME_NEVER && (!next || *steps[k] < *next)) {
                next = steps[k];
                q = r;
            }
        }
    }
    if (!next) {
        return false;
    }
    sim_time now = *next;
    *next = SIM_TIME_NEVER;
    if (next == &q->ask) {
        expect_ask(s, q, now);
        return true;
    }
    *(next == &q->cancel   ? &s->cancelled
      : next == &q->leaves ? &s->timed_out
      : next == &q->reply  ? &s->answered
                           : &s->expired) += 1;
    expect_end(s, q, now);
    return true;
}

static sim_time below(struct rng_stream *r, sim_time most)
{
    return (sim_time)(rng_bits(r) % (uint64_t)most);
}

/* Times are to the nanosecond, so that ties do not happen. */
static void draw_script(struct script *s, struct rng_stream *r)
{
    sim_time at = 0;
    *s = (struct script){.places = 1 + below(r, MOST_PLACES),
                         .line = below(r, MOST_LINE + 1),
                         .max_wait = below(r, 3) ? 1 + below(r, S(0.03)) : SIM_TIME_NEVER,
                         .timeout = below(r, 3) ? 1 + below(r, S(0.08)) : SIM_TIME_NEVER};
    for (int i = 0; i < REQUESTS; i++) {
        at += 1 + below(r, S(0.02));
        s->requests[i] = (struct request){.ask = at,
                                          .cancel = SIM_TIME_NEVER,
                                          .leaves = SIM_TIME_NEVER,
                                          .reply = SIM_TIME_NEVER,
                                          .expires = SIM_TIME_NEVER};
        if (below(r, 4) == 0) {
            s->requests[i].cancel = at + 1 + below(r, S(0.04));
        }
        s->answers[i] = below(r, 15) == 0 ? SIM_TIME_NEVER : 1 + below(r, S(0.05));
    }
}

static const char *written(char *text, size_t size, sim_time time)
{
    if (time == SIM_TIME_NEVER) {
        return "none";
    }
    snprintf(text, size, "%" PRId64 "ns", time);
    return text;
}

static void open_script(struct trial *t, const struct script *s)
{
    char steps[8192], answers[4096], wall[256], a[32], b[32];
    size_t n = 0, k = 0;
    for (int i = 0; i < REQUESTS; i++) {
        const struct request *q = &s->requests[i];
        n += (size_t)snprintf(steps + n, sizeof steps - n, "[%" PRId64 "ns, %d], ", q->ask, i + 1);
        if (q->cancel != SIM_TIME_NEVER) {
            n += (size_t)snprintf(steps + n, sizeof steps - n, "[%" PRId64 "ns, %d, cancel], ",
                                  q->cancel, i + 1);
        }
        k += (size_t)snprintf(answers + k, sizeof answers - k, "{after: %s}, ",
                              written(a, sizeof a, s->answers[i]));
        assert_true(n < sizeof steps && k < sizeof answers);
    }
    snprintf(
        wall, sizeof wall,
        "max_concurrent: %" PRId64 ", max_wait_queue: %" PRId64 ", max_wait_time: %s, timeout: %s",
        s->places, s->line, written(a, sizeof a, s->max_wait), written(b, sizeof b, s->timeout));
    open_wall(t, steps, wall, answers, "");
}

static void assert_script(const struct trial *t, const struct script *s)
{
    assert_requests(t, s->accepted, s->queued, s->rejected, s->timed_out);
    assert_int_equal(trial_counter(t, "wall.responses_received"), s->answered);
    assert_int_equal(trial_counter(t, "wall.target_timeouts"), s->expired);
    assert_int_equal(trial_counter(t, "wall.cancels_received"), s->cancelled);
    probe_assert_times(t, "far", (uint32_t)s->accepted, s->begun);
    for (uint32_t i = 0; i < s->accepted; i++) {
        assert_int_equal(probe_visit(t, "far", i)->number, s->order[i]);
    }
}

static void each_goes_when_its_turn_comes(void **state)
{
    (void)state;
    struct script seen = {0};
    for (uint64_t seed = 1; seed <= 300; seed++) {
        struct rng_stream r;
        rng_init(&r, &(struct rng_key){.seed = seed});
        struct script s;
        struct trial t;
        draw_script(&s, &r);
        open_script(&t, &s);
        while (expect_step(&s)) {}
        trial_begin(&t, 0, 0);
        for (sim_time at = 0; at < S(1); at += S(0.0133)) {
            assert_true(sim_run_until(t.sim, at, 0));
            assert_balance(&t);
            assert_true(trial_level(&t, "wall.in_flight") <= s.places);
            assert_true(trial_level(&t, "wall.queue_depth") <= s.line);
            assert_true(trial_level(&t, "wall.queue_depth") == 0 ||
                        trial_level(&t, "wall.in_flight") == s.places);
        }
        trial_end(&t);
        assert_balance(&t);
        assert_script(&t, &s);
        seen.rejected += s.rejected;
        seen.timed_out += s.timed_out;
        seen.expired += s.expired;
        seen.cancelled += s.cancelled;
        trial_close(&t);
    }
    /* It was seen at work. */
    assert_true(seen.rejected > 1000 && seen.timed_out > 500);
    assert_true(seen.expired > 500 && seen.cancelled > 500);
}

/* Many callers, a wire that loses, crashes and slowness: nothing goes astray. */
static void nothing_goes_astray(void **state)
{
    (void)state;
    struct trial t;
    trial_open(&t, "squall: 1\n"
                   "duration: 60s\n"
                   "entities:\n"
                   "  users: {type: client, count: 3, target: wall, arrivals: {poisson: 40/s},\n"
                   "          call: {timeout: 200ms, cancel: [timeouts, losers],\n"
                   "                 retry: {kind: fixed, max_attempts: 3, delay: 10ms}}}\n"
                   "  wall: {type: bulkhead, target: {to: far, balance: random},\n"
                   "         max_concurrent: 6, max_wait_queue: 10, max_wait_time: 100ms,\n"
                   "         timeout: 500ms, pass_cancel: true}\n"
                   "  far: {type: server, count: 2, concurrency: 2, on_cancel: abort,\n"
                   "        service_time: {exponential: 40ms}}\n"
                   "network:\n"
                   "  - {from: users, to: wall, latency: 1ms, loss: 1%%}\n"
                   "  - {from: wall, to: far, latency: 1ms, loss: 5%%}\n"
                   "timeline:\n"
                   "  - {at: 20s, for: 1s, crash: wall}\n"
                   "  - {at: 30s, for: 5s, slow: far, factor: 10}\n"
                   "  - {at: 40s, for: 1s, crash: far}\n");
    for (uint64_t replication = 0; replication < 3; replication++) {
        trial_begin(&t, replication, 0);
        for (sim_time at = 0; at < S(60); at += S(0.37)) {
            assert_true(sim_run_until(t.sim, at, 0));
            assert_balance(&t);
        }
        trial_end(&t);
        assert_balance(&t);
        assert_true(trial_counter(&t, "wall.rejected_requests") > 10);
        assert_true(trial_counter(&t, "wall.timed_out_requests") > 10);
        assert_true(trial_counter(&t, "wall.target_timeouts") > 0);
        assert_true(trial_counter(&t, "wall.cancels_received") > 10);
        assert_true(trial_counter(&t, "wall.requests_lost") > 0);
    }
    trial_close(&t);
}

/* --- what it is for ---------------------------------------------------------------------- */

/* Of `stat`, a second, from `from` to `to` [s]. */
static double rate(const struct trial *t, const char *stat, uint32_t from, uint32_t to)
{
    uint64_t n = 0;
    for (uint32_t i = from; i < to; i++) {
        n += trial_in_interval(t, stat, i);
    }
    return (double)n / (to - from);
}

static void assert_near(const char *what, double found, double low, double high)
{
    print_message("%-40s %7.2f/s\n", what, found);
    assert_true(found >= low && found <= high);
}

/* The routes of bulkhead.yaml while one of the backends is slow, and before and after. Bounds are
 * some four standard errors of one replication. */
static void a_slow_backend_does_not_take_the_other_with_it(void **state)
{
    (void)state;
    struct trial t;
    static const char *const path = "configs/scenarios/bulkhead.yaml";
    trial_load(&t, path, (const char *const[]){NULL});
    trial_run(&t, 0);
    assert_near("well: catalogue", rate(&t, "catalogue.requests_completed", 10, 60), 94, 106);
    assert_near("well: reviews", rate(&t, "reviews.requests_completed", 10, 60), 94, 106);
    assert_near("slow: catalogue", rate(&t, "catalogue.requests_completed", 65, 120), 94, 106);
    assert_near("slow: reviews", rate(&t, "reviews.requests_completed", 65, 120), 2, 6);
    assert_near("slow: rejected by the bulkhead", rate(&t, "wall.rejected_requests", 65, 120), 87,
                100);
    assert_near("slow: rejected by the gateway", rate(&t, "gateway.requests_rejected", 65, 120), 0,
                0);
    assert_near("after: reviews", rate(&t, "reviews.requests_completed", 125, 180), 94, 106);
    assert_true(trial_level(&t, "wall.in_flight") <= 8);
    trial_close(&t);
    trial_load(&t, path, (const char *const[]){"wall.max_concurrent=unlimited", NULL});
    trial_run(&t, 0);
    assert_near("unlimited: catalogue", rate(&t, "catalogue.requests_completed", 65, 120), 10, 14);
    assert_near("unlimited: reviews", rate(&t, "reviews.requests_completed", 65, 120), 3, 7);
    assert_near("unlimited: rejected by the gateway",
                rate(&t, "gateway.requests_rejected", 65, 120), 165, 188);
    trial_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_place_two_waiting_and_a_limit),
        cmocka_unit_test(whoever_came_first_goes_first),
        cmocka_unit_test(nobody_overtakes_the_line),
        cmocka_unit_test(without_a_line_the_rest_is_rejected),
        cmocka_unit_test(rejected_requests_are_not_tried_again),
        cmocka_unit_test(a_place_that_comes_with_the_limit_is_late),
        cmocka_unit_test(lost_requests_keep_their_place),
        cmocka_unit_test(what_takes_too_long_gives_its_place_back),
        cmocka_unit_test(cancels_leave_the_line_or_the_place),
        cmocka_unit_test(a_crash_empties_it),
        cmocka_unit_test(a_pool_may_stand_behind_it),
        cmocka_unit_test(each_goes_when_its_turn_comes),
        cmocka_unit_test(nothing_goes_astray),
        cmocka_unit_test(a_slow_backend_does_not_take_the_other_with_it)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
