/* SPDX-License-Identifier: Apache-2.0
 *
 * A kind of request. Clients name the kinds of requests that they make; whoever treats some kinds
 * otherwise names them, too. One name is the same kind wherever it stands, so all names that are
 * given in a study are numbered, in alphabetical order, and messages carry the number.
 *
 * A schema whose structs begin with a struct kind says in `kinds` which of both it does;
 * model/graph_kinds.c fills in the numbers.
 */
#ifndef SQUALL_ENGINE_KIND_H
#define SQUALL_ENGINE_KIND_H

#include <stdint.h>

#include "base/schema.h"

struct kind {
    const char *name;
    uint16_t number; /* filled in by the graph */
};

/* A kind that is named where there is no key, as the member `member` of struct `tag`. */
#define KIND_NAME(tag, member, doc_) \
    { \
        .name = "name", .doc = doc_, .unit = "", .kind = PARAM_TEXT, \
        .offset = SCHEMA_OFFSET(struct kind, tag, member) + offsetof(struct kind, name) \
    }

/* The key of a struct `tag` that begins with the kind `member`. */
#define KIND_KEY(tag, member, doc_) \
    { \
        .name = "name", .doc = doc_, .unit = "", .fallback = "", .kind = PARAM_KEY, \
        .offset = SCHEMA_OFFSET(struct kind, tag, member) + offsetof(struct kind, name) \
    }

/* The place of the struct of that kind among `n` of `size` bytes that begin with a kind, or n. */
static inline uint32_t kind_find(const void *structs, uint32_t n, size_t size, uint16_t number)
{
    const char *at = structs;
    uint32_t i = 0;
    while (i < n && ((const struct kind *)(const void *)(at + i * size))->number != number) {
        i++;
    }
    return i;
}

#endif
