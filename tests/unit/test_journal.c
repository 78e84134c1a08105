/* SPDX-License-Identifier: Apache-2.0
 *
 * Journals: what was appended is read, whatever happened to the end of the file.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "results/journal_file.h"
#include "results_study.h"

static char *root, *dir; /* of the test */

static int set_up(void **state)
{
    (void)state;
    root = study_directory();
    return asprintf(&dir, "%s/storm.journal", root) < 0;
}

static int tear_down(void **state)
{
    (void)state;
    free(dir);
    study_remove(root);
    return 0;
}

/* Payloads that anybody can make up again; one is empty. */
static size_t make_payload(uint64_t replication, unsigned char *to)
{
    size_t n = replication == 3 ? 0 : 4 + (size_t)(hash_mix64(replication) % 36);
    for (size_t i = 0; i < n; i++) {
        to[i] = (unsigned char)hash_pair(replication, i);
    }
    return n;
}

static void append(struct journal *j, uint64_t replication)
{
    unsigned char payload[40];
    struct results_error e = {""};
    size_t n = make_payload(replication, payload);
    assert_true(study_append(j, 0, replication, 17 * replication, payload, n, &e));
}

static struct journal *open_writer(uint32_t writer)
{
    struct results_error e = {""};
    struct results_meta meta = study_meta();
    struct journal *j = study_journal(dir, writer, &meta, &e);
    assert_string_equal(e.text, "");
    assert_non_null(j);
    return j;
}

static void write_file(uint32_t writer, uint64_t first, uint64_t n)
{
    struct results_error e = {""};
    struct journal *j = open_writer(writer);
    for (uint64_t r = first; r < first + n; r++) {
        append(j, r);
    }
    assert_true(journal_close(j, &e));
}

static bool scan(struct journal_index *index, struct results_error *e)
{
    const char *const dirs[] = {dir};
    *e = (struct results_error){""};
    return journal_scan(dirs, 1, study_meta().plan_hash, index, e);
}

static void expect_whole(struct journal_index *index, size_t i, uint64_t replication)
{
    struct results_error e = {""};
    struct buffer payload = {0};
    unsigned char expected[40];
    size_t n = make_payload(replication, expected);
    assert_true(index->entries[i].replication == replication && index->entries[i].point == 0);
    assert_true(index->entries[i].wall_ns == 17 * replication);
    assert_true(journal_read(index, i, &payload, &e));
    assert_int_equal(payload.size, n);
    assert_true(n == 0 || memcmp(payload.data, expected, n) == 0);
    buffer_close(&payload);
}

static void expect_replications(uint64_t n)
{
    struct journal_index index;
    struct results_error e;
    assert_true(scan(&index, &e));
    assert_int_equal(index.n, n);
    for (uint64_t r = 0; r < n; r++) {
        expect_whole(&index, r, r);
    }
    journal_index_close(&index);
}

static char *file_of(uint32_t writer)
{
    static char path[600];
    snprintf(path, sizeof path, "%s/rank-%06u.sqj", dir, writer);
    return path;
}

static uint64_t size_of(uint32_t writer)
{
    struct stat status;
    assert_int_equal(stat(file_of(writer), &status), 0);
    return (uint64_t)status.st_size;
}

static void patch(uint32_t writer, uint64_t at, const void *bytes, size_t n)
{
    int fd = open(file_of(writer), O_WRONLY);
    assert_true(fd >= 0 && pwrite(fd, bytes, n, (off_t)at) == (ssize_t)n);
    close(fd);
}

static void expect_error(const char *expected)
{
    struct journal_index index;
    struct results_error e;
    assert_false(scan(&index, &e));
    assert_string_equal(e.text, expected);
    journal_index_close(&index);
}

static void make_journal(void)
{
    struct results_error e = {""};
    assert_true(journal_create(dir, &e));
}

static void test_several_writers(void **state)
{
    (void)state;
    make_journal();
    write_file(2, 6, 4);
    write_file(0, 3, 3);
    write_file(1, 0, 3);
    expect_replications(10);
    /* Resumed by fewer ranks. */
    write_file(0, 10, 5);
    expect_replications(15);
}

static void test_exists(void **state)
{
    (void)state;
    char expected[1024];
    struct results_error e = {""};
    make_journal();
    assert_false(journal_create(dir, &e));
    snprintf(expected, sizeof expected,
             "%s exists and may hold finished replications: go on with 'squall resume %s', or "
             "remove it to start anew",
             dir, dir);
    assert_string_equal(e.text, expected);
}

static void test_crc(void **state)
{
    (void)state;
    /* The check value of CRC-32C, and that of 32 zeros from RFC 3720. */
    const unsigned char zeros[32] = {0};
    assert_int_equal(crc32c("123456789", 9), 0xe3069283);
    assert_int_equal(crc32c(zeros, 32), 0x8a9136aa);
    /* However a processor comes to it, of any length and at any address. */
    unsigned char bytes[80];
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (unsigned char)hash_mix64(i);
    }
    for (size_t first = 0; first < 8; first++) {
        for (size_t n = 0; first + n <= sizeof bytes; n++) {
            assert_int_equal(crc32c(bytes + first, n), crc32c_table(bytes + first, n));
        }
    }
}

static size_t n_whole(void)
{
    struct journal_index index;
    struct results_error e;
    assert_true(scan(&index, &e));
    size_t n = index.n;
    journal_index_close(&index);
    return n;
}

/* Short replications are gathered, but never after a flush, a sync or a close. How many of them are
 * written before is a matter of time. */
static void test_gathered_replications_are_written_by_flush_sync_and_close(void **state)
{
    (void)state;
    struct results_error e = {""};
    assert_true(journal_create(dir, &e));
    struct journal *j = open_writer(0);
    unsigned char payload[40];
    for (uint64_t r = 0; r < 3000; r++) {
        struct journal_record record = {.replication = r, .wall_ns = 17 * r, .payload = payload};
        record.size = make_payload(r, payload);
        assert_true(journal_gather(j, &record, &e));
        if (r == 999) {
            assert_true(journal_flush(j, &e));
            assert_int_equal(n_whole(), 1000);
        } else if (r == 1999) {
            assert_true(journal_sync(j, &e));
            assert_int_equal(n_whole(), 2000);
        }
    }
    assert_true(journal_close(j, &e));
    struct journal_index index;
    assert_true(scan(&index, &e));
    assert_int_equal(index.n, 3000);
    for (size_t i = 0; i < index.n; i++) {
        expect_whole(&index, i, i);
    }
    journal_index_close(&index);
}

static off_t bytes_written(void)
{
    struct stat status;
    char path[4096];
    snprintf(path, sizeof path, "%s/rank-000000.sqj", dir);
    assert_int_equal(stat(path, &status), 0);
    return status.st_size;
}

/* Unless every single one of them took five milliseconds. */
static void test_short_replications_are_not_written_one_by_one(void **state)
{
    (void)state;
    struct results_error e = {""};
    assert_true(journal_create(dir, &e));
    struct journal *j = open_writer(0);
    size_t held = 0;
    for (uint64_t r = 0; r < 2000; r++) {
        const struct journal_record record = {.replication = r, .payload = "", .size = 0};
        off_t before = bytes_written();
        assert_true(journal_gather(j, &record, &e));
        held += bytes_written() == before;
    }
    assert_true(held > 0);
    assert_true(journal_close(j, &e));
    assert_int_equal(n_whole(), 2000);
}

/* [B] of a frame that tells of a session. */
static uint64_t session_size(void)
{
    struct buffer body = {0};
    struct journal_session session = study_session();
    journal_session_put(&session, &body);
    uint64_t size = JOURNAL_FRAME + body.size;
    buffer_close(&body);
    return size;
}

/* Cut anywhere, a file yields the frames that are whole, and goes on from there. */
static void test_torn_everywhere(void **state)
{
    (void)state;
    make_journal();
    struct results_error e = {""};
    struct journal *j = open_writer(0);
    uint64_t end[6] = {size_of(0)};
    for (uint64_t r = 0; r < 5; r++) {
        append(j, r);
        end[r + 1] = size_of(0);
    }
    assert_true(journal_close(j, &e));
    static unsigned char bytes[65536];
    int fd = open(file_of(0), O_RDONLY);
    assert_int_equal(read(fd, bytes, sizeof bytes), end[5]);
    close(fd);
    for (uint64_t cut = 0; cut <= end[5]; cut++) {
        uint64_t whole = 0;
        while (whole < 5 && end[whole + 1] <= cut) {
            whole++;
        }
        fd = open(file_of(0), O_WRONLY | O_TRUNC);
        assert_int_equal(write(fd, bytes, cut), cut);
        close(fd);
        expect_replications(whole);
        write_file(0, whole, 2);
        expect_replications(whole + 2);
        if (cut >= end[0] && whole <= 3) {
            assert_int_equal(size_of(0), end[whole + 2] + session_size());
        }
    }
}

/* Whatever stands behind the last whole frame is passed over: zeros after a power cut, noise. */
static void test_noise_at_end(void **state)
{
    (void)state;
    make_journal();
    write_file(0, 0, 3);
    uint64_t end = size_of(0), random = 1;
    for (int round = 0; round < 500; round++) {
        unsigned char noise[200];
        size_t n = 1 + study_random(&random) % sizeof noise;
        for (size_t i = 0; i < n; i++) {
            noise[i] = round < 50 ? 0 : (unsigned char)study_random(&random);
        }
        if (round % 2) {
            memcpy(noise, "QSFR", n < 4 ? n : 4);
        }
        patch(0, end, noise, n);
        expect_replications(3);
    }
    struct journal *j = open_writer(0);
    assert_int_equal(size_of(0), end + session_size());
    struct results_error e = {""};
    assert_true(journal_close(j, &e));
}

static void patch_byte(uint64_t at, unsigned char flip)
{
    unsigned char byte;
    int fd = open(file_of(0), O_RDONLY);
    assert_int_equal(pread(fd, &byte, 1, (off_t)at), 1);
    close(fd);
    byte ^= flip;
    patch(0, at, &byte, 1);
}

/* A frame damaged later is as if it had not been run; what follows it is not lost, neither to
 * whoever reads nor to whoever goes on. */
static void test_damaged_frame(void **state)
{
    (void)state;
    make_journal();
    write_file(0, 0, 0);
    uint64_t begin = size_of(0) + session_size();
    write_file(0, 0, 3);
    unsigned char payload[40];
    uint64_t n = make_payload(0, payload), after = 0;
    for (uint64_t at = begin; at < begin + JOURNAL_FRAME + n; at++) {
        patch_byte(at, 0x11);
        struct journal_index index;
        struct results_error e;
        assert_true(scan(&index, &e));
        assert_int_equal(index.damaged, 1);
        assert_int_equal(index.torn, 0);
        assert_int_equal(index.n, 2);
        expect_whole(&index, 0, 1);
        expect_whole(&index, 1, 2);
        journal_index_close(&index);
        struct journal *j = open_writer(0);
        assert_true(journal_close(j, &e));
        assert_true(size_of(0) > after);
        after = size_of(0);
        patch_byte(at, 0x11);
        expect_replications(3);
    }
    patch_byte(begin, 1);
    write_file(0, 0, 1);
    expect_replications(3);
}

/* A damaged session does not lend its name to another one's replications. */
static void test_damaged_session(void **state)
{
    (void)state;
    make_journal();
    write_file(0, 0, 2);
    uint64_t second = size_of(0);
    write_file(0, 2, 2);
    for (uint64_t at = second; at < second + session_size(); at++) {
        patch_byte(at, 1);
        struct journal_index index;
        struct results_error e;
        assert_true(scan(&index, &e));
        assert_int_equal(index.n, 4);
        assert_int_equal(index.n_sessions, 1);
        assert_int_equal(index.entries[1].session, 0);
        assert_int_equal(index.entries[2].session, JOURNAL_NO_SESSION);
        assert_int_equal(index.damaged, 1);
        journal_index_close(&index);
        patch_byte(at, 1);
    }
}

/* A frame whose header is damaged is not taken for another replication's. */
static void test_damaged_frame_header(void **state)
{
    (void)state;
    make_journal();
    struct results_error e = {""};
    struct journal *j = open_writer(0);
    append(j, 0);
    append(j, 1);
    uint64_t last = size_of(0);
    append(j, 2);
    assert_true(journal_close(j, &e));
    for (uint64_t at = last; at < last + JOURNAL_FRAME; at++) {
        patch_byte(at, 1);
        expect_replications(2);
        patch_byte(at, 1);
    }
    expect_replications(3);
}

/* Whoever opens a file is told of, and so is in which session each replication was written. */
static void test_sessions(void **state)
{
    (void)state;
    make_journal();
    write_file(0, 0, 2);
    write_file(1, 2, 0);
    write_file(0, 2, 1);
    write_file(1, 3, 1);
    struct results_error e = {""};
    struct results_meta meta = study_meta();
    uint64_t before = size_of(1);
    assert_true(journal_close(journal_open_append(dir, 1, &meta, NULL, &e), &e));
    assert_int_equal(size_of(1), before);
    static const uint32_t session[] = {0, 0, 1, 3};
    struct journal_session expected = study_session();
    struct journal_index index;
    assert_true(scan(&index, &e));
    assert_int_equal(index.n_sessions, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_true(study_same_session(&index.sessions[i], &expected));
        assert_int_equal(index.entries[i].session, session[i]);
    }
    journal_index_close(&index);
}

/* What a process says of itself is what the system says of it. */
static void test_session_here(void **state)
{
    (void)state;
    struct arena arena = {0};
    assert_int_equal(setenv("SLURM_JOB_ID", "77", 1), 0);
    assert_int_equal(setenv("SLURM_ARRAY_JOB_ID", "70", 1), 0);
    assert_int_equal(setenv("SLURM_ARRAY_TASK_ID", "7", 1), 0);
    assert_int_equal(setenv("SLURM_JOB_NODELIST", "node[1-4]", 1), 0);
    struct journal_session s = journal_session_here(&arena);
    unsetenv("SLURM_JOB_ID");
    unsetenv("SLURM_ARRAY_JOB_ID");
    unsetenv("SLURM_ARRAY_TASK_ID");
    unsetenv("SLURM_JOB_NODELIST");
    assert_string_equal(s.slurm_job, "77");
    assert_string_equal(s.slurm_array_job, "70");
    assert_string_equal(s.slurm_array_task, "7");
    assert_string_equal(s.slurm_nodes, "node[1-4]");
    assert_true(s.pid == (uint64_t)getpid() && s.host[0] && s.hdf5[0]);
    /* As ps(1) reads it. */
    FILE *in = fopen("/proc/self/stat", "r");
    unsigned long long started = 0;
    assert_non_null(in);
    assert_int_equal(fscanf(in,
                            "%*d %*s %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d "
                            "%*d %*d %*d %*d %llu",
                            &started),
                     1);
    fclose(in);
    assert_true(started > 0 && s.pid_started == started);
    char text[JOURNAL_TIME];
    assert_string_equal(journal_time_text(86400, text), "1970-01-02T00:00:00Z");
    arena_close(&arena);
    arena = (struct arena){0};
    assert_string_equal(journal_session_here(&arena).slurm_job, "");
    arena_close(&arena);
}

/* A note stands beside the payload, and is no part of it. */
static void test_notes(void **state)
{
    (void)state;
    make_journal();
    struct results_error e = {""};
    struct journal *j = open_writer(0);
    struct journal_record record = {.payload = "abc", .size = 3, .note = "stuck at 7 s"};
    append(j, 1);
    assert_true(journal_append(j, &record, &e) && journal_close(j, &e));
    record.note = "stuck at 8 s";
    j = open_writer(1);
    assert_true(journal_append(j, &record, &e) && journal_close(j, &e));
    struct journal_index index;
    struct arena arena = {0};
    struct buffer payload = {0};
    const char *note;
    assert_true(scan(&index, &e));
    assert_int_equal(index.n, 2);
    assert_int_equal(index.duplicates, 1);
    assert_true(journal_note(&index, 0, &arena, &note, &e));
    assert_string_equal(note, "stuck at 7 s");
    assert_true(journal_note(&index, 1, &arena, &note, &e));
    assert_string_equal(note, "");
    assert_true(journal_read(&index, 0, &payload, &e));
    assert_int_equal(payload.size, 3);
    journal_index_close(&index);
    buffer_close(&payload);
    arena_close(&arena);
}

static void append_ended(uint32_t writer, enum run_status status, uint64_t events)
{
    const struct record_head head = {.status = status, .events = events, .sim_end = 9};
    struct buffer record = {0};
    struct results_error e = {""};
    struct journal *j = open_writer(writer);
    record_blank(&head, &study_blueprint, &record);
    assert_true(study_append(j, 0, 0, events, record.data, record.size, &e));
    assert_true(journal_close(j, &e));
    buffer_close(&record);
}

/* What a watchdog ended on a slow machine may be whole on another one, and is then taken whole. */
static void test_watchdog_gives_way(void **state)
{
    (void)state;
    struct journal_index index;
    struct results_error e;
    make_journal();
    append_ended(1, RUN_WATCHDOG, 5);
    append_ended(2, RUN_WATCHDOG, 6);
    assert_true(scan(&index, &e));
    assert_true(index.n == 1 && index.duplicates == 1 && index.entries[0].wall_ns == 5);
    journal_index_close(&index);
    append_ended(3, RUN_OK, 7);
    append_ended(4, RUN_WATCHDOG, 8);
    append_ended(0, RUN_WATCHDOG, 9);
    assert_true(scan(&index, &e));
    assert_true(index.n == 1 && index.duplicates == 4 && index.entries[0].wall_ns == 7);
    journal_index_close(&index);
    append_ended(5, RUN_OK, 8);
    assert_false(scan(&index, &e));
    journal_index_close(&index);
}

static void test_duplicates(void **state)
{
    (void)state;
    make_journal();
    write_file(0, 0, 4);
    write_file(1, 2, 4);
    struct journal_index index;
    struct results_error e;
    assert_true(scan(&index, &e));
    assert_int_equal(index.duplicates, 2);
    journal_index_close(&index);
    expect_replications(6);
    struct journal *j = open_writer(2);
    assert_true(study_append(j, 0, 3, 0, "other", 5, &e));
    assert_true(journal_close(j, &e));
    char expected[1024];
    snprintf(expected, sizeof expected,
             "point 0, replication 3 was recorded twice with different results, in "
             "%s/rank-000000.sqj and %s/rank-000002.sqj: was the program or a library changed in "
             "between? remove one of the files and run what it held again",
             dir, dir);
    expect_error(expected);
}

static void test_other_plan(void **state)
{
    (void)state;
    make_journal();
    struct results_error e = {""};
    struct results_meta meta = study_meta();
    meta.plan_hash = 1;
    assert_true(journal_close(study_journal(dir, 0, &meta, &e), &e));
    char expected[1024];
    snprintf(expected, sizeof expected,
             "%s belongs to another study: its plan is 0000000000000001, this one's is "
             "0123456789abcdef",
             file_of(0));
    expect_error(expected);
    meta = study_meta();
    assert_null(study_journal(dir, 0, &meta, &e));
    assert_string_equal(e.text, expected);
}

static void test_foreign_and_newer(void **state)
{
    (void)state;
    char expected[1024];
    make_journal();
    write_file(0, 0, 2);
    int fd = open(file_of(1), O_WRONLY | O_CREAT, 0600);
    assert_int_equal(write(fd, "hello", 5), 5);
    close(fd);
    snprintf(expected, sizeof expected, "%s is not a journal of squall; move it away", file_of(1));
    expect_error(expected);
    struct results_error e = {""};
    struct results_meta meta = study_meta();
    assert_null(study_journal(dir, 1, &meta, &e));
    assert_string_equal(e.text, expected);
    unlink(file_of(1));

    patch(0, 8, "\x03", 1);
    snprintf(expected, sizeof expected,
             "%s was written by a newer squall: journal format 3, this program reads 2; finish it "
             "with that version",
             file_of(0));
    expect_error(expected);
    patch(0, 8, "\x01", 1);
    snprintf(expected, sizeof expected,
             "%s was written by squall 0.0: journal format 1, this program reads 2; finish it with "
             "that version, or remove it and run the study anew",
             file_of(0));
    expect_error(expected);
    patch(0, 8, "\x02", 1);
    patch(0, 13, "?", 1);
    snprintf(expected, sizeof expected, "%s has a damaged header", file_of(0));
    expect_error(expected);
}

static void test_locked(void **state)
{
    (void)state;
    make_journal();
    struct journal *j = open_writer(3);
    struct results_error e = {""};
    struct results_meta meta = study_meta();
    char expected[1024];
    assert_null(study_journal(dir, 3, &meta, &e));
    snprintf(expected, sizeof expected,
             "%s is being written by another process: is this study running?", file_of(3));
    assert_string_equal(e.text, expected);
    e.text[0] = '\0';
    assert_true(journal_close(j, &e));
}

static void test_meta(void **state)
{
    (void)state;
    make_journal();
    struct arena arena = {0};
    struct results_error e = {""};
    struct results_meta meta, expected = study_meta();
    assert_false(journal_meta(dir, &arena, &meta, &e));
    char nothing[1024];
    snprintf(nothing, sizeof nothing, "%s holds nothing: no replication was ever begun", dir);
    assert_string_equal(e.text, nothing);
    e.text[0] = '\0';
    /* The first file is torn within its header. */
    int fd = open(file_of(0), O_WRONLY | O_CREAT, 0600);
    assert_int_equal(write(fd, "squ", 3), 3);
    close(fd);
    write_file(1, 0, 1);
    assert_true(journal_meta(dir, &arena, &meta, &e));
    assert_string_equal(meta.name, expected.name);
    assert_string_equal(meta.config, expected.config);
    assert_string_equal(meta.overrides, expected.overrides);
    assert_string_equal(meta.resolved, expected.resolved);
    assert_string_equal(meta.command, expected.command);
    assert_string_equal(meta.software, expected.software);
    assert_string_equal(meta.git, expected.git);
    assert_true(meta.plan_hash == expected.plan_hash && meta.seed == expected.seed);
    assert_true(meta.n_points == 1 && meta.n_replications == 5 && meta.end == STUDY_END);
    assert_true(meta.warmup == 0 && meta.interval == STUDY_INTERVAL && !meta.blueprint);
    arena_close(&arena);
}

/* Only what squall wrote is deleted. */
static void test_remove(void **state)
{
    (void)state;
    struct results_error e = {""};
    char other[700], expected[1024];
    snprintf(other, sizeof other, "%s/notes", dir);
    make_journal();
    write_file(0, 0, 2);
    write_file(1, 2, 2);
    FILE *out = fopen(other, "w");
    assert_true(out && fclose(out) == 0);
    assert_false(journal_remove(dir, &e));
    snprintf(expected, sizeof expected, "%s holds files that squall did not write, and stays", dir);
    assert_string_equal(e.text, expected);
    assert_int_equal(access(other, F_OK), 0);
    unlink(other);
    e.text[0] = '\0';
    assert_true(journal_remove(dir, &e));
    assert_int_equal(access(dir, F_OK), -1);
}

/* A full disk is an error that names the way out, and what was finished stays readable. */
static void test_no_space(void **state)
{
    (void)state;
    make_journal();
    struct journal *j = open_writer(0);
    append(j, 0);
    append(j, 1);
    uint64_t end = size_of(0);
    signal(SIGXFSZ, SIG_IGN);
    struct rlimit before, tight;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    tight = before;
    tight.rlim_cur = end + 100;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
    unsigned char payload[1000] = {0};
    struct results_error e = {""};
    assert_false(study_append(j, 0, 2, 0, payload, sizeof payload, &e));
    setrlimit(RLIMIT_FSIZE, &before);
    char expected[1024];
    snprintf(expected, sizeof expected,
             "cannot write %s: File too large; finished replications are safe: raise the limit on "
             "file sizes (ulimit -f) and run 'squall resume %s'",
             file_of(0), dir);
    assert_string_equal(e.text, expected);
    assert_int_equal(size_of(0), end);
    e.text[0] = '\0';
    assert_false(study_append(j, 0, 3, 0, payload, 3, &e));
    assert_false(journal_close(j, &e));
    expect_replications(2);
    write_file(0, 2, 1);
    expect_replications(3);
}

/* Killed at random moments and resumed, a journal never loses what journal_append returned for. */
static void test_killed(void **state)
{
    (void)state;
    make_journal();
    uint64_t random = 5, kept = 0;
    for (int round = 0; round < 20; round++) {
        int pipe_of[2];
        assert_int_equal(pipe(pipe_of), 0);
        fflush(NULL);
        pid_t child = fork();
        if (child == 0) {
            struct results_error e = {""};
            struct results_meta meta = study_meta();
            struct journal *j = study_journal(dir, 0, &meta, &e);
            for (uint64_t r = kept; j; r++) {
                unsigned char payload[40];
                size_t n = make_payload(r, payload);
                if (!study_append(j, 0, r, 17 * r, payload, n, &e) ||
                    write(pipe_of[1], &r, sizeof r) != sizeof r) {
                    break;
                }
            }
            _exit(1);
        }
        close(pipe_of[1]);
        uint64_t acknowledged = 0, left = 1 + study_random(&random) % 300;
        while (left-- > 0 && read(pipe_of[0], &acknowledged, sizeof acknowledged) > 0) {}
        kill(child, SIGKILL);
        while (read(pipe_of[0], &acknowledged, sizeof acknowledged) > 0) {}
        close(pipe_of[0]);
        assert_int_equal(waitpid(child, NULL, 0), child);
        struct journal_index index;
        struct results_error e;
        assert_true(scan(&index, &e));
        assert_true(index.n > acknowledged);
        kept = index.n;
        journal_index_close(&index);
    }
    expect_replications(kept);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_several_writers),
        TEST(test_exists),
        TEST(test_crc),
        TEST(test_gathered_replications_are_written_by_flush_sync_and_close),
        TEST(test_short_replications_are_not_written_one_by_one),
        TEST(test_torn_everywhere),
        TEST(test_noise_at_end),
        TEST(test_damaged_frame),
        TEST(test_duplicates),
        TEST(test_other_plan),
        TEST(test_foreign_and_newer),
        TEST(test_locked),
        TEST(test_meta),
        TEST(test_no_space),
        TEST(test_killed),
        TEST(test_remove),
        TEST(test_damaged_frame_header),
        TEST(test_damaged_session),
        TEST(test_sessions),
        TEST(test_session_here),
        TEST(test_notes),
        TEST(test_watchdog_gives_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
