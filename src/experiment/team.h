/* SPDX-License-Identifier: Apache-2.0
 *
 * Teams: the ranks of a run are divided into teams of equal size, each of which runs one
 * replication at a time, its model divided among its ranks. Teams of one rank are the common case:
 * replications side by side cost nothing. The first rank of a team leads it: it asks for tasks and
 * writes the journal. Ranks that are too few for one more team have nothing to do.
 *
 * The results are the same for every division.
 */
#ifndef SQUALL_EXPERIMENT_TEAM_H
#define SQUALL_EXPERIMENT_TEAM_H

#include <mpi.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "parallel/partition.h"
#include "parallel/windows.h"
#include "results/buffer.h"
#include "results/error.h"

/* How the user wants it. */
struct team_request {
    int64_t ranks; /* of a team; 0: as many as pay */
    enum partition_method method;
    uint64_t seed; /* of PARTITION_SHUFFLE */
    bool profile;  /* balance by a short run instead of the traffic equations */
    enum windows_exchange exchange;
};

struct team {
    MPI_Comm comm;    /* of its ranks; MPI_COMM_NULL: this rank is left over */
    MPI_Comm leaders; /* of all teams; MPI_COMM_NULL: this rank leads none */
    int rank, size;   /* within comm */
    int teams, idle;  /* ranks that have nothing to do, for want of replications or of a team */
    const struct team_request *request; /* not owned */
    /* Of the model: */
    bool hopeless;               /* a part of it is empty: it cannot be divided in so many */
    uint32_t *part_of;           /* of every entity; NULL in a team of one. Owned */
    struct windows *windows;     /* owned; NULL: there is no model yet */
    sim_time lookahead;          /* [ns] between the parts; SIM_TIME_NEVER in a team of one */
    char limit[300];             /* the wire that it is that of, in words */
    struct windows_stats before; /* of the windows of earlier models */
};

/* Whether there are enough ranks for what the user wants. */
bool team_check(const struct team_request *q, int ranks, struct results_error *e);

/* Collective over MPI_COMM_WORLD. Rank 0 decides how many ranks share one of `n_tasks`
 * replications, which is read there, and tells all; `b` is a typical model. There are no more teams
 * than replications. The request must outlive the team. */
void team_open(struct team *t, const struct team_request *q, uint64_t n_tasks,
               const struct blueprint *b, const struct sim_options *options);
void team_close(struct team *t);

/* Collective over the team: takes up a model. The leader decides who has which part of it. The
 * blueprint must live until the model is dropped. */
void team_model(struct team *t, const struct blueprint *b, const struct sim_options *options);

/* Collective over the team: lets go of the model, before another one is taken up. */
void team_drop_model(struct team *t);

/* Collective over MPI_COMM_WORLD: waits for all without keeping a core busy. */
void team_meet(void);

/* Collective over the team: the leader's `n` words to all, for instance the next task. */
void team_words(const struct team *t, uint64_t *words, int n);

/* Collective over the team. The leader gets the sum of everybody's value. */
uint64_t team_sum(const struct team *t, uint64_t value);

/* Collective over the team: the greatest of everybody's values; and the first rank to have it. */
uint64_t team_most(const struct team *t, uint64_t value, int *who);

/* Collective over the team. The leader gets the text of rank `from`, in the arena; `text` is read
 * there only. NULL elsewhere. */
const char *team_text(const struct team *t, int from, const char *text, struct arena *arena);

/* Collective over the team. The leader gets everybody's bytes, in the order of ranks: `pieces` is
 * an array of t->size buffers there, which keep their memory from call to call. */
void team_gather(const struct team *t, const struct buffer *mine, struct buffer *pieces);

/* What a user should know before the work begins: that ranks are idle, or have no part of the
 * model. NULL: nothing. For rank 0. */
const char *team_warning(const struct team *t, struct arena *arena);

/* Collective over MPI_COMM_WORLD: what running in parallel has cost, for people. On rank 0, in
 * `arena`; NULL elsewhere, and where every team is one rank. */
const char *team_report(const struct team *t, struct arena *arena);

#endif
