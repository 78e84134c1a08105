/* SPDX-License-Identifier: Apache-2.0 */
#include "parts/source.h"

enum { TIMER_ARRIVAL, TIMER_THINK }; /* from the owner's timer_kind on */
enum { STREAM_ARRIVALS, STREAM_MIX };

static const char *const priority_words[] = {"high", "normal", "low", NULL};

static const struct param_spec request_rows[] = {
    KIND_KEY(request_kind, kind, "Name of the kind of request."),
    MIX_WEIGHT(request_kind, weight),
    P_WORD(request_kind, priority, priority_words, "normal", "Priority that servers may heed."),
    P_WORD(request_kind, method, method_words, "GET",
           "Method of the request, by which its call may have a plan of its own."),
    P_REAL(request_kind, bytes, "0", 0, 4e9, "B", "Size of the request on the wire."),
    P_END};

const struct schema request_schema = {.name = "request",
                                      .summary = "A kind of request in a client's mix.",
                                      .size = sizeof(struct request_kind),
                                      .kinds = KINDS_GIVEN,
                                      .rows = request_rows};

void source_derive(struct source_params *p, const struct node *at, struct diag *diag,
                   struct arena *arena)
{
    mix_make(&p->mix, p->requests.items, p->requests.count, sizeof *p->requests.items,
             offsetof(struct request_kind, weight), "requests", at, diag, arena);
}

static void set_timer(const struct source *s, int which, sim_time at)
{
    if (at != SIM_TIME_NEVER) {
        sim_time now = s->ctx->now;
        sim_timer(s->ctx, (uint16_t)(s->timer_kind + which), at > now ? at - now : 0, 0, 0);
    }
}

/* Sets the timer for the next arrival from `from` on; those before it are lost. One that is
 * overdue, after a pause, comes at once. */
static void await_arrival(const struct source *s, sim_time from)
{
    uint32_t n;
    const struct rate_window *windows = sim_rate_windows(s->ctx, &n);
    do {
        s->state->next = arrivals_next(&s->params->arrivals, &s->state->arrivals, windows, n,
                                       &s->streams[STREAM_ARRIVALS]);
    } while (s->state->next < from);
    set_timer(s, TIMER_ARRIVAL, s->state->next);
}

void source_think(const struct source *s)
{
    uint32_t n;
    const struct rate_window *windows = sim_rate_windows(s->ctx, &n);
    set_timer(s, TIMER_THINK,
              arrivals_think(&s->params->arrivals, s->ctx->now, windows, n,
                             &s->streams[STREAM_ARRIVALS]));
}

static bool is_closed(const struct source *s)
{
    return s->params->arrivals.kind == ARRIVALS_CLOSED;
}

void source_begin(const struct source *s)
{
    if (!is_closed(s)) {
        await_arrival(s, s->ctx->now);
        return;
    }
    for (int64_t user = 0; user < s->params->arrivals.users; user++) {
        source_think(s);
    }
}

void source_restart(const struct source *s)
{
    if (!is_closed(s) && s->state->next >= s->ctx->now) {
        set_timer(s, TIMER_ARRIVAL, s->state->next);
    } else {
        source_begin(s);
    }
}

struct call_request source_next(const struct source *s, const struct event *e)
{
    if (e->kind == s->timer_kind + TIMER_ARRIVAL) {
        await_arrival(s, s->state->next);
    }
    uint32_t which = mix_pick(&s->params->mix, &s->streams[STREAM_MIX]);
    const struct request_kind *k = &s->params->requests.items[which];
    uint64_t number = (uint32_t)++s->state->requests;
    return (struct call_request){.request = (uint64_t)s->ctx->self << 32 | number,
                                 .class_ = k->kind.number,
                                 .priority = (uint8_t)k->priority,
                                 .method = (uint8_t)k->method,
                                 .bytes = (uint32_t)k->bytes};
}

const char *source_exempt(const struct source_params *p, enum action_kind kind)
{
    return kind == ACTION_RATE && arrivals_are_given(&p->arrivals)
               ? "has arrivals at given times, which no rate changes"
               : NULL;
}

double source_rate(const struct source_params *p)
{
    return arrivals_rate(&p->arrivals);
}
