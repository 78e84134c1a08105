/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/verb.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "model/study.h"

void verb_parse(const struct argp *argp, int argc, char **argv, void *input)
{
    argp_err_exit_status = EXIT_WRONG_INPUT;
    argp_parse(argp, argc, argv, 0, NULL, input);
}

error_t verb_argument(int key, char *arg, struct argp_state *state, const char *what,
                      const char **argument)
{
    switch (key) {
    case ARGP_KEY_ARG:
        if (state->arg_num > 0) {
            argp_error(state, "one argument too many: '%s'", arg);
        }
        *argument = arg;
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "%s is missing", what);
        return EINVAL;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

void overrides_add(struct overrides *o, const char *assignment)
{
    o->items = realloc(o->items, (o->n + 2) * sizeof *o->items);
    CHECK(o->items, "out of memory");
    o->items[o->n++] = assignment;
    o->items[o->n] = NULL;
}

void overrides_close(struct overrides *o)
{
    free(o->items);
    *o = (struct overrides){0};
}

struct study *verb_study(const char *path, const struct overrides *o,
                         const struct entity_type *const *registry, bool tell)
{
    struct diag diag = {0};
    struct study *study = study_load(path, o->items, registry, &diag);
    if (tell) {
        diag_print(&diag, stderr, 0);
    }
    diag_close(&diag);
    return study;
}

/* The place of `arg` among the words, which end with NULL; what is no word ends the program. */
static int choose_word(const char *const *words, const char *arg, const char *option,
                       struct argp_state *state)
{
    for (int i = 0; words[i]; i++) {
        if (strcmp(words[i], arg) == 0) {
            return i;
        }
    }
    struct arena memory = {0};
    const char *list = words[0];
    for (int i = 1; words[i]; i++) {
        list = arena_format(&memory, "%s, %s", list, words[i]);
    }
    argp_error(state, "--%s does not know '%s'; it takes %s", option, arg, list);
    arena_close(&memory);
    return 0;
}

/* A whole number from `least` on, all of the text. */
static int64_t read_number(const char *text, int64_t least, const char *what,
                           struct argp_state *state)
{
    char *end;
    long long n = strtoll(text, &end, 10);
    if (end == text || *end || n < least) {
        argp_error(state, "%s takes a whole number from %lld on, not '%s'", what, (long long)least,
                   text);
    }
    return n;
}

static void read_partition(const char *arg, struct argp_state *state, struct team_request *team)
{
    const char *colon = strchr(arg, ':');
    char method[32];
    snprintf(method, sizeof method, "%.*s", (int)strcspn(arg, ":"), arg);
    team->method = (enum partition_method)choose_word(partition_words, method, "partition", state);
    if (colon && team->method != PARTITION_SHUFFLE) {
        argp_error(state, "only shuffle takes a seed: '%s'", arg);
    }
    team->seed = colon ? (uint64_t)read_number(colon + 1, 0, "the seed of shuffle", state) : 0;
}

error_t verb_team_option(int key, char *arg, struct argp_state *state, struct team_request *team)
{
    switch (key) {
    case VERB_RANKS_KEY:
        team->ranks = read_number(arg, 1, "--ranks-per-replication", state);
        return 0;
    case VERB_PARTITION_KEY:
        read_partition(arg, state, team);
        return 0;
    case VERB_PROFILE_KEY:
        team->profile = true;
        return 0;
    case VERB_EXCHANGE_KEY:
        team->exchange =
            (enum windows_exchange)choose_word(windows_exchange_words, arg, "exchange", state);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}
