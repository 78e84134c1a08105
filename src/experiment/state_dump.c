/* SPDX-License-Identifier: Apache-2.0 */
#include "experiment/state_dump.h"

#include <inttypes.h>

#include "base/units.h"

/* Those that made most events, the first one most. */
struct busiest {
    entity_id id[STATE_DUMP_ENTITIES];
    uint32_t n;
    uint64_t made; /* by everybody here */
};

static void find_busiest(struct busiest *b, const struct sim *s)
{
    *b = (struct busiest){.n = 0};
    for (entity_id id = 0; id < sim_blueprint(s)->n_entities; id++) {
        if (!sim_owns(s, id) || sim_made(s, id) == 0) {
            continue;
        }
        uint32_t made = sim_made(s, id);
        b->made += made;
        uint32_t at = b->n < STATE_DUMP_ENTITIES ? b->n++ : STATE_DUMP_ENTITIES;
        for (; at > 0 && sim_made(s, b->id[at - 1]) < made; at--) {
            if (at < STATE_DUMP_ENTITIES) {
                b->id[at] = b->id[at - 1];
            }
        }
        if (at < STATE_DUMP_ENTITIES) {
            b->id[at] = id;
        }
    }
}

static const char *duration(sim_time t, struct arena *arena)
{
    return t == SIM_TIME_NEVER ? "never" : arena_copy(arena, units_write_duration(t).text);
}

static const char *figure(const struct stat_spec *row, const void *at, struct arena *arena)
{
    int64_t value = row->kind == STAT_GAUGE ? ((const struct gauge *)at)->level
                                            : (int64_t) * (const uint64_t *)at;
    return value == 0            ? NULL
           : row->unit[0] == 'n' ? arena_format(arena, "%s %s", row->name, duration(value, arena))
                                 : arena_format(arena, "%s %" PRId64, row->name, value);
}

/* Levels that are not zero first, since what piles up is what slows down; then counters. */
static const char *figures(const struct sim *s, entity_id id, struct arena *arena)
{
    static const enum stat_kind kinds[] = {STAT_GAUGE, STAT_COUNTER};
    const struct entity_type *type = blueprint_group(sim_blueprint(s), id)->type;
    const char *stats = sim_stats(s, id), *text = "";
    int told = 0;
    for (int k = 0; k < 2; k++) {
        for (const struct stat_spec *row = type->stats; row->name; row++) {
            const char *next =
                row->kind == kinds[k] ? figure(row, stats + row->offset, arena) : NULL;
            if (next && told < STATE_DUMP_FIGURES) {
                text = arena_format(arena, "%s%s%s", text, told > 0 ? ", " : "", next);
                told++;
            }
        }
    }
    return told > 0 ? arena_format(arena, "      %s\n", text) : "";
}

static const char *list_entities(const struct sim *s, struct arena *arena)
{
    struct busiest b;
    find_busiest(&b, s);
    const char *text = "";
    for (uint32_t i = 0; i < b.n; i++) {
        char name[200];
        uint32_t made = sim_made(s, b.id[i]);
        blueprint_name(sim_blueprint(s), b.id[i], name, sizeof name);
        text = arena_format(arena, "%s    %s (%s): %" PRIu32 " events, %.3g %%\n%s", text, name,
                            blueprint_group(sim_blueprint(s), b.id[i])->type->name, made,
                            100.0 * (double)made / (double)b.made, figures(s, b.id[i], arena));
    }
    return text;
}

const char *state_dump_text(const struct state_dump_head *head, struct sim *s, struct arena *arena)
{
    uint64_t events = sim_events(s);
    double wall = (double)head->wall_ns * 1e-9;
    const char *part =
        head->ranks == 1
            ? ""
            : arena_format(arena, ", of rank %d of the %d that share it", head->rank, head->ranks);
    return arena_format(
        arena,
        "%s was given up: %s%s\n"
        "  simulated time %s of %s, next event at %s, %" PRIu64 " pending\n"
        "  %" PRIu64 " events in %.3g s, %.3g/s; memory %.4g MiB\n"
        "  made most of the events, and what is counted there since the warm-up:\n%s",
        head->what, head->why, part, duration(sim_now(s), arena), duration(sim_end(s), arena),
        duration(sim_next_time(s), arena), sim_pending(s), events, wall,
        wall > 0.0 ? (double)events / wall : 0.0, (double)sim_memory(s) / 1048576.0,
        list_entities(s, arena));
}
