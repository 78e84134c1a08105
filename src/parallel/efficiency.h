/* SPDX-License-Identifier: Apache-2.0
 *
 * On paper: how fast one model runs on P ranks. See README.md in this folder for the model and
 * where its constants come from.
 *
 * A window begins with the first event of all and takes in what comes within the lookahead after
 * it, so that a rank has
 *
 *     events    = (1 + rate * lookahead) / P
 *
 * in it. The window of all ranks takes
 *
 *     compute   = events * event
 *   + imbalance = ((balance - 1) * events + z(P) * sqrt(balance * events)) * event
 *   + remote    = (1 - timers) * remote share * events * remote
 *   + exchange  = neighbours * message + log2(P) * reduction     (reduced exchange)
 *               = (P - 1) * message                              (direct: P <= WINDOWS_DIRECT)
 *   + noise     = pause * (1 - exp(-P * noise * (all of the above) / pause))
 *
 * where z(P) is by how many standard deviations the largest of P normal numbers is expected to be
 * above the mean: all wait for the rank that happens to have most to do. Efficiency is compute
 * over the whole.
 */
#ifndef SQUALL_PARALLEL_EFFICIENCY_H
#define SQUALL_PARALLEL_EFFICIENCY_H

#include <stdint.h>

#include "parallel/partition.h"

/* What a machine is like; times in [ns]. */
struct machine {
    double event;     /* handling one event */
    double remote;    /* more for a message that goes to another rank: pack, send, unpack */
    double message;   /* sending and receiving one message, whatever its size */
    double reduction; /* a reduction over two ranks; more take log2(P) times that */
    double noise;     /* share of its time that a core is taken away, and all wait for it ... */
    double pause;     /* ... for so long at a time */
};
extern const struct machine machine_default;

/* What a model and its partition are like. */
struct work {
    double rate;       /* [1/s] events in a second of simulated time */
    double lookahead;  /* [s] of a window */
    double balance;    /* largest load over the mean, by the partition */
    double timers;     /* share of events that are no messages and so stay; 0: none, or unknown */
    double remote;     /* share of messages that leave their rank, 0 to 1 */
    double neighbours; /* ranks that one sends to */
};

/* The speed-up that a division must promise to be worth its ranks. */
#define EFFICIENCY_WORTH 1.25

struct efficiency {
    double events;                               /* of a window and rank */
    double window_ns;                            /* that a window takes */
    double speedup;                              /* over one rank */
    double efficiency;                           /* speedup over ranks, 0 to 1 */
    double compute, imbalance, exchange, remote; /* shares of the window, adding up to 1 */
};

struct work work_of(const struct blueprint *b, const struct flow *f, const struct cut *c);

/* `exchange` has the noise with it: both are there although there is nothing to do. One rank has
 * neither windows nor anybody to wait for. */
struct efficiency efficiency_of(const struct machine *m, const struct work *w, uint32_t ranks);

/* How remote traffic, neighbours and balance change from a partition in `parts` >= 2 parts to one
 * in more, `ranks`: an estimate where nobody has cut the model in so many. With every component on
 * a rank of its own all messages leave; in between the remote share is taken to grow by a power of
 * the number of parts, and so are the neighbours. Components are whole: of 10 on 8 ranks some rank
 * has 2. */
struct work work_scaled(const struct work *w, uint32_t parts, uint32_t ranks, uint32_t components);

#endif
