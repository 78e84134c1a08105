/* SPDX-License-Identifier: Apache-2.0 */
#include "model/names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

enum {
    MOST_HINTS = 1000, /* names among which a similar one is looked for */
    MOST_LISTED = 8,   /* names listed in a message */
    MOST_INDEX = 18,   /* digits of an index */
};

/* Groups by name: open addressing with linear probing, at most half full; 0: free, else the
 * group's number + 1. */
void names_open(struct names *n, const struct study *s, struct arena *memory)
{
    *n = (struct names){.study = s, .slots = 16, .memory = memory};
    while (n->slots < 2 * (size_t)s->n_groups) {
        n->slots *= 2;
    }
    n->table = arena_take(memory, n->slots * sizeof *n->table);
    for (uint32_t g = 0; g < s->n_groups; g++) {
        size_t i = hash_text(s->groups[g].name) & (n->slots - 1);
        while (n->table[i]) {
            i = (i + 1) & (n->slots - 1);
        }
        n->table[i] = g + 1;
    }
}

static bool find_group(const struct names *n, const char *name, size_t length, uint32_t *group)
{
    size_t i = hash_bytes(0, name, length) & (n->slots - 1);
    for (; n->table[i]; i = (i + 1) & (n->slots - 1)) {
        const char *other = n->study->groups[n->table[i] - 1].name;
        if (strncmp(other, name, length) == 0 && other[length] == '\0') {
            *group = n->table[i] - 1;
            return true;
        }
    }
    return false;
}

static void refuse_name(const struct names *n, const struct name_ref *ref, struct diag *d)
{
    uint32_t count = n->study->n_groups;
    const char **names = arena_take(n->memory, (MOST_HINTS + 1) * sizeof *names);
    const char *list = "";
    for (uint32_t g = 0; g < count && count <= MOST_HINTS; g++) {
        names[g] = n->study->groups[g].name;
        if (count <= MOST_LISTED) {
            list = arena_format(n->memory, "%s%s%s", list, g ? ", " : "; there are ", names[g]);
        }
    }
    char base[STUDY_LONGEST_NAME + 1];
    snprintf(base, sizeof base, "%.*s", (int)strcspn(ref->name, "["), ref->name);
    const char *nearest = diag_nearest(base, names);
    if (nearest) {
        diag_error(d, ref->at, "there is no entity '%s' (did you mean '%s'?)%s", ref->name, nearest,
                   list);
    } else {
        diag_error(d, ref->at, "there is no entity '%s'%s", ref->name, list);
    }
}

/* The number between brackets that end the name, or false when it is not written like one. */
static bool read_index(const char *bracket, uint64_t *index)
{
    size_t digits = strspn(bracket + 1, "0123456789");
    if (digits == 0 || digits > MOST_INDEX || strcmp(bracket + 1 + digits, "]") != 0) {
        return false;
    }
    *index = strtoull(bracket + 1, NULL, 10);
    return true;
}

bool names_find(const struct names *n, const struct name_ref *ref, struct diag *d,
                struct named *named)
{
    if (!ref->name) {
        return false; /* It could not be read, which was reported. */
    }
    const char *bracket = strchr(ref->name, '[');
    size_t length = bracket ? (size_t)(bracket - ref->name) : strlen(ref->name);
    uint64_t index = 0;
    if (bracket && !read_index(bracket, &index)) {
        diag_error(d, ref->at, "'%s' is neither a group nor an instance such as %.*s[0]", ref->name,
                   (int)length, ref->name);
        return false;
    }
    if (!find_group(n, ref->name, length, &named->group)) {
        refuse_name(n, ref, d);
        return false;
    }
    const struct study_group *g = &n->study->groups[named->group];
    const struct group_plan *plan = &n->groups[named->group];
    named->first = plan->first + (uint32_t)index;
    named->count = bracket ? 1 : plan->count;
    if (!bracket || !g->params) {
        return true;
    }
    if (!plan->indexed) {
        diag_error(d, ref->at, "'%s' is one entity without a count; call it '%s'", g->name,
                   g->name);
    } else if (index >= plan->count) {
        diag_error(d, ref->at, "the last of '%s' is %s[%u]", g->name, g->name, plan->count - 1);
    }
    return plan->indexed && index < plan->count;
}
