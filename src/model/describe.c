/* SPDX-License-Identifier: Apache-2.0 */
#include "model/describe.h"

#include <string.h>

#include "base/units.h"
#include "config/reference.h"
#include "model/presets.h"
#include "model/study.h"
#include "model/sweep.h"

struct stat_words {
    const char *name, *meaning;
};

/* By enum stat_kind. */
static const struct stat_words stat_words[] = {
    [STAT_COUNTER] = {"counter", "a sum over the run, from the end of the warm-up"},
    [STAT_GAUGE] = {"gauge", "a level, of which the mean over time and the maximum are kept"},
    [STAT_HISTOGRAM] = {"histogram", "the distribution of durations, with exact count, sum, "
                                     "minimum and maximum"},
    [STAT_BREAKDOWN] = {"breakdown", "such distributions, one for each group dealt with and each "
                                     "status; kept of those that `output.breakdowns` names"},
};
enum { STAT_KINDS = sizeof stat_words / sizeof stat_words[0] };

/* The unit of a statistic's values, as words behind its kind. */
static void put_unit(const struct stat_spec *s, FILE *out)
{
    if (strcmp(s->unit, "1") != 0) {
        fprintf(out, " [%s]", s->unit);
    }
}

/* The keys of a configuration file, whoever binds them: one page for the reader. */
static const struct schema *file_schema(struct arena *arena)
{
    const struct schema *parts[] = {&study_schema, &study_blocks_schema};
    size_t n = 0;
    for (int i = 0; i < 2; i++) {
        for (const struct param_spec *row = parts[i]->rows; row->name; row++) {
            n++;
        }
    }
    struct param_spec *rows = arena_take(arena, (n + 1) * sizeof *rows);
    n = 0;
    for (int i = 0; i < 2; i++) {
        for (const struct param_spec *row = parts[i]->rows; row->name; row++) {
            rows[n++] = *row;
        }
    }
    struct schema *all = arena_take(arena, sizeof *all);
    *all = study_schema;
    all->rows = rows;
    return all;
}

/* `type`, with the names of the types there are. */
static const struct schema *type_schema(const struct entity_type *const *registry,
                                        struct arena *arena)
{
    size_t n = 0;
    while (registry[n]) {
        n++;
    }
    const char **names = arena_take(arena, (n + 1) * sizeof *names);
    for (size_t i = 0; i < n; i++) {
        names[i] = registry[i]->name;
    }
    struct param_spec *rows = arena_take(arena, 2 * sizeof *rows);
    rows[0] = group_type_schema.rows[0];
    rows[0].kind = PARAM_WORD;
    rows[0].words = names;
    struct schema *all = arena_take(arena, sizeof *all);
    *all = group_type_schema;
    all->rows = rows;
    return all;
}

/* The file, and the language of its sweep, to which no row leads: a sweep is bound by its paths. */
static void add_file(struct reference *r)
{
    reference_add_schema(r, file_schema(r->arena));
    reference_add_schema(r, &sweep_schema);
    reference_add_schema(r, &range_schema);
    reference_add_schema(r, &span_schema);
}

static const char *name_of(const struct reference_item *item)
{
    return item->schema ? item->schema->name : item->choice->name;
}

/* Everything there is, in the order of the page: the study, then what it leads to, then the types
 * and what these lead to. */
static struct reference whole(const struct entity_type *const *registry, struct arena *arena)
{
    struct reference r = {.arena = arena};
    add_file(&r);
    reference_add_schema(&r, type_schema(registry, arena));
    reference_add_schema(&r, &group_schema);
    for (; *registry; registry++) {
        reference_add_schema(&r, (*registry)->params);
    }
    return r;
}

static const struct entity_type *type_of(const struct entity_type *const *registry,
                                         const struct schema *schema)
{
    while (*registry && (*registry)->params != schema) {
        registry++;
    }
    return *registry;
}

static void put_presets(FILE *out, const char *format)
{
    for (int i = 0; preset_words[i]; i++) {
        fprintf(out, format, presets[i].name, presets[i].text);
    }
}

static void put_row(const struct stat_spec *s, FILE *out)
{
    fprintf(out, "  %s: %s", s->name, stat_words[s->kind].name);
    put_unit(s, out);
    fprintf(out, "\n      %s\n", s->doc);
}

static void put_rows(const struct stat_spec *rows, FILE *out)
{
    for (const struct stat_spec *s = rows; s && s->name; s++) {
        put_row(s, out);
    }
}

static void put_statistics(const struct entity_type *type, FILE *out)
{
    fprintf(out, "\nstatistics of %s\n", type->name);
    put_rows(type->stats, out);
    for (int i = 0; i < STAT_KINDS; i++) {
        fprintf(out, "  (%s: %s)\n", stat_words[i].name, stat_words[i].meaning);
    }
}

static void put_items(const struct reference_item *item, FILE *out)
{
    for (const char *gap = ""; item; item = item->next, gap = "\n") {
        fputs(gap, out);
        reference_text(item, out);
        if (item->schema == &network_rule_schema) {
            fputs("  presets\n", out);
            put_presets(out, "    %s: %s\n");
        } else if (item->schema == &timed_action_schema) {
            fputs("\nstatistics of the types that links, partitions and errors concern\n", out);
            put_rows(fault_rows, out);
        }
    }
}

static const struct stat_spec *find_row(const struct stat_spec *rows, const char *name)
{
    while (rows && rows->name && strcmp(rows->name, name) != 0) {
        rows++;
    }
    return rows && rows->name ? rows : NULL;
}

/* Whether a type has a statistic, and means the same by it. */
static bool has_row(const struct entity_type *type, const struct stat_spec *row)
{
    const struct stat_spec *own = find_row(type->stats, row->name);
    return own && own->kind == row->kind && strcmp(own->unit, row->unit) == 0 &&
           strcmp(own->doc, row->doc) == 0;
}

/* All statistics of this name, each once with the types that have it. */
static bool put_statistics_named(const struct entity_type *const *registry, const char *name,
                                 FILE *out)
{
    bool any = false;
    for (const struct entity_type *const *t = registry; *t; t++) {
        const struct stat_spec *row = find_row((*t)->stats, name);
        const struct entity_type *const *first = registry;
        while (row && !has_row(*first, row)) {
            first++;
        }
        if (!row || first != t) {
            continue;
        }
        fprintf(out, "statistic of %s", (*t)->name);
        for (const struct entity_type *const *more = t + 1; *more; more++) {
            if (has_row(*more, row)) {
                fprintf(out, ", %s", (*more)->name);
            }
        }
        fputs("\n", out);
        put_row(row, out);
        any = true;
    }
    const struct stat_spec *fault = find_row(fault_rows, name);
    if (fault) {
        fputs("statistic of the types that links, partitions and errors concern\n", out);
        put_row(fault, out);
    }
    return any || fault;
}

void describe_study(const struct entity_type *const *registry, FILE *out)
{
    struct arena arena = {0};
    struct reference r = {.arena = &arena};
    add_file(&r);
    reference_add_schema(&r, type_schema(registry, &arena));
    reference_add_schema(&r, &group_schema);
    put_items(r.first, out);
    fputs("\ntypes of entities\n", out);
    for (; *registry; registry++) {
        fprintf(out, "  %s: %s\n", (*registry)->name, (*registry)->params->summary);
    }
    arena_close(&arena);
}

bool describe_entry(const struct entity_type *const *registry, const char *name, FILE *out)
{
    struct arena arena = {0};
    struct reference all = whole(registry, &arena), part = {.arena = &arena};
    const struct reference_item *item = all.first;
    while (item && strcmp(name_of(item), name) != 0) {
        item = item->next;
    }
    if (item && item->schema) {
        reference_add_schema(&part, item->schema);
    } else if (item) {
        reference_add_choice(&part, item->choice);
    }
    put_items(part.first, out);
    const struct entity_type *type = item && item->schema ? type_of(registry, item->schema) : NULL;
    if (type) {
        put_statistics(type, out);
    }
    bool found = item || put_statistics_named(registry, name, out);
    for (const struct reference_item *i = all.first; i && !item; i = i->next) {
        found = reference_text_key(i, name, out) || found;
    }
    arena_close(&arena);
    return found;
}

const char *const *describe_names(const struct entity_type *const *registry, struct arena *arena)
{
    struct reference all = whole(registry, arena);
    size_t n = 0;
    for (const struct reference_item *i = all.first; i; i = i->next) {
        n++;
    }
    for (const struct entity_type *const *t = registry; *t; t++) {
        for (const struct stat_spec *s = (*t)->stats; s && s->name; s++) {
            n++;
        }
    }
    const char **names = arena_take(arena, (n + 1) * sizeof *names);
    n = 0;
    for (const struct entity_type *const *t = registry; *t; t++) {
        names[n++] = (*t)->params->name;
    }
    for (const struct reference_item *i = all.first; i; i = i->next) {
        if (!i->schema || !type_of(registry, i->schema)) {
            names[n++] = name_of(i);
        }
    }
    for (const struct entity_type *const *t = registry; *t; t++) {
        for (const struct stat_spec *s = (*t)->stats; s && s->name; s++) {
            names[n++] = s->name;
        }
    }
    return names;
}

static void statistics_table(const struct stat_spec *rows, FILE *out)
{
    fputs("\n| statistic | kind | meaning |\n|---|---|---|\n", out);
    for (const struct stat_spec *s = rows; s && s->name; s++) {
        fprintf(out, "| `%s` | %s", s->name, stat_words[s->kind].name);
        put_unit(s, out);
        fprintf(out, " | %s |\n", s->doc);
    }
}

/* Whether the page has a place of its own for it. */
static bool is_placed(const struct reference_item *item)
{
    const char *const names[] = {study_schema.name, group_type_schema.name, group_schema.name};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(name_of(item), names[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* Sections for the items that are types, or for those that are not; the rest of the page has the
 * others. */
static void put_sections(const struct entity_type *const *registry, const struct reference *r,
                         bool types, FILE *out)
{
    for (const struct reference_item *i = r->first; i; i = i->next) {
        const struct entity_type *type = i->schema ? type_of(registry, i->schema) : NULL;
        if (types != (type != NULL) || is_placed(i)) {
            continue;
        }
        putc('\n', out);
        reference_markdown(i, 3, out);
        if (type) {
            statistics_table(type->stats, out);
        }
        if (i->schema == &network_rule_schema) {
            fputs("\n| preset | is |\n|---|---|\n", out);
            put_presets(out, "| `%s` | `%s` |\n");
        } else if (i->schema == &timed_action_schema) {
            fputs("\nTypes that links, partitions and errors concern have these statistics besides "
                  "their own:\n",
                  out);
            statistics_table(fault_rows, out);
        }
    }
}

/* How numbers with units, and alternatives, are written. */
static void put_writing(struct arena *arena, FILE *out)
{
    fputs(
        "## How values are written\n\nThe file is YAML. A list of one item may be written without "
        "brackets, and numbers may\nhave `_` between digits.\n\n"
        "| value | units | bare numbers are | for instance |\n|---|---|---|---|\n",
        out);
    for (size_t i = 0; units_known(i); i++) {
        const char *unit = units_known(i), *suffixes = units_suffixes(unit, ", ", arena);
        const char *bare = units_bare(unit);
        fprintf(out, "| %s | %s | %s%s | %s |\n", strchr(units_noun(unit), ' ') + 1, suffixes,
                bare[0] ? "in " : "plain", bare, units_examples(unit));
    }
    fputs(
        "\nOf several alternatives, such as the laws of a duration, one is chosen in any of these "
        "ways:\n\n```yaml\n"
        "service_time: {kind: lognormal, mean: 8ms, cv: 1.2}  # `kind` beside its keys\n"
        "service_time: {lognormal: {mean: 8ms, cv: 1.2}}      # its name as the only key\n"
        "service_time: {exponential: 20ms}                    # and its first key's value alone\n"
        "service_time: 20ms                                   # where that may stand for the "
        "whole\n"
        "retry: none                                          # its name, when no key is required\n"
        "```\n\n"
        "Any mapping may have a key `policy`, the name of a policy or a list of names: it takes "
        "over the keys of\nthese `policies` that it does not have itself.\n\n",
        out);
}

void describe_markdown(const struct entity_type *const *registry, FILE *out)
{
    struct arena arena = {0};
    struct reference r = whole(registry, &arena);
    fputs("# Reference\n\nEverything a configuration may say, and every statistic. Written by "
          "`squall describe --markdown`; do not edit.\n\n",
          out);
    put_writing(&arena, out);
    reference_markdown(&(struct reference_item){.schema = file_schema(&arena)}, 2, out);
    fputs("\n## Types of entities\n\nKinds of statistics:\n\n", out);
    for (int i = 0; i < STAT_KINDS; i++) {
        fprintf(out, "- %s: %s\n", stat_words[i].name, stat_words[i].meaning);
    }
    putc('\n', out);
    reference_markdown(&(struct reference_item){.schema = type_schema(registry, &arena)}, 3, out);
    putc('\n', out);
    reference_markdown(&(struct reference_item){.schema = &group_schema}, 3, out);
    put_sections(registry, &r, true, out);
    fputs("\n## Blocks and alternatives\n", out);
    put_sections(registry, &r, false, out);
    arena_close(&arena);
}

static void json_entities(const struct entity_type *const *registry, FILE *out)
{
    fputs("{\"type\": \"object\", \"additionalProperties\": {\"anyOf\": [", out);
    for (const char *gap = "\n"; *registry; registry++, gap = ",\n") {
        fputs(gap, out);
        reference_json_block((const struct schema *[]){&group_schema, (*registry)->params, NULL},
                             group_type_schema.rows->name, (*registry)->name, out);
    }
    fputs("]}}", out);
}

void describe_json_schema(const struct entity_type *const *registry, FILE *out)
{
    struct arena arena = {0};
    struct reference r = whole(registry, &arena);
    fputs("{\"$schema\": \"https://json-schema.org/draft/2020-12/schema\",\n"
          "\"title\": \"A study of squall\",\n\"allOf\": [",
          out);
    reference_json_block((const struct schema *[]){&study_schema, &study_blocks_schema, NULL}, NULL,
                         NULL, out);
    fputs("],\n\"properties\": {\n\"policies\": {\"type\": \"object\", \"additionalProperties\": "
          "{\"type\": \"object\"}},\n\"sweep\": {\"$ref\": \"#/$defs/sweep\"},\n\"entities\": ",
          out);
    json_entities(registry, out);
    fputs("},\n\"$defs\": {\n", out);
    reference_json_defs(&r, out);
    fputs("}}\n", out);
    arena_close(&arena);
}
