/* SPDX-License-Identifier: Apache-2.0
 *
 * Studies drawn at random that use every mechanism are read, and read again from their resolved
 * text. Then some of their words are exchanged: what comes of that is either a study, which runs,
 * or messages, each with its place.
 *
 * test_mutations [ROUNDS [FIRST]]
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/sim.h"
#include "model/resolved.h"
#include "support/draft.h"
#include "support/random_mesh.h"
#include "support/reading.h"

static uint64_t n_rounds = 300, first_round;

enum { LONGEST = 65536 };

static void studies_read_back(void **state)
{
    (void)state;
    static char text[LONGEST];
    for (uint64_t n = 0; n < 60; n++) {
        random_mesh(n, text, sizeof text);
        char *messages, *more;
        struct study *s = reading(entity_registry, text, &messages);
        struct arena arena = {0};
        struct study *again = reading(entity_registry, resolved_text(s, &arena), &more);
        if (!again || plan_hash(s) != plan_hash(again)) {
            puts(text);
            fail_msg("study %" PRIu64 " reads back otherwise: %s", n, more);
        }
        free(messages);
        free(more);
        study_close(s);
        study_close(again);
        arena_close(&arena);
    }
}

/* --- mutations --------------------------------------------------------------------------- */

/* A word, and where it ends. */
struct span {
    size_t from, to;
};

static bool is_of_word(char c)
{
    return isalnum((unsigned char)c) || strchr("_.%/-\"*", c) != NULL;
}

/* The first word from a random place on; empty at the end. */
static struct span pick_word(struct draft *d, const char *text)
{
    struct span w = {.from = draft_below(d, (uint32_t)strlen(text))};
    while (text[w.from] && !is_of_word(text[w.from])) {
        w.from++;
    }
    w.to = w.from;
    while (text[w.to] && is_of_word(text[w.to])) {
        w.to++;
    }
    return w;
}

static void replace(char *text, struct span w, const char *with)
{
    static char rest[LONGEST];
    size_t length = strlen(with);
    strcpy(rest, text + w.to);
    assert_true(w.from + length + strlen(rest) < LONGEST);
    memcpy(text + w.from, with, length);
    strcpy(text + w.from + length, rest);
}

static void put_another(struct draft *d, char *text, struct span w)
{
    static const char *const others[] = {
        "0",         "1",        "-1",         "0s",    "1ns",      "-5ms", "1000h",  "99999d",
        "0.5",       "200%",     "-3%",        "1e400", "nan",      "inf",  "none",   "all",
        "unlimited", "true",     "{}",         "[]",    "[[]]",     "~",    "\"\"",   "''",
        "x",         "timeout",  "error",      "65536", "5/s",      "1kB",  "503",    "99-100",
        "600",       "POST",     "[GET, GET]", "call",  "endpoint", "web",  "{a: b}", "[1, 2, 3]",
        "parallel",  "adaptive", "percentile", "refuse"};
    replace(text, w, DRAFT_ONE_OF(d, others));
}

/* Another digit in place of the next one. */
static void put_digit(struct draft *d, char *text, size_t from)
{
    char *digit = strpbrk(text + from, "0123456789");
    if (digit) {
        *digit = (char)('0' + draft_below(d, 10));
    }
}

/* One word of the text becomes another, that of another place, or nothing; or a sign does; or a
 * number is another one, which does no harm in general. */
static void mutate(struct draft *d, char *text)
{
    static const char signs[] = "{}[]:,'\"\n ab0159.%-~#&*!|>";
    struct span w = pick_word(d, text), v = pick_word(d, text);
    char word[64];
    switch (draft_below(d, 12)) {
    case 0:
        text[w.from] = text[w.from] ? signs[draft_below(d, sizeof signs - 1)] : '\0';
        break;
    case 1:
        replace(text, w, "");
        break;
    case 2:
    case 3:
        snprintf(word, sizeof word, "%.*s", (int)(v.to - v.from), text + v.from);
        replace(text, w, word);
        break;
    case 4:
    case 5:
        put_another(d, text, w);
        break;
    default:
        put_digit(d, text, w.from);
    }
}

/* Every line says file, line, column, and what is wrong. */
static bool is_placed(const char *messages)
{
    for (const char *line = messages; *line; line = strchr(line, '\n') + 1) {
        int row, column, end = 0;
        sscanf(line, "g.yaml:%d:%d: %n", &row, &column, &end);
        if (end == 0 || line[end] == '\n' || row < 1 || column < 1) {
            return false;
        }
    }
    return true;
}

/* As far as that does not take long. */
static void run_shortly(struct study *s)
{
    enum { MOST_ENTITIES = 1000, EVENTS = 3000 };
    struct sim_options options = study_options(s);
    if (s->blueprint.n_entities > MOST_ENTITIES) {
        return;
    }
    struct sim *sim = sim_open(&s->blueprint, &options);
    sim_reset(sim, 1, 0);
    sim_run_until(sim, SIM_TIME_NEVER, EVENTS);
    sim_close(sim);
}

static void mistakes_have_a_place(void **state)
{
    (void)state;
    static char text[LONGEST];
    uint64_t good = 0;
    for (uint64_t n = first_round; n < first_round + n_rounds; n++) {
        random_mesh(n, text, sizeof text / 2);
        struct draft chance;
        draft_begin(&chance, n, 1, NULL, 0);
        for (uint32_t i = 1 + draft_below(&chance, 3); i > 0; i--) {
            mutate(&chance, text);
        }
        char *messages;
        struct study *s = reading(entity_registry, text, &messages);
        if (!is_placed(messages) || (!s && messages[0] == '\0')) {
            puts(text);
            fail_msg("round %" PRIu64 " says: %s", n, messages);
        }
        if (s) {
            good++;
            run_shortly(s);
        }
        study_close(s);
        free(messages);
    }
    /* There are many of either sort. */
    assert_in_range(good, n_rounds / 20, n_rounds - n_rounds / 20);
}

int main(int argc, char **argv)
{
    if (argc > 1) {
        n_rounds = strtoull(argv[1], NULL, 10);
    }
    if (argc > 2) {
        first_round = strtoull(argv[2], NULL, 10);
    }
    const struct CMUnitTest tests[] = {cmocka_unit_test(studies_read_back),
                                       cmocka_unit_test(mistakes_have_a_place)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
