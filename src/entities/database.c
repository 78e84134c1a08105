/* SPDX-License-Identifier: Apache-2.0
 *
 * database: transactions over a limited number of connections. A request is a transaction: it waits
 * for a connection (parts/connections.h), makes its queries one after the other, commits, and only
 * then lets go of the connection. Each query may fail; then what was done is rolled back. How many
 * queries a transaction has, and what they take, goes by the kind of the request.
 *
 * Where `rows` are said, a transaction that writes locks one of them, whichever chance picks, from
 * its first query to its end. Those who want a row that is locked wait for it in the order in which
 * they came, and hold their connections meanwhile. Nobody ever holds one lock and wants another, so
 * there are no deadlocks.
 *
 * Queries do not slow each other down: as many are made at a time as there are connections.
 */
#include <stddef.h>
#include <string.h>

#include "engine/entity.h"
#include "engine/kind.h"
#include "parts/connections.h"
#include "parts/relay.h"
#include "policies/verdict.h"

enum { TIMER_STEP = EVENT_TIMER, TIMER_LOCK, TIMER_CONNECTIONS };
enum { STREAM_TIMES, STREAM_FAILURES, STREAM_ROWS, STREAM_CONNECTIONS };
enum { SLAB_REQUESTS, SLAB_CONNECTIONS };

static const char *const streams[] = {"times", "query_failures", "rows", CONNECTIONS_STREAM_NAMES,
                                      NULL};

/* --- parameters -------------------------------------------------------------------------- */

struct transaction {
    struct kind kind; /* first, for those that have one */
    int64_t queries;
    struct dist query_time, commit_time, rollback_time;
    double failure_rate; /* [1] of a query */
    bool read_only;
};

enum on_cancel { CANCEL_IGNORED, CANCEL_DEQUEUES, CANCEL_ABORTS };
static const char *const cancel_words[] = {"ignore", "dequeue", "abort", NULL};

struct database_params {
    struct connections_params connections;
    struct transaction transaction;
    LIST_OF(struct transaction) kinds;
    int64_t rows;          /* 0: no locks */
    sim_time lock_timeout; /* [ns] SIM_TIME_NEVER: none */
    int64_t failure_status;
    int on_cancel; /* enum on_cancel */
};

#define TRANSACTION_ROWS \
    P_COUNT(transaction, queries, "1", 1, 1e6, "Queries, one after the other."), \
        P_CHOICE(transaction, query_time, dist_duration, "5ms", "Time that a query takes."), \
        P_CHOICE(transaction, commit_time, dist_duration, "10ms", "Time that the commit takes."), \
        P_CHOICE(transaction, rollback_time, dist_duration, "5ms", \
                 "Time that it takes to undo a transaction."), \
        P_REAL( \
            transaction, failure_rate, "0", 0, 1, "1", \
            "Probability that a query fails, which is known after its time. The transaction is " \
            "rolled back."), \
        P_BOOL(transaction, read_only, "false", \
               "Whether it only reads: it has nothing to lock, to commit or to roll back.")

static const struct param_spec transaction_rows[] = {TRANSACTION_ROWS, P_END};

static const struct schema transaction_schema = {.name = "transaction",
                                                 .summary = "What a transaction does.",
                                                 .size = sizeof(struct transaction),
                                                 .rows = transaction_rows};

static const struct param_spec kind_rows[] = {KIND_KEY(transaction, kind, "The kind of requests."),
                                              TRANSACTION_ROWS, P_END};

static const struct schema kind_schema = {.name = "transaction by kind",
                                          .summary =
                                              "What a transaction for a kind of requests does.",
                                          .size = sizeof(struct transaction),
                                          .rows = kind_rows,
                                          .kinds = KINDS_SOUGHT};

static const struct param_spec rows[] = {
    CONNECTION_ROWS(database_params, connections, "100"),
    P_BLOCK(database_params, transaction, transaction_schema, "{}", "What a transaction does."),
    P_MAP(database_params, kinds, kind_schema, "{}",
          "Kinds of requests whose transactions do something else, by their names."),
    P_COUNT(database_params, rows, "0", 0, 1e7,
            "Rows of which a transaction that writes locks one; 0: nothing is locked."),
    P_MAYBE_DURATION(database_params, lock_timeout, "none", 1, 1e18,
                     "Time that a transaction waits for its row; then it is rolled back."),
    P_COUNT(database_params, failure_status, "500", 400, 599,
            "Status of the answer after a transaction was rolled back."),
    P_WORD(database_params, on_cancel, cancel_words, "ignore",
           "What is done when a caller says that it does not wait any more: nothing; its request "
           "goes if it has no connection yet (dequeue); or its transaction is rolled back as well, "
           "unless it commits already (abort)."),
    P_END};

static void derive(void *params, const struct node *at, struct diag *diag, struct arena *arena)
{
    (void)arena;
    const struct database_params *p = params;
    connections_derive(&p->connections, at, diag);
    if (p->rows == 0 && p->lock_timeout != SIM_TIME_NEVER) {
        diag_error(diag, node_child(at, "lock_timeout"), "needs rows to lock");
    }
}

static const struct schema schema = {.name = "database",
                                     .summary =
                                         "Makes transactions over a limited number of connections.",
                                     .size = sizeof(struct database_params),
                                     .rows = rows,
                                     .derive = derive};

/* --- statistics -------------------------------------------------------------------------- */

/* Without a warm-up requests_received = transactions_begun + timeouts + failures + given_up +
 * waiting_lost + waiting; each transaction begun is committed, failed, locked out (lock_timeouts),
 * aborted, lost, or open. */
struct database_stats {
    struct relay_stats relay;
    uint64_t transactions_begun, transactions_committed, transactions_failed, lock_timeouts;
    uint64_t transactions_aborted, transactions_lost, waiting_lost, queries, query_failures;
    struct gauge waiting, open_transactions, lock_waits;
    struct histogram transaction_time, lock_wait_time, sojourn_time;
    struct connections_stats connections;
};

static const struct stat_spec stats[] = {
    RELAY_INWARD_STATS(database_stats, relay),
    S_COUNTER(database_stats, transactions_begun, "Requests that got a connection."),
    S_COUNTER(database_stats, transactions_committed,
              "Transactions that ended well, those that only read included."),
    S_COUNTER(database_stats, transactions_failed,
              "Transactions rolled back because a query failed."),
    S_COUNTER(database_stats, lock_timeouts,
              "Transactions rolled back because they waited too long for their row."),
    S_COUNTER(database_stats, transactions_aborted,
              "Transactions rolled back because nobody waited for them."),
    S_COUNTER(database_stats, transactions_lost, "Transactions lost in a crash."),
    S_COUNTER(database_stats, waiting_lost,
              "Requests lost in a crash before they had a connection."),
    S_COUNTER(database_stats, queries, "Queries made, well or not."),
    S_COUNTER(database_stats, query_failures, "Queries that failed."),
    S_GAUGE(database_stats, waiting, "Requests that have no connection yet."),
    S_GAUGE(database_stats, open_transactions, "Transactions begun and not yet ended."),
    S_GAUGE(database_stats, lock_waits, "Transactions that wait for their row."),
    S_HISTOGRAM(database_stats, transaction_time,
                "From when a transaction had its connection to its end, well or not."),
    S_HISTOGRAM(database_stats, lock_wait_time,
                "Time spent waiting for a row, by transactions that got it."),
    S_HISTOGRAM(database_stats, sojourn_time,
                "From the arrival of a request to the end of its transaction, well or not."),
    CONNECTIONS_STATS(database_stats, connections),
    S_END};

/* --- transactions ------------------------------------------------------------------------ */

struct database_state {
    struct relay_state relay;
    struct connections_state connections;
    uint32_t locks; /* place of the kept memory: a struct row_lock a row */
};

/* Zero is a row that is free. */
struct row_lock {
    uint32_t holder;   /* 1-based slot of a request */
    struct chain line; /* of those that wait for it */
};

enum stage { STAGE_CONNECTING, STAGE_LOCKING, STAGE_QUERYING, STAGE_COMMITTING, STAGE_UNDOING };

enum end { END_COMMITTED, END_FAILED, END_LOCKED_OUT, END_ABORTED };

struct database_request {
    struct relay_slot relay;
    struct acquisition connection;
    struct chain_link link; /* STAGE_LOCKING: in the line of its row */
    uint64_t timer;         /* of its query or its wait for the row */
    sim_time begun, asked;  /* [ns] when it had its connection, and asked for its row */
    uint32_t kind;          /* its place among the kinds, or how many there are */
    uint32_t queries;       /* made */
    uint32_t row;           /* 1-based: that it has locked or waits for; 0: none */
    uint8_t stage;          /* enum stage */
    uint8_t end;            /* enum end, of one that is rolled back */
};

static struct database_request *request_at(const struct ctx *c, uint32_t slot)
{
    return slab_at(&c->slabs[SLAB_REQUESTS], slot);
}

static const struct transaction *transaction_of(const struct ctx *c,
                                                const struct database_request *q)
{
    const struct database_params *p = c->params;
    return q->kind < p->kinds.count ? &p->kinds.items[q->kind] : &p->transaction;
}

static struct connections connections_for(struct ctx *c)
{
    const struct database_params *p = c->params;
    struct database_state *state = c->state;
    struct database_stats *st = c->stats;
    return (struct connections){.ctx = c,
                                .params = &p->connections,
                                .state = &state->connections,
                                .stats = &st->connections,
                                .slab = &c->slabs[SLAB_CONNECTIONS],
                                .takers = &c->slabs[SLAB_REQUESTS],
                                .offset = offsetof(struct database_request, connection),
                                .streams = &c->streams[STREAM_CONNECTIONS],
                                .timer_kind = TIMER_CONNECTIONS};
}

/* --- locks ------------------------------------------------------------------------------- */

static struct row_lock *lock_of(const struct ctx *c, const struct database_request *q)
{
    const struct database_state *state = c->state;
    struct row_lock *locks = sim_kept(c, state->locks);
    return &locks[q->row - 1];
}

static struct chain_slots lines_of(const struct ctx *c)
{
    return (struct chain_slots){&c->slabs[SLAB_REQUESTS], offsetof(struct database_request, link)};
}

/* Takes the row that the transaction writes to. False: it waits for it. */
static bool lock(struct ctx *c, struct database_request *q)
{
    const struct database_params *p = c->params;
    struct database_stats *st = c->stats;
    struct chain_slots in = lines_of(c);
    q->row = 1 + (uint32_t)rng_below(&c->streams[STREAM_ROWS], (uint64_t)p->rows);
    struct row_lock *row = lock_of(c, q);
    if (row->holder == 0) {
        row->holder = q->relay.slot + 1;
        return true;
    }
    q->stage = STAGE_LOCKING;
    q->asked = c->now;
    q->timer = sim_timer(c, TIMER_LOCK, p->lock_timeout,
                         slab_token(&c->slabs[SLAB_REQUESTS], q->relay.slot),
                         TIMER_FIRST | TIMER_CONSTANT);
    chain_push(&row->line, &in, q->relay.slot);
    gauge_add(&st->lock_waits, c->now, 1);
    return false;
}

static void leave_line(struct ctx *c, struct database_request *q)
{
    struct database_stats *st = c->stats;
    struct chain_slots in = lines_of(c);
    sim_cancel(c, q->timer);
    chain_drop(&lock_of(c, q)->line, &in, q->relay.slot);
    gauge_add(&st->lock_waits, c->now, -1);
}

static void go_on(struct ctx *c, struct database_request *q);

/* Lets go of a row that the transaction may have locked; the first in line has it then. */
static void unlock(struct ctx *c, const struct database_request *q)
{
    struct database_stats *st = c->stats;
    if (q->row == 0 || lock_of(c, q)->holder != q->relay.slot + 1) {
        return;
    }
    struct row_lock *row = lock_of(c, q);
    row->holder = row->line.first;
    if (row->holder) {
        struct database_request *next = request_at(c, row->holder - 1);
        leave_line(c, next);
        sim_record(c, &st->lock_wait_time, c->now - next->asked);
        go_on(c, next);
    }
}

/* --- steps ------------------------------------------------------------------------------- */

static void take_time(struct ctx *c, struct database_request *q, const struct dist *law)
{
    q->timer = sim_work(c, TIMER_STEP, law, STREAM_TIMES, sim_slowdown(c),
                        slab_token(&c->slabs[SLAB_REQUESTS], q->relay.slot));
}

static void act_on(struct ctx *c, struct connection_news news);

static void finish(struct ctx *c, struct database_request *q, enum end end)
{
    const struct database_params *p = c->params;
    struct database_stats *st = c->stats;
    struct relay relay = relay_of(c);
    struct connections connections = connections_for(c);
    st->transactions_committed += end == END_COMMITTED;
    st->transactions_failed += end == END_FAILED;
    st->lock_timeouts += end == END_LOCKED_OUT;
    st->transactions_aborted += end == END_ABORTED;
    sim_record(c, &st->transaction_time, c->now - q->begun);
    sim_record(c, &st->sojourn_time, c->now - q->relay.arrived);
    gauge_add(&st->open_transactions, c->now, -1);
    unlock(c, q);
    struct connection_news news = q->relay.detached
                                      ? connections_give_up(&connections, q->relay.slot)
                                      : connections_release(&connections, q->relay.slot);
    uint16_t status = end == END_COMMITTED ? STATUS_OK : (uint16_t)p->failure_status;
    relay_answer(&relay, &q->relay, &(struct message){.status = status});
    act_on(c, news);
}

/* What was done is undone; where nothing could be, at once. */
static void roll_back(struct ctx *c, struct database_request *q, enum end end)
{
    if (transaction_of(c, q)->read_only) {
        finish(c, q, end);
        return;
    }
    q->stage = STAGE_UNDOING;
    q->end = (uint8_t)end;
    take_time(c, q, &transaction_of(c, q)->rollback_time);
}

/* The next query, or the end of a transaction that has made all. */
static void go_on(struct ctx *c, struct database_request *q)
{
    const struct transaction *t = transaction_of(c, q);
    if (q->queries < t->queries) {
        q->stage = STAGE_QUERYING;
        take_time(c, q, &t->query_time);
    } else if (t->read_only) {
        finish(c, q, END_COMMITTED);
    } else {
        q->stage = STAGE_COMMITTING;
        take_time(c, q, &t->commit_time);
    }
}

static void end_query(struct ctx *c, struct database_request *q)
{
    struct database_stats *st = c->stats;
    double rate = transaction_of(c, q)->failure_rate;
    bool failed = rate > 0.0 && rng_unit(&c->streams[STREAM_FAILURES]) < rate;
    st->queries++;
    st->query_failures += failed;
    q->queries++;
    if (failed) {
        roll_back(c, q, END_FAILED);
    } else {
        go_on(c, q);
    }
}

static void on_step(struct ctx *c, const struct event *e)
{
    struct database_request *q = slab_find(&c->slabs[SLAB_REQUESTS], e->msg.token);
    CHECK(q, "a step of a transaction that is gone");
    if (q->stage == STAGE_QUERYING) {
        end_query(c, q);
    } else {
        finish(c, q, q->stage == STAGE_COMMITTING ? END_COMMITTED : (enum end)q->end);
    }
}

static void on_lock_timeout(struct ctx *c, const struct event *e)
{
    struct database_request *q = slab_find(&c->slabs[SLAB_REQUESTS], e->msg.token);
    CHECK(q && q->stage == STAGE_LOCKING, "a wait for a row that is over");
    leave_line(c, q);
    roll_back(c, q, END_LOCKED_OUT);
}

/* --- connections ------------------------------------------------------------------------- */

static void begin(struct ctx *c, struct database_request *q)
{
    const struct database_params *p = c->params;
    struct database_stats *st = c->stats;
    st->transactions_begun++;
    gauge_add(&st->waiting, c->now, -1);
    gauge_add(&st->open_transactions, c->now, 1);
    q->begun = c->now;
    if (p->rows == 0 || transaction_of(c, q)->read_only || lock(c, q)) {
        go_on(c, q);
    }
}

static void act_on(struct ctx *c, struct connection_news news)
{
    if (news.fate == FATE_NONE) {
        return;
    }
    struct database_request *q = request_at(c, news.taker);
    if (news.fate == FATE_HOLDS) {
        begin(c, q);
    } else {
        struct database_stats *st = c->stats;
        struct relay relay = relay_of(c);
        struct message refusal = connections_refusal(news.fate);
        gauge_add(&st->waiting, c->now, -1);
        relay_answer(&relay, &q->relay, &refusal);
    }
}

static void on_request(struct ctx *c, const struct event *e)
{
    const struct database_params *p = c->params;
    struct database_stats *st = c->stats;
    struct relay relay = relay_of(c);
    struct connections connections = connections_for(c);
    struct database_request *q = request_at(c, relay_take(&relay, e)->slot);
    gauge_add(&st->waiting, c->now, 1);
    q->kind = kind_find(p->kinds.items, p->kinds.count, sizeof *p->kinds.items, e->msg.class_);
    q->timer = 0;
    q->queries = q->row = 0;
    q->stage = STAGE_CONNECTING;
    act_on(c, connections_acquire(&connections, q->relay.slot));
}

/* Its caller waits no more for a transaction that is under way. */
static void abort_transaction(struct ctx *c, struct database_request *q)
{
    struct relay relay = relay_of(c);
    relay_detach(&relay, &q->relay);
    if (q->stage == STAGE_LOCKING) {
        leave_line(c, q);
        roll_back(c, q, END_ABORTED);
    } else if (q->stage == STAGE_QUERYING) {
        sim_cancel(c, q->timer);
        roll_back(c, q, END_ABORTED);
    }
}

static void on_cancel(struct ctx *c, const struct event *e)
{
    const struct database_params *p = c->params;
    struct relay relay = relay_of(c);
    struct relay_slot *s = p->on_cancel == CANCEL_IGNORED ? NULL : relay_find(&relay, e);
    if (!s) {
        return;
    }
    struct database_request *q = request_at(c, s->slot);
    if (q->stage == STAGE_CONNECTING) {
        struct connections connections = connections_for(c);
        struct database_stats *st = c->stats;
        struct connection_news news = connections_give_up(&connections, s->slot);
        gauge_add(&st->waiting, c->now, -1);
        relay_drop(&relay, s, false);
        act_on(c, news);
    } else if (p->on_cancel == CANCEL_ABORTS) {
        abort_transaction(c, q);
    }
}

/* --- the rest ---------------------------------------------------------------------------- */

static void init(struct ctx *c)
{
    const struct database_params *p = c->params;
    struct database_state *state = c->state;
    struct connections connections = connections_for(c);
    if (p->rows > 0) {
        state->locks = sim_keep(c, (size_t)p->rows * sizeof(struct row_lock));
    }
    connections_begin(&connections);
}

static void crash(struct ctx *c)
{
    const struct database_params *p = c->params;
    struct database_state *state = c->state;
    struct database_stats *st = c->stats;
    struct relay relay = relay_of(c);
    struct connections connections = connections_for(c);
    connections_crash(&connections);
    relay_crash(&relay);
    if (p->rows > 0) {
        memset(sim_kept(c, state->locks), 0, (size_t)p->rows * sizeof(struct row_lock));
    }
    st->transactions_lost += (uint64_t)st->open_transactions.level;
    st->waiting_lost += (uint64_t)st->waiting.level;
    gauge_set(&st->waiting, c->now, 0);
    gauge_set(&st->open_transactions, c->now, 0);
    gauge_set(&st->lock_waits, c->now, 0);
}

static void handle(struct ctx *c, const struct event *e)
{
    struct connections connections = connections_for(c);
    switch (e->kind) {
    case EVENT_REQUEST:
        on_request(c, e);
        break;
    case EVENT_CANCEL:
        on_cancel(c, e);
        break;
    case EVENT_ACTION:
        if (e->msg.status == ACTION_CRASH) {
            crash(c);
        } else if (e->msg.status == ACTION_RESTART) {
            connections_begin(&connections);
        }
        break;
    case TIMER_STEP:
        on_step(c, e);
        break;
    case TIMER_LOCK:
        on_lock_timeout(c, e);
        break;
    default:
        act_on(c, connections_handle(&connections, e));
        break;
    }
}

static void traffic(const void *params, struct traffic *t)
{
    const struct database_params *p = params;
    t->events = t->in * (2.0 + (double)p->transaction.queries); /* arrival, queries, commit */
}

const struct entity_type database_type = {
    .name = "database",
    .answers = true,
    .heeds = 1u << ACTION_SLOW,
    .params = &schema,
    .stats = stats,
    .stats_size = sizeof(struct database_stats),
    .state_size = sizeof(struct database_state),
    .streams = streams,
    .slabs = {sizeof(struct database_request), sizeof(struct connection)},
    .init = init,
    .handle = handle,
    .miss = relay_miss,
    .traffic = traffic};
