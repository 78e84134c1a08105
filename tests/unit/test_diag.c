/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/diag.h"
#include "base/tree.h"

static void assert_printed(struct diag *d, size_t most, const char *expected)
{
    char *text;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    diag_print(d, out, most);
    fclose(out);
    assert_string_equal(text, expected);
    free(text);
}

/* root: entities: web: calls: [ {target: x} ] */
static struct node nodes[5] = {
    {.kind = NODE_MAPPING, .file = "f.yaml", .line = 1, .column = 1},
    {.kind = NODE_MAPPING, .file = "f.yaml", .line = 2, .column = 3, .key = "entities"},
    {.kind = NODE_SEQUENCE, .file = "f.yaml", .line = 3, .column = 5, .key = "calls"},
    {.kind = NODE_MAPPING, .file = "f.yaml", .line = 4, .column = 7},
    {.kind = NODE_SCALAR, .file = "f.yaml", .line = 4, .column = 15, .key = "target", .text = "x"},
};

static void link_nodes(void)
{
    for (int i = 0; i < 5; i++) {
        nodes[i].first = nodes[i].last = nodes[i].next = nodes[i].parent = NULL;
        nodes[i].count = 0;
        nodes[i].key_line = nodes[i].line;
        nodes[i].key_column = 2;
    }
    for (int i = 1; i < 5; i++) {
        node_append(&nodes[i - 1], &nodes[i]);
    }
}

static void paths_name_keys_and_places(void **state)
{
    (void)state;
    struct arena a = {NULL};
    link_nodes();
    assert_string_equal(diag_path(&a, &nodes[0]), "");
    assert_string_equal(diag_path(&a, &nodes[1]), "entities");
    assert_string_equal(diag_path(&a, &nodes[4]), "entities.calls[0].target");
    arena_close(&a);
}

static void entries_are_sorted_by_place(void **state)
{
    (void)state;
    struct diag d = {.errors = 0};
    link_nodes();
    diag_error(&d, &nodes[4], "%d is below %d", 0, 1);
    diag_error_place(&d, "f.yaml", 4, 2, "second at its place");
    diag_error_key(&d, &nodes[4], "unknown key");
    diag_warning(&d, &nodes[1], "never used");
    diag_error(&d, NULL, "nothing to do");
    diag_error_place(&d, "a.yaml", 0, 0, "cannot be read");
    assert_int_equal(d.errors, 5);
    assert_int_equal(d.warnings, 1);
    assert_printed(&d, 0,
                   "nothing to do\n"
                   "a.yaml: cannot be read\n"
                   "f.yaml:2:3: warning: entities: never used\n"
                   "f.yaml:4:2: second at its place\n"
                   "f.yaml:4:2: entities.calls[0].target: unknown key\n"
                   "f.yaml:4:15: entities.calls[0].target: 0 is below 1\n");
    diag_close(&d);
    assert_printed(&d, 0, "");
}

static void what_is_left_out_is_counted(void **state)
{
    (void)state;
    struct diag d = {.errors = 0};
    for (int i = 3; i > 0; i--) {
        diag_error_place(&d, "f", i, 1, "number %d", i);
    }
    assert_printed(&d, 3, "f:1:1: number 1\nf:2:1: number 2\nf:3:1: number 3\n");
    assert_printed(&d, 2, "f:1:1: number 1\nf:2:1: number 2\n... and 1 more error\n");
    assert_printed(&d, 1, "f:1:1: number 1\n... and 2 more errors\n");
    diag_close(&d);
}

static void terminal_controls_are_written_out(void **state)
{
    (void)state;
    struct diag d = {.errors = 0};
    diag_error(&d, NULL, "'%s' \xc3\xa9", "a\x1b[31m\nb");
    assert_printed(&d, 0, "'a\\x1b[31m\\nb' \xc3\xa9\n");
    diag_close(&d);
}

static void near_names_are_suggested(void **state)
{
    (void)state;
    static const char *const names[] = {"timeout", "deadline", "rate", "retry", "to", NULL};
    static const struct {
        const char *name, *near;
    } table[] = {
        {"timout", "timeout"},   {"timeotu", "timeout"},
        {"dedline", "deadline"}, {"rat", "rate"},
        {"retri", "retry"},      {"xy", NULL},
        {"throughput", NULL},    {"", NULL},
        {"timeout", "timeout"},  {"DeadLine", "deadline"},
        {"dead", "deadline"},    {"TO", "to"},
        {"retry_jitter", NULL},  {"ra", NULL},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        const char *near = diag_nearest(table[i].name, names);
        if (table[i].near) {
            assert_non_null(near);
            assert_string_equal(near, table[i].near);
        } else {
            assert_null(near);
        }
    }
    char lengthy[5000];
    memset(lengthy, 'a', sizeof lengthy);
    lengthy[sizeof lengthy - 1] = '\0';
    assert_null(diag_nearest(lengthy, names));
    static const char *const none[] = {NULL};
    assert_null(diag_nearest("a", none));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_name_keys_and_places),
        cmocka_unit_test(entries_are_sorted_by_place),
        cmocka_unit_test(what_is_left_out_is_counted),
        cmocka_unit_test(terminal_controls_are_written_out),
        cmocka_unit_test(near_names_are_suggested),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
