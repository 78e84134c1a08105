/* SPDX-License-Identifier: Apache-2.0
 *
 * squall describe: the language and the statistics, from their rows.
 */
#include <stdio.h>

#include "cli/verb.h"
#include "model/describe.h"

enum { KEY_MARKDOWN = 'm', KEY_SCHEMA = 'j' };

struct describe_options {
    const char *name;
    int form; /* 0: for the terminal */
};

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
    struct describe_options *o = state->input;
    switch (key) {
    case KEY_MARKDOWN:
    case KEY_SCHEMA:
        o->form = key;
        return 0;
    case ARGP_KEY_ARG:
        if (state->arg_num > 0) {
            argp_error(state, "one argument too many: '%s'", arg);
        }
        o->name = arg;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option rows[] = {
    {.name = "markdown", .key = KEY_MARKDOWN, .doc = "The reference page (configs/reference.md)"},
    {.name = "json-schema",
     .key = KEY_SCHEMA,
     .doc = "A JSON schema for editors (configs/schema.json)"},
    {.name = NULL}};
static const struct argp argp = {
    .options = rows,
    .parser = parse_option,
    .args_doc = "[NAME]",
    .doc = "Describes the configuration language: all of it, one type of entity or block, or every "
           "statistic and key of a name."};

static enum exit_status refuse(const char *name, const struct entity_type *const *registry)
{
    struct arena arena = {0};
    const char *near = diag_nearest(name, describe_names(registry, &arena));
    fprintf(stderr, "squall: nothing is called '%s'", name);
    if (near) {
        fprintf(stderr, " (did you mean '%s'?)", near);
    }
    fputs("; 'squall describe' lists what there is\n", stderr);
    arena_close(&arena);
    return EXIT_WRONG_INPUT;
}

static enum exit_status run_describe(int argc, char **argv,
                                     const struct entity_type *const *registry)
{
    struct describe_options o = {.name = NULL};
    verb_parse(&argp, argc, argv, &o);
    if (o.form == KEY_MARKDOWN) {
        describe_markdown(registry, stdout);
    } else if (o.form == KEY_SCHEMA) {
        describe_json_schema(registry, stdout);
    } else if (!o.name) {
        describe_study(registry, stdout);
    } else if (!describe_entry(registry, o.name, stdout)) {
        return refuse(o.name, registry);
    }
    return EXIT_DONE;
}

const struct verb verb_describe = {"describe", "[NAME]", "explain the language and statistics",
                                   run_describe};
