/* SPDX-License-Identifier: Apache-2.0 */
#include "experiment/team.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/check.h"
#include "base/units.h"
#include "experiment/pieces.h"
#include "parallel/efficiency.h"

enum { TAG_PIECE = 1, TAG_TEXT };

/* --- how many, and who has what ----------------------------------------------------------- */

/* A model divided in `parts`, and what that costs. */
struct division {
    struct partition partition;
    struct cut cut;
};

static void division_open(struct division *d, const struct team_request *q,
                          const struct blueprint *b, const struct flow *f, uint32_t parts)
{
    struct partition_request request = {.method = q->method, .parts = parts, .seed = q->seed};
    partition_make(b, f, &request, &d->partition);
    cut_measure(b, f, d->partition.part_of, parts, &d->cut);
}

static void division_close(struct division *d)
{
    cut_close(&d->cut);
    partition_close(&d->partition);
}

/* Where there are more ranks than replications: the size of the team that is expected to be
 * fastest. */
static int find_fastest(const struct team_request *q, const struct blueprint *b,
                        const struct flow *f, int most)
{
    double fastest = EFFICIENCY_WORTH;
    int best = 1;
    for (int size = most; size > 1; size /= 2) {
        struct division d;
        division_open(&d, q, b, f, (uint32_t)size);
        struct work w = work_of(b, f, &d.cut);
        double speedup = efficiency_of(&machine_default, &w, (uint32_t)size).speedup;
        if (speedup > fastest) {
            fastest = speedup;
            best = size;
        }
        division_close(&d);
    }
    return best;
}

static void expect(struct flow *f, const struct team_request *q, const struct blueprint *b,
                   const struct sim_options *options)
{
    if (q->profile) {
        flow_profile(b, options, 0, f);
    } else {
        flow_expect(b, f);
    }
}

/* Rank 0: how many ranks share a replication. */
static int choose_size(const struct team_request *q, uint64_t n_tasks, int ranks,
                       const struct blueprint *b, const struct sim_options *options)
{
    bool enough = n_tasks == 0 || n_tasks >= (uint64_t)ranks;
    if (q->ranks > 0 || enough) {
        return q->ranks > 0 ? (int)q->ranks : 1;
    }
    struct flow f;
    expect(&f, q, b, options);
    int size = find_fastest(q, b, &f, ranks / (int)n_tasks);
    flow_close(&f);
    return size;
}

bool team_check(const struct team_request *q, int ranks, struct results_error *e)
{
    if (q->ranks > ranks) {
        return results_fail(e,
                            "--ranks-per-replication %" PRId64
                            ", but there %s only %d rank%s: start more "
                            "with mpirun -n or srun -n",
                            q->ranks, ranks == 1 ? "is" : "are", ranks, ranks == 1 ? "" : "s");
    }
    if (q->exchange == WINDOWS_ALL_DIRECT && q->ranks > WINDOWS_DIRECT) {
        return results_fail(e, "--exchange direct is for up to %d ranks", WINDOWS_DIRECT);
    }
    return true;
}

void team_open(struct team *t, const struct team_request *q, uint64_t n_tasks,
               const struct blueprint *b, const struct sim_options *options)
{
    int rank, ranks;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &ranks);
    *t = (struct team){.request = q, .lookahead = SIM_TIME_NEVER};
    MPI_Bcast(&n_tasks, 1, MPI_UINT64_T, 0, MPI_COMM_WORLD);
    t->size = rank == 0 ? choose_size(q, n_tasks, ranks, b, options) : 0;
    MPI_Bcast(&t->size, 1, MPI_INT, 0, MPI_COMM_WORLD);
    uint64_t most = n_tasks > 0 ? n_tasks : 1;
    t->teams = (uint64_t)(ranks / t->size) < most ? ranks / t->size : (int)most;
    t->idle = ranks - t->teams * t->size;
    t->rank = rank % t->size;
    bool has_place = rank < t->teams * t->size, leads = has_place && t->rank == 0;
    MPI_Comm_split(MPI_COMM_WORLD, has_place ? rank / t->size : MPI_UNDEFINED, rank, &t->comm);
    MPI_Comm_split(MPI_COMM_WORLD, leads ? 0 : MPI_UNDEFINED, rank, &t->leaders);
}

/* --- models ------------------------------------------------------------------------------- */

static void note_cut(struct team *t, const struct blueprint *b, const struct cut *c)
{
    t->lookahead = c->lookahead;
    t->hopeless = false;
    for (int part = 0; part < t->size; part++) {
        t->hopeless |= c->entities[part] == 0;
    }
    if (c->limit != WIRE_NONE) {
        blueprint_wire_name(b, c->limit, t->limit, sizeof t->limit);
    }
}

static void divide(struct team *t, const struct blueprint *b, const struct sim_options *options)
{
    struct flow f;
    struct division d;
    expect(&f, t->request, b, options);
    division_open(&d, t->request, b, &f, (uint32_t)t->size);
    memcpy(t->part_of, d.partition.part_of, b->n_entities * sizeof *t->part_of);
    note_cut(t, b, &d.cut);
    division_close(&d);
    flow_close(&f);
}

void team_drop_model(struct team *t)
{
    if (t->windows) {
        windows_add(&t->before, windows_stats(t->windows));
        windows_close(t->windows);
        free(t->part_of);
    }
    t->windows = NULL;
    t->part_of = NULL;
}

void team_model(struct team *t, const struct blueprint *b, const struct sim_options *options)
{
    CHECK(!t->windows, "the model before is still there");
    if (t->size > 1) {
        size_t size = b->n_entities * sizeof *t->part_of;
        t->part_of = malloc(size);
        CHECK(t->part_of, "out of memory");
        if (t->rank == 0) {
            divide(t, b, options);
        }
        pieces_share(t->part_of, size, t->comm);
    }
    t->windows = windows_open(t->comm, b, t->part_of, options, t->request->exchange);
}

void team_close(struct team *t)
{
    team_drop_model(t);
    if (t->comm != MPI_COMM_NULL) {
        MPI_Comm_free(&t->comm);
    }
    if (t->leaders != MPI_COMM_NULL) {
        MPI_Comm_free(&t->leaders);
    }
}

/* --- working together --------------------------------------------------------------------- */

void team_meet(void)
{
    MPI_Request request;
    int there = 0;
    MPI_Ibarrier(MPI_COMM_WORLD, &request);
    for (MPI_Test(&request, &there, MPI_STATUS_IGNORE); !there;
         MPI_Test(&request, &there, MPI_STATUS_IGNORE)) {
        nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
    }
}

void team_words(const struct team *t, uint64_t *words, int n)
{
    if (t->size > 1) {
        MPI_Bcast(words, n, MPI_UINT64_T, 0, t->comm);
    }
}

uint64_t team_sum(const struct team *t, uint64_t value)
{
    uint64_t sum = value;
    if (t->size > 1) {
        MPI_Reduce(&value, &sum, 1, MPI_UINT64_T, MPI_SUM, 0, t->comm);
    }
    return sum;
}

uint64_t team_most(const struct team *t, uint64_t value, int *who)
{
    *who = 0;
    if (t->size == 1) {
        return value;
    }
    uint64_t most;
    MPI_Allreduce(&value, &most, 1, MPI_UINT64_T, MPI_MAX, t->comm);
    int rank = value == most ? t->rank : t->size;
    MPI_Allreduce(&rank, who, 1, MPI_INT, MPI_MIN, t->comm);
    return most;
}

const char *team_text(const struct team *t, int from, const char *text, struct arena *arena)
{
    if (from == 0) {
        return t->rank == 0 ? text : NULL;
    }
    uint64_t length = text ? strlen(text) : 0;
    if (t->rank == from) {
        MPI_Send(&length, 1, MPI_UINT64_T, 0, TAG_TEXT, t->comm);
        pieces_send(text, length, 0, TAG_TEXT, t->comm);
    }
    if (t->rank != 0) {
        return NULL;
    }
    MPI_Recv(&length, 1, MPI_UINT64_T, from, TAG_TEXT, t->comm, MPI_STATUS_IGNORE);
    char *copy = arena_take(arena, length + 1);
    pieces_receive(copy, length, from, TAG_TEXT, t->comm);
    return copy;
}

void team_gather(const struct team *t, const struct buffer *mine, struct buffer *pieces)
{
    if (t->rank != 0) {
        uint64_t size = mine->size;
        MPI_Send(&size, 1, MPI_UINT64_T, 0, TAG_PIECE, t->comm);
        pieces_send(mine->data, size, 0, TAG_PIECE, t->comm);
        return;
    }
    pieces[0].size = 0;
    buffer_bytes(&pieces[0], mine->data, mine->size);
    for (int r = 1; r < t->size; r++) {
        uint64_t size;
        MPI_Recv(&size, 1, MPI_UINT64_T, r, TAG_PIECE, t->comm, MPI_STATUS_IGNORE);
        pieces[r].size = 0;
        buffer_reserve(&pieces[r], size);
        pieces_receive(pieces[r].data, size, r, TAG_PIECE, t->comm);
        pieces[r].size = size;
    }
}

/* --- telling ------------------------------------------------------------------------------ */

const char *team_warning(const struct team *t, struct arena *arena)
{
    if (t->hopeless) {
        return arena_format(arena,
                            "the model cannot be divided among %d ranks: entities joined without "
                            "delay stay together, and some ranks have none; see squall plan",
                            t->size);
    }
    if (t->idle == 0) {
        return NULL;
    }
    return arena_format(arena,
                        "%d of %d ranks have nothing to do: %d replication%s at a time, %d rank%s "
                        "each; squall plan tells whether more would pay",
                        t->idle, t->idle + t->teams * t->size, t->teams, t->teams == 1 ? "" : "s",
                        t->size, t->size == 1 ? "" : "s");
}

enum { WINDOWS, EVENTS, SENT, MESSAGES, EMPTY, BYTES, RUN, BLOCKED, WALL, FIGURES };

static void own_figures(const struct team *t, uint64_t figures[FIGURES])
{
    struct windows_stats s = t->before;
    if (t->windows) {
        windows_add(&s, windows_stats(t->windows));
    }
    memcpy(figures,
           (uint64_t[FIGURES]){s.windows, s.events, s.sent_events, s.messages, s.empty_messages,
                               s.bytes, s.run_ns, s.blocked_ns, s.wall_ns},
           FIGURES * sizeof *figures);
}

/* What keeps the ranks of a team together, in words. */
static const char *tie_of(const struct team *t, struct arena *arena)
{
    if (t->lookahead == SIM_TIME_NEVER) {
        return "no wire leads from rank to rank";
    }
    return arena_format(arena, "lookahead %s by %s", units_write_duration(t->lookahead).text,
                        t->limit);
}

static double share_of(uint64_t part, uint64_t whole)
{
    return whole > 0 ? (double)part / (double)whole : 0.0;
}

const char *team_report(const struct team *t, struct arena *arena)
{
    uint64_t mine[FIGURES], sum[FIGURES], most[FIGURES];
    own_figures(t, mine);
    MPI_Reduce(mine, sum, FIGURES, MPI_UINT64_T, MPI_SUM, 0, MPI_COMM_WORLD);
    MPI_Reduce(mine, most, FIGURES, MPI_UINT64_T, MPI_MAX, 0, MPI_COMM_WORLD);
    int rank;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    if (rank != 0 || t->size == 1) {
        return NULL;
    }
    int working = t->teams * t->size;
    double run = share_of(sum[RUN], sum[WALL]), blocked = share_of(sum[BLOCKED], sum[WALL]);
    return arena_format(
        arena,
        "%d team%s of %d ranks; %s\n"
        "%" PRIu64 " windows a rank, %.4g events in each; %.3g %% of events went to another rank\n"
        "%" PRIu64 " messages of %.4g B, %.3g %% of them without events\n"
        "time: %.1f %% running, %.1f %% waiting, %.1f %% exchanging; the busiest rank ran %.1f %% "
        "more than the mean\n",
        t->teams, t->teams == 1 ? "" : "s", t->size, tie_of(t, arena),
        sum[WINDOWS] / (uint64_t)working, share_of(sum[EVENTS], sum[WINDOWS]),
        100.0 * share_of(sum[SENT], sum[EVENTS]), sum[MESSAGES],
        share_of(sum[BYTES], sum[MESSAGES]), 100.0 * share_of(sum[EMPTY], sum[MESSAGES]),
        100.0 * run, 100.0 * blocked, 100.0 * (1.0 - run - blocked),
        100.0 * (share_of(most[RUN] * (uint64_t)working, sum[RUN]) - 1.0));
}
