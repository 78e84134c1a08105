/* SPDX-License-Identifier: Apache-2.0 */
#include "config/yaml.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <yaml.h>

#include "base/check.h"
#include "base/hash.h"

struct anchor {
    const char *name; /* NULL: the slot is free */
    struct node *node;
};

struct loader {
    yaml_parser_t parser;
    struct arena *arena;
    struct diag *diag;
    const char *file;
    const char *text;
    size_t length;
    bool numbered; /* lines mean something to the user */
    int column;    /* of the first character */
    struct node *root;
    struct node *open[TREE_MAX_DEPTH]; /* the collections around the next node, outermost first */
    uint32_t depth;
    const char *key; /* read, but not yet its value; NULL: none */
    int key_line, key_column;
    struct anchor *anchors; /* hash table, owned; `slots` is a power of two */
    size_t slots, n_anchors;
    uint32_t nodes_left;
    int documents;
};

static int line_of(const struct loader *l, yaml_mark_t at)
{
    return l->numbered ? (int)at.line + 1 : 0;
}

static int column_of(const struct loader *l, yaml_mark_t at)
{
    return (int)at.column + (at.line == 0 ? l->column : 1);
}

#define ERROR_AT(l, mark, ...) \
    diag_error_place((l)->diag, (l)->file, line_of(l, mark), column_of(l, mark), __VA_ARGS__)

/* Anchors: open addressing with linear probing, at most half full. */

static struct anchor *anchor_slot(const struct loader *l, const char *name)
{
    size_t i = hash_text(name) & (l->slots - 1);
    while (l->anchors[i].name && strcmp(l->anchors[i].name, name) != 0) {
        i = (i + 1) & (l->slots - 1);
    }
    return &l->anchors[i];
}

static void grow_anchors(struct loader *l)
{
    struct anchor *old = l->anchors;
    size_t n = l->slots;
    l->slots = n ? 2 * n : 16;
    l->anchors = calloc(l->slots, sizeof *l->anchors);
    CHECK(l->anchors, "out of memory (%zu anchors)", l->slots);
    for (size_t i = 0; i < n; i++) {
        if (old[i].name) {
            *anchor_slot(l, old[i].name) = old[i];
        }
    }
    free(old);
}

static void set_anchor(struct loader *l, const yaml_char_t *name, struct node *node)
{
    if (!name) {
        return;
    }
    if (2 * l->n_anchors >= l->slots) {
        grow_anchors(l);
    }
    struct anchor *a = anchor_slot(l, (const char *)name);
    if (!a->name) {
        a->name = arena_copy(l->arena, (const char *)name);
        l->n_anchors++;
    }
    a->node = node;
}

static const struct node *get_anchor(const struct loader *l, const char *name)
{
    return l->slots ? anchor_slot(l, name)->node : NULL;
}

/* Building. Functions that return bool give false when reading cannot go on. */

static bool too_many(struct loader *l, yaml_mark_t at)
{
    ERROR_AT(l, at, "more than %d nodes (after aliases)", TREE_MAX_NODES);
    return false;
}

static bool too_deep(struct loader *l, yaml_mark_t at)
{
    ERROR_AT(l, at, "nested deeper than %d levels", TREE_MAX_DEPTH);
    return false;
}

static void attach(struct loader *l, struct node *n)
{
    n->key = NULL;
    n->key_line = n->line;
    n->key_column = n->column;
    if (l->depth == 0) {
        l->root = n;
        return;
    }
    if (l->key) {
        n->key = l->key;
        n->key_line = l->key_line;
        n->key_column = l->key_column;
        l->key = NULL;
    }
    node_append(l->open[l->depth - 1], n);
}

static struct node *add(struct loader *l, enum node_kind kind, const yaml_event_t *e)
{
    if (l->nodes_left == 0) {
        too_many(l, e->start_mark);
        return NULL;
    }
    l->nodes_left--;
    struct node *n = arena_take(l->arena, sizeof *n);
    n->kind = kind;
    n->file = l->file;
    n->line = line_of(l, e->start_mark);
    n->column = column_of(l, e->start_mark);
    attach(l, n);
    return n;
}

static bool wants_key(const struct loader *l)
{
    return l->depth > 0 && l->open[l->depth - 1]->kind == NODE_MAPPING && !l->key;
}

static void refuse_tag(struct loader *l, const yaml_event_t *e, const yaml_char_t *tag)
{
    if (tag) {
        ERROR_AT(l, e->start_mark, "tags such as '%s' are not supported", (const char *)tag);
    }
}

static bool open_collection(struct loader *l, enum node_kind kind, const yaml_event_t *e,
                            const yaml_char_t *anchor, const yaml_char_t *tag)
{
    refuse_tag(l, e, tag);
    if (wants_key(l)) {
        ERROR_AT(l, e->start_mark, "a key must be a plain text, not a %s",
                 kind == NODE_MAPPING ? "mapping" : "sequence");
        return false;
    }
    if (l->depth == TREE_MAX_DEPTH) {
        return too_deep(l, e->start_mark);
    }
    struct node *n = add(l, kind, e);
    if (!n) {
        return false;
    }
    set_anchor(l, anchor, n);
    l->open[l->depth++] = n;
    return true;
}

static bool take_key(struct loader *l, const yaml_event_t *e)
{
    const char *text = (const char *)e->data.scalar.value;
    if (e->data.scalar.anchor) {
        ERROR_AT(l, e->start_mark, "a key cannot be an anchor");
    }
    if (e->data.scalar.length == 0) {
        ERROR_AT(l, e->start_mark, "a key must not be empty");
    }
    l->key = arena_text(l->arena, text, e->data.scalar.length);
    l->key_line = line_of(l, e->start_mark);
    l->key_column = column_of(l, e->start_mark);
    return true;
}

static bool take_scalar(struct loader *l, const yaml_event_t *e)
{
    refuse_tag(l, e, e->data.scalar.tag);
    if (memchr(e->data.scalar.value, 0, e->data.scalar.length)) {
        ERROR_AT(l, e->start_mark, "a text must not contain a zero byte");
    }
    if (wants_key(l)) {
        return take_key(l, e);
    }
    struct node *n = add(l, NODE_SCALAR, e);
    if (!n) {
        return false;
    }
    n->text = arena_text(l->arena, (const char *)e->data.scalar.value, e->data.scalar.length);
    n->quoted = e->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    set_anchor(l, e->data.scalar.anchor, n);
    return true;
}

static bool is_open(const struct loader *l, const struct node *n)
{
    for (uint32_t i = 0; i < l->depth; i++) {
        if (l->open[i] == n) {
            return true;
        }
    }
    return false;
}

static bool take_alias(struct loader *l, const yaml_event_t *e)
{
    const char *name = (const char *)e->data.alias.anchor;
    const struct node *original = get_anchor(l, name);
    if (wants_key(l)) {
        ERROR_AT(l, e->start_mark, "a key cannot be an alias");
        return false;
    }
    if (!original) {
        ERROR_AT(l, e->start_mark, "no anchor '&%s' stands before this alias", name);
        return false;
    }
    if (is_open(l, original)) {
        ERROR_AT(l, e->start_mark, "the alias '*%s' stands within its own anchor", name);
        return false;
    }
    struct node *copy = node_copy(original, l->arena, TREE_MAX_DEPTH - l->depth, &l->nodes_left);
    if (!copy) {
        return l->nodes_left ? too_deep(l, e->start_mark) : too_many(l, e->start_mark);
    }
    attach(l, copy);
    return true;
}

/* A key that a mapping has or may take over by `<<`. Of equal keys the least rank wins. */
struct candidate {
    const struct node *node;
    uint32_t rank;
    bool own, beaten;
};

static int by_key(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;
    int keys = strcmp(x->node->key, y->node->key);
    return keys ? keys : (x->rank > y->rank) - (x->rank < y->rank);
}

static int by_rank(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;
    return (x->rank > y->rank) - (x->rank < y->rank);
}

static uint32_t put_candidates(struct candidate *list, uint32_t n, const struct node *mapping,
                               bool own)
{
    for (const struct node *c = mapping->first; c; c = c->next) {
        list[n] = (struct candidate){.node = c, .rank = n, .own = own};
        n++;
    }
    return n;
}

static bool is_merge(const struct node *n)
{
    return n->key && strcmp(n->key, "<<") == 0;
}

static bool mergeable(const struct node *merge)
{
    bool good = merge->kind != NODE_SCALAR;
    if (merge->kind == NODE_SEQUENCE) {
        for (const struct node *c = merge->first; c; c = c->next) {
            good = good && c->kind == NODE_MAPPING;
        }
    }
    return good;
}

/* All keys of `n`, then those it may take over from `merge` (which may be NULL), in a list to be
 * freed. */
static struct candidate *candidates(const struct node *n, const struct node *merge, uint32_t *count)
{
    size_t most = n->count;
    bool several = merge && merge->kind == NODE_SEQUENCE;
    if (merge && !several) {
        most += merge->count;
    }
    for (const struct node *c = several ? merge->first : NULL; c; c = c->next) {
        most += c->count;
    }
    struct candidate *list = calloc(most + 1, sizeof *list);
    CHECK(list, "out of memory (%zu keys)", most);
    *count = put_candidates(list, 0, n, true);
    if (merge && !several) {
        *count = put_candidates(list, *count, merge, false);
    }
    for (const struct node *c = several ? merge->first : NULL; c; c = c->next) {
        *count = put_candidates(list, *count, c, false);
    }
    return list;
}

/* Reports keys that stand twice and marks those that others keep from being taken over. */
static void compare_keys(struct loader *l, struct candidate *list, uint32_t n)
{
    qsort(list, n, sizeof *list, by_key);
    const struct candidate *first = list;
    for (uint32_t i = 1; i < n; i++) {
        if (strcmp(list[i].node->key, first->node->key) != 0) {
            first = &list[i];
            continue;
        }
        list[i].beaten = true;
        if (list[i].own && l->numbered) {
            diag_error_key(l->diag, list[i].node, "duplicate key (it first stands at %d:%d)",
                           first->node->key_line, first->node->key_column);
        } else if (list[i].own) {
            diag_error_key(l->diag, list[i].node, "duplicate key");
        }
    }
}

static bool close_mapping(struct loader *l, const yaml_event_t *e)
{
    struct node *n = l->open[--l->depth];
    struct node *merge = (struct node *)node_child(n, "<<");
    if (merge && !mergeable(merge)) {
        diag_error_key(l->diag, merge, "expected a mapping, or a sequence of them, to merge");
        merge = NULL;
    }
    uint32_t count;
    struct candidate *list = candidates(n, merge, &count);
    compare_keys(l, list, count);
    bool enough = true;
    if (merge) {
        node_remove(merge);
        qsort(list, count, sizeof *list, by_rank);
        for (uint32_t i = 0; i < count && enough; i++) {
            if (list[i].own || list[i].beaten || is_merge(list[i].node)) {
                continue;
            }
            struct node *copy = node_copy(list[i].node, l->arena, TREE_MAX_DEPTH, &l->nodes_left);
            enough = copy;
            if (copy) {
                node_append(n, copy);
            }
        }
    }
    free(list);
    return enough || too_many(l, e->start_mark);
}

static bool begin_document(struct loader *l, const yaml_event_t *e)
{
    if (l->documents++ > 0) {
        ERROR_AT(l, e->start_mark, "a second document starts here, but only one is read");
        return false;
    }
    return true;
}

static bool take_event(struct loader *l, const yaml_event_t *e)
{
    switch (e->type) {
    case YAML_DOCUMENT_START_EVENT:
        return begin_document(l, e);
    case YAML_ALIAS_EVENT:
        return take_alias(l, e);
    case YAML_SCALAR_EVENT:
        return take_scalar(l, e);
    case YAML_SEQUENCE_START_EVENT:
        return open_collection(l, NODE_SEQUENCE, e, e->data.sequence_start.anchor,
                               e->data.sequence_start.tag);
    case YAML_MAPPING_START_EVENT:
        return open_collection(l, NODE_MAPPING, e, e->data.mapping_start.anchor,
                               e->data.mapping_start.tag);
    case YAML_SEQUENCE_END_EVENT:
        l->depth--;
        return true;
    case YAML_MAPPING_END_EVENT:
        return close_mapping(l, e);
    default:
        return true;
    }
}

/* libyaml tells the offset of a byte it cannot read, not its place. */
static void report_unreadable(struct loader *l)
{
    yaml_mark_t at = {0, 0, 0};
    size_t offset = l->parser.problem_offset;
    for (size_t i = 0; i < offset && i < l->length; i++) {
        bool begins = ((unsigned char)l->text[i] & 0xc0) != 0x80;
        at.column = l->text[i] == '\n' ? 0 : at.column + begins;
        at.line += l->text[i] == '\n';
    }
    if (l->parser.problem_value >= 0) {
        ERROR_AT(l, at, "not a text in UTF-8: %s (0x%02x)", l->parser.problem,
                 (unsigned)l->parser.problem_value);
    } else {
        ERROR_AT(l, at, "not a text in UTF-8: %s", l->parser.problem);
    }
}

static void report_syntax(struct loader *l)
{
    const yaml_parser_t *p = &l->parser;
    CHECK(p->error != YAML_MEMORY_ERROR, "out of memory in libyaml");
    if (p->error == YAML_READER_ERROR) {
        report_unreadable(l);
    } else if (!p->context) {
        ERROR_AT(l, p->problem_mark, "syntax error: %s", p->problem);
    } else if (!l->numbered) {
        ERROR_AT(l, p->problem_mark, "syntax error: %s (%s)", p->problem, p->context);
    } else {
        ERROR_AT(l, p->problem_mark, "syntax error: %s (%s from %d:%d)", p->problem, p->context,
                 line_of(l, p->context_mark), column_of(l, p->context_mark));
    }
}

static void read_events(struct loader *l)
{
    bool going = true;
    while (going) {
        yaml_event_t e;
        if (!yaml_parser_parse(&l->parser, &e)) {
            report_syntax(l);
            return;
        }
        going = take_event(l, &e) && e.type != YAML_STREAM_END_EVENT;
        yaml_event_delete(&e);
    }
}

static struct node *parse(struct loader *l)
{
    size_t errors = l->diag->errors;
    if (l->length > YAML_MAX_BYTES) {
        diag_error_place(l->diag, l->file, 0, 0, "larger than %d MiB", YAML_MAX_BYTES >> 20);
        return NULL;
    }
    if (l->length >= 3 && memcmp(l->text, "\xef\xbb\xbf", 3) == 0) {
        l->text += 3; /* A byte order mark is no column. */
        l->length -= 3;
    }
    l->nodes_left = TREE_MAX_NODES;
    CHECK(yaml_parser_initialize(&l->parser), "out of memory in libyaml");
    yaml_parser_set_encoding(&l->parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&l->parser, (const unsigned char *)l->text, l->length);
    read_events(l);
    yaml_parser_delete(&l->parser);
    free(l->anchors);
    if (l->diag->errors == errors && (!l->root || node_is_empty(l->root))) {
        diag_error_place(l->diag, l->file, 0, 0, "nothing is written here");
    }
    return l->diag->errors == errors ? l->root : NULL;
}

struct node *yaml_parse(const char *name, const char *text, size_t length, struct arena *arena,
                        struct diag *diag)
{
    struct loader l = {.arena = arena,
                       .diag = diag,
                       .file = arena_copy(arena, name),
                       .text = text,
                       .length = length,
                       .numbered = true,
                       .column = 1};
    return parse(&l);
}

struct node *yaml_parse_line(const char *name, const char *text, int column, struct arena *arena,
                             struct diag *diag)
{
    struct loader l = {.arena = arena,
                       .diag = diag,
                       .file = arena_copy(arena, name),
                       .text = text,
                       .length = strlen(text),
                       .column = column};
    return parse(&l);
}

/* NULL with an `errno`; EFBIG when the file is too large, which is found out without reading it
 * where its size is known. */
static char *read_all(FILE *file, size_t *length, struct arena *arena)
{
    struct stat status;
    if (fstat(fileno(file), &status) != 0) {
        return NULL;
    }
    if (S_ISDIR(status.st_mode)) {
        errno = EISDIR;
        return NULL;
    }
    if (S_ISREG(status.st_mode) && status.st_size > YAML_MAX_BYTES) {
        errno = EFBIG;
        return NULL;
    }
    /* What is not touched of it takes no memory; one byte more tells that the file is too large. */
    size_t room = YAML_MAX_BYTES + 1;
    char *text = arena_take(arena, room + 1);
    errno = 0;
    *length = fread(text, 1, room, file);
    if (ferror(file) || *length > YAML_MAX_BYTES) {
        errno = ferror(file) ? errno : EFBIG;
        return NULL;
    }
    return text;
}

const char *yaml_read_file(const char *path, size_t *length, struct arena *arena, struct diag *diag)
{
    FILE *file = fopen(path, "rb");
    const char *text = file ? read_all(file, length, arena) : NULL;
    int reason = errno;
    if (file) {
        fclose(file);
    }
    if (!text && reason == EFBIG) {
        diag_error_place(diag, path, 0, 0, "larger than %d MiB", YAML_MAX_BYTES >> 20);
    } else if (!text) {
        diag_error_place(diag, path, 0, 0, "cannot be read: %s", strerror(reason));
    }
    return text;
}
