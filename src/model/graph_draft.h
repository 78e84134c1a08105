/* SPDX-License-Identifier: Apache-2.0
 *
 * Inside of graph_draw; for the files of the graph only. graph.c places entities, ports and wires;
 * graph_rules.c finds the rule of the network for each wire; graph_cycles.c looks at the whole.
 */
#ifndef SQUALL_MODEL_GRAPH_DRAFT_H
#define SQUALL_MODEL_GRAPH_DRAFT_H

#include "model/study.h"

/* What one name of a target means: entities that follow each other, all of one group. */
struct name_range {
    entity_id first;
    uint32_t count;
    uint32_t group;
    uint32_t rules, n_rules; /* that may apply, in draft.choices; for the group being laid */
    const struct node *at;
};

/* A port of every instance of a group. */
struct port_draft {
    struct name_range *ranges;
    uint32_t n_ranges;
    uint64_t wires; /* of all ranges */
    struct port_draft *next;
};

/* Which entities of a group a pattern matches. */
enum match { MATCH_NONE, MATCH_SOME, MATCH_ALL };

/* A rule that may apply to the wires from a group to a range. */
struct rule_choice {
    uint32_t rule;
    unsigned char from, to; /* enum match */
};

struct draft {
    struct study *study;
    struct diag *diag;
    struct arena scratch; /* owned */
    uint32_t *names;      /* hash table of the groups */
    size_t slots;
    struct group_plan *groups;
    struct port_draft **ports; /* of each group */
    bool *named, *called;      /* of each group: by the timeline, by a target */
    uint64_t n_entities, n_ports, n_wires;
    struct port_plan *port_plans;
    struct wire_plan *wires;
    uint32_t next_port, next_wire;
    /* graph_rules.c */
    struct wire_spec *specs;
    uint32_t n_specs;
    uint32_t *spec_of; /* of each rule, and at last of none: place in specs + 1; 0: not used */
    struct rule_choice *choices;
    size_t n_choices, most_choices;
    unsigned char *from_match; /* of each rule, for the group being laid */
    bool *from_matches;        /* of each rule, for the instance being laid */
    bool instances_differ;     /* some from_match is MATCH_SOME */
    bool *idle;                /* of each rule: it matches nobody, which was told */
};

/* Finds whom a name means; false when nobody, which is reported. */
bool draft_find(struct draft *d, const struct name_ref *ref, struct name_range *range);

/* Warns of patterns that match nobody. */
void draft_check_patterns(struct draft *d);

/* For laying wires: once; for each group; for each of its instances; for each wire. */
void draft_open_rules(struct draft *d);
void draft_choose_rules(struct draft *d, const struct group_plan *g, struct port_draft *first);
void draft_enter(struct draft *d, const struct group_plan *g, entity_id from);
uint32_t draft_spec(struct draft *d, const struct name_range *range, entity_id to);
void draft_close_rules(struct draft *d);

/* Warns of rules that no wire follows. */
void draft_check_rules(struct draft *d);

/* Refuses cycles of wires without delay; after the blueprint was drawn. Of cycles between the same
 * groups one is told. */
void draft_find_cycles(struct draft *d);

#endif
