/* SPDX-License-Identifier: Apache-2.0 */
#include "model/patch.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"

/* A text by lines, newlines included. */
struct lines {
    const char **at; /* owned; n + 1 of them: the last is the end of the text */
    size_t n;
};

static struct lines lines_of(const char *text)
{
    struct lines l = {NULL, 0};
    for (const char *p = strchr(text, '\n'); p; p = strchr(p + 1, '\n')) {
        l.n++;
    }
    l.at = malloc((l.n + 1) * sizeof *l.at);
    CHECK(l.at, "out of memory for %zu lines", l.n);
    for (size_t i = 0; i < l.n; i++) {
        l.at[i] = text;
        text = strchr(text, '\n') + 1;
    }
    l.at[l.n] = text;
    return l;
}

static bool same(const struct lines *a, size_t i, const struct lines *b, size_t k)
{
    size_t length = (size_t)(a->at[i + 1] - a->at[i]);
    return length == (size_t)(b->at[k + 1] - b->at[k]) && memcmp(a->at[i], b->at[k], length) == 0;
}

static void put_piece(FILE *out, size_t first, size_t old, const struct lines *b, size_t from,
                      size_t n)
{
    fprintf(out, "@%zu %zu %zu\n", first, old, n);
    fwrite(b->at[from], 1, (size_t)(b->at[from + n] - b->at[from]), out);
}

/* Lines `first` up to the ends; with as many on both sides they are compared one by one, else they
 * are one piece: a value that takes more lines elsewhere is rare in a sweep. */
static void put_middle(FILE *out, const struct lines *a, size_t first, size_t a_end,
                       const struct lines *b, size_t b_end)
{
    if (a_end != b_end) {
        put_piece(out, first, a_end - first, b, first, b_end - first);
        return;
    }
    for (size_t i = first, k; i < a_end; i = k + 1) {
        for (k = i; k < a_end && !same(a, k, b, k); k++) {}
        if (k > i) {
            put_piece(out, i, k - i, b, i, k - i);
        }
    }
}

const char *patch_make(const char *before, const char *after, struct arena *arena)
{
    struct lines a = lines_of(before), b = lines_of(after);
    size_t first = 0, a_end = a.n, b_end = b.n;
    while (first < a_end && first < b_end && same(&a, first, &b, first)) {
        first++;
    }
    while (a_end > first && b_end > first && same(&a, a_end - 1, &b, b_end - 1)) {
        a_end--;
        b_end--;
    }
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    CHECK(out, "out of memory");
    if (first < a_end || first < b_end) {
        put_middle(out, &a, first, a_end, &b, b_end);
    }
    CHECK(fclose(out) == 0, "out of memory");
    const char *copy = arena_text(arena, text, size);
    free(text);
    free(a.at);
    free(b.at);
    return copy;
}

/* Takes one piece off `*patch`; `*done` lines of `a` have been dealt with before. */
static bool apply_piece(FILE *out, const struct lines *a, size_t *done, const char **patch)
{
    size_t first, old, n;
    int length = 0;
    if (sscanf(*patch, "@%zu %zu %zu%n", &first, &old, &n, &length) != 3 ||
        (*patch)[length] != '\n' || first < *done || first > a->n || old > a->n - first) {
        return false;
    }
    fwrite(a->at[*done], 1, (size_t)(a->at[first] - a->at[*done]), out);
    *done = first + old;
    const char *p = *patch + length + 1, *end = p;
    for (size_t i = 0; i < n; i++) {
        end = strchr(end, '\n');
        if (!end) {
            return false;
        }
        end++;
    }
    fwrite(p, 1, (size_t)(end - p), out);
    *patch = end;
    return true;
}

const char *patch_apply(const char *before, const char *patch, struct arena *arena)
{
    struct lines a = lines_of(before);
    char *text = NULL;
    size_t size, done = 0;
    FILE *out = open_memstream(&text, &size);
    CHECK(out, "out of memory");
    bool good = true;
    while (good && *patch) {
        good = apply_piece(out, &a, &done, &patch);
    }
    fwrite(a.at[done], 1, (size_t)(a.at[a.n] - a.at[done]), out);
    CHECK(fclose(out) == 0, "out of memory");
    const char *copy = good ? arena_text(arena, text, size) : NULL;
    free(text);
    free(a.at);
    return copy;
}
