/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "results/h5_read.h"
#include "results/layout.h"
#include "results/reader.h"

static bool read_numbers(struct h5 *h, const char *path, hsize_t n, uint64_t *value)
{
    const hsize_t start = 0;
    struct h5_numbers d;
    bool ok = h5_numbers_open(h, path, 1, &d) && (n == 0 || h5_numbers_get(&d, &start, &n, value));
    h5_numbers_close(&d);
    return ok;
}

static bool read_texts(struct results *r, const char *path, hsize_t n, const char *const **text)
{
    hsize_t found;
    return h5_get_texts(r->file, &r->memory, path, text, &found) &&
           (n == found ||
            results_fail(r->file->error, "cannot read %s: %s is not as long as its neighbours",
                         r->file->path, path));
}

static bool read_member(struct results *r, const struct journal_session_member *m,
                        struct results_provenance *p)
{
    char path[LAYOUT_PATH];
    snprintf(path, sizeof path, LAYOUT_SESSIONS "/%s", m->name);
    const char *const *text = NULL;
    uint64_t *number = arena_take(&r->memory, p->n_sessions * sizeof *number);
    if (!(m->unit ? read_numbers(r->file, path, p->n_sessions, number)
                  : read_texts(r, path, p->n_sessions, &text))) {
        return false;
    }
    for (uint64_t i = 0; i < p->n_sessions; i++) {
        char *to = (char *)&p->sessions[i] + m->offset;
        if (m->unit) {
            memcpy(to, &number[i], sizeof number[i]);
        } else {
            memcpy(to, &text[i], sizeof text[i]);
        }
    }
    return true;
}

static bool read_sessions(struct results *r, struct results_provenance *p)
{
    /* The first member is a text, which tells how many there are. */
    char path[LAYOUT_PATH];
    const char *const *first;
    hsize_t n;
    snprintf(path, sizeof path, LAYOUT_SESSIONS "/%s", journal_session_members[0].name);
    if (!h5_get_texts(r->file, &r->memory, path, &first, &n)) {
        return false;
    }
    p->n_sessions = n;
    p->sessions = arena_take(&r->memory, n * sizeof *p->sessions);
    bool ok = true;
    for (const struct journal_session_member *m = journal_session_members; ok && m->name; m++) {
        ok = read_member(r, m, p);
    }
    return ok;
}

static bool read_notes(struct results *r, struct results_provenance *p)
{
    const char *const *text;
    hsize_t n;
    if (!h5_get_texts(r->file, &r->memory, layout_notes[LAYOUT_NOTE_TEXT].path, &text, &n)) {
        return false;
    }
    uint64_t *point = arena_take(&r->memory, n * sizeof *point);
    uint64_t *replication = arena_take(&r->memory, n * sizeof *replication);
    p->n_notes = n;
    p->notes = arena_take(&r->memory, n * sizeof *p->notes);
    if (!read_numbers(r->file, layout_notes[LAYOUT_NOTE_POINT].path, n, point) ||
        !read_numbers(r->file, layout_notes[LAYOUT_NOTE_REPLICATION].path, n, replication)) {
        return false;
    }
    for (hsize_t i = 0; i < n; i++) {
        p->notes[i] = (struct results_note){point[i], replication[i], text[i]};
    }
    return true;
}

bool results_provenance(struct results *r, struct results_provenance *p, struct results_error *e)
{
    *p = (struct results_provenance){.sessions = NULL};
    r->file->error = e;
    hid_t file = r->file->file;
    return (H5Lexists(file, LAYOUT_SESSIONS, H5P_DEFAULT) <= 0 || read_sessions(r, p)) &&
           (H5Lexists(file, LAYOUT_NOTES, H5P_DEFAULT) <= 0 || read_notes(r, p));
}
