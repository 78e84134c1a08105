/* SPDX-License-Identifier: Apache-2.0 */
#include "results/provenance.h"

#include <stdio.h>

#include "results/layout.h"

uint64_t provenance_session(const struct journal_entry *entry)
{
    return entry && entry->session != JOURNAL_NO_SESSION ? entry->session : LAYOUT_NO_SESSION;
}

static bool write_member(struct h5 *h, const struct journal_index *index,
                         const struct journal_session_member *m, struct arena *memory)
{
    size_t n = index->n_sessions;
    const char **text = arena_take(memory, n * sizeof *text);
    uint64_t *number = arena_take(memory, n * sizeof *number);
    char path[LAYOUT_PATH];
    snprintf(path, sizeof path, LAYOUT_SESSIONS "/%s", m->name);
    for (size_t i = 0; i < n; i++) {
        if (m->unit) {
            number[i] = journal_session_number(&index->sessions[i], m);
        } else {
            text[i] = journal_session_text(&index->sessions[i], m);
        }
    }
    const char *scale = LAYOUT_SESSIONS "/session";
    return m->unit ? h5_numbers(h, path, H5T_STD_U64LE, number, n, scale, m->unit, m->long_name)
                   : h5_texts(h, path, text, n, scale, m->long_name);
}

static bool write_sessions(struct h5 *h, const struct journal_index *index)
{
    bool ok = h5_group(h, LAYOUT_SESSIONS) &&
              h5_scale_bare(h, LAYOUT_SESSIONS "/session", index->n_sessions, false);
    for (const struct journal_session_member *m = journal_session_members; ok && m->name; m++) {
        struct arena memory = {0};
        ok = write_member(h, index, m, &memory);
        arena_close(&memory);
    }
    return ok;
}

/* Few replications have notes. */
static bool write_notes(struct h5 *h, struct journal_index *index, size_t n, struct arena *memory)
{
    const char **text = arena_take(memory, n * sizeof *text);
    uint64_t *point = arena_take(memory, n * sizeof *point);
    uint64_t *replication = arena_take(memory, n * sizeof *replication);
    const char *scale = LAYOUT_NOTES "/note";
    size_t k = 0;
    for (size_t i = 0; i < index->n; i++) {
        if (index->entries[i].note_size > 0) {
            point[k] = index->entries[i].point;
            replication[k] = index->entries[i].replication;
            if (!journal_note(index, i, memory, &text[k++], h->error)) {
                return false;
            }
        }
    }
    const struct layout_named *column = layout_notes;
    return h5_group(h, LAYOUT_NOTES) && h5_scale_bare(h, scale, n, false) &&
           h5_numbers(h, column[LAYOUT_NOTE_POINT].path, H5T_STD_U64LE, point, n, scale,
                      column[LAYOUT_NOTE_POINT].unit, column[LAYOUT_NOTE_POINT].long_name) &&
           h5_numbers(h, column[LAYOUT_NOTE_REPLICATION].path, H5T_STD_U64LE, replication, n, scale,
                      column[LAYOUT_NOTE_REPLICATION].unit,
                      column[LAYOUT_NOTE_REPLICATION].long_name) &&
           h5_texts(h, column[LAYOUT_NOTE_TEXT].path, text, n, scale,
                    column[LAYOUT_NOTE_TEXT].long_name);
}

bool provenance_write(struct h5 *h, struct journal_index *index)
{
    struct arena memory = {0};
    size_t n = 0;
    for (size_t i = 0; i < index->n; i++) {
        n += index->entries[i].note_size > 0;
    }
    bool ok = write_sessions(h, index) && (n == 0 || write_notes(h, index, n, &memory));
    arena_close(&memory);
    return ok;
}
