/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"

#include <math.h>

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
    if (isfinite(value)) {
        fprintf(out, "%.17g", value);
    } else {
        fputs("null", out);
    }
}
