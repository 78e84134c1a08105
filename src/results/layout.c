/* SPDX-License-Identifier: Apache-2.0 */
#include "results/layout.h"

#include <stdio.h>
#include <string.h>

static const struct layout_column run_counter[] = {{"stats", NULL, NULL, NULL, "sum"}, {0}};
static const struct layout_column run_gauge[] = {
    {"gauges", "time_integral", "Integral over time", LAYOUT_INTEGRAL, "sum"},
    {"gauges", "max", "Largest value", NULL, "max"},
    {0}};
static const struct layout_column run_histogram[] = {
    {"histograms", "total", "Number of values", "1", "sum"},
    {"histograms", "sum", "Sum of values", NULL, "sum"},
    {"histograms", "min", "Least value (0 without values)", NULL, "min"},
    {"histograms", "max", "Largest value (0 without values)", NULL, "max"},
    {0}};

static const struct layout_column series_counter_columns[] = {
    {"series", NULL, "Within the interval, also of the warm-up", NULL, "sum"}, {0}};
static const struct layout_column series_gauge_columns[] = {
    {"series", "time_integral", "Integral over the interval, also of the warm-up", LAYOUT_INTEGRAL,
     "sum"},
    {"series", "max", "Largest value within the interval, also of the warm-up", NULL, "max"},
    {0}};
static const struct layout_column series_histogram_columns[] = {
    {"series", "total", "Number of values within the interval, also of the warm-up", "1", "sum"},
    {0}};

const struct layout_column *layout_columns(enum stat_kind kind, bool series)
{
    switch (kind) {
    case STAT_COUNTER:
        return series ? series_counter_columns : run_counter;
    case STAT_GAUGE:
        return series ? series_gauge_columns : run_gauge;
    case STAT_HISTOGRAM:
        break;
    }
    return series ? series_histogram_columns : run_histogram;
}

const struct layout_named layout_runs[LAYOUT_RUNS] = {
    [LAYOUT_STATUS] = {"runs/status", "1", "How the replication ended"},
    [LAYOUT_EVENTS] = {"runs/events", "1", "Events handled"},
    [LAYOUT_SIM_END] = {"runs/sim_end", "ns", "Simulated time at which the replication ended"},
    [LAYOUT_DIGEST] = {"runs/digest", "1", "Digest of all events in their order"},
    [LAYOUT_WALL] = {"provenance/wall_ns", "ns", "Time that running the replication took"},
};

const struct layout_named layout_rows[LAYOUT_ROWS] = {
    [LAYOUT_OFFSETS] = {"offsets", "1", "Where each row begins in bin and count"},
    [LAYOUT_BIN] = {"bin", "1", "Bucket in use: its place in /histograms/edges"},
    [LAYOUT_COUNT] = {"count", "1", "Values in the bucket"},
};

char *layout_path(const struct layout_column *c, const char *type, const char *row, char *text,
                  size_t size)
{
    snprintf(text, size, "%s/%s/%s%s%s", c->section, type, row, c->leaf ? "/" : "",
             c->leaf ? c->leaf : "");
    return text;
}

char *layout_rows_path(bool series, const char *type, const char *row, char *text, size_t size)
{
    snprintf(text, size, "%s/%s/%s", layout_columns(STAT_HISTOGRAM, series)->section, type, row);
    return text;
}

char *layout_unit(const struct layout_column *c, const struct stat_spec *row, char *text,
                  size_t size)
{
    if (!c->unit) {
        snprintf(text, size, "%s", row->unit);
    } else if (strcmp(c->unit, LAYOUT_INTEGRAL) != 0) {
        snprintf(text, size, "%s", c->unit);
    } else if (strcmp(row->unit, "1") == 0) {
        snprintf(text, size, "ns");
    } else {
        snprintf(text, size, "%s ns", row->unit);
    }
    return text;
}

char *layout_long_name(const struct layout_column *c, const struct stat_spec *row, char *text,
                       size_t size)
{
    snprintf(text, size, "%s%s%s", c->what ? c->what : "", c->what ? ": " : "", row->doc);
    return text;
}
