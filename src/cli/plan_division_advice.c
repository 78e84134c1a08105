/* SPDX-License-Identifier: Apache-2.0
 *
 * The judgement: whether dividing the model is worth it, why, and what would help, for people who
 * have never heard of lookahead.
 */
#include <inttypes.h>
#include <math.h>

#include "base/units.h"
#include "cli/plan_division.h"
#include "cli/plan_words.h"

static const double good = 0.7, fair = 0.5; /* efficiencies */

static const char *duration(double seconds)
{
    static struct units_text text;
    double step = pow(10.0, floor(log10(seconds * SIM_TIME_S)) - 1.0); /* two digits */
    text = units_write_duration((sim_time)(ceil(seconds * SIM_TIME_S / step) * step));
    return text.text;
}

/* The least lookahead [s] with which the row's division would have this efficiency; 0 where none
 * does. */
static double lookahead_for(const struct plan_division *p, const struct plan_row *row,
                            double efficiency)
{
    struct work w = row->work;
    double low = 1e-9, high = 1e3;
    w.lookahead = high;
    if (efficiency_of(&p->machine, &w, row->ranks).efficiency < efficiency) {
        return 0.0;
    }
    while (high > 1.01 * low) {
        w.lookahead = sqrt(low * high);
        bool enough = efficiency_of(&p->machine, &w, row->ranks).efficiency >= efficiency;
        *(enough ? &high : &low) = w.lookahead;
    }
    return high;
}

/* --- why not ------------------------------------------------------------------------------ */

/* What holds the entities of a piece together, as the beginning of a sentence about these. */
static const char *what_joins(const struct plan_division *p)
{
    bool budget = p->study->blueprint.budget.policy, wires = p->pieces.joints > 0;
    return budget && wires ? "wires without delay and the failure budget join"
           : budget        ? "the failure budget joins"
                           : "wires without delay join";
}

/* What a delay would bring where the model is in one piece: as two even halves that send each other
 * every other message. */
static void say_one_piece(const struct plan_division *p)
{
    uint32_t n = p->study->blueprint.n_entities;
    if (n == 1) {
        plan_say("One entity cannot be divided.");
        return;
    }
    plan_say("The model cannot be divided: %s all of its %" PRIu32
             " entities, and entities that can affect each other at once must be on one rank.",
             what_joins(p), n);
    struct plan_row halves = {
        .ranks = 2,
        .work = {.rate = p->flow.total, .balance = 1.0, .remote = 0.5, .neighbours = 1.0}};
    double needed = p->flow.total > 0.0 ? lookahead_for(p, &halves, good) : 0.0;
    if (needed > 0.0) {
        plan_say(
            "What would help: give wires named above a latency, under `network` in the "
            "configuration, where the system has one. Jitter may be added to it, but a latency "
            "drawn from a law that begins at 0 is none. From about %s on, two ranks would pay.",
            duration(needed));
    }
}

static void say_needed(const struct plan_division *p, const struct plan_row *r)
{
    double needed = lookahead_for(p, r, good);
    if (needed > 0.0 && r->limit != WIRE_NONE) {
        plan_say(
            "What would help: fewer ranks, or longer delays, where the system has them. If no wire "
            "between ranks took less than %s, %" PRIu32 " ranks would be %.2g times as fast as "
            "one.",
            duration(needed), r->ranks, good * r->ranks);
    }
}

/* Some rank has it all, and the others wait for that. */
static void say_large_piece(const struct plan_division *p)
{
    const struct plan_pieces *c = &p->pieces;
    double most = 1.0 / c->share;
    bool joined = c->joints > 0;
    if (c->entities == 1) {
        plan_say(
            "One entity has %.0f %% of the events, and an entity cannot be divided, so that no "
            "number of ranks is more than %.2g times as fast as one. What would help: several "
            "instances (`count`) that share its work.",
            100.0 * c->share, most);
    } else {
        plan_say(
            "One piece of the model has %.0f %% of the events: %s its entities, so that these must "
            "be on one rank, and no number of ranks is more than %.2g times as fast as one. What "
            "would help: %s.",
            100.0 * c->share, what_joins(p), most,
            joined ? "a latency, under `network` in the configuration, for the wires named above"
                   : "to watch fewer entities");
    }
}

/* What a row's windows mostly consist of, besides work, and what could be done about it. */
static void say_costs(const struct plan_division *p, const struct plan_row *r, struct arena *a)
{
    const struct efficiency *e = &r->expected;
    bool by_piece = p->pieces.share * r->ranks > 0.9 * r->work.balance && r->work.balance > 1.1;
    if (e->exchange >= e->imbalance && e->exchange >= e->remote) {
        plan_say("What costs most on %" PRIu32 " ranks is waiting for news: in %s a rank has about "
                 "%.2g events to handle, %s of work, and then it takes about %s until all "
                 "have told each other how far they are.",
                 r->ranks, units_write_duration(r->lookahead).text, e->events,
                 plan_seconds(e->events * p->machine.event / SIM_TIME_S, a),
                 plan_seconds(e->exchange * e->window_ns / SIM_TIME_S, a));
        say_needed(p, r);
    } else if (e->imbalance < e->remote) {
        plan_say("What costs most on %" PRIu32
                 " ranks are messages from rank to rank: %.0f %% of all "
                 "are such. What would help: groups of entities that mostly keep to themselves.",
                 r->ranks, 100.0 * r->work.remote);
    } else if (by_piece) {
        say_large_piece(p);
    } else {
        plan_say("What costs most on %" PRIu32 " ranks is waiting for the one that happens to have "
                 "most to do: %.3g times the mean by the division, and more by chance.",
                 r->ranks, r->work.balance);
        say_needed(p, r);
    }
}

/* --- the verdict -------------------------------------------------------------------------- */

static void say_lookahead(const struct plan_division *p, const struct plan_row *r, struct arena *a)
{
    if (r->limit == WIRE_NONE) {
        plan_say("No wire leads from rank to rank, so that each runs its part to the end without "
                 "waiting for any other.");
        return;
    }
    const char *place = plan_place(p->study, r->limit, a);
    plan_say(
        "A rank may run ahead of the others as long as nothing they send can reach it: by the "
        "delay of the fastest wire between ranks, here %s (%s%s%s). So far it goes in one window, "
        "then all exchange messages.",
        units_write_duration(r->lookahead).text, plan_wire(&p->study->blueprint, r->limit, a),
        place[0] ? ", " : "", place);
}

/* The most ranks that are used fairly; NULL: not even the fewest are. */
static const struct plan_row *most_ranks(const struct plan_division *p)
{
    const struct plan_row *best = NULL;
    for (const struct plan_row *r = p->rows; r < p->rows + p->n_rows; r++) {
        best = r->expected.efficiency >= fair && r->expected.speedup >= EFFICIENCY_WORTH ? r : best;
    }
    return best;
}

static void say_verdict(const struct plan_division *p, struct arena *a)
{
    const struct plan_row *fastest = plan_fastest(p), *most = most_ranks(p);
    const struct plan_row *last = &p->rows[p->n_rows - 1];
    double speedup = fastest->expected.speedup;
    if (speedup <= 1.0) {
        plan_say("Dividing the model is not worth it: on %" PRIu32
                 " ranks a replication would take "
                 "%.2g times as long as on one.",
                 fastest->ranks, 1.0 / speedup);
    } else if (!most) {
        plan_say(
            "Dividing the model is %s worth it: at best, a replication would run %.2g times as "
            "fast as on one rank, and that takes %" PRIu32 " ranks.",
            speedup < EFFICIENCY_WORTH ? "not" : "hardly", speedup, fastest->ranks);
    } else {
        plan_say("Dividing the model is worth it: on %" PRIu32
                 " ranks a replication would run %.3g "
                 "times as fast as on one.",
                 most->ranks, most->expected.speedup);
    }
    if (most && fastest != most) {
        plan_say("More ranks are used badly: the best that they can do is %.3g times as fast, with "
                 "%" PRIu32 ".",
                 speedup, fastest->ranks);
    }
    double alone = plan_alone_s(p);
    if (most && alone < 1.0) {
        plan_say("But there is little to gain: one rank takes about %s.", plan_seconds(alone, a));
    }
    say_lookahead(p, most ? most : fastest, a);
    if (last->expected.efficiency < good) {
        say_costs(p, last, a);
    }
    if (p->ranks > last->ranks && last->ranks == p->pieces.n) {
        plan_say("More than %" PRIu32 " ranks would find nothing to do.", last->ranks);
    }
}

/* Which division gets all replications done first; team 1 is none. */
static void say_study(const struct plan_division *p, struct arena *a)
{
    uint32_t team = 1;
    double alone = plan_study_s(p, 1, 1.0), least = alone;
    for (const struct plan_row *r = p->rows; r < p->rows + p->n_rows; r++) {
        double s = plan_study_s(p, r->ranks, r->expected.speedup);
        if (s < 0.95 * least) { /* fewer ranks must not be given up for nothing */
            least = s;
            team = r->ranks;
        }
    }
    if (team == 1) {
        plan_say("With %" PRId64
                 " ranks the study is done soonest when each replication has a rank of "
                 "its own: in about %s.",
                 p->ranks, plan_seconds(alone, a));
    } else {
        plan_say("With %" PRId64
                 " ranks the study is done soonest with --ranks-per-replication %" PRIu32
                 ": in about %s instead of %s.",
                 p->ranks, team, plan_seconds(least, a), plan_seconds(alone, a));
    }
}

static void say_replications(const struct plan_division *p, struct arena *a)
{
    uint64_t n = p->question->tasks;
    if (n > 1) {
        plan_say("Replications side by side need not wait for each other: %" PRId64
                 " ranks run the study's %" PRId64 " replications %" PRId64
                 " times as fast as one rank. Divide a replication when there are more ranks than "
                 "replications, or when it does not fit into the memory of one.",
                 n, n, n);
    } else {
        plan_say("Replications side by side need not wait for each other: with as many ranks as "
                 "replications, more of these take no more time. This study has one.");
    }
    if (p->ranks > 0) {
        say_study(p, a);
    }
}

void plan_division_advise(const struct plan_division *p)
{
    struct arena memory = {0};
    if (p->flow.total == 0.0) {
        plan_say("Nothing is expected to happen in this model: nobody makes requests.");
    } else if (p->pieces.n == 1) {
        say_one_piece(p);
    } else if (p->n_rows > 0) {
        say_verdict(p, &memory);
    }
    if (p->flow.total > 0.0) {
        say_replications(p, &memory);
    }
    arena_close(&memory);
}
