/* SPDX-License-Identifier: Apache-2.0 */
#include "config/form.h"

#include <stddef.h>
#include <string.h>

const struct param_spec *form_first_row(const struct param_spec *rows)
{
    for (const struct param_spec *r = rows; r && r->name; r++) {
        if (r->kind != PARAM_KEY) {
            return r;
        }
    }
    return NULL;
}

const struct param_spec *form_row(const struct param_spec *rows, const char *key)
{
    for (const struct param_spec *r = rows; r && r->name; r++) {
        if (r->kind != PARAM_KEY && strcmp(r->name, key) == 0) {
            return r;
        }
    }
    return NULL;
}

bool form_all_optional(const struct param_spec *rows)
{
    for (const struct param_spec *r = rows; r && r->name; r++) {
        if (!r->fallback) {
            return false;
        }
    }
    return true;
}

bool form_is_items(const struct schema *item, const struct node *at)
{
    bool in_order = item->positional && !item->shorthand;
    return at->kind == NODE_SEQUENCE && !(in_order && at->first && at->first->kind == NODE_SCALAR);
}

const struct alternative *form_alternative(const struct choice *choice, const char *name)
{
    for (const struct alternative *a = choice->alternatives; a->name; a++) {
        if (strcmp(a->name, name) == 0) {
            return a;
        }
    }
    return NULL;
}

struct form form_of_block(const struct schema *schema, const struct node *at)
{
    struct form f = {.rows = schema->rows};
    if (at->kind == NODE_MAPPING) {
        f.keys = at;
    } else if (schema->positional && at->kind == NODE_SEQUENCE) {
        f.places = at;
    } else if (schema->shorthand) {
        f.bare = at;
    }
    return f;
}

/* A mapping in place of an alternative's rows may also be its first row, when that is a choice:
 * `{renewal: {exponential: 20ms}}`. It is when it names an alternative and no row. */
static bool is_bare_choice(const struct alternative *a, const struct param_spec *common,
                           const struct node *at)
{
    const struct param_spec *first = form_first_row(a->rows);
    if (!first || first->kind != PARAM_CHOICE) {
        return false;
    }
    bool named = false;
    for (const struct node *c = at->first; c; c = c->next) {
        if (form_row(a->rows, c->key) || form_row(common, c->key)) {
            return false;
        }
        named = named || strcmp(c->key, "kind") == 0 || form_alternative(first->choice, c->key);
    }
    return named;
}

static void set_alternative(struct form *f, const struct alternative *a)
{
    f->alternative = a;
    f->rows = a ? a->rows : NULL;
}

/* `{lognormal: {mean: 8ms, cv: 1.2}}`, `{exponential: 20ms}` */
static void find_key(struct form *f, const struct choice *choice, const struct node *at)
{
    for (const struct node *c = at->first; c; c = c->next) {
        const struct alternative *a = form_alternative(choice, c->key);
        if (!a) {
            continue;
        }
        set_alternative(f, a);
        f->named_by = c;
        f->beside = at;
        if (c->kind == NODE_MAPPING && !is_bare_choice(a, choice->common, c)) {
            f->keys = c;
        } else {
            f->bare = c;
        }
        return;
    }
}

struct form form_of_choice(const struct choice *choice, const struct node *at)
{
    struct form f = {.keys = NULL};
    if (at->kind == NODE_MAPPING) {
        const struct node *kind = node_child(at, "kind");
        if (!kind) {
            find_key(&f, choice, at);
        } else {
            f.keys = at;
            f.named_by = kind;
            set_alternative(&f, kind->text ? form_alternative(choice, kind->text) : NULL);
        }
        return f;
    }
    const struct alternative *named = at->text ? form_alternative(choice, at->text) : NULL;
    if (named) {
        f.named_by = at;
        set_alternative(&f, named);
    } else if (choice->scalar) {
        f.bare = at;
        set_alternative(&f, form_alternative(choice, choice->scalar));
    }
    return f;
}

const struct node *form_value(const struct form *f, const struct param_spec *row, bool common)
{
    if (row->kind == PARAM_KEY) {
        return NULL;
    }
    if (f->keys && node_child(f->keys, row->name)) {
        return node_child(f->keys, row->name);
    }
    if (common) {
        return node_child(f->beside, row->name);
    }
    if (f->bare) {
        return row == form_first_row(f->rows) ? f->bare : NULL;
    }
    uint32_t place = 0;
    for (const struct param_spec *r = f->rows; r != row; r++) {
        place += r->kind != PARAM_KEY;
    }
    return node_item(f->places, place);
}
