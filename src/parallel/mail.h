/* SPDX-License-Identifier: Apache-2.0
 *
 * One message a window from every rank to each of its peers and back: a note of fixed size, and the
 * events of the outbox. Few events ride along with the note; of many the rest follows in a message
 * of its own, straight out of the outbox.
 */
#ifndef SQUALL_PARALLEL_MAIL_H
#define SQUALL_PARALLEL_MAIL_H

#include "engine/sim.h"
#include "parallel/patience.h"
#include "parallel/windows.h"

struct mail;

/* Not collective, but every peer must have this rank among its own. `peers`: `n` ranks of `comm`,
 * copied. */
struct mail *mail_open(MPI_Comm comm, struct sim *sim, const uint32_t *peers, uint32_t n,
                       size_t note_size);
void mail_close(struct mail *m);

/* Sends `note` and outbox to every peer, clears the outboxes, waits for what every peer sends in
 * the same window, and injects its events. */
void mail_exchange(struct mail *m, const void *note, struct patience *p, struct windows_stats *s);

/* The note that peer `i` of the list has sent in this window, until mail_next. */
const void *mail_note(const struct mail *m, uint32_t i);

/* Makes ready for what comes in the next window: while this rank runs, it arrives. */
void mail_next(struct mail *m);

#endif
