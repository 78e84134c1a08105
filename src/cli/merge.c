/* SPDX-License-Identifier: Apache-2.0
 *
 * squall merge: the results file of journals that were written apart.
 */
#include "experiment/merge.h"

#include "cli/verb.h"

enum { KEY_OUTPUT = 'o', KEY_FORCE = 'f', KEY_PARTIAL = 0x100, KEY_REMOVE };

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
    struct merge_request *q = state->input;
    switch (key) {
    case KEY_OUTPUT:
        q->output = arg;
        return 0;
    case KEY_FORCE:
        q->force = true;
        return 0;
    case KEY_PARTIAL:
        q->partial = true;
        return 0;
    case KEY_REMOVE:
        q->remove = true;
        return 0;
    case ARGP_KEY_ARGS:
        q->journals = (const char *const *)state->argv + state->next;
        q->n_journals = (size_t)(state->argc - state->next);
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "the journal is missing");
        return EINVAL;
    case ARGP_KEY_END:
        if (q->partial && q->remove) {
            argp_error(state, "--remove does not go with --partial: what is missing can still be "
                              "run, and needs the journals");
        }
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option rows[] = {
    {.name = "output", .key = KEY_OUTPUT, .arg = "FILE", .doc = "Results file (NAME.h5)"},
    {.name = "force", .key = KEY_FORCE, .doc = "Overwrite results that are there"},
    {.name = "partial",
     .key = KEY_PARTIAL,
     .doc = "Write what there is, to NAME.partial.h5 unless --output says otherwise; replications "
            "that were not run have the status \"missing\""},
    {.name = "remove", .key = KEY_REMOVE, .doc = "Remove the journals when all is written"},
    {.name = NULL}};
static const struct argp argp = {
    .options = rows,
    .parser = parse_option,
    .args_doc = "NAME.journal...",
    .doc = "Writes the results file of a study whose shards were run apart, the same as if it had "
           "been run in one piece. What is missing is named, and how to run it. Exit status: 0 "
           "done, 2 the journals do not belong together, 3 something is still to be run, 4 "
           "replications ended early, 1 anything else."};

static enum exit_status run_merge(int argc, char **argv, const struct entity_type *const *registry)
{
    struct merge_request request = {.output = NULL};
    verb_parse(&argp, argc, argv, &request);
    return merge_journals(&request, registry);
}

const struct verb verb_merge = {"merge", "NAME.journal...", "write NAME.h5 of shards", run_merge};
