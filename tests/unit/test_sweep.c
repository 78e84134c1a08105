/* SPDX-License-Identifier: Apache-2.0
 *
 * What a sweep block says: its points, the values of their axes, and its mistakes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/units.h"
#include "config/dump.h"
#include "config/form.h"
#include "config/override.h"
#include "config/yaml.h"
#include "model/sweep.h"
#include "rng/cube.h"

static struct arena memory;
static struct diag diag;
static struct node *root;

static int open_all(void **state)
{
    (void)state;
    memset(&memory, 0, sizeof memory);
    memset(&diag, 0, sizeof diag);
    return 0;
}

static int close_all(void **state)
{
    (void)state;
    diag_close(&diag);
    arena_close(&memory);
    return 0;
}

/* Reads the `sweep` of a configuration. */
static bool read_sweep(const char *text, struct sweep *s)
{
    root = yaml_parse("f.yaml", text, strlen(text), &memory, &diag);
    if (!root) {
        diag_print(&diag, stderr, 0);
        fail();
    }
    return sweep_read(node_child(root, "sweep"), &memory, &diag, s);
}

static struct sweep read_good(const char *text)
{
    struct sweep s;
    if (!read_sweep(text, &s)) {
        diag_print(&diag, stderr, 0);
        fail();
    }
    return s;
}

/* "a=1 b=x; a=1 b=y": all points, each with the values of all axes. */
static void assert_points(const char *text, const char *expected)
{
    struct sweep s = read_good(text);
    char *told;
    size_t size;
    FILE *out = open_memstream(&told, &size);
    for (uint64_t p = 0; p < s.n_points; p++) {
        for (uint32_t a = 0; a < s.n_axes; a++) {
            fprintf(out, "%s%s=%s",
                    a   ? " "
                    : p ? "; "
                        : "",
                    s.axes[a].path, s.axes[a].texts[sweep_value(&s, p, a)]);
        }
    }
    fclose(out);
    assert_string_equal(told, expected);
    free(told);
}

/* "500/s 1000/s 1/s": the values of the only axis, and the unit of their numbers. */
static void assert_values(const char *values, const char *expected)
{
    struct sweep s = read_good(arena_format(&memory, "sweep: {a.b: %s}", values));
    assert_int_equal(s.n_axes, 1);
    assert_int_equal(s.n_points, s.axes[0].n);
    char *told;
    size_t size;
    FILE *out = open_memstream(&told, &size);
    for (uint64_t i = 0; i < s.axes[0].n; i++) {
        fprintf(out, "%s%s", i ? " " : "", s.axes[0].texts[i]);
    }
    fprintf(out, " in %s", s.axes[0].unit);
    fclose(out);
    assert_string_equal(told, expected);
    assert_true((s.axes[0].numbers != NULL) == (s.axes[0].unit[0] != '\0'));
    free(told);
}

static void points_are_the_product_of_the_factors(void **state)
{
    (void)state;
    assert_points("sweep:\n"
                  "  users.rate: {from: 500/s, to: 700/s, steps: 3}\n"
                  "  web.concurrency: 8\n"
                  "  web.queue: [1, 2]\n",
                  "users.rate=500/s web.concurrency=8 web.queue=1; "
                  "users.rate=500/s web.concurrency=8 web.queue=2; "
                  "users.rate=600/s web.concurrency=8 web.queue=1; "
                  "users.rate=600/s web.concurrency=8 web.queue=2; "
                  "users.rate=700/s web.concurrency=8 web.queue=1; "
                  "users.rate=700/s web.concurrency=8 web.queue=2");
}

static void a_zip_takes_values_side_by_side(void **state)
{
    (void)state;
    assert_points("sweep:\n"
                  "  zip: {web.count: [1, 2, 4], web.workers: {from: 30, to: 10, steps: 3}}\n"
                  "  x.y: [a, b]\n",
                  "web.count=1 web.workers=30 x.y=a; web.count=1 web.workers=30 x.y=b; "
                  "web.count=2 web.workers=20 x.y=a; web.count=2 web.workers=20 x.y=b; "
                  "web.count=4 web.workers=10 x.y=a; web.count=4 web.workers=10 x.y=b");
    assert_points("sweep: {zip: [{a.b: [1, 2], a.c: [3, 4]}, {b.b: [5, 6], b.c: [7, 8]}]}",
                  "a.b=1 a.c=3 b.b=5 b.c=7; a.b=1 a.c=3 b.b=6 b.c=8; "
                  "a.b=2 a.c=4 b.b=5 b.c=7; a.b=2 a.c=4 b.b=6 b.c=8");
}

static void a_list_has_points_written_out(void **state)
{
    (void)state;
    assert_points("sweep:\n"
                  "  x.y: [p, q]\n"
                  "  list:\n"
                  "    - {web.count: 1, db.queue: {capacity: 5}}\n"
                  "    - {db.queue: 9, web.count: 2}\n",
                  "x.y=p web.count=1 db.queue={capacity: 5}; x.y=p web.count=2 db.queue=9; "
                  "x.y=q web.count=1 db.queue={capacity: 5}; x.y=q web.count=2 db.queue=9");
}

static void nothing_swept_is_one_point(void **state)
{
    (void)state;
    assert_points("name: x\n", "");
    struct sweep s = read_good("sweep: {}\n");
    assert_int_equal(s.n_points, 1);
    assert_int_equal(s.n_axes, 0);
    assert_int_equal(s.n_factors, 0);
}

static void ranges_are_evenly_spaced(void **state)
{
    (void)state;
    assert_values("{from: 500/s, to: 1000/s, steps: 11}",
                  "500/s 550/s 600/s 650/s 700/s 750/s 800/s 850/s 900/s 950/s 1000/s in 1/s");
    assert_values("{from: 0.1, to: 0.5, steps: 5}", "0.1 0.2 0.3 0.4 0.5 in 1");
    assert_values("{from: 5%, to: 15%, steps: 3}", "0.05 0.1 0.15 in 1");
    assert_values("{from: 2s, to: 1s, steps: 3}", "2s 1.5s 1s in s");
    assert_values("{from: 1ms, to: 2ms, steps: 4}", "1ms 1333333ns 1666667ns 2ms in s");
    assert_values("{from: 0, to: 1m, steps: 3}", "0s 30s 1m in s");
    assert_values("{from: 1kB, to: 3, steps: 2}", "1kB 3B in B");
    assert_values("{from: 7, to: 9, steps: 1}", "7 in 1");
    assert_values("{from: 1e-300, to: 1.7e308, steps: 2}", "1e-300 1.7e308 in 1");
}

static void logarithmic_ranges_have_even_ratios(void **state)
{
    (void)state;
    assert_values("{from: 1/s, to: 1000/s, steps: 4, scale: log}", "1/s 10/s 100/s 1000/s in 1/s");
    assert_values("{from: 10ms, to: 1s, steps: 3, scale: log}", "10ms 100ms 1s in s");
    assert_values("{from: 1, to: 4, steps: 5, scale: log}",
                  "1 1.41421356237 2 2.82842712475 4 in 1");
}

static void rounded_values_are_whole_and_count_once(void **state)
{
    (void)state;
    assert_values("{from: 1, to: 4, steps: 3, round: true}", "1 3 4 in 1");
    assert_values("{from: 1, to: 16, steps: 9, scale: log, round: true}", "1 2 3 4 6 8 11 16 in 1");
    assert_values("{from: 1ns, to: 2ns, steps: 9}", "1ns 2ns in s");
    assert_values("{from: -0.4, to: -2, steps: 5, round: true}", "0 -1 -2 in 1");
}

static void numbers_are_those_of_the_texts(void **state)
{
    (void)state;
    struct sweep s = read_good("sweep: {a.b: {from: 10ms, to: 50ms, steps: 5}, a.c: [1kB, 5]}");
    for (uint64_t i = 0; i < 5; i++) {
        sim_time time;
        assert_null(units_read_duration(s.axes[0].texts[i], &memory, &time));
        assert_true(s.axes[0].numbers[i] == (double)time / 1e9);
        assert_string_equal(s.axes[0].values[i]->text, s.axes[0].texts[i]);
    }
    assert_true(s.axes[0].numbers[2] == 0.03);
    assert_string_equal(s.axes[1].unit, "B");
    assert_true(s.axes[1].numbers[0] == 1000.0 && s.axes[1].numbers[1] == 5.0);
}

static void lists_hold_anything(void **state)
{
    (void)state;
    assert_values("[1, 2.5, 10%]", "1 2.5 10% in 1");
    assert_values("[100ms, 2]", "100ms 2 in s");
    assert_values("[1s, 2/s]", "1s 2/s in ");
    assert_values("[4, unlimited]", "4 unlimited in ");
    assert_values("[naive, patient]", "naive patient in ");
    assert_values("[[], [{at: 1s, slow: web, factor: 2}]]",
                  "[] [{at: 1s, slow: web, factor: 2}] in ");
    assert_values("{exponential: 20ms}", "{exponential: 20ms} in ");
    /* Mappings with keys of a range that are none. */
    assert_values("{kind: ramp, from: 1/s, to: 2/s, duration: 1s}",
                  "{kind: ramp, from: 1/s, to: 2/s, duration: 1s} in ");
    assert_values("{from: users, to: web, latency: 1ms}",
                  "{from: users, to: web, latency: 1ms} in ");
    assert_values("{from: 10s, threshold: 50%}", "{from: 10s, threshold: 50%} in ");
    assert_values("[{from: 1, to: 4}]", "{from: 1, to: 4} in ");
}

static void values_stand_where_they_are_written(void **state)
{
    (void)state;
    struct sweep s = read_good("sweep:\n"
                               "  a.b: [1,\n"
                               "        2]\n"
                               "  a.c: {from: 1, to: 3, steps: 3}\n"
                               "  list: [{a.d: x},\n"
                               "         {a.d: y}]\n");
    const struct node *listed = s.axes[0].values[1], *made = s.axes[1].values[1],
                      *written = s.axes[2].values[1];
    assert_int_equal(listed->line, 3);
    assert_int_equal(listed->column, 9);
    assert_string_equal(made->text, "2");
    assert_int_equal(made->line, 4);
    assert_int_equal(made->column, 8);
    assert_string_equal(made->file, "f.yaml");
    assert_string_equal(diag_path(&memory, made), "sweep.a.c");
    assert_int_equal(written->line, 6);
    assert_int_equal(written->column, 16);
}

static void designs_stay_between_their_ends(void **state)
{
    (void)state;
    static const char *const words[] = {"random", "lhs", "sobol", "niederreiter"};
    for (size_t w = 0; w < sizeof words / sizeof words[0]; w++) {
        struct sweep s = read_good(
            arena_format(&memory,
                         "sweep:\n"
                         "  %s:\n"
                         "    points: 4096\n"
                         "    axes: {a.t: {from: 10ms, to: 1s, scale: log}, a.l: [x, y, z],\n"
                         "           a.n: {from: 4, to: 1, round: true}}\n"
                         "  b.c: [1, 2]\n",
                         words[w]));
        uint64_t items[3] = {0}, wholes[5] = {0}, below = 0;
        assert_int_equal(s.n_points, 8192);
        assert_int_equal(s.n_factors, 2);
        for (uint64_t p = 0; p < s.n_points; p += 2) {
            double t = s.axes[0].numbers[sweep_value(&s, p, 0)];
            double n = s.axes[2].numbers[sweep_value(&s, p, 2)];
            assert_int_equal(sweep_value(&s, p, 0), p / 2);
            assert_int_equal(sweep_value(&s, p + 1, 1), sweep_value(&s, p, 1));
            assert_true(t >= 0.01 && t <= 1.0 && n >= 1.0 && n <= 4.0);
            below += t < 0.1;
            items[sweep_value(&s, p, 1)]++;
            wholes[(size_t)n]++;
        }
        assert_int_equal(s.axes[1].n, 3);
        /* What is to be expected of 4096, and five deviations on either side. */
        assert_in_range(below, 1888, 2208);
        for (int i = 0; i < 3; i++) {
            assert_in_range(items[i], 1214, 1517);
        }
        for (int i = 1; i <= 4; i++) {
            assert_in_range(wholes[i], 885, 1163);
        }
    }
}

static void designs_are_as_their_seed_has_them(void **state)
{
    (void)state;
    static const char text[] = "sweep: {random: {points: 4, %saxes: {a.b: {from: 0, to: 1}}}}";
    struct sweep by_default = read_good(arena_format(&memory, text, ""));
    struct sweep first = read_good(arena_format(&memory, text, "seed: 1, "));
    struct sweep second = read_good(arena_format(&memory, text, "seed: 2, "));
    for (int i = 0; i < 4; i++) {
        assert_string_equal(by_default.axes[0].texts[i], first.axes[0].texts[i]);
        assert_string_not_equal(by_default.axes[0].texts[i], second.axes[0].texts[i]);
    }
}

static void the_limits_told_are_those_of_the_cube(void **state)
{
    (void)state;
    static const struct {
        const char *word;
        enum cube_method method;
        uint32_t by; /* coordinates that an axis takes */
    } limited[] = {{"sobol", CUBE_SOBOL, 1},
                   {"niederreiter", CUBE_NIEDERREITER, 1},
                   {"saltelli", CUBE_SOBOL, 2}};
    for (int i = 0; i < 3; i++) {
        const char *limit =
            arena_format(&memory, "up to %u axes",
                         (unsigned)(cube_dims_most(limited[i].method) / limited[i].by));
        assert_non_null(strstr(form_row(sweep_schema.rows, limited[i].word)->doc, limit));
    }
}

static void a_trajectory_moves_one_axis_at_a_time(void **state)
{
    (void)state;
    assert_points("sweep:\n"
                  "  morris:\n"
                  "    trajectories: 2\n"
                  "    axes: {a.t: {from: 1ms, to: 1s, scale: log}, a.l: [x, y, z],\n"
                  "           a.n: {from: 4, to: 1, round: true}}\n",
                  "a.t=1s a.l=y a.n=4; a.t=1s a.l=y a.n=2; a.t=10ms a.l=y a.n=2; "
                  "a.t=10ms a.l=x a.n=2; "
                  "a.t=10ms a.l=y a.n=2; a.t=10ms a.l=z a.n=2; a.t=10ms a.l=z a.n=4; "
                  "a.t=1s a.l=z a.n=4");
}

static void pairs_are_followed_by_their_mixtures(void **state)
{
    (void)state;
    /* Of the sequence as published, whose third point is 3/4, 1/4, 3/4 and 1/4, 3/4, 1/4. */
    assert_points(
        "sweep: {saltelli: {points: 3, seed: 0, axes: {a.b: {from: 8, to: 16}, a.c: [k, l, "
        "m, n], a.d: {from: 1, to: 4, round: true}}}}",
        "a.b=8 a.c=k a.d=1; a.b=8 a.c=k a.d=1; a.b=8 a.c=k a.d=1; a.b=8 a.c=k a.d=1; "
        "a.b=8 a.c=k a.d=1; "
        "a.b=12 a.c=m a.d=3; a.b=12 a.c=m a.d=3; a.b=12 a.c=m a.d=3; "
        "a.b=12 a.c=m a.d=3; a.b=12 a.c=m a.d=3; "
        "a.b=14 a.c=l a.d=4; a.b=10 a.c=n a.d=2; a.b=10 a.c=l a.d=4; "
        "a.b=14 a.c=n a.d=4; a.b=14 a.c=l a.d=2");
}

/* The trajectories of a design are known, and those of another beside it; nothing of others. */
static void the_order_of_a_design_is_kept(void **state)
{
    (void)state;
    struct sweep s = read_good("sweep:\n"
                               "  a.a: [1, 2]\n"
                               "  morris: {trajectories: 3, levels: 6, seed: 5, axes: {a.b: [x, "
                               "y], a.c: {from: 1, to: 2}}}\n"
                               "  lhs: {points: 2, axes: {a.d: [1, 2]}}\n"
                               "  saltelli: {points: 2, axes: {a.e: {from: 0, to: 1}}}\n");
    assert_int_equal(s.n_factors, 4);
    assert_null(s.factors[0].design);
    assert_null(s.factors[2].design);
    const struct sweep_design *morris = s.factors[1].design, *saltelli = s.factors[3].design;
    assert_string_equal(morris->kind, "morris");
    assert_int_equal(morris->size, 3);
    assert_int_equal(morris->grid, 6);
    assert_int_equal(morris->seed, 5);
    assert_int_equal(morris->first_axis, 1);
    assert_int_equal(morris->n_axes, 2);
    assert_string_equal(saltelli->kind, "saltelli");
    assert_int_equal(saltelli->size, 2);
    assert_int_equal(saltelli->grid, 0);
    assert_int_equal(saltelli->seed, 1);
    assert_int_equal(saltelli->first_axis, 4);
    assert_int_equal(saltelli->n_axes, 1);
    assert_int_equal(s.n_points, 2 * 9 * 2 * 6);
    for (uint64_t p = 0; p < s.n_points; p++) {
        uint64_t row = sweep_level(&s, p, 1), pair = sweep_level(&s, p, 3);
        assert_int_equal(row, p / 12 % 9);
        assert_int_equal(pair, p % 6);
        assert_int_equal(sweep_value(&s, p, 1), morris->unit[2 * row] > 0.5);
        double c = s.axes[2].numbers[sweep_value(&s, p, 2)];
        double e = s.axes[4].numbers[sweep_value(&s, p, 4)];
        assert_true(fabs(c - 1.0 - morris->unit[2 * row + 1]) < 1e-11);
        assert_true(fabs(e - saltelli->unit[pair]) < 1e-11);
    }
}

/* A step of half of the levels always leads to another value, also where values are rounded. */
static void every_step_changes_a_value(void **state)
{
    (void)state;
    for (int levels = 2; levels <= 10; levels += 2) {
        for (int items = 2; items <= 9; items++) {
            struct sweep s = read_good(arena_format(
                &memory,
                "sweep: {morris: {trajectories: 50, levels: %d, axes: {a.b: {from: 1, to: %d, "
                "round: true}}}}",
                levels, items));
            bool seen[10] = {false};
            for (uint64_t p = 0; p < s.n_points; p += 2) {
                int before = (int)s.axes[0].numbers[p], after = (int)s.axes[0].numbers[p + 1];
                assert_true(before != after);
                seen[before] = seen[after] = true;
            }
            assert_true(seen[1] && seen[items]); /* the ends are levels */
        }
    }
}

struct pair {
    const char *given, *expected;
};

static const struct pair mistakes[] = {
    {"5", "f.yaml:1:8: sweep: expected a mapping from paths to values\n"},
    {"{a.b: []}", "f.yaml:1:14: sweep.a.b: the list is empty; expected at least one value\n"},
    {"{a.b: }", "f.yaml:1:14: sweep.a.b: expected values, found nothing\n"},
    {"{a.b: {from: 1, to: 2, steps: 0}}", "f.yaml:1:38: sweep.a.b.steps: 0 is below 1\n"},
    {"{a.b: {from: 1, to: 2, steps: 2000000}}",
     "f.yaml:1:38: sweep.a.b.steps: 2000000 is above 1000000\n"},
    {"{a.b: {from: 1, to: 2, step: 5}}",
     "f.yaml:1:14: sweep.a.b: 'steps' is missing\n"
     "f.yaml:1:31: sweep.a.b.step: unknown key (did you mean 'steps'?)\n"},
    {"{a.b: {from: x, to: 2, steps: 5}}",
     "f.yaml:1:21: sweep.a.b.from: 'x' is not a number (expected for instance 500/s, 20ms, 4KiB, "
     "5%)\n"},
    {"{a.b: {from: 1s, to: 2/s, steps: 5}}",
     "f.yaml:1:29: sweep.a.b.to: '2/s' is a rate, but the other end, '1s', is a duration\n"},
    {"{a.b: {from: 0, to: 2, steps: 5, scale: log}}",
     "f.yaml:1:48: sweep.a.b.scale: logarithms need both ends above 0\n"},
    {"{a.b: {from: 0.4, to: 2, steps: 5, scale: log, round: true}}",
     "f.yaml:1:50: sweep.a.b.scale: logarithms need both ends above 0 when they are rounded\n"},
    {"{a.b: {from: 1s, to: 2s, steps: 5, round: true}}",
     "f.yaml:1:50: sweep.a.b.round: durations are not whole numbers; leave it out\n"},
    {"{a.b: {from: 1d, to: 1e12, steps: 5}}", "f.yaml:1:14: sweep.a.b: the ends are too large\n"},
    {"{a.b: {from: 1, to: 2, steps: 600000}, a.c: {from: 1, to: 2, steps: 600000}}",
     "f.yaml:1:52: sweep.a.c: more than 1000000 values are made from ranges\n"},
    {"{a.b: {from: 1, to: 2, steps: 10000}, a.c: {from: 1, to: 2, steps: 10000}}",
     "f.yaml:1:8: sweep: there are more than 10000000 points\n"},
    {"{zip: {a.b: [1, 2], a.c: [1]}}",
     "f.yaml:1:33: sweep.zip.a.c: 1 value, but 'a.b' has 2; expected as many\n"},
    {"{zip: {}}", "f.yaml:1:14: sweep.zip: expected paths, each with what it is set to\n"},
    {"{zip: 5}", "f.yaml:1:14: sweep.zip: expected a mapping, found '5'\n"},
    {"{zip: {zip: {a.b: 1}}}",
     "f.yaml:1:15: sweep.zip.zip: stands only directly in the sweep; expected a path\n"},
    {"{list: []}", "f.yaml:1:15: sweep.list: the list is empty; expected at least one point\n"},
    {"{list: [{a.b: 1, a.c: 2}, {a.b: 2, a.d: 3}]}",
     "f.yaml:1:34: sweep.list[1]: 'a.c' is missing, which the first point of the list sets\n"
     "f.yaml:1:43: sweep.list[1].a.d: the first point of the list does not set this\n"},
    {"{list: [{a.b: 1, seed: 2, name: x}]}",
     "f.yaml:1:25: sweep.list[0].seed: 'seed' cannot be swept: all points have the same; chance "
     "differs between replications\n"
     "f.yaml:1:34: sweep.list[0].name: 'name' cannot be swept: all points are in the results of "
     "this name\n"},
    {"{list: [{a.b: 1}, {a.c: 1}, {}]}",
     "f.yaml:1:26: sweep.list[1]: 'a.b' is missing, which the first point of the list sets\n"
     "f.yaml:1:27: sweep.list[1].a.c: the first point of the list does not set this\n"
     "f.yaml:1:36: sweep.list[2]: 'a.b' is missing, which the first point of the list sets\n"},
    {"{random: {points: 0, axes: {a.b: 5}}}", "f.yaml:1:26: sweep.random.points: 0 is below 1\n"},
    {"{random: {points: 2, axes: {a.b: 5}}}",
     "f.yaml:1:41: sweep.random.axes.a.b: expected {from: ..., to: ...} or a list\n"},
    {"{lhs: {points: 2, axes: {a.b: {from: 1, to: 2, steps: 3}}}}",
     "f.yaml:1:55: sweep.lhs.axes.a.b.steps: unknown key (known: from, to, scale, round)\n"},
    {"{lhs: {points: 2, axes: {}}}",
     "f.yaml:1:32: sweep.lhs.axes: expected paths, each with what it is set to\n"},
    {"{lhs: {points: 2, axis: {a.b: [1]}}}",
     "f.yaml:1:14: sweep.lhs: 'axes' is missing\n"
     "f.yaml:1:26: sweep.lhs.axis: unknown key (did you mean 'axes'?)\n"},
    {"{lhs: {points: 600000, axes: {a.b: [1], a.c: [2]}}}",
     "f.yaml:1:37: sweep.lhs.axes: 600000 points of 2 axes are more than 1000000 values\n"},
    {"{niederreiter: {points: 2, axes: {a.a: [1], a.b: [1], a.c: [1], a.d: [1], a.e: [1], "
     "a.f: [1], a.g: [1], a.h: [1], a.i: [1], a.j: [1], a.k: [1], a.l: [1], a.m: [1]}}}",
     "f.yaml:1:41: sweep.niederreiter.axes: 13 axes; this design has at most 12\n"},
    {"{morris: {trajectories: 2, levels: 5, axes: {a.b: [1, 2]}}}",
     "f.yaml:1:43: sweep.morris.levels: 5 levels; expected an even number, so that a step of half "
     "of them leads from each level to one other\n"},
    {"{morris: {points: 2, axes: {a.b: [1, 2]}}}",
     "f.yaml:1:17: sweep.morris: 'trajectories' is missing\n"
     "f.yaml:1:18: sweep.morris.points: unknown key (known: trajectories, levels, seed, axes)\n"},
    {"{morris: {trajectories: 2, axes: {a.b: 5, a.c: {from: 0, to: 1, scale: log}}}}",
     "f.yaml:1:47: sweep.morris.axes.a.b: expected {from: ..., to: ...} or a list\n"
     "f.yaml:1:79: sweep.morris.axes.a.c.scale: logarithms need both ends above 0\n"},
    {"{morris: {trajectories: 400000, axes: {a.b: [1], a.c: [2]}}}",
     "f.yaml:1:46: sweep.morris.axes: 1200000 points of 2 axes are more than 1000000 values\n"},
    {"{saltelli: {points: 2, axes: {a.a: [1], a.b: [1], a.c: [1], a.d: [1], a.e: [1], a.f: [1], "
     "a.g: [1], a.h: [1], a.i: [1], a.j: [1], a.k: [1], a.l: [1], a.m: [1], a.n: [1], a.o: [1], "
     "a.p: [1], a.q: [1], a.r: [1], a.s: [1], a.t: [1], a.u: [1]}}}",
     "f.yaml:1:37: sweep.saltelli.axes: 21 axes; this design has at most 20\n"},
    {"{saltelli: {points: 2, axes: {}}}",
     "f.yaml:1:37: sweep.saltelli.axes: expected paths, each with what it is set to\n"},
    {"{seed: [1, 2]}", "f.yaml:1:9: sweep.seed: 'seed' cannot be swept: all points have the same; "
                       "chance differs between replications\n"},
    {"{output.trace.sample: [1]}", "f.yaml:1:9: sweep.output.trace.sample: 'output' cannot be "
                                   "swept: the same is kept of all points\n"},
    {"{web.type: [server]}", "f.yaml:1:9: sweep.web.type: the type of an entity cannot be swept: "
                             "its statistics depend on it\n"},
    {"{entities.web.type: [server]}", "f.yaml:1:9: sweep.entities.web.type: the type of an entity "
                                      "cannot be swept: its statistics depend on it\n"},
    {"{web: [{}]}", "f.yaml:1:9: sweep.web: expected a path such as users.arrivals.rate; an entity "
                    "as a whole cannot be swept, only what its keys are\n"},
    {"{entities: [{}]}",
     "f.yaml:1:9: sweep.entities: expected a path such as users.arrivals.rate; an entity as a "
     "whole cannot be swept, only what its keys are\n"},
    {"{randm: {points: 5}}", "f.yaml:1:9: sweep.randm: unknown key (did you mean 'random'?)\n"},
    {"{timelin: [[]]}", "f.yaml:1:9: sweep.timelin: unknown key (did you mean 'timeline'?)\n"},
    {"{a.b: 1, entities.a.b: 2}",
     "f.yaml:1:17: sweep.entities.a.b: stands in the sweep already, at 1:9\n"},
    {"{a.b: 1, zip: {a.b: [1]}}",
     "f.yaml:1:23: sweep.zip.a.b: stands in the sweep already, at 1:9\n"},
    {"{a.b: 1, a.b.c: 2}",
     "f.yaml:1:17: sweep.a.b.c: 'a.b', at 1:9, sets the same; leave one of them\n"},
    {"{'timeline[0].at': 1, timeline: [[]]}",
     "f.yaml:1:30: sweep.timeline: 'timeline[0].at', at 1:9, sets the same; leave one of them\n"},
};

static void mistakes_are_told(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof mistakes / sizeof mistakes[0]; i++) {
        struct sweep s;
        assert_false(read_sweep(arena_format(&memory, "sweep: %s", mistakes[i].given), &s));
        assert_int_equal(s.n_points, 1);
        assert_int_equal(s.n_axes, 0);
        char *told;
        size_t size;
        FILE *out = open_memstream(&told, &size);
        diag_print(&diag, out, 0);
        fclose(out);
        assert_string_equal(told, mistakes[i].expected);
        free(told);
        diag_close(&diag);
    }
}

static void paths_that_only_begin_alike_are_different(void **state)
{
    (void)state;
    assert_points("sweep: {a.b: 1, a.bc: 2, a.b-c: 3, network: [[]], entities.network.x: 4}",
                  "a.b=1 a.bc=2 a.b-c=3 network=[] entities.network.x=4");
}

static void too_many_paths_are_refused(void **state)
{
    (void)state;
    char *text;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    fputs("sweep:\n", out);
    for (int i = 0; i < SWEEP_MOST_AXES + 9; i++) {
        fprintf(out, "  a.b%d: 1\n", i);
    }
    fclose(out);
    struct sweep s;
    assert_false(read_sweep(text, &s));
    assert_int_equal(diag.errors, 1);
    free(text);
}

/* A configuration with the value of each axis at a point put in. */
static void assert_put_in(const char *sweep, uint64_t point, const char *expected)
{
    static const char *const top_keys[] = {"entities", "duration", "sweep", NULL};
    struct sweep s = read_good(arena_format(
        &memory, "sweep: %s\nduration: 1s\nentities: {web: {n: 1, calls: [{to: db}]}}\n", sweep));
    bool good = true;
    for (uint32_t a = 0; a < s.n_axes; a++) {
        const struct node *value = s.axes[a].values[sweep_value(&s, point, a)];
        good = override_value(root, s.axes[a].path, value, top_keys, &memory, &diag) && good;
    }
    node_remove((struct node *)node_child(root, "sweep"));
    char *told;
    size_t size;
    FILE *out = open_memstream(&told, &size);
    diag_print(&diag, out, 0);
    if (good) {
        dump_node(out, root);
    }
    fclose(out);
    assert_string_equal(told, expected);
    free(told);
    diag_close(&diag);
}

static void values_are_put_in_at_their_paths(void **state)
{
    (void)state;
    assert_put_in("{web.n: [2, 3], duration: {from: 1s, to: 3s, steps: 3}}", 4,
                  "{duration: 2s, entities: {web: {n: 3, calls: [{to: db}]}}}");
    assert_put_in("{web.queue.size: 7, 'web.calls[0]': [{to: x}]}", 0,
                  "{duration: 1s, entities: {web: {n: 1, calls: [{to: x}], queue: {size: 7}}}}");
    assert_put_in("{wbe.n: [2, 3]}", 1,
                  "f.yaml:1:20: sweep.wbe.n[1]: no entity and no key at the root is called 'wbe' "
                  "(did you mean 'web'?)\n");
    assert_put_in("{'web.calls[1].to': x}", 0,
                  "f.yaml:1:28: sweep.web.calls[1].to: web.calls[1]: 'entities.web.calls' has only "
                  "1 item\n");
    assert_put_in("{web..n: 2}", 0,
                  "f.yaml:1:17: sweep.web..n: expected a key at '..n' of the path\n");
}

static void what_is_put_in_stands_in_the_sweep(void **state)
{
    (void)state;
    static const char *const top_keys[] = {"entities", NULL};
    struct sweep s =
        read_good("entities: {web: {}}\nsweep:\n  web.a.b: {from: 1, to: 3, steps: 3}\n");
    assert_true(
        override_value(root, s.axes[0].path, s.axes[0].values[1], top_keys, &memory, &diag));
    const struct node *web = node_child(node_child(root, "entities"), "web");
    const struct node *a = node_child(web, "a"), *b = node_child(a, "b");
    diag_error(&diag, b, "wrong");
    diag_error_key(&diag, a, "wrong");
    char *told;
    size_t size;
    FILE *out = open_memstream(&told, &size);
    diag_print(&diag, out, 0);
    fclose(out);
    assert_string_equal(told, "f.yaml:3:12: entities.web.a.b: wrong\n"
                              "f.yaml:3:12: entities.web.a: wrong\n");
    free(told);
}

static void policies_are_told_by_the_path_alone(void **state)
{
    (void)state;
    assert_true(override_of_policies("policies"));
    assert_true(override_of_policies("policies.naive.retry"));
    assert_true(override_of_policies("users.call.policy"));
    assert_true(override_of_policies("web.calls[0].policy"));
    assert_false(override_of_policies("users.call.timeout"));
    assert_false(override_of_policies("users.policy_of"));
}

/* Any block gives a message, or points all of whose values can be had. */
static void try_block(const char *text)
{
    struct sweep s;
    root = yaml_parse("f.yaml", text, strlen(text), &memory, &diag);
    if (root && sweep_read(node_child(root, "sweep"), &memory, &diag, &s)) {
        for (uint64_t p = 0; p < s.n_points; p += 1 + s.n_points / 100) {
            for (uint32_t a = 0; a < s.n_axes; a++) {
                uint64_t value = sweep_value(&s, p, a);
                assert_true(value < s.axes[a].n);
                assert_non_null(s.axes[a].texts[value]);
                assert_int_equal(s.axes[a].values[value]->line > 0, true);
            }
        }
    } else {
        assert_true(diag.errors > 0);
    }
}

static void no_text_does_harm(void **state)
{
    (void)state;
    static const char seed[] =
        "sweep:\n"
        "  a.b: {from: 5/s, to: 1000/s, steps: 3, scale: log, round: true}\n"
        "  a.c: [1, 2ms, {x: y}]\n"
        "  zip: {a.d: [1, 2], a.e: {from: 10%, to: 1, steps: 2}}\n"
        "  list: [{a.f: 1, a.g: {h: 2}}, {a.f: 2, a.g: []}]\n"
        "  lhs: {points: 9, seed: 4, axes: {a.h: {from: 1s, to: 2s}, a.i: [1, 2]}}\n"
        "  morris: {trajectories: 3, levels: 8, axes: {a.j: {from: 1, to: 5, round: true}}}\n"
        "  saltelli: {points: 4, axes: {a.k: {from: 1s, to: 2s}, a.l: [1, 2]}}\n";
    static const char signs[] = "{}[]:,-#\n ab~.x019%/se";
    for (uint64_t round = 0; round < 4000; round++) {
        char text[sizeof seed];
        uint64_t r = hash_mix64(round + 1);
        memcpy(text, seed, sizeof seed);
        for (uint64_t changes = round > 0 ? 1 + r % 3 : 0; changes > 0; changes--) {
            r = hash_mix64(r);
            text[r % (sizeof seed - 1)] = signs[(r >> 32) % (sizeof signs - 1)];
        }
        try_block(text);
        close_all(state);
        open_all(state);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_all, close_all)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(points_are_the_product_of_the_factors),
        TEST(a_zip_takes_values_side_by_side),
        TEST(a_list_has_points_written_out),
        TEST(nothing_swept_is_one_point),
        TEST(ranges_are_evenly_spaced),
        TEST(logarithmic_ranges_have_even_ratios),
        TEST(rounded_values_are_whole_and_count_once),
        TEST(numbers_are_those_of_the_texts),
        TEST(lists_hold_anything),
        TEST(values_stand_where_they_are_written),
        TEST(designs_stay_between_their_ends),
        TEST(designs_are_as_their_seed_has_them),
        TEST(the_limits_told_are_those_of_the_cube),
        TEST(a_trajectory_moves_one_axis_at_a_time),
        TEST(pairs_are_followed_by_their_mixtures),
        TEST(the_order_of_a_design_is_kept),
        TEST(every_step_changes_a_value),
        TEST(mistakes_are_told),
        TEST(paths_that_only_begin_alike_are_different),
        TEST(too_many_paths_are_refused),
        TEST(values_are_put_in_at_their_paths),
        TEST(what_is_put_in_stands_in_the_sweep),
        TEST(policies_are_told_by_the_path_alone),
        TEST(no_text_does_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
