/* SPDX-License-Identifier: Apache-2.0 */
#include "stats/histogram.h"

#include <string.h>

#ifdef __x86_64__
#include <immintrin.h>
#endif

/* Only address space is reserved; memory is taken as values come. 2^26 pages are 64 GiB, more than
 * a rank has. A latency fills two to six pages, so a quarter as many directories go with them. */
enum { MOST_PAGES = 1 << 26, MOST_DIRECTORIES = 1 << 24 };

void hist_pool_open(struct hist_pool *pool)
{
    *pool = (struct hist_pool){0};
    region_open(&pool->directories, "histogram directories",
                MOST_DIRECTORIES * sizeof(struct hist_directory));
    region_open(&pool->pages, "histogram buckets", MOST_PAGES * sizeof(struct hist_page));
}

void hist_pool_close(struct hist_pool *pool)
{
    region_close(&pool->directories);
    region_close(&pool->pages);
    *pool = (struct hist_pool){0};
}

void hist_pool_reset(struct hist_pool *pool)
{
    region_rewind(&pool->directories, 0);
    region_rewind(&pool->pages, 0);
    pool->n_directories = 0;
    pool->n_pages = 0;
}

uint64_t *hist_grow(struct hist_pool *pool, struct histogram *h, uint32_t octave)
{
    /* Memory that hist_pool_reset gave back is not clean, hence memset. */
    struct hist_directory *d;
    if (h->directory == 0) {
        d = region_take(&pool->directories, sizeof *d, _Alignof(struct hist_directory));
        memset(d, 0, sizeof *d);
        h->directory = ++pool->n_directories;
    } else {
        d = (struct hist_directory *)(void *)pool->directories.base + (h->directory - 1);
    }
    struct hist_page *page = region_take(&pool->pages, sizeof *page, _Alignof(struct hist_page));
    memset(page, 0, sizeof *page);
    d->page[octave] = ++pool->n_pages;
    return page->count;
}

void hist_count_first(struct hist_pool *pool, struct histogram *h, uint64_t value)
{
    if (!h->summary_only) {
        uint32_t bin = hist_bin(value);
        hist_grow(pool, h, bin >> HIST_SUB_BITS)[bin & (HIST_PAGE - 1)]++;
    }
}

struct hist_used hist_used_plainly(const uint64_t *count)
{
    struct hist_used used = {{0}};
    for (uint32_t i = 0; i < HIST_PAGE; i++) {
        used.word[i / 64] |= (uint64_t)(count[i] != 0) << i % 64;
    }
    return used;
}

#ifdef __x86_64__
__attribute__((target("avx2"))) static struct hist_used used_by_fours(const uint64_t *count)
{
    const __m256i none = _mm256_setzero_si256();
    struct hist_used empty = {{0}};
    for (uint32_t i = 0; i < HIST_PAGE; i += 4) {
        __m256i four = _mm256_loadu_si256((const void *)(count + i));
        __m256d is_empty = _mm256_castsi256_pd(_mm256_cmpeq_epi64(four, none));
        empty.word[i / 64] |= (uint64_t)_mm256_movemask_pd(is_empty) << i % 64;
    }
    for (uint32_t w = 0; w < HIST_PAGE / 64; w++) {
        empty.word[w] = ~empty.word[w];
    }
    return empty;
}

struct hist_used hist_used(const uint64_t *count)
{
    return __builtin_cpu_supports("avx2") ? used_by_fours(count) : hist_used_plainly(count);
}
#else
struct hist_used hist_used(const uint64_t *count)
{
    return hist_used_plainly(count);
}
#endif

void hist_each(const struct hist_pool *pool, const struct histogram *h,
               void (*each)(uint32_t bin, uint64_t count, void *context), void *context)
{
    for (uint32_t octave = 0; octave < HIST_OCTAVES; octave++) {
        const uint64_t *count = hist_octave(pool, h, octave);
        struct hist_used used = count ? hist_used(count) : (struct hist_used){{0}};
        for (uint32_t w = 0; w < HIST_PAGE / 64; w++) {
            for (uint64_t left = used.word[w]; left; left &= left - 1) {
                uint32_t i = 64 * w + (uint32_t)__builtin_ctzll(left);
                each((octave << HIST_SUB_BITS) + i, count[i], context);
            }
        }
    }
}

static void add_figures(struct hist_counts *to, uint64_t total, hist_sum sum, uint64_t min,
                        uint64_t max)
{
    if (total == 0) {
        return;
    }
    to->min = to->total == 0 || min < to->min ? min : to->min;
    to->max = max > to->max ? max : to->max;
    to->total += total;
    to->sum += sum;
}

static void add_bin(uint32_t bin, uint64_t count, void *context)
{
    struct hist_counts *to = context;
    to->count[bin] += count;
}

void hist_counts_add(struct hist_counts *to, const struct hist_pool *pool,
                     const struct histogram *h)
{
    add_figures(to, h->total, h->sum, h->min, h->max);
    hist_each(pool, h, add_bin, to);
}

void hist_counts_merge(struct hist_counts *to, const struct hist_counts *from)
{
    add_figures(to, from->total, from->sum, from->min, from->max);
    for (uint32_t bin = 0; bin < HIST_BINS; bin++) {
        to->count[bin] += from->count[bin];
    }
}

void hist_counts_add_bins(struct hist_counts *to, const struct histogram *exact, size_t n,
                          const uint32_t *bin, const uint64_t *count)
{
    for (size_t i = 0; i < n; i++) {
        uint64_t edge = hist_edge(bin[i]), last = edge + (hist_width(bin[i]) - 1);
        to->count[bin[i]] += count[i];
        if (!exact) {
            hist_sum middle = edge + (last - edge) / 2;
            add_figures(to, count[i], middle * count[i], edge, last);
        }
    }
    if (exact) {
        add_figures(to, exact->total, exact->sum, exact->min, exact->max);
    }
}

/* The value of a rank, 0 .. total - 1. */
static double value_at(const struct hist_counts *h, uint64_t rank, double *bound)
{
    *bound = 0.0;
    if (rank == 0 || rank == h->total - 1) {
        return (double)(rank == 0 ? h->min : h->max);
    }
    uint32_t bin = 0;
    uint64_t before = 0;
    while (before + h->count[bin] <= rank) {
        before += h->count[bin++];
        CHECK(bin < HIST_BINS, "a histogram's buckets hold fewer values than its total");
    }
    double last = (double)(hist_width(bin) - 1); /* relative to the edge */
    double place = ((double)(rank - before) + 0.5) / (double)h->count[bin];
    double value = (double)hist_edge(bin) + last * place;
    *bound = last;
    return value < (double)h->min   ? (double)h->min
           : value > (double)h->max ? (double)h->max
                                    : value;
}

double hist_quantile(const struct hist_counts *h, double p, double *bound)
{
    double unwanted, low_bound, high_bound = 0.0;
    bound = bound ? bound : &unwanted;
    *bound = 0.0;
    if (h->total == 0) {
        return 0.0;
    }
    double position = p * (double)(h->total - 1);
    uint64_t rank = (uint64_t)position;
    rank = rank < h->total - 1 ? rank : h->total - 1;
    double share = position - (double)rank, low = value_at(h, rank, &low_bound);
    if (!(share > 0.0)) {
        *bound = low_bound;
        return low;
    }
    double high = value_at(h, rank + 1, &high_bound);
    *bound = low_bound + share * (high_bound - low_bound);
    return low + share * (high - low);
}
