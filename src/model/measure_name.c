/* SPDX-License-Identifier: Apache-2.0
 *
 * The words of which measures are made, whatever they are measures of.
 */
#include <string.h>

#include "base/units.h"
#include "model/measure.h"

/* What stands behind the statistic, by its kind. */
struct what_word {
    const char *word;
    enum measure_what what;
};
static const struct what_word counter_words[] = {{"rate", MEASURE_RATE}, {.word = NULL}};
static const struct what_word gauge_words[] = {
    {"mean", MEASURE_MEAN}, {"max", MEASURE_MAX}, {.word = NULL}};
static const struct what_word histogram_words[] = {{"mean", MEASURE_MEAN},
                                                   {"min", MEASURE_MIN},
                                                   {"max", MEASURE_MAX},
                                                   {"count", MEASURE_COUNT},
                                                   {.word = NULL}};
static const struct {
    const char *noun, *expected; /* "a gauge", and what may be asked of it */
    const struct what_word *words;
} kinds[] = {
    [STAT_COUNTER] = {"a counter", ".rate, or nothing for the total", counter_words},
    [STAT_GAUGE] = {"a gauge", ".mean or .max", gauge_words},
    [STAT_HISTOGRAM] = {"a histogram",
                        ".mean, .min, .max, .count or a percentile such as .p99 or .p99.9",
                        histogram_words},
};

const char *measure_split(const char *text, struct arena *arena, struct measure_name *name)
{
    const char *dot = strchr(text, '.');
    if (!dot) {
        return arena_format(arena,
                            "'%s' is no measure (expected for instance GROUP.STATISTIC or "
                            "GROUP.STATISTIC.p99)",
                            text);
    }
    const char *rest = dot + 1, *what = strchr(rest, '.');
    *name = (struct measure_name){
        .group = arena_text(arena, text, (size_t)(dot - text)),
        .statistic = arena_text(arena, rest, what ? (size_t)(what - rest) : strlen(rest)),
        .what = what ? arena_copy(arena, what + 1) : NULL};
    return NULL;
}

/* "p99.9": the p-quantile nearest to 0.999. */
static bool read_percentile(const char *text, struct arena *arena, double *p)
{
    const char *digits = text + 1;
    return text[0] == 'p' && digits[0] && digits[strspn(digits, "0123456789.")] == '\0' &&
           !units_read_real(arena_format(arena, "%s%%", digits), "1", arena, p) && *p <= 1.0;
}

const char *measure_read_what(const char *text, const struct measure_name *name,
                              struct arena *arena, struct measure_part *part)
{
    const char *word = name->what;
    if (part->kind == STAT_BREAKDOWN) {
        return arena_format(arena,
                            "'%s' is a breakdown; a measure takes a counter, a gauge or a "
                            "histogram",
                            name->statistic);
    }
    if (part->kind == STAT_COUNTER && !word) {
        part->what = MEASURE_TOTAL;
        return NULL;
    }
    for (const struct what_word *w = kinds[part->kind].words; word && w->word; w++) {
        if (strcmp(word, w->word) == 0) {
            part->what = w->what;
            return NULL;
        }
    }
    if (word && part->kind == STAT_HISTOGRAM && read_percentile(word, arena, &part->p)) {
        part->what = MEASURE_QUANTILE;
        return NULL;
    }
    const char *noun = kinds[part->kind].noun, *expected = kinds[part->kind].expected;
    return word ? arena_format(arena, "'%s' is nothing that %s tells (expected %s)", word, noun,
                               expected)
                : arena_format(arena, "'%s' is %s: say what of it (%s)", text, noun, expected);
}

static const char *part_unit(const struct measure_part *part, struct arena *arena)
{
    bool time = strcmp(part->unit, "ns") == 0;
    if (part->what == MEASURE_COUNT) {
        return "1";
    }
    if (part->what == MEASURE_RATE) {
        return time ? "1" : arena_format(arena, "%s/s", part->unit);
    }
    return time ? "s" : part->unit;
}

const char *measure_unit(const struct measure_part *part, uint32_t n, struct arena *arena)
{
    const char *unit = part_unit(&part[0], arena);
    if (n == 1) {
        return unit;
    }
    const char *other = part_unit(&part[1], arena);
    return strcmp(unit, other) == 0  ? "1"
           : strcmp(other, "1") == 0 ? unit
                                     : arena_format(arena, "%s per %s", unit, other);
}
