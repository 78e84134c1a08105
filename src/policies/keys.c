/* SPDX-License-Identifier: Apache-2.0 */
#include "policies/keys.h"

#include "base/hash.h"
#include "rng/exactmath.h"

/* Keys by a law that needs a table at most. */
enum { MOST_IN_TABLE = 1000000 };

static const struct param_spec zipf_rows[] = {
    P_REAL(keys_law, exponent, "1", 0, 100, "1",
           "The k-th most popular key has a chance proportional to k^-exponent."),
    P_END};

static const struct alternative alternatives[] = {
    {.name = "uniform", .summary = "One key is as likely as another.", .tag = KEYS_UNIFORM},
    {.name = "zipf",
     .summary = "Few are popular, by Zipf's law; a million keys at most.",
     .tag = KEYS_ZIPF,
     .rows = zipf_rows},
    {.name = NULL}};

static const struct choice law_choice = {.name = "law of keys",
                                         .summary = "How popular keys are.",
                                         .size = sizeof(struct keys_law),
                                         .tag_offset = SCHEMA_OFFSET(int, keys_law, kind),
                                         .alternatives = alternatives};

static const struct param_spec rows[] = {
    P_COUNT(keys, count, "1000", 1, 1e9, "How many there are."),
    P_CHOICE(keys, law, law_choice, "{zipf: 1}", "How popular they are."),
    P_TEXT(keys, salt, "", "Keys with another one are others, whatever else is the same."), P_END};

double keys_weight(const struct keys *k, uint32_t key)
{
    return k->law.kind == KEYS_ZIPF ? exact_exp(-k->law.exponent * exact_log(key + 1.0)) : 1.0;
}

/* What the block says, in a number. */
static uint64_t hash_of(const struct keys *k)
{
    uint64_t h = hash_pair(hash_text(k->salt), (uint64_t)k->count);
    h = hash_pair(h, (uint64_t)k->law.kind);
    return k->law.kind == KEYS_ZIPF ? hash_bytes(h, &k->law.exponent, sizeof k->law.exponent) : h;
}

static void derive(void *params, const struct node *at, struct diag *diag, struct arena *arena)
{
    struct keys *k = params;
    k->id = hash_of(k);
    if (k->law.kind != KEYS_ZIPF) {
        return;
    }
    if (k->count > MOST_IN_TABLE) {
        diag_error(diag, node_child(at, "count"), "zipf takes at most %d keys", MOST_IN_TABLE);
        return;
    }
    uint32_t n = (uint32_t)k->count;
    double *weight = arena_take(arena, n * sizeof *weight);
    for (uint32_t i = 0; i < n; i++) {
        weight[i] = keys_weight(k, i);
    }
    k->slots = alias_make(arena, weight, n);
}

const struct schema keys_schema = {.name = "keys",
                                   .summary = "Which of many things requests are about.",
                                   .size = sizeof(struct keys),
                                   .rows = rows,
                                   .derive = derive};

uint32_t keys_pick(const struct keys *k, uint64_t bits)
{
    if (k->law.kind == KEYS_ZIPF) {
        return alias_at(k->slots, (uint32_t)k->count, rng_to_unit(bits));
    }
    return (uint32_t)((bits >> 32) * (uint64_t)k->count >> 32);
}
