/* SPDX-License-Identifier: Apache-2.0
 *
 * When the rate limiter that stands by itself lets requests through, to the nanosecond, and what it
 * counts. The policies have tests of their own (unit/test_limiter.c).
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

#include "policies/limiter.h"
#include "rng/stream.h"
#include "support/asker.h"
#include "support/choice.h"
#include "support/probe.h"
#include "support/reading.h"
#include "support/trial.h"

static void open_limit(struct trial *t, const char *steps, const char *limit, const char *answers,
                       const char *rest)
{
    asker_open(t, steps, "limit", "rate_limiter", limit, answers, rest);
}

/* An asker's `steps` through a limiter to a probe. */
static void run(struct trial *t, const char *steps, const char *limit, const char *answers)
{
    open_limit(t, steps, limit, answers, "");
    trial_run(t, 0);
}

/* What holds at any time: what came in, by what became of it. */
static void assert_balance(const struct trial *t)
{
    uint64_t received = trial_counter(t, "limit.received");
    uint64_t forwarded = trial_counter(t, "limit.forwarded");
    uint64_t queued = trial_counter(t, "limit.queued");
    uint64_t dropped = trial_counter(t, "limit.dropped");
    uint64_t timed_out = trial_counter(t, "limit.timed_out");
    uint64_t withdrawn = trial_counter(t, "limit.withdrawn");
    uint64_t lost = trial_counter(t, "limit.queue_lost");
    uint64_t depth = (uint64_t)trial_level(t, "limit.queue_depth");
    struct hist_counts waits = {.total = 0};
    assert_int_equal(received, trial_counter(t, "limit.requests_received"));
    assert_int_equal(forwarded, trial_counter(t, "limit.requests_sent"));
    assert_int_equal(received, forwarded + dropped + withdrawn + lost + depth);
    assert_int_equal(received, dropped + trial_counter(t, "limit.responses_received") +
                                   trial_counter(t, "limit.cancels_received") +
                                   trial_counter(t, "limit.requests_lost") +
                                   (uint64_t)trial_level(t, "limit.in_progress"));
    assert_true(queued >= timed_out + withdrawn + lost + depth && dropped >= timed_out);
    trial_histogram(t, "limit.wait_time", &waits);
    assert_int_equal(waits.total, forwarded);
}

static void assert_requests(const struct trial *t, uint64_t forwarded, uint64_t queued,
                            uint64_t dropped)
{
    assert_int_equal(trial_counter(t, "limit.forwarded"), forwarded);
    assert_int_equal(trial_counter(t, "limit.queued"), queued);
    assert_int_equal(trial_counter(t, "limit.dropped"), dropped);
    assert_balance(t);
}

/* --- without a queue --------------------------------------------------------------------- */

static void what_may_not_pass_is_rejected_at_once(void **state)
{
    (void)state;
    struct trial t;
    const char *steps = "[0s, 1], [0s, 2], [0s, 3], [400ms, 4], [500ms, 5], [1s, 6]";
    run(&t, steps, "queue_capacity: 0, limiter: {token_bucket: {capacity: 2, refill_rate: 2/s}}",
        "{after: 1s}");
    probe_assert_times(&t, "far", 4, (sim_time[]){0, 0, S(.5), S(1)});
    asker_assert_replies(&t, "users", 6,
                         (struct asker_reply[]){{0, 3, 429},
                                                {S(.4), 4, 429},
                                                {S(1), 1, 200},
                                                {S(1), 2, 200},
                                                {S(1.5), 5, 200},
                                                {S(2), 6, 200}});
    assert_requests(&t, 4, 0, 2);
    trial_close(&t);
    run(&t, steps,
        "queue_capacity: 0, on_reject: drop,\n"
        "          limiter: {token_bucket: {capacity: 2, refill_rate: 2/s}}",
        "{after: 1s}");
    assert_int_equal(trial_counter(&t, "users.replies_received"), 4);
    assert_int_equal(trial_level(&t, "limit.in_progress"), 0);
    assert_requests(&t, 4, 0, 2);
    trial_close(&t);
    run(&t, steps, "queue_capacity: 0, limiter: none", "{after: 1s}");
    assert_requests(&t, 6, 0, 0);
    trial_close(&t);
}

/* A client that heeds Retry-After is back at the very moment it may pass; what it asks in vain
 * between costs nothing. */
static void rejections_may_say_when_to_come_back(void **state)
{
    (void)state;
    struct trial t;
    static const char *const says[] = {"false", "true"};
    for (size_t i = 0; i < 2; i++) {
        trial_open(&t,
                   "squall: 1\n"
                   "duration: 10s\n"
                   "entities:\n"
                   "  users: {type: client, target: limit, arrivals: {times: [0s, 100ms]},\n"
                   "          call: {retry: {kind: fixed, max_attempts: 2, delay: 50ms}}}\n"
                   "  limit: {type: rate_limiter, target: far, limiter: {leaky_bucket: 3/s},\n"
                   "          queue_capacity: 0, says_when: %s}\n"
                   "  far: {type: probe, answers: [{}]}\n",
                   says[i]);
        trial_run(&t, 0);
        assert_int_equal(trial_counter(&t, "users.successes"), 1 + i);
        assert_int_equal(trial_counter(&t, "limit.dropped"), 2 - i);
        assert_int_equal(probe_visits(&t, "far"), 1 + i);
        if (i == 1) {
            assert_int_equal(probe_visit(&t, "far", 1)->at, 333333334);
        }
        trial_close(&t);
    }
}

/* --- with one ---------------------------------------------------------------------------- */

/* A newcomer that arrives when the next may pass lets those go first that wait. */
static void what_waits_passes_in_its_turn(void **state)
{
    (void)state;
    struct trial t;
    run(&t, "[0s, 1], [0s, 2], [0s, 3], [333333334ns, 4], [9s, 5]", "limiter: {leaky_bucket: 3/s}",
        "{after: 1s}");
    probe_assert_times(&t, "far", 5, (sim_time[]){0, 333333334, 666666668, 1000000002, S(9)});
    asker_assert_replies(&t, "users", 5,
                         (struct asker_reply[]){{S(1), 1, 200},
                                                {1333333334, 2, 200},
                                                {1666666668, 3, 200},
                                                {2000000002, 4, 200},
                                                {S(10), 5, 200}});
    assert_requests(&t, 5, 3, 0);
    assert_int_equal(trial_integral(&t, "limit.queue_depth"), 333333334 + 2 * 666666668);
    struct hist_counts waits = {.total = 0};
    trial_histogram(&t, "limit.wait_time", &waits);
    assert_int_equal(waits.max, 666666668);
    assert_int_equal(waits.min, 0);
    trial_close(&t);
}

/* As many as may pass at that time pass together. */
static void a_window_lets_several_through(void **state)
{
    (void)state;
    struct trial t;
    const char *steps = "[0.5s, 1], [0.6s, 2], [0.7s, 3], [0.8s, 4], [0.9s, 5]";
    run(&t, steps, "limiter: {fixed_window: {requests_per_window: 2, window: 1s}}", "{}");
    probe_assert_times(&t, "far", 5, (sim_time[]){S(.5), S(.6), S(1), S(1), S(2)});
    trial_close(&t);
    run(&t, steps, "limiter: {sliding_window: {max_requests: 2, window: 1s}}", "{}");
    probe_assert_times(&t, "far", 5,
                       (sim_time[]){S(.5), S(.6), S(1.500000001), S(1.600000001), S(2.500000002)});
    assert_requests(&t, 5, 3, 0);
    trial_close(&t);
}

static void without_room_they_are_rejected(void **state)
{
    (void)state;
    struct trial t;
    const char *limit = "queue_capacity: 2, limiter: {leaky_bucket: 1/s}";
    run(&t, "[0s, 1], [0.1s, 2], [0.2s, 3], [0.3s, 4], [1s, 5], [1.1s, 6]", limit, "{}");
    probe_assert_times(&t, "far", 4, (sim_time[]){0, S(1), S(2), S(3)});
    asker_assert_replies(&t, "users", 6,
                         (struct asker_reply[]){{0, 1, 200},
                                                {S(.3), 4, 429},
                                                {S(1), 2, 200},
                                                {S(1.1), 6, 429},
                                                {S(2), 3, 200},
                                                {S(3), 5, 200}});
    assert_requests(&t, 4, 3, 2);
    trial_close(&t);
}

/* At the very time, it is too late. */
static void nobody_waits_longer_than_max_wait(void **state)
{
    (void)state;
    struct trial t;
    const char *steps = "[0s, 1], [0.1s, 2], [0.2s, 3], [0.9s, 4]";
    run(&t, steps, "max_wait: 900000001ns, limiter: {leaky_bucket: 1/s}", "{}");
    asker_assert_replies(
        &t, "users", 4,
        (struct asker_reply[]){
            {0, 1, 200}, {S(1), 2, 200}, {S(1.100000001), 3, 429}, {S(1.800000001), 4, 429}});
    assert_requests(&t, 2, 3, 2);
    assert_int_equal(trial_counter(&t, "limit.timed_out"), 2);
    assert_int_equal(trial_level(&t, "limit.queue_depth"), 0);
    trial_close(&t);
    run(&t, steps, "max_wait: 900ms, limiter: {leaky_bucket: 1/s}", "{}");
    probe_assert_times(&t, "far", 2, (sim_time[]){0, S(1)});
    assert_int_equal(probe_visit(&t, "far", 1)->number, 3);
    assert_int_equal(trial_counter(&t, "limit.timed_out"), 2);
    trial_close(&t);
}

/* One that waits leaves the queue, and those behind it move up; one that is at the target is given
 * up, and its place in the rate is gone. */
static void cancels_take_them_out(void **state)
{
    (void)state;
    struct trial t;
    const char *steps = "[0s, 1], [0.1s, 2], [0.2s, 3], [0.3s, 4], [0.4s, 2, cancel], "
                        "[0.5s, 1, cancel], [0.6s, 4, cancel], [0.7s, 4, cancel], [1.5s, 5]";
    run(&t, steps, "limiter: {leaky_bucket: 1/s}", "{after: 5s}");
    probe_assert_times(&t, "far", 3, (sim_time[]){0, S(1), S(2)});
    assert_int_equal(probe_visit(&t, "far", 1)->number, 3);
    assert_int_equal(probe_visit(&t, "far", 2)->number, 5);
    assert_requests(&t, 3, 4, 0);
    assert_int_equal(trial_counter(&t, "limit.withdrawn"), 2);
    assert_int_equal(trial_counter(&t, "limit.cancels_received"), 3);
    assert_int_equal(trial_counter(&t, "limit.late_responses"), 1);
    assert_int_equal(trial_counter(&t, "far.cancels_received"), 0);
    trial_close(&t);
    run(&t, steps, "pass_cancel: true, max_wait: 3s, limiter: {leaky_bucket: 1/s}", "{after: 5s}");
    probe_assert_cancels(&t, "far", 1, (sim_time[]){S(.5)});
    assert_requests(&t, 3, 4, 0);
    trial_close(&t);
    /* The last one goes, and the next one to come waits from then on. */
    run(&t, "[0s, 1], [0.1s, 2], [0.2s, 2, cancel], [0.3s, 3], [2s, 4]",
        "limiter: {leaky_bucket: 1/s}", "{}");
    probe_assert_times(&t, "far", 3, (sim_time[]){0, S(1), S(2)});
    trial_close(&t);
}

/* Those who wait are gone, and so is what had passed: a full bucket again. */
static void a_crash_forgets_all(void **state)
{
    (void)state;
    struct trial t;
    open_limit(&t,
               "[9.1s, 1], [9.1s, 2], [9.2s, 3], [9.3s, 4], [9.4s, 5], [9.5s, 6], [9.5s, 7],"
               " [9.6s, 8]",
               "max_wait: 4s, limiter: {token_bucket: {capacity: 2, refill_rate: 1/s}}",
               "{after: 10s}", "timeline: [{at: 9.35s, for: 0.1s, crash: limit}]");
    trial_run(&t, 0);
    probe_assert_times(&t, "far", 5, (sim_time[]){S(9.1), S(9.1), S(9.5), S(9.5), S(10.5)});
    assert_requests(&t, 5, 3, 0);
    assert_int_equal(trial_counter(&t, "limit.queue_lost"), 2);
    assert_int_equal(trial_counter(&t, "limit.requests_lost"), 4);
    assert_int_equal(trial_counter(&t, "limit.requests_missed"), 1);
    assert_int_equal(trial_counter(&t, "limit.late_responses"), 2);
    trial_close(&t);
}

/* --- feedback ---------------------------------------------------------------------------- */

/* From 4/s: up with each success, down by half with each error; what is final tells it nothing. */
static void the_rate_follows_the_answers(void **state)
{
    (void)state;
    struct trial t;
    run(&t, "[1s, 1], [2s, 2], [3s, 3], [4s, 4], [5s, 5], [6s, 6], [7s, 7]",
        "limiter: {aimd: {initial_rate: 4/s, max_rate: 6/s}}",
        "{}, {}, {status: 404}, {status: 500}, {status: 429}, {refuse: true}, {status: 200}");
    assert_int_equal(trial_counter(&t, "limit.rate_increases"), 3);
    assert_int_equal(trial_counter(&t, "limit.rate_decreases"), 3);
    assert_int_equal(trial_level(&t, "limit.rate"), 1);
    assert_int_equal(trial_integral(&t, "limit.rate"), 4 * S(4) + 2 * S(1) + 1 * S(95));
    trial_close(&t);
}

/* What is not answered in time has failed for the limiter, not for its caller; what is given up
 * before says nothing. */
static void requests_without_a_timely_answer_fail(void **state)
{
    (void)state;
    struct trial t;
    const char *limit = "failure_timeout: 2s, limiter: {aimd: {initial_rate: 4/s}}";
    run(&t, "[1s, 1]", limit, "{after: 1999999999ns}");
    assert_int_equal(trial_counter(&t, "limit.rate_increases"), 1);
    assert_int_equal(trial_counter(&t, "limit.rate_decreases"), 0);
    trial_close(&t);
    run(&t, "[1s, 1], [5s, 2], [6s, 2, cancel], [10s, 3], [13s, 3, cancel]", limit,
        "{after: 2s}, {after: none}");
    asker_assert_replies(&t, "users", 1, (struct asker_reply[]){{S(3), 1, 200}});
    assert_int_equal(trial_counter(&t, "limit.rate_increases"), 0);
    assert_int_equal(trial_counter(&t, "limit.rate_decreases"), 2);
    assert_int_equal(trial_integral(&t, "limit.rate"), 4 * S(3) + 2 * S(9) + 1 * S(88));
    assert_requests(&t, 3, 0, 0);
    trial_close(&t);
}

/* Whoever waits passes later when the rate falls, and sooner when it rises. */
static void the_next_turn_follows_the_rate(void **state)
{
    (void)state;
    struct trial t;
    const char *limit = "limiter: {aimd: {initial_rate: 2/s, min_rate: 1/s, increase_step: 2/s}}";
    const char *steps = "[0s, 1], [0s, 2], [0s, 3]";
    run(&t, steps, limit, "{after: none}");
    probe_assert_times(&t, "far", 3, (sim_time[]){0, 0, S(.5)});
    trial_close(&t);
    /* At 0.25 s half a token is there. */
    run(&t, steps, limit, "{after: 250ms, status: 500}, {after: none}");
    probe_assert_times(&t, "far", 3, (sim_time[]){0, 0, S(.75)});
    trial_close(&t);
    run(&t, steps, limit, "{after: 250ms}, {after: none}");
    probe_assert_times(&t, "far", 3, (sim_time[]){0, 0, S(.375)});
    trial_close(&t);
}

/* --- mistakes ---------------------------------------------------------------------------- */

static void contradictions_are_refused(void **state)
{
    (void)state;
    reading_says(probe_registry(),
                 "squall: 1\n"
                 "duration: 1s\n"
                 "entities:\n"
                 "  one: {type: rate_limiter, target: far, queue_capacity: 0, max_wait: 1s}\n"
                 "  two: {type: rate_limiter, target: far, on_reject: drop, says_when: true}\n"
                 "  three: {type: rate_limiter, target: far, failure_timeout: 1s}\n"
                 "  far: {type: probe, answers: [{}]}\n",
                 "g.yaml:4:71: entities.one.max_wait: with queue_capacity 0 no request waits\n"
                 "g.yaml:5:70: entities.two.says_when: without a reply nothing says when\n"
                 "g.yaml:6:61: entities.three.failure_timeout: only aimd heeds how requests end\n");
}

/* --- whatever happens -------------------------------------------------------------------- */

enum { REQUESTS = 80 };

/* A script and, beside it, what should become of it: the requests one after the other, held before
 * the policy. */
struct script {
    struct limiter limiter;
    struct limiter_state *memory; /* owned */
    char written[256];            /* the limiter */
    int64_t capacity;
    sim_time max_wait;
    struct request {
        sim_time ask, cancel, reply, expires; /* [ns] SIM_TIME_NEVER: not */
        uint16_t status;
    } requests[REQUESTS];
    struct {
        sim_time after; /* [ns] */
        uint16_t status;
    } answers[REQUESTS];
    int queue[REQUESTS], waiting;
    int passed[REQUESTS]; /* in their order */
    sim_time at[REQUESTS];
    uint64_t sent, queued, dropped, timed_out, withdrawn;
};

static sim_time below(struct rng_stream *r, sim_time most)
{
    return (sim_time)(rng_bits(r) % (uint64_t)most);
}

static void pass(struct script *s, int i, sim_time now)
{
    struct request *q = &s->requests[i];
    q->reply = sim_time_add(now, s->answers[s->sent].after);
    q->status = s->answers[s->sent].status;
    s->passed[s->sent] = i;
    s->at[s->sent++] = now;
}

static bool leave(struct script *s, int i)
{
    for (int k = 0; k < s->waiting; k++) {
        if (s->queue[k] == i) {
            memmove(&s->queue[k], &s->queue[k + 1], (size_t)(--s->waiting - k) * sizeof(int));
            s->requests[i].expires = SIM_TIME_NEVER;
            return true;
        }
    }
    return false;
}

static void serve(struct script *s, sim_time now)
{
    while (s->waiting > 0 && limiter_take(&s->limiter, s->memory, now)) {
        int first = s->queue[0];
        leave(s, first);
        pass(s, first, now);
    }
}

static void ask(struct script *s, int i, sim_time now)
{
    struct request *q = &s->requests[i];
    if (s->waiting == 0 && limiter_take(&s->limiter, s->memory, now)) {
        pass(s, i, now);
    } else if (s->waiting < s->capacity) {
        s->queued++;
        s->queue[s->waiting++] = i;
        q->expires = sim_time_add(now, s->max_wait);
    } else {
        s->dropped++;
        q->cancel = SIM_TIME_NEVER;
    }
}

static void step(struct script *s, int i, const sim_time *what, sim_time now)
{
    struct request *q = &s->requests[i];
    if (what == &q->ask) {
        ask(s, i, now);
    } else if (what == &q->expires) {
        leave(s, i);
        q->cancel = SIM_TIME_NEVER;
        s->dropped++;
        s->timed_out++;
    } else if (what == &q->cancel) {
        s->withdrawn += leave(s, i);
        q->reply = SIM_TIME_NEVER;
    } else {
        q->cancel = SIM_TIME_NEVER;
        limiter_ended(&s->limiter, s->memory, now, q->status < 400);
        serve(s, now);
    }
}

/* Steps in the order of their times; a turn goes before what is drawn for its time. */
static void expect(struct script *s)
{
    for (sim_time now = 0;;) {
        sim_time *next = NULL;
        int whose = 0;
        for (int i = 0; i < REQUESTS; i++) {
            struct request *q = &s->requests[i];
            sim_time *steps[] = {&q->expires, &q->ask, &q->cancel, &q->reply};
            for (int k = 0; k < 4; k++) {
                if (*steps[k] != SIM_TIME_NEVER && (!next || *steps[k] < *next)) {
                    next = steps[k];
                    whose = i;
                }
            }
        }
        sim_time turn =
            s->waiting > 0 ? now + limiter_wait(&s->limiter, s->memory, now) : SIM_TIME_NEVER;
        if (!next && turn == SIM_TIME_NEVER) {
            return;
        }
        if (!next || turn < *next) {
            now = turn;
            serve(s, now);
            continue;
        }
        now = *next;
        *next = SIM_TIME_NEVER;
        step(s, whose, next, now);
    }
}

static void draw_limiter(struct script *s, struct rng_stream *r)
{
    char *w = s->written;
    size_t size = sizeof s->written;
    int64_t n = 1 + below(r, 6), window = 1 + below(r, S(.1)), rate = 20 + below(r, 200);
    switch (below(r, 5)) {
    case 0:
        snprintf(w, size, "{token_bucket: {capacity: %" PRId64 ", refill_rate: %" PRId64 "/s}}", n,
                 rate);
        break;
    case 1:
        snprintf(w, size, "{leaky_bucket: %" PRId64 "/s}", rate);
        break;
    case 2:
        snprintf(w, size, "{sliding_window: {max_requests: %" PRId64 ", window: %" PRId64 "ns}}", n,
                 window);
        break;
    case 3:
        snprintf(w, size,
                 "{fixed_window: {requests_per_window: %" PRId64 ", window: %" PRId64 "ns}}", n,
                 window);
        break;
    default:
        snprintf(w, size,
                 "{aimd: {initial_rate: %" PRId64 "/s, min_rate: 20/s, window: %" PRId64 "ns}}",
                 rate, S(.05) + window);
        break;
    }
    char text[300];
    snprintf(text, sizeof text, "l: %s", w);
    assert_true(choice_read(&limiter_choice, text, &s->limiter));
    s->memory = calloc(1, limiter_state_size(&s->limiter));
    assert_non_null(s->memory);
}

/* Times are to the nanosecond, so that ties do not happen. */
static void draw_script(struct script *s, struct rng_stream *r)
{
    static const int64_t capacities[] = {0, 1, 4, 1000};
    *s = (struct script){.capacity = capacities[below(r, 4)], .max_wait = SIM_TIME_NEVER};
    if (s->capacity > 0 && below(r, 2)) {
        s->max_wait = 1 + below(r, S(.1));
    }
    draw_limiter(s, r);
    sim_time at = 0;
    for (int i = 0; i < REQUESTS; i++) {
        at += 1 + below(r, S(.02));
        s->requests[i] = (struct request){.ask = at,
                                          .cancel = SIM_TIME_NEVER,
                                          .reply = SIM_TIME_NEVER,
                                          .expires = SIM_TIME_NEVER};
        if (below(r, 5) == 0) {
            s->requests[i].cancel = at + 1 + below(r, S(.05));
        }
        s->answers[i].after = below(r, 10) == 0 ? SIM_TIME_NEVER : 1 + below(r, S(.06));
        s->answers[i].status = below(r, 4) == 0 ? 500 : 200;
    }
}

static void open_script(struct trial *t, const struct script *s)
{
    char steps[8192], answers[4096], limit[512], wait[32] = "none";
    size_t n = 0, k = 0;
    for (int i = 0; i < REQUESTS; i++) {
        const struct request *q = &s->requests[i];
        n += (size_t)snprintf(steps + n, sizeof steps - n, "[%" PRId64 "ns, %d], ", q->ask, i + 1);
        if (q->cancel != SIM_TIME_NEVER) {
            n += (size_t)snprintf(steps + n, sizeof steps - n, "[%" PRId64 "ns, %d, cancel], ",
                                  q->cancel, i + 1);
        }
        char after[32] = "none";
        if (s->answers[i].after != SIM_TIME_NEVER) {
            snprintf(after, sizeof after, "%" PRId64 "ns", s->answers[i].after);
        }
        k += (size_t)snprintf(answers + k, sizeof answers - k, "{after: %s, status: %u}, ", after,
                              s->answers[i].status);
        assert_true(n < sizeof steps && k < sizeof answers);
    }
    if (s->max_wait != SIM_TIME_NEVER) {
        snprintf(wait, sizeof wait, "%" PRId64 "ns", s->max_wait);
    }
    snprintf(limit, sizeof limit, "queue_capacity: %" PRId64 ", max_wait: %s, limiter: %s",
             s->capacity, wait, s->written);
    open_limit(t, steps, limit, answers, "");
}

static void assert_as_expected(const struct trial *t, const struct script *s)
{
    assert_requests(t, s->sent, s->queued, s->dropped);
    assert_int_equal(trial_counter(t, "limit.timed_out"), s->timed_out);
    assert_int_equal(trial_counter(t, "limit.withdrawn"), s->withdrawn);
    assert_int_equal(probe_visits(t, "far"), s->sent);
    for (uint32_t i = 0; i < s->sent; i++) {
        assert_int_equal(probe_visit(t, "far", i)->at, s->at[i]);
        assert_int_equal(probe_visit(t, "far", i)->number, s->passed[i] + 1);
    }
}

static void the_policy_decides(void **state)
{
    (void)state;
    uint64_t waited = 0, timed_out = 0, withdrawn = 0;
    for (uint64_t seed = 1; seed <= 300; seed++) {
        struct rng_stream r;
        rng_init(&r, &(struct rng_key){.seed = seed});
        struct script s;
        struct trial t;
        draw_script(&s, &r);
        open_script(&t, &s);
        expect(&s);
        trial_begin(&t, 0, 0);
        for (sim_time at = 0; at < S(1); at += S(.0133)) {
            assert_true(sim_run_until(t.sim, at, 0));
            assert_balance(&t);
        }
        trial_end(&t);
        assert_as_expected(&t, &s);
        waited += s.queued;
        timed_out += s.timed_out;
        withdrawn += s.withdrawn;
        free(s.memory);
        trial_close(&t);
    }
    assert_true(waited > 1000 && timed_out > 100 && withdrawn > 100); /* it was seen at work */
}

/* Also with crashes, lost messages and clients that try again, of whom nothing is known. */
static void nothing_gets_lost_uncounted(void **state)
{
    (void)state;
    static const char *const limiters[] = {
        "{token_bucket: {capacity: 5, refill_rate: 100/s}}", "{leaky_bucket: 100/s}",
        "{sliding_window: {max_requests: 10, window: 100ms}}",
        "{fixed_window: {requests_per_window: 10, window: 100ms}}", "aimd"};
    static const char *const ways[] = {
        "queue_capacity: 0, says_when: true", "queue_capacity: 20, max_wait: 150ms",
        "queue_capacity: unlimited, pass_cancel: true", "queue_capacity: 3, on_reject: drop"};
    for (uint64_t i = 0; i < 20; i++) {
        struct trial t;
        trial_open(&t,
                   "squall: 1\n"
                   "duration: 100s\n"
                   "entities:\n"
                   "  users: {type: client, count: 3, target: limit,\n"
                   "    arrivals: {kind: poisson, rate: 60/s},\n"
                   "    call: {timeout: 100ms, cancel: timeouts,\n"
                   "           retry: {kind: fixed, max_attempts: 3, delay: 20ms}}}\n"
                   "  limit: {type: rate_limiter, target: web, limiter: %s, %s}\n"
                   "  web: {type: server, concurrency: 2, service_time: {exponential: 15ms}}\n"
                   "network: [{latency: 1ms, jitter: {exponential: 1ms}, loss: 2%%}]\n"
                   "timeline:\n"
                   "  - {at: 4s, for: 300ms, crash: limit}\n"
                   "  - {at: 6s, for: 1s, crash: web}\n"
                   "  - {at: 9s, rate: users, factor: 0}\n",
                   limiters[i % 5], ways[i / 5]);
        trial_begin(&t, i, 0);
        for (sim_time at = 0; at < S(12); at += S(.0717)) {
            assert_true(sim_run_until(t.sim, at, 0));
            assert_balance(&t);
        }
        trial_end(&t);
        assert_balance(&t);
        assert_int_equal(trial_level(&t, "limit.queue_depth"), 0);
        assert_true(trial_counter(&t, "limit.requests_missed") > 0);
        assert_int_equal(trial_counter(&t, "limit.queued") > 0, i >= 5);
        assert_true(trial_counter(&t, "limit.forwarded") > 500);
        trial_close(&t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_may_not_pass_is_rejected_at_once),
        cmocka_unit_test(rejections_may_say_when_to_come_back),
        cmocka_unit_test(what_waits_passes_in_its_turn),
        cmocka_unit_test(a_window_lets_several_through),
        cmocka_unit_test(without_room_they_are_rejected),
        cmocka_unit_test(nobody_waits_longer_than_max_wait),
        cmocka_unit_test(cancels_take_them_out),
        cmocka_unit_test(a_crash_forgets_all),
        cmocka_unit_test(the_rate_follows_the_answers),
        cmocka_unit_test(requests_without_a_timely_answer_fail),
        cmocka_unit_test(the_next_turn_follows_the_rate),
        cmocka_unit_test(contradictions_are_refused),
        cmocka_unit_test(the_policy_decides),
        cmocka_unit_test(nothing_gets_lost_uncounted),
    };
    return cmocka_run_group_tests(tests, NULL, choice_close);
}
