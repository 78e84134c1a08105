/* SPDX-License-Identifier: Apache-2.0
 *
 * Every part writes to every other one. A note tells the writer's next event and the first one that
 * it has sent to each part, so that every part knows where every event is, on its way or not, and
 * the exact horizon follows without a collective.
 */
#include <stdlib.h>

#include "base/check.h"
#include "parallel/exchange.h"
#include "parallel/horizon.h"
#include "parallel/lookahead.h"
#include "parallel/mail.h"

struct note {
    sim_time next, end, latest;
    uint64_t events;
    uint32_t stop, stuck;
    sim_time sent[WINDOWS_DIRECT]; /* [ns] first event sent to each part in this window */
};

struct direct {
    struct exchange base;
    struct sim *sim;
    struct mail *mail;
    sim_time *closed; /* lookahead, [from * parts + to] */
    uint32_t part, parts;
};

/* Note `n` of part `from`: brings T of all parts down to what it knows of. */
static void heed(const struct direct *d, uint32_t from, const struct note *n, sim_time *next,
                 struct outlook *o, sim_time *stuck_at)
{
    next[from] = n->next < next[from] ? n->next : next[from];
    for (uint32_t p = 0; p < d->parts; p++) {
        next[p] = n->sent[p] < next[p] ? n->sent[p] : next[p];
    }
    o->end = n->end < o->end ? n->end : o->end;
    o->latest = n->latest > o->latest ? n->latest : o->latest;
    o->events += n->events;
    o->stop |= n->stop != 0;
    if (n->stuck && n->next < *stuck_at) {
        *stuck_at = n->next;
    }
}

static void turn(struct exchange *e, const struct tidings *mine, struct patience *p,
                 struct windows_stats *s, struct outlook *o)
{
    struct direct *d = (struct direct *)(void *)e;
    struct note note = {.next = mine->next,
                        .end = mine->end,
                        .latest = mine->latest,
                        .events = mine->events,
                        .stop = mine->stop,
                        .stuck = mine->stuck};
    sim_time next[WINDOWS_DIRECT], stuck_at = SIM_TIME_NEVER;
    for (uint32_t to = 0; to < d->parts; to++) {
        uint32_t n;
        sim_outbox(d->sim, to, &n, &note.sent[to]);
        next[to] = SIM_TIME_NEVER;
    }
    mail_exchange(d->mail, &note, p, s);
    *o = (struct outlook){.first = SIM_TIME_NEVER, .end = mine->end};
    heed(d, d->part, &note, next, o, &stuck_at);
    for (uint32_t from = 0, i = 0; from < d->parts; from++) {
        if (from != d->part) {
            heed(d, from, mail_note(d->mail, i++), next, o, &stuck_at);
        }
    }
    mail_next(d->mail);
    for (uint32_t part = 0; part < d->parts; part++) {
        o->first = next[part] < o->first ? next[part] : o->first;
    }
    o->stuck = stuck_at != SIM_TIME_NEVER && stuck_at == o->first;
    o->horizon = horizon_even(next, d->closed, d->parts, d->part);
}

static void close_direct(struct exchange *e)
{
    struct direct *d = (struct direct *)(void *)e;
    mail_close(d->mail);
    free(d->closed);
    free(d);
}

struct exchange *exchange_direct(MPI_Comm comm, struct sim *sim, const uint32_t *part_of)
{
    struct direct *d = calloc(1, sizeof *d);
    CHECK(d, "out of memory");
    int rank, size;
    MPI_Comm_rank(comm, &rank);
    MPI_Comm_size(comm, &size);
    CHECK(size <= WINDOWS_DIRECT, "%d parts that all write to each other", size);
    *d = (struct direct){
        .base = {turn, close_direct}, .sim = sim, .part = (uint32_t)rank, .parts = (uint32_t)size};
    d->closed = lookahead_matrix(sim_blueprint(sim), part_of, d->parts, NULL);
    lookahead_matrix_close(d->closed, d->parts);
    uint32_t peers[WINDOWS_DIRECT], n = 0;
    for (uint32_t p = 0; p < d->parts; p++) {
        if (p != d->part) {
            peers[n++] = p;
        }
    }
    d->mail = mail_open(comm, sim, peers, n, sizeof(struct note));
    return &d->base;
}
