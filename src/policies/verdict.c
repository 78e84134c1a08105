/* SPDX-License-Identifier: Apache-2.0 */
#include "policies/verdict.h"

#include <stddef.h>

#include "base/check.h"
#include "base/units.h"

const char *const attempt_error_words[] = {
    [ERROR_NONE] = "answered",
    [ERROR_TIMEOUT] = "timeout",
    [ERROR_REFUSED] = "refused",
    [ERROR_RESET] = "reset",
    [ERROR_DROPPED] = "dropped",
    [ERROR_CIRCUIT_OPEN] = "circuit_open",
    [ERROR_NO_CONNECTION] = "no_connection",
    [ERROR_THROTTLED] = "throttled",
    [ERROR_DEADLINE] = "deadline",
    NULL,
};

const char *const reply_flag_words[] = {"do_not_retry", "retry_after", "retry_at",
                                        "flaky",        "processing",  NULL};

const char *const method_words[] = {
    [METHOD_GET] = "GET",         [METHOD_POST] = "POST",   [METHOD_PUT] = "PUT",
    [METHOD_DELETE] = "DELETE",   [METHOD_PATCH] = "PATCH", [METHOD_HEAD] = "HEAD",
    [METHOD_OPTIONS] = "OPTIONS", [METHOD_OTHER] = "OTHER", NULL,
};

const char *const failure_kind_words[] = {"timeout", "error", "final", NULL};

bool outcome_is_among(uint32_t kinds, enum outcome outcome)
{
    switch (outcome) {
    case OUTCOME_SUCCESS:
        return false;
    case OUTCOME_ERROR:
        return kinds & FAILURE_ERROR;
    case OUTCOME_FINAL:
        return kinds & FAILURE_FINAL;
    case OUTCOME_TIMEOUT:
        return kinds & FAILURE_TIMEOUT;
    }
    CHECK(false, "no such outcome: %d", (int)outcome);
}

/* Reads a status at `*p`, which moves on; -1 unless there are three digits. */
static int read_status(const char **p)
{
    int status = 0;
    for (int i = 0; i < 3; i++, ++*p) {
        if (**p < '0' || **p > '9') {
            return -1;
        }
        status = 10 * status + (**p - '0');
    }
    return status;
}

static void derive_range(void *value, const struct node *at, struct diag *diag, struct arena *arena)
{
    struct status_range *r = value;
    const char *p = r->written;
    r->low = r->high = read_status(&p);
    if (*p == '-' && r->low >= 0) {
        p++;
        r->high = read_status(&p);
    }
    if (*p || r->low < 100 || r->high < 100 || r->low > 599 || r->high > 599) {
        diag_error(diag, at, "%s is neither a status from 100 to 599 nor a range of them (500-599)",
                   units_quote(r->written, arena));
    } else if (r->high < r->low) {
        diag_error(diag, at, "the range ends before it begins");
    }
}

static const struct param_spec range_rows[] = {
    P_TEXT(status_range, written, NULL,
           "A status, as 503, or all from one to another, as 500-599."),
    P_END};

const struct schema status_range_schema = {
    .name = "statuses",
    .summary = "One status of an answer, or several that follow one another.",
    .size = sizeof(struct status_range),
    .rows = range_rows,
    .shorthand = true,
    .positional = true,
    .derive = derive_range,
};

bool status_is_among(const status_ranges *ranges, unsigned status)
{
    for (uint32_t i = 0; i < ranges->count; i++) {
        const struct status_range *r = &ranges->items[i];
        if ((int)status >= r->low && (int)status <= r->high) {
            return true;
        }
    }
    return false;
}

/* In the order of enum outcome. */
static const char *const verdict_words[] = {"success", "error", "final", NULL};

static const struct param_spec verdict_rows[] = {
    P_LIST(status_verdict, status, status_range_schema, NULL, "The statuses."),
    P_WORD(status_verdict, verdict, verdict_words, NULL,
           "What they are: a success, an error that another attempt may better, or final."),
    P_END};

const struct schema status_verdict_schema = {
    .name = "status_verdict",
    .summary = "What some statuses mean to a caller.",
    .size = sizeof(struct status_verdict),
    .rows = verdict_rows,
};

enum outcome verdict_of(unsigned status)
{
    if (status < 400) {
        return OUTCOME_SUCCESS;
    }
    if (status == STATUS_NO_CONNECTION) {
        return OUTCOME_FINAL;
    }
    if (status >= 500 || status == STATUS_TIMEOUT || status == STATUS_LIMITED ||
        status == STATUS_NETWORK) {
        return OUTCOME_ERROR;
    }
    return OUTCOME_FINAL;
}

enum outcome verdict_of_answer(const struct attempt_end *end, const status_verdicts *own)
{
    for (uint32_t i = 0; own && i < own->count; i++) {
        if (status_is_among(&own->items[i].status, end->status)) {
            return (enum outcome)own->items[i].verdict;
        }
    }
    enum outcome outcome = verdict_of(end->status);
    bool forbidden = outcome == OUTCOME_ERROR && end->flags & REPLY_NO_RETRY;
    return forbidden ? OUTCOME_FINAL : outcome;
}

const char *status_name(unsigned status)
{
    /* Without a default, so that the compiler tells of a status left out. */
    switch ((enum status)status) {
    case STATUS_CONTINUE:
        return "continue";
    case STATUS_OK:
        return "ok";
    case STATUS_ACCEPTED:
        return "accepted";
    case STATUS_TIMEOUT:
        return "timeout";
    case STATUS_CONFLICT:
        return "conflict";
    case STATUS_LIMITED:
        return "limited";
    case STATUS_REDIRECTS:
        return "redirects";
    case STATUS_NETWORK:
        return "network";
    case STATUS_CANCELLED:
        return "cancelled";
    case STATUS_BAD_GATEWAY:
        return "bad_gateway";
    case STATUS_OVERLOADED:
        return "overloaded";
    case STATUS_GATEWAY_TIMEOUT:
        return "gateway_timeout";
    case STATUS_NO_CONNECTION:
        return "no_connection";
    }
    return NULL;
}
