/* SPDX-License-Identifier: Apache-2.0 */
#include "base/tree.h"

#include <stddef.h>
#include <string.h>

const struct node *node_child(const struct node *n, const char *key)
{
    if (!n || n->kind != NODE_MAPPING) {
        return NULL;
    }
    for (const struct node *c = n->first; c; c = c->next) {
        if (strcmp(c->key, key) == 0) {
            return c;
        }
    }
    return NULL;
}

const struct node *node_item(const struct node *n, uint32_t index)
{
    if (!n) {
        return NULL;
    }
    const struct node *c = n->first;
    while (c && index--) {
        c = c->next;
    }
    return c;
}

bool node_is_empty(const struct node *n)
{
    return n->kind == NODE_SCALAR && !n->quoted &&
           (n->text[0] == '\0' || strcmp(n->text, "~") == 0 || strcmp(n->text, "null") == 0);
}

void node_append(struct node *parent, struct node *child)
{
    child->parent = parent;
    child->next = NULL;
    child->index = parent->count++;
    if (parent->last) {
        parent->last->next = child;
    } else {
        parent->first = child;
    }
    parent->last = child;
}

void node_remove(struct node *child)
{
    struct node *parent = child->parent;
    struct node *rest = parent->first;
    parent->first = parent->last = NULL;
    parent->count = 0;
    while (rest) {
        struct node *next = rest->next;
        if (rest != child) {
            node_append(parent, rest);
        }
        rest = next;
    }
    child->parent = child->next = NULL;
    child->index = 0;
}

void node_replace(struct node *old, const struct node *with)
{
    struct node kept = *old;
    *old = *with;
    old->key = kept.key;
    old->index = kept.index;
    old->parent = kept.parent;
    old->next = kept.next;
    for (struct node *c = old->first; c; c = c->next) {
        c->parent = old;
    }
}

struct node *node_copy(const struct node *n, struct arena *arena, uint32_t levels,
                       uint32_t *nodes_left)
{
    if (*nodes_left == 0 || (n->kind != NODE_SCALAR && levels == 0)) {
        return NULL;
    }
    --*nodes_left;
    struct node *copy = arena_take(arena, sizeof *copy);
    *copy = *n;
    copy->parent = copy->first = copy->last = copy->next = NULL;
    copy->index = copy->count = 0;
    for (const struct node *c = n->first; c; c = c->next) {
        struct node *child = node_copy(c, arena, levels - 1, nodes_left);
        if (!child) {
            return NULL;
        }
        node_append(copy, child);
    }
    return copy;
}

const char *node_path(const struct node *at, const char *file, struct arena *arena)
{
    const char *slash = at && at->line > 0 ? strrchr(at->file, '/') : NULL;
    if (file[0] == '/' || !slash) {
        return file;
    }
    return arena_format(arena, "%.*s/%s", (int)(slash - at->file), at->file, file);
}
