/* SPDX-License-Identifier: Apache-2.0 */
#include "policies/breaker.h"

#include "base/check.h"

enum { MOST_ROOMS = 1000 };

#define THRESHOLD(member, fallback, doc) P_COUNT(breaker, member, fallback, 1, 1e9, doc)
#define OPEN_DURATION(key, fallback, doc) \
    P_DURATION_AS(breaker, open_duration, key, fallback, 1, 1e18, doc)

/* In the order of the enums. */
static const char *const scope_words[] = {"call", "endpoint", NULL};
static const char *const check_words[] = {"request", "attempt", NULL};
static const char *const counts_words[] = {"attempts", "requests", NULL};
static const char *const while_open_words[] = {"ignored", "counted", NULL};

#define FAILURES "Failures without a success between them that open the breaker."

static const struct param_spec consecutive_rows[] = {
    THRESHOLD(failure_threshold, "5", FAILURES),
    OPEN_DURATION("recovery_timeout", "60s",
                  "From opening to the first probe, and what a probe may take."),
    THRESHOLD(success_threshold, "1", "Successes while half-open that close the breaker."),
    P_LIMIT(breaker, half_open_max_requests, "1", 1, MOST_ROOMS,
            "Requests let through at a time while half-open."),
    P_WORD(breaker, while_open, while_open_words, "ignored",
           "What results do that come back while the breaker is open: nothing (ignored), or "
           "failures begin the recovery anew and a success forgets all failures (counted)."),
    P_END};

static const struct param_spec ratio_rows[] = {
    {.name = "failure_threshold",
     .doc = "Share of failures that opens the breaker; above 0 and below 1.",
     .unit = "1",
     .high = 1.0,
     .kind = PARAM_REAL,
     .offset = SCHEMA_OFFSET(double, breaker, failure_ratio)},
    THRESHOLD(minimum_throughput, NULL, "Results in the sample below which it does not open."),
    P_DURATION(breaker, sampling_duration, NULL, 1, 1e18, "How far back results count."),
    OPEN_DURATION("break_duration", NULL, "From opening to the first probe, and to the next."),
    P_COUNT(breaker, windows_count, "10", 1, MOST_ROOMS,
            "Parts of the sample; the oldest is dropped whole."),
    P_END};

static const struct param_spec attributed_rows[] = {
    THRESHOLD(failure_threshold, "5", FAILURES),
    THRESHOLD(success_threshold, "2", "Probes that succeed until the breaker closes."),
    OPEN_DURATION("timeout", "30s", "From opening to the first probe, and what a probe may take."),
    P_COUNT(breaker, half_open_max_requests, "1", 1, MOST_ROOMS, "Probes at a time."), P_END};

static const struct param_spec common_rows[] = {
    P_WORD(breaker, scope, scope_words, "call",
           "What shares one breaker: all that is sent from here (call), or what is sent to one and "
           "the same instance (endpoint)."),
    P_WORD(breaker, check, check_words, "request",
           "When the breaker of a call is asked: once before the first attempt (request), so that "
           "what it holds back is never tried again, or before each (attempt)."),
    P_WORD(breaker, counts, counts_words, "attempts",
           "Whose ends the breaker of a call is told: those of all attempts, or those of requests, "
           "when nothing follows any more."),
    P_WORDS(breaker, failure_on, failure_kind_words, "[timeout, error]",
            "What counts as a failure: attempts without an answer in time (timeout), answers that "
            "report a passing failure (error: 408, 429, 489, 5xx) or another one (final)."),
    P_MAYBE_DURATION(breaker, slow_call_duration, "none", 1, 1e18,
                     "What takes longer counts as a failure, whatever the answer."),
    P_END};

static const struct alternative alternatives[] = {
    {.name = "none", .summary = "Everything is let through.", .tag = BREAKER_NONE},
    {.name = "consecutive",
     .summary = "Opens after failures in a row; results act on the state they come back in.",
     .tag = BREAKER_CONSECUTIVE,
     .rows = consecutive_rows},
    {.name = "ratio",
     .summary = "Opens at a share of failures among the latest results.",
     .tag = BREAKER_RATIO,
     .rows = ratio_rows},
    {.name = "state_attributed",
     .summary = "Opens after failures in a row; results act on the state they were sent in.",
     .tag = BREAKER_STATE_ATTRIBUTED,
     .rows = attributed_rows},
    {.name = NULL}};

static void derive(void *value, const struct node *at, struct diag *diag, struct arena *arena)
{
    (void)arena;
    const struct breaker *b = value;
    if (b->kind == BREAKER_RATIO && !(b->failure_ratio > 0.0 && b->failure_ratio < 1.0)) {
        diag_error(diag, at, "failure_threshold must be above 0 and below 1");
    }
    if (b->scope == BREAKER_PER_ENDPOINT && b->counts == BREAKER_COUNTS_REQUESTS) {
        diag_error(diag, node_child(at, "counts"),
                   "a breaker for each endpoint counts attempts: those of one request may go to "
                   "several");
    }
}

const struct choice breaker_choice = {
    .name = "breaker",
    .summary = "Whether requests are still sent after others have failed.",
    .size = sizeof(struct breaker),
    .tag_offset = SCHEMA_OFFSET(int, breaker, kind),
    .common = common_rows,
    .alternatives = alternatives,
    .derive = derive,
};

/* Places that probes take one of; 0: probes are not limited, or by time only. */
static uint32_t places(const struct breaker *b)
{
    bool limited = b->kind != BREAKER_RATIO && b->half_open_max_requests != INT64_MAX;
    return limited ? (uint32_t)b->half_open_max_requests : 0;
}

size_t breaker_state_size(const struct breaker *b)
{
    if (b->kind == BREAKER_NONE) {
        return 0;
    }
    uint32_t rooms = b->kind == BREAKER_RATIO ? (uint32_t)b->windows_count : places(b);
    return sizeof(struct breaker_state) + rooms * sizeof(union breaker_room);
}

static void free_place(struct breaker_state *s, uint32_t i)
{
    s->room[i].probe = (struct breaker_probe){0};
    s->probes--;
}

static void change(struct breaker_state *s, enum breaker_phase phase)
{
    s->phase = (uint8_t)phase;
    s->state_changes++;
}

static void open_at(const struct breaker *b, struct breaker_state *s, sim_time at)
{
    change(s, BREAKER_OPEN);
    s->times_opened++;
    s->until = sim_time_add(at, b->open_duration);
    for (uint32_t i = 0; s->probes > 0; i++) {
        if (s->room[i].probe.serial) {
            free_place(s, i);
        }
    }
}

static void begin_probing(const struct breaker *b, struct breaker_state *s)
{
    change(s, BREAKER_HALF_OPEN);
    if (b->kind != BREAKER_RATIO) { /* whose successes are those of its sample */
        s->successes = 0;
    }
}

static void close_now(struct breaker_state *s)
{
    change(s, BREAKER_CLOSED);
    s->times_closed++;
    s->failures = 0;
    s->successes = 0;
}

/* A sample in windows. */

static void forget_sample(struct breaker_state *s)
{
    s->first = s->n = 0;
    s->failures = s->successes = 0;
}

/* The window that a result of this moment belongs to, after the old ones have been dropped. */
static struct breaker_window *window_at(const struct breaker *b, struct breaker_state *s,
                                        sim_time now)
{
    uint32_t most = (uint32_t)b->windows_count;
    while (s->n > 0 && now - s->room[s->first].window.began >= b->sampling_duration) {
        s->successes -= s->room[s->first].window.successes;
        s->failures -= s->room[s->first].window.failures;
        s->first = (s->first + 1) % most;
        s->n--;
    }
    /* Rounded up: a window is left once `most` times its age makes the whole sample. Beginnings are
     * so far apart, and the oldest is younger than the sample, that there is room. */
    sim_time width = (b->sampling_duration - 1) / b->windows_count + 1;
    struct breaker_window *last = &s->room[(s->first + s->n + most - 1) % most].window;
    if (s->n > 0 && now - last->began < width) {
        return last;
    }
    struct breaker_window *next = &s->room[(s->first + s->n++) % most].window;
    *next = (struct breaker_window){.began = now};
    return next;
}

static void ratio_success(const struct breaker *b, struct breaker_state *s, sim_time now)
{
    if (s->phase == BREAKER_HALF_OPEN) {
        forget_sample(s);
        close_now(s);
    }
    window_at(b, s, now)->successes++;
    s->successes++;
}

static void ratio_failure(const struct breaker *b, struct breaker_state *s, sim_time now)
{
    if (s->phase == BREAKER_HALF_OPEN) {
        open_at(b, s, now);
        return;
    }
    window_at(b, s, now)->failures++;
    s->failures++;
    uint64_t all = s->failures + s->successes;
    if (s->phase == BREAKER_CLOSED && all >= (uint64_t)b->minimum_throughput &&
        (double)s->failures / (double)all >= b->failure_ratio) {
        open_at(b, s, now);
    }
}

/* Failures in a row. */

static void count_success(const struct breaker *b, struct breaker_state *s)
{
    switch ((enum breaker_phase)s->phase) {
    case BREAKER_OPEN:
        if (b->while_open == BREAKER_OPEN_COUNTS) {
            s->failures = 0;
        }
        break;
    case BREAKER_CLOSED:
        s->failures = 0;
        break;
    case BREAKER_HALF_OPEN:
        /* The failures stay until it closes: the next one opens it again. */
        if (++s->successes >= (uint64_t)b->success_threshold) {
            close_now(s);
        }
        break;
    }
}

static void count_failure(const struct breaker *b, struct breaker_state *s, sim_time at)
{
    if (s->phase == BREAKER_OPEN) {
        if (b->while_open == BREAKER_OPEN_COUNTS) {
            s->failures++;
            s->until = sim_time_add(at, b->open_duration);
        }
        return;
    }
    s->successes = 0;
    if (++s->failures >= (uint64_t)b->failure_threshold) {
        open_at(b, s, at);
    }
}

static void attribute_success(const struct breaker *b, struct breaker_state *s,
                              enum breaker_phase sent_in)
{
    if (sent_in == BREAKER_CLOSED) {
        s->failures = 0;
    } else if (s->phase == BREAKER_HALF_OPEN && ++s->successes >= (uint64_t)b->success_threshold) {
        close_now(s);
    }
}

static void attribute_failure(const struct breaker *b, struct breaker_state *s, sim_time at,
                              enum breaker_phase sent_in)
{
    bool opens = sent_in == BREAKER_HALF_OPEN || ++s->failures >= (uint64_t)b->failure_threshold;
    if (opens && s->phase != BREAKER_OPEN) {
        open_at(b, s, at);
    }
}

/* Probes and their places. */

/* The place of the probe that has been due for longest at `now`, or `places`. */
static uint32_t overdue(const struct breaker *b, const struct breaker_state *s, sim_time now)
{
    uint32_t n = places(b), found = n;
    sim_time earliest = now;
    for (uint32_t i = 0; i < n; i++) {
        const struct breaker_probe *p = &s->room[i].probe;
        if (p->serial && (p->due < earliest || (p->due == earliest && found == n))) {
            found = i;
            earliest = p->due;
        }
    }
    return found;
}

/* Lets probes fail whose time is up, at the time when it was. A closed breaker waits for none. */
static void settle(const struct breaker *b, struct breaker_state *s, sim_time now)
{
    while (s->phase == BREAKER_HALF_OPEN && s->probes > 0) {
        uint32_t i = overdue(b, s, now);
        if (i == places(b)) {
            return;
        }
        sim_time due = s->room[i].probe.due;
        free_place(s, i);
        if (b->kind == BREAKER_CONSECUTIVE) {
            count_failure(b, s, due);
        } else {
            attribute_failure(b, s, due, BREAKER_HALF_OPEN);
        }
    }
}

static bool holds_place(const struct breaker_state *s, const struct breaker_ticket *ticket)
{
    return ticket->place && s->room[ticket->place - 1].probe.serial == ticket->serial;
}

static bool take_place(const struct breaker *b, struct breaker_state *s, sim_time now,
                       struct breaker_ticket *ticket)
{
    uint32_t n = places(b), i = 0;
    if (s->probes == n) {
        return n == 0;
    }
    while (s->room[i].probe.serial) {
        i++;
    }
    s->probes++;
    s->room[i].probe =
        (struct breaker_probe){.due = sim_time_add(now, b->open_duration), .serial = ++s->serial};
    ticket->serial = s->serial;
    ticket->place = (uint16_t)(i + 1);
    return true;
}

bool breaker_admit(const struct breaker *b, struct breaker_state *s, sim_time now,
                   struct breaker_ticket *ticket)
{
    settle(b, s, now);
    if (s->phase == BREAKER_CLOSED) {
        return true;
    }
    bool waits = s->phase == BREAKER_OPEN || b->kind == BREAKER_RATIO;
    if (waits && now < s->until) {
        s->rejected++;
        return false;
    }
    if (s->phase == BREAKER_OPEN) {
        begin_probing(b, s);
    }
    if (!take_place(b, s, now, ticket)) {
        s->rejected++;
        return false;
    }
    if (b->kind == BREAKER_RATIO) {
        s->until = sim_time_add(now, b->open_duration);
    }
    ticket->phase = BREAKER_HALF_OPEN;
    return true;
}

/* Whether the result of a ticket still counts; gives back its place. */
static bool still_counts(const struct breaker *b, struct breaker_state *s,
                         struct breaker_ticket *ticket)
{
    if (holds_place(s, ticket)) {
        free_place(s, ticket->place - 1u);
        ticket->place = 0;
        return true;
    }
    bool was_probe = b->kind == BREAKER_STATE_ATTRIBUTED && ticket->phase == BREAKER_HALF_OPEN;
    return !ticket->place && !was_probe;
}

bool breaker_is_failure(const struct breaker *b, enum outcome outcome, sim_time took)
{
    return took > b->slow_call_duration || outcome_is_among(b->failure_on, outcome);
}

void breaker_judge(const struct breaker *b, struct breaker_state *s, sim_time now,
                   struct breaker_ticket *ticket, enum outcome outcome, sim_time took)
{
    settle(b, s, now);
    if (!still_counts(b, s, ticket)) {
        return;
    }
    bool failed = breaker_is_failure(b, outcome, took);
    enum breaker_phase sent_in = (enum breaker_phase)ticket->phase;
    switch ((enum breaker_kind)b->kind) {
    case BREAKER_NONE:
        return;
    case BREAKER_CONSECUTIVE:
        if (failed) {
            count_failure(b, s, now);
        } else if (outcome == OUTCOME_SUCCESS) {
            count_success(b, s);
        }
        return;
    case BREAKER_RATIO:
        if (failed) {
            ratio_failure(b, s, now);
        } else {
            ratio_success(b, s, now);
        }
        return;
    case BREAKER_STATE_ATTRIBUTED:
        if (failed) {
            attribute_failure(b, s, now, sent_in);
        } else {
            attribute_success(b, s, sent_in);
        }
        return;
    }
    CHECK(false, "no such breaker: %d", b->kind);
}

void breaker_release(const struct breaker *b, struct breaker_state *s, sim_time now,
                     struct breaker_ticket *ticket)
{
    settle(b, s, now);
    still_counts(b, s, ticket);
}

enum breaker_phase breaker_phase(const struct breaker *b, const struct breaker_state *s,
                                 sim_time now)
{
    if (b->kind == BREAKER_NONE) {
        return BREAKER_CLOSED;
    }
    uint32_t n = s->phase == BREAKER_HALF_OPEN ? places(b) : 0, failed = 0;
    for (uint32_t i = 0; i < n; i++) {
        failed += s->room[i].probe.serial && s->room[i].probe.due <= now;
    }
    bool opens = b->kind == BREAKER_STATE_ATTRIBUTED ||
                 s->failures + failed >= (uint64_t)b->failure_threshold;
    return failed && opens ? BREAKER_OPEN : (enum breaker_phase)s->phase;
}
