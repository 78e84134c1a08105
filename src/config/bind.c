/* SPDX-License-Identifier: Apache-2.0 */
#include "config/bind.h"

#include <string.h>

#include "base/check.h"
#include "base/units.h"
#include "config/form.h"
#include "config/yaml.h"

/* The file of nodes made from defaults; told from a user's file of that name by its address. */
static const char default_file[] = "(default)";

static bool is_default(const struct node *n)
{
    return n->file == default_file;
}

static void read_value(const struct param_spec *row, const struct node *n, void *base,
                       struct binder *b);

/* Defaults. */

static void mark_default(struct node *n)
{
    n->file = default_file;
    for (struct node *c = n->first; c; c = c->next) {
        mark_default(c);
    }
}

/* Most defaults are a number or a word; for them there is no need to trouble the parser. */
static bool is_plain(const char *text)
{
    return text[0] != '%' &&
           text[strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                             "0123456789._/%")] == '\0';
}

static struct node *default_node(const struct param_spec *row, const struct node *block,
                                 struct binder *b)
{
    struct node *n;
    if (row->fallback[0] == '\0' || is_plain(row->fallback)) {
        n = arena_take(b->arena, sizeof *n);
        n->text = row->fallback;
        n->quoted = row->fallback[0] == '\0';
    } else {
        n = yaml_parse_line(default_file, row->fallback, 1, b->arena, b->diag);
        CHECK(n, "the default of '%s' is no YAML: %s", row->name, row->fallback);
    }
    mark_default(n);
    n->key = row->name;
    n->parent = (struct node *)block;
    return n;
}

/* Words about what was found. */

static const char *found(const struct node *n, struct binder *b)
{
    if (n->kind == NODE_MAPPING) {
        return "a mapping";
    }
    if (n->kind == NODE_SEQUENCE) {
        return "a sequence";
    }
    return node_is_empty(n) ? "nothing" : units_quote(n->text, b->arena);
}

static bool expect(enum node_kind kind, const char *what, const struct node *n, struct binder *b)
{
    if (n->kind == kind && !node_is_empty(n)) {
        return true;
    }
    diag_error(b->diag, n, "expected %s, found %s", what, found(n, b));
    return false;
}

/* "a, b, c" */
static const char *join(const char *const *names, struct arena *arena)
{
    size_t size = 1;
    for (const char *const *n = names; *n; n++) {
        size += strlen(*n) + 2;
    }
    char *text = arena_take(arena, size), *end = text;
    for (const char *const *n = names; *n; n++) {
        end = stpcpy(stpcpy(end, n == names ? "" : ", "), *n);
    }
    return text;
}

static const char *hint(const char *name, const char *const *names, struct arena *arena)
{
    const char *near = diag_nearest(name, names);
    return near ? arena_format(arena, " (did you mean '%s'?)", near) : "";
}

static void report_word(const struct node *n, const char *const *names, struct binder *b)
{
    diag_error(b->diag, n, "%s is none of %s%s", units_quote(n->text, b->arena),
               join(names, b->arena), hint(n->text, names, b->arena));
}

/* Numbers. */

static void check_bounds(const struct param_spec *row, double value, struct units_text text,
                         struct units_text (*write)(double, const struct param_spec *),
                         const struct node *n, struct binder *b)
{
    if (value < row->low) {
        diag_error(b->diag, n, "%s is below %s", text.text, write(row->low, row).text);
    } else if (value > row->high) {
        diag_error(b->diag, n, "%s is above %s", text.text, write(row->high, row).text);
    }
}

static struct units_text whole_bound(double bound, const struct param_spec *row)
{
    return row->kind == PARAM_DURATION ? units_write_duration((int64_t)bound)
                                       : units_write_count((int64_t)bound);
}

static struct units_text real_bound(double bound, const struct param_spec *row)
{
    return units_write_real(bound, row->unit);
}

static void refuse_number(const struct param_spec *row, const char *reason, const struct node *n,
                          struct binder *b)
{
    if (row->absent) {
        diag_error(b->diag, n, "%s; '%s' is allowed too", reason, row->absent);
    } else {
        diag_error(b->diag, n, "%s", reason);
    }
}

/* COUNT and DURATION, which are both int64_t. */
static void read_whole(const struct param_spec *row, const struct node *n, int64_t *value,
                       struct binder *b)
{
    bool duration = row->kind == PARAM_DURATION;
    if (!expect(NODE_SCALAR, units_noun(duration ? "ns" : ""), n, b)) {
        return;
    }
    if (row->absent && strcmp(n->text, row->absent) == 0) {
        *value = INT64_MAX;
        return;
    }
    const char *reason = duration ? units_read_duration(n->text, b->arena, value)
                                  : units_read_count(n->text, b->arena, value);
    if (reason) {
        refuse_number(row, reason, n, b);
        return;
    }
    struct units_text text = duration ? units_write_duration(*value) : units_write_count(*value);
    check_bounds(row, (double)*value, text, whole_bound, n, b);
}

static void read_real(const struct param_spec *row, const struct node *n, double *value,
                      struct binder *b)
{
    if (!expect(NODE_SCALAR, units_noun(row->unit), n, b)) {
        return;
    }
    const char *reason = units_read_real(n->text, row->unit, b->arena, value);
    if (reason) {
        refuse_number(row, reason, n, b);
        return;
    }
    check_bounds(row, *value, units_write_real(*value, row->unit), real_bound, n, b);
}

/* Words and texts. */

static void read_bool(const struct node *n, bool *value, struct binder *b)
{
    if (!expect(NODE_SCALAR, "true or false", n, b)) {
        return;
    }
    *value = strcmp(n->text, "true") == 0;
    if (!*value && strcmp(n->text, "false") != 0) {
        diag_error(b->diag, n, "%s is neither true nor false", units_quote(n->text, b->arena));
    }
}

static bool read_word(const struct param_spec *row, const struct node *n, int *value,
                      struct binder *b)
{
    if (!expect(NODE_SCALAR, "a word", n, b)) {
        return false;
    }
    for (int i = 0; row->words[i]; i++) {
        if (strcmp(row->words[i], n->text) == 0) {
            *value = i;
            return true;
        }
    }
    report_word(n, row->words, b);
    return false;
}

static void read_words(const struct param_spec *row, const struct node *n, uint32_t *mask,
                       struct binder *b)
{
    if (n->kind == NODE_MAPPING) {
        diag_error(b->diag, n, "expected a sequence of words, found a mapping");
        return;
    }
    int word;
    *mask = 0;
    if (n->kind == NODE_SCALAR) {
        *mask = read_word(row, n, &word, b) ? UINT32_C(1) << word : 0;
    }
    for (const struct node *c = n->first; c; c = c->next) {
        if (read_word(row, c, &word, b)) {
            *mask |= UINT32_C(1) << word;
        }
    }
}

static void read_text(const struct node *n, const char *what, const char **value, struct binder *b)
{
    if (expect(NODE_SCALAR, what, n, b)) {
        *value = n->text;
    }
}

static void read_ref(const struct param_spec *row, const struct node *n, struct name_ref *value,
                     struct binder *b)
{
    bool may_be_empty = row->fallback && row->fallback[0] == '\0';
    read_text(n, "a name", &value->name, b);
    value->at = n;
    if (value->name && value->name[0] == '\0' && !may_be_empty) {
        diag_error(b->diag, n, "expected a name, found an empty text");
    }
}

/* Collections. */

static void read_items(const struct schema *schema, const struct node *n, bool bare,
                       struct list *list, struct binder *b)
{
    list->count = bare ? 1 : n->count;
    list->items = arena_take(b->arena, list->count * schema->size);
    char *item = list->items;
    for (const struct node *c = bare ? n : n->first; c; c = bare ? NULL : c->next) {
        bind_block(schema, c, item, b);
        item += schema->size;
    }
}

static void read_list(const struct schema *schema, const struct node *n, struct list *list,
                      struct binder *b)
{
    if (node_is_empty(n)) {
        expect(NODE_SEQUENCE, "a sequence", n, b);
        return;
    }
    read_items(schema, n, !form_is_items(schema, n), list, b);
}

static void read_map(const struct schema *schema, const struct node *n, struct list *list,
                     struct binder *b)
{
    if (expect(NODE_MAPPING, "a mapping", n, b)) {
        read_items(schema, n, false, list, b);
    }
}

/* Rows. */

static void read_row(const struct param_spec *row, const struct node *value,
                     const struct node *block, void *base, struct binder *b)
{
    if (row->kind == PARAM_KEY) {
        *(const char **)((char *)base + row->offset) = block->key ? block->key : row->fallback;
    } else if (!value && !row->fallback) {
        diag_error(b->diag, block, "'%s' is missing", row->name);
    } else {
        bind_value(row, value, block, base, b);
    }
}

bool bind_value(const struct param_spec *row, const struct node *at, const struct node *block,
                void *base, struct binder *b)
{
    size_t errors = b->diag->errors;
    read_value(row, at ? at : default_node(row, block, b), base, b);
    return b->diag->errors == errors;
}

static const struct param_spec *known_row(const struct param_spec *const *sets, const char *key)
{
    const struct param_spec *row = NULL;
    for (; *sets && !row; sets++) {
        row = form_row(*sets, key);
    }
    return row;
}

/* The names of all rows in `sets` (ended by NULL), ended by NULL. */
static const char *const *row_names(const struct param_spec *const *sets, struct arena *arena)
{
    size_t n = 0;
    for (const struct param_spec *const *s = sets; *s; s++) {
        for (const struct param_spec *r = *s; r->name; r++) {
            n++;
        }
    }
    const char **names = arena_take(arena, (n + 1) * sizeof *names);
    n = 0;
    for (const struct param_spec *const *s = sets; *s; s++) {
        for (const struct param_spec *r = *s; r->name; r++) {
            if (r->kind != PARAM_KEY) {
                names[n++] = r->name;
            }
        }
    }
    return names;
}

static void report_key(const struct node *n, const char *const *names, struct binder *b)
{
    const char *near = hint(n->key, names, b->arena);
    if (near[0]) {
        diag_error_key(b->diag, n, "unknown key%s", near);
    } else if (names[0]) {
        diag_error_key(b->diag, n, "unknown key (known: %s)", join(names, b->arena));
    } else {
        diag_error_key(b->diag, n, "unknown key (none is known here)");
    }
}

/* Reports keys that no row has; `besides` is one that is known all the same, or NULL. */
static void check_keys(const struct param_spec *const *sets, const char *besides,
                       const struct node *mapping, struct binder *b)
{
    const char *const *names = row_names(sets, b->arena);
    for (const struct node *c = mapping->first; c; c = c->next) {
        if (!known_row(sets, c->key) && !(besides && strcmp(c->key, besides) == 0)) {
            report_key(c, names, b);
        }
    }
}

/* Reports values that stand beyond the last row of a positional block. */
static void check_places(const struct form *f, struct binder *b)
{
    uint32_t rows = 0;
    for (const struct param_spec *r = f->rows; r->name; r++) {
        rows += r->kind != PARAM_KEY;
    }
    const struct node *extra = node_item(f->places, rows);
    if (extra) {
        diag_error(b->diag, extra, "expected at most %u values", (unsigned)rows);
    }
}

bool bind_rows(const struct schema *const *schemas, void *const *outs, const struct node *at,
               struct binder *b)
{
    size_t errors = b->diag->errors;
    if (!expect(NODE_MAPPING, "a mapping", at, b)) {
        return false;
    }
    size_t n = 0;
    while (schemas[n]) {
        n++;
    }
    const struct param_spec **sets = arena_take(b->arena, (n + 1) * sizeof *sets);
    bool open = false;
    for (size_t i = 0; i < n; i++) {
        sets[i] = schemas[i]->rows;
        open = open || schemas[i]->open;
    }
    if (!open) {
        check_keys(sets, NULL, at, b);
    }
    for (size_t i = 0; i < n; i++) {
        for (const struct param_spec *r = schemas[i]->rows; r->name; r++) {
            CHECK(known_row(sets, r->name) == r || r->kind == PARAM_KEY, "two rows called '%s'",
                  r->name);
            read_row(r, form_value(&(struct form){.keys = at}, r, true), at, outs[i], b);
        }
    }
    for (size_t i = 0; i < n && b->diag->errors == errors; i++) {
        if (schemas[i]->derive) {
            schemas[i]->derive(outs[i], is_default(at) ? NULL : at, b->diag, b->arena);
        }
    }
    return b->diag->errors == errors;
}

bool bind_block(const struct schema *schema, const struct node *at, void *out, struct binder *b)
{
    struct form f = form_of_block(schema, at);
    if (f.keys || !(f.bare || f.places)) {
        return bind_rows((const struct schema *[]){schema, NULL}, (void *[]){out}, at, b);
    }
    size_t errors = b->diag->errors;
    if (f.places) {
        check_places(&f, b);
    }
    for (const struct param_spec *r = schema->rows; r->name; r++) {
        read_row(r, form_value(&f, r, false), at, out, b);
    }
    if (b->diag->errors == errors && schema->derive) {
        schema->derive(out, is_default(at) ? NULL : at, b->diag, b->arena);
    }
    return b->diag->errors == errors;
}

/* Choices. */

static bool allowed(const struct alternative *a, const char *absent)
{
    return !a->absent || (absent && strcmp(a->name, absent) == 0);
}

/* The names of the alternatives that the row allows, ended by NULL. */
static const char *const *alternative_names(const struct choice *choice, const char *absent,
                                            struct arena *arena)
{
    size_t n = 0;
    for (const struct alternative *a = choice->alternatives; a->name; a++) {
        n++;
    }
    const char **names = arena_take(arena, (n + 1) * sizeof *names);
    n = 0;
    for (const struct alternative *a = choice->alternatives; a->name; a++) {
        if (allowed(a, absent)) {
            names[n++] = a->name;
        }
    }
    return names;
}

static bool is_number(const struct param_spec *row)
{
    return row &&
           (row->kind == PARAM_COUNT || row->kind == PARAM_REAL || row->kind == PARAM_DURATION);
}

/* A bare word where the bare value would be a number is taken for the name of an alternative. */
static bool is_misspelt(const struct form *f, const struct node *n)
{
    const struct param_spec *first = form_first_row(f->rows);
    return f->bare == n && n->kind == NODE_SCALAR && is_number(first) &&
           strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_", n->text[0]) &&
           !(first->absent && strcmp(first->absent, n->text) == 0);
}

/* A word that is like no alternative, where a number would do as well. */
static void report_scalar(const struct param_spec *first, const struct node *n,
                          const char *const *names, struct binder *b)
{
    const char *unit = first->kind == PARAM_COUNT ? "" : first->unit;
    diag_error(b->diag, n, "%s is none of %s, nor %s (for instance %s)",
               units_quote(n->text, b->arena), join(names, b->arena), units_noun(unit),
               units_examples(unit));
}

/* Reports why no alternative could be told. */
static void report_choice(const struct form *f, const char *const *names, const struct node *n,
                          struct binder *b)
{
    if (f->named_by && f->named_by->kind != NODE_SCALAR && !f->alternative) {
        diag_error(b->diag, f->named_by, "expected a word, found %s", found(f->named_by, b));
    } else if (f->named_by && !f->alternative) {
        report_word(f->named_by, names, b);
    } else if (n->kind == NODE_SCALAR && !node_is_empty(n) && f->bare == n &&
               is_number(form_first_row(f->rows)) && !hint(n->text, names, b->arena)[0]) {
        report_scalar(form_first_row(f->rows), n, names, b);
    } else if (n->kind == NODE_SCALAR && !node_is_empty(n)) {
        report_word(n, names, b);
    } else if (n->kind == NODE_MAPPING && n->count == 1 &&
               hint(n->first->key, names, b->arena)[0]) {
        diag_error_key(b->diag, n->first, "unknown alternative%s",
                       hint(n->first->key, names, b->arena));
    } else if (n->kind == NODE_MAPPING) {
        diag_error(b->diag, n, "'kind' is missing (one of %s)", join(names, b->arena));
    } else {
        diag_error(b->diag, n, "expected one of %s, found %s", join(names, b->arena), found(n, b));
    }
}

/* Reports keys around and in the alternative's rows that have no business there. */
static void check_choice_keys(const struct choice *choice, const struct form *f, struct binder *b)
{
    const struct param_spec *sets[3] = {NULL, NULL, NULL};
    const struct param_spec *common[2] = {choice->common, NULL};
    int n = 0;
    if (f->rows) {
        sets[n++] = f->rows;
    }
    if (choice->common) {
        sets[n++] = choice->common;
    }
    if (f->keys) {
        check_keys(sets, f->beside ? NULL : "kind", f->keys, b);
    }
    for (const struct node *c = f->beside ? f->beside->first : NULL; c; c = c->next) {
        if (c != f->named_by && form_alternative(choice, c->key)) {
            diag_error_key(b->diag, c, "excluded by '%s' beside it", f->alternative->name);
        } else if (c != f->named_by && form_row(choice->common, c->key) &&
                   node_child(f->keys, c->key)) {
            diag_error_key(b->diag, c, "stands in '%s' too", f->alternative->name);
        } else if (c != f->named_by && !form_row(choice->common, c->key)) {
            report_key(c, row_names(common, b->arena), b);
        }
    }
    if (f->bare && !form_first_row(f->rows)) {
        diag_error(b->diag, f->bare, "'%s' takes no value", f->alternative->name);
    }
}

static void read_choice(const struct choice *choice, const char *absent, const struct node *n,
                        void *out, struct binder *b)
{
    size_t errors = b->diag->errors;
    struct form f = form_of_choice(choice, n);
    const char *const *names = alternative_names(choice, absent, b->arena);
    if (!f.alternative || is_misspelt(&f, n) || node_is_empty(n)) {
        report_choice(&f, names, n, b);
        return;
    }
    if (!allowed(f.alternative, absent)) {
        diag_error(b->diag, f.named_by ? f.named_by : n, "'%s' is not allowed here (one of %s)",
                   f.alternative->name, join(names, b->arena));
        return;
    }
    check_choice_keys(choice, &f, b);
    *(int *)((char *)out + choice->tag_offset) = f.alternative->tag;
    for (const struct param_spec *r = f.rows; r && r->name; r++) {
        read_row(r, form_value(&f, r, false), f.keys ? f.keys : n, out, b);
    }
    for (const struct param_spec *r = choice->common; r && r->name; r++) {
        read_row(r, form_value(&f, r, true), f.keys ? f.keys : n, out, b);
    }
    if (b->diag->errors == errors && choice->derive) {
        choice->derive(out, is_default(n) ? NULL : n, b->diag, b->arena);
    }
}

static void read_value(const struct param_spec *row, const struct node *n, void *base,
                       struct binder *b)
{
    void *member = (char *)base + row->offset;
    switch (row->kind) {
    case PARAM_BOOL:
        read_bool(n, member, b);
        return;
    case PARAM_COUNT:
    case PARAM_DURATION:
        read_whole(row, n, member, b);
        return;
    case PARAM_REAL:
        read_real(row, n, member, b);
        return;
    case PARAM_WORD:
        read_word(row, n, member, b);
        return;
    case PARAM_WORDS:
        read_words(row, n, member, b);
        return;
    case PARAM_TEXT:
        read_text(n, "a text", member, b);
        return;
    case PARAM_KEY:
        return; /* Not written; read_row has set it. */
    case PARAM_REF:
        read_ref(row, n, member, b);
        return;
    case PARAM_BLOCK:
        bind_block(row->schema, n, member, b);
        return;
    case PARAM_LIST:
        read_list(row->schema, n, member, b);
        return;
    case PARAM_MAP:
        read_map(row->schema, n, member, b);
        return;
    case PARAM_CHOICE:
        read_choice(row->choice, row->absent, n, member, b);
        return;
    case PARAM_RAW:
        *(const struct node **)member = n;
        return;
    }
    CHECK(false, "row '%s' has no kind", row->name);
}
