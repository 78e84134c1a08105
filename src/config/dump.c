/* SPDX-License-Identifier: Apache-2.0 */
#include "config/dump.h"

#include <string.h>

#include "base/check.h"
#include "base/units.h"
#include "config/bind.h"
#include "config/form.h"

/* Where a value goes: after "key:" or "-" on a line, or as lines below. */
struct dump {
    FILE *out;
    int indent;
    bool in_item; /* the next line continues one that has its "- " already */
};

static void dump_value(struct dump *d, const struct param_spec *row, const void *base,
                       const struct node *given);

static void begin_line(struct dump *d)
{
    if (!d->in_item) {
        fprintf(d->out, "%*s", d->indent, "");
    }
    d->in_item = false;
}

static void end_line(struct dump *d, const struct node *given)
{
    fputs(given ? "\n" : "  # default\n", d->out);
}

/* The code point at `*p`, which moves on; the text is valid UTF-8. */
static uint32_t next_code(const char **p)
{
    const unsigned char *s = (const unsigned char *)*p;
    int more = s[0] < 0x80 ? 0 : s[0] < 0xe0 ? 1 : s[0] < 0xf0 ? 2 : 3;
    uint32_t code = more ? s[0] & (0x3fu >> more) : s[0];
    int i = 1;
    for (; i <= more && (s[i] & 0xc0) == 0x80; i++) {
        code = code << 6 | (s[i] & 0x3f);
    }
    *p += i;
    return code;
}

/* Characters that YAML does not let stand for themselves within quotes, or breaks lines at. */
static bool needs_escape(uint32_t code)
{
    return code < 0x20 || (code >= 0x7f && code <= 0xa0) || code == 0x2028 || code == 0x2029 ||
           code == 0xfeff || (code >= 0xd800 && code < 0xe000) || (code & 0xfffe) == 0xfffe;
}

static void put_quoted(FILE *out, const char *text)
{
    putc('"', out);
    while (*text) {
        const char *start = text;
        uint32_t code = next_code(&text);
        if (code == '"' || code == '\\') {
            fprintf(out, "\\%c", (int)code);
        } else if (needs_escape(code)) {
            fprintf(out, code > 0xffff ? "\\U%08x" : "\\u%04x", (unsigned)code);
        } else {
            fwrite(start, 1, (size_t)(text - start), out);
        }
    }
    putc('"', out);
}

/* Whether the text stands for itself anywhere, also within flow collections. */
static bool is_plain(const char *text)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";
    if (!*text || !(strchr(letters, *text) || strchr("./", *text)) || strcmp(text, "null") == 0) {
        return false;
    }
    for (; *text; text++) {
        bool inner = (*text == ' ' && text[1] && text[1] != '#' && text[1] != ' ');
        if (!strchr(letters, *text) && !strchr("-./%+", *text) && !inner) {
            return false;
        }
    }
    return true;
}

void dump_text(FILE *out, const char *text)
{
    if (is_plain(text)) {
        fputs(text, out);
    } else {
        put_quoted(out, text);
    }
}

void dump_node(FILE *out, const struct node *n)
{
    if (n->kind == NODE_SCALAR) {
        if (node_is_empty(n)) {
            putc('~', out);
        } else if (n->quoted) {
            put_quoted(out, n->text);
        } else {
            dump_text(out, n->text);
        }
        return;
    }
    putc(n->kind == NODE_MAPPING ? '{' : '[', out);
    for (const struct node *c = n->first; c; c = c->next) {
        if (c->key) {
            dump_text(out, c->key);
            fputs(": ", out);
        }
        dump_node(out, c);
        fputs(c->next ? ", " : "", out);
    }
    putc(n->kind == NODE_MAPPING ? '}' : ']', out);
}

/* Kinds whose value stands behind its key on one line. */
static bool is_flat(const struct param_spec *row)
{
    return row->kind != PARAM_BLOCK && row->kind != PARAM_LIST && row->kind != PARAM_MAP &&
           row->kind != PARAM_CHOICE;
}

static void put_words(FILE *out, const char *const *words, uint32_t mask)
{
    const char *before = "";
    putc('[', out);
    for (int i = 0; words[i]; i++) {
        if (mask & UINT32_C(1) << i) {
            fputs(before, out);
            dump_text(out, words[i]);
            before = ", ";
        }
    }
    putc(']', out);
}

static void put_flat(FILE *out, const struct param_spec *row, const void *base)
{
    const void *member = (const char *)base + row->offset;
    int64_t whole =
        row->kind == PARAM_COUNT || row->kind == PARAM_DURATION ? *(const int64_t *)member : 0;
    if (row->absent && whole == INT64_MAX) {
        dump_text(out, row->absent);
    } else if (row->kind == PARAM_COUNT) {
        fputs(units_write_count(whole).text, out);
    } else if (row->kind == PARAM_DURATION) {
        fputs(units_write_duration(whole).text, out);
    } else if (row->kind == PARAM_REAL) {
        fputs(units_write_real(*(const double *)member, row->unit).text, out);
    } else if (row->kind == PARAM_BOOL) {
        fputs(*(const bool *)member ? "true" : "false", out);
    } else if (row->kind == PARAM_WORD) {
        dump_text(out, row->words[*(const int *)member]);
    } else if (row->kind == PARAM_WORDS) {
        put_words(out, row->words, *(const uint32_t *)member);
    } else if (row->kind == PARAM_TEXT) {
        dump_text(out, *(const char *const *)member);
    } else if (row->kind == PARAM_REF) {
        dump_text(out, ((const struct name_ref *)member)->name);
    } else if (row->kind == PARAM_RAW) {
        dump_node(out, *(const struct node *const *)member);
    }
}

/* Whether a number, word, truth value or empty list is that of the row's default. */
static bool equals_default(const struct param_spec *row, const void *base)
{
    if (row->kind == PARAM_LIST) {
        const struct list *list = (const void *)((const char *)base + row->offset);
        return list->count == 0 && row->fallback && strcmp(row->fallback, "[]") == 0;
    }
    static const size_t sizes[] = {
        [PARAM_BOOL] = sizeof(bool),
        [PARAM_COUNT] = sizeof(int64_t),
        [PARAM_REAL] = sizeof(double),
        [PARAM_DURATION] = sizeof(sim_time),
        [PARAM_WORD] = sizeof(int),
        [PARAM_WORDS] = sizeof(uint32_t),
        [PARAM_RAW] = 0,
    };
    size_t size = sizes[row->kind];
    if (!row->fallback || size == 0) {
        return false;
    }
    int64_t value = 0;
    struct param_spec alone = *row;
    struct arena arena = {NULL};
    struct diag diag = {.errors = 0};
    alone.offset = 0;
    bool good = bind_value(&alone, NULL, NULL, &value, &(struct binder){&arena, &diag});
    arena_close(&arena);
    diag_close(&diag);
    return good && memcmp(&value, (const char *)base + row->offset, size) == 0;
}

static void put_key(struct dump *d, const char *key)
{
    begin_line(d);
    dump_text(d->out, key);
    putc(':', d->out);
}

static void dump_row(struct dump *d, const struct param_spec *row, const void *base,
                     const struct node *given)
{
    if (row->kind != PARAM_KEY) {
        put_key(d, row->name);
        dump_value(d, row, base, given);
    }
}

/* The rows of a block as lines, which begin behind "- " when the dump stands in an item. */
static void dump_rows(struct dump *d, const struct schema *schema, const void *value,
                      const struct node *given)
{
    struct form f = {.rows = schema->rows};
    if (given) {
        f = form_of_block(schema, given);
    }
    for (const struct param_spec *r = schema->rows; r->name; r++) {
        dump_row(d, r, value, form_value(&f, r, false));
    }
}

/* A block behind "key:". */
static void dump_nested(struct dump *d, const struct schema *schema, const void *value,
                        const struct node *given)
{
    if (!form_first_row(schema->rows)) {
        fputs(" {}", d->out);
        end_line(d, given);
        return;
    }
    end_line(d, given);
    d->indent += 2;
    dump_rows(d, schema, value, given);
    d->indent -= 2;
}

/* Whether an item may be written as a list of its values: `[0s, 500/s]`. */
static bool is_line(const struct schema *schema)
{
    for (const struct param_spec *r = schema->rows; r->name; r++) {
        if (r->kind == PARAM_KEY || !is_flat(r)) {
            return false;
        }
    }
    return schema->positional;
}

/* Whether the first value may stand for the whole item. */
static bool is_first_alone(const struct schema *schema, const void *value)
{
    for (const struct param_spec *r = schema->rows + 1; r->name; r++) {
        if (!equals_default(r, value)) {
            return false;
        }
    }
    return schema->shorthand;
}

static void put_line(struct dump *d, const struct schema *schema, const void *value,
                     const struct node *given)
{
    if (is_first_alone(schema, value)) {
        put_flat(d->out, schema->rows, value);
        end_line(d, given);
        return;
    }
    for (const struct param_spec *r = schema->rows; r->name; r++) {
        fputs(r == schema->rows ? "[" : ", ", d->out);
        put_flat(d->out, r, value);
    }
    putc(']', d->out);
    end_line(d, given);
}

static void dump_list(struct dump *d, const struct schema *schema, const struct list *list,
                      const struct node *given)
{
    bool bare = given && !form_is_items(schema, given);
    fputs(list->count ? "" : " []", d->out);
    end_line(d, given);
    const char *item = list->items;
    const struct node *at = given && !bare ? given->first : given;
    for (uint32_t i = 0; i < list->count; i++, item += schema->size) {
        fprintf(d->out, "%*s- ", d->indent + 2, "");
        if (is_line(schema)) {
            put_line(d, schema, item, at);
        } else if (form_first_row(schema->rows)) {
            d->indent += 4;
            d->in_item = true;
            dump_rows(d, schema, item, at);
            d->indent -= 4;
        } else {
            fputs("{}", d->out);
            end_line(d, at);
        }
        at = at ? at->next : NULL;
    }
}

static const char *key_of(const struct schema *schema, const void *item)
{
    const struct param_spec *r = schema->rows;
    while (r->kind != PARAM_KEY) {
        r++;
        CHECK(r->name, "the items of a map, '%s', have no key", schema->name);
    }
    return *(const char *const *)((const char *)item + r->offset);
}

static void dump_map(struct dump *d, const struct schema *schema, const struct list *list,
                     const struct node *given)
{
    fputs(list->count ? "" : " {}", d->out);
    end_line(d, given);
    const char *item = list->items;
    const struct node *at = given ? given->first : NULL;
    d->indent += 2;
    for (uint32_t i = 0; i < list->count; i++, item += schema->size) {
        put_key(d, key_of(schema, item));
        dump_nested(d, schema, item, at);
        at = at ? at->next : NULL;
    }
    d->indent -= 2;
}

static const struct alternative *chosen(const struct choice *choice, const void *value)
{
    int tag = *(const int *)((const char *)value + choice->tag_offset);
    const struct alternative *a = choice->alternatives;
    while (a->name && a->tag != tag) {
        a++;
    }
    CHECK(a->name, "no alternative of '%s' has the tag %d", choice->name, tag);
    return a;
}

static bool common_are_default(const struct choice *choice, const void *value)
{
    for (const struct param_spec *r = choice->common; r && r->name; r++) {
        if (!equals_default(r, value)) {
            return false;
        }
    }
    return true;
}

/* Whether the value of its only row says it all: `service_time: 20ms`. A word could be taken for
 * the name of an alternative. */
static bool is_scalar(const struct choice *choice, const struct alternative *a)
{
    const struct param_spec *r = form_first_row(a->rows);
    bool only = r && r == a->rows && !r[1].name && !r->absent;
    return only && choice->scalar && strcmp(choice->scalar, a->name) == 0 &&
           (r->kind == PARAM_COUNT || r->kind == PARAM_REAL || r->kind == PARAM_DURATION);
}

static void dump_choice(struct dump *d, const struct choice *choice, const void *value,
                        const struct node *given)
{
    const struct alternative *a = chosen(choice, value);
    struct form f = {.rows = a->rows};
    if (common_are_default(choice, value) && (!form_first_row(a->rows) || is_scalar(choice, a))) {
        putc(' ', d->out);
        if (form_first_row(a->rows)) {
            put_flat(d->out, a->rows, value);
        } else {
            dump_text(d->out, a->name);
        }
        end_line(d, given);
        return;
    }
    if (given) {
        f = form_of_choice(choice, given);
    }
    end_line(d, given);
    d->indent += 2;
    put_key(d, "kind");
    fprintf(d->out, " %s", a->name);
    end_line(d, given);
    for (const struct param_spec *r = a->rows; r && r->name; r++) {
        dump_row(d, r, value, form_value(&f, r, false));
    }
    for (const struct param_spec *r = choice->common; r && r->name; r++) {
        dump_row(d, r, value, form_value(&f, r, true));
    }
    d->indent -= 2;
}

/* What follows "key:". */
static void dump_value(struct dump *d, const struct param_spec *row, const void *base,
                       const struct node *given)
{
    const void *member = (const char *)base + row->offset;
    if (is_flat(row)) {
        putc(' ', d->out);
        put_flat(d->out, row, base);
        end_line(d, given);
    } else if (row->kind == PARAM_BLOCK) {
        dump_nested(d, row->schema, member, given);
    } else if (row->kind == PARAM_LIST) {
        dump_list(d, row->schema, member, given);
    } else if (row->kind == PARAM_MAP) {
        dump_map(d, row->schema, member, given);
    } else {
        dump_choice(d, row->choice, member, given);
    }
}

void dump_block(FILE *out, const struct schema *const *schemas, const void *const *values,
                const struct node *given, int indent)
{
    struct dump d = {.out = out, .indent = indent};
    for (; *schemas; schemas++, values++) {
        dump_rows(&d, *schemas, *values, given);
    }
}
