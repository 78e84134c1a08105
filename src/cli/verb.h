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

extern const struct verb verb_run, verb_resume, verb_status, verb_merge, verb_check, verb_plan,
    verb_describe, verb_inspect, verb_compare, verb_bench;

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

/* The study of a configuration, or NULL after mistakes; what there is to say is said where `tell`.
 */
struct study *verb_study(const char *path, const struct overrides *o,
                         const struct entity_type *const *registry, bool tell);

#define VERB_SET_KEY 's'
#define VERB_SET_OPTION \
    { \
        .name = "set", .key = VERB_SET_KEY, .arg = "PATH=VALUE", \
        .doc = "Change a value of the configuration, for instance web.concurrency=8" \
    }

/* How a model is divided among ranks, wherever it is. */
enum {
    VERB_RANKS_KEY = 'r',
    VERB_PARTITION_KEY = 'p',
    VERB_PROFILE_KEY = 0x200,
    VERB_EXCHANGE_KEY
};
#define VERB_PARTITION_OPTIONS \
    {.name = "partition", \
     .key = VERB_PARTITION_KEY, \
     .arg = "METHOD", \
     .doc = \
         "How a model is divided among ranks: metis (default), block, shuffle or shuffle:SEED"}, \
    { \
        .name = "profile", .key = VERB_PROFILE_KEY, \
        .doc = "Balance the ranks by a short run instead of the expected traffic" \
    }
#define VERB_TEAM_OPTIONS \
    {.name = "ranks-per-replication", \
     .key = VERB_RANKS_KEY, \
     .arg = "N", \
     .doc = "Divide the model of each replication among N ranks (default: one, or as many as pay " \
            "where there are fewer replications than ranks)"}, \
        VERB_PARTITION_OPTIONS, \
    { \
        .name = "exchange", .key = VERB_EXCHANGE_KEY, .arg = "WAY", \
        .doc = "How ranks of one replication exchange messages: auto (default), direct, reduced" \
    }
/* Takes these options; ARGP_ERR_UNKNOWN for any other. */
error_t verb_team_option(int key, char *arg, struct argp_state *state, struct team_request *team);

#endif
