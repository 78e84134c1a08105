/* SPDX-License-Identifier: Apache-2.0
 *
 * Which points of two files are compared, and all their statistics, side by side.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "cli/compare.h"
#include "results/layout.h"

/* --- points --------------------------------------------------------------------------------- */

static const struct results_meta *meta(const struct comparison *c, int file)
{
    return &c->view[file].results.meta;
}

bool compare_alike(const struct comparison *c)
{
    return strcmp(c->view[FILE_A].results.digest, c->view[FILE_B].results.digest) == 0;
}

/* In the plan, of the point at a place in the file. */
static uint64_t number_of(const struct comparison *c, int file, uint64_t place)
{
    return c->view[file].results.points[place];
}

/* Why replications of the same number do not draw the same; NULL: they do. */
static const char *difference_of_chance(struct comparison *c, const struct match *m)
{
    const struct design *a = &c->design[FILE_A], *b = &c->design[FILE_B];
    if (meta(c, FILE_A)->seed != meta(c, FILE_B)->seed) {
        return arena_format(&c->memory, "their seeds differ (%" PRIu64 " and %" PRIu64 ")",
                            meta(c, FILE_A)->seed, meta(c, FILE_B)->seed);
    }
    if (a->pairs != b->pairs) {
        return "only one has antithetic replications";
    }
    if (a->independent != b->independent) {
        return "only in one of them the seeds of points are independent";
    }
    bool same = number_of(c, FILE_A, m->point[FILE_A]) == number_of(c, FILE_B, m->point[FILE_B]);
    return a->independent && !same ? "each point has a seed of its own" : NULL;
}

static void add_match(struct comparison *c, uint64_t a, uint64_t b)
{
    struct match *m = &c->matches[c->n_matches++];
    *m = (struct match){.point = {a, b},
                        .where = {inspect_point_name(&c->view[FILE_A].results, a, &c->memory),
                                  inspect_point_name(&c->view[FILE_B].results, b, &c->memory)}};
    m->why = difference_of_chance(c, m);
    m->paired = !m->why;
}

static bool find_point(const struct comparison *c, int file, const uint64_t *number,
                       uint64_t *place)
{
    const struct view *v = &c->view[file];
    return inspect_find_point(&v->results, v->path, number[file], &place[file]);
}

/* "3", or "3:5"; false: it is something else, or there are no such points, and it is told. */
static bool match_named(struct comparison *c)
{
    uint64_t number[FILES], place[FILES];
    const char *text = c->options->point, *second = strchr(text, ':');
    char *end;
    number[FILE_A] = number[FILE_B] = strtoull(text, &end, 10);
    bool right = end != text && (*end == '\0' || end == second);
    if (right && second) {
        number[FILE_B] = strtoull(++second, &end, 10);
        right = end != second && *end == '\0';
    }
    right = right && number[FILE_A] < UINT64_MAX && number[FILE_B] < UINT64_MAX;
    if (!right || strpbrk(text, "+- ")) {
        fprintf(stderr, "squall: --point takes the number of a point, or two as in 3:5, not '%s'\n",
                text);
        return false;
    }
    if (!find_point(c, FILE_A, number, place)) {
        return false;
    }
    if (second) {
        bool found = find_point(c, FILE_B, number, place);
        if (found) {
            add_match(c, place[FILE_A], place[FILE_B]);
        }
        return found;
    }
    for (size_t i = 0; i < c->n_matches; i++) {
        if (c->matches[i].point[FILE_A] == place[FILE_A]) {
            c->matches[0] = c->matches[i];
            c->n_matches = 1;
            return true;
        }
    }
    fprintf(stderr, "squall: %s has no point like it; --point %" PRIu64 ":M takes its point M\n",
            c->view[FILE_B].path, number[FILE_A]);
    return false;
}

/* A point, by what it has on the axes. */
struct place {
    const char *key;
    uint64_t at;
};

/* Points of a design may be equal: those keep their order. */
static int by_key(const void *a, const void *b)
{
    const struct place *x = a, *y = b;
    int order = strcmp(x->key, y->key);
    return order ? order : (x->at > y->at) - (x->at < y->at);
}

static int by_point(const void *a, const void *b)
{
    const struct match *x = a, *y = b;
    return (x->point[FILE_A] > y->point[FILE_A]) - (x->point[FILE_A] < y->point[FILE_A]);
}

static int by_path(const void *a, const void *b)
{
    return strcmp((*(const struct results_axis *const *)a)->path,
                  (*(const struct results_axis *const *)b)->path);
}

/* Keys are the same iff all values are, to the bit, on axes of the same paths in any order. */
static struct place *place_points(struct comparison *c, int file)
{
    const struct results *r = &c->view[file].results;
    uint64_t n = r->meta.n_points;
    struct place *places = arena_take(&c->memory, n * sizeof *places);
    const struct results_axis **axes = arena_take(&c->memory, r->n_axes * sizeof *axes);
    for (uint32_t a = 0; a < r->n_axes; a++) {
        axes[a] = &r->axes[a];
    }
    qsort(axes, r->n_axes, sizeof *axes, by_path);
    for (uint64_t p = 0; p < n; p++) {
        struct arena scratch = {0};
        const char *key = "";
        for (uint32_t a = 0; a < r->n_axes; a++) {
            const char *text = axes[a]->numbers
                                   ? arena_format(&scratch, "%.17g", axes[a]->numbers[p])
                                   : axes[a]->texts[p];
            key = arena_format(&scratch, "%s%s=%s\n", key, axes[a]->path, text);
        }
        places[p] = (struct place){arena_copy(&c->memory, key), p};
        arena_close(&scratch);
    }
    return places;
}

/* By their values on the axes, equal ones in their order; points without axes by their places. */
static void match_all(struct comparison *c)
{
    uint64_t n[FILES], at[FILES] = {0, 0};
    struct place *places[FILES];
    for (int f = 0; f < FILES; f++) {
        n[f] = meta(c, f)->n_points;
        places[f] = place_points(c, f);
        qsort(places[f], n[f], sizeof *places[f], by_key);
    }
    while (at[FILE_A] < n[FILE_A] && at[FILE_B] < n[FILE_B]) {
        const struct place *a = &places[FILE_A][at[FILE_A]], *b = &places[FILE_B][at[FILE_B]];
        int order = strcmp(a->key, b->key);
        if (order == 0) {
            add_match(c, a->at, b->at);
        }
        at[FILE_A] += order <= 0;
        at[FILE_B] += order >= 0;
    }
    qsort(c->matches, c->n_matches, sizeof *c->matches, by_point);
    for (int f = 0; f < FILES; f++) {
        c->unmatched[f] = n[f] - c->n_matches;
    }
}

bool compare_match(struct comparison *c)
{
    c->matches = arena_take(&c->memory, (meta(c, FILE_A)->n_points + 1) * sizeof *c->matches);
    if (!c->options->point || !strchr(c->options->point, ':')) {
        match_all(c);
    }
    if (c->options->point) {
        c->unmatched[FILE_A] = c->unmatched[FILE_B] = 0; /* nobody asks for the others */
        return match_named(c);
    }
    if (c->n_matches == 0) {
        fprintf(
            stderr,
            "squall: the points of %s and %s have nothing in common on the axes of their sweeps; "
            "--point N:M compares point N of the first with point M of the second\n",
            c->view[FILE_A].path, c->view[FILE_B].path);
    }
    return c->n_matches > 0;
}

/* --- statistics ----------------------------------------------------------------------------- */

/* What is being read. */
struct reading {
    struct comparison *c;
    size_t match;
    struct pairing pairing;
    struct lot lot[FILES];
    bool even; /* all replications are observed for as long */
};

/* The replications of both files that are set against each other. Where that is by number, what
 * only one file has is left out of everything. */
static bool read_runs(struct reading *r)
{
    struct view *view = r->c->view;
    struct match *m = &r->c->matches[r->match];
    double length = 0.0;
    r->even = true;
    for (int f = 0; f < FILES; f++) {
        view[f].point = m->point[f];
        if (!inspect_read_runs(&view[f])) {
            return false;
        }
        m->n_ok[f] = view[f].n_ok;
        r->pairing.n[f] = view[f].results.meta.n_replications;
        r->pairing.antithetic[f] = view[f].pairs;
    }
    r->pairing.paired = m->paired;
    for (int f = 0; m->paired && f < FILES; f++) {
        for (uint64_t i = 0; i < r->pairing.n[f]; i++) {
            if (i >= r->pairing.n[!f] || !(view[!f].observed[i] > 0.0)) {
                view[f].observed[i] = 0.0;
            }
        }
        inspect_count_runs(&view[f]);
    }
    if (m->paired) {
        uint64_t n = r->pairing.n[r->pairing.n[FILE_B] < r->pairing.n[FILE_A]];
        r->pairing.n[FILE_A] = r->pairing.n[FILE_B] = n;
    }
    for (int f = 0; f < FILES; f++) {
        for (uint64_t i = 0; i < r->pairing.n[f]; i++) {
            double observed = view[f].observed[i];
            length = length > 0.0 ? length : observed;
            r->even = r->even && (observed == length || observed == 0.0);
        }
    }
    m->n = view[FILE_A].n_ok < view[FILE_B].n_ok ? view[FILE_A].n_ok : view[FILE_B].n_ok;
    return true;
}

/* A statistic while it is told apart by what is measured of it. */
struct subject {
    const struct stat_spec *row;
    const char *peer; /* NULL: no breakdown */
    unsigned status;
    bool zero;
};

static const char *label_of(struct reading *r, const struct subject *s, const char *measure)
{
    const char *group = r->lot[FILE_A].name, *key = "";
    struct arena *a = &r->c->memory;
    if (s->peer) {
        char word[64];
        layout_status(s->status, word, sizeof word);
        key = word[0] ? arena_format(a, "[%s %s]", s->peer, word)
                      : arena_format(a, "[%s %u]", s->peer, s->status);
    }
    bool plain = s->row->kind <= STAT_GAUGE && strcmp(measure, "mean") == 0;
    return arena_format(a, "%s.%s%s%s%s", group, s->row->name, key, plain ? "" : ".",
                        plain ? "" : measure);
}

static void add_contrast(struct reading *r, const struct subject *s, const struct figure *a,
                         const struct figure *b)
{
    struct comparison *c = r->c;
    const struct figure *any = a ? a : b;
    if (c->n == c->room) {
        c->room = c->room ? 2 * c->room : 256;
        c->contrasts = realloc(c->contrasts, c->room * sizeof *c->contrasts);
        CHECK(c->contrasts, "out of memory for a comparison");
    }
    struct contrast *to = &c->contrasts[c->n++];
    *to = (struct contrast){.match = r->match,
                            .label = label_of(r, s, any->measure),
                            .group = r->lot[FILE_A].name,
                            .statistic = s->row->name,
                            .measure = any->measure,
                            .unit = arena_copy(&c->memory, any->unit),
                            .peer = s->peer,
                            .status = s->status,
                            .zero = s->zero};
    compare_figures(a, b, &r->pairing, c->options->inspect.confidence, to);
}

/* Of the figures of an entry, those that can be compared. The least value is left out: it says
 * little, and nothing of how it would come out again. */
static void add_entry(struct reading *r, const struct subject *s, const struct entry *a,
                      const struct entry *b)
{
    const struct entry *any = a ? a : b;
    for (size_t i = 0; i < any->n; i++) {
        bool counter = s->row->kind == STAT_COUNTER, gauge = s->row->kind == STAT_GAUGE;
        if (counter ? i == (r->even ? FIGURE_RATE : FIGURE_NUMBER) : !gauge && i == FIGURE_MIN) {
            continue;
        }
        add_contrast(r, s, a ? &a->figures[i] : NULL, b ? &b->figures[i] : NULL);
    }
}

/* A key that a file has no values of: none in each replication that counts. */
static struct figure no_values(struct view *v, const struct figure *like)
{
    uint64_t n = v->results.meta.n_replications;
    double *values = arena_take(&v->lot, n * sizeof *values);
    for (uint64_t i = 0; i < n; i++) {
        values[i] = v->observed[i] > 0.0 ? 0.0 : NAN;
    }
    return (struct figure){.measure = like->measure, .unit = like->unit, .values = values};
}

static const struct part *find_part(const struct view *of, const struct part *part,
                                    const struct view *v, const struct entry *e)
{
    const char *peer = of->results.groups[part->key.group];
    for (const struct part *p = e->parts; p < e->parts + e->n_parts; p++) {
        if (p->key.status == part->key.status &&
            strcmp(v->results.groups[p->key.group], peer) == 0) {
            return p;
        }
    }
    return NULL;
}

/* Keys of the breakdown of one file, each with that of the other; of those that both have, only
 * the first file's. A breakdown without any keys may not have been kept at all. */
static void add_parts(struct reading *r, const struct stat_spec *row, struct entry *entries,
                      int file)
{
    struct view *view = r->c->view;
    const struct entry *e = &entries[file];
    for (const struct part *p = e->parts; p < e->parts + e->n_parts; p++) {
        const struct part *other = find_part(&view[file], p, &view[!file], &entries[!file]);
        struct subject s = {
            .row = row, .peer = view[file].results.groups[p->key.group], .status = p->key.status};
        if (other && file == FILE_A) {
            add_entry(r, &s, &p->values, &other->values);
        } else if (!other) {
            const struct figure *mine = &p->values.figures[FIGURE_COUNT];
            struct figure none = no_values(&view[!file], mine);
            const struct figure *theirs = entries[!file].n_parts > 0 ? &none : NULL;
            add_contrast(r, &s, file == FILE_A ? mine : theirs, file == FILE_A ? theirs : mine);
        }
    }
}

/* A row that both files have, or only one. */
static bool read_row(struct reading *r, const struct stat_spec *const *row)
{
    struct entry entries[FILES] = {{.row = row[FILE_A]}, {.row = row[FILE_B]}};
    struct subject s = {.row = row[FILE_A] ? row[FILE_A] : row[FILE_B], .zero = true};
    for (int f = 0; f < FILES; f++) {
        if (row[f] && !inspect_read(&r->c->view[f], &r->lot[f], &entries[f])) {
            return false;
        }
        s.zero = s.zero && (!row[f] || entries[f].zero);
    }
    if (s.row->kind == STAT_BREAKDOWN) {
        for (int f = 0; f < FILES; f++) {
            add_parts(r, s.row, entries, f);
        }
    } else {
        add_entry(r, &s, row[FILE_A] ? &entries[FILE_A] : NULL,
                  row[FILE_B] ? &entries[FILE_B] : NULL);
    }
    return true;
}

static const struct stat_spec *same_row(const struct results_type *t, const struct stat_spec *row)
{
    const struct stat_spec *found = results_find_row(t, row->name);
    return found && found->kind == row->kind && strcmp(found->unit, row->unit) == 0 ? found : NULL;
}

static bool read_lot(struct reading *r)
{
    bool ok = true;
    for (int f = 0; ok && f < FILES; f++) {
        const struct results_type *mine = r->lot[f].type, *other = r->lot[!f].type;
        for (uint32_t i = 0; ok && i < mine->n_rows; i++) {
            const struct stat_spec *row[FILES];
            row[f] = &mine->rows[i];
            row[!f] = same_row(other, row[f]);
            if (f == FILE_A || !row[!f]) {
                ok = read_row(r, row);
            }
        }
    }
    arena_close(&r->c->view[FILE_A].lot);
    arena_close(&r->c->view[FILE_B].lot);
    return ok;
}

/* The lot of `file` that is called like one of the other, and is of the same type. */
static bool find_lot(struct reading *r, int file, const struct lot *like)
{
    struct comparison *c = r->c;
    struct lot *lot = &r->lot[file];
    *lot = (struct lot){.type = results_find_type(&c->view[file].results, like->type->name)};
    while (lot->type && inspect_next_lot(&c->options->inspect, lot)) {
        if (strcmp(lot->name, like->name) == 0) {
            return true;
        }
    }
    return false;
}

static void note_entity(struct reading *r, int file, bool other)
{
    struct comparison *c = r->c;
    const struct lot *lot = r->lot;
    if (r->match > 0) {
        return; /* all points have the same */
    }
    if (!other) {
        c->entities = arena_format(&c->memory, "%sonly in %c: %s (%s)\n", c->entities, 'A' + file,
                                   lot[file].name, lot[file].type->name);
    } else if (lot[FILE_A].range.count != lot[FILE_B].range.count) {
        c->entities = arena_format(
            &c->memory, "%s%s: %" PRIu64 " instances in A, %" PRIu64 " in B\n", c->entities,
            lot[FILE_A].name, lot[FILE_A].range.count, lot[FILE_B].range.count);
    }
}

bool compare_read(struct comparison *c, size_t match)
{
    const struct inspect_options *o = &c->options->inspect;
    struct reading r = {.c = c, .match = match};
    bool ok = read_runs(&r);
    bool any = ok && c->matches[match].n > 0;
    for (int f = 0; f < FILES; f++) {
        const struct results *results = &c->view[f].results;
        for (uint32_t i = 0; i < results->n_types; i++) {
            struct lot lot = {.type = &results->types[i]};
            if (o->type && strcmp(o->type, lot.type->name) != 0) {
                continue;
            }
            while (ok && inspect_next_lot(o, &lot)) {
                r.lot[f] = lot;
                bool other = find_lot(&r, !f, &lot);
                if (f == FILE_A || !other) {
                    note_entity(&r, f, other);
                }
                ok = !(any && other && f == FILE_A) || read_lot(&r);
            }
        }
    }
    return ok;
}
