/* SPDX-License-Identifier: Apache-2.0
 *
 * All ranks go through the same windows, so that a message needs no number: the next one from a
 * peer is that of the next window. A rank is at most one window ahead of what a peer has taken in.
 */
#include "parallel/mail.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/region.h"

enum { TAG_LETTER = 1, TAG_REST };
enum {
    LETTER = 3968,               /* [B] of a first message: what Open MPI sends at once */
    REST_MOST = 1 << 24,         /* events that may follow */
    REQUESTS = 4,                /* a peer: letter and rest, each way */
    EVENT = sizeof(struct event) /* [B] */
};

/* A first message: how many events there are in all, the note, the first events. */
struct letter {
    uint64_t n;
    unsigned char body[LETTER - sizeof(uint64_t)];
};

struct peer {
    int rank;
    struct letter out, in;
    struct region rest; /* events that followed the letter */
};

struct mail {
    MPI_Comm comm;
    struct sim *sim;
    size_t note_size; /* rounded up, so that events behind it are aligned */
    uint64_t riders;  /* events that find room in a letter */
    uint32_t n;
    struct peer *peers;
    MPI_Request *letters;  /* to come, one a peer */
    MPI_Request *requests; /* of this window: everything else */
    int n_requests;
};

void mail_next(struct mail *m)
{
    for (uint32_t i = 0; i < m->n; i++) {
        MPI_Irecv(&m->peers[i].in, LETTER, MPI_BYTE, m->peers[i].rank, TAG_LETTER, m->comm,
                  &m->letters[i]);
    }
}

struct mail *mail_open(MPI_Comm comm, struct sim *sim, const uint32_t *peers, uint32_t n,
                       size_t note_size)
{
    struct mail *m = calloc(1, sizeof *m);
    CHECK(m, "out of memory");
    m->comm = comm;
    m->sim = sim;
    m->n = n;
    m->note_size = (note_size + 7) & ~(size_t)7;
    CHECK(m->note_size <= sizeof m->peers->out.body, "a note of %zu bytes", note_size);
    m->riders = (sizeof m->peers->out.body - m->note_size) / EVENT;
    m->peers = calloc(n ? n : 1, sizeof *m->peers);
    m->letters = calloc(n ? n : 1, sizeof *m->letters);
    m->requests = calloc(n ? n * REQUESTS : 1, sizeof(MPI_Request));
    CHECK(m->peers && m->letters && m->requests, "out of memory for %u neighbours", n);
    for (uint32_t i = 0; i < n; i++) {
        m->peers[i].rank = (int)peers[i];
        region_open(&m->peers[i].rest, "messages from another rank", (size_t)REST_MOST * EVENT);
    }
    mail_next(m);
    return m;
}

void mail_close(struct mail *m)
{
    for (uint32_t i = 0; i < m->n; i++) {
        MPI_Cancel(&m->letters[i]);
        MPI_Wait(&m->letters[i], MPI_STATUS_IGNORE);
        region_close(&m->peers[i].rest);
    }
    free(m->peers);
    free(m->letters);
    free(m->requests);
    free(m);
}

static void send_to(struct mail *m, struct peer *p, const void *note, struct windows_stats *s)
{
    uint32_t n;
    sim_time first;
    const struct event *events = sim_outbox(m->sim, (uint32_t)p->rank, &n, &first);
    uint64_t riders = n < m->riders ? n : m->riders;
    size_t size = sizeof p->out.n + m->note_size + riders * EVENT;
    p->out.n = n;
    memcpy(p->out.body, note, m->note_size);
    if (riders > 0) { /* else there may be no outbox */
        memcpy(p->out.body + m->note_size, events, riders * EVENT);
    }
    MPI_Isend(&p->out, (int)size, MPI_BYTE, p->rank, TAG_LETTER, m->comm,
              &m->requests[m->n_requests++]);
    if (n > riders) {
        MPI_Isend(events + riders, (int)((n - riders) * EVENT), MPI_BYTE, p->rank, TAG_REST,
                  m->comm, &m->requests[m->n_requests++]);
    }
    s->messages += 1 + (n > riders);
    s->empty_messages += n == 0;
    s->sent_events += n;
    s->bytes += size + (n - riders) * EVENT;
}

static void await_rest(struct mail *m, struct peer *p)
{
    if (p->in.n > m->riders) {
        size_t size = (p->in.n - m->riders) * EVENT;
        region_reach(&p->rest, size);
        MPI_Irecv(p->rest.base, (int)size, MPI_BYTE, p->rank, TAG_REST, m->comm,
                  &m->requests[m->n_requests++]);
    }
}

static void take_in(struct mail *m, struct peer *p)
{
    const void *riders = p->in.body + m->note_size, *rest = p->rest.base;
    uint64_t n = p->in.n < m->riders ? p->in.n : m->riders;
    sim_inject(m->sim, riders, (uint32_t)n);
    sim_inject(m->sim, rest, (uint32_t)(p->in.n - n));
}

void mail_exchange(struct mail *m, const void *note, struct patience *p, struct windows_stats *s)
{
    m->n_requests = 0;
    for (uint32_t i = 0; i < m->n; i++) {
        send_to(m, &m->peers[i], note, s);
    }
    patience_wait(p, m->letters, (int)m->n);
    for (uint32_t i = 0; i < m->n; i++) {
        await_rest(m, &m->peers[i]);
    }
    patience_wait(p, m->requests, m->n_requests);
    for (uint32_t i = 0; i < m->n; i++) {
        take_in(m, &m->peers[i]);
        sim_outbox_clear(m->sim, (uint32_t)m->peers[i].rank);
    }
}

const void *mail_note(const struct mail *m, uint32_t i)
{
    return m->peers[i].in.body;
}
