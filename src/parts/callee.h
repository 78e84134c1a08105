/* SPDX-License-Identifier: Apache-2.0
 *
 * A callee: whom an entity calls besides answering, and how, in one block.
 */
#ifndef SQUALL_PARTS_CALLEE_H
#define SQUALL_PARTS_CALLEE_H

#include "parts/caller.h"

struct callee {
    struct target target;
    struct call_params call;
    int method; /* enum method */
};

/* The rows of a struct callee; `method_` is the default. */
#define CALLEE_ROWS(method_) \
    P_TARGET(callee, target, NULL, "Who is called."), CALL_ROWS(callee, call), \
        P_WORD(callee, method, method_words, method_, "Method of the requests.")

/* To be called by the owner's `derive` of such a block; the owner's timers of `timer_kind` are
 * those of its calls. */
void callee_derive(struct callee *p, uint16_t timer_kind, const struct node *at, struct diag *diag,
                   struct arena *arena);

#endif
