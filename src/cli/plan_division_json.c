/* SPDX-License-Identifier: Apache-2.0
 *
 * The second half of squall plan for other programs: one division as an object, of which nothing
 * grows with the number of entities. Who is where is told by group and rank, what goes between them
 * by rank and rank, up to 1024 of them. Times are in seconds, loads per simulated second; what is
 * not known is null.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/json.h"
#include "cli/plan_division.h"
#include "parallel/traffic.h"

static void *take(size_t n, size_t size)
{
    void *p = calloc(n ? n : 1, size);
    CHECK(p, "out of memory (%zu times %zu bytes)", n, size);
    return p;
}

static void real(const char *name, double value)
{
    printf("\"%s\": ", name);
    json_real(stdout, value);
}

/* --- requests between parts --------------------------------------------------------------- */

/* No division is made in more than PLAN_PARTS_MOST parts, so that a matrix is small enough. */
static void print_traffic(const struct plan_division *p, const struct plan_row *row)
{
    double *rate = take((size_t)row->parts * row->parts, sizeof *rate);
    traffic_between(&p->study->blueprint, &p->flow, row->part_of, row->parts, rate);
    fputs("  \"traffic\": [", stdout);
    for (size_t from = 0; from < row->parts; from++) {
        fputs(from > 0 ? ",\n   [" : "\n   [", stdout);
        for (size_t to = 0; to < row->parts; to++) {
            fputs(to > 0 ? ", " : "", stdout);
            json_real(stdout, rate[from * row->parts + to]);
        }
        putchar(']');
    }
    putchar(']');
    free(rate);
}

/* --- who is where ------------------------------------------------------------------------- */

/* What entities `first` to `first + count` have in each part. */
struct shares {
    uint64_t *entities; /* [part]; owned */
    double *events;     /* [part] [1/s]; owned */
};

static struct shares shares_of(const struct plan_division *p, const struct plan_row *row,
                               entity_id first, uint32_t count)
{
    struct shares s = {take(row->parts, sizeof *s.entities), take(row->parts, sizeof *s.events)};
    for (entity_id id = first; id < first + count; id++) {
        s.entities[row->part_of[id]]++;
        s.events[row->part_of[id]] += p->flow.events[id];
    }
    return s;
}

static void shares_close(struct shares *s)
{
    free(s->entities);
    free(s->events);
}

static void print_group(const struct plan_division *p, const struct plan_row *row,
                        const struct group_plan *g)
{
    struct shares s = shares_of(p, row, g->first, g->count);
    fputs("{\"name\": ", stdout);
    json_text(stdout, g->name);
    fputs(", \"type\": ", stdout);
    json_text(stdout, g->type->name);
    fputs(",\n    \"entities\": [", stdout);
    for (uint32_t i = 0; i < row->parts; i++) {
        printf("%s%" PRIu64, i > 0 ? ", " : "", s.entities[i]);
    }
    fputs("],\n    \"events\": [", stdout);
    for (uint32_t i = 0; i < row->parts; i++) {
        fputs(i > 0 ? ", " : "", stdout);
        json_real(stdout, s.events[i]);
    }
    fputs("]}", stdout);
    shares_close(&s);
}

static void print_groups(const struct plan_division *p, const struct plan_row *row)
{
    const struct blueprint *b = &p->study->blueprint;
    fputs("  \"groups\": [", stdout);
    for (uint32_t i = 0; i < b->n_groups; i++) {
        fputs(i > 0 ? ",\n   " : "\n   ", stdout);
        print_group(p, row, &b->groups[i]);
    }
    puts("],");
}

static void print_ranks(const struct plan_division *p, const struct plan_row *row)
{
    struct shares s = shares_of(p, row, 0, p->study->blueprint.n_entities);
    fputs("  \"ranks\": [", stdout);
    for (uint32_t i = 0; i < row->parts; i++) {
        printf("%s{\"entities\": %" PRIu64 ", ", i > 0 ? ",\n   " : "\n   ", s.entities[i]);
        real("events", s.events[i]);
        putchar('}');
    }
    puts("],");
    shares_close(&s);
}

/* --- all of it ---------------------------------------------------------------------------- */

/* The one that was asked for, or the fastest of those that were made; NULL where there is none. */
static const struct plan_row *told(const struct plan_division *p)
{
    const struct plan_row *best = NULL;
    for (const struct plan_row *r = p->rows; r < p->rows + p->n_rows; r++) {
        bool faster = !best || r->expected.speedup > best->expected.speedup;
        best = r->part_of && faster ? r : best;
    }
    return best;
}

void plan_division_json(const struct plan_division *p)
{
    const struct plan_row *row = told(p);
    if (!row) {
        fputs("null", stdout);
        return;
    }
    bool cut = row->lookahead != SIM_TIME_NEVER;
    printf("{\"point\": %" PRIu64 ", \"method\": ", p->question->point);
    json_text(stdout, partition_words[p->question->team->method]);
    printf(", \"profiled\": %s,\n  ", p->source == PLAN_PROFILED ? "true" : "false");
    real("lookahead", cut ? (double)row->lookahead / SIM_TIME_S : NAN);
    printf(", \"cut_wires\": %" PRIu64 ", ", row->cut_wires);
    real("remote", row->work.remote);
    fputs(", ", stdout);
    real("speedup", row->expected.speedup);
    puts(",");
    print_ranks(p, row);
    print_groups(p, row);
    print_traffic(p, row);
    putchar('}');
}
