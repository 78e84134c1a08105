/* SPDX-License-Identifier: Apache-2.0
 *
 * Whom a name of a study means: a group, or one instance of it such as `web[2]`.
 */
#ifndef SQUALL_MODEL_NAMES_H
#define SQUALL_MODEL_NAMES_H

#include <stdbool.h>

#include "model/study.h"

/* The groups of a study by name. */
struct names {
    const struct study *study;
    const struct group_plan *groups; /* of its blueprint, in the same order; not owned */
    uint32_t *table;                 /* hash table of the groups, in `memory` */
    size_t slots;
    struct arena *memory; /* not owned */
};

/* Entities that follow each other, all of one group. */
struct named {
    uint32_t group;
    entity_id first;
    uint32_t count;
};

/* The study's groups are bound; `groups` may be filled in later. */
void names_open(struct names *n, const struct study *s, struct arena *memory);

/* False when the name means nobody, which is reported, or could not be read. A group whose params
 * are NULL has any instance. */
bool names_find(const struct names *n, const struct name_ref *ref, struct diag *d,
                struct named *named);

#endif
