/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/verb.h"

#include <stdlib.h>

#include "base/check.h"

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
