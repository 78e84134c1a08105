/* SPDX-License-Identifier: Apache-2.0 */
#include "parallel/partition_metis.h"

#include <fcntl.h>
#include <metis.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "parallel/fans.h"
#include "parallel/scratch.h"

enum {
    WIDE = 4,               /* a fan to one of so many components, or more, is not told of */
    CONSTRAINTS = 2,        /* what is balanced: events and entities */
    CUTS = 4,               /* of which the best is taken */
    FEW_PARTS = 256,        /* up to so many METIS saves on neighbours; 4 times as slow at 1024 */
    DEAREST = 16,           /* times that the fastest wires count as much as the slowest */
    WEIGHT_SUM = 1 << 29,   /* of weights before each is raised by 1: METIS adds up 32 bits */
    ITEMS_MOST = WEIGHT_SUM /* hence these add up to 2^30 at the most */
};

/* What is to be cut. */
struct plan {
    const struct blueprint *b;
    const sim_time *floors;
    const struct flow *flow;
    const struct components *components;
    struct fans fans;
    sim_time slowest; /* [ns] floor of a wire */
};

/* Components and hubs, and what goes between them, as METIS wants it: the neighbours of component v
 * are to[first[v]] and so on up to first[v + 1]. */
struct graph {
    uint32_t n;
    size_t *first;
    uint32_t *to;
    double *traffic; /* [1/s], counted both ways */
};

typedef void edge_visit(struct graph *g, uint32_t from, uint32_t to, double traffic);

static void count_edge(struct graph *g, uint32_t from, uint32_t to, double traffic)
{
    (void)to;
    (void)traffic;
    g->first[from + 2]++;
}

static void add_edge(struct graph *g, uint32_t from, uint32_t to, double traffic)
{
    size_t place = g->first[from + 1]++;
    g->to[place] = to;
    g->traffic[place] = traffic;
}

/* An edge, each way. */
static void visit_both(struct graph *g, uint32_t a, uint32_t b, double traffic, edge_visit *visit)
{
    if (a != b) {
        visit(g, a, b, traffic);
        visit(g, b, a, traffic);
    }
}

/* What a wire's traffic counts. The shorter a wire the dearer: who must cut cuts long ones. */
static double price(const struct plan *p, wire_id id)
{
    double dear = (double)p->slowest / (double)p->floors[p->b->wires[id].spec];
    return p->flow->requests[id] * (dear < DEAREST ? dear : DEAREST);
}

/* Wires that fan out to the same range meet in a hub, a vertex of no weight, from which edges lead
 * to the range. What reaches a great part of all has nothing to say about where to cut. */
static void visit_fan(const struct plan *p, const struct fan *fan, uint32_t hub, struct graph *g,
                      edge_visit *visit)
{
    double all = 0.0;
    if (fan->more >= p->components->n / WIDE) {
        return;
    }
    for (uint32_t i = 0; i < fan->n_wires; i++) {
        double traffic = price(p, fan->wires[i]);
        visit_both(g, p->components->of[p->b->wires[fan->wires[i]].from], hub, traffic, visit);
        all += traffic;
    }
    for (uint32_t i = 0; i <= fan->more; i++) {
        visit_both(g, hub, p->components->of[fan->to + i], all / (1.0 + fan->more), visit);
    }
}

/* Visits every pair of vertices with traffic between them, each way. */
static void visit_edges(const struct plan *p, struct graph *g, edge_visit *visit)
{
    for (wire_id id = 0; id < p->b->n_wires; id++) {
        const struct wire_plan *w = &p->b->wires[id];
        if (w->more == 0 && p->floors[w->spec] > 0) {
            visit_both(g, p->components->of[w->from], p->components->of[w->to], price(p, id),
                       visit);
        }
    }
    for (uint32_t i = 0; i < p->fans.n; i++) {
        visit_fan(p, &p->fans.fans[i], p->components->n + i, g, visit);
    }
}

/* Makes one of several edges between the same two. These are added up in the order of the wires on
 * both sides, so that both get the same sum, as METIS must have it. */
static void merge_edges(struct graph *g)
{
    size_t *place = scratch_take(g->n, sizeof *place), end = 0; /* 1 + that of the edge to each */
    for (uint32_t v = 0; v < g->n; v++) {
        size_t begin = end;
        for (size_t i = g->first[v], last = g->first[v + 1]; i < last; i++) {
            uint32_t to = g->to[i];
            if (place[to] <= begin) {
                g->to[end] = to;
                g->traffic[end] = g->traffic[i];
                place[to] = ++end;
            } else {
                g->traffic[place[to] - 1] += g->traffic[i];
            }
        }
        g->first[v] = begin;
    }
    g->first[g->n] = end;
    free(place);
}

static struct graph graph_open(const struct plan *p)
{
    uint32_t n = p->components->n + p->fans.n;
    struct graph g = {.n = n, .first = scratch_take((size_t)n + 2, sizeof *g.first)};
    visit_edges(p, &g, count_edge);
    for (uint32_t v = 0; v < g.n; v++) {
        g.first[v + 2] += g.first[v + 1];
    }
    size_t edges = g.first[g.n + 1];
    g.to = scratch_take(edges, sizeof *g.to);
    g.traffic = scratch_take(edges, sizeof *g.traffic);
    visit_edges(p, &g, add_edge);
    merge_edges(&g);
    return g;
}

static void graph_close(struct graph *g)
{
    free(g->first);
    free(g->to);
    free(g->traffic);
}

/* As METIS wants them: whole numbers, in every `stride`-th place of `w`. */
static void weigh(const double *of, size_t n, idx_t *w, size_t stride)
{
    double sum = 0.0;
    for (size_t i = 0; i < n; i++) {
        sum += of[i];
    }
    for (size_t i = 0; i < n; i++) {
        w[i * stride] = 1 + (sum > 0.0 ? (idx_t)(of[i] / sum * WEIGHT_SUM) : 0);
    }
}

/* Two weights a component: its events, and its entities, which share the caches of a core. Hubs
 * have none. */
static idx_t *weigh_vertices(const struct plan *p, uint32_t n)
{
    const struct components *c = p->components;
    idx_t *w = scratch_take(n, CONSTRAINTS * sizeof *w);
    double *entities = scratch_take(c->n, sizeof *entities);
    for (entity_id id = 0; id < p->b->n_entities; id++) {
        entities[c->of[id]] += 1.0;
    }
    weigh(c->load, c->n, w, CONSTRAINTS);
    weigh(entities, c->n, w + 1, CONSTRAINTS);
    free(entities);
    return w;
}

/* What METIS does to the process is undone: while it runs it takes SIGTERM and SIGABRT for its own,
 * and leaves handlers that serve only once; and of graphs that are hard to cut it complains on the
 * standard output, which is ours. */
struct guest {
    sigset_t mask;
    struct sigaction on_term, on_abort;
    int output; /* a copy, or -1 */
};

static void guest_enter(struct guest *g)
{
    sigset_t term;
    sigemptyset(&term);
    sigaddset(&term, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &term, &g->mask);
    sigaction(SIGTERM, NULL, &g->on_term);
    sigaction(SIGABRT, NULL, &g->on_abort);
    fflush(stdout);
    g->output = dup(STDOUT_FILENO);
    int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (g->output >= 0 && nowhere >= 0) {
        dup2(nowhere, STDOUT_FILENO);
    }
    if (nowhere >= 0) {
        close(nowhere);
    }
}

static void guest_leave(const struct guest *g)
{
    fflush(stdout);
    if (g->output >= 0) {
        dup2(g->output, STDOUT_FILENO);
        close(g->output);
    }
    sigaction(SIGTERM, &g->on_term, NULL);
    sigaction(SIGABRT, &g->on_abort, NULL);
    pthread_sigmask(SIG_SETMASK, &g->mask, NULL);
}

/* With these options; the other objective, volume, has left twice as much traffic remote. Cutting
 * in two again and again finds better cuts than dealing out at once, and takes longer. */
static int call_metis(idx_t n, idx_t *first, idx_t *to, idx_t *load, idx_t *traffic,
                      enum metis_way way, idx_t parts, idx_t *part_of)
{
    idx_t constraints = CONSTRAINTS, cut, options[METIS_NOPTIONS];
    real_t balance[CONSTRAINTS] = {1.02F, 1.2F};
    METIS_SetDefaultOptions(options);
    options[METIS_OPTION_SEED] = 1;
    options[METIS_OPTION_NUMBERING] = 0;
    options[METIS_OPTION_NCUTS] = CUTS;
    struct guest guest;
    guest_enter(&guest);
    int status;
    if (way == METIS_IN_TWO) {
        status = METIS_PartGraphRecursive(&n, &constraints, first, to, load, NULL, traffic, &parts,
                                          NULL, balance, options, &cut, part_of);
    } else {
        options[METIS_OPTION_OBJTYPE] = METIS_OBJTYPE_CUT;
        options[METIS_OPTION_MINCONN] = parts <= FEW_PARTS; /* few neighbours */
        status = METIS_PartGraphKway(&n, &constraints, first, to, load, NULL, traffic, &parts, NULL,
                                     balance, options, &cut, part_of);
    }
    guest_leave(&guest);
    return status;
}

/* Numbers parts in the order of their first components; false when one of them is empty. */
static bool renumber(const idx_t *raw, uint32_t n, uint32_t parts, uint32_t *part_of)
{
    uint32_t *number = scratch_take(parts, sizeof *number), used = 0; /* 1 + the new one */
    for (uint32_t v = 0; v < n; v++) {
        uint32_t *p = &number[raw[v]];
        *p = *p ? *p : ++used;
    }
    for (uint32_t v = 0; v < n && used == parts; v++) {
        part_of[v] = number[raw[v]] - 1;
    }
    free(number);
    return used == parts;
}

/* METIS's answer for every vertex, or NULL. */
static idx_t *cut_graph(const struct plan *p, const struct graph *g, enum metis_way way,
                        uint32_t parts)
{
    size_t edges = g->first[g->n];
    if (edges == 0 || edges > ITEMS_MOST) {
        return NULL;
    }
    idx_t *first = scratch_take((size_t)g->n + 1, sizeof *first);
    idx_t *to = scratch_take(edges, sizeof *to), *raw = scratch_take(g->n, sizeof *raw);
    for (uint32_t v = 0; v <= g->n; v++) {
        first[v] = (idx_t)g->first[v];
    }
    for (size_t i = 0; i < edges; i++) {
        to[i] = (idx_t)g->to[i];
    }
    idx_t *load = weigh_vertices(p, g->n), *traffic = scratch_take(edges, sizeof *traffic);
    weigh(g->traffic, edges, traffic, 1);
    if (call_metis((idx_t)g->n, first, to, load, traffic, way, (idx_t)parts, raw) != METIS_OK) {
        free(raw);
        raw = NULL;
    }
    free(first);
    free(to);
    free(load);
    free(traffic);
    return raw;
}

static sim_time slowest_wire(const struct blueprint *b, const sim_time *floors)
{
    sim_time slowest = 0;
    for (wire_id id = 0; id < b->n_wires; id++) {
        sim_time floor = floors[b->wires[id].spec];
        slowest = floor > slowest && floor < SIM_TIME_NEVER ? floor : slowest;
    }
    return slowest;
}

bool metis_deal(const struct blueprint *b, const sim_time *floors, const struct flow *f,
                const struct components *c, enum metis_way way, uint32_t parts, uint32_t *part_of)
{
    if (parts < 2 || c->n <= parts || c->n > ITEMS_MOST) {
        return false;
    }
    struct plan p = {
        .b = b, .floors = floors, .flow = f, .components = c, .slowest = slowest_wire(b, floors)};
    fans_open(&p.fans, b);
    struct graph g = graph_open(&p);
    idx_t *raw = cut_graph(&p, &g, way, parts);
    bool done = raw && renumber(raw, c->n, parts, part_of);
    free(raw);
    graph_close(&g);
    fans_close(&p.fans);
    return done;
}
