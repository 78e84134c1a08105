/* SPDX-License-Identifier: Apache-2.0
 *
 * What is counted of the calls that an entity makes. Every attempt begun is a first try, a retry or
 * a hedge: logical_requests + retries + hedges of them. Of these some were not sent
 * (rate_limited, circuit_broken, throttled, low_timeouts, dropped, connection_wait_timeouts), and
 * of requests_sent each has one end: responses_received, timeouts, refused, cancelled, or its
 * request was abandoned. Before a pool, requests_sent are those that got a connection of it; what
 * it refused for want of one is also among refused, and what was given up before is only among
 * unwritten.
 */
#ifndef SQUALL_PARTS_CALL_STATS_H
#define SQUALL_PARTS_CALL_STATS_H

#include "parts/breaker_counts.h"
#include "stats/stat_spec.h"

/* What every request touches comes first. */
struct caller_stats {
    uint64_t logical_requests, successes, requests_sent, responses_received;
    uint64_t retries, errors, timeouts, late_responses;
    struct gauge in_flight;
    struct histogram response_time, request_latency;
    uint64_t failures, abandoned, refused, messages_lost, retries_denied;
    uint64_t hedges, hedge_wins, cancelled, wasted_time, late_successes;
    uint64_t rate_limited, circuit_broken, throttled, low_timeouts, dropped;
    uint64_t connection_wait_timeouts;
    uint64_t reconnects, connect_failures, unwritten;
    struct breaker_counts breakers;
    struct breakdown attempt_latency, outcome_latency, retry_reasons; /* by callee and status */
};

/* Statistics rows of a caller_stats that is the member `at` of struct `tag`. `p` goes before
 * their names and `d` before their descriptions: an entity that both answers and calls must keep
 * the two apart. */
#define CALLER_STAT(tag, at, prefix, about, member, unit_, kind_, doc_) \
    { \
        .name = prefix #member, .doc = about doc_, .unit = unit_, .kind = kind_, \
        .offset = offsetof(struct tag, at) + offsetof(struct caller_stats, member) \
    }
#define CALLER_COUNTER(tag, at, p, d, member, doc_) \
    CALLER_STAT(tag, at, p, d, member, "1", STAT_COUNTER, doc_)
#define CALLER_GAUGE(tag, at, p, d, member, doc_) \
    CALLER_STAT(tag, at, p, d, member, "1", STAT_GAUGE, doc_)
#define CALLER_BREAKDOWN(tag, at, p, d, member, doc_) \
    CALLER_STAT(tag, at, p, d, member, "ns", STAT_BREAKDOWN, doc_)
#define CALLER_STATS(tag, at, p, d) \
    CALLER_COUNTER(tag, at, p, d, logical_requests, "Requests begun."), \
        CALLER_COUNTER(tag, at, p, d, successes, "Requests that ended well."), \
        CALLER_COUNTER(tag, at, p, d, failures, "Requests given up."), \
        CALLER_COUNTER(tag, at, p, d, abandoned, \
                       "Requests forgotten when the caller crashed or had no use for them."), \
        CALLER_COUNTER(tag, at, p, d, requests_sent, "Attempts sent, the first ones included."), \
        CALLER_COUNTER(tag, at, p, d, responses_received, \
                       "Replies that came in time, whatever their status."), \
        CALLER_COUNTER(tag, at, p, d, errors, \
                       "Replies that came in time with a status of failure."), \
        CALLER_COUNTER(tag, at, p, d, timeouts, "Attempts that timed out."), \
        CALLER_COUNTER(tag, at, p, d, refused, "Attempts that found no connection."), \
        CALLER_COUNTER(tag, at, p, d, retries, "Attempts that began a round after the first."), \
        CALLER_COUNTER(tag, at, p, d, retries_denied, \
                       "Retries and hedges that the budget did not allow."), \
        CALLER_COUNTER(tag, at, p, d, hedges, "Attempts beside another of the same request."), \
        CALLER_COUNTER(tag, at, p, d, hedge_wins, "Requests that a hedge decided."), \
        CALLER_COUNTER(tag, at, p, d, cancelled, \
                       "Attempts under way that were given up because another one decided."), \
        CALLER_STAT(tag, at, p, d, wasted_time, "ns", STAT_COUNTER, \
                    "From the beginning of such attempts to their cancellation."), \
        CALLER_COUNTER(tag, at, p, d, late_responses, \
                       "Replies to attempts that had been given up."), \
        CALLER_COUNTER(tag, at, p, d, late_successes, "Requests that such a reply ended well."), \
        CALLER_COUNTER(tag, at, p, d, messages_lost, "Attempts lost on the wire."), \
        CALLER_COUNTER(tag, at, p, d, rate_limited, \
                       "Attempts that would have been more than the rate limit allows."), \
        CALLER_COUNTER(tag, at, p, d, circuit_broken, \
                       "Attempts that a circuit breaker did not let through."), \
        CALLER_COUNTER(tag, at, p, d, throttled, "Attempts that the throttle held back."), \
        CALLER_COUNTER(tag, at, p, d, low_timeouts, \
                       "Attempts not sent because their deadline was too near."), \
        CALLER_COUNTER(tag, at, p, d, dropped, "Attempts lost in a conditioner."), \
        CALLER_COUNTER(tag, at, p, d, connection_wait_timeouts, \
                       "Attempts that waited too long for a connection of the pool."), \
        CALLER_COUNTER(tag, at, p, d, reconnects, \
                       "Times that a connection was tried once more for the same attempt."), \
        CALLER_COUNTER(tag, at, p, d, connect_failures, \
                       "Connections that were not made within their limit."), \
        CALLER_COUNTER(tag, at, p, d, unwritten, \
                       "Attempts given up before they had a connection."), \
        BREAKER_STATS_AS(tag, at.breakers, p "breaker_", p "breakers_", d), \
        CALLER_GAUGE(tag, at, p, d, in_flight, \
                     "Requests begun and not ended, those that wait for a retry included."), \
        CALLER_STAT(tag, at, p, d, response_time, "ns", STAT_HISTOGRAM, \
                    "From the beginning of an attempt to its reply, for replies in time."), \
        CALLER_STAT(tag, at, p, d, request_latency, "ns", STAT_HISTOGRAM, \
                    "From the beginning of a request to its end, well or not."), \
        CALLER_BREAKDOWN(tag, at, p, d, attempt_latency, \
                         "How attempts ended: from the beginning of each to its end."), \
        CALLER_BREAKDOWN(tag, at, p, d, outcome_latency, \
                         "How requests ended: from the beginning of each to its end."), \
        CALLER_BREAKDOWN(tag, at, p, d, retry_reasons, \
                         "After what there were retries: the waits before them.")

#endif
