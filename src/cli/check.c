/* SPDX-License-Identifier: Apache-2.0
 *
 * squall check: all mistakes of a configuration, without running it.
 */
#include <inttypes.h>
#include <stdio.h>

#include "cli/verb.h"
#include "model/resolved.h"
#include "model/study.h"

enum { KEY_RESOLVED = 'r' };

struct check_options {
    struct overrides overrides;
    const char *path;
    bool resolved;
};

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
    struct check_options *o = state->input;
    switch (key) {
    case VERB_SET_KEY:
        overrides_add(&o->overrides, arg);
        return 0;
    case KEY_RESOLVED:
        o->resolved = true;
        return 0;
    default:
        return verb_argument(key, arg, state, "the configuration", &o->path);
    }
}

static const struct argp_option rows[] = {
    VERB_SET_OPTION,
    {.name = "resolved", .key = KEY_RESOLVED, .doc = "Print every value, defaults marked"},
    {.name = NULL}};
static const struct argp argp = {
    .options = rows,
    .parser = parse_option,
    .args_doc = "CONFIG",
    .doc = "Reports all mistakes of a configuration at once, with file, line, column and key. Exit "
           "status 0 when there are none, else 2."};

static enum exit_status run_check(int argc, char **argv, const struct entity_type *const *registry)
{
    struct check_options o = {.path = NULL};
    verb_parse(&argp, argc, argv, &o);
    struct study *study = verb_study(o.path, &o.overrides, registry, true);
    overrides_close(&o.overrides);
    if (!study) {
        return EXIT_WRONG_INPUT;
    }
    const struct blueprint *b = &study->blueprint;
    if (o.resolved) {
        resolved_write(study, stdout);
    } else {
        printf("%s: %" PRIu32 " entities in %" PRIu32 " groups, %" PRIu32 " wires, %" PRId64
               " replications of %g s: no mistakes\n",
               o.path, b->n_entities, b->n_groups, b->n_wires, study->settings.replications.max,
               (double)study->settings.duration * 1e-9);
    }
    study_close(study);
    return EXIT_DONE;
}

const struct verb verb_check = {"check", "CONFIG", "report all mistakes, run nothing", run_check};
