/* SPDX-License-Identifier: Apache-2.0
 *
 * Values of JSON, printed to standard output.
 */
#ifndef SQUALL_CLI_JSON_H
#define SQUALL_CLI_JSON_H

/* With its quotation marks. */
void json_text(const char *text);

/* In full precision; what is not finite is null. */
void json_number(double value);

#endif
