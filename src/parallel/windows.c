/* SPDX-License-Identifier: Apache-2.0 */
#include "parallel/windows.h"

#include <stdlib.h>

#include "base/check.h"
#include "parallel/exchange.h"
#include "parallel/lookahead.h"
#include "parallel/patience.h"

enum { SLICE = 50000 }; /* events between two polls: some milliseconds */

const char *const windows_exchange_words[] = {
    [WINDOWS_AUTO] = "auto",
    [WINDOWS_ALL_DIRECT] = "direct",
    [WINDOWS_ALL_REDUCED] = "reduced",
    NULL,
};

struct windows {
    MPI_Comm comm; /* its own, so that no other traffic of the ranks meets it; owned */
    struct sim *sim;
    struct sim_share share;
    struct lookahead lookahead;
    struct exchange *exchange; /* NULL: there is only one part */
    struct windows_stats stats;
    sim_time tripped; /* [ns] */
    uint64_t polled;  /* [ns] when; replications may be shorter than the time between two polls */
};

static enum windows_exchange choose(enum windows_exchange wanted, uint32_t parts)
{
    bool few = parts <= WINDOWS_DIRECT;
    return few && wanted != WINDOWS_ALL_REDUCED ? WINDOWS_ALL_DIRECT : WINDOWS_ALL_REDUCED;
}

struct windows *windows_open(MPI_Comm comm, const struct blueprint *b, const uint32_t *part_of,
                             const struct sim_options *options, enum windows_exchange exchange)
{
    struct windows *w = calloc(1, sizeof *w);
    CHECK(w, "out of memory");
    int rank, size;
    MPI_Comm_rank(comm, &rank);
    MPI_Comm_size(comm, &size);
    struct sim_options all = *options;
    uint32_t part = (uint32_t)rank, parts = (uint32_t)size;
    if (parts == 1) {
        w->sim = sim_open(b, &all);
        return w;
    }
    MPI_Comm_dup(comm, &w->comm);
    lookahead_open(b, part_of, part, parts, &w->lookahead);
    w->share = (struct sim_share){
        .part_of = part_of, .part = part, .parts = parts, .lookahead = w->lookahead.to};
    all.share = &w->share;
    w->sim = sim_open(b, &all);
    w->exchange = choose(exchange, parts) == WINDOWS_ALL_DIRECT
                      ? exchange_direct(w->comm, w->sim, part_of)
                      : exchange_reduced(w->comm, w->sim, &w->lookahead);
    return w;
}

void windows_close(struct windows *w)
{
    if (w->exchange) {
        w->exchange->close(w->exchange);
        lookahead_close(&w->lookahead);
        MPI_Comm_free(&w->comm);
    }
    sim_close(w->sim);
    free(w);
}

struct sim *windows_sim(struct windows *w)
{
    return w->sim;
}

void windows_add(struct windows_stats *sum, const struct windows_stats *more)
{
    sum->windows += more->windows;
    sum->events += more->events;
    sum->sent_events += more->sent_events;
    sum->messages += more->messages;
    sum->empty_messages += more->empty_messages;
    sum->bytes += more->bytes;
    sum->run_ns += more->run_ns;
    sum->blocked_ns += more->blocked_ns;
    sum->wall_ns += more->wall_ns;
}

const struct windows_stats *windows_stats(const struct windows *w)
{
    return &w->stats;
}

static bool is_too_many(const struct windows *w, uint64_t events)
{
    uint64_t most = sim_options(w->sim)->most_events;
    return most > 0 && events > most;
}

/* Runs the share up to `limit`, or until it gets stuck, has too many events by itself or somebody
 * wants to stop. */
static void run_share(struct windows *w, sim_time limit, struct patience *p)
{
    uint64_t began = patience_clock(), now = began;
    patience_poll(p, began);
    while (!p->stop && !sim_run_until(w->sim, limit, SLICE) && !sim_stuck(w->sim) &&
           !sim_full(w->sim) && !is_too_many(w, sim_events(w->sim))) {
        now = patience_clock();
        patience_poll(p, now);
    }
    w->stats.run_ns += patience_clock() - began;
}

/* Whether the replication is over, and how. A rank may be stuck beyond an end that it did not know.
 */
static bool is_over(const struct outlook *o, enum windows_end *how)
{
    bool done = o->first > o->end;
    *how = o->stop ? WINDOWS_STOPPED : o->stuck && !done ? WINDOWS_STUCK : WINDOWS_DONE;
    return o->stop || o->stuck || done;
}

static struct outlook alone(const struct windows *w, const struct patience *p)
{
    return (struct outlook){.first = sim_next_time(w->sim),
                            .end = sim_end(w->sim),
                            .horizon = SIM_TIME_NEVER,
                            .latest = sim_now(w->sim),
                            .events = sim_events(w->sim),
                            .stop = p->stop,
                            .stuck = sim_stuck(w->sim)};
}

/* True when the replication is certain to have too many events. When these are first counted, some
 * of them may be beyond an end that the first rank to know of it has not reached, or beyond the
 * moment at which the model turns out to be stuck; so they count once all that was run by then,
 * up to `*counted_at` (SIM_TIME_NEVER: there never were too many), is past for everybody. */
static bool is_too_long(const struct windows *w, const struct outlook *o, sim_time *counted_at)
{
    if (*counted_at == SIM_TIME_NEVER && is_too_many(w, o->events)) {
        *counted_at = o->latest;
    }
    return o->first > *counted_at && o->end >= *counted_at;
}

/* Runs the replication once, with the end at `end` or where it comes to be. */
static enum windows_end run_once(struct windows *w, uint64_t seed, uint64_t replication,
                                 sim_time end, struct patience *p, sim_time *reached)
{
    enum windows_end how = WINDOWS_DONE;
    sim_time counted_at = SIM_TIME_NEVER;
    sim_reset(w->sim, seed, replication);
    sim_shorten(w->sim, end);
    for (;;) {
        struct outlook o = alone(w, p);
        if (w->exchange) {
            struct tidings mine = {.next = o.first,
                                   .end = o.end,
                                   .latest = o.latest,
                                   .events = o.events,
                                   .stop = o.stop,
                                   .stuck = o.stuck};
            w->exchange->turn(w->exchange, &mine, p, &w->stats, &o);
        }
        w->stats.windows++;
        *reached = o.first;
        sim_shorten(w->sim, o.end);
        if (is_over(&o, &how)) {
            break;
        }
        if (is_too_long(w, &o, &counted_at)) {
            how = WINDOWS_TOO_LONG;
            break;
        }
        run_share(w, o.horizon, p);
    }
    if (how == WINDOWS_DONE) {
        sim_run_until(w->sim, SIM_TIME_NEVER, 0); /* what is left are ends of intervals */
        *reached = sim_end(w->sim);
    }
    w->stats.events += sim_events(w->sim);
    return how;
}

/* Tells all when the budget was spent, which one of them knows. True: the replication has ended by
 * that, and somebody was further by then. */
static bool is_spoilt(struct windows *w)
{
    int64_t told[] = {sim_tripped(w->sim), sim_went_beyond(w->sim) ? -1 : 0};
    if (w->exchange) {
        MPI_Allreduce(MPI_IN_PLACE, told, 2, MPI_INT64_T, MPI_MIN, w->comm);
    }
    w->tripped = told[0];
    return told[1] != 0;
}

static uint64_t count_all(const struct windows *w)
{
    uint64_t events = sim_events(w->sim);
    if (w->exchange) {
        MPI_Allreduce(MPI_IN_PLACE, &events, 1, MPI_UINT64_T, MPI_SUM, w->comm);
    }
    return events;
}

/* Of a replication that is over: whether there were too many events after all. Of one that is stuck
 * those before that moment count, beyond which some ranks may be: they are run again. */
static enum windows_end recount(struct windows *w, uint64_t seed, uint64_t replication,
                                enum windows_end how, struct patience *p, sim_time *reached)
{
    bool counts = how == WINDOWS_DONE || (how == WINDOWS_STUCK && *reached > 0);
    if (sim_options(w->sim)->most_events == 0 || !counts || !is_too_many(w, count_all(w))) {
        return how;
    }
    if (how == WINDOWS_DONE) {
        return WINDOWS_TOO_LONG;
    }
    sim_time before;
    enum windows_end again = run_once(w, seed, replication, *reached - 1, p, &before);
    return again != WINDOWS_DONE          ? again
           : is_too_many(w, count_all(w)) ? WINDOWS_TOO_LONG
                                          : WINDOWS_STUCK;
}

enum windows_end windows_run(struct windows *w, uint64_t seed, uint64_t replication,
                             bool (*poll)(void *context), void *context, sim_time *reached)
{
    uint64_t began = patience_clock();
    struct patience p = {.poll = poll, .context = context, .polled = w->polled};
    bool has_budget = sim_blueprint(w->sim)->budget.policy;
    w->tripped = SIM_TIME_NEVER;
    enum windows_end how = run_once(w, seed, replication, SIM_TIME_NEVER, &p, reached);
    while (how == WINDOWS_DONE && has_budget && is_spoilt(w)) {
        how = run_once(w, seed, replication, *reached, &p, reached);
    }
    how = recount(w, seed, replication, how, &p, reached);
    *reached = how == WINDOWS_TOO_LONG ? 0 : *reached;
    w->stats.blocked_ns += p.blocked_ns;
    w->polled = p.polled;
    w->stats.wall_ns += patience_clock() - began;
    return how;
}

sim_time windows_tripped(const struct windows *w)
{
    return w->tripped;
}
