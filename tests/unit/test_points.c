/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/hash.h"
#include "model/patch.h"
#include "model/points.h"
#include "model/resolved.h"

extern const struct entity_type *const entity_registry[];

/* --- patches ------------------------------------------------------------------------------ */

static void assert_patched(const char *before, const char *after, const char *patch)
{
    struct arena arena = {0};
    const char *made = patch_make(before, after, &arena);
    assert_string_equal(made, patch);
    assert_string_equal(patch_apply(before, made, &arena), after);
    arena_close(&arena);
}

static void patches_hold_what_differs(void **state)
{
    (void)state;
    assert_patched("a\nb\nc\n", "a\nb\nc\n", "");
    assert_patched("a\nb\nc\n", "a\nB\nc\n", "@1 1 1\nB\n");
    assert_patched("a\nb\nc\nd\n", "A\nb\nc\nD\n", "@0 1 1\nA\n@3 1 1\nD\n");
    assert_patched("a\nb\nc\n", "a\nx\n  y\nb\nc\n", "@1 0 2\nx\n  y\n");
    assert_patched("a\nb\nc\n", "c\n", "@0 2 0\n");
    assert_patched("", "a\n", "@0 0 1\na\n");
    assert_patched("@1 2 3\n", "@4 5 6\n", "@0 1 1\n@4 5 6\n");
    assert_patched("aa\nb\n", "a\nb\n", "@0 1 1\na\n");
}

static void other_patches_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "x",           "@",           "@1",     "@5 1 1\nx\n",
        "@1 9 0\n",    "@0 1 2\nx\n", "@0 1 1", "@1 1 1\nx\n@0 1 1\ny\n",
        "@-1 1 1\nx\n"};
    struct arena arena = {0};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_null(patch_apply("a\nb\nc\n", bad[i], &arena));
    }
    arena_close(&arena);
}

static void random_texts_are_patched(void **state)
{
    (void)state;
    uint64_t random = 5;
    for (int round = 0; round < 2000; round++) {
        char text[2][200];
        for (int t = 0; t < 2; t++) {
            size_t n = 0;
            for (uint64_t lines = (random = hash_mix64(random)) % 12; lines > 0; lines--) {
                random = hash_mix64(random);
                n += (size_t)sprintf(text[t] + n, "%.*s\n", (int)(random % 3), &"xyz"[random % 2]);
            }
            text[t][n] = '\0';
        }
        struct arena arena = {0};
        const char *patch = patch_make(text[0], text[1], &arena);
        assert_string_equal(patch_apply(text[0], patch, &arena), text[1]);
        arena_close(&arena);
    }
}

/* --- points ------------------------------------------------------------------------------- */

static const char model[] =
    "squall: 1\nname: points\nduration: 10s\ninterval: 1s\n"
    "policies: {naive: {retry: {kind: fixed, delay: 10ms, max_attempts: 3}}, calm: {retry: none}}\n"
    "entities:\n"
    "  users: {type: client, target: web, arrivals: {poisson: 5/s}, call: {policy: naive}}\n"
    "  web: {type: server, concurrency: 3}\n"
    "  idle: {type: server}\n";

/* Reads a configuration from a file, as users do. */
static bool load(struct points *p, const char *sweep, const char *const *overrides,
                 struct diag *diag, const struct points_visitor *visitor)
{
    char path[] = "/tmp/squall-points-XXXXXX";
    int fd = mkstemp(path);
    FILE *out = fdopen(fd, "w");
    assert_non_null(out);
    fprintf(out, "%s%s", model, sweep);
    assert_int_equal(fclose(out), 0);
    bool good = points_load(p, path, overrides, entity_registry, diag, visitor);
    unlink(path);
    return good;
}

static struct points load_good(const char *sweep)
{
    struct points p;
    struct diag diag = {0};
    bool good = load(&p, sweep, NULL, &diag, NULL);
    diag_print(&diag, stderr, 0);
    diag_close(&diag);
    assert_true(good);
    return p;
}

static const void *server_params(const struct study *s)
{
    return s->groups[1].params;
}

static void without_a_sweep_there_is_one_point(void **state)
{
    (void)state;
    struct points p = load_good("");
    assert_int_equal(p.n, 1);
    assert_true(points_hash(&p) == plan_hash(points_study(&p, 0)));
    assert_string_equal(p.sweep, "");
    points_close(&p);
}

static void every_point_is_the_study_with_its_values(void **state)
{
    (void)state;
    struct points p = load_good("sweep: {web.concurrency: [1, 2], users.call.policy: [naive, "
                                "calm], duration: {from: 1s, to: 3s, steps: 3}}\n");
    assert_int_equal(p.n, 12);
    for (uint64_t k = 0; k < p.n; k++) {
        char set[3][80];
        snprintf(set[0], sizeof set[0], "web.concurrency=%d", k < 6 ? 1 : 2);
        snprintf(set[1], sizeof set[1], "users.call.policy=%s", k / 3 % 2 ? "calm" : "naive");
        snprintf(set[2], sizeof set[2], "duration=%ds", 1 + (int)(k % 3));
        const char *const by_hand[] = {set[0], set[1], set[2], NULL};
        struct points one;
        struct diag diag = {0};
        assert_true(load(&one, "", by_hand, &diag, NULL));
        diag_close(&diag);
        assert_true(points_hash(&one) == p.items[k].hash);
        assert_true(plan_hash(points_study(&p, k)) == p.items[k].hash);
        assert_int_equal(points_study(&p, k)->settings.duration,
                         (1 + (sim_time)(k % 3)) * SIM_TIME_S);
        points_close(&one);
    }
    points_close(&p);
}

static void points_are_restored_from_texts(void **state)
{
    (void)state;
    struct points p = load_good("sweep: {web.count: [2, 3], users.call.policy: [naive, calm]}\n");
    struct points again;
    struct diag diag = {0};
    assert_true(points_restore(&again, &p, entity_registry, &diag));
    assert_true(points_hash(&again) == points_hash(&p));
    for (uint64_t k = p.n; k-- > 0;) {
        assert_non_null(points_study(&again, k));
        assert_int_equal(again.held->blueprint.n_entities,
                         points_study(&p, k)->blueprint.n_entities);
    }
    struct arena arena = {0};
    assert_string_equal(points_name(&again, 3, NULL, &arena),
                        "web.count=3, users.call.policy=calm");
    struct blueprint whole;
    points_whole(&again, &arena, &whole);
    assert_int_equal(whole.n_entities, 5);
    assert_int_equal(whole.groups[2].first, 4);
    assert_true(again.uneven);
    arena_close(&arena);
    again.items[1].hash++;
    points_study(&again, 0);
    assert_null(points_study(&again, 1)); /* not what was planned */
    points_close(&again);
    points_close(&p);
    diag_close(&diag);
}

static void other_values_are_another_plan(void **state)
{
    (void)state;
    struct points a = load_good("sweep: {web.concurrency: [1, 2]}\n");
    struct points b = load_good("sweep: {web.concurrency: [1, 3]}\n");
    struct points c = load_good("sweep: {web.concurrency: [1, 2, 3]}\n");
    struct points d = load_good("sweep:\n  list: [{web.concurrency: 1}, {web.concurrency: 2}]\n");
    assert_true(points_hash(&a) != points_hash(&b));
    assert_true(points_hash(&a) != points_hash(&c));
    assert_true(points_hash(&a) == points_hash(&d));
    points_close(&a);
    points_close(&b);
    points_close(&c);
    points_close(&d);
}

/* Whoever is named in the timeline of one point keeps series, and so at all points. */
static void all_points_keep_the_same_series(void **state)
{
    (void)state;
    struct points p =
        load_good("sweep: {timeline: [[], [{at: 1s, for: 1s, slow: web, factor: 2}]]}\n");
    for (uint64_t k = 0; k < 2; k++) {
        assert_true(points_study(&p, k)->blueprint.groups[1].sampled);
        assert_true(points_study(&p, k)->blueprint.groups[0].sampled);
    }
    points_close(&p);
}

static void mistakes_of_all_points_are_told_once(void **state)
{
    (void)state;
    static const struct {
        const char *sweep;
        size_t errors;
    } table[] = {
        {"sweep: {web.concurrency: [1, 0, 2], users.call.policy: [naive, calm]}\n", 1},
        {"sweep: {web.concurrency: [0, -1], users.call.timout: [1s, 2s]}\n", 4},
        {"sweep: {web.concurrency: [0, 1]}\n", 1},
        {"sweep: {entities: [{a: {type: phold}}, {b: {type: phold}}]}\n", 1},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct points p;
        struct diag diag = {0};
        bool good = load(&p, table[i].sweep, NULL, &diag, NULL);
        assert_int_equal(good, table[i].errors == 0);
        assert_int_equal(diag.errors, table[i].errors);
        if (good) {
            points_close(&p);
        }
        diag_close(&diag);
    }
}

/* A policy that some point uses is used. */
static void warnings_are_of_all_points(void **state)
{
    (void)state;
    struct points p;
    struct diag diag = {0};
    assert_true(load(&p, "", NULL, &diag, NULL));
    size_t alone = diag.warnings;
    points_close(&p);
    diag_close(&diag);
    assert_true(load(&p, "sweep: {users.call.policy: [naive, calm]}\n", NULL, &diag, NULL));
    assert_int_equal(diag.warnings, alone - 1);
    points_close(&p);
    diag_close(&diag);
}

static void overrides_reach_the_sweep(void **state)
{
    (void)state;
    struct points p;
    struct diag diag = {0};
    assert_true(load(&p, "sweep: {web.concurrency: [1, 2]}\n",
                     (const char *[]){"sweep={web.concurrency: [5, 6, 7]}", "duration=2s", NULL},
                     &diag, NULL));
    assert_int_equal(p.n, 3);
    assert_int_equal(*(const int64_t *)server_params(points_study(&p, 2)), 7);
    assert_int_equal(p.held->settings.duration, 2 * SIM_TIME_S);
    points_close(&p);
    diag_close(&diag);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(patches_hold_what_differs),
        cmocka_unit_test(other_patches_are_refused),
        cmocka_unit_test(random_texts_are_patched),
        cmocka_unit_test(without_a_sweep_there_is_one_point),
        cmocka_unit_test(every_point_is_the_study_with_its_values),
        cmocka_unit_test(points_are_restored_from_texts),
        cmocka_unit_test(other_values_are_another_plan),
        cmocka_unit_test(all_points_keep_the_same_series),
        cmocka_unit_test(mistakes_of_all_points_are_told_once),
        cmocka_unit_test(warnings_are_of_all_points),
        cmocka_unit_test(overrides_reach_the_sweep),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
