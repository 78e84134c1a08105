/* SPDX-License-Identifier: Apache-2.0 */
#include "stats/observations.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"

void observations_open(struct observations *o, uint32_t width, bool pairs)
{
    *o = (struct observations){.width = width, .pairs = pairs};
    o->column = calloc(width ? width : 1, sizeof *o->column);
    CHECK_LIMIT(o->column != NULL, "no memory for the values of replications");
}

void observations_close(struct observations *o)
{
    free(o->column);
    free(o->values);
    free(o->known);
    *o = (struct observations){0};
}

static void make_room(struct observations *o, uint64_t replication)
{
    uint64_t room = 2 * o->room > replication ? 2 * o->room : replication + 1;
    room = room < 16 ? 16 : room;
    /* A row may have no values, and realloc must not be asked for nothing. */
    double *values = realloc(o->values, (room * o->width + 1) * sizeof *values);
    unsigned char *known = realloc(o->known, room);
    CHECK_LIMIT(values != NULL && known != NULL, "no memory for the values of %llu replications",
                (unsigned long long)room);
    memset(known + o->room, 0, room - o->room);
    o->values = values;
    o->known = known;
    o->room = room;
}

void observations_put(struct observations *o, uint64_t replication, const double *row)
{
    if (observations_known(o, replication)) {
        return;
    }
    if (replication >= o->room) {
        make_room(o, replication);
    }
    for (uint32_t i = 0; i < o->width; i++) {
        o->values[replication * o->width + i] = row[i];
    }
    o->known[replication] = 1;
}

bool observations_step(struct observations *o)
{
    if (!observations_known(o, o->n)) {
        return false;
    }
    const double *row = o->values + o->n * o->width;
    for (uint32_t i = 0; i < o->width; i++) {
        struct observed_column *c = &o->column[i];
        if (!isnan(row[i])) {
            c->trials++;
            c->hits += row[i] != 0.0;
        }
        if (!o->pairs) {
            if (!isnan(row[i])) {
                summary_add(&c->of, row[i]);
            }
        } else if (o->n % 2 == 1) {
            summary_add_pair(&c->of, (row - o->width)[i], row[i]);
        }
    }
    o->n++;
    return true;
}
