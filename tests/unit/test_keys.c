/* SPDX-License-Identifier: Apache-2.0
 *
 * Keys: how often each comes, and whose they are.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>

#include "base/diag.h"
#include "base/hash.h"
#include "engine/sim.h"
#include "policies/keys.h"

static struct keys keys_of(struct arena *arena, int64_t count, int kind, double exponent,
                           const char *salt)
{
    struct keys k = {.count = count, .law = {kind, exponent}, .salt = salt};
    struct diag diag = {0};
    keys_schema.derive(&k, NULL, &diag, arena);
    assert_int_equal(diag.errors, 0);
    return k;
}

/* Of bits that are spread evenly each key gets its share. */
static void assert_shares(const struct keys *k, const double *share)
{
    enum { PICKS = 1 << 20 };
    uint64_t n[8] = {0};
    for (uint64_t i = 0; i < PICKS; i++) {
        uint32_t key = keys_pick(k, i << 44 | UINT64_C(1) << 43);
        assert_true(key < k->count);
        n[key]++;
    }
    for (int64_t i = 0; i < k->count; i++) {
        assert_true(fabs((double)n[i] / PICKS - share[i]) < 1e-5);
    }
}

static void popular_keys_come_often(void **state)
{
    (void)state;
    struct arena arena = {0};
    struct keys zipf = keys_of(&arena, 4, KEYS_ZIPF, 1.0, "");
    assert_shares(&zipf, (double[]){0.48, 0.24, 0.16, 0.12});
    struct keys steep = keys_of(&arena, 3, KEYS_ZIPF, 2.0, "");
    assert_shares(&steep, (double[]){36.0 / 49, 9.0 / 49, 4.0 / 49});
    struct keys flat = keys_of(&arena, 4, KEYS_ZIPF, 0.0, "");
    assert_shares(&flat, (double[]){0.25, 0.25, 0.25, 0.25});
    struct keys uniform = keys_of(&arena, 5, KEYS_UNIFORM, 0.0, "");
    assert_shares(&uniform, (double[]){0.2, 0.2, 0.2, 0.2, 0.2});
    struct keys one = keys_of(&arena, 1, KEYS_ZIPF, 1.0, "");
    assert_shares(&one, (double[]){1.0});
    struct keys many = keys_of(&arena, 1000000000, KEYS_UNIFORM, 0.0, "");
    assert_int_equal(keys_pick(&many, UINT64_MAX), 999999999);
    assert_int_equal(keys_pick(&many, 0), 0);
    arena_close(&arena);
}

/* The same words have the same number, any other ones another. */
static void blocks_in_other_words_are_others(void **state)
{
    (void)state;
    struct arena arena = {0};
    struct keys k[] = {
        keys_of(&arena, 100, KEYS_ZIPF, 1.0, ""),     keys_of(&arena, 101, KEYS_ZIPF, 1.0, ""),
        keys_of(&arena, 100, KEYS_ZIPF, 1.1, ""),     keys_of(&arena, 100, KEYS_ZIPF, 1.0, "users"),
        keys_of(&arena, 100, KEYS_UNIFORM, 1.0, ""),  keys_of(&arena, 100, KEYS_UNIFORM, 1.0, "a"),
        keys_of(&arena, 100, KEYS_ZIPF, 1.0, "posts")};
    enum { BLOCKS = sizeof k / sizeof k[0] };
    for (int i = 0; i < BLOCKS; i++) {
        struct keys same = keys_of(&arena, k[i].count, k[i].law.kind, k[i].law.exponent, k[i].salt);
        assert_true(same.id == k[i].id);
        for (int j = 0; j < i; j++) {
            assert_true(k[i].id != k[j].id);
        }
    }
    arena_close(&arena);
}

/* --- the bits of a request --------------------------------------------------------------- */

enum { REQUESTS = 100000 };

struct seen {
    uint64_t ones[64], bits, other, first[2];
};

static const struct stat_spec no_stats[] = {S_END};

static struct seen *seen_by(struct ctx *c)
{
    static struct seen seen;
    (void)c;
    return &seen;
}

static void look(struct ctx *c)
{
    struct seen *seen = seen_by(c);
    *seen = (struct seen){.first = {seen->first[0], seen->first[1]}};
    for (uint64_t i = 0; i < REQUESTS; i++) {
        uint64_t bits = sim_request_bits(c, UINT64_C(7) << 32 | i, 5);
        assert_true(bits == sim_request_bits(c, UINT64_C(7) << 32 | i, 5));
        for (int b = 0; b < 64; b++) {
            seen->ones[b] += bits >> b & 1;
        }
        seen->bits += bits >> 63 == sim_request_bits(c, UINT64_C(7) << 32 | (i + 1), 5) >> 63;
        seen->other += bits >> 63 == sim_request_bits(c, UINT64_C(7) << 32 | i, 6) >> 63;
    }
    seen->first[1] = seen->first[0];
    seen->first[0] = sim_request_bits(c, 1, 1);
}

static void assert_half(uint64_t n)
{
    assert_true(fabs((double)n - REQUESTS / 2.0) < 5.0 * sqrt(REQUESTS / 4.0));
}

static const struct entity_type type = {
    .name = "eye", .stats = no_stats, .stats_size = 8, .state_size = 8, .init = look};

/* Bits of one request have nothing to do with those of the next, of another purpose or of another
 * replication. */
static void bits_belong_to_requests(void **state)
{
    (void)state;
    const struct group_plan group = {.name = "eye", .type = &type, .count = 1};
    const struct blueprint plan = {.groups = &group, .n_groups = 1, .n_entities = 1};
    struct sim *sim =
        sim_open(&plan, &(struct sim_options){.end = 1000, .interval = SIM_TIME_NEVER});
    uint64_t first = 0;
    for (uint64_t replication = 0; replication < 3; replication++) {
        sim_reset(sim, 1, replication);
        struct seen *seen = seen_by(NULL);
        for (int b = 0; b < 64; b++) {
            assert_half(seen->ones[b]);
        }
        assert_half(seen->bits);
        assert_half(seen->other);
        assert_true(seen->first[0] != seen->first[1]);
        first = replication == 0 ? seen->first[0] : first;
    }
    sim_reset(sim, 1, 0);
    assert_true(seen_by(NULL)->first[0] == first);
    sim_reset(sim, 2, 0);
    assert_true(seen_by(NULL)->first[0] != first);
    sim_close(sim);
}

/* Replications 2k and 2k + 1 have each other's complement, and nothing in common with others. */
static void bits_of_pairs_are_opposite(void **state)
{
    (void)state;
    const struct group_plan group = {.name = "eye", .type = &type, .count = 1};
    const struct blueprint plan = {.groups = &group, .n_groups = 1, .n_entities = 1};
    struct sim *sim = sim_open(
        &plan, &(struct sim_options){.end = 1000, .interval = SIM_TIME_NEVER, .antithetic = true});
    uint64_t first[6];
    for (uint64_t replication = 0; replication < 6; replication++) {
        sim_reset(sim, 1, replication);
        first[replication] = seen_by(NULL)->first[0];
    }
    for (int i = 0; i < 6; i += 2) {
        assert_true(first[i] == ~first[i + 1]);
        assert_half(seen_by(NULL)->bits);
        for (int k = 0; k < i; k++) {
            assert_true(first[k] != first[i] && first[k] != first[i + 1]);
        }
    }
    sim_close(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(popular_keys_come_often),
                                       cmocka_unit_test(blocks_in_other_words_are_others),
                                       cmocka_unit_test(bits_belong_to_requests),
                                       cmocka_unit_test(bits_of_pairs_are_opposite)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
