/* SPDX-License-Identifier: Apache-2.0 */
#include "config/policies.h"

#include <stdlib.h>
#include <string.h>

#include "base/units.h"

enum state { UNTOUCHED, EXPANDING, EXPANDED };

struct policy {
    struct node *body;
    enum state state;
    bool used;
};

struct policies {
    struct node *root, *all; /* `all` NULL: none are written */
    struct policy *policy;   /* sorted by name */
    const char **names;      /* the same, ended by NULL */
    size_t count;
    struct arena *arena;
    struct diag *diag;
    uint32_t nodes_left;
};

static void expand(struct policies *x, struct node *n, uint32_t depth);

static int by_name(const void *a, const void *b)
{
    const struct policy *x = a, *y = b;
    return strcmp(x->body->key, y->body->key);
}

static struct policy *find(const struct policies *x, const char *name)
{
    struct node key = {.key = name};
    return bsearch(&(struct policy){.body = &key}, x->policy, x->count, sizeof *x->policy, by_name);
}

/* Expands within the policy itself, once. */
static void prepare(struct policies *x, struct policy *p)
{
    if (p->state == UNTOUCHED) {
        p->state = EXPANDING;
        expand(x, p->body, 2);
        p->state = EXPANDED;
    }
}

static void give(struct policies *x, const struct policy *p, struct node *to, uint32_t depth,
                 const struct node *at)
{
    for (const struct node *c = p->body->first; c; c = c->next) {
        if (node_child(to, c->key)) {
            continue;
        }
        struct node *copy = depth < TREE_MAX_DEPTH
                                ? node_copy(c, x->arena, TREE_MAX_DEPTH - depth, &x->nodes_left)
                                : NULL;
        if (!copy && x->nodes_left > 0) {
            diag_error(x->diag, at, "nested deeper than %d levels", TREE_MAX_DEPTH);
            return;
        }
        if (!copy) {
            diag_error(x->diag, at, "more than %d nodes are copied", TREE_MAX_NODES);
            return;
        }
        node_append(to, copy);
    }
}

/* Hands out the policy that the scalar `at` names. */
static void use(struct policies *x, const struct node *at, struct node *to, uint32_t depth)
{
    if (at->kind != NODE_SCALAR || node_is_empty(at)) {
        diag_error(x->diag, at, "expected the name of a policy");
        return;
    }
    struct policy *p = find(x, at->text);
    const char *name = units_quote(at->text, x->arena);
    const char *near = p ? NULL : diag_nearest(at->text, x->names);
    if (!p && near) {
        diag_error(x->diag, at, "no policy %s (did you mean '%s'?)", name, near);
    } else if (!p) {
        diag_error(x->diag, at, "no policy %s", name);
    } else if (p->state == EXPANDING) {
        diag_error(x->diag, at, "policy %s contains itself", name);
    } else {
        p->used = true;
        prepare(x, p);
        give(x, p, to, depth, at);
    }
}

/* Whether the keys of this mapping are names that the user chose, of which `policy` may be one. */
static bool holds_names(const struct policies *x, const struct node *n)
{
    if (!n->key || !n->parent || n->parent == x->all) {
        return false;
    }
    if (n->parent == x->root) {
        return strcmp(n->key, "entities") == 0;
    }
    return strcmp(n->key, "requests") == 0 && !holds_names(x, n->parent);
}

/* `depth` is the number of collections around and including `n`. */
static void expand(struct policies *x, struct node *n, uint32_t depth)
{
    struct node *names = holds_names(x, n) ? NULL : (struct node *)node_child(n, "policy");
    for (struct node *c = n->first; c && x->nodes_left > 0; c = c->next) {
        if (c != names) {
            expand(x, c, depth + 1);
        }
    }
    if (!names || x->nodes_left == 0) {
        return;
    }
    if (names->kind == NODE_SEQUENCE) {
        for (const struct node *c = names->first; c; c = c->next) {
            use(x, c, n, depth);
        }
    } else {
        use(x, names, n, depth);
    }
    node_remove(names);
}

static bool list_policies(struct policies *x, struct node *all)
{
    x->policy = arena_take(x->arena, (all->count + 1) * sizeof *x->policy);
    x->names = arena_take(x->arena, (all->count + 1) * sizeof *x->names);
    bool good = true;
    for (struct node *c = all->first; c; c = c->next) {
        if (c->kind != NODE_MAPPING) {
            diag_error(x->diag, c, "expected a mapping of policy keys");
            good = false;
            continue;
        }
        x->policy[x->count++].body = c;
    }
    qsort(x->policy, x->count, sizeof *x->policy, by_name);
    for (size_t i = 0; i < x->count; i++) {
        x->names[i] = x->policy[i].body->key;
    }
    return good;
}

struct policies *policies_open(struct node *root, struct arena *arena, struct diag *diag)
{
    struct policies *x = arena_take(arena, sizeof *x);
    *x =
        (struct policies){.root = root, .arena = arena, .diag = diag, .nodes_left = TREE_MAX_NODES};
    x->all = (struct node *)node_child(root, "policies");
    struct node none = {.kind = NODE_MAPPING};
    if (x->all && x->all->kind != NODE_MAPPING) {
        diag_error(diag, x->all, "expected a mapping of names to policies");
        return NULL;
    }
    if (!list_policies(x, x->all ? x->all : &none)) {
        return NULL;
    }
    for (size_t i = 0; i < x->count; i++) {
        prepare(x, &x->policy[i]);
    }
    return x;
}

void policies_expand(struct policies *x)
{
    for (struct node *c = x->root->first; c; c = c->next) {
        if (c != x->all) {
            expand(x, c, 2);
        }
    }
}

void policies_close(struct policies *x)
{
    for (size_t i = 0; i < x->count; i++) {
        if (!x->policy[i].used) {
            diag_warning(x->diag, x->policy[i].body, "this policy is never used");
        }
    }
    if (x->all) {
        node_remove(x->all);
    }
}
