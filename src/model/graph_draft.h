/* SPDX-License-Identifier: Apache-2.0
 *
 * Inside of graph_draw; for the files of the graph only. graph.c places entities and ports;
 * graph_timeline.c places timed actions; graph_kinds.c numbers the kinds of requests; graph_edges.c
 * reads tables of edges; graph_wires.c lays the wires; graph_rules.c finds the rule of the network
 * for each of them; graph_cycles.c looks at the whole.
 */
#ifndef SQUALL_MODEL_GRAPH_DRAFT_H
#define SQUALL_MODEL_GRAPH_DRAFT_H

#include "engine/kind.h"
#include "engine/target.h"
#include "model/names.h"
#include "model/study.h"

/* What one name of a target means: entities that follow each other, all of one group. */
struct name_range {
    entity_id first;
    uint32_t count;
    uint32_t group;
    uint32_t rules, n_rules; /* that may apply, in draft.choices; for the group being laid */
    const struct node *at;
};

/* One line of a table of edges. */
struct edge {
    uint32_t from, to; /* places in their groups */
    sim_time latency;  /* [ns]; SIM_TIME_NEVER: that of the network */
    int line;
};

/* Which instance of one group calls which of another: edges in order of (from, to). */
struct edge_table {
    struct edge *items; /* malloced while the graph is drawn */
    size_t n;
    size_t *start; /* of each caller's, and at last the end */
};

/* A port of every instance of a group. */
struct port_draft {
    const struct target *target;
    struct name_range *ranges; /* as named; in the order of ids where some of them are picked */
    uint32_t n_ranges;
    struct edge_table *edges; /* NULL: there is no table */
    struct port_draft *next;
};

/* Which entities of a group a pattern matches. */
enum match { MATCH_NONE, MATCH_SOME, MATCH_ALL };

/* A rule's specification, or what becomes of it with the latency of an edge. */
struct spec_draft {
    struct wire_spec spec;
    uint32_t rule;    /* the number of rules: none */
    sim_time latency; /* [ns]; SIM_TIME_NEVER: the rule's own */
};

/* A rule that may apply to the wires from a group to a range. */
struct rule_choice {
    uint32_t rule;
    unsigned char from, to; /* enum match */
};

/* A struct kind in the parameters of some group. */
struct kind_draft {
    struct kind *kind;
    const struct node *at;
    bool given; /* else sought */
};

struct draft {
    struct study *study;
    struct diag *diag;
    struct arena scratch; /* owned */
    struct names names;
    struct group_plan *groups;
    struct port_draft **ports; /* of each group */
    struct kind_draft *kinds;  /* malloced */
    size_t n_kinds, most_kinds;
    bool *named, *called;         /* of each group: by the timeline, by a target */
    const struct node **links_at; /* of each link of the blueprint; malloced */
    uint64_t n_entities, n_ports, n_wires;
    struct port_plan *port_plans;
    struct wire_plan *wires;
    uint32_t next_port, next_wire;
    /* graph_rules.c */
    struct spec_draft *specs; /* malloced */
    uint32_t n_specs, most_specs;
    uint32_t *spec_table; /* hash table of specs by rule and latency: place + 1; malloced */
    size_t spec_slots;
    struct rule_choice *choices;
    size_t n_choices, most_choices;
    bool *fans;                /* of each rule: its wires may fan out */
    unsigned char *from_match; /* of each rule, for the group being laid */
    bool *from_matches;        /* of each rule, for the instance being laid */
    bool instances_differ;     /* some from_match is MATCH_SOME */
    bool *idle;                /* of each rule: it matches nobody, which was told */
};

/* Finds whom a name means; false when nobody, which is reported. */
bool draft_find(struct draft *d, const struct name_ref *ref, struct name_range *range);

/* Reads the table of a target, if it has one, into p->edges and, in the words of the program, back
 * into the target; p has one range then, or an error is reported. `at` is the target's node. */
void draft_read_edges(struct draft *d, struct port_draft *p, struct target *target, uint32_t group,
                      const struct node *at);
void draft_drop_edges(struct draft *d);

/* Adds one. */
void draft_add_kind(struct draft *d, struct kind *kind, const struct node *at, bool given);

/* Numbers all kinds that are given, and finds those that are sought. */
void draft_number_kinds(struct draft *d);

/* Warns of patterns that match nobody. */
void draft_check_patterns(struct draft *d);

/* Places what the timeline says in the blueprint, and gives the types of whom it concerns the
 * statistics of faults. */
void draft_place_actions(struct draft *d);

/* Warns of links and partitions between whom no messages go; after the wires were laid. */
void draft_check_links(struct draft *d);

/* The part of a range that lies in one of so many cells; no more than the range has instances. */
struct name_range draft_in_cell(const struct name_range *range, uint64_t cells, uint64_t cell);

/* Counts ports and wires; refuses what cannot be numbered, or cannot be held by this machine. */
void draft_count_wires(struct draft *d);

/* Lays as many, and completes the blueprint. */
void draft_lay_wires(struct draft *d);

/* For both: once; for each group; for each of its instances; for each wire. */
void draft_open_rules(struct draft *d);
void draft_choose_rules(struct draft *d, const struct group_plan *g, struct port_draft *first);
void draft_enter(struct draft *d, const struct group_plan *g, entity_id from);
/* True when one rule decides for the whole of a range and its wires may fan out. */
bool draft_fans(const struct draft *d, const struct name_range *range);
/* The place of the specification for one of a range; with this latency [ns] in place of the
 * rule's unless it is SIM_TIME_NEVER. */
uint32_t draft_spec(struct draft *d, const struct name_range *range, entity_id to,
                    sim_time latency);
const struct wire_spec *draft_copy_specs(const struct draft *d);
void draft_close_rules(struct draft *d);

/* Warns of rules that no wire follows. */
void draft_check_rules(struct draft *d);

/* Refuses cycles of wires without delay; after the blueprint was drawn. Of cycles between the same
 * groups one is told. */
void draft_find_cycles(struct draft *d);

#endif
