/* SPDX-License-Identifier: Apache-2.0
 *
 * squall plan: what dividing a model among ranks would bring, without running it.
 */
#include "cli/plan.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/units.h"
#include "cli/verb.h"
#include "engine/sim.h"
#include "parallel/components.h"
#include "parallel/fans.h"

enum { KEY_RANKS = 'n', RANKS_MOST = 1000000 };

struct plan_options {
    struct overrides overrides;
    struct team_request team;
    const char *path;
    int64_t ranks;
};

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
    struct plan_options *o = state->input;
    switch (key) {
    case VERB_SET_KEY:
        overrides_add(&o->overrides, arg);
        return 0;
    case KEY_RANKS: {
        struct arena memory = {0};
        const char *wrong = units_read_count(arg, &memory, &o->ranks);
        if (wrong || o->ranks < 1 || o->ranks > RANKS_MOST) {
            argp_error(state, "--ranks takes a whole number from 1 to %d, not '%s'", RANKS_MOST,
                       arg);
        }
        arena_close(&memory);
        return 0;
    }
    default:
        if (verb_team_option(key, arg, state, &o->team) == 0) {
            return 0;
        }
        return verb_argument(key, arg, state, "the configuration", &o->path);
    }
}

static const struct argp_option rows[] = {
    VERB_SET_OPTION,
    {.name = "ranks",
     .key = KEY_RANKS,
     .arg = "N",
     .doc = "How many there are (default: a few numbers of them, up to where more do not help)"},
    {.name = "ranks-per-replication",
     .key = VERB_RANKS_KEY,
     .arg = "N",
     .doc = "Look at a division among N ranks only"},
    VERB_PARTITION_OPTIONS,
    {.name = NULL}};
static const struct argp argp = {
    .options = rows,
    .parser = parse_option,
    .args_doc = "CONFIG",
    .doc = "Tells whether one replication of a study would run faster if its model were divided "
           "among ranks, how much, what limits it, and what would help. Nothing is run but, with "
           "--profile, the first events."};

/* --- the work ----------------------------------------------------------------------------- */

static void profile(struct plan *p)
{
    struct sim_options options = study_options(p->study);
    double cost =
        flow_profile(&p->study->blueprint, &options, (uint64_t)p->study->settings.seed, &p->flow);
    if (cost > 0.0) {
        p->machine.event = cost;
        p->profiled = true;
    }
}

static void find_pieces(struct plan *p)
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

static void divide(const struct plan *p, const struct team_request *team, struct plan_row *row)
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
    if (row->ranks <= PLAN_MATRIX_MOST) {
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

static void add_row(struct plan *p, const struct team_request *team, uint32_t ranks)
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
static void add_rows(struct plan *p, const struct team_request *team, uint32_t most, bool all)
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

static void find_rows(struct plan *p, const struct team_request *team)
{
    int64_t most = p->ranks > 0 ? p->ranks : RANKS_MOST;
    most = most < p->pieces.n ? most : p->pieces.n;
    if (team->ranks == 0) {
        add_rows(p, team, (uint32_t)most, p->ranks > 0);
    } else if (team->ranks > 1 && p->pieces.n > 1) {
        add_row(p, team, (uint32_t)(team->ranks < most ? team->ranks : most));
    }
}

/* --- all of it ---------------------------------------------------------------------------- */

double plan_alone_s(const struct plan *p)
{
    return (double)p->study->settings.duration / SIM_TIME_S * p->flow.total * p->machine.event /
           SIM_TIME_S;
}

double plan_study_s(const struct plan *p, uint32_t team, double speedup)
{
    double teams = floor((double)p->ranks / team);
    double turns = ceil((double)p->study->settings.replications.max / teams);
    return turns * plan_alone_s(p) / speedup;
}

const struct plan_row *plan_fastest(const struct plan *p)
{
    const struct plan_row *best = NULL;
    for (const struct plan_row *r = p->rows; r < p->rows + p->n_rows; r++) {
        best = !best || r->expected.speedup > best->expected.speedup ? r : best;
    }
    return best;
}

static void plan_close(struct plan *p)
{
    for (int i = 0; i < p->n_rows; i++) {
        free(p->rows[i].part_of);
    }
    free(p->pieces.of);
    flow_close(&p->flow);
}

static enum exit_status run_plan(int argc, char **argv, const struct entity_type *const *registry)
{
    struct plan_options o = {.path = NULL};
    verb_parse(&argp, argc, argv, &o);
    if (o.ranks > 0 && o.team.ranks > o.ranks) {
        fprintf(stderr,
                "squall: --ranks-per-replication %lld of --ranks %lld: there are not so many\n",
                (long long)o.team.ranks, (long long)o.ranks);
        overrides_close(&o.overrides);
        return EXIT_WRONG_INPUT;
    }
    struct study *study = verb_study(o.path, &o.overrides, registry, true);
    overrides_close(&o.overrides);
    if (!study) {
        return EXIT_WRONG_INPUT;
    }
    struct plan p = {.path = o.path, .study = study, .ranks = o.ranks, .machine = machine_default};
    if (o.team.profile) {
        profile(&p);
    } else {
        flow_expect(&study->blueprint, &p.flow);
    }
    find_pieces(&p);
    find_rows(&p, &o.team);
    plan_print(&p);
    plan_advise(&p);
    plan_close(&p);
    study_close(study);
    return EXIT_DONE;
}

const struct verb verb_plan = {"plan", "CONFIG", "what dividing a model among ranks would bring",
                               run_plan};
