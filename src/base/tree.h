/* SPDX-License-Identifier: Apache-2.0
 *
 * A configuration as a tree of nodes that remember where they were written. The tree is plain
 * data: config/yaml.c builds it, config/bind.c reads it against rows of base/schema.h, and
 * whoever finds fault with a value later still has its node to point at.
 */
#ifndef SQUALL_BASE_TREE_H
#define SQUALL_BASE_TREE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"

/* No tree is deeper (collections within collections) or has more nodes, so that whatever walks one
 * may recurse and no short text can grow without bound. Whoever builds trees keeps to them. */
enum { TREE_MAX_DEPTH = 64, TREE_MAX_NODES = 1000000 };

enum node_kind { NODE_SCALAR, NODE_SEQUENCE, NODE_MAPPING };

struct node {
    enum node_kind kind;
    const char *text;         /* NODE_SCALAR: as written, quotes removed; else NULL */
    bool quoted;              /* the scalar stood in quotes or in a block */
    const char *key;          /* its key, when the parent is a mapping; else NULL */
    uint32_t index;           /* its place among the parent's children, from 0 */
    const char *file;         /* as the user named it; "--set PATH=VALUE" for an override */
    int line, column;         /* of the value, from 1; line 0: the file as a whole */
    int key_line, key_column; /* of the key, from 1; those of the value without a key */
    uint32_t count;           /* number of children */
    struct node *parent;      /* NULL at the root */
    struct node *first;       /* children, in the order written */
    struct node *last;
    struct node *next; /* next sibling */
};

/* The child of a mapping with this key, or NULL (also when `n` is NULL or no mapping). */
const struct node *node_child(const struct node *n, const char *key);

/* The child at this place, or NULL. */
const struct node *node_item(const struct node *n, uint32_t index);

/* A scalar that was left empty or written as YAML's null. */
bool node_is_empty(const struct node *n);

/* The path of a file that `at` names: relative to the folder of the file that `at` stands in. Made
 * in `arena`, or `file` itself. */
const char *node_path(const struct node *at, const char *file, struct arena *arena);

/* Makes `child`, which has no parent, the last child. */
void node_append(struct node *parent, struct node *child);

/* Takes a child away from its parent. Linear in the number of siblings. */
void node_remove(struct node *child);

/* Gives `old` the value (kind, text, place, children) of `with`, which must not be used afterwards.
 * The key, the place among the siblings and the address of `old` stay. */
void node_replace(struct node *old, const struct node *with);

/* A copy of the subtree in `arena`, with the key and the places of the original and without a
 * parent. Each node copied is taken off `*nodes_left`. NULL when there are not enough of those (and
 * `*nodes_left` is then 0) or when the subtree has more than `levels` levels of collections. */
struct node *node_copy(const struct node *n, struct arena *arena, uint32_t levels,
                       uint32_t *nodes_left);

#endif
