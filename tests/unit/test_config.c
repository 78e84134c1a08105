/* SPDX-License-Identifier: Apache-2.0
 *
 * From text to tree: YAML, named policies and overrides.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/hash.h"
#include "config/dump.h"
#include "config/override.h"
#include "config/policies.h"
#include "config/yaml.h"

static const char *const top_keys[] = {"entities", "duration", "network", "output", NULL};

/* What is printed about, or the tree on one line. */
static void assert_text(const struct diag *d, const struct node *root, const char *expected)
{
    char *text;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    diag_print(d, out, 0);
    if (root) {
        dump_node(out, root);
    }
    fclose(out);
    assert_string_equal(text, expected);
    free(text);
}

static void assert_yaml(const char *yaml, size_t length, const char *expected)
{
    struct arena a = {NULL};
    struct diag d = {.errors = 0};
    struct node *root = yaml_parse("f.yaml", yaml, length, &a, &d);
    assert_true(root ? d.errors == 0 : d.errors > 0);
    assert_text(&d, root, expected);
    diag_close(&d);
    arena_close(&a);
}

struct pair {
    const char *given, *expected;
};

static void trees_are_read(void **state)
{
    (void)state;
    static const struct pair table[] = {
        {"a: 1\nb: [x, 'y', \"z\"]\nc: {d: }\n", "{a: 1, b: [x, \"y\", \"z\"], c: {d: ~}}"},
        {"--- # comment\na: |\n  two\n  lines\n...\n", "{a: \"two\\u000alines\\u000a\"}"},
        {"5", "5"},
        {"\xef\xbb\xbf"
         "a: 1",
         "{a: 1}"},
        {"%YAML 1.1\n---\na: 1\n", "{a: 1}"},
        {"a: 1\r\nb: 2\r\n", "{a: 1, b: 2}"},
        {"a: &x {k: 1}\nb: *x\n", "{a: {k: 1}, b: {k: 1}}"},
        {"a: &x 1\nb: &x 2\nc: *x\n", "{a: 1, b: 2, c: 2}"},
        {"a: &x {k: 1, m: 2}\nb: {<<: *x, m: 3}\n", "{a: {k: 1, m: 2}, b: {m: 3, k: 1}}"},
        {"a: &x {k: 1}\nb: &y {k: 2, m: 2}\nc: {<<: [*x, *y], z: 0}\n",
         "{a: {k: 1}, b: {k: 2, m: 2}, c: {z: 0, k: 1, m: 2}}"},
        {"a: &x {k: 1}\nb: &y {<<: *x}\nc: {<<: *y}\n", "{a: {k: 1}, b: {k: 1}, c: {k: 1}}"},
        {"a: {<<: []}\n", "{a: {}}"},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        assert_yaml(table[i].given, strlen(table[i].given), table[i].expected);
    }
}

static void mistakes_are_told(void **state)
{
    (void)state;
    static const struct pair table[] = {
        {"", "f.yaml: nothing is written here\n"},
        {"# only a comment\n", "f.yaml: nothing is written here\n"},
        {"---\n", "f.yaml: nothing is written here\n"},
        {"a: 1\nb: [1, 2\nc: 3\n", "f.yaml:3:2: syntax error: did not find expected ',' or ']' "
                                   "(while parsing a flow sequence from 2:4)\n"},
        {"a: 'x\n", "f.yaml:2:1: syntax error: found unexpected end of stream (while scanning a "
                    "quoted scalar from 1:4)\n"},
        {"a: b: c\n", "f.yaml:1:5: syntax error: mapping values are not allowed in this context\n"},
        {"a:\n\tb: 1\n", "f.yaml:2:1: syntax error: found character that cannot start any token "
                         "(while scanning for the next token from 2:1)\n"},
        {"a: 1\n b: 2\n",
         "f.yaml:2:3: syntax error: mapping values are not allowed in this context\n"},
        {"a: 1\nb: 2\na: 3\nb: 4\n", "f.yaml:3:1: a: duplicate key (it first stands at 1:1)\n"
                                     "f.yaml:4:1: b: duplicate key (it first stands at 2:1)\n"},
        {"x:\n  a: 1\n  'a': 3\n", "f.yaml:3:3: x.a: duplicate key (it first stands at 2:3)\n"},
        {"a: !!int 5\n", "f.yaml:1:4: tags such as 'tag:yaml.org,2002:int' are not supported\n"},
        {"a: !mine {b: 1}\n", "f.yaml:1:4: tags such as '!mine' are not supported\n"},
        {"a: 1\n---\nb: 1\n", "f.yaml:2:1: a second document starts here, but only one is read\n"},
        {"{a: 1}: 2\n", "f.yaml:1:1: a key must be a plain text, not a mapping\n"},
        {"? [a]\n: 2\n", "f.yaml:1:3: a key must be a plain text, not a sequence\n"},
        {"'': 2\n", "f.yaml:1:1: a key must not be empty\n"},
        {"a: &x k\n*x : 1\n", "f.yaml:2:1: a key cannot be an alias\n"},
        {"&x a: 1\n", "f.yaml:1:1: a key cannot be an anchor\n"},
        {"a: *nobody\n", "f.yaml:1:4: no anchor '&nobody' stands before this alias\n"},
        {"a: &x [1, *x]\n", "f.yaml:1:11: the alias '*x' stands within its own anchor\n"},
        {"a: {<<: 5}\n", "f.yaml:1:5: a.<<: expected a mapping, or a sequence of them, to merge\n"},
        {"a: {<<: [{b: 1}, 5]}\n",
         "f.yaml:1:5: a.<<: expected a mapping, or a sequence of them, to merge\n"},
        {"a: \"x\\0y\"\n", "f.yaml:1:4: a text must not contain a zero byte\n"},
        {"a: \"\\ud800\"\n",
         "f.yaml:1:7: syntax error: found invalid Unicode character escape code "
         "(while parsing a quoted scalar from 1:4)\n"},
        {"a: 1\nb: \x01\n",
         "f.yaml:2:4: not a text in UTF-8: control characters are not allowed (0x01)\n"},
        {"a: \xff\n", "f.yaml:1:4: not a text in UTF-8: invalid leading UTF-8 octet (0xff)\n"},
        {"\xc3\xa9: \xc3", "f.yaml:1:4: not a text in UTF-8: incomplete UTF-8 octet sequence\n"},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        assert_yaml(table[i].given, strlen(table[i].given), table[i].expected);
    }
    assert_yaml("a: \0b", 5,
                "f.yaml:1:4: not a text in UTF-8: control characters are not allowed (0x00)\n");
}

static void places_are_kept(void **state)
{
    (void)state;
    struct arena a = {NULL};
    struct diag d = {.errors = 0};
    const char *yaml = "a:\n  - &x {b: 1}\n  - 2\nc: *x\n";
    const struct node *root = yaml_parse("f.yaml", yaml, strlen(yaml), &a, &d);
    const struct node *item = node_item(node_child(root, "a"), 1);
    assert_int_equal(item->line, 3);
    assert_int_equal(item->column, 5);
    assert_int_equal(item->index, 1);
    assert_null(item->key);
    const struct node *copy = node_child(root, "c");
    assert_int_equal(copy->line, 2);
    assert_int_equal(copy->key_line, 4);
    assert_int_equal(copy->key_column, 1);
    const struct node *b = node_child(copy, "b");
    assert_int_equal(b->key_line, 2);
    assert_int_equal(b->key_column, 9);
    assert_int_equal(b->column, 12);
    assert_string_equal(diag_path(&a, b), "c.b");
    arena_close(&a);
    diag_close(&d);
}

static void limits_hold(void **state)
{
    (void)state;
    char text[4096] = "";
    memset(text, '[', 65);
    assert_yaml(text, 65, "f.yaml:1:65: nested deeper than 64 levels\n");
    memset(text + 64, ']', 64);
    char expected[129] = "";
    memcpy(expected, text, 128);
    assert_yaml(text, 128, expected);
    char *end = text + sprintf(text, "a: &a0 [x,x,x,x,x,x,x,x,x,x]\n");
    for (int i = 1; i < 12; i++) {
        end += sprintf(end, "b%d: &a%d [*a%d,*a%d,*a%d,*a%d,*a%d,*a%d]\n", i, i, i - 1, i - 1,
                       i - 1, i - 1, i - 1, i - 1);
    }
    assert_yaml(text, strlen(text), "f.yaml:8:10: more than 1000000 nodes (after aliases)\n");
    end = text + sprintf(text, "a: &a0 [x]\n");
    for (int i = 1; i < 66; i++) {
        end += sprintf(end, "b%d: &a%d [*a%d]\n", i, i, i - 1);
    }
    assert_yaml(text, strlen(text), "f.yaml:64:12: nested deeper than 64 levels\n");
}

static void large_mappings_are_read(void **state)
{
    (void)state;
    enum { KEYS = 100000 };
    struct arena a = {NULL};
    struct diag d = {.errors = 0};
    char *text;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    for (int i = 0; i < KEYS; i++) {
        fprintf(out, "key%d: %d\n", i, i);
    }
    fclose(out);
    const struct node *root = yaml_parse("f.yaml", text, size, &a, &d);
    assert_non_null(root);
    assert_int_equal(root->count, KEYS);
    assert_string_equal(root->last->text, "99999");
    free(text);
    arena_close(&a);
    diag_close(&d);
}

static void assert_load(const char *path, const char *expected)
{
    struct arena a = {NULL};
    struct diag d = {.errors = 0};
    size_t length = 0;
    const char *text = yaml_read_file(path, &length, &a, &d);
    assert_text(&d, text ? yaml_parse(path, text, length, &a, &d) : NULL, expected);
    diag_close(&d);
    arena_close(&a);
}

static void files_are_loaded(void **state)
{
    (void)state;
    char folder[] = "/tmp/squall-test-XXXXXX", expected[128];
    assert_non_null(mkdtemp(folder));
    snprintf(expected, sizeof expected, "%s: cannot be read: Is a directory\n", folder);
    assert_load(folder, expected);
    assert_int_equal(chdir(folder), 0);
    assert_load("none.yaml", "none.yaml: cannot be read: No such file or directory\n");
    FILE *file = fopen("good.yaml", "w");
    fputs("a: 1\n", file);
    fclose(file);
    assert_load("good.yaml", "{a: 1}");
    assert_int_equal(truncate("good.yaml", 100000000), 0);
    assert_load("good.yaml", "good.yaml: larger than 16 MiB\n");
    assert_load("/dev/zero", "/dev/zero: larger than 16 MiB\n");
    assert_int_equal(unlink("good.yaml"), 0);
    assert_int_equal(rmdir(folder), 0);
}

static bool expand_policies(struct node *root, struct arena *a, struct diag *d)
{
    struct policies *p = policies_open(root, a, d);
    if (p) {
        policies_expand(p);
        policies_close(p);
    }
    return p && d->errors == 0;
}

static void policies_are_handed_out(void **state)
{
    (void)state;
    static const struct pair table[] = {
        {"a: {b: 1}", "{a: {b: 1}}"},
        {"policies: {p: {x: 1, y: {z: 2}}}\na: {policy: p, x: 3}", "{a: {x: 3, y: {z: 2}}}"},
        {"policies: {p: {x: 1}, q: {x: 2, y: 2}}\na: [{policy: [p, q]}, {b: {policy: q}}]",
         "{a: [{x: 1, y: 2}, {b: {x: 2, y: 2}}]}"},
        {"policies: {p: {y: {z: 2}}}\na: {policy: p, y: {q: 1}}", "{a: {y: {q: 1}}}"},
        {"policies: {p: {policy: q, x: 1}, q: {x: 2, y: 2}}\na: {policy: p}", "{a: {x: 1, y: 2}}"},
        {"policies: {p: {in: {policy: q}}, q: {y: 2}}\na: {policy: p}", "{a: {in: {y: 2}}}"},
        {"policies: {p: {x: 1}}\na: 1",
         "f.yaml:1:15: warning: policies.p: this policy is never used\n{a: 1}"},
        {"policies: {patient: {x: 1}}\na: {policy: patent}\nb: {policy: patient}",
         "f.yaml:2:13: a.policy: no policy 'patent' (did you mean 'patient'?)\n"},
        {"policies: {p: {x: 1}}\nentities: {policy: {policy: p, requests: {policy: {w: 1}}}}",
         "{entities: {policy: {requests: {policy: {w: 1}}, x: 1}}}"},
        {"policies: {requests: {policy: q}, q: {x: 1}}\nentities: {requests: {policy: requests}}",
         "{entities: {requests: {x: 1}}}"},
        {"a: {policy: lru}", "f.yaml:1:13: a.policy: no policy 'lru'\n"},
        {"policies: {p: {policy: q}, q: {policy: p}}\na: {policy: p}",
         "f.yaml:1:40: policies.q.policy: policy 'p' contains itself\n"},
        {"policies: {p: {x: {policy: p}}}\na: {policy: p}",
         "f.yaml:1:28: policies.p.x.policy: policy 'p' contains itself\n"},
        {"policies: 5", "f.yaml:1:11: policies: expected a mapping of names to policies\n"},
        {"policies: {p: 5}", "f.yaml:1:15: policies.p: expected a mapping of policy keys\n"},
        {"a: {policy: {x: 1}}", "f.yaml:1:13: a.policy: expected the name of a policy\n"},
        {"a: {policy: }", "f.yaml:1:13: a.policy: expected the name of a policy\n"},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct arena a = {NULL};
        struct diag d = {.errors = 0};
        const char *yaml = table[i].given;
        struct node *root = yaml_parse("f.yaml", yaml, strlen(yaml), &a, &d);
        assert_non_null(root);
        bool good = expand_policies(root, &a, &d);
        assert_int_equal(good, d.errors == 0);
        assert_text(&d, good ? root : NULL, table[i].expected);
        diag_close(&d);
        arena_close(&a);
    }
}

static void policies_cannot_explode(void **state)
{
    (void)state;
    struct arena a = {NULL};
    struct diag d = {.errors = 0};
    char text[4096];
    char *end = text + sprintf(text, "policies:\n  p0: {x: 1}\n");
    for (int i = 1; i < 30; i++) {
        end += sprintf(end, "  p%d: {a: {policy: p%d}, b: {policy: p%d}}\n", i, i - 1, i - 1);
    }
    struct node *root = yaml_parse("f.yaml", text, strlen(text), &a, &d);
    assert_non_null(root);
    assert_false(expand_policies(root, &a, &d));
    diag_close(&d);
    arena_close(&a);
}

static const char overridden[] = "entities:\n  web: {concurrency: 4, calls: [{target: db}]}\n"
                                 "duration: 10s\n";
static const struct pair overrides[] = {
    {"duration=20s", "{entities: {web: {concurrency: 4, calls: [{target: db}]}}, duration: 20s}"},
    {"web.concurrency=0",
     "{entities: {web: {concurrency: 0, calls: [{target: db}]}}, duration: 10s}"},
    {"entities.web.calls[0].target={to: x, pick: 3}",
     "{entities: {web: {concurrency: 4, calls: [{target: {to: x, pick: 3}}]}}, "
     "duration: 10s}"},
    {"output.trace.sample=5%",
     "{entities: {web: {concurrency: 4, calls: [{target: db}]}}, duration: 10s, "
     "output: {trace: {sample: 5%}}}"},
    {"web={a: '='}", "{entities: {web: {a: \"=\"}}, duration: 10s}"},
    {"web", "--set web: expected PATH=VALUE\n"},
    {"=5", "--set =5: expected PATH=VALUE\n"},
    {"web..x=5", "--set web..x=5: expected a key at '..x' of the path\n"},
    {"web.=5", "--set web.=5: expected a key at '.' of the path\n"},
    {"[0]=5", "--set [0]=5: expected a key at '[0]' of the path\n"},
    {"web.calls[0]target=5",
     "--set web.calls[0]target=5: expected a key at 'target' of the path\n"},
    {"web.calls[x]=5", "--set web.calls[x]=5: expected a place such as [0] at '[x]'\n"},
    {"web.calls[1]=5", "--set web.calls[1]=5: web.calls[1]: 'entities.web.calls' has only 1 "
                       "item\n"},
    {"web.calls[99999999999999999999]=5",
     "--set web.calls[99999999999999999999]=5: web.calls[99999999999999999999]: "
     "'entities.web.calls' has only 1 item\n"},
    {"web.calls.target=5", "--set web.calls.target=5: web.calls.target: 'entities.web.calls' "
                           "is a sequence and has no key 'target'\n"},
    {"web.concurrency.x=5", "--set web.concurrency.x=5: web.concurrency.x: "
                            "'entities.web.concurrency' is a single value and has no key "
                            "'x'\n"},
    {"duration[0]=5", "--set duration[0]=5: duration[0]: 'duration' is a single value and has "
                      "no places\n"},
    {"web[2].concurrency=5",
     "--set web[2].concurrency=5: web[2]: 'entities.web' is a mapping and has no places (one "
     "instance of several cannot be set)\n"},
    {"entities[0]=5", "--set entities[0]=5: entities[0]: 'entities' is a mapping and has no "
                      "places\n"},
    {"wbe.x=5",
     "--set wbe.x=5: no entity and no key at the root is called 'wbe' (did you mean 'web'?)\n"},
    {"networks=5", "--set networks=5: no entity and no key at the root is called 'networks' "
                   "(did you mean 'network'?)\n"},
    {"zzzzzz=5", "--set zzzzzz=5: no entity and no key at the root is called 'zzzzzz'\n"},
    {"duration=", "--set duration=: nothing is written here\n"},
    {"duration={a: [",
     "--set duration={a: [: syntax error: did not find expected node content (while parsing a "
     "flow node)\n"},
    {"duration={a: 1, a: 2}", "--set duration={a: 1, a: 2}: a: duplicate key\n"},
};

static void overrides_are_applied(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof overrides / sizeof overrides[0]; i++) {
        struct arena a = {NULL};
        struct diag d = {.errors = 0};
        struct node *root = yaml_parse("f.yaml", overridden, strlen(overridden), &a, &d);
        bool good = override_apply(root, overrides[i].given, top_keys, &a, &d);
        assert_int_equal(good, d.errors == 0);
        assert_text(&d, good ? root : NULL, overrides[i].expected);
        if (good) {
            assert_string_equal(diag_path(&a, node_child(root, "duration")), "duration");
        }
        diag_close(&d);
        arena_close(&a);
    }
}

static void overrides_stay_in_bounds(void **state)
{
    (void)state;
    struct arena a = {NULL};
    struct diag d = {.errors = 0};
    struct node *root = yaml_parse("f.yaml", "{}", 2, &a, &d);
    char text[2048] = "duration";
    for (int i = 0; i < 64; i++) {
        strcat(text, ".a");
    }
    strcat(text, "=[1]");
    assert_false(override_apply(root, text, top_keys, &a, &d));
    diag_close(&d);
    arena_close(&a);
}

/* Children know their parents and places, and the limits hold. */
static uint32_t check_tree(const struct node *n, const struct node *parent, int depth)
{
    uint32_t count = 0, nodes = 1;
    assert_ptr_equal(n->parent, parent);
    assert_true(n->kind == NODE_SCALAR ? n->text != NULL : depth <= TREE_MAX_DEPTH);
    for (const struct node *c = n->first; c; c = c->next) {
        assert_int_equal(c->index, count++);
        assert_true((c->key != NULL) == (n->kind == NODE_MAPPING));
        nodes += check_tree(c, n, depth + 1);
    }
    assert_int_equal(count, n->count);
    return nodes;
}

/* Any text gives a sound tree or a message, and a tree that is written reads back the same. */
static void try_text(const char *text, size_t length)
{
    struct arena a = {NULL};
    struct diag d = {.errors = 0};
    struct node *root = yaml_parse("f.yaml", text, length, &a, &d);
    assert_true((root == NULL) == (d.errors > 0));
    if (root) {
        assert_true(check_tree(root, NULL, 1) <= TREE_MAX_NODES);
        char *once;
        size_t size;
        FILE *out = open_memstream(&once, &size);
        dump_node(out, root);
        fclose(out);
        struct node *again = yaml_parse("again.yaml", once, size, &a, &d);
        assert_text(&d, again, once);
        free(once);
        override_apply(root, "web.a[1]=2", top_keys, &a, &d);
        expand_policies(root, &a, &d);
        check_tree(root, NULL, 1);
    }
    char *messages;
    size_t size;
    FILE *out = open_memstream(&messages, &size);
    diag_print(&d, out, 3);
    fclose(out);
    free(messages);
    diag_close(&d);
    arena_close(&a);
}

static void no_text_does_harm(void **state)
{
    (void)state;
    static const char seed[] = "policies: {p: &x {a: [1, 'q'], b: \"\\n\"}}\nentities:\n"
                               "  web: {policy: p, <<: *x, a: [1, 2]}\n  # c\n  db: |\n    text\n";
    static const char signs[] = "{}[]:,&*!|>'\"%@`#-?\n\t ab~<.x\\\xc3\xa9";
    for (uint64_t round = 0; round < 4000; round++) {
        char text[sizeof seed];
        size_t length = sizeof seed - 1;
        uint64_t r = hash_mix64(round + 1);
        memcpy(text, seed, sizeof seed);
        if (round % 4 == 0) {
            length = r % sizeof seed;
        }
        for (size_t i = 0; i < (round % 4 == 0 ? length : 1 + r % 3); i++) {
            r = hash_mix64(r + i);
            size_t at = round % 4 == 0 ? i : r % length;
            text[at] = round % 8 == 0 ? (char)(r >> 32) : signs[(r >> 32) % (sizeof signs - 1)];
        }
        try_text(text, length);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(trees_are_read),           cmocka_unit_test(mistakes_are_told),
        cmocka_unit_test(places_are_kept),          cmocka_unit_test(limits_hold),
        cmocka_unit_test(large_mappings_are_read),  cmocka_unit_test(policies_are_handed_out),
        cmocka_unit_test(policies_cannot_explode),  cmocka_unit_test(overrides_are_applied),
        cmocka_unit_test(overrides_stay_in_bounds), cmocka_unit_test(no_text_does_harm),
        cmocka_unit_test(files_are_loaded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
