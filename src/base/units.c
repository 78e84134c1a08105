/* SPDX-License-Identifier: Apache-2.0 */
#include "base/units.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"

/* Wide enough for DIGITS digits times the largest factor of a duration. */
__extension__ typedef unsigned __int128 wide;

enum {
    DIGITS = 33,           /* significant digits kept */
    WIDE_DIGITS = 38,      /* the largest power of ten in `wide` */
    SECONDS_A_DAY = 86400, /* the largest factor of a duration */
    MAX_EXPONENT = 100000, /* further away everything is zero or too large */
    LONGEST_QUOTE = 60,
};

_Static_assert(SECONDS_A_DAY < 100000 && DIGITS + 5 <= WIDE_DIGITS,
               "as many digits times the largest factor do not fit");

struct quantity {
    const char *unit, *noun, *examples;
};

static const struct quantity quantities[] = {
    {"ns", "a duration", "250us, 20ms, 1.5s, 2m"},
    {"1/s", "a rate", "800/s, 50/ms, 3/m"},
    {"B", "a size", "512B, 4KiB, 1MB"},
    {"B/s", "a throughput", "512B/s, 4KiB/s, 1MB/s"},
    {"1", "a number", "0.05, 5%, 2.5e3"},
    {"", "a whole number", "16, 1e6, 1_000"},
};

enum { QUANTITIES = sizeof quantities / sizeof quantities[0] };

/* A value with this suffix is number * 10^ten * factor, or / factor, in the unit. */
struct suffix {
    const char *unit, *suffix;
    int ten;
    uint32_t factor;
    bool divide;
    bool written; /* a candidate when a value is turned into text */
};

static const struct suffix suffixes[] = {
    {"ns", "", 9, 1, false, false},
    {"ns", "s", 9, 1, false, true},
    {"ns", "ms", 6, 1, false, true},
    {"ns", "us", 3, 1, false, true},
    {"ns", "ns", 0, 1, false, true},
    {"ns", "m", 9, 60, false, true},
    {"ns", "h", 9, 3600, false, true},
    {"ns", "d", 9, SECONDS_A_DAY, false, true},
    {"1/s", "", 0, 1, false, false},
    {"1/s", "/s", 0, 1, false, true},
    {"1/s", "/ms", 3, 1, false, false},
    {"1/s", "/us", 6, 1, false, false},
    {"1/s", "/m", 0, 60, true, false},
    {"1/s", "/h", 0, 3600, true, false},
    {"B", "", 0, 1, false, false},
    {"B", "B", 0, 1, false, true},
    {"B", "kB", 3, 1, false, true},
    {"B", "KB", 3, 1, false, false},
    {"B", "MB", 6, 1, false, true},
    {"B", "GB", 9, 1, false, true},
    {"B", "KiB", 0, 1u << 10, false, true},
    {"B", "MiB", 0, 1u << 20, false, true},
    {"B", "GiB", 0, 1u << 30, false, true},
    {"B/s", "", 0, 1, false, false},
    {"B/s", "B/s", 0, 1, false, true},
    {"B/s", "kB/s", 3, 1, false, true},
    {"B/s", "KB/s", 3, 1, false, false},
    {"B/s", "MB/s", 6, 1, false, true},
    {"B/s", "GB/s", 9, 1, false, true},
    {"B/s", "KiB/s", 0, 1u << 10, false, true},
    {"B/s", "MiB/s", 0, 1u << 20, false, true},
    {"B/s", "GiB/s", 0, 1u << 30, false, true},
    {"1", "", 0, 1, false, true},
    {"1", "%", -2, 1, false, false},
    {"", "", 0, 1, false, true},
};
enum { SUFFIXES = sizeof suffixes / sizeof suffixes[0] };

/* digits * 10^ten; no leading zeros, so that zero has no digits at all. */
struct decimal {
    bool negative;
    bool cut; /* further digits, not all zero, were dropped */
    char digits[DIGITS + 1];
    int count;
    long ten;
};

static const struct quantity *quantity_of(const char *unit)
{
    for (size_t i = 0; i < QUANTITIES; i++) {
        if (strcmp(quantities[i].unit, unit) == 0) {
            return &quantities[i];
        }
    }
    CHECK(false, "no quantity has the unit '%s'", unit);
    return NULL;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static void take_digit(struct decimal *d, char c, bool fraction)
{
    if (d->count < DIGITS) {
        if (d->count > 0 || c != '0') {
            d->digits[d->count++] = c;
        }
        d->ten -= fraction;
    } else {
        d->cut = d->cut || c != '0';
        d->ten += !fraction;
    }
}

/* Takes digits, between which `_` may stand, and returns where they end. */
static const char *scan_digits(const char *p, struct decimal *d, bool fraction, bool *any)
{
    for (; is_digit(*p) || (*p == '_' && *any && is_digit(p[1]) && is_digit(p[-1])); p++) {
        if (*p != '_') {
            take_digit(d, *p, fraction);
            *any = true;
        }
    }
    return p;
}

static const char *scan_exponent(const char *p, struct decimal *d)
{
    if (*p != 'e' && *p != 'E') {
        return p;
    }
    const char *q = p + 1;
    bool negative = *q == '-';
    q += *q == '-' || *q == '+';
    if (!is_digit(*q)) {
        return p;
    }
    long exponent = 0;
    for (; is_digit(*q); q++) {
        exponent = exponent < MAX_EXPONENT ? exponent * 10 + (*q - '0') : exponent;
    }
    d->ten += negative ? -exponent : exponent;
    return q;
}

/* The number at the start of the text; returns where it ends, NULL when there is none. */
static const char *scan_number(const char *p, struct decimal *d)
{
    bool any = false;
    memset(d, 0, sizeof *d);
    d->negative = *p == '-';
    p += *p == '-' || *p == '+';
    p = scan_digits(p, d, false, &any);
    if (*p == '.') {
        p = scan_digits(p + 1, d, true, &any);
    }
    return any ? scan_exponent(p, d) : NULL;
}

static const struct suffix *find_suffix(const char *unit, const char *text)
{
    for (int i = 0; i < SUFFIXES; i++) {
        if (strcmp(suffixes[i].unit, unit) == 0 && strcmp(suffixes[i].suffix, text) == 0) {
            return &suffixes[i];
        }
    }
    return NULL;
}

/* A number of the quantity taken apart; NULL when the text is none. */
static const struct suffix *scan(const char *text, const char *unit, struct decimal *d)
{
    const char *p = scan_number(text, d);
    if (!p) {
        return NULL;
    }
    if (*p == ' ' && p[1] != '\0') {
        p++;
    }
    return find_suffix(unit, p);
}

const char *units_quote(const char *text, struct arena *arena)
{
    size_t n = strlen(text);
    if (n <= LONGEST_QUOTE) {
        return arena_format(arena, "'%s'", text);
    }
    n = LONGEST_QUOTE;
    while (n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80) {
        n--; /* Not within a UTF-8 sequence. */
    }
    return arena_format(arena, "'%.*s...'", (int)n, text);
}

static const char *refusal(const char *text, const char *unit, struct arena *arena)
{
    const struct quantity *q = quantity_of(unit);
    return arena_format(arena, "%s is not %s (expected for instance %s)", units_quote(text, arena),
                        q->noun, q->examples);
}

static const char *too_large(const char *text, struct arena *arena)
{
    return arena_format(arena, "%s is too large", units_quote(text, arena));
}

/* The nearest integer to d * 10^ten * factor. False when it is INT64_MAX or further from zero. */
static bool to_integer(const struct decimal *d, int ten, uint32_t factor, int64_t *value,
                       bool *exact)
{
    wide v = 0;
    for (int i = 0; i < d->count; i++) {
        v = v * 10 + (unsigned)(d->digits[i] - '0');
    }
    v *= factor;
    long shift = d->ten + ten;
    *exact = !d->cut;
    if (shift < -WIDE_DIGITS) {
        *exact = *exact && v == 0;
        v = 0;
    } else if (shift < 0) {
        wide p = 1;
        for (; shift < 0; shift++) {
            p *= 10;
        }
        wide rest = v % p;
        *exact = *exact && rest == 0;
        v = v / p + (rest >= p / 2);
    }
    for (; shift > 0 && v > 0 && v < INT64_MAX; shift--) {
        v *= 10;
    }
    if (v >= INT64_MAX) {
        return false;
    }
    *value = d->negative ? -(int64_t)v : (int64_t)v;
    return true;
}

const char *units_read_duration(const char *text, struct arena *arena, sim_time *value)
{
    struct decimal d;
    bool exact;
    const struct suffix *s = scan(text, "ns", &d);
    if (!s) {
        return refusal(text, "ns", arena);
    }
    return to_integer(&d, s->ten, s->factor, value, &exact) ? NULL : too_large(text, arena);
}

const char *units_read_count(const char *text, struct arena *arena, int64_t *value)
{
    struct decimal d;
    bool exact;
    if (!scan(text, "", &d)) {
        return refusal(text, "", arena);
    }
    if (!to_integer(&d, 0, 1, value, &exact)) {
        return too_large(text, arena);
    }
    return exact ? NULL : refusal(text, "", arena);
}

const char *units_read_real(const char *text, const char *unit, struct arena *arena, double *value)
{
    struct decimal d;
    const struct suffix *s = scan(text, unit, &d);
    if (!s) {
        return refusal(text, unit, arena);
    }
    /* Without a decimal point strtod reads the same in every locale. Dropped digits leave a mark
     * so that rounding goes the right way. */
    char number[DIGITS + 40];
    snprintf(number, sizeof number, "%s%s%se%ld", d.negative ? "-" : "", d.count ? d.digits : "0",
             d.cut ? "1" : "", d.ten + s->ten - d.cut);
    double v = strtod(number, NULL);
    v = s->divide ? v / s->factor : v * s->factor;
    if (!__builtin_isfinite(v)) {
        return too_large(text, arena);
    }
    *value = v;
    return NULL;
}

static size_t trimmed(const char *digits, size_t n)
{
    while (n > 0 && digits[n - 1] == '0') {
        n--;
    }
    return n;
}

/* The magnitude in this unit, or "" when it cannot be told exactly or is below 1. */
static struct units_text duration_in(uint64_t ns, const struct suffix *s)
{
    struct units_text t = {""};
    uint64_t unit = s->factor;
    for (int i = 0; i < s->ten; i++) {
        unit *= 10;
    }
    uint64_t rest = ns % unit;
    if (ns < unit || (s->factor > 1 && rest > 0)) {
        return t;
    }
    char fraction[24] = "";
    if (rest > 0) {
        snprintf(fraction, sizeof fraction, "%0*llu", s->ten, (unsigned long long)rest);
    }
    snprintf(t.text, sizeof t.text, "%llu%s%.*s%s", (unsigned long long)(ns / unit),
             rest > 0 ? "." : "", (int)trimmed(fraction, strlen(fraction)), fraction, s->suffix);
    return t;
}

struct units_text units_write_duration(sim_time value)
{
    struct units_text best = {"0s"};
    uint64_t magnitude = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    bool found = false;
    for (int i = 0; i < SUFFIXES && magnitude > 0; i++) {
        if (strcmp(suffixes[i].unit, "ns") != 0 || !suffixes[i].written) {
            continue;
        }
        struct units_text t = duration_in(magnitude, &suffixes[i]);
        if (t.text[0] && (!found || strlen(t.text) < strlen(best.text))) {
            best = t;
            found = true;
        }
    }
    if (value < 0) {
        struct units_text t = {"-"};
        memcpy(t.text + 1, best.text, sizeof t.text - 1);
        return t;
    }
    return best;
}

/* The fewest digits that read back to the same double: d.ddd * 10^exponent. */
static int shortest_digits(double magnitude, char digits[20])
{
    char text[40];
    int exponent = 0;
    for (int more = 0; more <= 16; more++) {
        snprintf(text, sizeof text, "%.*e", more, magnitude);
        bool same = strtod(text, NULL) == magnitude; /* Both in the locale of the process. */
        char *e = strchr(text, 'e');
        exponent = atoi(e + 1);
        int n = 0;
        for (const char *p = text; p < e; p++) {
            if (is_digit(*p)) {
                digits[n++] = *p;
            }
        }
        digits[n] = '\0';
        if (same) {
            break;
        }
    }
    size_t n = trimmed(digits, strlen(digits));
    digits[n ? n : 1] = '\0';
    return exponent;
}

static struct units_text place_point(const char *digits, int exponent, const char *suffix)
{
    struct units_text t;
    int n = (int)strlen(digits);
    if (exponent < -5 || exponent > 15) {
        snprintf(t.text, sizeof t.text, "%.1s%s%se%d%s", digits, n > 1 ? "." : "", digits + 1,
                 exponent, suffix);
    } else if (exponent < 0) {
        snprintf(t.text, sizeof t.text, "0.%.*s%s%s", -exponent - 1, "0000", digits, suffix);
    } else if (exponent >= n - 1) {
        snprintf(t.text, sizeof t.text, "%s%.*s%s", digits, exponent - n + 1, "000000000000000",
                 suffix);
    } else {
        snprintf(t.text, sizeof t.text, "%.*s.%s%s", exponent + 1, digits, digits + exponent + 1,
                 suffix);
    }
    return t;
}

struct units_text units_write_real(double value, const char *unit)
{
    struct units_text best = {""};
    bool negative = __builtin_signbit(value);
    double magnitude = negative ? -value : value;
    for (int i = 0; i < SUFFIXES; i++) {
        const struct suffix *s = &suffixes[i];
        if (strcmp(s->unit, unit) != 0 || !s->written) {
            continue;
        }
        char digits[20];
        int exponent = shortest_digits(magnitude / s->factor, digits) - s->ten;
        bool plain = s->factor == 1 && s->ten == 0;
        if (!plain && (exponent < 0 || digits[0] == '0')) {
            continue;
        }
        struct units_text t = place_point(digits, exponent, s->suffix);
        if (!best.text[0] || strlen(t.text) < strlen(best.text)) {
            best = t;
        }
    }
    CHECK(best.text[0], "no text for a value in '%s'", unit);
    if (negative) {
        struct units_text t = {"-"};
        memcpy(t.text + 1, best.text, sizeof t.text - 1);
        return t;
    }
    return best;
}

struct units_text units_write_count(int64_t value)
{
    struct units_text t;
    snprintf(t.text, sizeof t.text, "%lld", (long long)value);
    return t;
}

const char *units_noun(const char *unit)
{
    return quantity_of(unit)->noun;
}

const char *units_known(size_t i)
{
    return i < QUANTITIES ? quantities[i].unit : NULL;
}

const char *units_examples(const char *unit)
{
    return quantity_of(unit)->examples;
}

const char *units_suffixes(const char *unit, const char *between, struct arena *arena)
{
    const char *all = "";
    for (int i = 0; i < SUFFIXES; i++) {
        if (strcmp(suffixes[i].unit, unit) == 0 && suffixes[i].suffix[0]) {
            all = arena_format(arena, "%s%s%s", all, *all ? between : "", suffixes[i].suffix);
        }
    }
    return all;
}

const char *units_bare(const char *unit)
{
    const struct suffix *bare = find_suffix(unit, "");
    for (const struct suffix *s = suffixes; s < suffixes + SUFFIXES; s++) {
        if (strcmp(s->unit, unit) == 0 && s->suffix[0] && s->ten == bare->ten &&
            s->factor == bare->factor) {
            return s->suffix;
        }
    }
    return "";
}

const char *units_pattern(const char *unit, struct arena *arena)
{
    const char *all = units_suffixes(unit, "|", arena);
    const char *number = "^[-+]?([0-9][0-9_]*(\\.[0-9_]*)?|\\.[0-9][0-9_]*)([eE][-+]?[0-9]+)?";
    return *all ? arena_format(arena, "%s( ?(%s))?$", number, all)
                : arena_format(arena, "%s$", number);
}
