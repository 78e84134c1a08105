/* SPDX-License-Identifier: Apache-2.0
 *
 * Rows: everything the program knows about a parameter, written once beside the struct member
 * that holds it. From the rows come reading, checking, `squall describe`, the JSON schema, the
 * reference page, the resolved dump, attributes in the results file and data-frame columns.
 *
 *   struct server_params { int64_t concurrency; struct dist service_time; };
 *
 *   static const struct param_spec server_rows[] = {
 *       P_COUNT(server_params, concurrency, "1", 1, 1e9, "Requests served at the same time."),
 *       P_CHOICE(server_params, service_time, dist_duration, "10ms", "Time one request takes."),
 *       P_END};
 *
 * A default is text as the user would write it; NULL means required. The macros check the type of
 * the member at compile time.
 *
 * How the kinds are written in a configuration:
 *   BOOL      true, false
 *   COUNT     a whole number; `unlimited` where the row allows it (held as INT64_MAX)
 *   REAL      a number with the row's unit: "1/s" takes 800/s, 50/ms, 3/m; "B" takes 4KiB, 1MB;
 *             "1" takes 0.05 or 5%. Bare numbers are in the unit itself.
 *   DURATION  250us 20ms 1.5s 2m 1h, bare numbers are seconds; held as integer [ns];
 *             `none` where the row allows it (held as SIM_TIME_NEVER)
 *   WORD      one of a list, held as its place in the list
 *   WORDS     a sequence of those (or one of them), held as a bit mask
 *   TEXT      anything
 *   KEY       not written: receives the key under which an item of a MAP stands
 *   REF       the name of something declared elsewhere, kept with its node for later resolution
 *   BLOCK     a mapping of rows
 *   LIST      a sequence of blocks, or one of them bare
 *   MAP       a mapping from free names to blocks, in the order written
 *   CHOICE    one of several alternatives, each with its own rows; see struct choice
 *   RAW       any value, kept as its node for whoever knows its rows later
 */
#ifndef SQUALL_BASE_SCHEMA_H
#define SQUALL_BASE_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/diag.h"
#include "base/simtime.h"
#include "base/tree.h"

enum param_kind {
    PARAM_BOOL,     /* bool */
    PARAM_COUNT,    /* int64_t */
    PARAM_REAL,     /* double */
    PARAM_DURATION, /* sim_time [ns] */
    PARAM_WORD,     /* int */
    PARAM_WORDS,    /* uint32_t */
    PARAM_TEXT,     /* const char * */
    PARAM_KEY,      /* const char * */
    PARAM_REF,      /* struct name_ref */
    PARAM_BLOCK,    /* struct of the schema, in place */
    PARAM_LIST,     /* struct list of such structs */
    PARAM_MAP,      /* struct list of such structs, each with a KEY row */
    PARAM_CHOICE,   /* struct of the choice, in place */
    PARAM_RAW,      /* const struct node * */
};

struct list {
    void *items; /* in the binder's arena, `count` structs of the row's schema */
    uint32_t count;
};
/* A typed list, laid out as struct list. */
#define LIST_OF(type) \
    struct { \
        type *items; \
        uint32_t count; \
    }

struct name_ref {
    const char *name;
    const struct node *at;
};

struct param_spec {
    const char *name;     /* the key; ends the rows when NULL */
    const char *doc;      /* one sentence */
    const char *unit;     /* "1", "1/s", "B" for REAL; "ns" for DURATION; "" else */
    const char *fallback; /* default as written in a configuration; NULL: required */
    const char *absent;   /* word that leaves the limit off, or NULL: none is allowed */
    double low, high;     /* inclusive bounds of numbers; DURATION in [ns] */
    enum param_kind kind;
    size_t offset;               /* of the member in the struct */
    const char *const *words;    /* WORD, WORDS; ends with NULL */
    const struct schema *schema; /* BLOCK, LIST, MAP */
    const struct choice *choice; /* CHOICE */
};

/* What the structs of a schema have to do with kinds of requests; see engine/kind.h. */
enum schema_kinds {
    KINDS_NONE,
    KINDS_GIVEN,  /* each begins with a kind, of which there are requests */
    KINDS_SOUGHT, /* ... which somebody else is to give */
};

/* Rows of one struct. */
struct schema {
    const char *name;    /* for the reference: "server", "call", "wire" */
    const char *summary; /* one sentence */
    size_t size;         /* of the struct */
    const struct param_spec *rows;
    bool shorthand;  /* a value that is no mapping is that of the first row: `target: web` */
    bool positional; /* a sequence gives the rows in order: `[0s, 500/s]` */
    bool open;       /* other keys are the user's own, for `derive` or others to read */
    enum schema_kinds kinds;
    /* Checks relations between parameters and fills members derived from them; NULL: nothing to
     * do. Called after all rows were read without error. `at` is NULL for a default. */
    void (*derive)(void *params, const struct node *at, struct diag *diag, struct arena *arena);
};

/* One alternative of a choice. Its rows fill members of the choice's struct. */
struct alternative {
    const char *name; /* ends the list when NULL */
    const char *summary;
    int tag;
    bool absent;                   /* only where the parameter's row names it as `absent` */
    const struct param_spec *rows; /* NULL: none */
};

/* One of several, written in any of these ways:
 *   retry: {kind: exponential, max_attempts: 4}      `kind` beside the alternative's rows
 *   service_time: {lognormal: {mean: 8ms, cv: 1.2}}  the alternative as only key
 *   service_time: {exponential: 20ms}                ... its first row bare
 *   retry: none                                      the bare name, when no row is required
 *   service_time: 20ms                               the first row of the `scalar` alternative */
struct choice {
    const char *name, *summary;
    size_t size;                     /* of the struct */
    size_t tag_offset;               /* of its `int` tag */
    const char *scalar;              /* the alternative that a bare value means, or NULL */
    const struct param_spec *common; /* rows that any alternative may carry, or NULL */
    const struct alternative *alternatives;
    void (*derive)(void *value, const struct node *at, struct diag *diag, struct arena *arena);
};

/* offsetof, refusing at compile time a member of another type. */
#define SCHEMA_OFFSET(type, tag, member) \
    (offsetof(struct tag, member) + 0 * sizeof((type *)0 == &((struct tag *)0)->member))
#define SCHEMA_LIST_OFFSET(tag, member) \
    (offsetof(struct tag, member) + \
     0 * sizeof(char[sizeof(((struct tag *)0)->member) == sizeof(struct list) ? 1 : -1]))

#define P_BOOL(tag, member, fallback_, doc_) \
    { \
        .name = #member, .doc = doc_, .unit = "", .fallback = fallback_, .kind = PARAM_BOOL, \
        .offset = SCHEMA_OFFSET(bool, tag, member) \
    }
#define P_COUNT(tag, member, fallback_, low_, high_, doc_) \
    { \
        .name = #member, .doc = doc_, .unit = "1", .fallback = fallback_, .low = low_, \
        .high = high_, .kind = PARAM_COUNT, .offset = SCHEMA_OFFSET(int64_t, tag, member) \
    }
/* A count that may be `unlimited`. */
#define P_LIMIT(tag, member, fallback_, low_, high_, doc_) \
    { \
        .name = #member, .doc = doc_, .unit = "1", .fallback = fallback_, .absent = "unlimited", \
        .low = low_, .high = high_, .kind = PARAM_COUNT, \
        .offset = SCHEMA_OFFSET(int64_t, tag, member) \
    }
#define P_REAL(tag, member, fallback_, low_, high_, unit_, doc_) \
    { \
        .name = #member, .doc = doc_, .unit = unit_, .fallback = fallback_, .low = low_, \
        .high = high_, .kind = PARAM_REAL, .offset = SCHEMA_OFFSET(double, tag, member) \
    }
/* Bounds in [ns]. */
#define P_DURATION(tag, member, fallback_, low_, high_, doc_) \
    P_DURATION_AS(tag, member, #member, fallback_, low_, high_, doc_)
/* Under a key that no member can be called by, such as `for`. */
#define P_DURATION_AS(tag, member, key_, fallback_, low_, high_, doc_) \
    { \
        .name = key_, .doc = doc_, .unit = "ns", .fallback = fallback_, .low = low_, \
        .high = high_, .kind = PARAM_DURATION, .offset = SCHEMA_OFFSET(sim_time, tag, member) \
    }
/* A duration that may be `none`. */
#define P_MAYBE_DURATION(tag, member, fallback_, low_, high_, doc_) \
    P_MAYBE_DURATION_AS(tag, member, #member, fallback_, low_, high_, doc_)
#define P_MAYBE_DURATION_AS(tag, member, key_, fallback_, low_, high_, doc_) \
    { \
        .name = key_, .doc = doc_, .unit = "ns", .fallback = fallback_, .absent = "none", \
        .low = low_, .high = high_, .kind = PARAM_DURATION, \
        .offset = SCHEMA_OFFSET(sim_time, tag, member) \
    }
#define P_WORD(tag, member, words_, fallback_, doc_) \
    { \
        .name = #member, .doc = doc_, .unit = "", .fallback = fallback_, .kind = PARAM_WORD, \
        .words = words_, .offset = SCHEMA_OFFSET(int, tag, member) \
    }
#define P_WORDS(tag, member, words_, fallback_, doc_) \
    { \
        .name = #member, .doc = doc_, .unit = "", .fallback = fallback_, .kind = PARAM_WORDS, \
        .words = words_, .offset = SCHEMA_OFFSET(uint32_t, tag, member) \
    }
#define P_TEXT(tag, member, fallback_, doc_) \
    { \
        .name = #member, .doc = doc_, .unit = "", .fallback = fallback_, .kind = PARAM_TEXT, \
        .offset = SCHEMA_OFFSET(const char *, tag, member) \
    }
#define P_KEY(tag, member, doc_) \
    { \
        .name = #member, .doc = doc_, .unit = "", .fallback = "", .kind = PARAM_KEY, \
        .offset = SCHEMA_OFFSET(const char *, tag, member) \
    }
#define P_REF(tag, member, fallback_, doc_) \
    { \
        .name = #member, .doc = doc_, .unit = "", .fallback = fallback_, .kind = PARAM_REF, \
        .offset = SCHEMA_OFFSET(struct name_ref, tag, member) \
    }
#define P_BLOCK(tag, member, schema_, fallback_, doc_) \
    { \
        .name = #member, .doc = doc_, .unit = "", .fallback = fallback_, .kind = PARAM_BLOCK, \
        .schema = &schema_, .offset = offsetof(struct tag, member) \
    }
#define P_LIST(tag, member, schema_, fallback_, doc_) \
    { \
        .name = #member, .doc = doc_, .unit = "", .fallback = fallback_, .kind = PARAM_LIST, \
        .schema = &schema_, .offset = SCHEMA_LIST_OFFSET(tag, member) \
    }
#define P_MAP(tag, member, schema_, fallback_, doc_) \
    { \
        .name = #member, .doc = doc_, .unit = "", .fallback = fallback_, .kind = PARAM_MAP, \
        .schema = &schema_, .offset = SCHEMA_LIST_OFFSET(tag, member) \
    }
#define P_CHOICE(tag, member, choice_, fallback_, doc_) \
    { \
        .name = #member, .doc = doc_, .unit = "", .fallback = fallback_, .kind = PARAM_CHOICE, \
        .choice = &choice_, .offset = offsetof(struct tag, member) \
    }
/* A choice whose alternative `absent_` (for instance "none") is allowed here. */
#define P_MAYBE_CHOICE(tag, member, choice_, absent_, fallback_, doc_) \
    { \
        .name = #member, .doc = doc_, .unit = "", .fallback = fallback_, .absent = absent_, \
        .kind = PARAM_CHOICE, .choice = &choice_, .offset = offsetof(struct tag, member) \
    }
#define P_RAW(tag, member, fallback_, doc_) \
    { \
        .name = #member, .doc = doc_, .unit = "", .fallback = fallback_, .kind = PARAM_RAW, \
        .offset = SCHEMA_OFFSET(const struct node *, tag, member) \
    }
#define P_END \
    { \
        .name = NULL \
    }

#endif
