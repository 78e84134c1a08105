/* SPDX-License-Identifier: Apache-2.0
 *
 * Each column keeps a base that is subtracted from the statistic at the next sample. Arithmetic is
 * modulo 2^64: series_rebase makes the base negative by what the statistic had reached, and the
 * difference comes out right when it goes on from zero.
 */
#include "stats/series.h"

#include <stdbool.h>

#include "base/check.h"

/* Address space, not memory. */
static const size_t most_bytes = (size_t)1 << 34;
static const size_t most_columns_bytes = (size_t)1 << 30;

struct series_column {
    const struct stat_spec *row;
    unsigned char *member;
    uint32_t word;           /* place within an interval's words */
    uint64_t base;           /* counter, gauge */
    struct histogram counts; /* histogram: its base, of which only the counts are used */
};

void series_open(struct series *s, const struct hist_pool *pool)
{
    *s = (struct series){.pool = pool};
    hist_pool_open(&s->bases);
    region_open(&s->columns, "columns of time series", most_columns_bytes);
    region_open(&s->words, "time series", most_bytes);
    region_open(&s->bins, "time series of histograms", most_bytes);
    region_open(&s->counts, "time series of histograms", most_bytes);
}

static struct series_column *columns(const struct series *s)
{
    return (struct series_column *)(void *)s->columns.base;
}

void series_close(struct series *s)
{
    hist_pool_close(&s->bases);
    region_close(&s->columns);
    region_close(&s->words);
    region_close(&s->bins);
    region_close(&s->counts);
    *s = (struct series){0};
}

/* A gauge has integral and maximum; a histogram where its increments end. */
static uint32_t words_of(enum stat_kind kind)
{
    return kind == STAT_BREAKDOWN ? 0 : kind == STAT_GAUGE ? 2 : 1;
}

uint32_t series_watch(struct series *s, const struct stat_spec *rows, void *stats)
{
    CHECK(s->intervals == 0, "a time series begins after the first sample");
    uint32_t first = s->n_columns;
    for (const struct stat_spec *row = rows; row->name; row++) {
        struct series_column *c =
            region_take(&s->columns, sizeof *c, _Alignof(struct series_column));
        *c = (struct series_column){
            .row = row, .member = (unsigned char *)stats + row->offset, .word = s->width};
        s->width += words_of(row->kind);
        s->n_columns++;
    }
    return first;
}

void series_reset(struct series *s)
{
    region_rewind(&s->words, 0);
    region_rewind(&s->bins, 0);
    region_rewind(&s->counts, 0);
    hist_pool_reset(&s->bases);
    s->intervals = 0;
    for (uint32_t i = 0; i < s->n_columns; i++) {
        columns(s)[i].base = 0;
        columns(s)[i].counts = (struct histogram){0};
    }
}

/* What a counter or a gauge's integral has reached. */
static uint64_t reached(const struct series_column *c, sim_time now)
{
    if (c->row->kind == STAT_GAUGE) {
        return gauge_integral((const struct gauge *)(const void *)c->member, now);
    }
    return *(const uint64_t *)(const void *)c->member;
}

static void check_increment(uint64_t increment)
{
    CHECK(increment <= INT64_MAX, "statistics were zeroed without series_rebase");
}

static void push(struct series *s, uint32_t bin, uint64_t count)
{
    uint32_t *to = region_take(&s->bins, sizeof *to, _Alignof(uint32_t));
    *to = bin;
    uint64_t *to_count = region_take(&s->counts, sizeof *to_count, _Alignof(uint64_t));
    *to_count = count;
}

/* The counts of an octave, NULL where there are none, and their base. False when nothing was ever
 * counted there. */
static bool octave_of(struct series *s, struct series_column *c, uint32_t octave,
                      const uint64_t **count, uint64_t **base)
{
    const struct histogram *h = (const struct histogram *)(const void *)c->member;
    *count = hist_octave(s->pool, h, octave);
    *base = hist_octave(&s->bases, &c->counts, octave);
    if (*count && !*base) {
        *base = hist_grow(&s->bases, &c->counts, octave);
    }
    return *base;
}

static void sample_histogram(struct series *s, struct series_column *c)
{
    for (uint32_t octave = 0; octave < HIST_OCTAVES; octave++) {
        const uint64_t *count;
        uint64_t *base;
        if (!octave_of(s, c, octave, &count, &base)) {
            continue;
        }
        for (uint32_t i = 0; i < HIST_PAGE; i++) {
            uint64_t value = count ? count[i] : 0;
            if (value != base[i]) {
                check_increment(value - base[i]);
                push(s, (octave << HIST_SUB_BITS) + i, value - base[i]);
                base[i] = value;
            }
        }
    }
}

static void rebase_histogram(struct series *s, struct series_column *c)
{
    for (uint32_t octave = 0; octave < HIST_OCTAVES; octave++) {
        const uint64_t *count;
        uint64_t *base;
        bool any = octave_of(s, c, octave, &count, &base);
        for (uint32_t i = 0; any && count && i < HIST_PAGE; i++) {
            base[i] -= count[i];
        }
    }
}

static void sample_column(struct series *s, struct series_column *c, uint64_t *word, sim_time now)
{
    if (c->row->kind == STAT_BREAKDOWN) {
        return;
    }
    if (c->row->kind == STAT_HISTOGRAM) {
        sample_histogram(s, c);
        word[0] = s->bins.used / sizeof(uint32_t);
        return;
    }
    uint64_t value = reached(c, now);
    word[0] = value - c->base;
    c->base = value;
    check_increment(word[0]);
    if (c->row->kind == STAT_GAUGE) {
        struct gauge *g = (struct gauge *)(void *)c->member;
        word[1] = (uint64_t)g->interval_max;
        gauge_interval(g);
    }
}

void series_sample(struct series *s, sim_time now)
{
    uint64_t *word = region_take(&s->words, s->width * sizeof *word, _Alignof(uint64_t));
    for (uint32_t i = 0; i < s->n_columns; i++) {
        struct series_column *c = &columns(s)[i];
        sample_column(s, c, word + c->word, now);
    }
    s->intervals++;
}

void series_rebase(struct series *s, sim_time now)
{
    for (uint32_t i = 0; i < s->n_columns; i++) {
        struct series_column *c = &columns(s)[i];
        if (c->row->kind == STAT_HISTOGRAM) {
            rebase_histogram(s, c);
        } else if (c->row->kind != STAT_BREAKDOWN) {
            c->base -= reached(c, now);
        }
    }
}

static const uint64_t *word_of(const struct series *s, uint32_t column, uint32_t interval)
{
    CHECK(column < s->n_columns && interval < s->intervals,
          "column %u, interval %u of a time series of %u x %u", column, interval, s->n_columns,
          s->intervals);
    const uint64_t *words = (const uint64_t *)(const void *)s->words.base;
    return words + (size_t)interval * s->width + columns(s)[column].word;
}

uint64_t series_counter(const struct series *s, uint32_t column, uint32_t interval)
{
    return word_of(s, column, interval)[0];
}

uint64_t series_gauge(const struct series *s, uint32_t column, uint32_t interval, int64_t *max)
{
    const uint64_t *word = word_of(s, column, interval);
    *max = (int64_t)word[1];
    return word[0];
}

/* Where the increments of this histogram begin: at the end of the one sampled before it. */
static uint64_t begin_of(const struct series *s, uint32_t column, uint32_t interval)
{
    for (;;) {
        while (column > 0) {
            column--;
            if (columns(s)[column].row->kind == STAT_HISTOGRAM) {
                return word_of(s, column, interval)[0];
            }
        }
        if (interval == 0) {
            return 0;
        }
        interval--;
        column = s->n_columns;
    }
}

size_t series_histogram(const struct series *s, uint32_t column, uint32_t interval,
                        const uint32_t **bin, const uint64_t **count)
{
    uint64_t end = word_of(s, column, interval)[0], begin = begin_of(s, column, interval);
    *bin = (const uint32_t *)(const void *)s->bins.base + begin;
    *count = (const uint64_t *)(const void *)s->counts.base + begin;
    return end - begin;
}
