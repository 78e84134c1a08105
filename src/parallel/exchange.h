/* SPDX-License-Identifier: Apache-2.0
 *
 * Between two windows: what all parts have made for each other is exchanged, and each learns how
 * far it may run next. Two ways, see windows.h.
 */
#ifndef SQUALL_PARALLEL_EXCHANGE_H
#define SQUALL_PARALLEL_EXCHANGE_H

#include "parallel/patience.h"
#include "parallel/windows.h"

/* What a rank tells. */
struct tidings {
    sim_time next;   /* [ns] its first pending event */
    sim_time end;    /* [ns] of the replication, as far as it knows: see sim_end */
    sim_time latest; /* [ns] up to which it has run */
    uint64_t events; /* that it has handled */
    bool stop;       /* it was asked to stop */
    bool stuck;      /* its model is, at `next` */
};

/* What it learns, the same on every rank but for the horizon. */
struct outlook {
    sim_time first;   /* [ns] of all events, those on their way included */
    sim_time end;     /* [ns] the earliest that anybody knows of */
    sim_time horizon; /* [ns] up to which this rank may run, exclusive */
    sim_time latest;  /* [ns] up to which anybody has run */
    uint64_t events;  /* handled by all together */
    bool stop;        /* some rank was asked to */
    bool stuck;       /* the rank that has `first` is */
};

struct exchange {
    void (*turn)(struct exchange *e, const struct tidings *mine, struct patience *p,
                 struct windows_stats *s, struct outlook *o);
    void (*close)(struct exchange *e);
};

struct lookahead;

/* Collective. Each returns an exchange that is freed by its `close`. */
struct exchange *exchange_direct(MPI_Comm comm, struct sim *sim, const uint32_t *part_of);
struct exchange *exchange_reduced(MPI_Comm comm, struct sim *sim, const struct lookahead *l);

#endif
