/* SPDX-License-Identifier: Apache-2.0 */
#include "config/reference.h"

#include <string.h>

#include "base/check.h"
#include "base/json.h"
#include "base/units.h"
#include "config/form.h"
#include "config/yaml.h"

/* Bounds beyond these are those of the number format. */
static const double whole_open = 9.2e18, real_open = 1e300;

/* Upper bounds from these on only keep numbers within reason, and are not worth a word. */
static const double duration_ample = 1e18, number_ample = 1e9;

/* Collecting. */

static void add_rows(struct reference *r, const struct param_spec *rows)
{
    for (; rows && rows->name; rows++) {
        if (rows->schema) {
            reference_add_schema(r, rows->schema);
        }
        if (rows->choice) {
            reference_add_choice(r, rows->choice);
        }
    }
}

static const char *name_of(const struct reference_item *item)
{
    return item->schema ? item->schema->name : item->choice->name;
}

/* Adds the entry; false when it was there. */
static bool add_item(struct reference *r, struct reference_item new)
{
    for (const struct reference_item *i = r->first; i; i = i->next) {
        if (i->schema == new.schema && i->choice == new.choice) {
            return false;
        }
        CHECK(strcmp(name_of(i), name_of(&new)) != 0, "two schemas or choices are called '%s'",
              name_of(&new));
    }
    struct reference_item *item = arena_take(r->arena, sizeof *item);
    *item = new;
    if (r->last) {
        r->last->next = item;
    } else {
        r->first = item;
    }
    r->last = item;
    return true;
}

void reference_add_schema(struct reference *r, const struct schema *schema)
{
    if (add_item(r, (struct reference_item){.schema = schema})) {
        add_rows(r, schema->rows);
    }
}

void reference_add_choice(struct reference *r, const struct choice *choice)
{
    if (!add_item(r, (struct reference_item){.choice = choice})) {
        return;
    }
    for (const struct alternative *a = choice->alternatives; a->name; a++) {
        add_rows(r, a->rows);
    }
    add_rows(r, choice->common);
}

/* Words about a row, the same for the terminal and for Markdown. */

static bool has_low(const struct param_spec *row)
{
    return row->low > (row->kind == PARAM_REAL ? -real_open : -whole_open);
}

static bool has_high(const struct param_spec *row)
{
    return row->high < (row->kind == PARAM_REAL ? real_open : whole_open);
}

/* Whether a reader might ever meet the bound. */
static bool tells_high(const struct param_spec *row)
{
    return row->high < (row->kind == PARAM_DURATION ? duration_ample : number_ample);
}

static struct units_text bound(const struct param_spec *row, double value)
{
    return row->kind == PARAM_REAL       ? units_write_real(value, row->unit)
           : row->kind == PARAM_DURATION ? units_write_duration((sim_time)value)
                                         : units_write_count((int64_t)value);
}

/* The unit under which base/units.h knows the row's quantity. */
static const char *unit_of(const struct param_spec *row)
{
    return row->kind == PARAM_COUNT ? "" : row->unit;
}

static void put_number(const struct param_spec *row, FILE *out)
{
    fputs(strchr(units_noun(unit_of(row)), ' ') + 1, out);
    if (has_low(row) && row->low == row->high) {
        fprintf(out, ", %s", bound(row, row->low).text);
    } else if (has_low(row) && tells_high(row)) {
        fprintf(out, ", %s to %s", bound(row, row->low).text, bound(row, row->high).text);
    } else if (has_low(row)) {
        fprintf(out, ", at least %s", bound(row, row->low).text);
    } else if (tells_high(row)) {
        fprintf(out, ", at most %s", bound(row, row->high).text);
    }
}

static void put_words(const char *const *words, FILE *out)
{
    for (const char *const *w = words; *w; w++) {
        fprintf(out, "%s%s", w == words ? "" : ", ", *w);
    }
}

/* The name as a link has it. Headings get theirs the same way: a space becomes a hyphen. */
static const char *anchor(const char *name, struct arena *arena)
{
    char *text = arena_copy(arena, name);
    for (char *p = text; *p; p++) {
        *p = *p == ' ' ? '-' : *p;
    }
    return text;
}

static void put_link(const char *before, const char *name, bool markdown, FILE *out)
{
    struct arena arena = {NULL};
    fprintf(out, markdown ? "%s[%s](#%s)" : "%s%s", before, name, anchor(name, &arena));
    arena_close(&arena);
}

static void put_kind(const struct param_spec *row, bool markdown, FILE *out)
{
    switch (row->kind) {
    case PARAM_BOOL:
        fputs("true or false", out);
        break;
    case PARAM_COUNT:
    case PARAM_REAL:
    case PARAM_DURATION:
        put_number(row, out);
        break;
    case PARAM_WORD:
    case PARAM_WORDS:
        fputs(row->kind == PARAM_WORD ? "one of " : "any of ", out);
        put_words(row->words, out);
        break;
    case PARAM_TEXT:
    case PARAM_KEY:
        fputs("text", out);
        break;
    case PARAM_REF:
        fputs("name", out);
        break;
    case PARAM_BLOCK:
        put_link("", row->schema->name, markdown, out);
        break;
    case PARAM_LIST:
        put_link("list of ", row->schema->name, markdown, out);
        break;
    case PARAM_MAP:
        put_link("names, each with ", row->schema->name, markdown, out);
        break;
    case PARAM_CHOICE:
        put_link("", row->choice->name, markdown, out);
        break;
    case PARAM_RAW:
        fputs("keys below it", out);
        break;
    }
    if (row->absent) {
        fprintf(out, ", or %s", row->absent);
    }
}

/* What to say of a row whose default is none, or an empty text. */
static const char *without_default(const struct param_spec *row)
{
    return row->fallback ? "optional" : "required";
}

/* Sentences on the forms that spare keys; nothing for most. */
static void put_forms(const struct schema *s, FILE *out)
{
    if (s->shorthand) {
        fprintf(out, " The value of `%s` may stand for the whole.", form_first_row(s->rows)->name);
    }
    if (s->positional) {
        fputs(" A list of the values in this order may stand for the whole.", out);
    }
}

static void put_alternative_forms(const struct choice *c, const struct alternative *a, FILE *out)
{
    if (c->scalar && strcmp(c->scalar, a->name) == 0) {
        fprintf(out, " The value of `%s` may stand for the whole.", form_first_row(a->rows)->name);
    }
    if (a->absent) {
        fputs(" Only for keys that say so.", out);
    }
}

/* Plain text. */

static void text_row(const struct param_spec *row, int indent, FILE *out)
{
    fprintf(out, "%*s%s: ", indent, "", row->name);
    put_kind(row, false, out);
    if (row->fallback && row->fallback[0]) {
        fprintf(out, "; default %s", row->fallback);
    } else {
        fprintf(out, "; %s", without_default(row));
    }
    fprintf(out, "\n%*s%s\n", indent + 4, "", row->doc);
}

static void text_rows(const struct param_spec *rows, int indent, FILE *out)
{
    for (; rows && rows->name; rows++) {
        if (rows->kind != PARAM_KEY) {
            text_row(rows, indent, out);
        }
    }
}

void reference_text(const struct reference_item *item, FILE *out)
{
    if (item->schema) {
        fprintf(out, "%s\n  %s", item->schema->name, item->schema->summary);
        put_forms(item->schema, out);
        putc('\n', out);
        text_rows(item->schema->rows, 2, out);
        return;
    }
    const struct choice *c = item->choice;
    fprintf(out, "%s\n  %s\n", c->name, c->summary);
    for (const struct alternative *a = c->alternatives; a->name; a++) {
        fprintf(out, "  %s\n    %s", a->name, a->summary);
        put_alternative_forms(c, a, out);
        putc('\n', out);
        text_rows(a->rows, 4, out);
    }
    if (c->common) {
        fputs("  with any of these\n", out);
        text_rows(c->common, 4, out);
    }
}

/* The row of a name, below the entry that it stands in, and the part of that. */
static bool text_named(const char *owner, const char *part, const struct param_spec *rows,
                       const char *name, FILE *out)
{
    bool found = false;
    for (; rows && rows->name; rows++) {
        if (rows->kind != PARAM_KEY && strcmp(rows->name, name) == 0) {
            fprintf(out, "key of %s%s%s\n", owner, part[0] ? ", " : "", part);
            text_row(rows, 2, out);
            found = true;
        }
    }
    return found;
}

bool reference_text_key(const struct reference_item *item, const char *name, FILE *out)
{
    if (item->schema) {
        return text_named(item->schema->name, "", item->schema->rows, name, out);
    }
    const struct choice *c = item->choice;
    bool found = false;
    for (const struct alternative *a = c->alternatives; a->name; a++) {
        found = text_named(c->name, a->name, a->rows, name, out) || found;
    }
    return text_named(c->name, "", c->common, name, out) || found;
}

/* Markdown. */

static void put_cell(const char *text, FILE *out)
{
    for (; *text; text++) {
        fputs(*text == '|' ? "\\" : "", out);
        putc(*text, out);
    }
}

static void markdown_rows(const struct param_spec *rows, FILE *out)
{
    if (!form_first_row(rows)) {
        return;
    }
    fputs("\n| key | value | default | meaning |\n|---|---|---|---|\n", out);
    for (; rows->name; rows++) {
        if (rows->kind == PARAM_KEY) {
            continue;
        }
        fprintf(out, "| `%s` | ", rows->name);
        put_kind(rows, true, out);
        if (rows->fallback && rows->fallback[0]) {
            fputs(" | `", out);
            put_cell(rows->fallback, out);
            fputs("` | ", out);
        } else {
            fprintf(out, " | %s | ", without_default(rows));
        }
        put_cell(rows->doc, out);
        fputs(" |\n", out);
    }
}

static void put_heading(int level, const char *name, const char *summary, FILE *out)
{
    fprintf(out, "%.*s %s\n\n%s", level, "######", name, summary);
}

void reference_markdown(const struct reference_item *item, int level, FILE *out)
{
    if (item->schema) {
        put_heading(level, item->schema->name, item->schema->summary, out);
        put_forms(item->schema, out);
        putc('\n', out);
        markdown_rows(item->schema->rows, out);
        return;
    }
    const struct choice *c = item->choice;
    put_heading(level, c->name, c->summary, out);
    putc('\n', out);
    for (const struct alternative *a = c->alternatives; a->name; a++) {
        fprintf(out, "\n**%s**: %s", a->name, a->summary);
        put_alternative_forms(c, a, out);
        putc('\n', out);
        markdown_rows(a->rows, out);
    }
    if (c->common) {
        fputs("\nWith any of these:\n", out);
        markdown_rows(c->common, out);
    }
}

/* JSON Schema. */

static bool is_json_number(const char *text)
{
    const char *digits = "0123456789";
    const char *p = text + (*text == '-');
    size_t n = strspn(p, digits);
    if (n == 0 || (n > 1 && *p == '0')) {
        return false;
    }
    p += n;
    if (*p == '.') {
        n = strspn(p + 1, digits);
        p += n > 0 ? n + 1 : 0;
    }
    if (*p == 'e' || *p == 'E') {
        p += 1 + (p[1] == '-' || p[1] == '+');
        n = strspn(p, digits);
        p += n;
        return n > 0 && *p == '\0';
    }
    return *p == '\0';
}

static void json_node(const struct node *n, FILE *out)
{
    if (n->kind == NODE_SCALAR) {
        bool bare = !n->quoted && (is_json_number(n->text) || strcmp(n->text, "true") == 0 ||
                                   strcmp(n->text, "false") == 0);
        if (bare) {
            fputs(n->text, out);
        } else {
            json_text(out, n->text);
        }
        return;
    }
    putc(n->kind == NODE_MAPPING ? '{' : '[', out);
    for (const struct node *c = n->first; c; c = c->next) {
        if (c->key) {
            json_text(out, c->key);
            fputs(": ", out);
        }
        json_node(c, out);
        fputs(c->next ? ", " : "", out);
    }
    putc(n->kind == NODE_MAPPING ? '}' : ']', out);
}

static void json_default(const struct param_spec *row, FILE *out)
{
    if (!row->fallback) {
        return;
    }
    fputs(", \"default\": ", out);
    if (!row->fallback[0]) {
        fputs("\"\"", out);
        return;
    }
    struct arena arena = {NULL};
    struct diag diag = {.errors = 0};
    const struct node *n = yaml_parse_line("(default)", row->fallback, 1, &arena, &diag);
    CHECK(n, "the default of '%s' is no YAML: %s", row->name, row->fallback);
    json_node(n, out);
    diag_close(&diag);
    arena_close(&arena);
}

static void json_ref(const char *name, FILE *out)
{
    struct arena arena = {NULL};
    fprintf(out, "{\"$ref\": \"#/$defs/%s\"}", anchor(name, &arena));
    arena_close(&arena);
}

/* A bare number is in the row's unit, except that bare durations are seconds. */
static double bare_bound(const struct param_spec *row, double value)
{
    return row->kind == PARAM_DURATION ? value / (double)SIM_TIME_S : value;
}

static void json_number(const struct param_spec *row, FILE *out)
{
    struct arena arena = {NULL};
    fprintf(out, "\"anyOf\": [{\"type\": \"%s\"", row->kind == PARAM_COUNT ? "integer" : "number");
    if (has_low(row)) {
        fprintf(out, ", \"minimum\": %s", units_write_real(bare_bound(row, row->low), "1").text);
    }
    if (has_high(row)) {
        fprintf(out, ", \"maximum\": %s", units_write_real(bare_bound(row, row->high), "1").text);
    }
    fputs("}, {\"type\": \"string\", \"pattern\": ", out);
    json_text(out, units_pattern(unit_of(row), &arena));
    arena_close(&arena);
    putc('}', out);
    if (row->absent) {
        fputs(", {\"const\": ", out);
        json_text(out, row->absent);
        putc('}', out);
    }
    putc(']', out);
}

static void json_enum(const char *const *words, FILE *out)
{
    fputs("{\"enum\": [", out);
    for (const char *const *w = words; *w; w++) {
        fputs(w == words ? "" : ", ", out);
        json_text(out, *w);
    }
    fputs("]}", out);
}

/* All forms of the alternative that this row allows besides those of the choice itself. */
static void json_absent(const char *name, FILE *out)
{
    fputs(", {\"const\": ", out);
    json_text(out, name);
    fputs("}, {\"type\": \"object\", \"properties\": {\"kind\": {\"const\": ", out);
    json_text(out, name);
    fputs("}}, \"required\": [\"kind\"], \"additionalProperties\": false}", out);
}

/* The members that say what the value of the row may be. */
static void json_kind(const struct param_spec *row, FILE *out)
{
    switch (row->kind) {
    case PARAM_BOOL:
        fputs("\"type\": \"boolean\"", out);
        return;
    case PARAM_COUNT:
    case PARAM_REAL:
    case PARAM_DURATION:
        json_number(row, out);
        return;
    case PARAM_WORD:
    case PARAM_WORDS:
        fputs("\"anyOf\": [", out);
        json_enum(row->words, out);
        if (row->kind == PARAM_WORDS) {
            fputs(", {\"type\": \"array\", \"items\": ", out);
            json_enum(row->words, out);
            putc('}', out);
        }
        putc(']', out);
        return;
    case PARAM_TEXT:
    case PARAM_KEY:
    case PARAM_REF:
        /* YAML readers other than squall's take 5 or true for more than a text. */
        fputs("\"type\": [\"string\", \"number\", \"boolean\"]", out);
        return;
    case PARAM_BLOCK:
        fputs("\"allOf\": [", out);
        json_ref(row->schema->name, out);
        putc(']', out);
        return;
    case PARAM_LIST:
        fputs("\"anyOf\": [{\"type\": \"array\", \"items\": ", out);
        json_ref(row->schema->name, out);
        fputs("}, ", out);
        json_ref(row->schema->name, out);
        putc(']', out);
        return;
    case PARAM_MAP:
        fputs("\"type\": \"object\", \"additionalProperties\": ", out);
        json_ref(row->schema->name, out);
        return;
    case PARAM_CHOICE:
        fputs("\"anyOf\": [", out);
        json_ref(row->choice->name, out);
        if (row->absent) {
            json_absent(row->absent, out);
        }
        putc(']', out);
        return;
    case PARAM_RAW:
        fputs("\"$comment\": \"any value\"", out);
        return;
    }
}

void reference_json_value(const struct param_spec *row, FILE *out)
{
    putc('{', out);
    fputs("\"description\": ", out);
    json_text(out, row->doc);
    json_default(row, out);
    fputs(", ", out);
    json_kind(row, out);
    putc('}', out);
}

/* A mapping under construction: its keys, and those of them that are required. */
struct json_object {
    FILE *out;
    bool any;      /* property written */
    bool open;     /* other keys may stand in it */
    bool policies; /* `policy` may stand in it, and bring what is required */
};

static void object_open(struct json_object *o)
{
    fputs("{\"type\": \"object\", \"properties\": {", o->out);
}

static void object_key(struct json_object *o, const char *key)
{
    fputs(o->any ? ", " : "", o->out);
    json_text(o->out, key);
    fputs(": ", o->out);
    o->any = true;
}

static void object_const(struct json_object *o, const char *key, const char *word)
{
    object_key(o, key);
    fputs("{\"const\": ", o->out);
    json_text(o->out, word);
    putc('}', o->out);
}

static void object_rows(struct json_object *o, const struct param_spec *rows)
{
    for (; rows && rows->name; rows++) {
        if (rows->kind != PARAM_KEY) {
            object_key(o, rows->name);
            reference_json_value(rows, o->out);
        }
    }
}

static bool put_required(const struct param_spec *rows, bool any, FILE *out)
{
    for (; rows && rows->name; rows++) {
        if (!rows->fallback && rows->kind != PARAM_KEY) {
            fputs(any ? ", " : "", out);
            json_text(out, rows->name);
            any = true;
        }
    }
    return any;
}

/* Ends the mapping; the required keys are `key`, unless it is NULL, and those of the rows in
 * `sets` (ended by NULL) that have no default. */
static void object_close(struct json_object *o, const char *key,
                         const struct param_spec *const *sets)
{
    static const char policy[] = "{\"anyOf\": [{\"type\": \"string\"}, {\"type\": \"array\", "
                                 "\"items\": {\"type\": \"string\"}}], "
                                 "\"description\": \"Named policies whose keys are taken over.\"}";
    if (o->policies) {
        object_key(o, "policy");
        fputs(policy, o->out);
    }
    fputs(o->policies ? "}, \"anyOf\": [{\"required\": [\"policy\"]}, {\"required\": ["
                      : "}, \"required\": [",
          o->out);
    bool any = false;
    if (key) {
        json_text(o->out, key);
        any = true;
    }
    for (; *sets; sets++) {
        any = put_required(*sets, any, o->out);
    }
    fputs(o->policies ? "]}]" : "]", o->out);
    fprintf(o->out, ", \"additionalProperties\": %s}", o->open ? "true" : "false");
}

void reference_json_block(const struct schema *const *schemas, const char *key, const char *word,
                          FILE *out)
{
    enum { MOST = 8 };
    const struct param_spec *sets[MOST + 1] = {NULL};
    struct json_object o = {.out = out, .policies = true};
    object_open(&o);
    if (key) {
        object_const(&o, key, word);
    }
    for (int i = 0; schemas[i]; i++) {
        CHECK(i < MOST, "more than %d schemas share a mapping", MOST);
        sets[i] = schemas[i]->rows;
        object_rows(&o, sets[i]);
        o.open = o.open || schemas[i]->open;
        o.policies = o.policies && !o.open && !form_row(sets[i], "policy");
    }
    object_close(&o, key, sets);
}

static void json_positional(const struct schema *schema, FILE *out)
{
    fputs(", {\"type\": \"array\", \"prefixItems\": [", out);
    bool any = false;
    for (const struct param_spec *r = schema->rows; r->name; r++) {
        if (r->kind != PARAM_KEY) {
            fputs(any ? ", " : "", out);
            reference_json_value(r, out);
            any = true;
        }
    }
    fputs("], \"items\": false}", out);
}

static void json_schema(const struct schema *schema, FILE *out)
{
    fputs("{\"description\": ", out);
    json_text(out, schema->summary);
    fputs(", \"anyOf\": [", out);
    reference_json_block((const struct schema *[]){schema, NULL}, NULL, NULL, out);
    if (schema->shorthand) {
        fputs(", ", out);
        reference_json_value(form_first_row(schema->rows), out);
    }
    if (schema->positional) {
        json_positional(schema, out);
    }
    fputs("]}", out);
}

/* The two forms of an alternative as a mapping. */
static void json_alternative(const struct choice *choice, const struct alternative *a, FILE *out)
{
    const struct param_spec *own[] = {a->rows ? a->rows : choice->common,
                                      a->rows ? choice->common : NULL, NULL};
    struct json_object o = {.out = out};
    object_open(&o);
    object_const(&o, "kind", a->name);
    object_rows(&o, a->rows);
    object_rows(&o, choice->common);
    object_close(&o, "kind", own);
    fputs(", ", out);
    o.any = false;
    object_open(&o);
    object_key(&o, a->name);
    struct json_object inner = {.out = out};
    fputs("{\"anyOf\": [", out);
    object_open(&inner);
    object_rows(&inner, a->rows);
    object_rows(&inner, choice->common);
    object_close(&inner, NULL, (const struct param_spec *[]){a->rows, NULL});
    if (form_first_row(a->rows)) {
        fputs(", ", out);
        reference_json_value(form_first_row(a->rows), out);
    }
    fputs("]}", out);
    object_rows(&o, choice->common);
    object_close(&o, a->name, (const struct param_spec *[]){NULL});
}

static void json_choice(const struct choice *choice, FILE *out)
{
    bool any = false;
    fputs("{\"description\": ", out);
    json_text(out, choice->summary);
    fputs(", \"anyOf\": [", out);
    for (const struct alternative *a = choice->alternatives; a->name; a++) {
        if (a->absent) {
            continue; /* Allowed by single rows; see json_absent. */
        }
        fputs(any ? ", " : "", out);
        json_alternative(choice, a, out);
        any = true;
        if (form_all_optional(a->rows)) {
            fputs(", {\"const\": ", out);
            json_text(out, a->name);
            putc('}', out);
        }
    }
    if (choice->scalar) {
        const struct param_spec *first =
            form_first_row(form_alternative(choice, choice->scalar)->rows);
        fputs(", ", out);
        reference_json_value(first, out);
    }
    fputs("]}", out);
}

void reference_json_defs(const struct reference *r, FILE *out)
{
    for (const struct reference_item *i = r->first; i; i = i->next) {
        json_text(out, anchor(name_of(i), r->arena));
        fputs(": ", out);
        if (i->schema) {
            json_schema(i->schema, out);
        } else {
            json_choice(i->choice, out);
        }
        fputs(i->next ? ",\n" : "\n", out);
    }
}
