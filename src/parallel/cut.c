/* SPDX-License-Identifier: Apache-2.0
 *
 * What a partition costs: load, traffic and lookahead, and who talks to whom.
 */
#include "parallel/fans.h"
#include "parallel/partition.h"
#include "parallel/scratch.h"

/* --- lists ------------------------------------------------------------------------------- */

struct pair {
    uint32_t key, value;
};

struct pairs {
    struct pair *items; /* owned */
    size_t n, room;
};

static void add_pair(struct pairs *p, uint32_t key, uint32_t value)
{
    if (p->n == p->room) {
        p->room = p->room ? 2 * p->room : 1024;
        p->items = realloc(p->items, p->room * sizeof *p->items);
        CHECK_LIMIT(p->items, "out of memory (%zu pairs of parts)", p->room);
    }
    p->items[p->n++] = (struct pair){key, value};
}

/* The values of each key: values[first[key]] and so on up to first[key + 1]. */
struct lists {
    size_t *first;
    uint32_t *values;
};

static struct lists lists_open(const struct pairs *p, uint32_t keys)
{
    struct lists l = {scratch_take((size_t)keys + 2, sizeof *l.first),
                      scratch_take(p->n, sizeof *l.values)};
    for (size_t i = 0; i < p->n; i++) {
        l.first[p->items[i].key + 2]++;
    }
    for (uint32_t k = 0; k < keys; k++) {
        l.first[k + 2] += l.first[k + 1];
    }
    for (size_t i = 0; i < p->n; i++) {
        l.values[l.first[p->items[i].key + 1]++] = p->items[i].value;
    }
    return l;
}

static void lists_close(struct lists *l)
{
    free(l->first);
    free(l->values);
}

/* --- neighbours -------------------------------------------------------------------------- */

/* The parts on either side of a fan are a crowd: 2f sends by fan f, 2f + 1 is reached by it. Who is
 * in one crowd talks to all of the other. */
struct contacts {
    struct pairs direct;          /* parts joined by a wire that does not fan out, both ways */
    struct pairs members, crowds; /* of a crowd; that a part is in */
};

static void add_member(struct contacts *c, uint32_t crowd, uint32_t part)
{
    add_pair(&c->members, crowd, part);
    add_pair(&c->crowds, part, crowd);
}

/* The parts already counted bear the mark of the part that counts. */
static uint32_t count_new(const struct lists *l, uint32_t key, uint32_t *mark, uint32_t self)
{
    uint32_t n = 0;
    for (size_t i = l->first[key]; i < l->first[key + 1]; i++) {
        uint32_t part = l->values[i];
        n += part != self && mark[part] != self + 1;
        mark[part] = self + 1;
    }
    return n;
}

/* Most parts that one part talks to. Nobody talks to more than all the others, so that where all
 * talk to all the first part settles it. */
static uint32_t most_neighbours(const struct contacts *c, uint32_t parts, uint32_t n_crowds)
{
    struct lists direct = lists_open(&c->direct, parts);
    struct lists members = lists_open(&c->members, n_crowds);
    struct lists crowds = lists_open(&c->crowds, parts);
    uint32_t *mark = scratch_take(parts, sizeof *mark), most = 0;
    for (uint32_t p = 0; p < parts && most < parts - 1; p++) {
        uint32_t n = count_new(&direct, p, mark, p);
        for (size_t i = crowds.first[p]; i < crowds.first[p + 1]; i++) {
            n += count_new(&members, crowds.values[i] ^ 1, mark, p);
        }
        most = n > most ? n : most;
    }
    free(mark);
    lists_close(&direct);
    lists_close(&members);
    lists_close(&crowds);
    return most;
}

/* --- wires ------------------------------------------------------------------------------- */

struct survey {
    const struct blueprint *b;
    const struct flow *flow;
    const uint32_t *part_of;
    uint32_t parts;
    sim_time *floors;
    struct contacts contacts;
    struct cut *cut;
    double requests, remote; /* [1/s] over all wires, and those that are cut */
};

/* Counts a wire of whose far ends this share is in other parts. */
static void count_wire(struct survey *s, wire_id id, double cut)
{
    struct cut *c = s->cut;
    sim_time floor = s->floors[s->b->wires[id].spec];
    s->requests += s->flow->requests[id];
    if (cut == 0.0) {
        return;
    }
    s->remote += s->flow->requests[id] * cut;
    c->cut_wires++;
    if (floor < c->lookahead || (floor == c->lookahead && id < c->limit)) {
        c->lookahead = floor;
        c->limit = id;
    }
}

static void count_plain(struct survey *s)
{
    struct pairs *direct = &s->contacts.direct;
    for (wire_id id = 0; id < s->b->n_wires; id++) {
        const struct wire_plan *w = &s->b->wires[id];
        if (w->more > 0) {
            continue;
        }
        uint32_t from = s->part_of[w->from], to = s->part_of[w->to];
        count_wire(s, id, from != to);
        const struct pair *last = direct->n ? &direct->items[direct->n - 1] : NULL;
        bool known = last && last->key == to && last->value == from;
        if (from != to && !known) {
            add_pair(direct, from, to);
            add_pair(direct, to, from);
        }
    }
}

static void count_fans(struct survey *s, const struct fans *fans)
{
    struct reach reach;
    reach_open(&reach, s->parts);
    uint32_t *sender = scratch_take(s->parts, sizeof *sender); /* 1 + the last fan it sent by */
    for (uint32_t f = 0; f < fans->n; f++) {
        const struct fan *fan = &fans->fans[f];
        reach_find(&reach, fan, s->part_of);
        for (uint32_t i = 0; i < fan->n_wires; i++) {
            uint32_t from = s->part_of[s->b->wires[fan->wires[i]].from];
            double ends = 1.0 + fan->more;
            count_wire(s, fan->wires[i], (ends - reach.ends[from]) / ends);
            if (sender[from] != f + 1) {
                sender[from] = f + 1;
                add_member(&s->contacts, 2 * f, from);
            }
        }
        for (uint32_t i = 0; i < reach.n; i++) {
            add_member(&s->contacts, 2 * f + 1, reach.parts[i]);
        }
    }
    free(sender);
    reach_close(&reach);
}

void cut_measure(const struct blueprint *b, const struct flow *f, const uint32_t *part_of,
                 uint32_t parts, struct cut *c)
{
    *c = (struct cut){.load = scratch_take(parts, sizeof *c->load),
                      .entities = scratch_take(parts, sizeof *c->entities),
                      .balance = 1.0,
                      .lookahead = SIM_TIME_NEVER,
                      .limit = WIRE_NONE};
    double total = 0.0, largest = 0.0;
    for (entity_id id = 0; id < b->n_entities; id++) {
        c->load[part_of[id]] += f->events[id];
        c->entities[part_of[id]]++;
    }
    for (uint32_t p = 0; p < parts; p++) {
        total += c->load[p];
        largest = c->load[p] > largest ? c->load[p] : largest;
    }
    if (total > 0.0) {
        c->balance = largest * parts / total;
    }
    struct survey s = {
        .b = b, .flow = f, .part_of = part_of, .parts = parts, .floors = spec_floors(b), .cut = c};
    struct fans fans;
    fans_open(&fans, b);
    count_plain(&s);
    count_fans(&s, &fans);
    c->remote = s.requests > 0.0 ? s.remote / s.requests : 0.0;
    c->neighbours = most_neighbours(&s.contacts, parts, 2 * fans.n);
    fans_close(&fans);
    free(s.floors);
    free(s.contacts.direct.items);
    free(s.contacts.members.items);
    free(s.contacts.crowds.items);
}

void cut_close(struct cut *c)
{
    free(c->load);
    free(c->entities);
}
