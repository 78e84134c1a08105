/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "cli/verb.h"
#include "version.h"

static const struct verb *const verbs[] = {
    &verb_run,  &verb_resume,   &verb_status,  &verb_merge,   &verb_check,
    &verb_plan, &verb_describe, &verb_inspect, &verb_compare, &verb_bench};
enum { VERBS = sizeof verbs / sizeof *verbs };

static void usage(FILE *out)
{
    fputs("squall simulates request/response systems whose clients time out and retry.\n\n"
          "Usage:\n",
          out);
    for (int i = 0; i < VERBS; i++) {
        char call[64];
        snprintf(call, sizeof call, "squall %s %s", verbs[i]->name, verbs[i]->arguments);
        fprintf(out, "  %-34s %s\n", call, verbs[i]->summary);
    }
    fputs("\n'squall VERB --help' tells more. Under mpirun or srun, run and resume share the work\n"
          "among all ranks.\n",
          out);
}

/* Not a verb: what might have been meant. */
static enum exit_status refuse(const char *word)
{
    const char *names[VERBS + 1] = {NULL};
    for (int i = 0; i < VERBS; i++) {
        names[i] = verbs[i]->name;
    }
    const char *near = diag_nearest(word, names);
    fprintf(stderr, "squall: there is no '%s'", word);
    if (near) {
        fprintf(stderr, " (did you mean '%s'?)", near);
    }
    fputs("; 'squall --help' lists what there is\n", stderr);
    return EXIT_WRONG_INPUT;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        usage(stderr);
        return EXIT_WRONG_INPUT;
    }
    const char *word = argv[1];
    if (strcmp(word, "--help") == 0 || strcmp(word, "-?") == 0 || strcmp(word, "help") == 0) {
        usage(stdout);
        return EXIT_DONE;
    }
    if (strcmp(word, "--version") == 0 || strcmp(word, "-V") == 0) {
        puts("squall " SQUALL_VERSION " (" SQUALL_GIT ")");
        return EXIT_DONE;
    }
    for (int i = 0; i < VERBS; i++) {
        if (strcmp(word, verbs[i]->name) == 0) {
            char name[64];
            snprintf(name, sizeof name, "squall %s", word);
            argv[1] = name;
            return (int)verbs[i]->run(argc - 1, argv + 1, entity_registry);
        }
    }
    return refuse(word);
}
