/* SPDX-License-Identifier: Apache-2.0
 *
 * Bytes in any number from rank to rank. MPI counts in ints, so more than a GiB goes in pieces.
 */
#ifndef SQUALL_EXPERIMENT_PIECES_H
#define SQUALL_EXPERIMENT_PIECES_H

#include <mpi.h>
#include <stddef.h>

/* Collective: what rank 0 has, to all. `size` is the same everywhere. */
void pieces_share(void *data, size_t size, MPI_Comm comm);

/* From one rank to another, which knows `size` and asks for it in the same order. */
void pieces_send(const void *data, size_t size, int to, int tag, MPI_Comm comm);
void pieces_receive(void *data, size_t size, int from, int tag, MPI_Comm comm);

#endif
