/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/plan_words.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/table.h"

/* A unit, and from where on it is used. */
struct scale {
    double from, worth;
    const char *unit;
};

/* The scales fall, and the last is for whatever is left. */
static const char *scaled(double value, const struct scale *s, struct arena *arena)
{
    while (value < s->from) {
        s++;
    }
    double shown = value / s->worth;
    if (value == 0.0) {
        return arena_format(arena, "0 %s", s->unit);
    }
    return arena_format(arena, "%.*f %s", shown < 9.95 ? 1 : 0, shown, s->unit);
}

const char *plan_seconds(double s, struct arena *arena)
{
    static const struct scale scales[] = {
        {172800.0, 86400.0, "days"}, {7200.0, 3600.0, "h"}, {120.0, 60.0, "min"}, {1.0, 1.0, "s"},
        {1e-3, 1e-3, "ms"},          {1e-6, 1e-6, "us"},    {0.0, 1e-9, "ns"}};
    return scaled(s, scales, arena);
}

const char *plan_bytes(double n, struct arena *arena)
{
    static const struct scale scales[] = {
        {1e9, 1e9, "GB"}, {1e6, 1e6, "MB"}, {1e3, 1e3, "kB"}, {0.0, 1.0, "B"}};
    return scaled(n, scales, arena);
}

const char *plan_number(double n, struct arena *arena)
{
    static const double LONG = 9950.0;
    char *text = arena_format(arena, n < LONG ? "%.2g" : "%.1e", n);
    char *power = strchr(text, 'e');
    if (!power) {
        return text;
    }
    if (n < LONG) {
        return arena_format(arena, "%.0f", strtod(text, NULL));
    }
    *power = '\0';
    return arena_format(arena, "%se%d", text, atoi(power + 1));
}

/* Prints words in lines of which all but the first begin with so many spaces. */
static void print_wrapped(const char *text, int indent)
{
    int column = indent;
    while (*text) {
        int length = (int)strcspn(text, " ");
        if (column > indent && column + 1 + length > TABLE_WIDTH) {
            printf("\n%*s", indent, "");
            column = indent;
        } else if (column > indent) {
            putchar(' ');
            column++;
        }
        printf("%.*s", length, text);
        column += length;
        text += length;
        text += *text == ' ';
    }
    putchar('\n');
}

void plan_line(const char *label, const char *text)
{
    enum { INDENT = 16 };
    printf("  %-*s", INDENT - 2, label);
    print_wrapped(text, INDENT);
}

void plan_say(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char text[2000];
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    putchar('\n');
    print_wrapped(text, 0);
}
