/* SPDX-License-Identifier: Apache-2.0
 *
 * On paper: how fast one model runs on P ranks. See README.md in this folder for the model and
 * where its constants come from.
 */
#ifndef SQUALL_PARALLEL_EFFICIENCY_H
#define SQUALL_PARALLEL_EFFICIENCY_H

#include <stdint.h>

/* What a machine is like; times in [ns]. */
struct machine {
    double event;       /* handling one event */
    double remote;      /* more for one that goes to another rank: pack, send, unpack */
    double message;     /* sending and receiving one message, whatever its size */
    double reduction;   /* a reduction over two ranks; more take log2(P) times that */
    double noise;       /* share of its time that a core is taken away, and all wait for it */
};
extern const struct machine machine_default;

/* What a model and its partition are like. */
struct work {
    double rate;       /* [1/s] events in a second of simulated time */
    double lookahead;  /* [s] of a window */
    double balance;    /* largest load over the mean, by the partition */
    double remote;     /* share of messages that leave their rank, 0 to 1 */
    double neighbours; /* ranks that one sends to */
};

struct efficiency {
    double events;     /* of a window and rank */
    double window_ns;  /* that a window takes */
    double speedup;    /* over one rank */
    double efficiency; /* speedup over ranks, 0 to 1 */
    double compute, imbalance, exchange, remote; /* shares of the window, adding up to 1 */
};

struct efficiency efficiency_of(const struct machine *m, const struct work *w, uint32_t ranks);

/* How remote traffic, neighbours and balance change from a partition in `parts` parts to one in
 * `ranks`: an estimate where nobody has cut the model in so many. */
struct work work_scaled(const struct work *w, uint32_t parts, uint32_t ranks, uint32_t components);

#endif
