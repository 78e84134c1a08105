/* SPDX-License-Identifier: Apache-2.0
 *
 * Under mpirun: random studies, each run whole on rank 0 and divided among all ranks, in every way
 * there is to divide and to exchange, give the same record to the byte. A divided run that
 * deadlocks is ended by the test's time limit. At least two ranks.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "experiment/team.h"
#include "results/record.h"
#include "support/random_mesh.h"
#include "support/trial.h"

static uint64_t first_study = 1, n_studies = 1000;
static int rank, ranks;
static uint64_t remote_events; /* of all ranks: that something went over the cuts */

static uint64_t trips; /* replications whose failure budget was spent; on rank 0 */

/* On rank 0. */
static void run_whole(struct trial *t, struct buffer *record)
{
    trial_run(t, 0);
    struct record_head head = {
        .events = sim_events(t->sim), .digest = sim_digest(t->sim), .sim_end = sim_end(t->sim)};
    trips += sim_tripped(t->sim) != SIM_TIME_NEVER;
    record->size = 0;
    record_encode(&head, t->sim, record);
}

static void run_divided(const struct trial *t, const struct team_request *q, struct buffer *record)
{
    const struct blueprint *plan = &t->study->blueprint;
    struct team team;
    struct buffer piece = {0};
    struct buffer *pieces = calloc((size_t)ranks, sizeof *pieces);
    sim_time reached;
    team_open(&team, q, 1, plan, sim_options(t->sim));
    team_model(&team, plan, sim_options(t->sim));
    assert_int_equal(
        windows_run(team.windows, (uint64_t)t->study->settings.seed, 0, NULL, NULL, &reached),
        WINDOWS_DONE);
    struct sim *s = windows_sim(team.windows);
    sim_finish(s);
    struct record_head head = {.events = team_sum(&team, sim_events(s)),
                               .digest = team_sum(&team, sim_digest(s)),
                               .sim_end = reached};
    assert_true(rank != 0 || windows_tripped(team.windows) == sim_tripped(t->sim));
    remote_events += windows_stats(team.windows)->sent_events;
    record_piece(s, &piece);
    team_gather(&team, &piece, pieces);
    record->size = 0;
    if (rank == 0) {
        struct results_error e = {.text = ""};
        assert_true(record_join(&head, plan, team.part_of, pieces, (uint32_t)ranks, record, &e));
    }
    for (int r = 0; r < ranks; r++) {
        buffer_close(&pieces[r]);
    }
    free(pieces);
    buffer_close(&piece);
    team_close(&team);
}

/* How study number `number` is divided: methods and ways take turns. */
static struct team_request way_of(uint64_t number)
{
    static const enum partition_method methods[] = {PARTITION_SHUFFLE, PARTITION_METIS,
                                                    PARTITION_SHUFFLE, PARTITION_BLOCK};
    return (struct team_request){.ranks = ranks,
                                 .method = methods[number % 4],
                                 .seed = number,
                                 .profile = number % 5 == 0,
                                 .exchange =
                                     number % 3 == 0 ? WINDOWS_ALL_REDUCED : WINDOWS_ALL_DIRECT};
}

static void test_random_studies(void **state)
{
    (void)state;
    static char text[65536];
    struct buffer whole = {0}, divided = {0};
    for (uint64_t k = first_study; k < first_study + n_studies; k++) {
        random_mesh(k, text, sizeof text);
        struct trial t;
        trial_open(&t, "%s", text);
        if (rank == 0) {
            run_whole(&t, &whole);
        }
        struct team_request q = way_of(k);
        run_divided(&t, &q, &divided);
        if (rank == 0 &&
            (whole.size != divided.size || memcmp(whole.data, divided.data, whole.size) != 0)) {
            fprintf(stderr, "study %" PRIu64 " differs:\n%s", k, text);
            MPI_Abort(MPI_COMM_WORLD, 1);
        }
        trial_close(&t);
    }
    buffer_close(&whole);
    buffer_close(&divided);
    uint64_t sum;
    MPI_Allreduce(&remote_events, &sum, 1, MPI_UINT64_T, MPI_SUM, MPI_COMM_WORLD);
    assert_true(ranks == 1 || sum > 100 * n_studies);
    assert_true(rank != 0 || trips > n_studies / 100);
}

int main(int argc, char **argv)
{
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &ranks);
    if (argc > 1) {
        n_studies = strtoull(argv[1], NULL, 10);
    }
    if (argc > 2) {
        first_study = strtoull(argv[2], NULL, 10);
    }
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random_studies)};
    if (rank != 0) {
        cmocka_set_message_output(CM_OUTPUT_STDOUT);
    }
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    if (failed) {
        MPI_Abort(MPI_COMM_WORLD, 1);
    }
    MPI_Finalize();
    return 0;
}
