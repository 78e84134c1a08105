/* SPDX-License-Identifier: Apache-2.0
 *
 * A rank whose launcher (mpirun, orted, srun's daemon) has died has nobody left who would end it,
 * and may wait for other ranks for ever. It ends by itself: what is in the journal stays there, and
 * the run can be resumed.
 */
#ifndef SQUALL_EXPERIMENT_ORPHAN_H
#define SQUALL_EXPERIMENT_ORPHAN_H

/* Begins to watch, where the program was started by a launcher of ranks; one that was started by
 * hand may outlive its shell. To be called once, before MPI_Init, which tells every program that it
 * is a rank. When the launcher is gone, the program says so, if there is still somebody to hear it,
 * and ends with EXIT_RESUMABLE. */
void orphan_watch(void);

#endif
