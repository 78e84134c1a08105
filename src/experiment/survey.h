/* SPDX-License-Identifier: Apache-2.0
 *
 * A survey of a study: what its journals say of how far it is, while it runs or later. Reads the
 * journals of one study, its own or those of its shards, without a model and without MPI, and
 * changes nothing.
 *
 * How long it will take is told of journals that are being written: what is left at each point, by
 * what was done (experiment/remainder.h), shared among the ranks that write.
 */
#ifndef SQUALL_EXPERIMENT_SURVEY_H
#define SQUALL_EXPERIMENT_SURVEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "model/goals.h"
#include "results/error.h"
#include "results/journal_session.h"
#include "results/meta.h"
#include "results/record.h"

/* Processes of one run that went on with a journal. */
struct survey_session {
    const char *journal;
    struct journal_session process; /* the first of them */
    uint64_t writers;               /* processes that have written */
    uint64_t done;                  /* replications */
    uint64_t wall_ns;               /* [ns] that these took */
    bool at_work;                   /* one of them writes now */
};

struct survey_journal {
    const char *path;
    uint32_t shard, shards; /* 0 of 0: the whole study */
    uint64_t tasks, done;   /* replications */
    uint64_t writers;       /* ranks that have finished something and are writing now */
    bool at_work;           /* somebody has it open for writing */
    double rate;            /* [1/s] of the last minutes; 0: nobody writes */
    double left_s;          /* [s] until it is done; NAN: not known */
    int64_t changed;        /* [s] UTC, since 1970: when something was last written; 0: never */
    uint64_t damaged;       /* places */
};

struct survey_point {
    uint64_t done, failed;
    uint64_t wall_ns; /* [ns] that all done took */
};

/* A replication that did not end as it should. */
struct survey_failure {
    uint64_t point, replication;
    enum run_status status;
};

struct survey {
    struct arena memory;         /* owned: all texts and arrays but `points` */
    struct results_meta meta;    /* of the first journal */
    struct points *axes;         /* of which only names are known; NULL: not understood */
    struct survey_point *points; /* owned */
    struct survey_journal *journals;
    size_t n_journals;
    struct survey_session *sessions; /* journal by journal, in the order they began */
    size_t n_sessions;
    uint32_t *missing; /* shards of which there is no journal */
    size_t n_missing;
    uint64_t tasks, done;            /* replications of the study */
    bool at_most;                    /* that many tasks: a rule or a search may need fewer */
    struct goals goals;              /* as much of them as an agenda's plan needs */
    uint64_t levels;                 /* points of a search; 1 without one */
    uint64_t status[RUN_STATUSES];   /* how many ended so */
    struct survey_failure *failures; /* the first of each status */
    size_t n_failures;
    uint64_t wall_ns, events; /* of all done */
    double rate;              /* [1/s] of all journals together */
    double left_s;            /* [s] until what is being run is done; NAN: not known */
};

enum { SURVEY_FAILURES = 5 /* of a status are told */ };

/* False: these are no journals, or not of one study; see `e`. To be closed in any case. */
bool survey_take(struct survey *s, const char *const *journals, size_t n, struct results_error *e);
void survey_close(struct survey *s);

/* "point 3 (web.count=2)", in `arena`; of a study of one point "". */
const char *survey_point_name(const struct survey *s, uint64_t point, struct arena *arena);

#endif
