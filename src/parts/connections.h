/* SPDX-License-Identifier: Apache-2.0
 *
 * Connections: a limited number of them, each held by one taker at a time. A taker gets the idle
 * connection that was released first; else a new one is made for it, which takes time, while there
 * are fewer than the maximum (those being made count); else it waits in line until one is handed
 * over, or for as long as it may.
 *
 * A connection that nobody has claimed goes to the first in line when it is ready: one whose taker
 * left while it was made, one of the warm-up, and one that is made in place of a connection that
 * was closed while takers wait. When such a one cannot be made, that is the first taker's failure.
 *
 * Timers win: a taker whose time is up does not get what is released at that very instant, nor
 * does anybody get a connection whose time is up.
 */
#ifndef SQUALL_PARTS_CONNECTIONS_H
#define SQUALL_PARTS_CONNECTIONS_H

#include "engine/entity.h"
#include "parts/chain.h"

enum poison { POISON_REUSE, POISON_CLOSE };

struct connections_params {
    int64_t min_connections, max_connections;
    sim_time connection_timeout, idle_timeout, max_lifetime; /* [ns] */
    struct dist connection_latency;
    double connect_failure_rate; /* [1] */
    int64_t connection_attempts;
    int poison_on_timeout; /* enum poison */
    bool warmup, refill_min;
};

extern const char *const poison_words[];

/* Rows of a connections_params that is the member `at` of struct `tag`; `most_` is the default of
 * max_connections. Whose schema has them calls
 * connections_derive in its own `derive`. */
#define CONNECTION_ROW(tag, at, member, kind_, unit_, fallback_, ...) \
    { \
        .name = #member, .unit = unit_, .fallback = fallback_, .kind = kind_, \
        .offset = offsetof(struct tag, at) + offsetof(struct connections_params, member), \
        __VA_ARGS__ \
    }
#define CONNECTION_ROWS(tag, at, most_) \
    CONNECTION_ROW(tag, at, max_connections, PARAM_COUNT, "1", most_, .low = 1, .high = 1e9, \
                   .absent = "unlimited", \
                   .doc = "Most connections at a time, those being made included."), \
        CONNECTION_ROW(tag, at, min_connections, PARAM_COUNT, "1", "0", .low = 0, .high = 1e9, \
                       .doc = "Connections that are kept although idle, and made by the " \
                              "warm-up."), \
        CONNECTION_ROW(tag, at, connection_timeout, PARAM_DURATION, "ns", "5s", .low = 1, \
                       .high = 1e18, .absent = "none", \
                       .doc = "Time a request may wait in line for a connection; then it is " \
                              "answered with 597."), \
        CONNECTION_ROW(tag, at, idle_timeout, PARAM_DURATION, "ns", "60s", .low = 1, .high = 1e18, \
                       .absent = "none", \
                       .doc = "Time after which an idle connection is closed, if there are more " \
                              "than the minimum."), \
        CONNECTION_ROW(tag, at, max_lifetime, PARAM_DURATION, "ns", "none", .low = 1, \
                       .high = 1e18, .absent = "none", \
                       .doc = "Age at which a connection is closed as soon as nobody has it, " \
                              "even below the minimum."), \
        CONNECTION_ROW(tag, at, connection_latency, PARAM_CHOICE, "", "10ms", \
                       .choice = &dist_duration, \
                       .doc = "Time that it takes to make a connection."), \
        CONNECTION_ROW(tag, at, connect_failure_rate, PARAM_REAL, "1", "0", .low = 0, .high = 1, \
                       .doc = "Probability that an attempt to make a connection fails, which is " \
                              "known after the same time."), \
        CONNECTION_ROW(tag, at, connection_attempts, PARAM_COUNT, "1", "1", .low = 1, .high = 1e9, \
                       .doc = "Attempts at making a connection, one after the other, before its " \
                              "request is answered with 489."), \
        CONNECTION_ROW(tag, at, poison_on_timeout, PARAM_WORD, "", "reuse", .words = poison_words, \
                       .doc = "What becomes of a connection whose request was given up: it is " \
                              "used again, or closed."), \
        CONNECTION_ROW(tag, at, warmup, PARAM_BOOL, "", "false", \
                       .doc = "Whether the minimum of connections is made at the start, and " \
                              "after a crash, one after the other."), \
        CONNECTION_ROW(tag, at, refill_min, PARAM_BOOL, "", "false", \
                       .doc = "Whether a new connection is made when one is closed and fewer " \
                              "than the minimum are left.")

void connections_derive(const struct connections_params *p, const struct node *at,
                        struct diag *diag);

struct connections_stats {
    uint64_t connections_created, connections_closed, connection_failures;
    uint64_t acquisitions, releases, timeouts, failures, given_up, total_wait_time;
    struct gauge active, idle, connecting, total, pending;
    struct histogram wait_time;
};

/* Statistics rows of a connections_stats that is the member `at` of struct `tag`. */
#define CONNECTIONS_STAT(tag, at, member, unit_, kind_, doc_) \
    { \
        .name = #member, .doc = doc_, .unit = unit_, .kind = kind_, \
        .offset = offsetof(struct tag, at) + offsetof(struct connections_stats, member) \
    }
#define CONNECTIONS_STATS(tag, at) \
    CONNECTIONS_STAT(tag, at, connections_created, "1", STAT_COUNTER, "Connections made."), \
        CONNECTIONS_STAT(tag, at, connections_closed, "1", STAT_COUNTER, \
                         "Connections closed, in crashes, too."), \
        CONNECTIONS_STAT(tag, at, connection_failures, "1", STAT_COUNTER, \
                         "Attempts to make a connection that failed."), \
        CONNECTIONS_STAT(tag, at, acquisitions, "1", STAT_COUNTER, \
                         "Requests for a connection, however they went on."), \
        CONNECTIONS_STAT(tag, at, releases, "1", STAT_COUNTER, \
                         "Connections let go by who held them."), \
        CONNECTIONS_STAT(tag, at, timeouts, "1", STAT_COUNTER, \
                         "Requests that waited too long for a connection."), \
        CONNECTIONS_STAT(tag, at, failures, "1", STAT_COUNTER, \
                         "Requests whose connection could not be made."), \
        CONNECTIONS_STAT(tag, at, given_up, "1", STAT_COUNTER, \
                         "Requests given up before they had a connection."), \
        CONNECTIONS_STAT(tag, at, total_wait_time, "ns", STAT_COUNTER, \
                         "Time spent waiting in line by who then got a connection."), \
        CONNECTIONS_STAT(tag, at, active, "1", STAT_GAUGE, "Connections held by requests."), \
        CONNECTIONS_STAT(tag, at, idle, "1", STAT_GAUGE, "Connections held by nobody."), \
        CONNECTIONS_STAT(tag, at, connecting, "1", STAT_GAUGE, "Connections being made."), \
        CONNECTIONS_STAT(tag, at, total, "1", STAT_GAUGE, \
                         "Connections, those being made included."), \
        CONNECTIONS_STAT(tag, at, pending, "1", STAT_GAUGE, \
                         "Requests that wait in line for a connection."), \
        CONNECTIONS_STAT(tag, at, wait_time, "ns", STAT_HISTOGRAM, \
                         "Time spent waiting in line, for requests that got a connection.")

/* A connection, or one being made; a slot of the part's slab. */
struct connection {
    struct chain_link link; /* among the idle */
    uint64_t timer;         /* of its closing, while it is idle */
    sim_time made;          /* [ns] */
    uint32_t taker;         /* 1-based slot of who has it or for whom it is made, 0: nobody */
    entity_id owner;
    uint32_t attempts; /* at making it */
    uint8_t state;
    bool warming; /* one of the warm-up */
};

/* What a taker's slot holds. */
struct acquisition {
    struct chain_link link; /* among those in line */
    uint64_t timer;         /* of its wait in line */
    sim_time since;         /* [ns] when it asked */
    uint32_t connection;    /* 1-based: held, or being made for it; 0: in line, or not at all */
};

/* Held by value in the owner's state, zero at first. */
struct connections_state {
    struct chain idle, line;
    uint32_t total;     /* connections, those being made included */
    uint32_t making;    /* those being made */
    uint32_t unclaimed; /* and of these those for nobody */
};

enum { CONNECTIONS_STREAMS = 2, CONNECTIONS_TIMERS = 2 };
#define CONNECTIONS_STREAM_NAMES "connecting", "failures"

/* What the part needs of its owner; put together on the spot, never stored. */
struct connections {
    struct ctx *ctx;
    const struct connections_params *params;
    struct connections_state *state;
    struct connections_stats *stats;
    struct slab *slab;          /* of struct connection */
    struct slab *takers;        /* the owner's own */
    size_t offset;              /* of the struct acquisition in a taker's slot */
    struct rng_stream *streams; /* CONNECTIONS_STREAMS of them */
    uint16_t timer_kind;        /* the first of CONNECTIONS_TIMERS kinds of the owner's timers */
};

/* What became of a taker; each call is news for one at most. */
enum fate {
    FATE_NONE,      /* nothing */
    FATE_HOLDS,     /* it has its connection */
    FATE_TIMED_OUT, /* it has left the line */
    FATE_FAILED,    /* its connection could not be made */
};
struct connection_news {
    enum fate fate;
    uint32_t taker; /* slot */
};

/* What a taker is answered that gets no connection. */
struct message connections_refusal(enum fate fate);

/* Begins the warm-up, if there is one; for the owner's `init` and after a restart. */
void connections_begin(const struct connections *c);

/* The taker in this slot asks for a connection. */
struct connection_news connections_acquire(const struct connections *c, uint32_t taker);

/* It lets go of the connection that it holds. */
struct connection_news connections_release(const struct connections *c, uint32_t taker);

/* It is given up, whether it holds a connection, has one made or waits in line. */
struct connection_news connections_give_up(const struct connections *c, uint32_t taker);

/* One of the part's timers has come due. */
struct connection_news connections_handle(const struct connections *c, const struct event *e);

/* The owner has crashed: all connections are closed and all takers forgotten. */
void connections_crash(const struct connections *c);

#endif
