/* SPDX-License-Identifier: Apache-2.0
 *
 * The strategies of a load balancer, without one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "policies/balancing.h"
#include "support/choice.h"

enum { MOST = 16, MOST_POINTS = 20000 };

static struct balancing b;
static struct balanced_backend all[MOST];
static uint32_t up[MOST], loads[MOST], turn, n_all;
static struct balanced_point ring[MOST_POINTS];
static struct balanced among;
static struct rng_stream stream;

static uint32_t load_of(uint32_t i, void *context)
{
    return ((const uint32_t *)context)[i];
}

/* Whether backend i may be chosen. */
static void set_up(uint32_t i, bool is_up)
{
    all[i].up = is_up;
    among.n = 0;
    for (uint32_t k = 0; k < n_all; k++) {
        if (all[k].up) {
            up[among.n++] = k;
        }
    }
}

/* Backend i of those that begin is called 'a' + i. */
static uint64_t name_of(uint32_t i)
{
    char name[2] = {(char)('a' + i), 0};
    return hash_text(name);
}

static void begin(const char *strategy, uint32_t n, const int64_t *weights)
{
    uint64_t names[MOST];
    char text[128] = "t: ";
    assert_true(choice_read(&balancing_choice, strncat(text, strategy, 100), &b));
    memset(all, 0, sizeof all);
    memset(loads, 0, sizeof loads);
    turn = 0;
    n_all = n;
    among = (struct balanced){
        .all = all, .up = up, .ring = ring, .turn = &turn, .load = load_of, .context = loads};
    for (uint32_t i = 0; i < n; i++) {
        all[i].weight = weights ? weights[i] : 1;
        names[i] = name_of(i);
        set_up(i, true);
    }
    among.points = (uint32_t)balancing_points(&b, all, n);
    assert_true(among.points <= MOST_POINTS);
    balancing_lay_ring(&b, all, names, among.points ? n : 0, ring);
    rng_init(&stream, &(struct rng_key){.seed = 17});
}

static uint32_t pick(uint64_t key)
{
    return balancing_pick(&b, &among, key, &stream);
}

static void assert_picks(const char *expected)
{
    for (const char *p = expected; *p; p++) {
        assert_int_equal(pick(0), *p - 'a');
    }
}

/* --- in turn and by weight --------------------------------------------------------------- */

static void turns_pass_over_who_is_out(void **state)
{
    (void)state;
    begin("round_robin", 4, NULL);
    assert_picks("abcdab");
    set_up(2, false);
    assert_picks("dabd");
    set_up(2, true);
    assert_picks("abcd");
    assert_int_equal(stream.drawn, 0);
}

/* The golden vector of the upstream, which is nginx's. */
static void weighted_turns_are_smooth(void **state)
{
    (void)state;
    begin("weighted_round_robin", 3, (int64_t[]){5, 1, 1});
    assert_picks("aabacaaaabacaa");
    begin("weighted_round_robin", 3, (int64_t[]){2, 3, 1});
    assert_picks("babcabbabcab");
    begin("weighted_round_robin", 3, (int64_t[]){5, 1, 1});
    set_up(0, false);
    assert_picks("bcbcbc");
    begin("weighted_round_robin", 3, NULL);
    assert_picks("abcabc");
}

/* Exactly its weight in each run of as many as all weights, whatever these are. */
static void weighted_turns_are_fair(void **state)
{
    (void)state;
    struct rng_stream chance;
    rng_init(&chance, &(struct rng_key){.seed = 3});
    for (int round = 0; round < 300; round++) {
        int64_t weights[MOST], total = 0, picked[MOST] = {0};
        uint32_t n = 1 + (uint32_t)rng_below(&chance, MOST);
        for (uint32_t i = 0; i < n; i++) {
            total += weights[i] = 1 + (int64_t)rng_below(&chance, 9);
        }
        begin("weighted_round_robin", n, weights);
        for (int64_t k = 0; k < 3 * total; k++) {
            picked[pick(0)]++;
        }
        for (uint32_t i = 0; i < n; i++) {
            assert_int_equal(picked[i], 3 * weights[i]);
        }
    }
}

static void assert_shares(const double *shares, uint32_t n)
{
    enum { DRAWS = 100000 };
    uint32_t picked[MOST] = {0};
    for (int i = 0; i < DRAWS; i++) {
        picked[pick(0)]++;
    }
    for (uint32_t i = 0; i < n; i++) {
        double sd = sqrt(shares[i] * (1.0 - shares[i]) / DRAWS);
        assert_true(fabs((double)picked[i] / DRAWS - shares[i]) <= 4.0 * sd);
    }
}

static void chance_follows_the_weights(void **state)
{
    (void)state;
    begin("random", 4, (int64_t[]){9, 1, 1, 1});
    assert_shares((double[]){0.25, 0.25, 0.25, 0.25}, 4);
    set_up(1, false);
    assert_shares((double[]){1.0 / 3, 0, 1.0 / 3, 1.0 / 3}, 4);
    begin("weighted_random", 4, (int64_t[]){5, 1, 1, 3});
    assert_shares((double[]){0.5, 0.1, 0.1, 0.3}, 4);
    set_up(0, false);
    assert_shares((double[]){0, 0.2, 0.2, 0.6}, 4);
}

/* --- by what they are doing -------------------------------------------------------------- */

static void the_first_with_the_fewest_is_taken(void **state)
{
    (void)state;
    begin("least_connections", 4, NULL);
    assert_picks("aaa");
    memcpy(loads, (uint32_t[]){3, 2, 5, 2}, 16);
    assert_picks("bb");
    set_up(1, false);
    assert_picks("dd");
    assert_int_equal(stream.drawn, 0);
    begin("{least_connections: {ties: random}}", 3, NULL);
    assert_shares((double[]){1.0 / 3, 1.0 / 3, 1.0 / 3}, 3);
}

static void weights_divide_the_requests(void **state)
{
    (void)state;
    begin("weighted_least_connections", 3, (int64_t[]){4, 2, 1});
    memcpy(loads, (uint32_t[]){4, 2, 1}, 12);
    assert_picks("aa"); /* equal: the first */
    loads[0] = 5;
    assert_picks("bb");
    loads[1] = 3;
    assert_picks("cc");
    loads[2] = 2; /* 1.25, 1.5 and 2 */
    assert_picks("aa");
    begin("{weighted_least_connections: {ties: random}}", 2, (int64_t[]){3, 1});
    memcpy(loads, (uint32_t[]){6, 2}, 8);
    assert_shares((double[]){0.5, 0.5}, 2);
}

static void who_answers_fastest_is_taken(void **state)
{
    (void)state;
    begin("least_response_time", 3, NULL);
    assert_shares((double[]){1.0 / 3, 1.0 / 3, 1.0 / 3}, 3); /* nothing is known */
    balancing_answered(&b, &all[0], 100);
    assert_shares((double[]){0, 0.5, 0.5}, 3); /* who has not been tried goes before */
    loads[1] = 1;
    assert_picks("ccc");
    loads[2] = 1; /* both are busy for the first time */
    assert_picks("aaa");
    balancing_answered(&b, &all[1], 80);
    balancing_answered(&b, &all[2], 80);
    assert_picks("bbb");
    balancing_answered(&b, &all[1], 180); /* .3 * 180 + .7 * 80 = 110 */
    assert_true(all[1].average == 110.0);
    assert_picks("ccc");
    set_up(2, false);
    assert_picks("aaa");
    begin("{least_response_time: {alpha: 1}}", 2, NULL);
    balancing_answered(&b, &all[0], 9);
    balancing_answered(&b, &all[1], 10);
    balancing_answered(&b, &all[0], 11);
    assert_true(all[0].average == 11.0);
    assert_picks("bb");
}

/* Backends that never answer do not get everything. */
static void without_any_answer_all_are_alike(void **state)
{
    (void)state;
    begin("least_response_time", 2, NULL);
    loads[0] = loads[1] = 3;
    assert_shares((double[]){0.5, 0.5}, 2);
}

static void two_or_more_are_compared(void **state)
{
    (void)state;
    begin("power_of_two_choices", 3, NULL);
    memcpy(loads, (uint32_t[]){2, 0, 1}, 12);
    assert_shares((double[]){0, 2.0 / 3, 1.0 / 3}, 3);
    begin("{power_of_d_choices: {choices: 3}}", 3, NULL);
    memcpy(loads, (uint32_t[]){2, 0, 1}, 12);
    assert_picks("bbbb");
    set_up(1, false);
    assert_picks("cccc");
    begin("{power_of_d_choices: {choices: 1}}", 2, NULL);
    loads[0] = 9;
    assert_shares((double[]){0.5, 0.5}, 2);
}

/* --- by key ------------------------------------------------------------------------------ */

/* How many of these keys have another backend than in `before`, which is then as they are. */
enum { KEYS = 20000 };
static uint32_t moved(uint32_t *before)
{
    uint32_t n = 0;
    for (uint64_t k = 0; k < KEYS; k++) {
        uint32_t now = pick(hash_mix64(k));
        n += now != before[k];
        before[k] = now;
    }
    return n;
}

static void a_hash_moves_nearly_all_keys(void **state)
{
    (void)state;
    static uint32_t where[KEYS];
    begin("hash", 10, NULL);
    moved(where);
    assert_int_equal(moved(where), 0);
    assert_int_equal(where[0], hash_mix64(0) % 10);
    set_up(9, false);
    double share = (double)moved(where) / KEYS; /* h mod 10 = h mod 9 for one in ten */
    assert_true(fabs(share - 0.9) < 0.01);
}

/* Only those of the backend that goes, and they come back. */
static void a_ring_moves_only_the_keys_of_who_goes(void **state)
{
    (void)state;
    static uint32_t where[KEYS], before[KEYS];
    begin("consistent_hash", 10, NULL);
    assert_int_equal(among.points, 1000);
    moved(where);
    memcpy(before, where, sizeof before);
    uint32_t of_three = 0, others = 0;
    for (int k = 0; k < KEYS; k++) {
        of_three += where[k] == 3;
    }
    assert_true(of_three > 0.07 * KEYS && of_three < 0.13 * KEYS); /* 0.1 +- 10 % */
    set_up(3, false);
    assert_int_equal(moved(where), of_three);
    uint32_t took[MOST] = {0};
    for (int k = 0; k < KEYS; k++) {
        took[where[k]] += before[k] == 3;
        others += before[k] != 3 && where[k] != before[k];
    }
    assert_int_equal(others, 0);
    for (uint32_t i = 0; i < 10; i++) {
        assert_true(i == 3 ? took[i] == 0 : took[i] > 0); /* all take some of it */
    }
    set_up(3, true);
    moved(where);
    assert_memory_equal(where, before, sizeof before);
    assert_int_equal(stream.drawn, 0);
}

/* The first node whose hash is not below the key; after the last, the first. */
static void the_ring_wraps(void **state)
{
    (void)state;
    begin("{consistent_hash: {virtual_nodes: 3}}", 3, NULL);
    assert_int_equal(among.points, 9);
    for (uint32_t i = 0; i < 9; i++) {
        assert_true(i == 0 || ring[i - 1].hash < ring[i].hash);
        assert_int_equal(pick(ring[i].hash), ring[i].backend);
        assert_int_equal(pick(ring[i].hash + 1), ring[(i + 1) % 9].backend);
    }
    assert_int_equal(pick(UINT64_MAX), ring[0].backend);
    assert_int_equal(pick(0), ring[0].backend);
    for (uint32_t i = 0; i < 3; i++) { /* each node is where its name and number say */
        for (uint64_t k = 0; k < 3; k++) {
            assert_int_equal(pick(hash_pair(name_of(i), k)), i);
        }
    }
}

static void heavy_backends_have_more_of_the_ring(void **state)
{
    (void)state;
    static uint32_t where[KEYS];
    begin("{consistent_hash: {virtual_nodes: 1000}}", 3, (int64_t[]){6, 3, 1});
    assert_int_equal(among.points, 10000);
    moved(where);
    uint32_t picked[3] = {0};
    for (int k = 0; k < KEYS; k++) {
        picked[where[k]]++;
    }
    assert_true(fabs((double)picked[0] / KEYS - 0.6) < 0.04);
    assert_true(fabs((double)picked[1] / KEYS - 0.3) < 0.04);
}

/* --- what they have in common ------------------------------------------------------------ */

static void one_backend_needs_no_draw(void **state)
{
    (void)state;
    for (const struct alternative *a = balancing_choice.alternatives; a->name; a++) {
        begin(a->name, 3, NULL);
        set_up(0, false);
        set_up(2, false);
        assert_picks("bbb");
        assert_int_equal(stream.drawn, 0);
        assert_int_equal(balancing_needs_key(&b), strstr(a->name, "hash") != NULL);
    }
}

static void mistakes_are_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {"t: fastest",
                                        "t: {power_of_d_choices: {choices: 0}}",
                                        "t: {power_of_d_choices: {choices: 65}}",
                                        "t: {power_of_two_choices: {choices: 2}}",
                                        "t: {consistent_hash: {virtual_nodes: 0}}",
                                        "t: {hash: {by: cookie}}",
                                        "t: {least_connections: {ties: last}}",
                                        "t: {least_response_time: {alpha: 0}}",
                                        "t: {least_response_time: {alpha: 1.1}}"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_false(choice_read(&balancing_choice, wrong[i], &b));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(turns_pass_over_who_is_out),
        cmocka_unit_test(weighted_turns_are_smooth),
        cmocka_unit_test(weighted_turns_are_fair),
        cmocka_unit_test(chance_follows_the_weights),
        cmocka_unit_test(the_first_with_the_fewest_is_taken),
        cmocka_unit_test(weights_divide_the_requests),
        cmocka_unit_test(who_answers_fastest_is_taken),
        cmocka_unit_test(without_any_answer_all_are_alike),
        cmocka_unit_test(two_or_more_are_compared),
        cmocka_unit_test(a_hash_moves_nearly_all_keys),
        cmocka_unit_test(a_ring_moves_only_the_keys_of_who_goes),
        cmocka_unit_test(the_ring_wraps),
        cmocka_unit_test(heavy_backends_have_more_of_the_ring),
        cmocka_unit_test(one_backend_needs_no_draw),
        cmocka_unit_test(mistakes_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, choice_close);
}
