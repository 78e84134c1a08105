/* SPDX-License-Identifier: Apache-2.0
 *
 * What the status of a reply means to the caller. Statuses are those of HTTP, and a few of the
 * same kind for what never came from a target: refusals on the way and failures to get through.
 */
#ifndef SQUALL_POLICIES_VERDICT_H
#define SQUALL_POLICIES_VERDICT_H

/* The statuses that the simulated parts themselves answer with. */
enum status {
    STATUS_OK = 200,
    STATUS_TIMEOUT = 408,         /* too little time left to begin */
    STATUS_LIMITED = 429,         /* refused by a rate limiter */
    STATUS_REDIRECTS = 488,       /* too many redirects */
    STATUS_NETWORK = 489,         /* no connection, or it broke */
    STATUS_CANCELLED = 499,       /* given up by the caller */
    STATUS_BAD_GATEWAY = 502,     /* what was called for it failed */
    STATUS_OVERLOADED = 503,      /* refused for lack of room, or no backend left */
    STATUS_GATEWAY_TIMEOUT = 504, /* the gateway's own time for the backend ran out */
};

/* How an attempt ended. */
enum outcome {
    OUTCOME_SUCCESS,
    OUTCOME_ERROR,   /* an answer that another attempt may better */
    OUTCOME_FINAL,   /* an answer that no attempt will better */
    OUTCOME_TIMEOUT, /* no answer in time */
};

/* The outcome of an attempt answered with `status`: below 400 success; 408, 429, 489 and from 500
 * on error; the others final. */
enum outcome verdict_of(unsigned status);

/* "ok", "limited", "bad_gateway", ...; NULL for a status that enum status does not name. */
const char *status_name(unsigned status);

#endif
