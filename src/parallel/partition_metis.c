/* SPDX-License-Identifier: Apache-2.0 */
#include "parallel/partition_metis.h"

#include <fcntl.h>
#include <metis.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "parallel/scratch.h"

enum {
    ENDS_MOST = 16,         /* far ends of a wire that METIS is told of */
    FEW_PARTS = 256,        /* up to so many METIS saves on neighbours; 4 times as slow at 1024 */
    DEAREST = 16,           /* times that the fastest wires count as much as the slowest */
    WEIGHT_SUM = 1 << 29,   /* of weights before each is raised by 1: METIS adds up 32 bits */
    ITEMS_MOST = WEIGHT_SUM /* hence these add up to 2^30 at the most */
};

/* Components and what goes between them, as METIS wants it: the neighbours of component v are
 * to[first[v]] and so on up to first[v + 1]. */
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

/* Visits every pair of components that a wire joins, each way. A wire to many far ends has little
 * to say about where to cut, and is left out. The shorter a wire the dearer: who must cut cuts long
 * ones. */
static void visit_edges(const struct blueprint *b, const sim_time *floors, const struct flow *f,
                        const struct components *c, struct graph *g, edge_visit *visit)
{
    sim_time slowest = 0;
    for (wire_id id = 0; id < b->n_wires; id++) {
        sim_time floor = floors[b->wires[id].spec];
        slowest = floor > slowest && floor < SIM_TIME_NEVER ? floor : slowest;
    }
    for (wire_id id = 0; id < b->n_wires; id++) {
        const struct wire_plan *w = &b->wires[id];
        sim_time floor = floors[w->spec];
        if (w->more >= ENDS_MOST || floor == 0) {
            continue;
        }
        double dear = (double)slowest / (double)floor;
        double traffic = f->requests[id] / (1.0 + w->more) * (dear < DEAREST ? dear : DEAREST);
        uint32_t from = c->of[w->from];
        for (uint32_t i = 0; i <= w->more; i++) {
            uint32_t to = c->of[w->to + i];
            if (from != to) {
                visit(g, from, to, traffic);
                visit(g, to, from, traffic);
            }
        }
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
static struct graph graph_open(const struct blueprint *b, const sim_time *floors,
                               const struct flow *f, const struct components *c)
{
    struct graph g = {.n = c->n, .first = scratch_take((size_t)c->n + 2, sizeof *g.first)};
    visit_edges(b, floors, f, c, &g, count_edge);
    for (uint32_t v = 0; v < g.n; v++) {
        g.first[v + 2] += g.first[v + 1];
    }
    size_t edges = g.first[g.n + 1];
    g.to = scratch_take(edges, sizeof *g.to);
    g.traffic = scratch_take(edges, sizeof *g.traffic);
    visit_edges(b, floors, f, c, &g, add_edge);
    merge_edges(&g);
    return g;
}

static void graph_close(struct graph *g)
{
    free(g->first);
    free(g->to);
    free(g->traffic);
}

static idx_t *weights(const double *of, size_t n)
{
    idx_t *w = scratch_take(n, sizeof *w);
    double sum = 0.0;
    for (size_t i = 0; i < n; i++) {
        sum += of[i];
    }
    for (size_t i = 0; i < n; i++) {
        w[i] = 1 + (sum > 0.0 ? (idx_t)(of[i] / sum * WEIGHT_SUM) : 0);
    }
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

/* With these options; the other objective, volume, has left twice as much traffic remote. */
static int call_metis(idx_t n, idx_t *first, idx_t *to, idx_t *load, idx_t *traffic, idx_t parts,
                      idx_t *part_of)
{
    idx_t constraints = 1, cut, options[METIS_NOPTIONS];
    METIS_SetDefaultOptions(options);
    options[METIS_OPTION_OBJTYPE] = METIS_OBJTYPE_CUT;
    options[METIS_OPTION_SEED] = 1;
    options[METIS_OPTION_UFACTOR] = 20;                 /* balance 1.02 */
    options[METIS_OPTION_MINCONN] = parts <= FEW_PARTS; /* few neighbours */
    options[METIS_OPTION_NUMBERING] = 0;
    struct guest guest;
    guest_enter(&guest);
    int status = METIS_PartGraphKway(&n, &constraints, first, to, load, NULL, traffic, &parts, NULL,
                                     NULL, options, &cut, part_of);
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

bool metis_deal(const struct blueprint *b, const sim_time *floors, const struct flow *f,
                const struct components *c, uint32_t parts, uint32_t *part_of)
{
    if (parts < 2 || c->n <= parts || c->n > ITEMS_MOST) {
        return false;
    }
    struct graph g = graph_open(b, floors, f, c);
    size_t edges = g.first[g.n];
    bool done = edges > 0 && edges <= ITEMS_MOST;
    if (done) {
        idx_t *first = scratch_take((size_t)g.n + 1, sizeof *first);
        idx_t *to = scratch_take(edges, sizeof *to), *raw = scratch_take(g.n, sizeof *raw);
        for (uint32_t v = 0; v <= g.n; v++) {
            first[v] = (idx_t)g.first[v];
        }
        for (size_t i = 0; i < edges; i++) {
            to[i] = (idx_t)g.to[i];
        }
        idx_t *load = weights(c->load, c->n), *traffic = weights(g.traffic, edges);
        done = call_metis((idx_t)g.n, first, to, load, traffic, (idx_t)parts, raw) == METIS_OK &&
               renumber(raw, g.n, parts, part_of);
        free(first);
        free(to);
        free(raw);
        free(load);
        free(traffic);
    }
    graph_close(&g);
    return done;
}
