/* SPDX-License-Identifier: Apache-2.0
 *
 * Eviction: which entry of a full cache makes room for another one. Here is what a configuration
 * says of it; parts/cache_table.h does it.
 *
 * - lru: the one that was used least recently; to be put in is a use.
 * - fifo: the one that was put in first, whatever was used since. With a `ttl` that is the same for
 *   all it is also the one whose time is up first.
 * - lfu: the one that was used least often since it was put in; of equals the one that was used
 *   least recently.
 * - random: any, with equal chances.
 * - clock: the first one, but those that were used are passed over once: a use leaves a mark, and
 *   who is marked loses the mark and goes to the end (second chance). New ones have no mark.
 * - slru: segmented LRU (Karedla, Love and Wherry, Computer 27(3), 1994). Who is used a second time
 *   is protected. The protected segment is an LRU list of `protected_share` of the capacity, and
 *   who is pushed out of it is on probation again, as the most recent one. Evicted is the least
 *   recent one on probation, or, where nobody is, of the protected.
 * - 2q: the full version of 2Q (Johnson and Shasha, VLDB 1994). New entries stand in a FIFO list;
 *   while that has more than `in_share` of the capacity, evicted is its first, whose key is
 *   remembered (`out_share` of the capacity many keys, the last ones); else the least recent one of
 *   the main list, an LRU list. Whose key is remembered when it is put in again goes there.
 */
#ifndef SQUALL_POLICIES_EVICTION_H
#define SQUALL_POLICIES_EVICTION_H

#include <stdint.h>

#include "base/schema.h"

enum eviction_kind {
    EVICTION_LRU,
    EVICTION_FIFO,
    EVICTION_LFU,
    EVICTION_RANDOM,
    EVICTION_CLOCK,
    EVICTION_SLRU,
    EVICTION_2Q,
};

struct eviction {
    int kind;                   /* enum eviction_kind */
    double protected_share;     /* [1] slru */
    double in_share, out_share; /* [1] 2q */
    int64_t most_protected;     /* slru; this and the following are derived */
    int64_t most_in, most_out;  /* 2q */
};

extern const struct choice eviction_choice;

/* Derives what the shares make of a capacity, INT64_MAX for an unlimited one: the whole part. There
 * is always room for one on probation, for one that is new and for one key that is remembered. */
void eviction_fit(struct eviction *e, int64_t capacity);

#endif
