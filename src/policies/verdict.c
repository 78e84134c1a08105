/* SPDX-License-Identifier: Apache-2.0 */
#include "policies/verdict.h"

#include <stddef.h>

enum outcome verdict_of(unsigned status)
{
    if (status < 400) {
        return OUTCOME_SUCCESS;
    }
    if (status >= 500 || status == STATUS_TIMEOUT || status == STATUS_LIMITED ||
        status == STATUS_NETWORK) {
        return OUTCOME_ERROR;
    }
    return OUTCOME_FINAL;
}

const char *status_name(unsigned status)
{
    /* Without a default, so that the compiler tells of a status left out. */
    switch ((enum status)status) {
    case STATUS_OK:
        return "ok";
    case STATUS_TIMEOUT:
        return "timeout";
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
    }
    return NULL;
}
