/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/table.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

enum { INDENT = 2, GAP = 3, MOST_DIGITS = 6, FEW_DIGITS = 4 };

/* `value` stands to the left of the line that a column is aligned at, `margin` to its right. */
struct cell {
    const char *value, *margin;
};

struct table_row {
    struct cell *cells; /* the first is the label */
    size_t n, room;
    bool head;
};

/* Arrays in the arena grow by doubling; what they leave behind goes with the table. */
static void *grow(struct arena *a, void *items, size_t n, size_t *room, size_t size)
{
    if (n < *room) {
        return items;
    }
    *room = *room ? 2 * *room : 8;
    void *more = arena_take(a, *room * size);
    if (n > 0) {
        memcpy(more, items, n * size);
    }
    return more;
}

size_t table_room(FILE *out)
{
    struct winsize size;
    bool known = ioctl(fileno(out), TIOCGWINSZ, &size) == 0 && size.ws_col > 1;
    return known ? size.ws_col : TABLE_WIDTH;
}

void table_close(struct table *t)
{
    arena_close(&t->memory);
    *t = (struct table){.rows = NULL};
}

static void add_cell(struct table *t, const char *value, const char *margin)
{
    struct table_row *r = &t->rows[t->n_rows - 1];
    r->cells = grow(&t->memory, r->cells, r->n, &r->room, sizeof *r->cells);
    r->cells[r->n++] = (struct cell){arena_copy(&t->memory, value), arena_copy(&t->memory, margin)};
}

static void begin_row(struct table *t, const char *label, bool head)
{
    t->rows = grow(&t->memory, t->rows, t->n_rows, &t->room, sizeof *t->rows);
    t->rows[t->n_rows++] = (struct table_row){.head = head};
    add_cell(t, label, "");
}

void table_head(struct table *t, const char *label)
{
    begin_row(t, label, true);
}

void table_row(struct table *t, const char *label)
{
    begin_row(t, label, false);
}

void table_text(struct table *t, const char *text)
{
    add_cell(t, text, "");
}

/* The unit that suits a value, and what it is worth. Units that are not named here stay as they
 * are. */
static const struct scale {
    const char *unit, *written;
    double worth;
} scales[] = {
    {"ns", "ns", 1.0},     {"ns", "us", 1e3},     {"ns", "ms", 1e6},     {"ns", "s", 1e9},
    {"ns/s", "ns/s", 1.0}, {"ns/s", "us/s", 1e3}, {"ns/s", "ms/s", 1e6}, {"ns/s", "s/s", 1e9},
    {"B", "B", 1.0},       {"B", "kB", 1e3},      {"B", "MB", 1e6},      {"B", "GB", 1e9},
    {"B", "TB", 1e12},     {"B/s", "B/s", 1.0},   {"B/s", "kB/s", 1e3},  {"B/s", "MB/s", 1e6},
    {"B/s", "GB/s", 1e9},  {"B/s", "TB/s", 1e12}, {"1", "", 1.0},        {"1/s", "", 1.0}};
enum { SCALES = sizeof scales / sizeof *scales };

static struct scale choose_scale(double value, const char *unit)
{
    /* 999.96 us would be rounded to 1000.0 us. */
    const double almost = 0.99995;
    struct scale best = {unit, unit, 1.0};
    for (int i = 0; i < SCALES; i++) {
        if (strcmp(scales[i].unit, unit) == 0 &&
            (scales[i].worth <= 1.0 || fabs(value) >= almost * scales[i].worth)) {
            best = scales[i];
        }
    }
    return best;
}

/* Of the first digit, once the number is rounded to `digits`. */
static int exponent(double value, int digits, char *first)
{
    char text[40];
    snprintf(text, sizeof text, "%.*e", digits - 1, fabs(value));
    *first = text[0];
    return (int)strtol(strchr(text, 'e') + 1, NULL, 10);
}

/* How many digits to show behind the point. `whole`: the value came as a whole number. */
static int choose_decimals(double value, double uncertainty, bool whole)
{
    char first;
    int most = MOST_DIGITS - 1 - exponent(value, MOST_DIGITS, &first), decimals;
    if (isfinite(uncertainty) && uncertainty > 0.0) {
        decimals = -exponent(uncertainty, 2, &first);
        decimals += first < '3';
    } else if (whole && !isfinite(uncertainty)) {
        decimals = 0;
    } else {
        decimals = FEW_DIGITS - 1 - exponent(value, FEW_DIGITS, &first);
    }
    decimals = value != 0.0 && decimals > most ? most : decimals;
    return decimals < 0 || (value == 0.0 && !(uncertainty > 0.0)) ? 0 : decimals;
}

/* With a comma after each thousand, million and so on. */
static const char *number(struct arena *a, double value, int decimals)
{
    const char *plain = arena_format(a, "%.*f", decimals, value);
    size_t sign = plain[0] == '-', whole = strcspn(plain + sign, "."), length = strlen(plain);
    char *text = arena_take(a, length + whole / 3 + 1), *to = text;
    for (size_t i = 0; i < length; i++) {
        if (i > sign && i < sign + whole && (sign + whole - i) % 3 == 0) {
            *to++ = ',';
        }
        *to++ = plain[i];
    }
    return text;
}

static void add_figure(struct table *t, const char *plus, double value, double uncertainty,
                       const char *unit, const char *mark)
{
    struct arena *a = &t->memory;
    if (!isfinite(value)) {
        add_cell(t, "-", mark);
        return;
    }
    double known = isfinite(uncertainty) ? uncertainty : 0.0;
    struct scale s = choose_scale(value != 0.0 ? value : known, unit);
    int decimals = choose_decimals(value / s.worth, uncertainty / s.worth,
                                   s.worth <= 1.0 && value == rint(value));
    const char *margin = "";
    if (isinf(uncertainty)) {
        margin = " ±?";
    } else if (!isnan(uncertainty)) {
        /* What is not zero is not shown as zero. */
        double step = pow(10.0, -decimals), shown = uncertainty / s.worth;
        shown = shown > 0.0 && shown < step ? step : shown;
        margin = arena_format(a, " ±%s", number(a, shown, shown > 0.0 ? decimals : 0));
    }
    const char *text = number(a, value / s.worth, decimals);
    if (text[strspn(text, "-0.")] == '\0') {
        text += text[0] == '-'; /* what is rounded to zero has no sign */
    } else if (value > 0.0) {
        text = arena_format(a, "%s%s", plus, text);
    }
    add_cell(t, s.written[0] ? arena_format(a, "%s %s", text, s.written) : text,
             arena_format(a, "%s%s", margin, mark));
}

void table_figure(struct table *t, double value, double uncertainty, const char *unit,
                  const char *mark)
{
    add_figure(t, "", value, uncertainty, unit, mark);
}

void table_change(struct table *t, double value, double uncertainty, const char *unit,
                  const char *mark)
{
    add_figure(t, "+", value, uncertainty, unit, mark);
}

/* Characters, not bytes. */
static size_t width(const char *text)
{
    size_t n = 0;
    for (; *text; text++) {
        n += ((unsigned char)*text & 0xC0) != 0x80;
    }
    return n;
}

static void pad(FILE *out, size_t n)
{
    fprintf(out, "%*s", (int)n, "");
}

struct column {
    size_t value, margin, whole; /* widths */
};

/* The cells of a head lie across value and margin. */
static struct column measure(const struct table *t, size_t c)
{
    struct column column = {0, 0, 0};
    for (size_t r = 0; r < t->n_rows; r++) {
        if (c >= t->rows[r].n) {
            continue;
        }
        const struct cell *cell = &t->rows[r].cells[c];
        size_t value = width(cell->value), margin = width(cell->margin);
        size_t *widest = t->rows[r].head && c > 0 ? &column.whole : &column.value;
        *widest = value > *widest ? value : *widest;
        column.margin = margin > column.margin ? margin : column.margin;
    }
    size_t both = column.value + column.margin;
    column.whole = both > column.whole ? both : column.whole;
    return column;
}

/* One row of the columns first <= c < last; nothing is printed behind its last letter. */
static void print_row(const struct table *t, size_t r, const struct column *columns, size_t first,
                      size_t last, FILE *out)
{
    const struct table_row *row = &t->rows[r];
    size_t owed = columns[0].whole - width(row->cells[0].value);
    pad(out, INDENT);
    fputs(row->cells[0].value, out);
    for (size_t c = first; c < last && c < row->n; c++) {
        const struct cell *cell = &row->cells[c];
        size_t value = width(cell->value), margin = width(cell->margin);
        /* What a cell leaves free on the right is printed only if something follows. */
        size_t right = row->head ? 0 : columns[c].margin - margin;
        pad(out, owed + GAP + columns[c].whole - right - margin - value);
        fprintf(out, "%s%s", cell->value, cell->margin);
        owed = right;
    }
    fputc('\n', out);
}

/* Rows that end before these columns have nothing to say here. */
static void print_columns(const struct table *t, const struct column *columns, size_t first,
                          size_t last, FILE *out)
{
    bool any = first > 1;
    for (size_t r = 0; r < t->n_rows; r++) {
        if (t->rows[r].n <= first) {
            continue;
        }
        if (t->rows[r].head && any && !(r > 0 && t->rows[r - 1].head)) {
            fputc('\n', out);
        }
        print_row(t, r, columns, first, last, out);
        any = true;
    }
}

void table_print(const struct table *t, FILE *out)
{
    size_t n = 0;
    for (size_t r = 0; r < t->n_rows; r++) {
        n = t->rows[r].n > n ? t->rows[r].n : n;
    }
    struct arena memory = {0};
    struct column *columns = arena_take(&memory, n * sizeof *columns);
    for (size_t c = 0; c < n; c++) {
        columns[c] = measure(t, c);
    }
    for (size_t first = 1, last; first < n; first = last) {
        size_t used = INDENT + columns[0].whole + GAP + columns[first].whole;
        for (last = first + 1; last < n; last++) {
            used += GAP + columns[last].whole;
            if (used > (t->width ? t->width : TABLE_WIDTH)) {
                break;
            }
        }
        print_columns(t, columns, first, last, out);
    }
    arena_close(&memory);
}
