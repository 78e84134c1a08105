/* SPDX-License-Identifier: Apache-2.0
 *
 * How an attempt ends, and what that means to the caller. Statuses are those of HTTP, and a few of
 * the same kind for what never came from a target: refusals on the way and failures to get through.
 * Whoever hears more than a status of the end (the kind of an error, what a reply said besides)
 * puts it into a struct attempt_end.
 */
#ifndef SQUALL_POLICIES_VERDICT_H
#define SQUALL_POLICIES_VERDICT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/schema.h"
#include "base/simtime.h"

/* The statuses that the simulated parts themselves answer with. */
enum status {
    STATUS_CONTINUE = 100, /* not the last reply: the request holds a connection of a pool */
    STATUS_OK = 200,
    STATUS_ACCEPTED = 202,        /* put down, to be done later */
    STATUS_TIMEOUT = 408,         /* too little time left to begin */
    STATUS_CONFLICT = 409,        /* what was to be changed has changed meanwhile */
    STATUS_LIMITED = 429,         /* refused by a rate limiter */
    STATUS_REDIRECTS = 488,       /* too many redirects */
    STATUS_NETWORK = 489,         /* no connection, or it broke */
    STATUS_CANCELLED = 499,       /* given up by the caller */
    STATUS_BAD_GATEWAY = 502,     /* what was called for it failed */
    STATUS_OVERLOADED = 503,      /* refused for lack of room, or no backend left */
    STATUS_GATEWAY_TIMEOUT = 504, /* the gateway's own time for the backend ran out */
    STATUS_NO_CONNECTION = 597,   /* no connection of a pool came free in time */
};

/* False for a reply that says how a request is getting on, and that more is to come. */
static inline bool status_is_last(unsigned status)
{
    return status >= STATUS_OK;
}

/* Why there was no answer. */
enum attempt_error {
    ERROR_NONE,          /* there was one */
    ERROR_TIMEOUT,       /* not in time */
    ERROR_REFUSED,       /* no connection was made */
    ERROR_RESET,         /* the connection broke */
    ERROR_DROPPED,       /* the attempt was lost on the caller's side of the network */
    ERROR_CIRCUIT_OPEN,  /* a circuit breaker let nothing through */
    ERROR_NO_CONNECTION, /* none of the pool's came free in time */
    ERROR_THROTTLED,     /* the caller's own limit let nothing through */
    ERROR_DEADLINE,      /* too little time was left to begin */
};

/* What an answer says besides its status; bits. */
enum reply_flag {
    REPLY_NO_RETRY = 1,    /* not to be tried again */
    REPLY_RETRY_AFTER = 2, /* when to try again */
    REPLY_RETRY_AT = 4,    /* beside REPLY_RETRY_AFTER: as an instant, not as a time to wait */
    REPLY_FLAKY = 8,       /* its content will not pass the caller's examination */
    REPLY_PROCESSING = 16, /* not ready yet: ask again */
    REPLY_REFUSED = 32,    /* beside STATUS_NETWORK: there was no connection, so it was not begun */
};

enum method {
    METHOD_GET,
    METHOD_POST,
    METHOD_PUT,
    METHOD_DELETE,
    METHOD_PATCH,
    METHOD_HEAD,
    METHOD_OPTIONS,
    METHOD_OTHER,
};

/* Whether a request by this method only reads. */
static inline bool method_is_safe(unsigned method)
{
    return method == METHOD_GET || method == METHOD_HEAD || method == METHOD_OPTIONS;
}

/* Words for rows, in the order of enum attempt_error (whose 0 is called "answered"), of the bits of
 * enum reply_flag, and of enum method. */
extern const char *const attempt_error_words[];
extern const char *const reply_flag_words[];
extern const char *const method_words[];

/* How an attempt ended. Nothing of it outlives the attempt: a timeout has no status and no flags,
 * whatever the attempt before was answered with. */
struct attempt_end {
    uint16_t status;      /* 0 without an answer */
    uint8_t error;        /* enum attempt_error */
    uint8_t flags;        /* enum reply_flag; 0 without an answer */
    uint32_t bytes;       /* of the answer, for whoever hands it on */
    sim_time retry_after; /* [ns] with REPLY_RETRY_AFTER; not bounded, may be negative */
};

/* The end that a reply makes, by what it says. Without a connection there was no answer. */
static inline struct attempt_end attempt_end_of_reply(unsigned status, unsigned flags,
                                                      sim_time retry_after)
{
    if (flags & REPLY_REFUSED) {
        return (struct attempt_end){.error = ERROR_REFUSED};
    }
    return (struct attempt_end){.status = (uint16_t)status,
                                .error = status == STATUS_NETWORK ? ERROR_RESET : ERROR_NONE,
                                .flags = (uint8_t)flags,
                                .retry_after = retry_after};
}

/* What an end means. */
enum outcome {
    OUTCOME_SUCCESS,
    OUTCOME_ERROR,   /* an end that another attempt may better */
    OUTCOME_FINAL,   /* an end that no attempt will better */
    OUTCOME_TIMEOUT, /* no answer in time */
};

/* Outcomes that are failures, as bits, in the order of failure_kind_words for a row. */
enum failure_kind { FAILURE_TIMEOUT = 1, FAILURE_ERROR = 2, FAILURE_FINAL = 4 };

extern const char *const failure_kind_words[];

/* Whether an outcome is one of the failures that `kinds`, bits of enum failure_kind, name. */
bool outcome_is_among(uint32_t kinds, enum outcome outcome);

/* Statuses from `low` to `high`, both included, written "503" or "500-599". */
struct status_range {
    const char *written;
    int low, high; /* derived */
};

typedef LIST_OF(struct status_range) status_ranges;

extern const struct schema status_range_schema;

bool status_is_among(const status_ranges *ranges, unsigned status);

/* A verdict of one's own on some statuses. */
struct status_verdict {
    status_ranges status;
    int verdict; /* enum outcome but for OUTCOME_TIMEOUT */
};

/* Of which the first that names a status decides. */
typedef LIST_OF(struct status_verdict) status_verdicts;

extern const struct schema status_verdict_schema;

/* The outcome of an attempt answered with `status`: below 400 success; 408, 429, 489 and from 500
 * on error, but for STATUS_NO_CONNECTION; the others final. */
enum outcome verdict_of(unsigned status);

/* Likewise, but `own`, which may be NULL, goes before, and REPLY_NO_RETRY makes a final end of what
 * is no success. */
enum outcome verdict_of_answer(const struct attempt_end *end, const status_verdicts *own);

/* The outcome of an attempt, by the first of these that applies:
 * - without an answer: a timeout; an error when it got lost on the way (refused, reset, dropped);
 *   final when the caller itself did not let it go;
 * - verdict_of_answer. */
static inline enum outcome verdict_of_end(const struct attempt_end *end, const status_verdicts *own)
{
    switch ((enum attempt_error)end->error) {
    case ERROR_NONE:
        return verdict_of_answer(end, own);
    case ERROR_TIMEOUT:
        return OUTCOME_TIMEOUT;
    case ERROR_REFUSED:
    case ERROR_RESET:
    case ERROR_DROPPED:
        return OUTCOME_ERROR;
    case ERROR_CIRCUIT_OPEN:
    case ERROR_NO_CONNECTION:
    case ERROR_THROTTLED:
    case ERROR_DEADLINE:
        break;
    }
    return OUTCOME_FINAL;
}

/* "ok", "limited", "bad_gateway", ...; NULL for a status that enum status does not name. */
const char *status_name(unsigned status);

#endif
