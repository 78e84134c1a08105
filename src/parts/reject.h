/* SPDX-License-Identifier: Apache-2.0
 *
 * What becomes of a request that an entity does not take on, as a row says it.
 */
#ifndef SQUALL_PARTS_REJECT_H
#define SQUALL_PARTS_REJECT_H

enum on_reject { REJECT_REPLY, REJECT_DROP };

/* In the order of the enum, for a row. */
extern const char *const reject_words[];

#endif
