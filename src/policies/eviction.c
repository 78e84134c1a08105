/* SPDX-License-Identifier: Apache-2.0 */
#include "policies/eviction.h"

static const struct param_spec slru_rows[] = {
    P_REAL(eviction, protected_share, "80%", 0, 1, "1",
           "Share of the capacity that those have at most who were used twice."),
    P_END};

static const struct param_spec two_queues_rows[] = {
    P_REAL(eviction, in_share, "25%", 0, 1, "1",
           "Share of the capacity above which new ones make room."),
    P_REAL(eviction, out_share, "50%", 0, 10, "1",
           "How many keys of those are remembered, as a share of the capacity."),
    P_END};

static const struct alternative alternatives[] = {
    {.name = "lru", .summary = "The one used least recently.", .tag = EVICTION_LRU},
    {.name = "fifo", .summary = "The one put in first.", .tag = EVICTION_FIFO},
    {.name = "lfu", .summary = "The one used least often.", .tag = EVICTION_LFU},
    {.name = "random", .summary = "Any.", .tag = EVICTION_RANDOM},
    {.name = "clock",
     .summary = "The one put in first, but who was used has a second chance.",
     .tag = EVICTION_CLOCK},
    {.name = "slru",
     .summary = "Segmented LRU: who was used once goes before who was used twice.",
     .tag = EVICTION_SLRU,
     .rows = slru_rows},
    {.name = "2q",
     .summary = "New ones first come first, who comes back by LRU.",
     .tag = EVICTION_2Q,
     .rows = two_queues_rows},
    {.name = NULL}};

const struct choice eviction_choice = {.name = "eviction",
                                       .summary = "Which entry of a full cache makes room.",
                                       .size = sizeof(struct eviction),
                                       .tag_offset = SCHEMA_OFFSET(int, eviction, kind),
                                       .alternatives = alternatives};

/* The hair covers products such as 0.29 * 100 that fall short of a whole number. */
static int64_t share_of(double share, int64_t capacity)
{
    return capacity == INT64_MAX ? capacity : (int64_t)(share * (double)capacity + 1e-9);
}

static int64_t at_least_one(int64_t n)
{
    return n > 1 ? n : 1;
}

void eviction_fit(struct eviction *e, int64_t capacity)
{
    int64_t protected = share_of(e->protected_share, capacity);
    e->most_protected = protected < capacity ? protected : capacity - 1;
    e->most_in = at_least_one(share_of(e->in_share, capacity));
    e->most_out = at_least_one(share_of(e->out_share, capacity));
}
