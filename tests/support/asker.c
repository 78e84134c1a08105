/* SPDX-License-Identifier: Apache-2.0 */
#include "support/asker.h"

#include <setjmp.h>

#include <cmocka.h>

#include <inttypes.h>

#include "engine/kind.h"
#include "engine/target.h"
#include "policies/verdict.h"

enum { TIMER_STEP = EVENT_TIMER };
enum what { WHAT_ASK, WHAT_ASK_POOLED, WHAT_CANCEL };

static const char *const what_words[] = {"ask", "ask_pooled", "cancel", NULL};

struct step {
    sim_time at; /* [ns] */
    int64_t number;
    int what;
    int64_t attempt, kind;
    int method; /* enum method */
};

struct asked_kind {
    struct kind kind;
};

struct asker_params {
    struct target target;
    LIST_OF(struct asked_kind) kinds;
    LIST_OF(struct step) steps;
};

static const struct param_spec step_rows[] = {
    P_DURATION(step, at, NULL, 0, 1e18, "When."),
    P_COUNT(step, number, NULL, 0, 1e9, "Of the request."),
    P_WORD(step, what, what_words, "ask", "To send the request, or its cancel."),
    P_COUNT(step, attempt, "1", 1, UINT16_MAX, "Which one of the request."),
    P_COUNT(step, kind, "0", 0, UINT16_MAX, "By its place among the kinds."),
    P_WORD(step, method, method_words, "GET", "By which it is made."),
    P_END};

static const struct schema step_schema = {.name = "step",
                                          .summary = "What an asker does.",
                                          .size = sizeof(struct step),
                                          .rows = step_rows,
                                          .positional = true};

static const struct param_spec kind_rows[] = {KIND_NAME(asked_kind, kind, "Its name."), P_END};

static const struct schema kind_schema = {.name = "asked kind",
                                          .summary = "A kind of requests.",
                                          .size = sizeof(struct asked_kind),
                                          .rows = kind_rows,
                                          .kinds = KINDS_GIVEN,
                                          .shorthand = true};

static const struct param_spec rows[] = {
    P_TARGET(asker_params, target, NULL, "Who is asked."),
    P_LIST(asker_params, kinds, kind_schema, "[any]", "Kinds of requests."),
    P_LIST(asker_params, steps, step_schema, "[]", "In any order."), P_END};

static const struct schema schema = {.name = "asker",
                                     .summary = "Sends what its script says.",
                                     .size = sizeof(struct asker_params),
                                     .rows = rows};

/* The replies stand among the statistics because these can be read from outside; they are no row.
 */
struct asker_stats {
    uint64_t replies_received;
    struct asker_reply replies[ASKER_MOST];
};

static const struct stat_spec stats[] = {
    S_COUNTER(asker_stats, replies_received, "Replies that arrived."), S_END};

static void init(struct ctx *c)
{
    const struct asker_params *p = c->params;
    for (uint32_t i = 0; i < p->steps.count; i++) {
        sim_timer(c, TIMER_STEP, p->steps.items[i].at, i, 0);
    }
}

static void take(struct ctx *c, const struct step *step)
{
    const struct asker_params *p = c->params;
    CHECK(step->kind < p->kinds.count, "a step of no kind");
    struct way way = {sim_port(c, p->target.port)->first_wire, 0};
    struct message m = {.request = (uint64_t)c->self << 32 | (uint32_t)step->number,
                        .token = (uint64_t)step->number,
                        .deadline = SIM_TIME_NEVER,
                        .class_ = p->kinds.items[step->kind].kind.number,
                        .status = (uint16_t)step->method,
                        .attempt = (uint16_t)step->attempt,
                        .flags = step->what == WHAT_ASK_POOLED ? REQUEST_POOLED : 0};
    if (step->what == WHAT_CANCEL) {
        sim_send_cancel(c, way, &m);
    } else {
        sim_send(c, way, &m);
    }
}

static void handle(struct ctx *c, const struct event *e)
{
    const struct asker_params *p = c->params;
    struct asker_stats *st = c->stats;
    if (e->kind == TIMER_STEP) {
        take(c, &p->steps.items[e->msg.token]);
    } else if (e->kind == EVENT_REPLY) {
        uint64_t n = st->replies_received++;
        if (n < ASKER_MOST) {
            st->replies[n] = (struct asker_reply){c->now, (uint32_t)e->msg.token, e->msg.status};
        }
    }
}

const struct entity_type asker_type = {.name = "asker",
                                       .params = &schema,
                                       .stats = stats,
                                       .stats_size = sizeof(struct asker_stats),
                                       .init = init,
                                       .handle = handle};

void asker_assert_replies(const struct trial *t, const char *name, uint32_t n,
                          const struct asker_reply *replies)
{
    const struct asker_stats *st = sim_stats(t->sim, trial_entity(t, name));
    bool same = st->replies_received == n;
    for (uint32_t i = 0; i < st->replies_received && i < n && i < ASKER_MOST; i++) {
        const struct asker_reply *r = &st->replies[i];
        same = same && r->at == replies[i].at && r->number == replies[i].number &&
               r->status == replies[i].status;
    }
    for (uint32_t i = 0; !same && i < st->replies_received && i < ASKER_MOST; i++) {
        const struct asker_reply *r = &st->replies[i];
        print_message("{%" PRId64 ", %u, %u}\n", r->at, r->number, r->status);
    }
    assert_true(same);
}

void asker_open(struct trial *t, const char *steps, const char *name, const char *type,
                const char *keys, const char *answers, const char *rest)
{
    trial_open(t,
               "squall: 1\n"
               "duration: 100s\n"
               "entities:\n"
               "  users: {type: asker, target: %s, steps: [%s]}\n"
               "  %s: {type: %s, target: far, %s}\n"
               "  far: {type: probe, answers: [%s]}\n%s\n",
               name, steps, name, type, keys, answers, rest);
}
