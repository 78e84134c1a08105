/* SPDX-License-Identifier: Apache-2.0
 *
 * Parts write only to those that wires lead to, and a non-blocking reduction finds the first of all
 * events: two steps a window, whatever the number of ranks. What a part has sent counts as its own
 * until it has arrived, which it has when the window's mail has been taken in.
 */
#include <stdlib.h>

#include "base/check.h"
#include "parallel/exchange.h"
#include "parallel/horizon.h"
#include "parallel/lookahead.h"
#include "parallel/mail.h"

/* Reduced to the least of all, but for the last word, which is the sum; a flag is raised by -1, and
 * the greatest is found by its negative. */
enum { FIRST, END, STUCK_AT, STOP, LATEST, EVENTS, WORDS };

struct reduced {
    struct exchange base;
    MPI_Comm comm;
    struct sim *sim;
    struct mail *mail;
    const struct lookahead *lookahead;
    uint32_t *peers, n_peers;
    MPI_Datatype words;
    MPI_Op combine;
};

static void combine(void *in, void *inout, int *n, MPI_Datatype *type)
{
    (void)type;
    for (int i = 0; i < *n; i++) {
        const int64_t *a = (const int64_t *)in + (size_t)i * WORDS;
        int64_t *b = (int64_t *)inout + (size_t)i * WORDS;
        for (int k = 0; k < EVENTS; k++) {
            b[k] = a[k] < b[k] ? a[k] : b[k];
        }
        b[EVENTS] += a[EVENTS];
    }
}

static void turn(struct exchange *e, const struct tidings *mine, struct patience *p,
                 struct windows_stats *s, struct outlook *o)
{
    struct reduced *r = (struct reduced *)(void *)e;
    int64_t told[WORDS] = {
        mine->next,          mine->end,     mine->stuck ? mine->next : SIM_TIME_NEVER,
        mine->stop ? -1 : 0, -mine->latest, (int64_t)mine->events};
    int64_t least[WORDS];
    for (uint32_t i = 0; i < r->n_peers; i++) {
        uint32_t n;
        sim_time first;
        sim_outbox(r->sim, r->peers[i], &n, &first);
        told[FIRST] = first < told[FIRST] ? first : told[FIRST];
    }
    MPI_Request reduction;
    MPI_Iallreduce(told, least, 1, r->words, r->combine, r->comm, &reduction);
    mail_exchange(r->mail, &(uint64_t){0}, p, s);
    mail_next(r->mail);
    patience_wait(p, &reduction, 1);
    *o = (struct outlook){.first = least[FIRST],
                          .end = least[END],
                          .horizon = horizon_reduced(least[FIRST], r->lookahead->least),
                          .latest = -least[LATEST],
                          .events = (uint64_t)least[EVENTS],
                          .stop = least[STOP] != 0,
                          .stuck =
                              least[STUCK_AT] != SIM_TIME_NEVER && least[STUCK_AT] == least[FIRST]};
}

static void close_reduced(struct exchange *e)
{
    struct reduced *r = (struct reduced *)(void *)e;
    mail_close(r->mail);
    MPI_Op_free(&r->combine);
    MPI_Type_free(&r->words);
    free(r->peers);
    free(r);
}

struct exchange *exchange_reduced(MPI_Comm comm, struct sim *sim, const struct lookahead *l)
{
    struct reduced *r = calloc(1, sizeof *r);
    CHECK(r, "out of memory");
    *r = (struct reduced){.base = {turn, close_reduced}, .comm = comm, .sim = sim, .lookahead = l};
    MPI_Type_contiguous(WORDS, MPI_INT64_T, &r->words);
    MPI_Type_commit(&r->words);
    MPI_Op_create(combine, 1, &r->combine);
    r->peers = calloc(l->parts, sizeof *r->peers);
    CHECK(r->peers, "out of memory");
    for (uint32_t p = 0; p < l->parts; p++) {
        /* Replies take the way back, so whoever is written to writes, too. */
        if (p != l->part && l->to[p] != SIM_TIME_NEVER) {
            r->peers[r->n_peers++] = p;
        }
    }
    r->mail = mail_open(comm, sim, r->peers, r->n_peers, sizeof(uint64_t));
    return &r->base;
}
