/* SPDX-License-Identifier: Apache-2.0
 *
 * What a proxy that makes a call for somebody tells that one: the reply that decided, if there was
 * one. Else 504 after a timeout, 429 from its own rate limit or throttle, and 502; what it held
 * back itself is not to be tried again.
 */
#ifndef SQUALL_PARTS_CALL_REPLY_H
#define SQUALL_PARTS_CALL_REPLY_H

#include "engine/event.h"
#include "policies/verdict.h"

struct message call_reply(const struct attempt_end *last);

#endif
