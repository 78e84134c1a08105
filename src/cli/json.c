/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/json.h"

#include <math.h>
#include <stdio.h>

void json_text(const char *text)
{
    putchar('"');
    for (; *text; text++) {
        if ((unsigned char)*text < ' ') {
            printf("\\u%04x", (unsigned)*text);
        } else {
            printf("%s%c", *text == '"' || *text == '\\' ? "\\" : "", *text);
        }
    }
    putchar('"');
}

void json_number(double value)
{
    if (isfinite(value)) {
        printf("%.17g", value);
    } else {
        fputs("null", stdout);
    }
}
