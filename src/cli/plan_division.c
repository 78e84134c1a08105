/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/plan_division.h"

#include <math.h>
#include <stdlib.h>

#include "base/check.h"
#include "engine/sim.h"
#include "parallel/components.h"
#include "parallel/fans.h"

/* --- the work ----------------------------------------------------------------------------- */

static void profile(struct plan_division *p)
{
    struct sim_options options = study_options(p->study);
    double cost =
        flow_profile(&p->study->blueprint, &options, (uint64_t)p->study->settings.seed, &p->flow);
    if (cost > 0.0) {
        p->machine.event = cost;
        p->source = PLAN_PROFILED;
    }
}

/* Retries are more events than the flow has; here each of its events is taken to cost more. */
static void calibrate(struct plan_division *p)
{
    double expected = p->flow.total * (double)p->study->settings.duration / SIM_TIME_S;
    if (p->question->ns > 0.0 && expected > 0.0) {
        p->machine.event = p->question->ns / expected;
        p->source = PLAN_CALIBRATED;
    }
}

static void find_pieces(struct plan_division *p)
{
    const struct blueprint *b = &p->study->blueprint;
    struct components c;
    sim_time *floors = spec_floors(b);
    components_open(b, floors, &p->flow, 0, &c);
    free(floors);
    uint32_t *entities = calloc(c.n, sizeof *entities), largest = 0;
    CHECK(entities, "out of memory");
    for (entity_id id = 0; id < b->n_entities; id++) {
        entities[c.of[id]]++;
    }
    for (uint32_t i = 1; i < c.n; i++) {
        bool more = c.load[i] > c.load[largest] ||
                    (c.load[i] == c.load[largest] && entities[i] > entities[largest]);
        largest = more ? i : largest;
    }
    p->pieces =
        (struct plan_pieces){.n = c.n,
                             .joints = c.contracted,
                             .of = c.of,
                             .largest = largest,
                             .entities = entities[largest],
                             .share = p->flow.total > 0.0 ? c.load[largest] / p->flow.total : 0.0};
    free(entities);
    free(c.load);
}

/* --- divisions ---------------------------------------------------------------------------- */

static void divide(const struct plan_division *p, const struct team_request *team,
                   struct plan_row *row)
{
    const struct blueprint *b = &p->study->blueprint;
    struct partition_request q = {.method = team->method, .parts = row->ranks, .seed = team->seed};
    struct partition partition;
    struct cut c;
    partition_make(b, &p->flow, &q, &partition);
    cut_measure(b, &p->flow, partition.part_of, row->ranks, &c);
    row->parts = row->ranks;
    row->cut_wires = c.cut_wires;
    row->lookahead = c.lookahead;
    row->limit = c.limit;
    row->components = partition.components;
    row->contract = partition.contract;
    for (uint32_t i = 0; i < row->parts; i++) {
        row->entities = c.entities[i] > row->entities ? c.entities[i] : row->entities;
    }
    row->work = work_of(b, &p->flow, &c);
    cut_close(&c);
    if (row->ranks <= PLAN_MATRIX_MOST || p->question->json) {
        row->part_of = partition.part_of;
    } else {
        partition_close(&partition);
    }
}

static void estimate(const struct plan_row *from, struct plan_row *row)
{
    *row = (struct plan_row){.ranks = row->ranks,
                             .estimated = true,
                             .parts = from->parts,
                             .lookahead = from->lookahead,
                             .limit = from->limit,
                             .components = from->components,
                             .contract = from->contract};
    row->work = work_scaled(&from->work, from->parts, row->ranks, from->components);
    row->entities = (uint32_t)fmax(1.0, (double)from->entities * from->parts / row->ranks);
}

static void add_row(struct plan_division *p, const struct team_request *team, uint32_t ranks)
{
    struct plan_row *row = &p->rows[p->n_rows];
    *row = (struct plan_row){.ranks = ranks};
    if (ranks <= PLAN_PARTS_MOST) {
        divide(p, team, row);
        p->n_rows++;
    } else {
        const struct plan_row *last = p->n_rows > 0 ? row - 1 : NULL;
        if (!last || (last->parts < PLAN_PARTS_MOST && !last->estimated)) {
            add_row(p, team, PLAN_PARTS_MOST);
            last = &p->rows[p->n_rows - 1];
        }
        while (last->estimated) {
            last--;
        }
        row = &p->rows[p->n_rows++];
        *row = (struct plan_row){.ranks = ranks};
        estimate(last, row);
    }
    row->busiest = row->work.balance / ranks;
    row->expected = efficiency_of(&p->machine, &row->work, ranks);
}

/* Numbers of ranks up to `most`, which is the last, with some left out where more ranks are much
 * slower; or, unless `all` are there to be used, up to where more ranks are slower. */
static void add_rows(struct plan_division *p, const struct team_request *team, uint32_t most,
                     bool all)
{
    const uint32_t few = 32;
    const double hopeless = 0.5;
    double fastest = 1.0;
    for (uint32_t ranks = 2; ranks < most; ranks *= ranks < few ? 2 : 4) {
        add_row(p, team, ranks);
        double speedup = p->rows[p->n_rows - 1].expected.speedup;
        if (!all && speedup < fastest) {
            return;
        }
        if (speedup < hopeless * fastest) {
            break;
        }
        fastest = speedup > fastest ? speedup : fastest;
    }
    if (most > 1) {
        add_row(p, team, most);
    }
}

static void find_rows(struct plan_division *p, const struct team_request *team)
{
    int64_t most = p->ranks > 0 ? p->ranks : PLAN_RANKS_MOST;
    most = most < p->pieces.n ? most : p->pieces.n;
    if (team->ranks == 0) {
        add_rows(p, team, (uint32_t)most, p->ranks > 0);
    } else if (team->ranks > 1 && p->pieces.n > 1) {
        add_row(p, team, (uint32_t)(team->ranks < most ? team->ranks : most));
    }
}

/* --- all of it ---------------------------------------------------------------------------- */

double plan_alone_s(const struct plan_division *p)
{
    return (double)p->study->settings.duration / SIM_TIME_S * p->flow.total * p->machine.event /
           SIM_TIME_S;
}

double plan_study_s(const struct plan_division *p, uint32_t team, double speedup)
{
    double teams = floor((double)p->ranks / team);
    double turns = ceil((double)p->question->tasks / teams);
    return turns * p->question->mean * plan_alone_s(p) / speedup;
}

const struct plan_row *plan_fastest(const struct plan_division *p)
{
    const struct plan_row *best = NULL;
    for (const struct plan_row *r = p->rows; r < p->rows + p->n_rows; r++) {
        best = !best || r->expected.speedup > best->expected.speedup ? r : best;
    }
    return best;
}

static void plan_close(struct plan_division *p)
{
    for (int i = 0; i < p->n_rows; i++) {
        free(p->rows[i].part_of);
    }
    free(p->pieces.of);
    flow_close(&p->flow);
}

void plan_divide(const struct plan_question *q)
{
    struct plan_division p = {
        .question = q, .study = q->study, .ranks = q->ranks, .machine = machine_default};
    if (q->team->profile) {
        profile(&p);
    } else {
        flow_expect(&q->study->blueprint, &p.flow);
        calibrate(&p);
    }
    find_pieces(&p);
    find_rows(&p, q->team);
    if (q->json) {
        plan_division_json(&p);
    } else {
        plan_division_print(&p);
        plan_division_advise(&p);
    }
    plan_close(&p);
}
