/* SPDX-License-Identifier: Apache-2.0 */
#include "base/region.h"

#include <stdint.h>
#include <sys/mman.h>

#include "base/check.h"

enum {
    STEP = 1 << 16,
    HUGE_FROM = 1 << 24, /* large regions are worth fewer, larger pages */
};

static size_t round_up(size_t n, size_t to)
{
    return (n + to - 1) & ~(to - 1);
}

void region_open(struct region *r, const char *what, size_t most)
{
    most = round_up(most, STEP);
    void *p = mmap(NULL, most, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    CHECK_LIMIT(p != MAP_FAILED,
                "no address space left for %s (%zu MiB); is a limit set (ulimit -v)?", what,
                most >> 20);
    *r = (struct region){.base = p, .reserved = most, .what = what};
}

void region_close(struct region *r)
{
    if (r->base) {
        munmap(r->base, r->reserved);
    }
    *r = (struct region){0};
}

void region_reach(struct region *r, size_t size)
{
    if (size <= r->committed) {
        return;
    }
    CHECK_LIMIT(size <= r->reserved,
                "%s needs more than %zu MiB; the model keeps too much in flight", r->what,
                r->reserved >> 20);
    /* Doubling keeps the number of system calls logarithmic; untouched pages cost nothing. */
    size_t want = round_up(size, STEP);
    if (want < 2 * r->committed) {
        want = 2 * r->committed < r->reserved ? 2 * r->committed : r->reserved;
    }
    if (want >= HUGE_FROM) {
        madvise(r->base, want, MADV_HUGEPAGE); /* only a wish */
    }
    CHECK_LIMIT(mprotect(r->base, want, PROT_READ | PROT_WRITE) == 0,
                "out of memory for %s (%zu MiB)", r->what, want >> 20);
    r->committed = want;
}

void *region_take(struct region *r, size_t size, size_t align)
{
    size_t start = round_up(r->used, align);
    region_reach(r, start + size);
    r->used = start + size;
    return r->base + start;
}

void region_rewind(struct region *r, size_t used)
{
    CHECK(used <= r->used, "%s: rewind forwards", r->what);
    r->used = used;
}
