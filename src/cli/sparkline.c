/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/sparkline.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

const char *const sparkline_words[SPARKLINE_CHOICES + 1] = {
    [SPARKLINE_AUTO] = "auto", [SPARKLINE_ALWAYS] = "always", [SPARKLINE_NEVER] = "never"};

static const char *const blocks[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
enum { BLOCKS = sizeof blocks / sizeof *blocks, FLAT = 3, BLOCK_BYTES = 3 };

/* The first of these that says anything holds (POSIX.1-2017, 8.2). The locale need not be
 * installed here: it is the terminal's that counts. */
static bool shows_utf8(void)
{
    static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *value = getenv(names[i]);
        if (value && value[0]) {
            const char *code = strchr(value, '.');
            return code &&
                   (strncasecmp(code, ".utf-8", 6) == 0 || strncasecmp(code, ".utf8", 5) == 0);
        }
    }
    return false;
}

bool sparkline_wanted(enum sparkline_choice choice, FILE *out)
{
    return choice == SPARKLINE_ALWAYS ||
           (choice == SPARKLINE_AUTO && isatty(fileno(out)) && shows_utf8());
}

const char *sparkline_draw(const double *value, size_t n, struct arena *arena, double *least,
                           double *most)
{
    *least = *most = NAN;
    for (size_t i = 0; i < n; i++) {
        /* These take the other one where one is NAN. */
        *least = fmin(*least, value[i]);
        *most = fmax(*most, value[i]);
    }
    char *text = arena_take(arena, n * BLOCK_BYTES + 1), *to = text;
    for (size_t i = 0; i < n; i++) {
        double share = (value[i] - *least) / (*most - *least);
        int level = isnan(share) ? (*least != 0.0) * FLAT : (int)lround(share * (BLOCKS - 1));
        const char *block = isnan(value[i]) ? " " : blocks[level];
        to = stpcpy(to, block);
    }
    return text;
}
