/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/trace.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "engine/world.h"

/* A share of 1 as such a number is beyond all hashes. */
enum { SHARE_BITS = 53, MOST_ROWS = 1 << 28 /* address space, not memory */ };

const char *const trace_kind_names[TRACE_KINDS] = {
    [TRACE_REQUEST] = "request", [TRACE_RETRY] = "retry", [TRACE_SUCCESS] = "success",
    [TRACE_FAILURE] = "failure", [TRACE_STATE] = "state",
};

struct trace_link {
    struct trace_row row; /* first, so that a row leads to its link */
    uint32_t next;        /* 1-based; 0: the last */
};

struct trace_list {
    uint32_t first, last; /* 1-based; 0: there is none */
    uint64_t n, dropped;
};

void trace_open(struct sim *s)
{
    for (uint32_t i = 0; i < s->n_own; i++) {
        struct record *r = &s->records[s->own[i]];
        if (s->plan->groups[r->group].traced) {
            r->trace = ++s->n_traces;
        }
    }
    s->ctx.has_trace = s->n_traces > 0;
    s->traces = calloc(s->n_traces + (size_t)1, sizeof *s->traces);
    CHECK(s->traces, "out of memory");
    region_open(&s->trace_rows, "the trace", MOST_ROWS * sizeof(struct trace_link));
    s->trace_below = (uint64_t)(s->options.trace.sample * (double)(UINT64_C(1) << SHARE_BITS));
}

void trace_close(struct sim *s)
{
    free(s->traces);
    region_close(&s->trace_rows);
}

void trace_reset(struct sim *s)
{
    memset(s->traces, 0, s->n_traces * sizeof *s->traces);
    region_rewind(&s->trace_rows, 0);
}

static struct trace_link *link_at(const struct sim *s, uint32_t place)
{
    return (struct trace_link *)(void *)s->trace_rows.base + (place - 1);
}

/* The hash is one of its own: the same numbers also make ties. */
static bool is_sampled(const struct sim *s, uint64_t request)
{
    return hash_pair(hash_pair(s->tie_key, UINT64_C(0x7472616365)), request) >> (64 - SHARE_BITS) <
           s->trace_below;
}

bool sim_is_traced(const struct ctx *c)
{
    return c->sim->current->trace != 0;
}

void sim_trace(struct ctx *c, const struct trace_row *row)
{
    struct sim *s = c->sim;
    uint32_t place = s->current->trace;
    if (!place || (row->kind != TRACE_STATE && !is_sampled(s, row->request))) {
        return;
    }
    CHECK(row->kind < TRACE_KINDS && row->wait >= 0 && row->total >= 0, "a trace row of kind %u",
          row->kind);
    struct trace_list *list = &s->traces[place - 1];
    if (list->n >= s->options.trace.limit) {
        list->dropped++;
        return;
    }
    struct trace_link *link =
        region_take(&s->trace_rows, sizeof *link, _Alignof(struct trace_link));
    uint32_t at = (uint32_t)(s->trace_rows.used / sizeof *link);
    *link = (struct trace_link){.row = *row};
    link->row.time = s->now;
    if (list->last) {
        link_at(s, list->last)->next = at;
    } else {
        list->first = at;
    }
    list->last = at;
    list->n++;
}

uint64_t sim_trace_rows(const struct sim *s, entity_id id, uint64_t *dropped)
{
    uint32_t place = s->records[id].trace;
    *dropped = place ? s->traces[place - 1].dropped : 0;
    return place ? s->traces[place - 1].n : 0;
}

const struct trace_row *sim_trace_next(const struct sim *s, entity_id id,
                                       const struct trace_row *row)
{
    uint32_t place = s->records[id].trace;
    uint32_t next = row     ? ((const struct trace_link *)(const void *)row)->next
                    : place ? s->traces[place - 1].first
                            : 0;
    return next ? &link_at(s, next)->row : NULL;
}
