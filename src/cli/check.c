/* SPDX-License-Identifier: Apache-2.0
 *
 * squall check: all mistakes of a configuration, without running it.
 */
#include <inttypes.h>
#include <stdio.h>

#include "cli/verb.h"
#include "experiment/progress.h"
#include "model/points.h"
#include "model/resolved.h"

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
    {.name = "resolved",
     .key = KEY_RESOLVED,
     .doc = "Print every value, defaults marked; of a sweep, those of the first point"},
    {.name = NULL}};
static const struct argp argp = {
    .options = rows,
    .parser = parse_option,
    .args_doc = "CONFIG",
    .doc = "Reports all mistakes of a configuration at once, with file, line, column and key. Exit "
           "status 0 when there are none, else 2."};

static void note_point(void *progress, const struct study *s, struct point *point, uint64_t k,
                       uint64_t n)
{
    (void)s;
    (void)point;
    progress_read(progress, k + 1, n);
}

static void report(const char *path, const struct points *points)
{
    const struct study_settings *s = &points->held->settings;
    const struct blueprint *b = &points->held->blueprint;
    printf("%s: %" PRIu32 " entities in %" PRIu32 " groups, %" PRIu32 " wires, ", path,
           b->n_entities, b->n_groups, b->n_wires);
    if (points->n > 1) {
        printf("%" PRIu64 " points of ", points->n);
    }
    printf("%s%" PRId64 " replications of %g s: no mistakes\n",
           points->held->goals.n > 0 ? "at most " : "", s->replications.max,
           (double)s->duration * 1e-9);
}

static enum exit_status run_check(int argc, char **argv, const struct entity_type *const *registry)
{
    struct check_options o = {.path = NULL};
    verb_parse(&argp, argc, argv, &o);
    struct points points;
    struct diag diag = {0};
    struct progress_reading progress;
    progress_reading_open(&progress, false);
    const struct points_visitor visitor = {note_point, &progress};
    bool good = points_load(&points, o.path, o.overrides.items, registry, &diag, &visitor);
    progress_reading_close(&progress);
    overrides_close(&o.overrides);
    diag_print(&diag, stderr, 0);
    diag_close(&diag);
    if (!good) {
        return EXIT_WRONG_INPUT;
    }
    if (o.resolved) {
        resolved_write(points.held, stdout);
    } else {
        report(o.path, &points);
    }
    points_close(&points);
    return EXIT_DONE;
}

const struct verb verb_check = {"check", "CONFIG", "report all mistakes, run nothing", run_check};
