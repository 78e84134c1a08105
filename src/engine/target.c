/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/target.h"

#include "base/compiler.h"
#include "policies/balance.h"

static const struct param_spec name_rows[] = {
    P_REF(target_name, name, NULL, "A group (all of its instances) or one instance, `web[2]`."),
    P_END};

static const struct schema name_schema = {.name = "target name",
                                          .summary = "Who is called.",
                                          .size = sizeof(struct target_name),
                                          .rows = name_rows,
                                          .shorthand = true};

static const struct param_spec graph_rows[] = {
    P_TEXT(target_graph, file, "",
           "File with a line for each pair, in columns headed from, to and, if wanted, latency; "
           "relative to the directory of the file that names it. From and to are numbers from 0 "
           "on, or "
           "names such as web[3]; a latency is in place of that of the network, which holds where "
           "none is written. Every caller needs a line. The content counts as if it were written "
           "here."),
    P_TEXT(target_graph, edges, "", "The lines themselves, in place of a file."), P_END};

static const struct schema graph_schema = {.name = "graph",
                                           .summary = "Which caller calls whom.",
                                           .size = sizeof(struct target_graph),
                                           .rows = graph_rows,
                                           .shorthand = true};

static const struct param_spec target_rows[] = {
    P_LIST(target, to, name_schema, NULL, "Who is called: a name or a list of names."),
    P_WORD(target, balance, balance_words, "round_robin",
           "Which instance the next request goes to."),
    {.name = "pick",
     .doc = "How many of those named each caller calls: distinct ones, picked by chance once for "
            "all runs; it depends on the caller's name, not on the seed.",
     .unit = "1",
     .fallback = "all",
     .absent = "all",
     .low = 1,
     .high = UINT32_MAX - 1,
     .kind = PARAM_COUNT,
     .offset = SCHEMA_OFFSET(int64_t, target, pick)},
    P_COUNT(target, cells, "1", 1, UINT32_MAX - 1,
            "Cells that the group of the caller and each group named are divided into, in order "
            "and evenly; who is in a cell calls only those in the same."),
    P_BLOCK(target, graph, graph_schema, "{}",
            "Which caller calls whom, for one group named and in place of pick and cells; by "
            "default everyone calls all."),
    P_END};

const struct schema target_schema = {.name = "target",
                                     .summary = "Where requests go.",
                                     .size = sizeof(struct target),
                                     .rows = target_rows,
                                     .shorthand = true};

struct wires {
    struct ctx *ctx;
    wire_id first;
};

/* Asked for only by balances to which nothing fans out, so that the i-th end is the i-th wire's. */
static uint32_t load_of(uint32_t i, void *context)
{
    const struct wires *w = context;
    return *sim_wire_load(w->ctx, w->first + i);
}

/* The way to the i-th far end of a port. */
static struct way way_to(const struct ctx *c, const struct port_plan *p, uint32_t i)
{
    if (p->more == 0) {
        return (struct way){p->first_wire + i, 0};
    }
    wire_id wire = p->first_wire;
    for (uint32_t more = sim_wire_more(c, wire); i > more; more = sim_wire_more(c, ++wire)) {
        i -= more + 1;
    }
    return (struct way){wire, i};
}

static OUT_OF_LINE struct way pick_among(struct ctx *c, const struct target *t,
                                         const struct port_plan *p, struct rng_stream *stream)
{
    struct wires w = {c, p->first_wire};
    uint32_t end = balance_pick((enum balance)t->balance, p->wires + p->more,
                                sim_port_turn(c, t->port), load_of, &w, stream);
    return way_to(c, p, end);
}

struct way target_pick(struct ctx *c, const struct target *t, struct rng_stream *stream)
{
    const struct port_plan *p = sim_port(c, t->port);
    return p->wires + p->more == 1 ? (struct way){p->first_wire, 0} : pick_among(c, t, p, stream);
}
