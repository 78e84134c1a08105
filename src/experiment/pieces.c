/* SPDX-License-Identifier: Apache-2.0 */
#include "experiment/pieces.h"

enum { PIECE_MOST = 1 << 30 }; /* [B] */

/* How much of `size` bytes goes at a time, from `at` on. */
static int piece_at(size_t at, size_t size)
{
    return size - at < PIECE_MOST ? (int)(size - at) : PIECE_MOST;
}

void pieces_share(void *data, size_t size, MPI_Comm comm)
{
    for (size_t at = 0; at < size; at += PIECE_MOST) {
        MPI_Bcast((char *)data + at, piece_at(at, size), MPI_BYTE, 0, comm);
    }
}

void pieces_send(const void *data, size_t size, int to, int tag, MPI_Comm comm)
{
    for (size_t at = 0; at < size; at += PIECE_MOST) {
        MPI_Send((const char *)data + at, piece_at(at, size), MPI_BYTE, to, tag, comm);
    }
}

void pieces_receive(void *data, size_t size, int from, int tag, MPI_Comm comm)
{
    for (size_t at = 0; at < size; at += PIECE_MOST) {
        MPI_Recv((char *)data + at, piece_at(at, size), MPI_BYTE, from, tag, comm,
                 MPI_STATUS_IGNORE);
    }
}
