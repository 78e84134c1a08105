/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/target.h"

#include "policies/balance.h"

static const struct param_spec name_rows[] = {
    P_REF(target_name, name, NULL, "A group (all of its instances) or one instance, `web[2]`."),
    P_END};

static const struct schema name_schema = {.name = "target name",
                                          .summary = "Who is called.",
                                          .size = sizeof(struct target_name),
                                          .rows = name_rows,
                                          .shorthand = true};

static const struct param_spec target_rows[] = {
    P_LIST(target, to, name_schema, NULL, "Who is called: a name or a list of names."),
    P_WORD(target, balance, balance_words, "round_robin",
           "Which instance the next request goes to."),
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

static uint32_t load_of(uint32_t i, void *context)
{
    const struct wires *w = context;
    return *sim_wire_load(w->ctx, w->first + i);
}

wire_id target_pick(struct ctx *c, const struct target *t, struct rng_stream *stream)
{
    const struct port_plan *p = sim_port(c, t->port);
    if (p->wires == 1) {
        return p->first_wire;
    }
    struct wires w = {c, p->first_wire};
    return p->first_wire + balance_pick((enum balance)t->balance, p->wires,
                                        sim_port_turn(c, t->port), load_of, &w, stream);
}
