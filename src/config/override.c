/* SPDX-License-Identifier: Apache-2.0 */
#include "config/override.h"

#include <stdlib.h>
#include <string.h>

#include "config/yaml.h"

struct override {
    const struct node *at; /* whose place mistakes of the path and nodes made on the way have */
    struct arena *arena;
    struct diag *diag;
};

/* One step of a path: a key, or a place when `key` is NULL. */
struct step {
    const char *key;
    uint32_t index;
    const char *end; /* of the path up to and including this step, within the assignment */
};

enum { MAX_STEPS = 2 * TREE_MAX_DEPTH };

#define REFUSE(o, ...) diag_error((o)->diag, (o)->at, __VA_ARGS__)

/* "[12]"; NULL when it is none. */
static const char *scan_place(const char *p, struct step *step)
{
    char *end;
    if (p[1] < '0' || p[1] > '9') {
        return NULL;
    }
    unsigned long index = strtoul(p + 1, &end, 10);
    if (*end != ']') {
        return NULL;
    }
    step->key = NULL;
    step->index = index < UINT32_MAX ? (uint32_t)index : UINT32_MAX;
    return end + 1;
}

/* Takes the path, which ends at '=' or with the text, apart. The number of steps; 0 after an error.
 */
static int split_path(const struct override *o, const char *text, struct step *steps)
{
    int n = 0;
    const char *p = text;
    while (*p && *p != '=') {
        const char *start = p;
        if (n == MAX_STEPS) {
            REFUSE(o, "the path has more than %d steps", MAX_STEPS);
            return 0;
        }
        if (*p == '[' && n > 0) {
            p = scan_place(p, &steps[n]);
            if (!p) {
                REFUSE(o, "expected a place such as [0] at '%.*s'", (int)strcspn(start, "="),
                       start);
                return 0;
            }
        } else {
            p += n > 0 && *p == '.';
            size_t length = strcspn(p, ".[=");
            bool follows = n == 0 || p > start;
            if (length == 0 || !follows) {
                REFUSE(o, "expected a key at '%.*s' of the path", (int)strcspn(start, "="), start);
                return 0;
            }
            steps[n].key = arena_text(o->arena, p, length);
            p += length;
        }
        steps[n++].end = p;
    }
    if (n == 0) {
        REFUSE(o, *text ? "expected PATH=VALUE" : "expected a path");
    }
    return n;
}

static bool listed(const char *name, const char *const *names)
{
    for (; *names; names++) {
        if (strcmp(*names, name) == 0) {
            return true;
        }
    }
    return false;
}

static const char *const *child_keys(const struct node *n, struct arena *arena)
{
    const char **names = arena_take(arena, (n->count + 1) * sizeof *names);
    for (const struct node *c = n->first; c; c = c->next) {
        names[c->index] = c->key;
    }
    return names;
}

/* Where the path starts: the root, or its entities when those were left out. */
static struct node *find_start(const struct override *o, struct node *root, const char *key,
                               const char *const *top_keys)
{
    const struct node *entities = node_child(root, "entities");
    if (node_child(root, key) || listed(key, top_keys)) {
        return root;
    }
    if (node_child(entities, key)) {
        return (struct node *)entities;
    }
    const char *near = NULL;
    if (entities && entities->kind == NODE_MAPPING) {
        near = diag_nearest(key, child_keys(entities, o->arena));
    }
    near = near ? near : diag_nearest(key, top_keys);
    if (near) {
        REFUSE(o, "no entity and no key at the root is called '%s' (did you mean '%s'?)", key,
               near);
    } else {
        REFUSE(o, "no entity and no key at the root is called '%s'", key);
    }
    return NULL;
}

static struct node *new_child(const struct override *o, struct node *parent, const char *key)
{
    struct node *n = arena_take(o->arena, sizeof *n);
    n->kind = NODE_MAPPING;
    n->file = o->at->file;
    n->line = n->key_line = o->at->line;
    n->column = n->key_column = o->at->column;
    n->key = key;
    node_append(parent, n);
    return n;
}

/* The node one step further, made if need be; NULL after an error. */
static struct node *follow(const struct override *o, struct node *n, const struct step *s,
                           const char *path)
{
    const char *here = diag_path(o->arena, n);
    int length = (int)(s->end - path);
    if (s->key && n->kind == NODE_MAPPING) {
        const struct node *child = node_child(n, s->key);
        return child ? (struct node *)child : new_child(o, n, s->key);
    }
    if (!s->key && n->kind == NODE_SEQUENCE) {
        const struct node *item = node_item(n, s->index);
        if (!item) {
            REFUSE(o, "%.*s: '%s' has only %u item%s", length, path, here, (unsigned)n->count,
                   n->count == 1 ? "" : "s");
        }
        return (struct node *)item;
    }
    if (s->key && n->kind == NODE_SEQUENCE) {
        REFUSE(o, "%.*s: '%s' is a sequence and has no key '%s'", length, path, here, s->key);
    } else if (s->key) {
        REFUSE(o, "%.*s: '%s' is a single value and has no key '%s'", length, path, here, s->key);
    } else if (n->kind == NODE_MAPPING) {
        bool group = n->parent && n->parent->key && strcmp(n->parent->key, "entities") == 0;
        REFUSE(o, "%.*s: '%s' is a mapping and has no places%s", length, path, here,
               group ? " (one instance of several cannot be set)" : "");
    } else {
        REFUSE(o, "%.*s: '%s' is a single value and has no places", length, path, here);
    }
    return NULL;
}

static uint32_t depth_of(const struct node *n)
{
    uint32_t depth = 0;
    for (; n; n = n->parent) {
        depth++;
    }
    return depth;
}

/* Puts a copy of the value where the path leads. */
static bool put_value(const struct override *o, struct node *root, const char *path,
                      const struct node *value, const char *const *top_keys)
{
    struct step steps[MAX_STEPS];
    int n = split_path(o, path, steps);
    struct node *at = n > 0 ? find_start(o, root, steps[0].key, top_keys) : NULL;
    for (int i = 0; i < n && at; i++) {
        at = follow(o, at, &steps[i], path);
    }
    if (!at) {
        return false;
    }
    uint32_t around = depth_of(at) - 1, nodes = TREE_MAX_NODES;
    struct node *copy = NULL;
    if (around <= TREE_MAX_DEPTH) {
        copy = node_copy(value, o->arena, TREE_MAX_DEPTH - around, &nodes);
    }
    if (!copy) {
        REFUSE(o, "nested deeper than %d levels", TREE_MAX_DEPTH);
        return false;
    }
    node_replace(at, copy);
    return true;
}

bool override_of(const char *path, const char *key)
{
    size_t n = strcspn(path, ".[=");
    return n == strlen(key) && strncmp(path, key, n) == 0;
}

bool override_of_policies(const char *path)
{
    static const char root[] = "policies", use[] = "policy";
    const char *p = path;
    size_t n = strcspn(p, ".[=");
    if (n == strlen(root) && strncmp(p, root, n) == 0) {
        return true;
    }
    while (p[n] == '.' || p[n] == '[') {
        p += n + 1;
        n = strcspn(p, ".[=");
        if (n == strlen(use) && strncmp(p, use, n) == 0) {
            return true;
        }
    }
    return false;
}

bool override_value(struct node *root, const char *path, const struct node *value,
                    const char *const *top_keys, struct arena *arena, struct diag *diag)
{
    return put_value(&(struct override){value, arena, diag}, root, path, value, top_keys);
}

bool override_apply(struct node *root, const char *assignment, const char *const *top_keys,
                    struct arena *arena, struct diag *diag)
{
    struct node whole = {.file = arena_format(arena, "--set %s", assignment)};
    struct override o = {&whole, arena, diag};
    const char *equals = strchr(assignment, '=');
    if (!equals) {
        REFUSE(&o, "expected PATH=VALUE");
        return false;
    }
    const struct node *value =
        yaml_parse_line(whole.file, equals + 1, (int)(equals + 2 - assignment), arena, diag);
    return value && put_value(&o, root, assignment, value, top_keys);
}
