/* SPDX-License-Identifier: Apache-2.0
 *
 * squall compare: whether two results files say the same, what differs, and whether by chance.
 */
#include "cli/compare.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/verb.h"

enum { KEY_ALL = 'a', KEY_POINT = 'p', KEY_WITHIN_CHANCE = 0x100 };

/* As diff and cmp have it: trouble of any kind must not be taken for an answer. */
enum { STATUS_SAME = EXIT_DONE, STATUS_DIFFER = 1, STATUS_TROUBLE = EXIT_WRONG_INPUT };

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
    struct compare_options *o = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &o->inspect;
        return 0;
    case KEY_ALL:
        o->inspect.all = true;
        return 0;
    case KEY_POINT:
        o->point = arg;
        return 0;
    case KEY_WITHIN_CHANCE:
        o->within_chance = true;
        return 0;
    case ARGP_KEY_ARGS:
        o->inspect.files = state->argv + state->next;
        o->inspect.n_files = state->argc - state->next;
        if (o->inspect.n_files != FILES) {
            argp_error(state, "it takes two results files, not %d", o->inspect.n_files);
        }
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "the two results files are missing");
        return EINVAL;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option rows[] = {
    {.name = "all",
     .key = KEY_ALL,
     .doc = "Also statistics that are equal to the bit or zero throughout, and all of the "
            "configuration that differs; CSV and JSON always have all statistics"},
    {.name = "point",
     .key = KEY_POINT,
     .arg = "N[:M]",
     .doc = "Only point N of A, with that of B that has the same values on the axes, or with "
            "point M of B (which may be the same file)"},
    {.name = "within-chance",
     .key = KEY_WITHIN_CHANCE,
     .doc = "End with status 0 also if some statistics differ, but none beyond chance"},
    {.name = NULL}};
static const struct argp_child children[] = {{.argp = &inspect_selection}, {.argp = NULL}};
static const struct argp argp = {
    .options = rows,
    .parser = parse_option,
    .args_doc = "A.h5 B.h5",
    .doc =
        "Says whether two results files are identical, and if not, what differs: the "
        "configuration, and which statistics, by how much (B - A) and whether by more than chance."
        "\v"
        "Files of the same seed are compared replication by replication, as both draw the same "
        "random numbers; others as independent samples (Welch). Antithetic pairs of replications "
        "are one observation. The chance of each difference is corrected for how many there are "
        "(Holm): if nothing differs in truth, then with the confidence asked for nothing is said "
        "to be beyond chance.\n\n"
        "Counters are counts of a replication, or rates where not all are observed for as long; "
        "maxima are means of those of the replications. Minima, series and traces are not "
        "compared.\n\n"
        "Exit status: 0 if all results are identical, 1 if they differ (whatever was selected), 2 "
        "if they cannot be compared. Of two points of the same results, as in --point N:M with "
        "one file given twice: 0 if all that is selected is equal, else 1.",
    .children = children};

static bool open_files(struct comparison *c)
{
    bool ok = true;
    for (int f = 0; f < FILES; f++) {
        struct view *v = &c->view[f];
        v->options = &c->options->inspect;
        v->path = c->options->inspect.files[f];
        if (!results_open(v->path, &v->results, &v->error)) {
            fprintf(stderr, "squall: %s\n", v->error.text);
            ok = false;
            continue;
        }
        ok = inspect_check_selection(v->options, v->path, &v->results) && ok;
    }
    for (int f = 0; ok && f < FILES; f++) {
        c->design[f] = inspect_prepare(&c->view[f], &c->memory);
    }
    return ok;
}

static void close_files(struct comparison *c)
{
    for (int f = 0; f < FILES; f++) {
        results_close(&c->view[f].results);
        arena_close(&c->view[f].lot);
    }
    free(c->contrasts);
    arena_close(&c->memory);
}

static bool read_all(struct comparison *c)
{
    for (size_t m = 0; m < c->n_matches; m++) {
        if (!compare_read(c, m)) {
            for (int f = 0; f < FILES; f++) {
                if (c->view[f].error.text[0]) {
                    fprintf(stderr, "squall: %s\n", c->view[f].error.text);
                }
            }
            return false;
        }
    }
    compare_judge(c->contrasts, c->n, c->options->inspect.confidence);
    return true;
}

/* What differs, but by no more than chance. A file that has something of its own, and points
 * without replications, are no matter of chance. */
static bool is_within_chance(const struct comparison *c)
{
    bool within = c->unmatched[FILE_A] == 0 && c->unmatched[FILE_B] == 0 && !c->entities[0];
    for (size_t m = 0; m < c->n_matches; m++) {
        within = within && c->matches[m].n > 0;
    }
    for (size_t i = 0; i < c->n; i++) {
        enum verdict verdict = c->contrasts[i].verdict;
        within = within && (verdict == VERDICT_EQUAL || verdict == VERDICT_WITHIN);
    }
    return within;
}

/* Of files of one digest, whether each point is compared with itself. */
static bool is_identity(const struct comparison *c)
{
    for (size_t m = 0; m < c->n_matches; m++) {
        if (c->matches[m].point[FILE_A] != c->matches[m].point[FILE_B]) {
            return false;
        }
    }
    return true;
}

static bool is_equal(const struct comparison *c)
{
    for (size_t i = 0; i < c->n; i++) {
        if (c->contrasts[i].verdict != VERDICT_EQUAL) {
            return false;
        }
    }
    return is_within_chance(c);
}

static int compare(struct comparison *c)
{
    if (!open_files(c)) {
        return STATUS_TROUBLE;
    }
    const struct inspect_options *o = &c->options->inspect;
    bool alike = compare_alike(c), at_once = alike && o->form == FORM_TABLES && !o->all;
    if ((!at_once || c->options->point) && !compare_match(c)) {
        return STATUS_TROUBLE;
    }
    bool identical = alike && is_identity(c);
    if (!(at_once && identical) && !read_all(c)) {
        return STATUS_TROUBLE;
    }
    if (o->form == FORM_TABLES) {
        compare_print(c, identical);
    } else {
        compare_export(c);
    }
    if (fflush(stdout) != 0) {
        perror("squall: standard output");
        return STATUS_TROUBLE;
    }
    bool same =
        identical || (alike && is_equal(c)) || (c->options->within_chance && is_within_chance(c));
    return same ? STATUS_SAME : STATUS_DIFFER;
}

static enum exit_status run_compare(int argc, char **argv,
                                    const struct entity_type *const *registry)
{
    (void)registry; /* files say themselves what is in them */
    struct compare_options o = {.point = NULL};
    verb_parse(&argp, argc, argv, &o);
    struct comparison c = {.options = &o, .entities = ""};
    int status = compare(&c);
    close_files(&c);
    arena_close(&o.inspect.memory);
    return (enum exit_status)status;
}

const struct verb verb_compare = {"compare", "A.h5 B.h5",
                                  "show what differs between results, and whether by chance",
                                  run_compare};
