/* SPDX-License-Identifier: Apache-2.0
 *
 * asker: an entity type for tests. It sends requests and cancels to the first instance of its
 * target exactly when its script says, and writes down the replies:
 *
 *   asker: {type: asker, target: pool, steps: [[0s, 1], [0.5s, 2, ask_pooled], [1s, 1, cancel]]}
 *
 * A step is a time, the number of a request, and what to do: ask, ask_pooled or cancel; then, where
 * they matter, which attempt of the request it is (else 1), which one of the asker's `kinds` (else
 * 0) and by which method it is made (else GET).
 */
#ifndef TESTS_SUPPORT_ASKER_H
#define TESTS_SUPPORT_ASKER_H

#include "engine/entity.h"
#include "support/trial.h"

extern const struct entity_type asker_type;

/* Opens a study of 100 s in which an asker called `users` takes its `steps` with `name`, an entity
 * of a type with these `keys` before `far`, a probe with these `answers`; more of the study may
 * follow in `rest`. */
void asker_open(struct trial *t, const char *steps, const char *name, const char *type,
                const char *keys, const char *answers, const char *rest);

enum { ASKER_MOST = 256 }; /* replies that are written down; more are only counted */

struct asker_reply {
    sim_time at; /* [ns] */
    uint32_t number;
    uint16_t status;
};

/* Fails unless these are the replies that the asker of this name got, in this order. */
void asker_assert_replies(const struct trial *t, const char *name, uint32_t n,
                          const struct asker_reply *replies);

#endif
