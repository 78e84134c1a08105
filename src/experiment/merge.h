/* SPDX-License-Identifier: Apache-2.0
 *
 * Making one results file of the journals of a study: of its shards, which ran apart, or of one
 * journal that is still being worked on. Journals are only read, and the results are those of the
 * study in one piece.
 */
#ifndef SQUALL_EXPERIMENT_MERGE_H
#define SQUALL_EXPERIMENT_MERGE_H

#include <stdbool.h>
#include <stddef.h>

#include "engine/entity.h"
#include "experiment/run.h"

struct merge_request {
    const char *const *journals; /* directories */
    size_t n_journals;           /* at least 1 */
    const char *output;          /* results file; NULL: NAME.h5 in the current directory, or
                                    NAME.partial.h5 */
    bool partial;                /* write what there is; the rest has the status "missing" */
    bool force;                  /* overwrite results that are there */
    bool remove;                 /* the journals, when everything is written */
};

/* Not collective: for one process. Says everything that is wrong with the journals, or is missing
 * in them, on stderr. EXIT_WRONG_INPUT: they do not belong together; EXIT_RESUMABLE: something is
 * still to be run, and nothing was written. */
enum exit_status merge_journals(const struct merge_request *request,
                                const struct entity_type *const *registry);

#endif
