/* SPDX-License-Identifier: Apache-2.0
 *
 * Patterns are compared with the names of groups first. Only a pattern that could match some
 * instances of a group without matching the group is compared with names of instances, so that
 * large groups cost nothing.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/hash.h"
#include "model/graph.h"
#include "model/graph_draft.h"

enum { NAME_ROOM = STUDY_LONGEST_NAME + 16 };

bool graph_match(const char *pattern, const char *name)
{
    const char *star = NULL, *again = NULL; /* after the last star; where it may match next */
    while (*name) {
        if (*pattern == '*') {
            star = ++pattern;
            again = name;
        } else if (*pattern && (*pattern == '?' || *pattern == *name)) {
            pattern++;
            name++;
        } else if (star) {
            pattern = star;
            name = ++again;
        } else {
            return false;
        }
    }
    while (*pattern == '*') {
        pattern++;
    }
    return *pattern == '\0';
}

static bool matches_instance(const char *pattern, const struct group_plan *g, uint32_t index)
{
    char name[NAME_ROOM];
    snprintf(name, sizeof name, "%s[%u]", g->name, index);
    return graph_match(pattern, name);
}

/* Whether the ends of the pattern agree with "name[...]". */
static bool could_match_instance(const char *pattern, const char *name)
{
    size_t i = 0;
    while (pattern[i] && pattern[i] != '*' && pattern[i] != '?' && pattern[i] == name[i]) {
        i++;
    }
    bool starts = pattern[i] == '*' || pattern[i] == '?' || (pattern[i] == '[' && name[i] == '\0');
    char last = pattern[0] ? pattern[strlen(pattern) - 1] : '\0';
    return starts && (last == '*' || last == '?' || last == ']');
}

/* MATCH_SOME when instances may match that have to be looked at. */
static enum match match_group(const char *pattern, const struct group_plan *g)
{
    if (graph_match(pattern, g->name)) {
        return MATCH_ALL;
    }
    return g->indexed && could_match_instance(pattern, g->name) ? MATCH_SOME : MATCH_NONE;
}

static bool matches_anybody(const struct draft *d, const char *pattern)
{
    for (uint32_t g = 0; g < d->study->n_groups; g++) {
        const struct group_plan *plan = &d->groups[g];
        enum match m = match_group(pattern, plan);
        if (m == MATCH_ALL) {
            return true;
        }
        for (uint32_t i = 0; m == MATCH_SOME && i < plan->count; i++) {
            if (matches_instance(pattern, plan, i)) {
                return true;
            }
        }
    }
    return false;
}

static bool check_pattern(struct draft *d, const struct name_ref *pattern)
{
    if (!pattern->name || matches_anybody(d, pattern->name)) {
        return true;
    }
    diag_warning(d->diag, pattern->at, "'%s' matches no entity", pattern->name);
    return false;
}

void draft_check_patterns(struct draft *d)
{
    uint32_t n = d->study->settings.network.count;
    d->idle = arena_take(&d->scratch, n * sizeof *d->idle);
    for (uint32_t r = 0; r < n && d->study->n_groups > 0; r++) {
        const struct network_rule *rule = &d->study->settings.network.items[r];
        bool from = check_pattern(d, &rule->from), to = check_pattern(d, &rule->to);
        d->idle[r] = !from || !to;
    }
}

/* The specification of a rule, `rule` being the number of rules for none. */
static struct wire_spec spec_of_rule(const struct draft *d, uint32_t rule)
{
    const struct study_settings *s = &d->study->settings;
    if (rule == s->network.count) {
        return (struct wire_spec){
            .latency = dist_constant(0), .jitter = dist_constant(0), .bandwidth = INFINITY};
    }
    const struct network_rule *from = &s->network.items[rule];
    return (struct wire_spec){
        .latency = from->latency,
        .jitter = from->jitter,
        .loss = from->loss,
        .bandwidth = from->bandwidth.kind == THROUGHPUT_LIMITED ? from->bandwidth.rate : INFINITY};
}

void draft_open_rules(struct draft *d)
{
    uint32_t n = d->study->settings.network.count;
    d->fans = arena_take(&d->scratch, n * sizeof *d->fans);
    d->from_match = arena_take(&d->scratch, n);
    d->from_matches = arena_take(&d->scratch, n * sizeof *d->from_matches);
    for (uint32_t r = 0; r < n; r++) {
        struct wire_spec spec = spec_of_rule(d, r);
        d->fans[r] = wire_is_plain(&spec) && wire_floor(&spec) > 0;
    }
}

void draft_close_rules(struct draft *d)
{
    free(d->choices);
    free(d->specs);
    free(d->spec_table);
}

static void add_choice(struct draft *d, struct rule_choice choice)
{
    if (d->n_choices == d->most_choices) {
        d->most_choices = d->most_choices ? 2 * d->most_choices : 64;
        d->choices = realloc(d->choices, d->most_choices * sizeof *d->choices);
        CHECK(d->choices, "out of memory (%zu choices of rules)", d->most_choices);
    }
    d->choices[d->n_choices++] = choice;
}

/* The rules that may apply, up to the first that does in any case. */
static void choose_for_range(struct draft *d, struct name_range *range)
{
    const struct study_settings *s = &d->study->settings;
    range->rules = (uint32_t)d->n_choices;
    bool decided = false;
    for (uint32_t r = 0; r < s->network.count && !decided; r++) {
        enum match from = (enum match)d->from_match[r];
        enum match to = from == MATCH_NONE
                            ? MATCH_NONE
                            : match_group(s->network.items[r].to.name, &d->groups[range->group]);
        if (to != MATCH_NONE) {
            add_choice(d, (struct rule_choice){r, (unsigned char)from, (unsigned char)to});
            decided = from == MATCH_ALL && to == MATCH_ALL;
        }
    }
    range->n_rules = (uint32_t)d->n_choices - range->rules;
}

void draft_choose_rules(struct draft *d, const struct group_plan *g, struct port_draft *first)
{
    const struct study_settings *s = &d->study->settings;
    d->n_choices = 0;
    d->instances_differ = false;
    for (uint32_t r = 0; r < s->network.count; r++) {
        enum match m = match_group(s->network.items[r].from.name, g);
        d->from_match[r] = (unsigned char)m;
        d->from_matches[r] = m == MATCH_ALL;
        d->instances_differ |= m == MATCH_SOME;
    }
    for (struct port_draft *p = first; p; p = p->next) {
        for (uint32_t i = 0; i < p->n_ranges; i++) {
            choose_for_range(d, &p->ranges[i]);
        }
    }
}

void draft_enter(struct draft *d, const struct group_plan *g, entity_id from)
{
    const struct study_settings *s = &d->study->settings;
    for (uint32_t r = 0; r < s->network.count && d->instances_differ; r++) {
        if (d->from_match[r] == MATCH_SOME) {
            d->from_matches[r] =
                matches_instance(s->network.items[r].from.name, g, from - g->first);
        }
    }
}

/* Where a rule with a latency stands in the table, or the free slot where it belongs. */
static uint32_t *slot_of(const struct draft *d, uint32_t rule, sim_time latency)
{
    size_t i = hash_pair(rule, (uint64_t)latency) & (d->spec_slots - 1);
    for (; d->spec_table[i]; i = (i + 1) & (d->spec_slots - 1)) {
        const struct spec_draft *s = &d->specs[d->spec_table[i] - 1];
        if (s->rule == rule && s->latency == latency) {
            break;
        }
    }
    return &d->spec_table[i];
}

/* At most half full, the table makes for short searches. */
static void make_room_for_spec(struct draft *d)
{
    if (d->n_specs < d->most_specs) {
        return;
    }
    d->most_specs = d->most_specs ? 2 * d->most_specs : 16;
    d->spec_slots = 2 * (size_t)d->most_specs;
    d->specs = realloc(d->specs, d->most_specs * sizeof *d->specs);
    free(d->spec_table);
    d->spec_table = calloc(d->spec_slots, sizeof *d->spec_table);
    CHECK(d->specs && d->spec_table, "out of memory (%u kinds of wires)", d->most_specs);
    for (uint32_t i = 0; i < d->n_specs; i++) {
        *slot_of(d, d->specs[i].rule, d->specs[i].latency) = i + 1;
    }
}

/* The place of a specification, which is made when it is first asked for. */
static uint32_t use_rule(struct draft *d, uint32_t rule, sim_time latency)
{
    make_room_for_spec(d);
    uint32_t *slot = slot_of(d, rule, latency);
    if (*slot == 0) {
        struct spec_draft *s = &d->specs[d->n_specs++];
        *slot = d->n_specs;
        *s = (struct spec_draft){spec_of_rule(d, rule), rule, latency};
        if (latency != SIM_TIME_NEVER) {
            s->spec.latency = dist_constant(latency);
        }
    }
    return *slot - 1;
}

const struct wire_spec *draft_copy_specs(const struct draft *d)
{
    struct wire_spec *specs = arena_take(&d->study->memory, d->n_specs * sizeof *specs);
    for (uint32_t i = 0; i < d->n_specs; i++) {
        specs[i] = d->specs[i].spec;
    }
    return specs;
}

bool draft_fans(const struct draft *d, const struct name_range *range)
{
    for (uint32_t i = 0; i < range->n_rules; i++) {
        const struct rule_choice *c = &d->choices[range->rules + i];
        if (d->from_matches[c->rule]) {
            return c->to == MATCH_ALL && d->fans[c->rule];
        }
    }
    return false;
}

uint32_t draft_spec(struct draft *d, const struct name_range *range, entity_id to, sim_time latency)
{
    const struct study_settings *s = &d->study->settings;
    const struct group_plan *g = &d->groups[range->group];
    for (uint32_t i = 0; i < range->n_rules; i++) {
        const struct rule_choice *c = &d->choices[range->rules + i];
        if (d->from_matches[c->rule] &&
            (c->to == MATCH_ALL ||
             matches_instance(s->network.items[c->rule].to.name, g, to - g->first))) {
            return use_rule(d, c->rule, latency);
        }
    }
    return use_rule(d, s->network.count, latency);
}

void draft_check_rules(struct draft *d)
{
    uint32_t n = d->study->settings.network.count;
    bool *used = arena_take(&d->scratch, (n + 1) * sizeof *used);
    for (uint32_t i = 0; i < d->n_specs; i++) {
        used[d->specs[i].rule] = true;
    }
    for (uint32_t r = 0; r < n; r++) {
        if (!used[r] && !d->idle[r]) {
            diag_warning(d->diag, d->study->settings.network.items[r].at,
                         "no call is left for this rule to decide");
        }
    }
}
