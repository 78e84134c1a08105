/* SPDX-License-Identifier: Apache-2.0 */
#include "model/axis.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/simtime.h"
#include "base/units.h"
#include "config/bind.h"
#include "config/dump.h"
#include "rng/exactmath.h"

/* Digits of values between the ends of a range behind the first one. */
enum { MORE_DIGITS = 11 };

/* Longest duration at the end of a range [ns]. */
#define LONGEST 1e18

/* Quantities. */

static const char duration[] = "ns", plain[] = "1"; /* as base/units.h calls them */

static bool begins_number(const char *text)
{
    return text && text[0] && strchr("+-.0123456789", text[0]);
}

/* Reads a number of the quantity; durations as [ns]. */
static bool read_number(const char *text, const char *quantity, double *value)
{
    struct arena scratch = {0};
    const char *reason;
    if (strcmp(quantity, duration) == 0) {
        sim_time time = 0;
        reason = units_read_duration(text, &scratch, &time);
        *value = (double)time;
    } else {
        reason = units_read_real(text, quantity, &scratch, value);
    }
    arena_close(&scratch);
    return !reason;
}

/* The quantity of the text; NULL when it is no number. A bare number may be of any. */
static const char *quantity_of(const char *text, bool *bare)
{
    double value;
    *bare = false;
    if (!begins_number(text)) {
        return NULL;
    }
    if (read_number(text, plain, &value)) {
        *bare = !strchr(text, '%');
        return plain;
    }
    for (size_t i = 0; units_known(i); i++) {
        if (*units_known(i) && read_number(text, units_known(i), &value)) {
            return units_known(i);
        }
    }
    return NULL;
}

static const char *unit_of(const char *quantity)
{
    return strcmp(quantity, duration) == 0 ? "s" : quantity;
}

/* From base/units.h's unit to that of an axis. */
static double in_unit(double value, const char *quantity)
{
    return strcmp(quantity, duration) == 0 ? value / (double)SIM_TIME_S : value;
}

/* Ranges. */

static void derive_range(void *params, const struct node *at, struct diag *d, struct arena *a);

static const char *const scale_words[] = {"linear", "log", NULL};

#define SPAN_ROWS(round_doc) \
    P_TEXT(range, from, NULL, \
           "One end: a number with a unit, as the key takes it; a bare number has that of the " \
           "other end."), \
        P_TEXT(range, to, NULL, "The other end."), \
        P_WORD(range, scale, scale_words, "linear", \
               "Whether the values lie evenly (linear), or their logarithms do (log)."), \
        P_BOOL(range, round, "false", round_doc)

static const struct param_spec range_rows[] = {
    SPAN_ROWS("Rounded to whole numbers."),
    P_COUNT(range, steps, NULL, 1, AXIS_MOST_VALUES,
            "How many values, the ends among them; of one, it is `from`. Those that are equal when "
            "rounded are one."),
    P_END};

const struct schema range_schema = {
    .name = "range",
    .summary = "Values from one end to the other. A value that is itself a mapping like that is "
               "written as a list of one.",
    .size = sizeof(struct range),
    .rows = range_rows,
    .derive = derive_range};

static const struct param_spec span_rows[] = {
    SPAN_ROWS("Only whole numbers, of which the ends are as likely as the others."), P_END};

const struct schema span_schema = {.name = "span",
                                   .summary = "Anything between two ends.",
                                   .size = sizeof(struct range),
                                   .rows = span_rows,
                                   .derive = derive_range};

/* Finds the quantity of both ends. */
static bool find_quantity(struct range *r, const struct node *from, const struct node *to,
                          struct diag *d, struct arena *a)
{
    const struct node *const ends[] = {from, to};
    const char *quantities[2];
    bool bare[2];
    for (int i = 0; i < 2; i++) {
        quantities[i] = quantity_of(ends[i]->text, &bare[i]);
        if (!quantities[i]) {
            diag_error(d, ends[i],
                       "%s is not a number (expected for instance 500/s, 20ms, 4KiB, 5%%)",
                       units_quote(ends[i]->text, a));
        }
    }
    if (!quantities[0] || !quantities[1]) {
        return false;
    }
    r->quantity = bare[0] ? quantities[1] : quantities[0];
    if (!bare[0] && !bare[1] && strcmp(quantities[0], quantities[1]) != 0) {
        diag_error(d, to, "%s is %s, but the other end, %s, is %s", units_quote(to->text, a),
                   units_noun(quantities[1]), units_quote(from->text, a),
                   units_noun(quantities[0]));
        return false;
    }
    return true;
}

static void derive_range(void *params, const struct node *at, struct diag *d, struct arena *a)
{
    struct range *r = params;
    const struct node *from = node_child(at, "from"), *to = node_child(at, "to");
    r->at = at;
    if (!find_quantity(r, from, to, d, a)) {
        return;
    }
    bool good = read_number(from->text, r->quantity, &r->first) &&
                read_number(to->text, r->quantity, &r->last);
    bool time = strcmp(r->quantity, duration) == 0;
    if (!good || (time && (fabs(r->first) > LONGEST || fabs(r->last) > LONGEST))) {
        diag_error(d, at, "the ends are too large");
    } else if (time && r->round) {
        diag_error(d, node_child(at, "round"), "durations are not whole numbers; leave it out");
    }
    if (r->round) {
        r->first = round(r->first) + 0.0; /* No "-0". */
        r->last = round(r->last) + 0.0;
    }
    if (r->scale == RANGE_LOG && !(r->first > 0.0 && r->last > 0.0)) {
        diag_error(d, node_child(at, "scale"), "logarithms need both ends above 0%s",
                   r->round ? " when they are rounded" : "");
    }
}

/* A number between the ends, in digits that a person would write. */
static double tidy(double value)
{
    char text[40];
    snprintf(text, sizeof text, "%.*e", MORE_DIGITS, value);
    return strtod(text, NULL); /* Both in the locale of the process. */
}

/* The number at `share` of the way from `first` to `last`. */
static double along(const struct range *r, double first, double last, double share)
{
    if (r->scale == RANGE_LOG) {
        return exact_exp(exact_log(first) * (1 - share) + exact_log(last) * share);
    }
    return first * (1 - share) + last * share;
}

static const struct node *make_node(const struct range *r, double value, struct arena *arena,
                                    double *made)
{
    bool time = strcmp(r->quantity, duration) == 0;
    struct units_text text =
        time ? units_write_duration((sim_time)value) : units_write_real(value, r->quantity);
    struct node *n = arena_take(arena, sizeof *n);
    *n = *r->at;
    n->kind = NODE_SCALAR;
    n->text = arena_copy(arena, text.text);
    n->quoted = false;
    n->count = 0;
    n->first = n->last = n->next = NULL;
    *made = in_unit(value, r->quantity);
    return n;
}

/* The value nearest to this number that the range has. */
static double settle(const struct range *r, double value)
{
    bool whole = r->round || strcmp(r->quantity, duration) == 0;
    double low = fmin(r->first, r->last), high = fmax(r->first, r->last);
    return fmin(fmax(whole ? round(value) : tidy(value), low), high) + 0.0;
}

const struct node *range_value(const struct range *r, double share, struct arena *arena,
                               double *number)
{
    double value = share <= 0.0   ? r->first
                   : share >= 1.0 ? r->last
                                  : settle(r, along(r, r->first, r->last, share));
    return make_node(r, value, arena, number);
}

const char *range_unit(const struct range *r)
{
    return unit_of(r->quantity);
}

/* The value of a uniform number. Each whole number owns as much as lies nearest to it. */
static const struct node *drawn_value(const struct range *r, double u, struct arena *arena,
                                      double *number)
{
    double half = !r->round ? 0.0 : r->first <= r->last ? 0.5 : -0.5;
    double value = settle(r, along(r, r->first - half, r->last + half, u));
    return make_node(r, value, arena, number);
}

/* Axes. */

static const char *text_of(const struct node *n, struct arena *arena)
{
    if (n->kind == NODE_SCALAR) {
        return n->text;
    }
    char *text = NULL;
    size_t length;
    FILE *out = open_memstream(&text, &length);
    CHECK(out, "out of memory");
    dump_node(out, n);
    CHECK(fclose(out) == 0, "out of memory");
    const char *copy = arena_text(arena, text, length);
    free(text);
    return copy;
}

/* The quantity that all values are numbers of; NULL: none. */
static const char *common_quantity(const struct node *const *values, uint64_t n)
{
    const char *common = NULL;
    for (uint64_t i = 0; i < n; i++) {
        bool bare;
        const char *quantity = quantity_of(values[i]->text, &bare);
        if (!quantity || (!bare && common && strcmp(common, quantity) != 0)) {
            return NULL;
        }
        common = bare ? common : quantity;
    }
    return common ? common : plain;
}

void axis_give(struct axis_reader *r, const struct node *at, const struct node *const *values,
               uint64_t n, struct axis *axis)
{
    const char **texts = arena_take(r->arena, n * sizeof *texts);
    for (uint64_t i = 0; i < n; i++) {
        texts[i] = text_of(values[i], r->arena);
    }
    *axis = (struct axis){
        .path = at->key, .at = at, .n = n, .values = values, .texts = texts, .unit = ""};
    const char *quantity = common_quantity(values, n);
    if (!quantity) {
        return;
    }
    double *numbers = arena_take(r->arena, n * sizeof *numbers);
    for (uint64_t i = 0; i < n; i++) {
        if (!read_number(texts[i], quantity, &numbers[i])) {
            return; /* A bare number too large for the quantity. */
        }
        numbers[i] = in_unit(numbers[i], quantity);
    }
    axis->numbers = numbers;
    axis->unit = unit_of(quantity);
}

static bool give_list(struct axis_reader *r, const struct node *at, struct axis *axis)
{
    if (at->count == 0) {
        diag_error(r->diag, at, "the list is empty; expected at least one value");
        return false;
    }
    const struct node **values = arena_take(r->arena, at->count * sizeof *values);
    for (const struct node *c = at->first; c; c = c->next) {
        values[c->index] = c;
    }
    axis_give(r, at, values, at->count, axis);
    return true;
}

/* Room for values made from a range; false when there are too many. */
static bool make_room(struct axis_reader *r, const struct range *range, uint64_t n,
                      struct axis *axis, const struct node ***values, double **numbers)
{
    if (n > r->left) {
        diag_error(r->diag, range->at, "more than %d values are made from ranges",
                   AXIS_MOST_VALUES);
        return false;
    }
    r->left -= n;
    *values = arena_take(r->arena, n * sizeof **values);
    *numbers = arena_take(r->arena, n * sizeof **numbers);
    *axis = (struct axis){.path = range->at->key,
                          .at = range->at,
                          .values = *values,
                          .numbers = *numbers,
                          .unit = range_unit(range)};
    return true;
}

static void name_values(struct axis_reader *r, struct axis *axis, uint64_t n)
{
    const char **texts = arena_take(r->arena, n * sizeof *texts);
    for (uint64_t i = 0; i < n; i++) {
        texts[i] = axis->values[i]->text;
    }
    axis->texts = texts;
    axis->n = n;
}

static bool make_steps(struct axis_reader *r, const struct node *at, struct axis *axis)
{
    struct range range;
    const struct node **values;
    double *numbers;
    struct binder binder = {r->arena, r->diag};
    if (!bind_block(&range_schema, at, &range, &binder) ||
        !make_room(r, &range, (uint64_t)range.steps, axis, &values, &numbers)) {
        return false;
    }
    uint64_t n = 0;
    for (int64_t i = 0; i < range.steps; i++) {
        double share = range.steps > 1 ? (double)i / (double)(range.steps - 1) : 0.0;
        values[n] = range_value(&range, share, r->arena, &numbers[n]);
        n += n == 0 || strcmp(values[n]->text, values[n - 1]->text) != 0;
    }
    name_values(r, axis, n);
    return true;
}

/* Whether it is a range, rather than a value that is a mapping. */
static bool is_range(const struct node *at)
{
    const struct node *from = node_child(at, "from"), *to = node_child(at, "to");
    int found = (from != NULL) + (to != NULL) + (node_child(at, "steps") != NULL);
    bool numbers = (from && begins_number(from->text)) || (to && begins_number(to->text));
    return !node_child(at, "kind") && (found == 3 || (found == 2 && numbers));
}

bool axis_read(struct axis_reader *r, const struct node *at, struct axis *axis)
{
    if (node_is_empty(at)) {
        diag_error(r->diag, at, "expected values, found nothing");
        return false;
    }
    if (at->kind == NODE_SEQUENCE) {
        return give_list(r, at, axis);
    }
    if (is_range(at)) {
        return make_steps(r, at, axis);
    }
    const struct node **values = arena_take(r->arena, sizeof *values);
    values[0] = at;
    axis_give(r, at, values, 1, axis);
    return true;
}

/* What becomes of a number from 0 to 1: the place of an item, the value of a range. */
struct chooser {
    uint64_t (*item)(double u, uint64_t n);
    const struct node *(*value)(const struct range *r, double u, struct arena *arena,
                                double *number);
};

static uint64_t drawn_item(double u, uint64_t n)
{
    uint64_t item = (uint64_t)(u * (double)n);
    return item < n ? item : n - 1;
}

static uint64_t placed_item(double share, uint64_t n)
{
    return (uint64_t)(share * (double)(n - 1) + 0.5);
}

static void choose_items(const struct chooser *c, struct axis_reader *r, const double *u,
                         uint64_t n, uint32_t stride, struct axis *axis)
{
    uint32_t *order = arena_take(r->arena, n * sizeof *order);
    for (uint64_t i = 0; i < n; i++) {
        order[i] = (uint32_t)c->item(u[i * stride], axis->n);
    }
    axis->order = order;
}

struct units_text axis_write(double value, const char *unit)
{
    char rounded[32];
    snprintf(rounded, sizeof rounded, "%.4g", value);
    double shown = value == rint(value) ? value : strtod(rounded, NULL);
    return strcmp(unit, "s") == 0
               ? units_write_duration((sim_time)llround(shown * (double)SIM_TIME_S))
               : units_write_real(shown, unit);
}

const char *axis_read_number(const char *text, const char *unit, struct arena *arena, double *value)
{
    if (strcmp(unit, "s") != 0) {
        return units_read_real(text, unit, arena, value);
    }
    sim_time time = 0;
    const char *wrong = units_read_duration(text, arena, &time);
    *value = (double)time / (double)SIM_TIME_S;
    return wrong;
}

const char *axis_text(const struct axis *axis, uint64_t value, struct arena *arena)
{
    if (!axis->numbers) {
        return axis->texts[value];
    }
    double number = axis->numbers[value], read = NAN;
    const char *shown = arena_copy(arena, axis_write(number, axis->unit).text);
    bool exact = !axis_read_number(shown, axis->unit, arena, &read) && read == number;
    return exact ? axis->texts[value] : shown;
}

static bool choose(const struct chooser *c, struct axis_reader *r, const struct node *at,
                   const double *u, uint64_t n, uint32_t stride, struct axis *axis)
{
    struct range range;
    const struct node **values;
    double *numbers;
    struct binder binder = {r->arena, r->diag};
    if (at->kind == NODE_SEQUENCE) {
        bool good = give_list(r, at, axis);
        if (good) {
            choose_items(c, r, u, n, stride, axis);
        }
        return good;
    }
    if (at->kind != NODE_MAPPING) {
        diag_error(r->diag, at, "expected {from: ..., to: ...} or a list");
        return false;
    }
    if (!bind_block(&span_schema, at, &range, &binder) ||
        !make_room(r, &range, n, axis, &values, &numbers)) {
        return false;
    }
    for (uint64_t i = 0; i < n; i++) {
        values[i] = c->value(&range, u[i * stride], r->arena, &numbers[i]);
    }
    name_values(r, axis, n);
    return true;
}

bool axis_draw(struct axis_reader *r, const struct node *at, const double *u, uint64_t n,
               uint32_t stride, struct axis *axis)
{
    return choose(&(const struct chooser){drawn_item, drawn_value}, r, at, u, n, stride, axis);
}

bool axis_place(struct axis_reader *r, const struct node *at, const double *share, uint64_t n,
                uint32_t stride, struct axis *axis)
{
    return choose(&(const struct chooser){placed_item, range_value}, r, at, share, n, stride, axis);
}
