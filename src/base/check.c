/* SPDX-License-Identifier: Apache-2.0 */
#include "base/check.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { CONTEXTS = 8 };

static struct {
    check_describe *describe;
    void *context;
} contexts[CONTEXTS];
static int n_contexts;
static void (*end_program)(void) = abort;

void check_add_context(check_describe *describe, void *context)
{
    if (n_contexts < CONTEXTS) {
        contexts[n_contexts].describe = describe;
        contexts[n_contexts].context = context;
        n_contexts++;
    }
}

void check_drop_context(void *context)
{
    int kept = 0;
    for (int i = 0; i < n_contexts; i++) {
        if (contexts[i].context != context) {
            contexts[kept++] = contexts[i];
        }
    }
    n_contexts = kept;
}

void check_set_abort(void (*end)(void))
{
    end_program = end ? end : abort;
}

/* What was being worked on, and the end. */
static _Noreturn void end(void)
{
    char text[512];
    /* A context that fails itself must not lead back here for ever. */
    int n = n_contexts;
    n_contexts = 0;
    for (int i = 0; i < n; i++) {
        contexts[i].describe(contexts[i].context, text, sizeof text);
        fprintf(stderr, "  while: %s\n", text);
    }
    fflush(stderr);
    end_program();
    abort();
}

void check_limit_reached(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    fputs("squall: a limit is reached: ", stderr);
    vfprintf(stderr, fmt, args);
    fputc('\n', stderr);
    va_end(args);
    end();
}

void check_failed(const char *file, int line, const char *cond, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    fputs("squall: internal error: ", stderr);
    vfprintf(stderr, fmt, args);
    va_end(args);
    fprintf(stderr,
            "\n  %s:%d: (%s) does not hold\n"
            "  This is a bug in squall, not in your configuration; please report it.\n",
            file, line, cond);
    end();
}
