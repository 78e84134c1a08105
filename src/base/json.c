/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"

#include <math.h>
#include <stdlib.h>

void json_text(FILE *out, const char *text)
{
    putc('"', out);
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c < ' ') {
            fprintf(out, "\\u%04x", (unsigned)c);
        } else {
            fputs(c == '"' || c == '\\' ? "\\" : "", out);
            putc(c, out);
        }
    }
    putc('"', out);
}

void json_real(FILE *out, double value)
{
    enum { LEAST = 15, MOST = 17 }; /* digits: those that a text keeps, and those that tell all */
    char text[32];
    if (!isfinite(value)) {
        fputs("null", out);
        return;
    }
    int digits = LEAST;
    do {
        snprintf(text, sizeof text, "%.*g", digits, value);
    } while (digits++ < MOST && strtod(text, NULL) != value);
    fputs(text, out);
}
