/* SPDX-License-Identifier: Apache-2.0 */
#include "model/study.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "config/bind.h"
#include "config/override.h"
#include "config/policies.h"
#include "config/yaml.h"
#include "model/graph.h"
#include "model/presets.h"
#include "model/sweep.h"

/* Bounds of rows. */
#define LONGEST    1e18 /* [ns] the ceiling of every duration but those of laws of chance */
#define MOST_SEEDS 9e18

/* Of the name of a study. */
#define NAME_LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"

static const struct param_spec limited_rows[] = {
    P_REAL(throughput, rate, NULL, 1, 1e15, "B/s", "Bytes a second."), P_END};

static const struct alternative throughput_alternatives[] = {
    {.name = "unlimited", .summary = "Size does not matter.", .tag = THROUGHPUT_UNLIMITED},
    {.name = "limited",
     .summary = "So many bytes a second.",
     .tag = THROUGHPUT_LIMITED,
     .rows = limited_rows},
    {.name = NULL}};

const struct choice throughput_choice = {.name = "throughput",
                                         .summary = "How fast data is carried.",
                                         .size = sizeof(struct throughput),
                                         .tag_offset = offsetof(struct throughput, kind),
                                         .scalar = "limited",
                                         .alternatives = throughput_alternatives};

static void merge_preset(void *params, const struct node *at, struct diag *d, struct arena *a);

static const struct param_spec network_rule_rows[] = {
    P_REF(network_rule, from, "'*'",
          "Who calls: a group or an instance; * is any letters, ? any one."),
    P_REF(network_rule, to, "'*'", "Who is called, likewise."),
    P_WORD(network_rule, preset, preset_words, "none",
           "Named conditions, as defaults for the other keys of the rule; lossy needs a loss, and "
           "slow a "
           "latency."),
    P_CHOICE(network_rule, latency, dist_duration, "0s", "Time every message takes."),
    P_CHOICE(network_rule, jitter, dist_duration, "0s", "Time added to the latency."),
    P_REAL(network_rule, loss, "0", 0, 1, "1", "Probability that a message vanishes."),
    P_CHOICE(network_rule, bandwidth, throughput_choice, "unlimited",
             "The size of a message divided by it is added to the latency."),
    P_END};

const struct schema network_rule_schema = {
    .name = "network_rule",
    .summary = "How messages travel between two entities, each way; the first rule that matches "
               "both decides, and without one they take no time.",
    .size = sizeof(struct network_rule),
    .rows = network_rule_rows,
    .derive = merge_preset};

/* Members that the rule does not write itself are those of its preset. */
static void merge_preset(void *params, const struct node *at, struct diag *d, struct arena *a)
{
    struct network_rule *rule = params, preset;
    rule->at = at;
    if (rule->preset == 0) {
        return;
    }
    const struct preset *p = &presets[rule->preset];
    if (p->needs && !node_child(at, p->needs)) {
        diag_error(d, node_child(at, "preset"), "%s needs a %s beside it", p->name, p->needs);
    }
    struct binder binder = {a, d};
    const struct node *text = yaml_parse_line(p->name, p->text, 1, a, d);
    CHECK(text && bind_block(&network_rule_schema, text, &preset, &binder), "preset %s", p->name);
    rule->latency = node_child(at, "latency") ? rule->latency : preset.latency;
    rule->jitter = node_child(at, "jitter") ? rule->jitter : preset.jitter;
    rule->loss = node_child(at, "loss") ? rule->loss : preset.loss;
    rule->bandwidth = node_child(at, "bandwidth") ? rule->bandwidth : preset.bandwidth;
}

static const struct param_spec group_name_rows[] = {
    P_REF(group_name, name, NULL, "A group; an instance stands for its group."), P_END};

static const struct schema group_name_schema = {.name = "group_name",
                                                .summary = "A group of which more is kept.",
                                                .size = sizeof(struct group_name),
                                                .rows = group_name_rows,
                                                .shorthand = true};

static const struct param_spec trace_rows[] = {
    P_LIST(study_trace, entities, group_name_schema, "[]",
           "Whose requests are written down, each with its attempts, retries and end, and whose "
           "changes of state."),
    P_REAL(study_trace, sample, "100%", 0, 1, "1",
           "Share of the requests. Of a request either everything is kept or nothing."),
    P_COUNT(study_trace, limit, "1000000", 1, 1e9,
            "Rows that an entity may write in a replication; those beyond are only counted."),
    P_END};

static const struct schema trace_schema = {
    .name = "trace",
    .summary = "What is written down of single requests, from the beginning of the run on.",
    .size = sizeof(struct study_trace),
    .rows = trace_rows};

static const char *const histogram_words[] = {"per_entity", "none", NULL};

static const struct param_spec output_rows[] = {
    P_WORD(study_output, histograms, histogram_words, "per_entity",
           "Which latency histograms are kept; none: only count, sum, least and largest value."),
    P_LIST(study_output, series, group_name_schema, "[]",
           "Who keeps time series, when there is an interval; by default everyone who is called "
           "by nobody and everyone named in the timeline."),
    P_LIST(study_output, breakdowns, group_name_schema, "[]",
           "Who keeps breakdowns: distributions for each group dealt with and each status."),
    P_BLOCK(study_output, trace, trace_schema, "{}", "Who is traced, request by request."), P_END};

static const struct schema output_schema = {.name = "output",
                                            .summary = "What is kept of a run.",
                                            .size = sizeof(struct study_output),
                                            .rows = output_rows};

static void check_settings(void *params, const struct node *at, struct diag *d, struct arena *a);

static const char *const seeds_words[] = {"common", "independent", NULL};

static const struct param_spec study_rows[] = {
    P_COUNT(study_settings, squall, NULL, STUDY_LANGUAGE, STUDY_LANGUAGE,
            "Version of the language of this file."),
    P_TEXT(study_settings, name, "",
           "What the results are called, in letters, digits, '.', '_' and '-'; by default as the "
           "file, without its extension."),
    P_DURATION(study_settings, duration, NULL, 1, LONGEST, "Simulated time of one replication."),
    {.name = "warmup",
     .doc = "The figures of a run begin here; time series show the warm-up, too. auto: where the "
            "number of requests under way has become steady, as a run of its own tells at each "
            "point (MSER-5); this needs an interval.",
     .unit = "ns",
     .fallback = "0s",
     .absent = "auto",
     .low = 0,
     .high = LONGEST,
     .kind = PARAM_DURATION,
     .offset = SCHEMA_OFFSET(sim_time, study_settings, warmup)},
    P_MAYBE_DURATION(study_settings, interval, "none", 1, LONGEST,
                     "Resolution of the time series; none: no series."),
    P_COUNT(study_settings, seed, "1", 0, MOST_SEEDS, "Where all chance comes from."),
    P_WORD(study_settings, seeds, seeds_words, "common",
           "Whether the points of a sweep draw the same random numbers, so that they differ by "
           "their values only (common), or each its own (independent)."),
    P_BLOCK(study_settings, replications, replications_schema, "{}", "How often it is repeated."),
    P_LIST(study_settings, search, search_schema, "[]", "A threshold to be found on an axis."),
    P_LIMIT(study_settings, event_limit, "unlimited", 1, 1e18,
            "A replication that takes more events is given up, and counts for nothing."),
    P_LIST(study_settings, network, network_rule_schema, "[]", "How messages travel."),
    P_LIST(study_settings, timeline, timed_action_schema, "[]", "What happens when."),
    P_LIST(study_settings, failure_budget, failure_budget_schema, "[]",
           "When a replication is given up for failing too often: a block, or [] for never."),
    P_BLOCK(study_settings, output, output_schema, "{}", "What is kept of a run."),
    P_END};

const struct schema study_schema = {
    .name = "study",
    .summary = "A configuration file: how long, how often, over which network, and "
               "what happens when.",
    .size = sizeof(struct study_settings),
    .rows = study_rows,
    .derive = check_settings};

static const struct param_spec study_blocks_rows[] = {
    P_RAW(study_blocks, policies, "{}",
          "Keys that several blocks share, under a name: a block with `policy: NAME`, or a list of "
          "names, takes over those that it does not have itself."),
    P_RAW(study_blocks, entities, NULL,
          "Who takes part: names, each with the keys of an entity and of its type."),
    P_RAW(study_blocks, sweep, "{}",
          "Points: the values with which the study is run in place of those written above."),
    P_END};

const struct schema study_blocks_schema = {
    .name = "blocks",
    .summary = "What a configuration file declares beside the keys of "
               "the study.",
    .size = sizeof(struct study_blocks),
    .rows = study_blocks_rows};

static const struct param_spec group_type_rows[] = {
    P_TEXT(group_settings, type, NULL, "What it is."), P_END};

const struct schema group_type_schema = {.name = "entity_type",
                                         .summary =
                                             "What an entity is; the other keys follow from it.",
                                         .size = sizeof(struct group_settings),
                                         .rows = group_type_rows};

static const struct param_spec group_rows[] = {
    {.name = "count",
     .doc =
         "How many there are, called name[0], name[1], ...; none: one, called by the name alone.",
     .unit = "1",
     .fallback = "none",
     .absent = "none",
     .low = 1,
     .high = UINT32_MAX - 1,
     .kind = PARAM_COUNT,
     .offset = SCHEMA_OFFSET(int64_t, group_settings, count)},
    P_END};

const struct schema group_schema = {
    .name = "entity",
    .summary = "What every entity may say beside its type and the keys of that.",
    .size = sizeof(struct group_settings),
    .rows = group_rows};

/* Results are called by the name, so it must be nothing that a shell or a path takes apart. */
static bool is_file_name(const char *name)
{
    return name[0] != '.' && name[0] != '-' && name[strspn(name, NAME_LETTERS)] == '\0';
}

/* The file's own name without its extension, and _ for whatever a name must not have: the resolved
 * text, which says the name, is read again. */
static const char *name_of_file(const char *file, struct arena *arena)
{
    const char *slash = strrchr(file, '/');
    const char *base = slash ? slash + 1 : file;
    const char *dot = strrchr(base, '.');
    size_t length = dot && dot > base ? (size_t)(dot - base) : strlen(base);
    char *name = arena_text(arena, base, length < STUDY_LONGEST_NAME ? length : STUDY_LONGEST_NAME);
    for (char *p = name; *p; p++) {
        bool leads = p == name && (*p == '.' || *p == '-');
        *p = strchr(NAME_LETTERS, *p) && !leads ? *p : '_';
    }
    return name;
}

static void check_settings(void *params, const struct node *at, struct diag *d, struct arena *a)
{
    struct study_settings *s = params;
    if (!s->name[0]) {
        s->name = name_of_file(at->file, a);
    } else if (!is_file_name(s->name)) {
        diag_error(d, node_child(at, "name"),
                   "a name has only letters, digits, '.', '_' and '-', and starts with neither '.' "
                   "nor '-'");
    } else if (strlen(s->name) > STUDY_LONGEST_NAME) {
        diag_error(d, node_child(at, "name"), "a name has at most %d letters", STUDY_LONGEST_NAME);
    }
    if (s->warmup != WARMUP_AUTO && s->warmup >= s->duration) {
        const struct node *warmup = node_child(at, "warmup");
        diag_error(d, warmup ? warmup : at, "the warm-up does not end before the run does");
    }
    if (s->interval != SIM_TIME_NEVER && s->duration / s->interval >= STUDY_MOST_INTERVALS) {
        diag_error(d, node_child(at, "interval"), "the run has more than %d intervals",
                   STUDY_MOST_INTERVALS);
    }
    diag_at_most_one(d, at, "failure_budget", s->failure_budget.count);
    diag_at_most_one(d, at, "search", s->search.count);
}

static const struct entity_type *find_type(const struct entity_type *const *registry,
                                           const char *name)
{
    while (*registry && strcmp((*registry)->name, name) != 0) {
        registry++;
    }
    return *registry;
}

static void refuse_type(const struct study *s, const struct node *at, struct diag *d)
{
    struct arena scratch = {0};
    size_t n = 0;
    const char *list = "";
    for (; s->registry[n]; n++) {
        list = arena_format(&scratch, "%s%s%s", list, n ? ", " : "", s->registry[n]->name);
    }
    const char **names = arena_take(&scratch, (n + 1) * sizeof *names);
    for (size_t i = 0; i < n; i++) {
        names[i] = s->registry[i]->name;
    }
    const char *nearest = diag_nearest(at->text, names);
    if (nearest) {
        diag_error(d, at, "'%s' is none of %s (did you mean '%s'?)", at->text, list, nearest);
    } else {
        diag_error(d, at, "'%s' is none of %s", at->text, list);
    }
    arena_close(&scratch);
}

static void check_name(const struct node *at, struct diag *d)
{
    const char *p = at->key;
    bool good = isalpha((unsigned char)*p);
    for (; *p; p++) {
        good = good && (isalnum((unsigned char)*p) || *p == '_' || *p == '-');
    }
    if (!good) {
        diag_error_key(d, at, "a name starts with a letter and has only letters, digits, _ and -");
    } else if (p - at->key > STUDY_LONGEST_NAME) {
        diag_error_key(d, at, "a name has at most %d letters", STUDY_LONGEST_NAME);
    }
}

/* With an unknown type nothing else in the mapping can be judged, but its name is known. */
static void bind_group(struct study *s, struct study_group *g, const struct node *at,
                       struct binder *binder)
{
    *g = (struct study_group){.name = at->key, .at = at, .settings = {.count = STUDY_SINGLE}};
    check_name(at, binder->diag);
    const struct node *type = node_child(at, "type");
    if (at->kind != NODE_MAPPING) {
        diag_error(binder->diag, at, "expected a mapping with a type");
        return;
    }
    if (!type) {
        diag_error(binder->diag, at, "'type' is missing");
        return;
    }
    if (type->kind == NODE_SCALAR) {
        g->type = find_type(s->registry, type->text);
        if (!g->type) {
            refuse_type(s, type, binder->diag);
            return;
        }
    }
    const struct schema *schemas[] = {&group_type_schema, &group_schema,
                                      g->type ? g->type->params : NULL, NULL};
    void *params = arena_take(&s->memory, g->type ? g->type->params->size : 0);
    void *outs[] = {&g->settings, &g->settings, params, NULL};
    if (bind_rows(schemas, outs, at, binder) && g->type) {
        g->params = params;
    }
}

static void bind_groups(struct study *s, struct binder *binder)
{
    const struct node *entities = s->blocks.entities;
    if (!entities) {
        return;
    }
    if (entities->kind != NODE_MAPPING || entities->count == 0) {
        diag_error(binder->diag, entities, "expected a mapping from names to entities");
        return;
    }
    s->groups = arena_take(&s->memory, entities->count * sizeof *s->groups);
    for (const struct node *n = entities->first; n; n = n->next) {
        bind_group(s, &s->groups[s->n_groups++], n, binder);
    }
}

static const char *const *copy_overrides(struct arena *arena, const char *const *overrides)
{
    size_t n = 0;
    while (overrides && overrides[n]) {
        n++;
    }
    const char **copy = arena_take(arena, (n + 1) * sizeof *copy);
    for (size_t i = 0; i < n; i++) {
        copy[i] = arena_copy(arena, overrides[i]);
    }
    return copy;
}

/* The keys at the top of a configuration; ends with NULL. */
static const char *const *top_keys(struct arena *arena)
{
    size_t n = 0;
    const char **keys = arena_take(arena, (sizeof study_rows / sizeof study_rows[0] +
                                           sizeof study_blocks_rows / sizeof study_blocks_rows[0]) *
                                              sizeof *keys);
    for (const struct param_spec *row = study_rows; row->name; row++) {
        keys[n++] = row->name;
    }
    for (const struct param_spec *row = study_blocks_rows; row->name; row++) {
        keys[n++] = row->name;
    }
    return keys;
}

/* One change of the tree: an override, or what a point of the sweep has at a path. */
struct change {
    const char *assignment;   /* "path=value", or the path alone ... */
    const struct node *value; /* ... with its value; NULL in an override */
};

static bool apply(struct study *s, struct node *root, const struct change *c,
                  const char *const *keys, struct diag *d)
{
    return c->value ? override_value(root, c->assignment, c->value, keys, &s->memory, d)
                    : override_apply(root, c->assignment, keys, &s->memory, d);
}

/* A policy gives only what its user does not write, and a change is no writing: it changes what
 * came of a policy. */
static void change(struct study *s, struct node *root, const struct change *changes, size_t n,
                   struct diag *d)
{
    const char *const *keys = top_keys(&s->memory);
    for (size_t i = 0; i < n; i++) {
        if (override_of_policies(changes[i].assignment)) {
            apply(s, root, &changes[i], keys, d);
        }
    }
    struct policies *policies = policies_open(root, &s->memory, d);
    if (policies) {
        policies_expand(policies);
    }
    for (size_t i = 0; i < n; i++) {
        if (override_of_policies(changes[i].assignment)) {
            continue;
        }
        /* Its value may name policies, too. */
        if (apply(s, root, &changes[i], keys, d) && policies) {
            policies_expand(policies);
        }
    }
    if (policies) {
        policies_close(policies);
    }
}

const struct node *study_search_axis(const struct node *root)
{
    const struct node *search = node_child(root, "search");
    /* A list may be written as its only item. */
    return node_child(search && search->kind == NODE_SEQUENCE ? search->first : search, "axis");
}

/* What the points are comes before what is changed at each. */
static bool is_of_sweep(const char *assignment)
{
    return override_of(assignment, "sweep") || override_of(assignment, "search");
}

const struct node *study_sweep(struct node *root, const char *const *overrides, struct arena *arena,
                               struct diag *d)
{
    const char *const *keys = top_keys(arena);
    for (const char *const *o = overrides; o && *o; o++) {
        if (is_of_sweep(*o)) {
            override_apply(root, *o, keys, arena, d);
        }
    }
    struct node *sweep = (struct node *)node_child(root, "sweep");
    const struct node *axis = study_search_axis(root);
    if (sweep) {
        node_remove(sweep); /* its values are used by their paths, not here */
    }
    struct node *block = axis ? sweep_with(sweep, axis, arena) : sweep;
    if (block) {
        /* Mistakes are told by the path from the root. */
        struct node *holder = arena_take(arena, sizeof *holder);
        holder->kind = NODE_MAPPING;
        holder->file = root->file;
        node_append(holder, block);
    }
    return block;
}

/* Makes the changes that turn the configuration as written into the point. */
static void make_point(struct study *s, const struct study_source *source, struct node *root,
                       struct diag *d)
{
    struct sweep own, *sweep = &own;
    const struct node *block = study_sweep(root, s->overrides, &s->memory, d);
    if (source->sweep) {
        own = *source->sweep;
    } else if (!sweep_read(block, &s->memory, d, sweep)) {
        return;
    }
    size_t n = 0, most = sweep->n_axes;
    for (const char *const *o = s->overrides; *o; o++) {
        most++;
    }
    struct change *changes = arena_take(&s->memory, (most + 1) * sizeof *changes);
    for (const char *const *o = s->overrides; *o; o++) {
        if (!is_of_sweep(*o)) {
            changes[n++].assignment = *o;
        }
    }
    for (uint32_t a = 0; a < sweep->n_axes; a++) {
        const struct axis *axis = &sweep->axes[a];
        changes[n++] =
            (struct change){axis->path, axis->values[sweep_value(sweep, source->point, a)]};
    }
    change(s, root, changes, n, d);
}

static void draw_study(struct study *s, const struct study_source *source, struct diag *d)
{
    size_t errors = d->errors;
    struct node *root = yaml_parse(source->file, s->text, s->length, &s->memory, d);
    if (!root) {
        return;
    }
    make_point(s, source, root, d);
    s->root = root;
    struct binder binder = {&s->memory, d};
    const struct schema *schemas[] = {&study_schema, &study_blocks_schema, NULL};
    void *outs[] = {&s->settings, &s->blocks, NULL};
    bind_rows(schemas, outs, root, &binder);
    bind_groups(s, &binder);
    graph_draw(s, d->errors == errors, d);
    if (d->errors == errors) {
        goals_resolve(s, &s->memory, d, &s->goals);
    }
}

struct study *study_read(const struct study_source *source, struct diag *d)
{
    size_t errors = d->errors;
    struct study *s = calloc(1, sizeof *s);
    CHECK(s, "out of memory (%zu bytes)", sizeof *s);
    s->registry = source->registry;
    s->text = arena_text(&s->memory, source->text, source->length);
    s->length = source->length;
    s->overrides = copy_overrides(&s->memory, source->overrides);
    s->series = source->series;
    draw_study(s, source, d);
    if (d->errors > errors) {
        study_close(s);
        return NULL;
    }
    return s;
}

struct study *study_parse(const char *file, const char *text, size_t length,
                          const char *const *overrides, const struct entity_type *const *registry,
                          struct diag *d)
{
    struct study_source source = {
        .file = file, .text = text, .length = length, .overrides = overrides, .registry = registry};
    return study_read(&source, d);
}

struct study *study_load(const char *path, const char *const *overrides,
                         const struct entity_type *const *registry, struct diag *d)
{
    struct arena scratch = {0};
    size_t length;
    const char *text = yaml_read_file(path, &length, &scratch, d);
    struct study *s = text ? study_parse(path, text, length, overrides, registry, d) : NULL;
    arena_close(&scratch);
    return s;
}

void study_close(struct study *s)
{
    if (s) {
        arena_close(&s->memory);
        free(s);
    }
}

struct sim_options study_options(const struct study *s)
{
    return (struct sim_options){
        .end = s->settings.duration,
        .warmup = s->settings.warmup == WARMUP_AUTO ? 0 : s->settings.warmup,
        .interval = s->settings.interval,
        .antithetic = s->settings.replications.antithetic,
        .most_events =
            s->settings.event_limit == EVENTS_UNLIMITED ? 0 : (uint64_t)s->settings.event_limit,
        .summary_only = s->settings.output.histograms == STUDY_HISTOGRAMS_NONE,
        .trace = {.sample = s->settings.output.trace.sample,
                  .limit = (uint64_t)s->settings.output.trace.limit}};
}
