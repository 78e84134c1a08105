/* SPDX-License-Identifier: Apache-2.0
 *
 * Why something could not be read or written: what the disk or somebody else's file did, told to
 * the user in one sentence. Functions of this layer that can fail so return false and leave the
 * sentence here; nothing is printed.
 */
#ifndef SQUALL_RESULTS_ERROR_H
#define SQUALL_RESULTS_ERROR_H

#include <stdbool.h>

struct results_error {
    char text[1024]; /* always terminated; "" while nothing failed */
};

/* Sets the sentence, unless an earlier failure has already set one. Returns false. */
bool results_fail(struct results_error *e, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

#endif
