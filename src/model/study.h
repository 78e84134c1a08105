/* SPDX-License-Identifier: Apache-2.0
 *
 * A study is everything one configuration says: how long, how often, which entities, over which
 * network, and what happens when. It is bound from the rows below and from those of the entity
 * types, and owns the blueprint that model/graph.c draws from it.
 *
 * All mistakes of a configuration are reported in one go: those of its syntax, of every block and
 * entity, and of the graph.
 */
#ifndef SQUALL_MODEL_STUDY_H
#define SQUALL_MODEL_STUDY_H

#include <stddef.h>
#include <stdint.h>

#include "base/schema.h"
#include "engine/blueprint.h"
#include "engine/entity.h"
#include "engine/sim.h"
#include "model/goals.h"

enum throughput_kind { THROUGHPUT_UNLIMITED, THROUGHPUT_LIMITED };

struct throughput {
    int kind;    /* enum throughput_kind */
    double rate; /* [B/s] when limited */
};

/* How the wires between two entities behave: the first rule that matches both decides. */
struct network_rule {
    struct name_ref from, to; /* patterns: `*` any letters, `?` any one */
    int preset;               /* place in `presets`, already merged into the members below */
    struct dist latency, jitter;
    double loss;
    struct throughput bandwidth;
    const struct node *at; /* the rule itself */
};

/* What a pause does to work in service, and a crash to work in hand. */
enum in_service { IN_SERVICE_FREEZES, IN_SERVICE_CONTINUES };
enum in_flight { IN_FLIGHT_LOSE, IN_FLIGHT_FINISH };

/* Where errors stand in the way of requests. */
enum error_stage { STAGE_BEFORE_SERVICE, STAGE_AFTER_SERVICE };

/* A group or an instance. */
struct entity_name {
    struct name_ref name;
};

/* A share of the requests fails while it lasts. */
struct timed_errors {
    LIST_OF(struct entity_name) of;
    double probability;
    int64_t status;
    int stage; /* enum error_stage */
};

/* Messages between two sides take longer, or are lost by chance, while it lasts. */
struct timed_link {
    LIST_OF(struct entity_name) a;
    LIST_OF(struct entity_name) b; /* none: everyone else */
    bool asymmetric;
    struct dist latency;
    double loss;
    struct throughput bandwidth;
    const struct node *at;
};

/* Messages between two sides are lost, or held, while it lasts. */
struct timed_partition {
    LIST_OF(struct entity_name) a;
    LIST_OF(struct entity_name) b;     /* none: everyone else */
    LIST_OF(struct entity_name) among; /* in place of both */
    bool asymmetric, hold;
    const struct node *at;
};

/* Something that happens at a given time. */
struct timed_action {
    sim_time at, lasts;  /* [ns]; lasts may be SIM_TIME_NEVER */
    sim_time every;      /* [ns]; SIM_TIME_NEVER: once */
    int64_t times;       /* TIMES_UNLIMITED: to the end of the run */
    sim_time mtbf, mttr; /* [ns]; SIM_TIME_NEVER: not by chance */
    /* Whom; all but one, links and partitions among them, are empty. */
    const char *slow, *crash, *rate, *conditioner, *pause, *capacity;
    LIST_OF(struct timed_errors) errors;
    LIST_OF(struct timed_link) link;
    LIST_OF(struct timed_partition) partition;
    double factor;
    int in_service;             /* enum in_service; of a pause */
    int in_flight;              /* enum in_flight; of a crash */
    struct conditioner network; /* conditioner: what it does */
    struct name_ref whom;       /* the one of the six that is written; no name: none of them */
    enum action_kind kind;      /* likewise */
    const struct node *node;    /* the action itself */
};
#define TIMES_UNLIMITED INT64_MAX

enum study_histograms { STUDY_HISTOGRAMS_PER_ENTITY, STUDY_HISTOGRAMS_NONE };

/* A group; an instance stands for its group. */
struct group_name {
    struct name_ref name;
};

struct study_trace {
    LIST_OF(struct group_name) entities;
    double sample; /* share of the requests */
    int64_t limit; /* rows of an entity in a replication */
};

struct study_output {
    int histograms; /* enum study_histograms */
    LIST_OF(struct group_name) series;
    LIST_OF(struct group_name) breakdowns;
    struct study_trace trace;
};

/* The warm-up ends where each point has become steady. */
#define WARMUP_AUTO SIM_TIME_NEVER

/* Whether all points draw the same numbers, or each its own. */
enum study_seeds { SEEDS_COMMON, SEEDS_INDEPENDENT };
#define EVENTS_UNLIMITED INT64_MAX

/* Everything but the entities. */
struct study_settings {
    int64_t squall;
    const char *name;
    sim_time duration, interval; /* [ns]; interval may be SIM_TIME_NEVER */
    sim_time warmup;             /* [ns], or WARMUP_AUTO */
    int64_t seed;
    int seeds; /* enum study_seeds */
    struct study_replications replications;
    LIST_OF(struct search_words) search; /* one at most */
    int64_t event_limit;                 /* EVENTS_UNLIMITED: however many */
    LIST_OF(struct network_rule) network;
    LIST_OF(struct timed_action) timeline;
    LIST_OF(struct failure_budget) failure_budget; /* one at most */
    struct study_output output; /* with the entities that keep series, also by default */
};

/* What is bound later, by other rows. */
struct study_blocks {
    const struct node *policies, *entities;
    const struct node *sweep; /* see model/sweep.h */
};

/* What every mapping under `entities` says, whatever its type. */
struct group_settings {
    const char *type;
    int64_t count; /* STUDY_SINGLE: one instance, called by the name alone */
};
#define STUDY_SINGLE INT64_MAX

/* One mapping under `entities`. */
struct study_group {
    const char *name;
    const struct node *at;
    const struct entity_type *type; /* NULL when unknown */
    struct group_settings settings;
    void *params; /* of type->params; NULL after errors */
};

enum {
    STUDY_LANGUAGE = 1,              /* version of the language understood */
    STUDY_LONGEST_NAME = 128,        /* letters of an entity's name */
    STUDY_MOST_INTERVALS = 100000000 /* of a time series */
};

struct sweep;

struct study {
    struct arena memory; /* owned: everything below */
    struct study_settings settings;
    struct study_blocks blocks;
    struct study_group *groups; /* in the order written */
    uint32_t n_groups;
    struct blueprint blueprint;
    struct goals goals;
    const struct entity_type *const *registry; /* not owned */
    const struct node *root;                   /* with overrides and policies merged in */
    const char *text;                          /* the configuration as given */
    size_t length;                             /* [B] of the text */
    const char *const *overrides;              /* "path=value", in order; ends with NULL */
    const char *const *series;                 /* as in struct study_source; not owned */
};

extern const struct schema study_schema;        /* struct study_settings */
extern const struct schema study_blocks_schema; /* struct study_blocks */
extern const struct schema group_type_schema;   /* struct group_settings: type */
extern const struct schema group_schema;        /* struct group_settings: all others */
extern const struct schema network_rule_schema;
extern const struct schema timed_action_schema; /* model/timeline.c */
/* What those keep besides their own whom links, partitions and errors concern: struct fault_stats.
 */
extern const struct stat_spec fault_rows[];
extern const struct choice throughput_choice;

/* What a study is read from. */
struct study_source {
    const char *file;             /* what messages call it */
    const char *text;             /* a configuration */
    size_t length;                /* [B] */
    const char *const *overrides; /* "path=value", applied in order; ends with NULL; may be NULL */
    const struct sweep *sweep;    /* NULL: the text's own */
    uint64_t point;               /* of the sweep: the study has its values */
    const char *const *series;    /* groups that keep series, in place of those that do by default;
                                     ends with NULL; may be NULL */
    const struct entity_type *const *registry; /* must outlive the study */
};

/* The axis that a configuration searches on, or NULL. */
const struct node *study_search_axis(const struct node *root);

/* The sweep block of a configuration, with what the overrides make of it and with the axis of its
 * search, if it has one, as the last factor; NULL without either. It is taken out of the tree. */
const struct node *study_sweep(struct node *root, const char *const *overrides, struct arena *arena,
                               struct diag *d);

/* Reads a configuration and draws its blueprint. NULL after errors, which are all in `diag`. */
struct study *study_read(const struct study_source *source, struct diag *diag);

/* The same for a file as it stands: where it has a sweep, its first point. */
struct study *study_load(const char *path, const char *const *overrides,
                         const struct entity_type *const *registry, struct diag *diag);

/* The same for a text. */
struct study *study_parse(const char *file, const char *text, size_t length,
                          const char *const *overrides, const struct entity_type *const *registry,
                          struct diag *diag);

void study_close(struct study *s);

/* What a simulation of the study is opened with: the whole model. A warm-up that is found out is
 * still 0. */
struct sim_options study_options(const struct study *s);

#endif
