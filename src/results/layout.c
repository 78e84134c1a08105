/* SPDX-License-Identifier: Apache-2.0 */
#include "results/layout.h"

#include <stdio.h>
#include <string.h>

#include "policies/verdict.h"

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

static const struct layout_column nothing[] = {{0}};

const char *layout_section(enum stat_kind kind)
{
    return kind == STAT_BREAKDOWN ? "breakdowns" : layout_columns(kind, false)->section;
}

const struct layout_column *layout_columns(enum stat_kind kind, bool series)
{
    switch (kind) {
    case STAT_COUNTER:
        return series ? series_counter_columns : run_counter;
    case STAT_GAUGE:
        return series ? series_gauge_columns : run_gauge;
    case STAT_BREAKDOWN:
        return nothing;
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
    [LAYOUT_TRIPPED] = {"runs/trip_time", "ns",
                        "Simulated time at which the failure budget was spent (0: it was not)"},
    [LAYOUT_DROPPED] = {"runs/trace_dropped", "1",
                        "Rows of the trace beyond what an entity may keep"},
    [LAYOUT_WARMUP] = {"runs/warmup", "ns", "Simulated time from when on statistics count"},
    [LAYOUT_WALL] = {"provenance/wall_ns", "ns", "Time that running the replication took"},
    [LAYOUT_SESSION] = {"provenance/session", "1",
                        "Session in which the replication was run: its place in /" LAYOUT_SESSIONS
                        " (2^64 - 1: it was not, or nobody knows)"},
};

const struct layout_named layout_notes[LAYOUT_NOTE_COLUMNS] = {
    [LAYOUT_NOTE_POINT] = {LAYOUT_NOTES "/point", "1", "Sweep point"},
    [LAYOUT_NOTE_REPLICATION] = {LAYOUT_NOTES "/replication", "1", "Replication"},
    [LAYOUT_NOTE_TEXT] = {LAYOUT_NOTES "/text", NULL,
                          "What is not the same when the replication runs again"},
};

const struct layout_named layout_rows[LAYOUT_ROWS] = {
    [LAYOUT_OFFSETS] = {"offsets", "1", "Where each row begins in bin and count"},
    [LAYOUT_BIN] = {"bin", "1", "Bucket in use: its place in /histograms/edges"},
    [LAYOUT_COUNT] = {"count", "1", "Values in the bucket"},
};

const struct layout_named layout_entries[LAYOUT_ENTRIES] = {
    [LAYOUT_ENTRY_POINT] = {"point", "1", "Sweep point"},
    [LAYOUT_ENTRY_REPLICATION] = {"replication", "1", "Replication"},
    [LAYOUT_ENTRY_ENTITY] = {"entity", "1", "Entity: its place among those of its type"},
    [LAYOUT_ENTRY_PEER] = {"peer", "1", "Group dealt with: its place in /" LAYOUT_GROUPS},
    [LAYOUT_ENTRY_STATUS] = {"status", "1", "Status, or below 100 the error that took its place"},
    [LAYOUT_ENTRY_TOTAL] = {"total", "1", "Number of values"},
    [LAYOUT_ENTRY_SUM] = {"sum", NULL, "Sum of values"},
    [LAYOUT_ENTRY_MIN] = {"min", NULL, "Least value"},
    [LAYOUT_ENTRY_MAX] = {"max", NULL, "Largest value"},
};

const struct layout_named layout_traces[LAYOUT_TRACES] = {
    [LAYOUT_TRACE_POINT] = {"point", "1", "Sweep point"},
    [LAYOUT_TRACE_REPLICATION] = {"replication", "1", "Replication"},
    [LAYOUT_TRACE_ENTITY] = {"entity", "1", "Number of the entity in the model"},
    [LAYOUT_TRACE_TIME] = {"time", "ns", "Simulated time"},
    [LAYOUT_TRACE_KIND] = {"kind", "1", "What happened"},
    [LAYOUT_TRACE_REQUEST] = {"request", "1", "Logical request"},
    [LAYOUT_TRACE_ATTEMPT] = {"attempt", "1",
                              "Attempt, from 1; of a retry the one about to be made"},
    [LAYOUT_TRACE_WAIT] = {"wait", "ns", "Of a retry: time before the attempt"},
    [LAYOUT_TRACE_TOTAL] = {"total", "ns",
                            "Of success and failure: time since the request began, waits included"},
    [LAYOUT_TRACE_STATUS] = {"status", "1",
                             "Status of the answer, 0 without one; of a state the new phase"},
    [LAYOUT_TRACE_ERROR] = {"error", "1", "Why the attempt before had no answer"},
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

char *layout_status(unsigned status, char *text, size_t size)
{
    unsigned errors = 0;
    while (attempt_error_words[errors]) {
        errors++;
    }
    const char *word = status_name(status);
    bool error = status > ERROR_NONE && status < errors;
    snprintf(text, size, "%s%s", error ? "error_" : "",
             error  ? attempt_error_words[status]
             : word ? word
                    : "");
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
