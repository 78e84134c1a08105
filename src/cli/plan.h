/* SPDX-License-Identifier: Apache-2.0
 *
 * Inside of squall plan: what is known of a study before it is run, and how that is told.
 */
#ifndef SQUALL_CLI_PLAN_H
#define SQUALL_CLI_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "model/study.h"
#include "parallel/efficiency.h"
#include "parallel/partition.h"

enum {
    PLAN_PARTS_MOST = 512, /* beyond, a division is not made but estimated */
    PLAN_ROWS_MOST = 32,
    PLAN_MATRIX_MOST = 8, /* parts whose lookahead is shown pair by pair */
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

struct plan {
    const char *path;
    const struct study *study;
    int64_t ranks; /* that there are; 0: not said */
    bool profiled;
    struct flow flow;
    struct machine machine;
    struct plan_pieces pieces;
    struct plan_row rows[PLAN_ROWS_MOST];
    int n_rows;
};

/* Wall time [s] of a replication on one rank. */
double plan_alone_s(const struct plan *p);

/* Wall time [s] of all replications on plan.ranks ranks, so many of which share one. */
double plan_study_s(const struct plan *p, uint32_t team, double speedup);

/* The row with the largest speed-up, or NULL. */
const struct plan_row *plan_fastest(const struct plan *p);

/* A time of the clock in words, roughly: "35 s". */
const char *plan_seconds(double s, struct arena *arena);

/* Prints a paragraph, broken into lines, after an empty one. */
void plan_say(struct arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* As blueprint_wire_name. */
const char *plan_wire(const struct blueprint *b, wire_id wire, struct arena *arena);

/* Where it is written how long messages on a wire take: "mesh.yaml:47". "" where that is in no
 * rule of the network. */
const char *plan_place(const struct study *s, wire_id wire, struct arena *arena);

/* Why a wire has no delay, as a cell of a table. */
const char *plan_undelayed(const struct study *s, wire_id wire, struct arena *arena);

/* The tables, and the judgement. */
void plan_print(const struct plan *p);
void plan_advise(const struct plan *p);

#endif
