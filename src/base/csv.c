/* SPDX-License-Identifier: Apache-2.0 */
#include "base/csv.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#include "base/check.h"

enum { FAULTS_TOLD = 20 };

static const char spaces[] = " \t\r\n";

static void begin(struct csv *c, const struct node *at, const char *const *columns,
                  struct diag *diag)
{
    *c = (struct csv){.at = at, .columns = columns, .diag = diag};
    while (columns[c->n]) {
        c->n++;
    }
    c->least = c->n;
    CHECK(c->n <= CSV_COLUMNS_MOST, "a table of %d columns", c->n);
}

bool csv_open(struct csv *c, const char *file, const struct node *at, const char *const *columns,
              struct diag *diag)
{
    begin(c, at, columns, diag);
    c->file = node_path(at, file, &c->scratch);
    c->in = fopen(c->file, "r");
    if (!c->in) {
        diag_error(diag, at, "cannot open '%s': %s", c->file, strerror(errno));
        arena_close(&c->scratch);
    }
    return c->in;
}

void csv_open_text(struct csv *c, const char *text, const struct node *at,
                   const char *const *columns, struct diag *diag)
{
    begin(c, at, columns, diag);
    c->in = fmemopen((void *)(uintptr_t)text, strlen(text), "r");
    CHECK(c->in, "out of memory for a table");
}

void csv_refuse(struct csv *c, const char *what)
{
    if (c->faults++ >= FAULTS_TOLD) {
        what = "more lines may be wrong; these are the first";
    }
    if (c->file) {
        diag_error_place(c->diag, c->file, c->line, 1, "%s", what);
    } else {
        diag_error(c->diag, c->at, "line %d: %s", c->line, what);
    }
}

/* Cuts the line into cells in place; how many there are, also where they are too many. */
static int split(struct csv *c, char *line)
{
    int n = 0;
    memset(c->cells, 0, sizeof c->cells);
    for (char *rest = line; rest; n++) {
        char *cell = rest + strspn(rest, spaces), *comma = strchr(rest, ',');
        char *end = comma ? comma : rest + strlen(rest);
        rest = comma ? comma + 1 : NULL;
        while (end > cell && strchr(spaces, end[-1])) {
            end--;
        }
        *end = '\0';
        if (n < c->n) {
            c->cells[n] = cell;
        }
    }
    return n;
}

static bool is_head(const struct csv *c)
{
    for (int i = 0; i < c->n && c->cells[i]; i++) {
        if (strcmp(c->cells[i], c->columns[i]) != 0) {
            return false;
        }
    }
    return true;
}

bool csv_next(struct csv *c)
{
    ssize_t length;
    while (c->faults <= FAULTS_TOLD && (length = getline(&c->text, &c->size, c->in)) >= 0) {
        /* Spreadsheets write a mark (U+FEFF) before the first line of a text. */
        static const char mark[] = "\xEF\xBB\xBF";
        char *start = c->text;
        start += c->line++ == 0 && strncmp(start, mark, sizeof mark - 1) == 0 ? sizeof mark - 1 : 0;
        if (strlen(c->text) != (size_t)length) { /* another encoding, or what a crash has left */
            csv_refuse(c, "this is no text: there is a byte of 0 in it");
            continue;
        }
        start += strspn(start, spaces);
        if (*start == '\0' || *start == '#') {
            continue;
        }
        int n = split(c, start);
        if (n < c->least || n > c->n) {
            const char *few = c->least < c->n ? arena_format(&c->scratch, "%d to ", c->least) : "";
            csv_refuse(c, arena_format(&c->scratch, "expected %s%d cell%s, found %d", few, c->n,
                                       c->n > 1 ? "s" : "", n));
        } else if (c->headed || !is_head(c)) {
            c->headed = true;
            return true;
        }
        c->headed = true;
    }
    return false;
}

bool csv_close(struct csv *c)
{
    if (ferror(c->in)) {
        diag_error_place(c->diag, c->file, 0, 0, "cannot be read: %s", strerror(errno));
        c->faults++;
    }
    fclose(c->in);
    free(c->text);
    arena_close(&c->scratch);
    return c->faults == 0;
}
