/* SPDX-License-Identifier: Apache-2.0 */
#include "parallel/traffic.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "parallel/fans.h"

struct matrix {
    const struct blueprint *b;
    const struct flow *flow;
    const uint32_t *part_of;
    uint32_t parts;
    double *rate; /* [from part][to part] */
};

static double *rate_of(struct matrix *t, uint32_t from)
{
    return &t->rate[(size_t)from * t->parts];
}

static void add_plain(struct matrix *t)
{
    for (wire_id id = 0; id < t->b->n_wires; id++) {
        const struct wire_plan *w = &t->b->wires[id];
        if (w->more == 0) {
            rate_of(t, t->part_of[w->from])[t->part_of[w->to]] += t->flow->requests[id];
        }
    }
}

/* What all wires of a fan send is summed by part first, as a fan may have many of either. `sent`
 * is zero, and is left so. */
static void add_fan(struct matrix *t, const struct fan *fan, const struct reach *reach,
                    double *sent)
{
    double ends = 1.0 + fan->more;
    for (uint32_t i = 0; i < fan->n_wires; i++) {
        wire_id id = fan->wires[i];
        sent[t->part_of[t->b->wires[id].from]] += t->flow->requests[id];
    }
    for (uint32_t i = 0; i < fan->n_wires; i++) {
        uint32_t from = t->part_of[t->b->wires[fan->wires[i]].from];
        for (uint32_t k = 0; k < reach->n && sent[from] > 0.0; k++) {
            uint32_t to = reach->parts[k];
            rate_of(t, from)[to] += sent[from] * reach->ends[to] / ends;
        }
        sent[from] = 0.0;
    }
}

static void add_fans(struct matrix *t)
{
    struct fans fans;
    struct reach reach;
    double *sent = calloc(t->parts, sizeof *sent);
    CHECK(sent, "out of memory for the traffic of %u parts", t->parts);
    fans_open(&fans, t->b);
    reach_open(&reach, t->parts);
    for (uint32_t f = 0; f < fans.n; f++) {
        reach_find(&reach, &fans.fans[f], t->part_of);
        add_fan(t, &fans.fans[f], &reach, sent);
    }
    reach_close(&reach);
    fans_close(&fans);
    free(sent);
}

void traffic_between(const struct blueprint *b, const struct flow *f, const uint32_t *part_of,
                     uint32_t parts, double *rate)
{
    struct matrix t = {b, f, part_of, parts, rate};
    memset(rate, 0, (size_t)parts * parts * sizeof *rate);
    add_plain(&t);
    add_fans(&t);
}
