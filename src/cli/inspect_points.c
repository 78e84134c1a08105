/* SPDX-License-Identifier: Apache-2.0
 *
 * The points of a sweep: which of them are asked for, and what they have on the axes.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/diag.h"
#include "cli/inspect.h"
#include "model/axis.h"

enum { FEW = 6, TEXT_WIDTH = 24 }; /* values of an axis that are listed; characters of one */

const char *inspect_axis_name(const struct results *r, uint32_t axis)
{
    const char *path = r->axes[axis].path, *name = path + strlen(path);
    for (bool unique = false; !unique && name > path;) {
        do {
            name--;
        } while (name > path && name[-1] != '.');
        unique = true;
        for (uint32_t a = 0; a < r->n_axes; a++) {
            size_t n = strlen(r->axes[a].path), tail = strlen(name);
            unique =
                unique && (a == axis || n < tail || strcmp(r->axes[a].path + n - tail, name) != 0 ||
                           (n > tail && r->axes[a].path[n - tail - 1] != '.'));
        }
    }
    return name;
}

/* At most so many characters. */
static const char *cut(const char *text, struct arena *arena)
{
    size_t characters = 0, bytes = 0;
    for (; text[bytes]; bytes++) {
        bool begins = ((unsigned char)text[bytes] & 0xC0) != 0x80;
        if (begins && ++characters == TEXT_WIDTH) {
            break;
        }
    }
    return text[bytes] && text[bytes + 1] ? arena_format(arena, "%.*s…", (int)bytes, text) : text;
}

const char *inspect_axis_value(const struct results *r, uint32_t axis, uint64_t point,
                               struct arena *arena)
{
    const struct results_axis *a = &r->axes[axis];
    return a->numbers ? arena_copy(arena, axis_write(a->numbers[point], a->unit).text)
                      : cut(a->texts[point], arena);
}

const char *inspect_point_name(const struct results *r, uint64_t point, struct arena *arena)
{
    const char *name = "";
    for (uint32_t a = 0; a < r->n_axes; a++) {
        name = arena_format(arena, "%s%s%s=%s", name, a > 0 ? ", " : "", r->axes[a].path,
                            inspect_axis_value(r, a, point, arena));
    }
    return name;
}

/* --- which axes there are ----------------------------------------------------------------- */

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int by_number(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The least, the largest and the number of different ones. */
static const char *numbers_text(const struct results_axis *a, uint64_t n, struct arena *arena)
{
    double *sorted = arena_take(arena, n * sizeof *sorted);
    memcpy(sorted, a->numbers, n * sizeof *sorted);
    qsort(sorted, n, sizeof *sorted, by_number);
    uint64_t different = 0;
    for (uint64_t i = 0; i < n; i++) {
        if (i == 0 || sorted[i] != sorted[different - 1]) {
            sorted[different++] = sorted[i];
        }
    }
    const char *list = "";
    for (uint64_t i = 0; i < different && different <= FEW; i++) {
        list = arena_format(arena, "%s%s%s", list, i > 0 ? ", " : "",
                            axis_write(sorted[i], a->unit).text);
    }
    return different <= FEW ? list
                            : arena_format(arena, "%" PRIu64 " values from %s to %s", different,
                                           axis_write(sorted[0], a->unit).text,
                                           axis_write(sorted[different - 1], a->unit).text);
}

/* Those that are different, in the order of their points. */
static const char *texts_text(const struct results_axis *a, uint64_t n, struct arena *arena)
{
    const char **sorted = arena_take(arena, n * sizeof *sorted), *list = "";
    memcpy(sorted, a->texts, n * sizeof *sorted);
    qsort(sorted, n, sizeof *sorted, by_text);
    uint64_t different = 0;
    for (uint64_t i = 0; i < n; i++) {
        different += i == 0 || strcmp(sorted[i], sorted[i - 1]) != 0;
    }
    if (different > FEW) {
        return arena_format(arena, "%" PRIu64 " values", different);
    }
    const char *listed[FEW];
    for (uint64_t i = 0, k = 0; i < n && k < different; i++) {
        uint64_t j = 0;
        while (j < k && strcmp(listed[j], a->texts[i]) != 0) {
            j++;
        }
        if (j == k) {
            listed[k++] = a->texts[i];
            list = arena_format(arena, "%s%s%s", list, k > 1 ? ", " : "", cut(a->texts[i], arena));
        }
    }
    return list;
}

static const char *values_text(const struct results *r, uint32_t axis, struct arena *arena)
{
    const struct results_axis *a = &r->axes[axis];
    return (a->numbers ? numbers_text : texts_text)(a, r->meta.n_points, arena);
}

void inspect_print_axes(const struct results *r)
{
    const char *label = "axes";
    for (uint32_t a = 0; a < r->n_axes; a++, label = "") {
        struct arena memory = {0};
        printf("  %-14s%s: %s\n", label, r->axes[a].path, values_text(r, a, &memory));
        arena_close(&memory);
    }
}

/* --- which points are asked for ----------------------------------------------------------- */

static bool refuse(const char *path, const char *reason)
{
    fprintf(stderr, "squall: %s %s\n", path, reason);
    return false;
}

bool inspect_find_point(const struct results *r, const char *path, uint64_t number, uint64_t *place)
{
    uint64_t n = r->meta.n_points;
    for (*place = 0; *place < n; ++*place) {
        if (r->points[*place] == number) {
            return true;
        }
    }
    fprintf(stderr, "squall: %s has no point %" PRIu64 "; its points are %" PRIu64 " to %" PRIu64,
            path, number, r->points[0], r->points[n - 1]);
    fputs(r->points[n - 1] >= n ? ", of which some were not run\n" : "\n", stderr);
    return false;
}

/* The axis of this path, or of the end of one that no other has. */
static bool find_axis(const struct results *r, const char *name, uint32_t *axis)
{
    for (*axis = 0; *axis < r->n_axes; ++*axis) {
        if (strcmp(r->axes[*axis].path, name) == 0) {
            return true;
        }
    }
    for (*axis = 0; *axis < r->n_axes; ++*axis) {
        const char *shortest = inspect_axis_name(r, *axis);
        size_t n = strlen(r->axes[*axis].path), tail = strlen(name);
        bool ends = tail >= strlen(shortest) && n > tail &&
                    strcmp(r->axes[*axis].path + n - tail, name) == 0 &&
                    r->axes[*axis].path[n - tail - 1] == '.';
        if (ends) {
            return true;
        }
    }
    return false;
}

static bool no_axis(const struct results *r, const char *path, const char *name,
                    struct arena *arena)
{
    const char **known = arena_take(arena, ((size_t)r->n_axes + 1) * sizeof *known);
    for (uint32_t a = 0; a < r->n_axes; a++) {
        known[a] = r->axes[a].path;
    }
    const char *near = diag_nearest(name, known);
    return refuse(path,
                  r->n_axes == 0 ? "has no axes: nothing was swept"
                  : near ? arena_format(arena, "has no axis '%s' (did you mean '%s'?)", name, near)
                         : arena_format(arena, "has no axis '%s' (it has %s%s)", name, known[0],
                                        r->n_axes > 1 ? " and others" : ""));
}

/* The same value, or failing that one which is shown alike. */
static bool is_near(double value, double wanted, const char *unit, bool alike)
{
    return alike ? strcmp(axis_write(value, unit).text, axis_write(wanted, unit).text) == 0
                 : fabs(value - wanted) <= 1e-9 * fabs(wanted);
}

/* Leaves chosen what has this value, and says how many do. */
static uint64_t keep(const struct results *r, uint32_t axis, const char *text, double number,
                     bool alike, bool *chosen)
{
    const struct results_axis *a = &r->axes[axis];
    uint64_t kept = 0;
    for (int go = 0; go < 2; go++) {
        for (uint64_t p = 0; p < r->meta.n_points; p++) {
            bool same = a->numbers ? is_near(a->numbers[p], number, a->unit, alike)
                                   : strcmp(a->texts[p], text) == 0;
            if (go == 0) {
                kept += same;
            } else if (kept > 0) {
                chosen[p] = chosen[p] && same;
            }
        }
    }
    return kept;
}

static bool choose_where(const struct results *r, const char *path, const char *where,
                         struct arena *arena, bool *chosen)
{
    const char *equals = strchr(where, '=');
    const char *name = arena_text(arena, where, (size_t)(equals - where)), *text = equals + 1;
    uint32_t axis;
    if (!find_axis(r, name, &axis)) {
        return no_axis(r, path, name, arena);
    }
    const struct results_axis *a = &r->axes[axis];
    double number = 0.0;
    const char *wrong = a->numbers ? axis_read_number(text, a->unit, arena, &number) : NULL;
    if (wrong) {
        return refuse(path, arena_format(arena, "is asked for %s: %s", where, wrong));
    }
    return keep(r, axis, text, number, false, chosen) > 0 ||
           (a->numbers && keep(r, axis, text, number, true, chosen) > 0) ||
           refuse(path, arena_format(arena, "has no point where %s=%s (there are %s)", a->path,
                                     text, values_text(r, axis, arena)));
}

bool inspect_choose(const struct inspect_options *o, const char *path, const struct results *r,
                    bool *chosen, uint64_t *n)
{
    struct arena memory = {0};
    bool ok = true;
    uint64_t place = 0;
    if (o->has_point) {
        ok = inspect_find_point(r, path, o->point, &place);
    }
    for (uint64_t p = 0; p < r->meta.n_points; p++) {
        chosen[p] = !o->has_point || p == place;
    }
    for (size_t i = 0; i < o->n_wheres; i++) {
        ok = choose_where(r, path, o->wheres[i], &memory, chosen) && ok;
    }
    *n = 0;
    for (uint64_t p = 0; p < r->meta.n_points; p++) {
        *n += chosen[p];
    }
    if (ok && *n == 0) {
        ok = refuse(path, "has no point of which all of that holds");
    }
    arena_close(&memory);
    return ok;
}
