/* SPDX-License-Identifier: Apache-2.0
 *
 * Errors: windows in which a share of an entity's requests fails, whatever the entity itself would
 * make of them. Either a request is answered before the entity gets it, which then knows nothing of
 * it; or it is served as ever, and an error stands in the answer in place of what was achieved.
 *
 * Each action draws from a stream of its own, once for each request that it might fail, so that
 * overlapping ones fail requests independently of each other, and none changes the chance of
 * another. Where several do, the status is that of the one written first.
 */
#include "base/hash.h"
#include "engine/entity.h"
#include "engine/world.h"

/* Statuses of answers that an error can replace: final ones of success. */
enum { SUCCESS_FIRST = 200, SUCCESS_LAST = 399 };

void errors_open(struct sim *s, entity_id id, struct condition *k, const struct condition *before)
{
    k->first_error = before->first_error + before->errors;
    for (uint32_t i = 0; i < s->plan->n_actions; i++) {
        const struct action_plan *a = &s->plan->actions[i];
        if (a->kind == ACTION_ERRORS && id >= a->first && id - a->first < a->count) {
            struct error_window *w = &s->errors[k->first_error + k->errors++];
            w->plan = a;
            w->stream.key = (struct rng_key){.who = blueprint_name_hash(s->plan, id),
                                             .purpose = hash_pair(hash_text("errors"), a->chance)};
        }
    }
}

void errors_reset(struct sim *s)
{
    const struct condition *last = &s->conditions[s->n_conditions - 1];
    for (uint32_t i = 0; i < last->first_error + last->errors; i++) {
        sim_rekey(s, &s->errors[i].stream);
    }
}

struct fault_stats *fault_stats_of(const struct sim *s, const struct record *r)
{
    uint32_t offset = s->plan->groups[r->group].faults;
    return offset > 0 ? (struct fault_stats *)(void *)(r->stats + offset) : NULL;
}

static bool is_in_force(const struct action_plan *a, sim_time t)
{
    sim_time begun;
    return last_beginning(a->from, a->every, a->times, t, &begun) != BEGUN_NOT &&
           t - begun < a->to - a->from;
}

/* The status that a request which is, or is not, served fails with; 0: it does not. */
static uint16_t draw_error(struct sim *s, struct record *r, const struct condition *k, bool served)
{
    uint16_t status = 0;
    for (uint32_t i = 0; i < k->errors; i++) {
        struct error_window *w = &s->errors[k->first_error + i];
        const struct action_plan *a = w->plan;
        if (a->served != served || !is_in_force(a, s->now)) {
            continue;
        }
        bool fails = a->share >= 1.0 || (a->share > 0.0 && rng_unit(&w->stream) < a->share);
        status = fails && status == 0 ? a->status : status;
    }
    struct fault_stats *stats = fault_stats_of(s, r);
    if (stats) {
        stats->errors_injected += status != 0;
    }
    return status;
}

bool errors_refuse(struct sim *s, struct record *r, const struct condition *k,
                   const struct event *e)
{
    uint16_t status = e->kind == EVENT_REQUEST ? draw_error(s, r, k, false) : 0;
    if (status != 0) {
        sim_enter(s, r, e->target);
        sim_reply(&s->ctx, &e->msg, &(struct message){.status = status});
    }
    return status != 0;
}

void errors_spoil(struct sim *s, struct message *reply)
{
    const struct condition *k = &s->conditions[s->current->condition];
    if (k->errors == 0 || reply->status < SUCCESS_FIRST || reply->status > SUCCESS_LAST) {
        return;
    }
    uint16_t status = draw_error(s, s->current, k, true);
    if (status != 0) {
        reply->status = status;
        reply->flags = 0;
    }
}
