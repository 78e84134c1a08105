/* SPDX-License-Identifier: Apache-2.0
 *
 * Texts and numbers of JSON.
 */
#ifndef SQUALL_BASE_JSON_H
#define SQUALL_BASE_JSON_H

#include <stdio.h>

/* A text in quotes. Bytes that are no UTF-8 are written as they are. */
void json_text(FILE *out, const char *text);

/* A number in the fewest digits that read back to the same value, "0.95"; null for what is none
 * (NAN, infinities). */
void json_real(FILE *out, double value);

#endif
