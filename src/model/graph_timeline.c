/* SPDX-License-Identifier: Apache-2.0
 *
 * Places the timeline in the blueprint: whom the names mean, an action for each time that it
 * happens again, and links between sides. Types of whom links and errors concern get the statistics
 * of faults besides their own, in this study.
 */
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/hash.h"
#include "model/graph_draft.h"

enum {
    MOST_ACTIONS = 10000,    /* with all repetitions */
    MOST_REPEATED = 1000000, /* repetitions of one action on all of its instances */
    MOST_OUTAGES = 1000000,  /* windows by chance that are to be expected: of all links, and of one
                                crash on one instance */
    MOST_HOLDS = 1000000,    /* repetitions of a partition that holds messages */
};

/* What is placed so far. */
struct placing {
    struct draft *draft;
    const struct timed_action *t;
    uint64_t place; /* of the action in the timeline, and from bit 32 on of the one in its list */
    struct action_plan *actions;
    uint32_t n_actions, most_actions;
    struct link_plan *links;
    uint32_t n_links, most_links;
    double outages; /* that are to be expected of the links */
};

/* --- actions on entities ------------------------------------------------------------------ */

/* "delay, server": the types that heed actions of a kind. */
static const char *who_heeds(struct draft *d, enum action_kind kind)
{
    const char *list = "";
    for (const struct entity_type *const *t = d->study->registry; *t; t++) {
        if ((*t)->heeds & 1u << kind) {
            list = arena_format(&d->scratch, "%s%s%s", list, *list ? ", " : "", (*t)->name);
        }
    }
    return *list ? list : "none";
}

/* Refuses an action that would do nothing. All heed crashes and pauses, but only who answers has
 * the work of others in hand. */
static void check_heeded(struct draft *d, const struct action_plan *a, const struct name_ref *whom,
                         uint32_t group)
{
    static const char *const words[] = {[ACTION_SLOW] = "has no service that could be slowed",
                                        [ACTION_RATE] = "has no arrivals that a rate could change",
                                        [ACTION_CONDITIONER] = "makes no calls",
                                        [ACTION_CAPACITY] = "has no workers to count"};
    const struct study_group *g = &d->study->groups[group];
    bool needs_answers = a->kind == ACTION_ERRORS || (a->kind == ACTION_CRASH && a->work_goes_on);
    if (g->type && needs_answers && !g->type->answers) {
        diag_error(d->diag, whom->at, "'%s' is a %s, which answers no requests", g->name,
                   g->type->name);
    }
    if (!g->type || needs_answers || a->kind == ACTION_CRASH || a->kind == ACTION_PAUSE) {
        return;
    }
    if (!(g->type->heeds & 1u << a->kind)) {
        diag_error(d->diag, whom->at, "'%s' is a %s, which %s (types that have: %s)", g->name,
                   g->type->name, words[a->kind], who_heeds(d, a->kind));
        return;
    }
    const char *why = g->params && g->type->exempt ? g->type->exempt(g->params, a->kind) : NULL;
    if (why) {
        diag_error(d->diag, whom->at, "'%s' %s", g->name, why);
    }
}

static bool by_chance(const struct timed_action *t)
{
    return t->mtbf != SIM_TIME_NEVER;
}

/* How often the action happens within the run. */
static uint64_t count_times(const struct draft *d, const struct timed_action *t)
{
    sim_time duration = d->study->settings.duration;
    if (t->every == SIM_TIME_NEVER || t->at > duration) {
        return 1;
    }
    uint64_t fit = (uint64_t)((duration - t->at) / t->every) + 1;
    return fit < (uint64_t)t->times ? fit : (uint64_t)t->times;
}

/* How often what comes by chance begins in the mean, if it does. */
static double expect_outages(const struct draft *d, const struct timed_action *t)
{
    sim_time left = d->study->settings.duration - t->at;
    left = left < t->lasts ? left : t->lasts;
    return by_chance(t) && left > 0 ? (double)left / ((double)t->mtbf + (double)t->mttr) : 0.0;
}

/* Refuses more than can be kept, or be simulated. */
static bool check_outages(const struct placing *p, const struct node *at, double n)
{
    if (n > MOST_OUTAGES) {
        diag_error(p->draft->diag, at, "more than %d of them are to be expected in a run",
                   MOST_OUTAGES);
    }
    return n <= MOST_OUTAGES;
}

/* Makes room for `n` more; false when they are too many, which is told. */
static bool make_room(struct placing *p, uint64_t n)
{
    struct draft *d = p->draft;
    if (p->n_actions + n > MOST_ACTIONS) {
        const struct node *every = node_child(p->t->node, "every");
        diag_error(d->diag, every ? every : p->t->node,
                   "more than %d actions, with all repetitions", MOST_ACTIONS);
        return false;
    }
    if (p->n_actions + n > p->most_actions) {
        uint32_t most = p->n_actions + (uint32_t)n;
        most = most > 2 * p->most_actions ? most : 2 * p->most_actions;
        struct action_plan *more = arena_take(&d->study->memory, most * sizeof *more);
        if (p->n_actions > 0) {
            memcpy(more, p->actions, p->n_actions * sizeof *more);
        }
        p->actions = more;
        p->most_actions = most;
    }
    return true;
}

/* Places `a` on whom the name means, as often as it happens. */
static void place_on(struct placing *p, const struct name_ref *whom, struct action_plan a)
{
    struct name_range range;
    uint64_t times = count_times(p->draft, p->t);
    if (!draft_find(p->draft, whom, &range)) {
        return;
    }
    check_heeded(p->draft, &a, whom, range.group);
    check_outages(p, whom->at, expect_outages(p->draft, p->t));
    p->draft->named[range.group] = true;
    a.first = range.first;
    a.count = range.count;
    a.every = a.kind == ACTION_ERRORS ? p->t->every : SIM_TIME_NEVER;
    a.times = times;
    times = a.kind == ACTION_ERRORS ? 1 : times; /* nothing has to happen at their ends */
    if (times > 1 && times * range.count > MOST_REPEATED) {
        diag_error(p->draft->diag, node_child(p->t->node, "every"),
                   "more than %d times, counting each instance", MOST_REPEATED);
        return;
    }
    if (!make_room(p, times)) {
        return;
    }
    for (uint64_t i = 0; i < times; i++) {
        a.from = p->t->at + (i > 0 ? (sim_time)i * p->t->every : 0);
        a.to = sim_time_add(a.from, p->t->lasts);
        a.chance = hash_pair(p->place, i);
        p->actions[p->n_actions++] = a;
    }
}

static void place_errors(struct placing *p, const struct timed_errors *e)
{
    for (uint32_t i = 0; i < e->of.count; i++) {
        place_on(p, &e->of.items[i].name,
                 (struct action_plan){.kind = ACTION_ERRORS,
                                      .share = e->probability,
                                      .status = (uint16_t)e->status,
                                      .served = e->stage == STAGE_AFTER_SERVICE});
    }
}

static void place_action(struct placing *p)
{
    const struct timed_action *t = p->t;
    if (t->whom.name) {
        bool crash = t->kind == ACTION_CRASH;
        place_on(p, &t->whom,
                 (struct action_plan){.kind = t->kind,
                                      .factor = t->factor,
                                      .work_goes_on = crash ? t->in_flight == IN_FLIGHT_FINISH
                                                            : t->in_service == IN_SERVICE_CONTINUES,
                                      .mtbf = by_chance(t) ? t->mtbf : 0,
                                      .mttr = by_chance(t) ? t->mttr : 0,
                                      .conditioner = t->network});
    }
    for (uint64_t i = 0; i < t->errors.count; i++) {
        p->place = (p->place & UINT32_MAX) | i << 32;
        place_errors(p, &t->errors.items[i]);
    }
}

/* --- links -------------------------------------------------------------------------------- */

/* The entities that a list names, `*n` ranges of them. */
static const struct entity_range *find_side(struct draft *d, const struct entity_name *names,
                                            uint32_t count, uint32_t *n)
{
    struct entity_range *side = arena_take(&d->study->memory, count * sizeof *side);
    *n = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct name_range range;
        if (draft_find(d, &names[i].name, &range)) {
            side[(*n)++] = (struct entity_range){range.first, range.count};
            d->named[range.group] = true;
        }
    }
    return side;
}

/* Whether two ranges have an entity in common. */
static bool overlap(const struct entity_range *x, const struct entity_range *y)
{
    return x->first - y->first < y->count || y->first - x->first < x->count;
}

/* Refuses who is named twice, among `a` or on both sides; only a link may lead from entities to
 * themselves, as instances of a group. */
static void check_sides(struct draft *d, const struct link_plan *l, const struct node *at)
{
    bool partition = l->cuts || l->holds;
    for (uint32_t i = 0; i < l->n_a; i++) {
        for (uint32_t k = 0; k < i; k++) {
            if (overlap(&l->a[i], &l->a[k])) {
                diag_error(d->diag, at, "an entity is named twice");
                return;
            }
        }
        for (uint32_t k = 0; k < l->n_b && partition; k++) {
            if (overlap(&l->a[i], &l->b[k])) {
                diag_error(d->diag, at, "an entity is on both sides");
                return;
            }
        }
    }
}

static void check_halves(struct draft *d, const struct link_plan *l, const struct node *at)
{
    uint64_t n = 0;
    for (uint32_t i = 0; i < l->n_a; i++) {
        n += l->a[i].count;
    }
    if (n < 2) {
        diag_error(d->diag, at, "there is nothing to part: expected two entities or more");
    }
}

/* Windows by chance are drawn before a replication begins, and kept. A message that is held is
 * asked for each window that begins as the one before ends. */
static void check_windows(struct placing *p, const struct link_plan *l, const struct node *at)
{
    double n = expect_outages(p->draft, p->t);
    p->outages += check_outages(p, at, p->outages + n) ? n : 0.0;
    if (l->holds && count_times(p->draft, p->t) > MOST_HOLDS) {
        diag_error(p->draft->diag, node_child(p->t->node, "every"),
                   "more than %d times, while messages are held", MOST_HOLDS);
    }
}

static struct link_plan *add_link(struct placing *p, const struct node *at)
{
    if (p->n_links == p->most_links) {
        p->most_links = p->most_links ? 2 * p->most_links : 8;
        struct link_plan *more = arena_take(&p->draft->study->memory, p->most_links * sizeof *more);
        if (p->n_links > 0) {
            memcpy(more, p->links, p->n_links * sizeof *more);
        }
        p->links = more;
    }
    struct draft *d = p->draft;
    d->links_at = realloc(d->links_at, (p->n_links + 1) * sizeof *d->links_at);
    CHECK(d->links_at, "out of memory for %u links", p->n_links);
    d->links_at[p->n_links] = at;
    struct link_plan *l = &p->links[p->n_links++];
    const struct timed_action *t = p->t;
    *l = (struct link_plan){.from = t->at,
                            .lasts = t->lasts,
                            .every = t->every,
                            .times = (uint64_t)t->times,
                            .mtbf = by_chance(t) ? t->mtbf : 0,
                            .mttr = by_chance(t) ? t->mttr : 0,
                            .latency = dist_constant(0),
                            .bandwidth = INFINITY};
    return l;
}

static void place_link(struct placing *p, const struct timed_link *t, uint64_t place)
{
    struct link_plan *l = add_link(p, t->at);
    struct draft *d = p->draft;
    l->a = find_side(d, t->a.items, t->a.count, &l->n_a);
    l->b = find_side(d, t->b.items, t->b.count, &l->n_b);
    l->asymmetric = t->asymmetric;
    l->latency = t->latency;
    l->loss = t->loss;
    l->bandwidth = t->bandwidth.kind == THROUGHPUT_LIMITED ? t->bandwidth.rate : INFINITY;
    l->chance = hash_pair(p->place, place);
    check_sides(d, l, t->at);
    check_windows(p, l, t->at);
}

static void place_partition(struct placing *p, const struct timed_partition *t, uint64_t place)
{
    struct link_plan *l = add_link(p, t->at);
    struct draft *d = p->draft;
    l->halves = t->among.count > 0;
    l->a = l->halves ? find_side(d, t->among.items, t->among.count, &l->n_a)
                     : find_side(d, t->a.items, t->a.count, &l->n_a);
    l->b = find_side(d, t->b.items, t->b.count, &l->n_b);
    l->asymmetric = t->asymmetric;
    l->cuts = !t->hold;
    l->holds = t->hold;
    l->chance = hash_pair(p->place, place);
    check_sides(d, l, t->at);
    check_windows(p, l, t->at);
    if (l->halves && l->n_a == t->among.count) {
        check_halves(d, l, t->at);
    }
}

/* Whether some of the ids `first` to `first + more` are on the link's second side. */
static bool is_opposite(const struct link_plan *l, entity_id first, uint32_t more)
{
    const struct entity_range *side = l->halves ? l->a : l->b;
    uint32_t n = l->halves ? l->n_a : l->n_b;
    const struct entity_range whom = {first, more + 1};
    for (uint32_t i = 0; i < n; i++) {
        if (overlap(&side[i], &whom)) {
            return true;
        }
    }
    for (uint32_t i = 0; n == 0 && i < l->n_a; i++) {
        if (first - l->a[i].first < l->a[i].count &&
            l->a[i].count - (first - l->a[i].first) > more) {
            return false; /* all of them are on the first */
        }
    }
    return n == 0;
}

static bool is_on_a(const struct link_plan *l, entity_id first, uint32_t more)
{
    const struct entity_range whom = {first, more + 1};
    for (uint32_t i = 0; i < l->n_a; i++) {
        if (overlap(&l->a[i], &whom)) {
            return true;
        }
    }
    return false;
}

void draft_check_links(struct draft *d)
{
    const struct blueprint *b = &d->study->blueprint;
    for (uint32_t i = 0; i < b->n_links; i++) {
        const struct link_plan *l = &b->links[i];
        bool used = false;
        for (wire_id w = 0; w < b->n_wires && !used; w++) {
            const struct wire_plan *p = &b->wires[w];
            used = (is_on_a(l, p->from, 0) && is_opposite(l, p->to, p->more)) ||
                   (is_opposite(l, p->from, 0) && is_on_a(l, p->to, p->more));
        }
        if (!used) {
            diag_warning(d->diag, d->links_at[i], "nobody calls anybody between these sides");
        }
    }
}

/* --- statistics of faults ----------------------------------------------------------------- */

const struct stat_spec fault_rows[] = {
    S_COUNTER(fault_stats, messages_cut, "Messages sent that a partition lost."),
    S_COUNTER(fault_stats, messages_dropped, "Messages sent that a loss in the timeline lost."),
    S_COUNTER(fault_stats, messages_held, "Messages sent that a partition held up."),
    S_COUNTER(fault_stats, errors_injected,
              "Requests answered by an error of the timeline's, in place of its own answer."),
    S_END};

/* The type with the statistics of faults behind its own. */
static const struct entity_type *extend(const struct draft *d, const struct entity_type *type,
                                        uint32_t *offset)
{
    struct arena *arena = &d->study->memory;
    size_t own = 0, more = sizeof fault_rows / sizeof fault_rows[0];
    while (type->stats && type->stats[own].name) {
        own++;
    }
    struct stat_spec *rows = arena_take(arena, (own + more) * sizeof *rows);
    if (own > 0) {
        memcpy(rows, type->stats, own * sizeof *rows);
    }
    *offset = (uint32_t)(type->stats_size / 8 * 8 + 8); /* never 0, which means none */
    for (size_t i = 0; i < more; i++) {
        rows[own + i] = fault_rows[i];
        rows[own + i].offset += *offset;
    }
    struct entity_type *extended = arena_take(arena, sizeof *extended);
    *extended = *type;
    extended->stats = rows;
    extended->stats_size = *offset + sizeof(struct fault_stats);
    return extended;
}

/* Results have one table a type, so all of its groups have the same statistics. */
static void extend_type(struct draft *d, const struct entity_type *type)
{
    uint32_t offset;
    const struct entity_type *extended = extend(d, type, &offset);
    for (uint32_t g = 0; g < d->study->n_groups; g++) {
        if (d->groups[g].type == type) {
            d->groups[g].type = extended;
            d->groups[g].faults = offset;
        }
    }
}

static bool has_group(const struct entity_range *side, uint32_t n, const struct group_plan *g)
{
    const struct entity_range all = {g->first, g->count};
    for (uint32_t i = 0; i < n; i++) {
        if (overlap(&side[i], &all)) {
            return true;
        }
    }
    return false;
}

/* Whether links or errors may concern entities of the group. */
static bool has_faults(const struct placing *p, const struct group_plan *g)
{
    for (uint32_t i = 0; i < p->n_links; i++) {
        const struct link_plan *l = &p->links[i];
        if ((l->n_b == 0 && !l->halves) || has_group(l->a, l->n_a, g) ||
            has_group(l->b, l->n_b, g)) {
            return true;
        }
    }
    for (uint32_t i = 0; i < p->n_actions; i++) {
        const struct entity_range whom = {p->actions[i].first, p->actions[i].count};
        if (p->actions[i].kind == ACTION_ERRORS && has_group(&whom, 1, g)) {
            return true;
        }
    }
    return false;
}

void draft_place_actions(struct draft *d)
{
    struct study *s = d->study;
    struct placing p = {.draft = d};
    for (uint32_t i = 0; i < s->settings.timeline.count; i++) {
        const struct timed_action *t = &s->settings.timeline.items[i];
        p.t = t;
        p.place = i;
        place_action(&p);
        for (uint32_t k = 0; k < t->link.count; k++) {
            place_link(&p, &t->link.items[k], k);
        }
        for (uint32_t k = 0; k < t->partition.count; k++) {
            place_partition(&p, &t->partition.items[k], k);
        }
        /* A duration that could not be read is 0, and was reported. */
        if (s->settings.duration > 0 && t->at > s->settings.duration) {
            diag_warning(d->diag, t->whom.at ? t->whom.at : t->node,
                         "this begins after the end of the run");
        }
    }
    s->blueprint.actions = p.actions;
    s->blueprint.n_actions = p.n_actions;
    s->blueprint.links = p.links;
    s->blueprint.n_links = p.n_links;
    for (uint32_t g = 0; g < s->n_groups; g++) {
        if (d->groups[g].type && d->groups[g].faults == 0 && has_faults(&p, &d->groups[g])) {
            extend_type(d, d->groups[g].type);
        }
    }
}
