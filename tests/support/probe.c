/* SPDX-License-Identifier: Apache-2.0 */
#include "support/probe.h"

#include <setjmp.h>

#include <cmocka.h>

#include <inttypes.h>
#include <string.h>

#include "policies/verdict.h"
#include "support/asker.h"

enum { TIMER_ANSWER = EVENT_TIMER };

struct answer {
    struct dist after;
    int64_t status;
    uint32_t flags;       /* enum reply_flag */
    sim_time retry_after; /* [ns] */
    bool refuse;
};

struct probe_params {
    LIST_OF(struct answer) answers;
};

static const struct param_spec answer_rows[] = {
    P_MAYBE_CHOICE(answer, after, dist_duration, "none", "0s", "Time to the answer; none: never."),
    P_COUNT(answer, status, "200", 100, 599, "Status of the answer."),
    P_WORDS(answer, flags, reply_flag_words, "[]", "What it says besides."),
    P_DURATION(answer, retry_after, "0s", 0, 1e18, "With a flag retry_after: when."),
    P_BOOL(answer, refuse, "false", "Whether there is no connection instead."),
    P_END};

static const struct schema answer_schema = {.name = "answer",
                                            .summary = "What a request gets.",
                                            .size = sizeof(struct answer),
                                            .rows = answer_rows};

static const struct param_spec rows[] = {
    P_LIST(probe_params, answers, answer_schema, "[{}]", "In the order of the requests."), P_END};

static const struct schema schema = {.name = "probe",
                                     .summary = "Writes down its requests.",
                                     .size = sizeof(struct probe_params),
                                     .rows = rows};

/* The visits stand among the statistics because these can be read from outside; they are no row,
 * so nothing but a reset clears them. */
struct probe_stats {
    uint64_t requests_received, cancels_received;
    struct probe_visit visits[PROBE_MOST], cancels[PROBE_MOST];
};

static const struct stat_spec stats[] = {
    S_COUNTER(probe_stats, requests_received, "Requests that arrived."),
    S_COUNTER(probe_stats, cancels_received, "Cancels that arrived."), S_END};

static const char *const streams[] = {"answers", NULL};

struct pending {
    struct message request;
    const struct answer *answer;
};

static void write_down(struct probe_visit *visits, uint64_t n, sim_time now,
                       const struct message *m)
{
    if (n < PROBE_MOST) {
        visits[n] = (struct probe_visit){.at = now,
                                         .deadline = m->deadline,
                                         .number = (uint32_t)m->request,
                                         .client = (entity_id)(m->request >> 32),
                                         .attempt = m->attempt,
                                         .class_ = m->class_,
                                         .priority = m->priority,
                                         .flags = m->flags};
    }
}

static void on_request(struct ctx *c, const struct message *m)
{
    const struct probe_params *p = c->params;
    struct probe_stats *st = c->stats;
    uint64_t n = st->requests_received++;
    write_down(st->visits, n, c->now, m);
    const struct answer *a =
        &p->answers.items[n < p->answers.count ? n : (uint64_t)p->answers.count - 1];
    uint32_t slot = slab_take(&c->slabs[0]);
    *(struct pending *)slab_at(&c->slabs[0], slot) = (struct pending){*m, a};
    sim_timer(c, TIMER_ANSWER, dist_draw(&a->after, &c->streams[0]), slot, 0);
}

static struct message reply_of(const struct answer *a)
{
    if (a->refuse) {
        return (struct message){.status = STATUS_NETWORK, .flags = REPLY_REFUSED};
    }
    return (struct message){
        .status = (uint16_t)a->status, .flags = (uint8_t)a->flags, .deadline = a->retry_after};
}

static void handle(struct ctx *c, const struct event *e)
{
    struct probe_stats *st = c->stats;
    if (e->kind == EVENT_CANCEL) {
        write_down(st->cancels, st->cancels_received++, c->now, &e->msg);
    } else if (e->kind == EVENT_REQUEST) {
        on_request(c, &e->msg);
    } else if (e->kind == TIMER_ANSWER) {
        const struct pending *p = slab_at(&c->slabs[0], (uint32_t)e->msg.token);
        struct message reply = reply_of(p->answer);
        sim_reply(c, &p->request, &reply);
        slab_give(&c->slabs[0], (uint32_t)e->msg.token);
    }
}

static void init(struct ctx *c)
{
    (void)c;
}

static const struct entity_type probe_type = {.name = "probe",
                                              .answers = true,
                                              .params = &schema,
                                              .stats = stats,
                                              .stats_size = sizeof(struct probe_stats),
                                              .streams = streams,
                                              .slabs = {sizeof(struct pending)},
                                              .init = init,
                                              .handle = handle};

/* Puts a type among `n` sorted by name. */
static void insert(const struct entity_type **all, uint32_t n, const struct entity_type *type)
{
    while (n > 0 && strcmp(all[n - 1]->name, type->name) > 0) {
        all[n] = all[n - 1];
        n--;
    }
    all[n] = type;
}

const struct entity_type *const *probe_registry(void)
{
    static const struct entity_type *all[64];
    if (all[0]) {
        return all;
    }
    uint32_t n = 0;
    while (entity_registry[n]) {
        assert_in_range(n, 0, 60);
        insert(all, n, entity_registry[n]);
        n++;
    }
    insert(all, n, &probe_type);
    insert(all, n + 1, &asker_type);
    return all;
}

static const struct probe_stats *stats_of(const struct trial *t, const char *name)
{
    return sim_stats(t->sim, trial_entity(t, name));
}

uint32_t probe_visits(const struct trial *t, const char *name)
{
    return (uint32_t)stats_of(t, name)->requests_received;
}

const struct probe_visit *probe_visit(const struct trial *t, const char *name, uint32_t i)
{
    assert_in_range(i, 0, PROBE_MOST - 1);
    assert_true(i < probe_visits(t, name));
    return &stats_of(t, name)->visits[i];
}

uint32_t probe_cancels(const struct trial *t, const char *name)
{
    return (uint32_t)stats_of(t, name)->cancels_received;
}

const struct probe_visit *probe_cancel(const struct trial *t, const char *name, uint32_t i)
{
    assert_in_range(i, 0, PROBE_MOST - 1);
    assert_true(i < probe_cancels(t, name));
    return &stats_of(t, name)->cancels[i];
}

static void assert_times(const char *what, const struct probe_visit *visits, uint32_t n,
                         uint32_t expected, const sim_time *at)
{
    bool same = n == expected;
    for (uint32_t i = 0; i < n && i < PROBE_MOST; i++) {
        same = same && visits[i].at == at[i];
    }
    for (uint32_t i = 0; !same && i < n && i < PROBE_MOST; i++) {
        print_message("%s %u came at %" PRId64 " ns\n", what, i, visits[i].at);
    }
    assert_true(same);
}

void probe_assert_times(const struct trial *t, const char *name, uint32_t n, const sim_time *at)
{
    assert_times("request", stats_of(t, name)->visits, probe_visits(t, name), n, at);
}

void probe_assert_cancels(const struct trial *t, const char *name, uint32_t n, const sim_time *at)
{
    assert_times("cancel", stats_of(t, name)->cancels, probe_cancels(t, name), n, at);
}
