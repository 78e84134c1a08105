/* SPDX-License-Identifier: Apache-2.0
 *
 * What squall can be told to do: one file of cli/ for each verb, one row of main.c.
 */
#ifndef SQUALL_CLI_VERB_H
#define SQUALL_CLI_VERB_H

#include <argp.h>
#include <stdbool.h>

#include "engine/entity.h"
#include "experiment/run.h"

struct verb {
    const char *name, *arguments, *summary; /* `arguments` as in a usage line */
    /* argv[0] is "squall VERB", for messages. */
    enum exit_status (*run)(int argc, char **argv, const struct entity_type *const *registry);
};

extern const struct verb verb_run, verb_resume, verb_check, verb_describe, verb_inspect, verb_bench;

/* Parses with argp; its own usage errors end the program with EXIT_WRONG_INPUT. */
void verb_parse(const struct argp *argp, int argc, char **argv, void *input);

/* Takes the one argument of a verb: for the keys that a parser does not know itself. `what` is said
 * to be missing without it. */
error_t verb_argument(int key, char *arg, struct argp_state *state, const char *what,
                      const char **argument);

/* `--set path=value`, wherever a configuration is read. */
struct overrides {
    const char **items; /* owned; ends with NULL */
    size_t n;
};
void overrides_add(struct overrides *o, const char *assignment);
void overrides_close(struct overrides *o);

#define VERB_SET_KEY 's'
#define VERB_SET_OPTION \
    { \
        .name = "set", .key = VERB_SET_KEY, .arg = "PATH=VALUE", \
        .doc = "Change a value of the configuration, for instance web.concurrency=8" \
    }

#endif
