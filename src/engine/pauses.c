/* SPDX-License-Identifier: Apache-2.0
 *
 * Pauses: windows in which an entity stands still, as a process does while its garbage is
 * collected. In a pause [from, to)
 *
 * - whatever comes due for it, messages and timers alike, is deferred to `to`. There it runs after
 *   the actions of that instant and before anything of the entity's own instant `to`, in the order
 *   in which it came due. Timeouts run by the clock: those that ran out in the pause fire at its
 *   end, before or after the replies that came in the pause just as they came due.
 * - its work stands still and goes on with what was left (TIMER_WORK: service of a server, delay
 *   of a delay station); with `work_goes_on`, only work begun in the pause waits for its end, and
 *   what was in service before is done as if nothing was, with all that follows from it. What would
 *   be done at the very moment `from` of a pause that freezes is done at `to`.
 * - a crash loses what was deferred, which the type is told of by `miss`, at `to`. Who is up again
 *   before `to` stays paused, defers what comes, and is told of its restart at `to`. For one
 *   that lets work in hand be done, and for errors, what was deferred comes at `to`.
 * - more or fewer workers (ACTION_CAPACITY) are learned of at `to`.
 *
 * Pauses that overlap or touch are one, in which work goes on only if it does in all of them.
 *
 * The timeline is known from the beginning. So work is never interrupted: its timer is set for the
 * moment at which it will be done, pauses counted in, and can be cancelled like any other. All
 * other events are deferred when they come due, each of them once: pushed again in their own slot,
 * under their own handle, which sim_cancel still finds. Their new order has the class of timeouts,
 * and the entity itself for a source, which numbers them one after another: so they keep their
 * order, and neither ranks nor insertion have a say in it. Deferring only ever moves events of one
 * entity to later times, so whatever lookahead was counted on still holds.
 */
#include "engine/entity.h"
#include "engine/world.h"

/* --- windows ----------------------------------------------------------------------------- */

/* Puts `w` among the first `n`, which are sorted by their beginning. */
static void sort_in(struct pause_window *windows, uint32_t n, struct pause_window w)
{
    for (; n > 0 && windows[n - 1].from > w.from; n--) {
        windows[n] = windows[n - 1];
    }
    windows[n] = w;
}

/* Makes one of those that overlap or touch; how many are left. */
static uint32_t unite(struct pause_window *windows, uint32_t n)
{
    uint32_t left = 0;
    for (uint32_t i = 0; i < n; i++) {
        struct pause_window *last = &windows[left - (left > 0)];
        if (left == 0 || windows[i].from > last->to) {
            windows[left++] = windows[i];
            continue;
        }
        last->to = windows[i].to > last->to ? windows[i].to : last->to;
        last->work_goes_on &= windows[i].work_goes_on;
    }
    return left;
}

void pauses_open(struct sim *s, entity_id id, struct condition *k, const struct condition *before)
{
    k->first_pause = before->first_pause + before->pauses;
    struct pause_window *windows = s->pauses + k->first_pause;
    for (uint32_t i = 0; i < s->plan->n_actions; i++) {
        const struct action_plan *a = &s->plan->actions[i];
        if (a->kind == ACTION_PAUSE && id >= a->first && id - a->first < a->count) {
            sort_in(windows, k->pauses++, (struct pause_window){a->from, a->to, a->work_goes_on});
        }
    }
    k->pauses = unite(windows, k->pauses);
}

static const struct pause_window *window_of(const struct sim *s, const struct condition *k,
                                            uint32_t i)
{
    return &s->pauses[k->first_pause + i];
}

void pauses_apply(const struct sim *s, const struct record *r, struct condition *k)
{
    while (k->passed < k->pauses && window_of(s, k, k->passed)->to <= s->now) {
        k->passed++;
    }
    bool paused = k->passed < k->pauses && window_of(s, k, k->passed)->from <= s->now;
    if (paused && !k->paused) {
        k->deferred = k->kept = r->count;
    }
    k->paused = paused;
}

/* --- work -------------------------------------------------------------------------------- */

sim_time pauses_stretch(const struct sim *s, const struct condition *k, sim_time delay)
{
    sim_time at = s->now, left = delay;
    for (uint32_t i = k->passed; i < k->pauses && at != SIM_TIME_NEVER; i++) {
        const struct pause_window *w = window_of(s, k, i);
        if (w->from <= at) { /* begun in a pause */
            at = w->to;
        } else if (sim_time_add(at, left) <= w->from) {
            break;
        } else if (!w->work_goes_on) {
            left -= w->from - at;
            at = w->to;
        }
    }
    return at == SIM_TIME_NEVER ? at : sim_time_add(at - s->now, left);
}

sim_time sim_worked_in_pauses(const struct ctx *c, sim_time since)
{
    const struct sim *s = c->sim;
    const struct condition *k = &s->conditions[s->current->condition];
    sim_time worked = c->now - since;
    for (uint32_t i = k->passed + k->paused; i > 0; i--) {
        const struct pause_window *w = window_of(s, k, i - 1);
        if (w->to <= since) {
            break;
        }
        sim_time to = w->to < c->now ? w->to : c->now;
        if (w->from <= since) {
            worked -= to - since;
        } else if (!w->work_goes_on) {
            worked -= to - w->from;
        }
    }
    return worked;
}

/* --- events ------------------------------------------------------------------------------ */

/* Whether the event's number comes before `number`; numbers wrap around. */
static bool numbered_before(const struct event *e, uint32_t number)
{
    return (((uint32_t)e->order - number) & ORDER_COUNT) > ORDER_COUNT / 2;
}

/* No message has this class but one that was deferred. */
static bool has_timeouts_class(const struct event *e)
{
    return e->order >> 62 == CLASS_TIMEOUT;
}

bool pauses_lost(const struct condition *k, const struct event *e)
{
    return e->kind < EVENT_TIMER && has_timeouts_class(e) && numbered_before(e, k->kept);
}

/* A timeout of the moment at which a pause ends: it comes after what the pause has deferred, but
 * its number was given before. */
static bool comes_too_early(const struct sim *s, const struct condition *k, const struct event *e)
{
    return k->passed > 0 && window_of(s, k, k->passed - 1)->to == e->time &&
           e->kind >= EVENT_TIMER && has_timeouts_class(e) && numbered_before(e, k->deferred);
}

static bool goes_on(const struct pause_window *w, const struct event *e)
{
    return w->work_goes_on && e->kind >= EVENT_TIMER && e->msg.flags & TIMER_WORK;
}

bool pauses_defer(struct sim *s, struct record *r, const struct condition *k, uint32_t slot)
{
    struct event *e = evq_event(&s->queue, slot);
    if (k->paused) {
        const struct pause_window *w = window_of(s, k, k->passed);
        if (goes_on(w, e)) {
            return false;
        }
        e->time = w->to;
    } else if (!comes_too_early(s, k, e)) {
        return false;
    }
    e->order = order_key(s, e->time, CLASS_TIMEOUT, r);
    evq_defer(&s->queue, slot);
    return true;
}
