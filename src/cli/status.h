/* SPDX-License-Identifier: Apache-2.0
 *
 * The parts of squall status: for people (status.c) and for programs (status_json.c).
 */
#ifndef SQUALL_CLI_STATUS_H
#define SQUALL_CLI_STATUS_H

#include "experiment/survey.h"

/* Prints one JSON object. Times are in seconds, those at which something was since 1970 (UTC); what
 * is not known is null. `by_point`: also each point. */
void status_json(const struct survey *s, bool by_point);

#endif
