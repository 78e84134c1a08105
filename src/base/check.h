/* SPDX-License-Identifier: Apache-2.0
 *
 * CHECK is for our own mistakes (a broken invariant, a failed system call that nobody can
 * answer): it prints where it happened and what was being simulated, then ends every rank.
 * The user's mistakes are never CHECKs; they go to base/diag.h.
 */
#ifndef SQUALL_BASE_CHECK_H
#define SQUALL_BASE_CHECK_H

#include <stddef.h>

#define CHECK(cond, ...) \
    do { \
        if (__builtin_expect(!(cond), 0)) { \
            check_failed(__FILE__, __LINE__, #cond, __VA_ARGS__); \
        } \
    } while (0)

/* For limits that a large enough model reaches without anybody's mistake: memory, address space,
 * the range of an integer. Says so, and ends every rank likewise. */
#define CHECK_LIMIT(cond, ...) \
    do { \
        if (__builtin_expect(!(cond), 0)) { \
            check_limit_reached(__VA_ARGS__); \
        } \
    } while (0)

_Noreturn void check_limit_reached(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
_Noreturn void check_failed(const char *file, int line, const char *cond, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* Writes what is being worked on ("rank 3, web[2], t=1.5s, ...") into `text`. Installed by whoever
 * knows; several may be installed and are printed in order of installation. */
typedef void check_describe(void *context, char *text, size_t size);
void check_add_context(check_describe *describe, void *context);
void check_drop_context(void *context);

/* What ends the program after a failed check; abort() unless set (MPI programs set MPI_Abort). */
void check_set_abort(void (*end)(void));

#endif
