/* SPDX-License-Identifier: Apache-2.0
 *
 * squall run, squall resume: the two verbs that work on all ranks.
 */
#include <ctype.h>
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "cli/limits.h"
#include "cli/verb.h"
#include "experiment/orphan.h"

enum {
    KEY_OUTPUT = 'o',
    KEY_QUIET = 'q',
    KEY_FORCE = 'f',
    KEY_RESUME = 0x100,
    KEY_SHARD,
    KEY_RETRY,
    KEY_STATUS_FILE
};

enum { SHARDS_MOST = 1000000 };

#define STATUS_FILE_OPTION \
    { \
        .name = "status-file", .key = KEY_STATUS_FILE, .arg = "FILE", \
        .doc = "Keep a file that tells how far the run is, as OpenMetrics text" \
    }

struct run_options {
    struct run_request request;
    struct overrides overrides;
    const char *path; /* the one argument */
};

/* "3/8": the third of eight. */
static void read_shard(const char *arg, struct argp_state *state, struct run_request *q)
{
    char *end;
    unsigned long shard = strtoul(arg, &end, 10);
    unsigned long shards = *end == '/' ? strtoul(end + 1, &end, 10) : 0;
    if (*end || !isdigit((unsigned char)arg[0]) || shard < 1 || shard > shards ||
        shards > SHARDS_MOST) {
        argp_error(state, "--shard takes a share such as 3/8, from 1/8 to 8/8, not '%s'", arg);
    }
    q->shard = (uint32_t)shard;
    q->shards = (uint32_t)shards;
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
    struct run_options *o = state->input;
    switch (key) {
    case VERB_SET_KEY:
        overrides_add(&o->overrides, arg);
        return 0;
    case KEY_OUTPUT:
        o->request.output = arg;
        return 0;
    case KEY_QUIET:
        o->request.quiet = true;
        return 0;
    case KEY_FORCE:
        o->request.force = true;
        return 0;
    case KEY_RESUME:
        o->request.resume = true;
        return 0;
    case KEY_STATUS_FILE:
        o->request.status_file = arg;
        return 0;
    case KEY_SHARD:
        read_shard(arg, state, &o->request);
        return 0;
    case KEY_RETRY:
        o->request.retry_failed = true;
        return 0;
    default:
        if (verb_team_option(key, arg, state, &o->request.team) == 0 ||
            limits_option(key, arg, state, &o->request) == 0) {
            return 0;
        }
        return verb_argument(key, arg, state, "what is to be run", &o->path);
    }
}

static const struct argp_option run_rows[] = {
    VERB_SET_OPTION,
    {.name = "output", .key = KEY_OUTPUT, .arg = "FILE", .doc = "Results file (NAME.h5)"},
    {.name = "force", .key = KEY_FORCE, .doc = "Overwrite results that are there"},
    {.name = "resume", .key = KEY_RESUME, .doc = "Go on with an unfinished run, if there is one"},
    {.name = "shard",
     .key = KEY_SHARD,
     .arg = "I/N",
     .doc = "Run only share I, from 1 on, of N, and leave its journal, NAME.shard-I-of-N.journal, "
            "for squall merge"},
    {.name = "quiet", .key = KEY_QUIET, .doc = "No progress line"},
    STATUS_FILE_OPTION,
    LIMITS_OPTIONS,
    VERB_TEAM_OPTIONS,
    {.name = NULL}};
static const struct argp run_argp = {
    .options = run_rows,
    .parser = parse_option,
    .args_doc = "CONFIG",
    .doc = "Runs the study of a configuration, on all ranks of mpirun or srun, and writes its "
           "results to NAME.h5. Exit status: 0 done, 2 wrong input, 3 stopped but resumable, 4 "
           "ended early by a limit, 1 anything else."};

static const struct argp_option resume_rows[] = {
    {.name = "output", .key = KEY_OUTPUT, .arg = "FILE", .doc = "Results file (NAME.h5)"},
    {.name = "force", .key = KEY_FORCE, .doc = "Overwrite results that are there"},
    {.name = "retry-failed",
     .key = KEY_RETRY,
     .doc = "Run those again that --replication-limit or --memory-limit ended, and make the "
            "results anew"},
    {.name = "quiet", .key = KEY_QUIET, .doc = "No progress line"},
    STATUS_FILE_OPTION,
    LIMITS_OPTIONS,
    VERB_TEAM_OPTIONS,
    {.name = NULL}};
static const struct argp resume_argp = {
    .options = resume_rows,
    .parser = parse_option,
    .args_doc = "NAME.journal",
    .doc = "Goes on with a study that was stopped, killed or ran out of time. Only what is missing "
           "is run; the results are the same as without the interruption, on any number of ranks."};

/* The command line as one text. */
static char *join(int argc, char **argv)
{
    size_t size = 1;
    for (int i = 0; i < argc; i++) {
        size += strlen(argv[i]) + 1;
    }
    char *text = calloc(1, size);
    CHECK(text, "out of memory");
    for (int i = 0; i < argc; i++) {
        strcat(text, argv[i]);
        strcat(text, i + 1 < argc ? " " : "");
    }
    return text;
}

static void abort_all(void)
{
    MPI_Abort(MPI_COMM_WORLD, EXIT_TROUBLE);
}

static void describe_rank(void *context, char *text, size_t size)
{
    snprintf(text, size, "rank %d", *(const int *)context);
}

static enum exit_status run_on_all_ranks(struct run_options *o, int argc, char **argv,
                                         const struct entity_type *const *registry)
{
    static int rank;
    int provided;
    orphan_watch();
    MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &provided);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    check_set_abort(abort_all);
    check_add_context(describe_rank, &rank);
    char *command = join(argc, argv);
    o->request.command = command;
    o->request.overrides = o->overrides.items;
    enum exit_status status = run_study(&o->request, registry);
    free(command);
    overrides_close(&o->overrides);
    check_drop_context(&rank);
    check_set_abort(NULL);
    MPI_Finalize();
    return status;
}

static enum exit_status run_config(int argc, char **argv, const struct entity_type *const *registry)
{
    stop_listen(); /* at once: whoever stops a run is to be told how to go on */
    struct run_options o = {.path = NULL};
    verb_parse(&run_argp, argc, argv, &o);
    o.request.config = o.path;
    return run_on_all_ranks(&o, argc, argv, registry);
}

static enum exit_status run_resume(int argc, char **argv, const struct entity_type *const *registry)
{
    stop_listen();
    struct run_options o = {.path = NULL};
    verb_parse(&resume_argp, argc, argv, &o);
    o.request.journal = o.path;
    return run_on_all_ranks(&o, argc, argv, registry);
}

const struct verb verb_run = {"run", "CONFIG", "run a study, write NAME.h5", run_config};
const struct verb verb_resume = {"resume", "NAME.journal", "go on with one that was stopped",
                                 run_resume};
