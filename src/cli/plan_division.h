/* SPDX-License-Identifier: Apache-2.0
 *
 * The second half of squall plan: whether one replication would run faster if its model were
 * divided among ranks, how much, what limits it, and what would help.
 */
#ifndef SQUALL_CLI_PLAN_DIVISION_H
#define SQUALL_CLI_PLAN_DIVISION_H

#include <stdbool.h>
#include <stdint.h>

#include "experiment/team.h"
#include "model/study.h"
#include "parallel/efficiency.h"
#include "parallel/partition.h"

enum {
    PLAN_PARTS_MOST = 512, /* beyond, a division is not made but estimated */
    PLAN_ROWS_MOST = 32,
    PLAN_MATRIX_MOST = 8,      /* parts whose lookahead is shown pair by pair */
    PLAN_RANKS_MOST = 1000000, /* that may be asked about */
};

/* A model whose parts affect each other at once is one piece. */
struct plan_pieces {
    uint32_t n;       /* that can be dealt out */
    uint32_t joints;  /* wires without delay */
    uint32_t *of;     /* of every entity; owned */
    uint32_t largest; /* the piece with the most events ... */
    uint32_t entities;
    double share; /* ... and the part of all events that it has, 0 to 1 */
};

/* One replication on so many ranks. */
struct plan_row {
    uint32_t ranks;
    bool estimated;      /* nobody has divided the model so */
    uint32_t parts;      /* of the division that this is derived from */
    uint32_t entities;   /* of the largest part */
    double busiest;      /* share of all events that the busiest part has, 0 to 1 */
    uint64_t cut_wires;  /* not known where estimated */
    sim_time lookahead;  /* [ns]; SIM_TIME_NEVER: nothing is cut */
    wire_id limit;       /* that it is that of; WIRE_NONE: nothing is cut */
    uint32_t components; /* that were dealt out, ... */
    sim_time contract;   /* [ns] ... joined by wires faster than this */
    struct work work;
    struct efficiency expected;
    uint32_t *part_of; /* NULL where nobody wants to see it any more; owned */
};

/* What is asked; and what is known by then of the whole study. */
struct plan_question {
    const char *title;         /* what the output begins with */
    uint64_t point;            /* that is looked at */
    bool json;                 /* an object instead of tables */
    const struct study *study; /* of the point */
    int64_t ranks;             /* that there are; 0: not said */
    const struct team_request *team;
    double ns;      /* [ns] that a replication takes on one rank; 0: not known */
    uint64_t tasks; /* replications of all points ... */
    double mean;    /* ... and what one takes in the mean, over what one of this point does */
};

struct plan_division {
    const struct plan_question *question;
    const struct study *study;
    int64_t ranks; /* that there are; 0: not said */
    enum plan_source { PLAN_EXPECTED, PLAN_CALIBRATED, PLAN_PROFILED } source; /* of costs */
    struct flow flow;
    struct machine machine;
    struct plan_pieces pieces;
    struct plan_row rows[PLAN_ROWS_MOST];
    int n_rows;
};

/* Wall time [s] of a replication on one rank. */
double plan_alone_s(const struct plan_division *p);

/* Wall time [s] of all replications on plan.ranks ranks, so many of which share one. */
double plan_study_s(const struct plan_division *p, uint32_t team, double speedup);

/* The row with the largest speed-up, or NULL. */
const struct plan_row *plan_fastest(const struct plan_division *p);

/* As blueprint_wire_name. */
const char *plan_wire(const struct blueprint *b, wire_id wire, struct arena *arena);

/* Where it is written how long messages on a wire take: "mesh.yaml:47". "" where that is in no
 * rule of the network. */
const char *plan_place(const struct study *s, wire_id wire, struct arena *arena);

/* Why a wire has no delay, as a cell of a table. */
const char *plan_undelayed(const struct study *s, wire_id wire, struct arena *arena);

/* The tables, and the judgement. */
void plan_division_print(const struct plan_division *p);
void plan_division_advise(const struct plan_division *p);

/* One division as an object: that of as many ranks as were asked for, or else the fastest that was
 * made; null where the model cannot be divided. */
void plan_division_json(const struct plan_division *p);

/* All of it. */
void plan_divide(const struct plan_question *question);

#endif
