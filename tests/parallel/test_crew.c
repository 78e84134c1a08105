/* SPDX-License-Identifier: Apache-2.0
 *
 * Under mpirun: whatever a source of tasks is like, the crew does each of its tasks once, tells of
 * each once, and ends. A crew that hangs is ended by the test's time limit. One rank or more.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <malloc.h>
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/hash.h"
#include "experiment/crew.h"

enum { MOST = 2000 };

static int rank, ranks;

/* What a source does, and what has come of it. Only rank 0 has one. */
struct supply {
    uint64_t n;      /* tasks */
    uint64_t window; /* tasks that may be under way; 0: any number */
    uint64_t barren; /* calls of `take` for each that gives anything */
    uint64_t enough; /* results after which nothing more is wanted; 0: there is no such number */
    uint64_t calls, taken, done;
    unsigned char told[MOST]; /* how often each task, of the first ones, was reported */
};

static uint64_t under_way(const struct supply *s)
{
    return s->taken - s->done;
}

static bool wants_more(const struct supply *s)
{
    return s->taken < s->n && (s->enough == 0 || s->done < s->enough);
}

static uint64_t take(void *context, uint64_t *tasks, uint64_t most, sim_time *warmup)
{
    struct supply *s = context;
    uint64_t n = 0;
    if (s->calls++ < s->barren) {
        return 0;
    }
    s->calls = 0;
    while (n < most && wants_more(s) && (s->window == 0 || under_way(s) < s->window)) {
        tasks[n++] = s->taken++;
    }
    *warmup = (sim_time)(n > 0 ? tasks[0] : 0);
    return n;
}

static bool over(void *context)
{
    const struct supply *s = context;
    return !wants_more(s) && under_way(s) == 0;
}

static uint64_t left(void *context)
{
    const struct supply *s = context;
    return s->n - s->done;
}

static void done(void *context, const struct crew_result *result)
{
    struct supply *s = context;
    s->done++;
    assert_in_range(result->task, 0, s->taken - 1);
    assert_int_equal(result->events, 3 * result->task);
    if (result->task < MOST) {
        s->told[result->task]++;
    }
}

/* --- a rank at work ----------------------------------------------------------------------- */

struct hand {
    struct crew *crew;
    uint64_t did;     /* tasks */
    uint64_t unkept;  /* of which were not kept yet */
    uint64_t stop_at; /* so many tasks of rank `stopper` stop the crew */
    int stopper;      /* -1: nobody */
    bool failing;     /* ... because something is broken */
    bool loses;       /* ... by not being able to keep what it did */
};

static bool keep(void *context)
{
    struct hand *h = context;
    h->unkept = 0;
    return !(h->loses && h->stopper == rank && h->did >= h->stop_at);
}

/* Some tasks take no time at all, others up to half a millisecond; a few look up in between. */
static void do_task(struct hand *h, uint64_t task)
{
    uint64_t chance = hash_pair(task, (uint64_t)rank);
    if (chance % 8 == 0) {
        nanosleep(&(struct timespec){.tv_nsec = (long)(chance >> 8) & 0x7ffff}, NULL);
    }
    if (chance % 16 == 0 && !crew_poll(h->crew)) {
        return;
    }
    h->did++;
    h->unkept++;
    crew_done(h->crew, &(struct crew_result){.task = task, .events = 3 * task});
    if (h->stopper == rank && h->did >= h->stop_at && !h->loses) {
        crew_stop(h->crew, h->failing);
    }
}

static enum crew_outcome work(struct supply *s, struct hand *h, bool only_serve)
{
    const struct crew_source source = {
        .take = take, .over = over, .left = left, .done = done, .context = s};
    struct crew_task task;
    h->crew = crew_open(MPI_COMM_WORLD, &source);
    crew_keep(h->crew, keep, h);
    if (only_serve) {
        crew_only_serve(h->crew);
    }
    while (crew_next(h->crew, &task)) {
        do_task(h, task.task);
    }
    return crew_close(h->crew);
}

static uint64_t sum_of(uint64_t value)
{
    MPI_Allreduce(MPI_IN_PLACE, &value, 1, MPI_UINT64_T, MPI_SUM, MPI_COMM_WORLD);
    return value;
}

/* Runs a source to its end, twice: with a rank 0 that works, and one that does not. */
static void expect_all_done(struct supply model)
{
    for (int serve = 0; serve < 2; serve++) {
        struct supply s = model;
        struct hand h = {.stopper = -1};
        assert_int_equal(work(&s, &h, serve), CREW_FINISHED);
        uint64_t all = sum_of(h.did);
        assert_true(!serve || ranks == 1 || rank != 0 || h.did == 0);
        if (rank == 0) {
            assert_int_equal(all, s.taken);
            assert_int_equal(all, s.done);
            for (uint64_t t = 0; t < s.n; t++) {
                assert_int_equal(s.told[t], t < s.taken);
            }
        } else {
            assert_true(h.unkept == 0);
        }
    }
}

static void test_every_task_of_a_list_is_done_once(void **state)
{
    static const uint64_t sizes[] = {0, 1, 2, 3, 7, 64, 65, 1000, MOST};
    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        expect_all_done((struct supply){.n = sizes[i]});
    }
}

/* Rank 0 gives nothing before it knows what has come of what it gave: whoever waits for an answer
 * must not sit on results. */
static void test_a_source_may_wait_for_results(void **state)
{
    (void)state;
    for (uint64_t window = 1; window < 40; window += 6) {
        expect_all_done((struct supply){.n = 300, .window = window});
    }
    expect_all_done((struct supply){.n = MOST, .window = 500});
}

static void test_a_source_may_have_nothing_for_a_while(void **state)
{
    (void)state;
    expect_all_done((struct supply){.n = 200, .barren = 3});
    expect_all_done((struct supply){.n = 200, .barren = 40, .window = 5});
}

static void test_a_source_may_have_enough_early(void **state)
{
    (void)state;
    for (uint64_t enough = 1; enough < 400; enough += 133) {
        expect_all_done((struct supply){.n = MOST, .enough = enough, .window = 50});
        expect_all_done((struct supply){.n = MOST, .enough = enough});
    }
}

/* --- stops -------------------------------------------------------------------------------- */

/* Whoever stops it: nothing is done twice or told of without having been done. */
static void expect_stop(const struct hand *model, enum crew_outcome outcome)
{
    for (int who = 0; who < ranks; who++) {
        struct supply s = {.n = UINT64_MAX};
        struct hand h = *model;
        h.stopper = who;
        assert_int_equal(work(&s, &h, false), outcome);
        uint64_t all = sum_of(h.did);
        if (rank == 0) {
            assert_in_range(s.done, 0, all);
            for (uint64_t t = 0; t < MOST; t++) {
                assert_in_range(s.told[t], 0, t < s.taken);
            }
        }
    }
}

static void test_any_rank_may_stop_the_crew(void **state)
{
    (void)state;
    expect_stop(&(struct hand){.stop_at = 1}, CREW_STOPPED);
    expect_stop(&(struct hand){.stop_at = 20}, CREW_STOPPED);
}

static void test_any_rank_may_fail(void **state)
{
    (void)state;
    expect_stop(&(struct hand){.stop_at = 1, .failing = true}, CREW_FAILED);
    expect_stop(&(struct hand){.stop_at = 20, .failing = true}, CREW_FAILED);
}

static void test_what_cannot_be_kept_fails_the_crew(void **state)
{
    (void)state;
    expect_stop(&(struct hand){.stop_at = 1, .loses = true}, CREW_FAILED);
    expect_stop(&(struct hand){.stop_at = 20, .loses = true}, CREW_FAILED);
}

/* --- what it takes ------------------------------------------------------------------------ */

/* Bytes of the heap in use after so many tasks. */
static uint64_t heap_after(uint64_t n)
{
    struct supply s = {.n = n};
    const struct crew_source source = {
        .take = take, .over = over, .left = left, .done = done, .context = &s};
    struct crew *crew = crew_open(MPI_COMM_WORLD, &source);
    struct crew_task task;
    while (crew_next(crew, &task)) {
        crew_done(crew, &(struct crew_result){.task = task.task, .events = 3 * task.task});
    }
    uint64_t bytes = mallinfo2().uordblks;
    assert_int_equal(crew_close(crew), CREW_FINISHED);
    return bytes;
}

/* Open MPI takes some memory for messages that wait; with tasks done, a result each would show. */
static void test_memory_does_not_grow_with_the_number_of_tasks(void **state)
{
    (void)state;
    heap_after(20000);
    uint64_t few = heap_after(20000), many = heap_after(400000);
    assert_true(many < few + 1000000);
}

int main(int argc, char **argv)
{
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &ranks);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_task_of_a_list_is_done_once),
        cmocka_unit_test(test_a_source_may_wait_for_results),
        cmocka_unit_test(test_a_source_may_have_nothing_for_a_while),
        cmocka_unit_test(test_a_source_may_have_enough_early),
        cmocka_unit_test(test_any_rank_may_stop_the_crew),
        cmocka_unit_test(test_any_rank_may_fail),
        cmocka_unit_test(test_what_cannot_be_kept_fails_the_crew),
        cmocka_unit_test(test_memory_does_not_grow_with_the_number_of_tasks),
    };
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
