/* SPDX-License-Identifier: Apache-2.0 */
#include "results/error.h"

#include <stdarg.h>
#include <stdio.h>

bool results_fail(struct results_error *e, const char *fmt, ...)
{
    if (e->text[0] == '\0') {
        va_list args;
        va_start(args, fmt);
        vsnprintf(e->text, sizeof e->text, fmt, args);
        va_end(args);
    }
    return false;
}
