/* SPDX-License-Identifier: Apache-2.0 */
#include "base/diag.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/check.h"
#include "base/tree.h"

struct diag_entry {
    struct diag_entry *next;
    const char *file; /* "" for an error without a place */
    const char *path; /* "" for none */
    const char *message;
    const char *note; /* behind it, no part of what is compared; NULL: none */
    size_t times;     /* that it was taken over */
    size_t order;     /* of reporting; decides among equal places */
    int line, column;
    bool warning;
};

struct place {
    const char *file;
    int line, column;
};

enum { LONGEST_NAME = 64 }; /* longer names get no suggestion */

void diag_close(struct diag *d)
{
    arena_close(&d->memory);
    memset(d, 0, sizeof *d);
}

static const char *format(struct arena *arena, const char *fmt, va_list args)
{
    va_list again;
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, fmt, again);
    va_end(again);
    CHECK(n >= 0, "cannot format '%s'", fmt);
    char *text = arena_take(arena, (size_t)n + 1);
    vsnprintf(text, (size_t)n + 1, fmt, args);
    return text;
}

static void append(struct diag *d, struct diag_entry *e)
{
    e->order = d->errors + d->warnings;
    if (d->last) {
        d->last->next = e;
    } else {
        d->first = e;
    }
    d->last = e;
    if (e->warning) {
        d->warnings++;
    } else {
        d->errors++;
    }
}

static void add(struct diag *d, bool warning, struct place place, const struct node *at,
                const char *fmt, va_list args)
{
    struct diag_entry *e = arena_take(&d->memory, sizeof *e);
    e->warning = warning;
    e->file = place.file ? arena_copy(&d->memory, place.file) : "";
    e->line = place.line;
    e->column = place.column;
    e->path = at ? diag_path(&d->memory, at) : "";
    e->message = format(&d->memory, fmt, args);
    append(d, e);
}

static struct place place_of(const struct node *at)
{
    return at ? (struct place){at->file, at->line, at->column} : (struct place){NULL, 0, 0};
}

void diag_error(struct diag *d, const struct node *at, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    add(d, false, place_of(at), at, fmt, args);
    va_end(args);
}

void diag_at_most_one(struct diag *d, const struct node *at, const char *key, uint32_t count)
{
    if (count > 1) {
        diag_error(d, node_item(node_child(at, key), 1), "there can be only one");
    }
}

void diag_error_key(struct diag *d, const struct node *at, const char *fmt, ...)
{
    struct place place = place_of(at);
    if (at) {
        place.line = at->key_line;
        place.column = at->key_column;
    }
    va_list args;
    va_start(args, fmt);
    add(d, false, place, at, fmt, args);
    va_end(args);
}

void diag_error_place(struct diag *d, const char *file, int line, int column, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    add(d, false, (struct place){file, line, column}, NULL, fmt, args);
    va_end(args);
}

void diag_warning(struct diag *d, const struct node *at, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    add(d, true, place_of(at), at, fmt, args);
    va_end(args);
}

static bool same(const struct diag_entry *a, const struct diag_entry *b)
{
    return a->warning == b->warning && a->line == b->line && a->column == b->column &&
           strcmp(a->file, b->file) == 0 && strcmp(a->path, b->path) == 0 &&
           strcmp(a->message, b->message) == 0;
}

static struct diag_entry *find(const struct diag *d, const struct diag_entry *e)
{
    struct diag_entry *own = d->first;
    while (own && !same(own, e)) {
        own = own->next;
    }
    return own;
}

static void take_over(struct diag *d, const struct diag_entry *e, const char *note)
{
    struct diag_entry *own = find(d, e);
    if (own) {
        own->times++;
    } else {
        struct diag_entry *copy = arena_take(&d->memory, sizeof *copy);
        *copy = *e;
        copy->next = NULL;
        copy->file = arena_copy(&d->memory, e->file);
        copy->path = arena_copy(&d->memory, e->path);
        copy->message = arena_copy(&d->memory, e->message);
        copy->note = arena_copy(&d->memory, note);
        copy->times = 1;
        append(d, copy);
    }
}

void diag_join(struct diag *d, const struct diag *from, const char *note)
{
    enum { ENOUGH = 200 };
    for (const struct diag_entry *e = from->first; e && d->errors < ENOUGH; e = e->next) {
        if (!e->warning) {
            take_over(d, e, note);
        }
    }
}

void diag_drop_notes(struct diag *d, size_t times)
{
    for (struct diag_entry *e = d->first; e; e = e->next) {
        e->note = e->times >= times ? NULL : e->note;
    }
}

void diag_share_warnings(struct diag *d, const struct diag *from, bool first)
{
    for (const struct diag_entry *e = from->first; e && first; e = e->next) {
        if (e->warning) {
            take_over(d, e, "");
        }
    }
    struct diag kept = {.memory = d->memory};
    for (struct diag_entry *e = d->first, *next; e; e = next) {
        next = e->next;
        e->next = NULL;
        if (!e->warning || first || find(from, e)) {
            append(&kept, e);
        }
    }
    *d = kept;
}

static int by_place(const void *a, const void *b)
{
    const struct diag_entry *x = *(const struct diag_entry *const *)a;
    const struct diag_entry *y = *(const struct diag_entry *const *)b;
    int files = strcmp(x->file, y->file);
    if (files) {
        return files;
    }
    if (x->line != y->line) {
        return x->line < y->line ? -1 : 1;
    }
    if (x->column != y->column) {
        return x->column < y->column ? -1 : 1;
    }
    return x->order < y->order ? -1 : x->order > y->order;
}

/* Quoted scalars may hold any character; those that would drive the terminal are written out. */
static void put_safely(const char *text, FILE *out)
{
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '\n') {
            fputs("\\n", out);
        } else if (c < 0x20 || c == 0x7f) {
            fprintf(out, "\\x%02x", c);
        } else {
            putc(c, out);
        }
    }
}

static void print_entry(const struct diag_entry *e, FILE *out)
{
    if (e->file[0]) {
        put_safely(e->file, out);
        if (e->line > 0) {
            fprintf(out, ":%d:%d", e->line, e->column);
        }
        fputs(": ", out);
    }
    if (e->warning) {
        fputs("warning: ", out);
    }
    if (e->path[0]) {
        put_safely(e->path, out);
        fputs(": ", out);
    }
    put_safely(e->message, out);
    put_safely(e->note ? e->note : "", out);
    putc('\n', out);
}

void diag_print(const struct diag *d, FILE *out, size_t most)
{
    size_t n = 0;
    const struct diag_entry **entries = calloc(d->errors + d->warnings + 1, sizeof *entries);
    CHECK(entries, "out of memory (%zu messages)", d->errors + d->warnings);
    for (const struct diag_entry *e = d->first; e; e = e->next) {
        entries[n++] = e;
    }
    qsort(entries, n, sizeof *entries, by_place);
    size_t shown = 0;
    for (size_t i = 0; i < n; i++) {
        if (entries[i]->warning) {
            print_entry(entries[i], out);
        } else if (most == 0 || shown < most) {
            print_entry(entries[i], out);
            shown++;
        }
    }
    if (shown < d->errors) {
        size_t left = d->errors - shown;
        fprintf(out, "... and %zu more error%s\n", left, left == 1 ? "" : "s");
    }
    free(entries);
}

/* Writes one step of a path to `to`, unless that is NULL, and returns its length. */
static size_t put_step(const struct node *n, char *to)
{
    char index[16];
    if (n->key) {
        size_t length = strlen(n->key);
        bool dot = n->parent->parent;
        if (to) {
            memcpy(to + dot, n->key, length);
            to[0] = dot ? '.' : to[0];
        }
        return length + dot;
    }
    int length = snprintf(index, sizeof index, "[%u]", (unsigned)n->index);
    if (to) {
        memcpy(to, index, (size_t)length);
    }
    return (size_t)length;
}

const char *diag_path(struct arena *arena, const struct node *at)
{
    size_t size = 0;
    for (const struct node *n = at; n->parent; n = n->parent) {
        size += put_step(n, NULL);
    }
    char *text = arena_take(arena, size + 1);
    for (const struct node *n = at; n->parent; n = n->parent) {
        size -= put_step(n, NULL);
        put_step(n, text + size);
    }
    return text;
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Letters inserted, left out, replaced, or swapped with their neighbour. */
static size_t edit_distance(const char *a, size_t na, const char *b, size_t nb)
{
    size_t rows[3][LONGEST_NAME + 1];
    size_t *before = rows[0], *above = rows[1], *row = rows[2];
    for (size_t j = 0; j <= nb; j++) {
        above[j] = before[j] = j;
    }
    for (size_t i = 1; i <= na; i++) {
        row[0] = i;
        for (size_t j = 1; j <= nb; j++) {
            row[j] = least(above[j], row[j - 1]) + 1;
            row[j] = least(row[j], above[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
                row[j] = least(row[j], before[j - 2] + 1);
            }
        }
        size_t *oldest = before;
        before = above;
        above = row;
        row = oldest;
    }
    return above[nb];
}

/* The only candidate that begins with `name`, which has at least three letters. */
static const char *only_longer(const char *name, size_t length, const char *const *names)
{
    const char *found = NULL;
    for (; length >= 3 && *names; names++) {
        if (strncasecmp(name, *names, length) == 0) {
            if (found) {
                return NULL;
            }
            found = *names;
        }
    }
    return found;
}

const char *diag_nearest(const char *name, const char *const *names)
{
    size_t length = strlen(name);
    if (length > LONGEST_NAME) {
        return NULL;
    }
    for (const char *const *n = names; *n; n++) {
        if (strcasecmp(name, *n) == 0) {
            return *n;
        }
    }
    const char *const *all = names;
    size_t allowed = length / 3 > 2 ? length / 3 : 2;
    const char *best = NULL;
    size_t best_distance = SIZE_MAX;
    for (; *names; names++) {
        size_t other = strlen(*names);
        if (other > LONGEST_NAME) {
            continue;
        }
        /* Something of the shorter name has to remain, or every short name would be near. */
        size_t distance = edit_distance(name, length, *names, other);
        if (distance <= allowed && distance < least(length, other) && distance < best_distance) {
            best = *names;
            best_distance = distance;
        }
    }
    return best ? best : only_longer(name, length, all);
}
