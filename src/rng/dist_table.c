/* SPDX-License-Identifier: Apache-2.0 */
#include "rng/dist_table.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/units.h"

const struct dist_table *dist_table_pick(struct arena *arena, uint32_t n, const double *weight,
                                         const double *value)
{
    double sum = 0.0, *chance = arena_take(arena, n * sizeof *chance);
    for (uint32_t i = 0; i < n; i++) {
        sum += weight[i];
    }
    for (uint32_t i = 0; i < n; i++) {
        chance[i] = weight[i] / sum;
    }
    struct dist_table *t = arena_take(arena, sizeof *t);
    *t = (struct dist_table){n, alias_make(arena, chance, n), chance, value};
    return t;
}

/* The text without spaces around it, which are cut off in place. */
static char *trim(char *text)
{
    static const char spaces[] = " \t\r\n";
    text += strspn(text, spaces);
    size_t n = strlen(text);
    while (n > 0 && strchr(spaces, text[n - 1])) {
        n--;
    }
    text[n] = '\0';
    return text;
}

/* What is wrong with a line, or NULL. */
static const char *read_line(char *line, struct arena *arena, struct dist_value *v)
{
    char *comma = strchr(line, ',');
    if (comma) {
        *comma = '\0';
    }
    const char *fault = units_read_duration(trim(line), arena, &v->value);
    if (fault) {
        return fault;
    }
    if (v->value < 0) {
        return "the duration is below 0";
    }
    if ((double)v->value > DIST_LONGEST) {
        return "the duration is above 104 days";
    }
    v->weight = 1.0;
    fault = comma ? units_read_real(trim(comma + 1), "1", arena, &v->weight) : NULL;
    if (!fault && v->weight < 0.0) {
        return "the weight is below 0";
    }
    return !fault && v->weight > DIST_HEAVIEST ? "the weight is above 1e12" : fault;
}

struct entries {
    struct dist_value *items; /* malloced */
    uint32_t n, capacity;
};

static void add_entry(struct entries *e, struct dist_value v)
{
    if (e->n == e->capacity) {
        e->capacity = e->capacity ? 2 * e->capacity : 256;
        e->items = realloc(e->items, e->capacity * sizeof *e->items);
        CHECK(e->items, "out of memory for an empirical law");
    }
    e->items[e->n++] = v;
}

/* False after errors, which are reported. */
static bool read_entries(FILE *in, const char *file, struct diag *diag, struct entries *e)
{
    struct arena scratch = {0};
    char *text = NULL;
    size_t size = 0, errors = diag->errors;
    for (int line = 1; e->n <= DIST_MOST_VALUES && getline(&text, &size, in) >= 0; line++) {
        char *start = trim(text);
        if (*start == '\0' || *start == '#') {
            continue;
        }
        struct dist_value v = {0};
        const char *fault = read_line(start, &scratch, &v);
        if (fault) {
            diag_error_place(diag, file, line, (int)(start - text) + 1, "%s", fault);
        } else {
            add_entry(e, v);
        }
    }
    if (ferror(in)) {
        diag_error_place(diag, file, 0, 0, "cannot be read: %s", strerror(errno));
    } else if (e->n > DIST_MOST_VALUES) {
        diag_error_place(diag, file, 0, 0,
                         "holds more than %d durations; write similar ones as one with a weight",
                         DIST_MOST_VALUES);
    }
    free(text);
    arena_close(&scratch);
    return diag->errors == errors;
}

bool dist_table_read(struct dist *d, const struct node *at, struct diag *diag, struct arena *arena)
{
    const char *path = node_path(at, d->file, arena);
    FILE *in = fopen(path, "r");
    if (!in) {
        diag_error(diag, at, "cannot open '%s': %s", path, strerror(errno));
        return false;
    }
    struct entries e = {0};
    bool good = read_entries(in, path, diag, &e);
    if (good && e.n > 0) {
        d->values.count = e.n;
        d->values.items = arena_take(arena, e.n * sizeof *e.items);
        memcpy(d->values.items, e.items, e.n * sizeof *e.items);
    }
    free(e.items);
    fclose(in);
    return good;
}
