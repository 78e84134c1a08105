/* SPDX-License-Identifier: Apache-2.0
 *
 * A blueprint is a model as the engine needs it: plain arrays of groups, ports, wires and timed
 * actions. model/graph.c draws it from a configuration; tests draw small ones by hand. It is
 * never written to while a simulation uses it, and may be shared by many.
 *
 * A group is `count` instances of one entity type with the same parameters. Entities are numbered
 * through all groups: instance i of group g is entity groups[g].first + i.
 */
#ifndef SQUALL_ENGINE_BLUEPRINT_H
#define SQUALL_ENGINE_BLUEPRINT_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/event.h"
#include "policies/conditioner.h"
#include "policies/failure_budget.h"
#include "rng/dist.h"

struct entity_type;

struct group_plan {
    const char *name; /* as in the configuration; not owned */
    const struct entity_type *type;
    const void *params; /* of type->params; not owned */
    entity_id first;
    uint32_t count;
    bool indexed;        /* instances are called name[0], name[1], ...; else there is one, `name` */
    bool sampled;        /* keeps time series */
    bool breakdowns;     /* keeps breakdowns of its statistics */
    bool traced;         /* writes down what its requests do */
    uint32_t faults;     /* where in its statistics its struct fault_stats is; 0: it keeps none */
    uint16_t ports;      /* outgoing ports of each instance */
    uint32_t first_port; /* instance i, port p: ports[first_port + i * ports + p] */
};

/* The wires that leave one entity by one port; more than one when the target is a group. */
struct port_plan {
    wire_id first_wire;
    uint32_t wires;
    uint32_t more; /* far ends that these have beyond one each */
};

/* A wire leads to one entity, or fans out to the `1 + more` ones from `to` on, which then are all
 * as far away: what leaves nothing to chance and has a delay needs no wire for each of a million
 * pairs. */
struct wire_plan {
    entity_id from, to;
    uint32_t more;
    uint32_t spec;
    uint16_t port; /* of `from` */
};

/* How messages travel, each way: loss is tested first, then the message takes
 * latency + jitter + bytes / bandwidth. Messages on one wire do not queue for each other. */
struct wire_spec {
    struct dist latency, jitter;
    double loss;      /* probability that a message vanishes */
    double bandwidth; /* [B/s]; INFINITY: size does not matter */
};

enum action_kind {
    ACTION_SLOW,        /* service takes `factor` times as long while it lasts; several multiply */
    ACTION_RATE,        /* arrivals come `factor` times as fast while it lasts; several multiply */
    ACTION_CONDITIONER, /* its calls go through one more conditioner while it lasts */
    ACTION_CAPACITY,    /* `factor` times as many workers while it lasts; several multiply */
    ACTION_ERRORS,      /* a share of its requests fails; see engine/errors.c */
    ACTION_CRASH,       /* down from `from` to `to`: work in hand is lost, messages vanish */
    ACTION_PAUSE,       /* frozen from `from` to `to`; see engine/pauses.c */
    ACTION_RESTART,     /* in events only: the end of the last of overlapping crashes, and of
                           the pause that it falls into */
};

/* Which time it was, from 0, that something last began by `t`, and when [ns]: it begins at `from`
 * and then `every` so often, `times` in all; SIM_TIME_NEVER: once. BEGUN_NOT before the first, and
 * when one more than the last would have begun. */
#define BEGUN_NOT UINT64_MAX
static inline uint64_t last_beginning(sim_time from, sim_time every, uint64_t times, sim_time t,
                                      sim_time *begun)
{
    if (t < from) {
        return BEGUN_NOT;
    }
    uint64_t number = every == SIM_TIME_NEVER ? 0 : (uint64_t)((t - from) / every);
    *begun = number == 0 ? from : from + (sim_time)number * every;
    return number < times ? number : BEGUN_NOT;
}

/* A timed action on the entities first .. first + count - 1, in force from <= t < to. */
struct action_plan {
    enum action_kind kind;
    sim_time from, to; /* [ns]; to may be SIM_TIME_NEVER */
    double factor;
    entity_id first;
    uint32_t count;
    struct conditioner conditioner;
    bool work_goes_on;   /* pause: what is in service is not frozen; crash: work in hand is done */
    sim_time mtbf, mttr; /* [ns] crash: means of the times up and down of each entity, which crashes
                            by chance while this is in force; 0: it is down throughout */
    sim_time every;      /* [ns] errors: they begin again so often, >= to - from, or NEVER */
    uint64_t times;      /* errors: how often they begin */
    double share;        /* errors: of the requests */
    uint16_t status;     /* errors: with which they are answered */
    bool served;         /* errors: after they were served */
    uint64_t chance;     /* errors, and crashes by chance: what their chance goes by */
};

/* The entities first .. first + count - 1. */
struct entity_range {
    entity_id first;
    uint32_t count;
};

/* Something that happens to messages on their way, at windows of time: once from `from` for
 * `lasts`; again `every` so often, `times` in all; or by chance while that is in force, for times
 * of the mean `mttr`, with times of the mean `mtbf` between them. See engine/links.c. */
struct link_plan {
    sim_time from, lasts; /* [ns]; lasts may be SIM_TIME_NEVER */
    sim_time every;       /* [ns] >= lasts; SIM_TIME_NEVER: once */
    uint64_t times;
    sim_time mtbf, mttr; /* [ns]; 0: not by chance */
    /* Between whom: entities of `a`, and of `b`, which is everyone else where it is empty. */
    const struct entity_range *a, *b;
    uint32_t n_a, n_b;
    bool halves;     /* `b` is a half of `a` instead, chosen by chance anew for each window */
    bool asymmetric; /* only what `a` sends to `b` */
    /* What it does. */
    bool cuts;           /* messages are lost */
    bool holds;          /* messages leave at its end */
    struct dist latency; /* added */
    double loss;         /* probability of one more loss */
    double bandwidth;    /* [B/s] at most; INFINITY: as much as there is */
    uint64_t chance;     /* what its chance goes by */
};

/* What timed actions did to the messages that an entity sent, and to the requests that it got. */
struct fault_stats {
    uint64_t messages_cut, messages_dropped, messages_held, errors_injected;
};

/* Whose outcomes count for the failure budget. They share a window, so they are never divided. */
struct budget_plan {
    const struct failure_budget *policy; /* NULL: there is none; not owned */
    const struct entity_range *watched;  /* may overlap */
    uint32_t n_watched;
};

struct blueprint {
    const struct group_plan *groups;
    uint32_t n_groups;
    uint32_t n_entities;
    const struct port_plan *ports;
    uint32_t n_ports;
    const struct wire_plan *wires;
    uint32_t n_wires;
    const struct wire_spec *specs;
    uint32_t n_specs;
    const struct action_plan *actions;
    uint32_t n_actions;
    const struct link_plan *links;
    uint32_t n_links;
    struct budget_plan budget;
    const char *const *kinds; /* names of the kinds of requests, by number */
    uint32_t n_kinds;
};

/* The least time that a message of this kind of wire takes [ns]. */
sim_time wire_floor(const struct wire_spec *spec);

/* True when every message takes that time: neither chance nor size matter. */
bool wire_is_plain(const struct wire_spec *spec);

/* The group of an entity, by bisection. */
const struct group_plan *blueprint_group(const struct blueprint *b, entity_id id);

/* Writes "web" or "web[3]" into `text` (always terminated) and returns its length. */
int blueprint_name(const struct blueprint *b, entity_id id, char *text, size_t size);

/* Hash of that name: the `who` of the entity's random streams. */
uint64_t blueprint_name_hash(const struct blueprint *b, entity_id id);

/* Writes "users[3] -> web[7]", or "-> web[4..7]" or "-> web" where a wire fans out, into `text`
 * (always terminated). */
void blueprint_wire_name(const struct blueprint *b, wire_id wire, char *text, size_t size);

#endif
