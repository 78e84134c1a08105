/* SPDX-License-Identifier: Apache-2.0 */
#include "parts/call_reply.h"

struct message call_reply(const struct attempt_end *last)
{
    switch ((enum attempt_error)last->error) {
    case ERROR_NONE:
        return (struct message){
            .status = last->status, .flags = last->flags, .deadline = last->retry_after};
    case ERROR_TIMEOUT:
        return (struct message){.status = STATUS_GATEWAY_TIMEOUT};
    case ERROR_THROTTLED:
        return (struct message){.status = STATUS_LIMITED, .flags = REPLY_NO_RETRY};
    case ERROR_CIRCUIT_OPEN:
    case ERROR_DEADLINE:
        return (struct message){.status = STATUS_BAD_GATEWAY, .flags = REPLY_NO_RETRY};
    case ERROR_REFUSED:
    case ERROR_RESET:
    case ERROR_DROPPED:
    case ERROR_NO_CONNECTION:
        break;
    }
    return (struct message){.status = STATUS_BAD_GATEWAY};
}
