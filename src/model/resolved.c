/* SPDX-License-Identifier: Apache-2.0 */
#include "model/resolved.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/hash.h"
#include "config/dump.h"
#include "config/yaml.h"

static void write_study(const struct study *s, const struct study_settings *settings, FILE *out)
{
    dump_block(out, (const struct schema *[]){&study_schema, NULL}, (const void *[]){settings},
               s->root, 0);
    fputs("entities:\n", out);
    for (uint32_t g = 0; g < s->n_groups; g++) {
        const struct study_group *group = &s->groups[g];
        fputs("  ", out);
        dump_text(out, group->name);
        fputs(":\n", out);
        dump_block(
            out,
            (const struct schema *[]){&group_type_schema, &group_schema, group->type->params, NULL},
            (const void *[]){&group->settings, &group->settings, group->params}, group->at, 4);
    }
}

void resolved_write(const struct study *s, FILE *out)
{
    write_study(s, &s->settings, out);
}

static char *text_of(const struct study *s, const struct study_settings *settings, size_t *length)
{
    char *text = NULL;
    FILE *out = open_memstream(&text, length);
    CHECK(out, "out of memory");
    write_study(s, settings, out);
    CHECK(fclose(out) == 0, "out of memory");
    return text;
}

const char *resolved_text(const struct study *s, struct arena *arena)
{
    size_t length;
    char *text = text_of(s, &s->settings, &length);
    const char *copy = arena_text(arena, text, length);
    free(text);
    return copy;
}

uint64_t plan_hash(const struct study *s)
{
    static const char comment[] = "  # default";
    struct study_settings settings = s->settings;
    settings.name = "";
    size_t length;
    char *text = text_of(s, &settings, &length);
    uint64_t hash = 0;
    for (const char *line = text, *end; line < text + length; line = end + 1) {
        end = strchr(line, '\n');
        CHECK(end, "the resolved text ends within a line");
        size_t size = (size_t)(end - line), tail = sizeof comment - 1;
        if (size >= tail && memcmp(end - tail, comment, tail) == 0) {
            size -= tail;
        }
        hash = hash_bytes(hash, line, size);
    }
    free(text);
    return hash;
}

struct comparison {
    struct arena *arena;
    const char **lines;
    size_t count, most;
};

enum { LONGEST_VALUE = 60 };

static const char *value_text(const struct node *n, struct arena *arena)
{
    if (!n) {
        return "(nothing)";
    }
    char *text = NULL;
    size_t length;
    FILE *out = open_memstream(&text, &length);
    CHECK(out, "out of memory");
    dump_node(out, n);
    CHECK(fclose(out) == 0, "out of memory");
    const char *copy =
        arena_format(arena, "%.*s%s", LONGEST_VALUE, text, length > LONGEST_VALUE ? "..." : "");
    free(text);
    return copy;
}

static void add_line(struct comparison *c, const char *line)
{
    if (c->count + 1 >= c->most) {
        size_t most = c->most ? 2 * c->most : 16;
        const char **lines = arena_take(c->arena, most * sizeof *lines);
        memcpy(lines, c->lines ? c->lines : lines, c->count * sizeof *lines);
        c->lines = lines;
        c->most = most;
    }
    c->lines[c->count++] = line;
    c->lines[c->count] = NULL;
}

/* One of the two may be NULL. */
static void tell(struct comparison *c, const struct node *before, const struct node *after)
{
    add_line(c, arena_format(c->arena, "%s: %s -> %s", diag_path(c->arena, before ? before : after),
                             value_text(before, c->arena), value_text(after, c->arena)));
}

static void compare(struct comparison *c, const struct node *before, const struct node *after);

static void compare_items(struct comparison *c, const struct node *before, const struct node *after)
{
    const struct node *a = before->first, *b = after->first;
    for (; a && b; a = a->next, b = b->next) {
        compare(c, a, b);
    }
    for (; a; a = a->next) {
        tell(c, a, NULL);
    }
    for (; b; b = b->next) {
        tell(c, NULL, b);
    }
}

/* The child with this key. Mostly it is the one expected, so that nothing is searched. */
static const struct node *find_child(const struct node *in, const char *key,
                                     const struct node *expected)
{
    return expected && strcmp(expected->key, key) == 0 ? expected : node_child(in, key);
}

static void compare_keys(struct comparison *c, const struct node *before, const struct node *after)
{
    size_t lines = c->count;
    bool moved = false;
    const struct node *expected = after->first;
    for (const struct node *a = before->first; a; a = a->next) {
        const struct node *b = find_child(after, a->key, expected);
        moved = moved || b != expected;
        expected = b ? b->next : expected;
        if (b) {
            compare(c, a, b);
        } else {
            tell(c, a, NULL);
        }
    }
    expected = before->first;
    for (const struct node *b = after->first; b; b = b->next) {
        const struct node *a = find_child(before, b->key, expected);
        expected = a ? a->next : expected;
        if (!a) {
            tell(c, NULL, b);
        }
    }
    if (moved && c->count == lines) {
        add_line(c, arena_format(c->arena, "%s: in another order", diag_path(c->arena, before)));
    }
}

static void compare(struct comparison *c, const struct node *before, const struct node *after)
{
    if (before->kind != after->kind) {
        tell(c, before, after);
    } else if (before->kind == NODE_SEQUENCE) {
        compare_items(c, before, after);
    } else if (before->kind == NODE_MAPPING) {
        compare_keys(c, before, after);
    } else if (strcmp(before->text, after->text) != 0) {
        tell(c, before, after);
    }
}

const char *const *resolved_changes(const char *before, const char *after, struct arena *arena)
{
    struct comparison c = {.arena = arena};
    struct arena scratch = {0};
    struct diag diag = {.errors = 0};
    const struct node *a = yaml_parse("before", before, strlen(before), &scratch, &diag);
    const struct node *b = yaml_parse("after", after, strlen(after), &scratch, &diag);
    if (a && b) {
        compare(&c, a, b);
    } else {
        add_line(&c, "one of the two cannot be read");
    }
    diag_close(&diag);
    arena_close(&scratch);
    return c.lines ? c.lines : arena_take(arena, sizeof *c.lines);
}
