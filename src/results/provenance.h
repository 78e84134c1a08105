/* SPDX-License-Identifier: Apache-2.0
 *
 * What a results file tells of the sessions in which its replications were run, and their notes.
 * Only for the writer.
 */
#ifndef SQUALL_RESULTS_PROVENANCE_H
#define SQUALL_RESULTS_PROVENANCE_H

#include "results/h5.h"
#include "results/journal.h"

/* The number of the session of an entry (NULL: there is none) in the file. */
uint64_t provenance_session(const struct journal_entry *entry);

/* Writes sessions and notes below /provenance, which is there. */
bool provenance_write(struct h5 *h, struct journal_index *index);

#endif
