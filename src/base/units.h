/* SPDX-License-Identifier: Apache-2.0
 *
 * Numbers with units, as text and back. Readers return NULL, or the reason why the text is refused
 * ("'20 parsecs' is not a duration (expected for instance 250us, 20ms, 1.5s, 2m)"), in the arena.
 *
 * A number is decimal digits with an optional sign, point and exponent; `_` may stand between
 * digits; one space may stand before the unit. Hexadecimal numbers, nan and inf are refused.
 * Nothing here depends on the locale.
 *
 *   quantity   unit of the row   written
 *   duration   "ns"              ns us ms s m h d; bare numbers are seconds
 *   rate       "1/s"             /us /ms /s /m /h; bare numbers are per second
 *   size       "B"               B kB KB MB GB KiB MiB GiB; bare numbers are bytes
 *   throughput "B/s"             those of a size, followed by /s
 *   number     "1"               bare, or with %
 */
#ifndef SQUALL_BASE_UNITS_H
#define SQUALL_BASE_UNITS_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/simtime.h"

/* A duration in [ns], rounded to the nearest (halves away from zero). |value| < SIM_TIME_NEVER. */
const char *units_read_duration(const char *text, struct arena *arena, sim_time *value);

/* A real in the unit of the row. Finite. */
const char *units_read_real(const char *text, const char *unit, struct arena *arena, double *value);

/* A whole number, |value| < INT64_MAX; "1e6" and "2.5e3" are whole. */
const char *units_read_count(const char *text, struct arena *arena, int64_t *value);

struct units_text {
    char text[48];
};

/* The shortest text that reads back to the same value: "250us", "1.5s", "800/s", "0.05", "4KiB".
 * No unit is chosen in which the value would be below 1. The real must be finite. */
struct units_text units_write_duration(sim_time value);
struct units_text units_write_real(double value, const char *unit);
struct units_text units_write_count(int64_t value);

/* The units of the quantities above, "" for a whole number; NULL after the last. */
const char *units_known(size_t i);

/* What the quantity is called: "a duration"; `unit` as for rows, or "" for a whole number. */
const char *units_noun(const char *unit);

/* "250us, 20ms, 1.5s, 2m". */
const char *units_examples(const char *unit);

/* What may stand behind a number of the quantity, with `between` between them; "" when nothing. */
const char *units_suffixes(const char *unit, const char *between, struct arena *arena);

/* The one that a bare number is read with: "s" for durations; "" when there is none. */
const char *units_bare(const char *unit);

/* What a text of the quantity looks like, as an ECMA regular expression; `unit` as above. */
const char *units_pattern(const char *unit, struct arena *arena);

/* `text` between quotes, cut when it is too long to be repeated in a message. */
const char *units_quote(const char *text, struct arena *arena);

#endif
