/* SPDX-License-Identifier: Apache-2.0 */
#include "experiment/team.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/check.h"
#include "base/units.h"
#include "parallel/efficiency.h"
#include "parallel/lookahead.h"

enum { PIECE_MOST = 1 << 30 /* [B] of one message */, TAG_PIECE = 1 };

/* --- how many, and who has what ----------------------------------------------------------- */

/* What the whole model has to do, measured or expected. */
static void find_flow(const struct team_request *q, const struct blueprint *b,
                      const struct sim_options *options, struct flow *f)
{
    if (q->profile) {
        flow_profile(b, options, 0, f);
    } else {
        flow_expect(b, f);
    }
}

static void divide(const struct team_request *q, const struct blueprint *b, const struct flow *f,
                   uint32_t parts, struct partition *p, struct cut *c)
{
    struct partition_request request = {.method = q->method, .parts = parts, .seed = q->seed};
    partition_make(b, f, &request, p);
    cut_measure(b, f, p->part_of, parts, c);
}

/* How many times as fast a team of `ranks` is expected to be. */
static double expected_speedup(const struct team_request *q, const struct blueprint *b,
                               const struct flow *f, uint32_t ranks)
{
    struct partition p;
    struct cut c;
    divide(q, b, f, ranks, &p, &c);
    struct work w = work_of(b, f, &c);
    double speedup = efficiency_of(&machine_default, &w, ranks).speedup;
    cut_close(&c);
    partition_close(&p);
    return speedup;
}

/* Where there are more ranks than replications: the team that is expected to be fastest. */
static int best_size(const struct team_request *q, const struct blueprint *b, int most)
{
    struct flow f;
    flow_expect(b, &f);
    int best = 1;
    double fastest = EFFICIENCY_WORTH;
    for (int size = most; size > 1; size /= 2) {
        double speedup = expected_speedup(q, b, &f, (uint32_t)size);
        if (speedup > fastest) {
            fastest = speedup;
            best = size;
        }
    }
    flow_close(&f);
    return best;
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

int team_choose(const struct team_request *q, const struct blueprint *b, uint64_t n_tasks,
                int ranks)
{
    if (q->ranks > 0) {
        return (int)q->ranks;
    }
    bool enough = n_tasks == 0 || n_tasks >= (uint64_t)ranks;
    return enough ? 1 : best_size(q, b, ranks / (int)n_tasks);
}

static void note_cut(struct team *t, const struct blueprint *b, const struct cut *c)
{
    t->lookahead = c->lookahead;
    for (int part = 0; part < t->size; part++) {
        t->hopeless |= c->entities[part] == 0;
    }
    t->remote = c->remote;
    if (c->limit != WIRE_NONE) {
        blueprint_wire_name(b, c->limit, t->limit, sizeof t->limit);
    }
}

static void share_partition(struct team *t, const struct team_request *q, const struct blueprint *b,
                            const struct sim_options *options)
{
    int rank;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    t->part_of = calloc(b->n_entities, sizeof *t->part_of);
    CHECK(t->part_of, "out of memory");
    if (rank == 0) {
        struct flow f;
        struct partition p;
        struct cut c;
        find_flow(q, b, options, &f);
        divide(q, b, &f, (uint32_t)t->size, &p, &c);
        memcpy(t->part_of, p.part_of, b->n_entities * sizeof *t->part_of);
        note_cut(t, b, &c);
        cut_close(&c);
        partition_close(&p);
        flow_close(&f);
    }
    const size_t most = PIECE_MOST / sizeof *t->part_of;
    for (size_t at = 0; at < b->n_entities; at += most) {
        size_t left = b->n_entities - at;
        MPI_Bcast(t->part_of + at, (int)(left < most ? left : most), MPI_UINT32_T, 0,
                  MPI_COMM_WORLD);
    }
}

void team_open(struct team *t, const struct team_request *q, int size, uint64_t n_tasks,
               const struct blueprint *b, const struct sim_options *options)
{
    int rank, ranks;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &ranks);
    uint64_t most = n_tasks > 0 ? n_tasks : 1;
    int teams = (uint64_t)(ranks / size) < most ? ranks / size : (int)most;
    *t = (struct team){.size = size,
                       .rank = rank % size,
                       .teams = teams,
                       .idle = ranks - teams * size,
                       .lookahead = SIM_TIME_NEVER};
    bool has_place = rank < t->teams * size, leads = has_place && t->rank == 0;
    MPI_Comm_split(MPI_COMM_WORLD, has_place ? rank / size : MPI_UNDEFINED, rank, &t->comm);
    MPI_Comm_split(MPI_COMM_WORLD, leads ? 0 : MPI_UNDEFINED, rank, &t->leaders);
    if (size > 1) {
        share_partition(t, q, b, options);
    }
    if (has_place) {
        t->windows = windows_open(t->comm, b, t->part_of, options, q->exchange);
    }
}

void team_close(struct team *t)
{
    if (t->windows) {
        windows_close(t->windows);
        MPI_Comm_free(&t->comm);
    }
    if (t->leaders != MPI_COMM_NULL) {
        MPI_Comm_free(&t->leaders);
    }
    free(t->part_of);
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

uint64_t team_word(const struct team *t, uint64_t word)
{
    if (t->size > 1) {
        MPI_Bcast(&word, 1, MPI_UINT64_T, 0, t->comm);
    }
    return word;
}

uint64_t team_sum(const struct team *t, uint64_t value)
{
    uint64_t sum = value;
    if (t->size > 1) {
        MPI_Reduce(&value, &sum, 1, MPI_UINT64_T, MPI_SUM, 0, t->comm);
    }
    return sum;
}

static size_t message_at(size_t at, size_t size)
{
    return size - at < PIECE_MOST ? size - at : PIECE_MOST;
}

void team_gather(const struct team *t, const struct buffer *mine, struct buffer *pieces)
{
    if (t->rank != 0) {
        uint64_t size = mine->size;
        MPI_Send(&size, 1, MPI_UINT64_T, 0, TAG_PIECE, t->comm);
        for (size_t at = 0; at < size; at += PIECE_MOST) {
            MPI_Send(mine->data + at, (int)message_at(at, size), MPI_BYTE, 0, TAG_PIECE, t->comm);
        }
        return;
    }
    pieces[0].size = 0;
    buffer_bytes(&pieces[0], mine->data, mine->size);
    for (int r = 1; r < t->size; r++) {
        uint64_t size;
        MPI_Recv(&size, 1, MPI_UINT64_T, r, TAG_PIECE, t->comm, MPI_STATUS_IGNORE);
        pieces[r].size = 0;
        buffer_reserve(&pieces[r], size);
        for (size_t at = 0; at < size; at += PIECE_MOST) {
            MPI_Recv(pieces[r].data + at, (int)message_at(at, size), MPI_BYTE, r, TAG_PIECE,
                     t->comm, MPI_STATUS_IGNORE);
        }
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
    memset(figures, 0, FIGURES * sizeof *figures);
    if (t->windows) {
        const struct windows_stats *s = windows_stats(t->windows);
        memcpy(figures,
               (uint64_t[FIGURES]){s->windows, s->events, s->sent_events, s->messages,
                                   s->empty_messages, s->bytes, s->run_ns, s->blocked_ns,
                                   s->wall_ns},
               FIGURES * sizeof *figures);
    }
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
