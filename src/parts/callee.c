/* SPDX-License-Identifier: Apache-2.0 */
#include "parts/callee.h"

void callee_derive(struct callee *p, uint16_t timer_kind, const struct node *at, struct diag *diag,
                   struct arena *arena)
{
    call_params_derive(&p->call, at, diag, arena);
    call_params_own(&p->call, &p->target, &(struct call_owner){.timer_kind = timer_kind});
}
