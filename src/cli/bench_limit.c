/* SPDX-License-Identifier: Apache-2.0
 *
 * The limit model as a program that can do nothing else: what a general simulator is measured
 * against. Its five sources of events are each in order by construction (arrivals, both
 * directions of the wire, timeouts) or tiny (ten workers, the pending retries), so it needs no
 * event queue; it keeps no statistics but one histogram, and takes its chance from xoshiro256++
 * (Blackman and Vigna 2019) and log().
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/hash.h"
#include "base/simtime.h"
#include "cli/bench.h"
#include "cli/clock.h"
#include "stats/histogram.h"

const char bench_limit_text[] =
    "squall: 1\n"
    "name: limit\n"
    "duration: 1000s\n"
    "entities:\n"
    "  users:\n"
    "    type: client\n"
    "    target: service\n"
    "    arrivals: {kind: poisson, rate: 900/s}\n"
    "    call:\n"
    "      timeout: 500ms\n"
    "      retry: {kind: exponential, max_attempts: 4, initial_delay: 50ms, max_delay: 2s,\n"
    "              jitter: full}\n"
    "  service: {type: server, concurrency: 10, service_time: {exponential: 10ms}}\n"
    "network:\n"
    "  - {from: users, to: service, latency: 500us}\n";

enum { WORKERS = 10, ATTEMPTS = 4, RING = 1 << 20 };

static const sim_time WIRE = 500 * SIM_TIME_US, TIMEOUT = 500 * SIM_TIME_MS,
                      FIRST_DELAY = 50 * SIM_TIME_MS, LAST_DELAY = 2 * SIM_TIME_S,
                      SERVICE = 10 * SIM_TIME_MS;

struct due {
    sim_time time;
    uint32_t request;
    uint32_t life; /* of the request when this was made; another one now: void */
};

struct ring {
    struct due items[RING];
    uint32_t head, tail;
};

struct request {
    sim_time sent;
    uint32_t life; /* changes when what was under way no longer counts */
    uint32_t attempt;
};

struct special {
    uint64_t random[4];
    struct ring to_service, to_client, timeouts, queue;
    struct due serving[WORKERS], retries[RING];
    uint32_t busy, n_retries;
    struct request requests[RING];
    uint32_t unused[RING], n_unused;
    uint64_t counts[HIST_BINS];
    uint64_t begun, answered, given_up;
    sim_time now;
};

static uint64_t rotate(uint64_t x, int k)
{
    return x << k | x >> (64 - k);
}

static uint64_t next_bits(struct special *s)
{
    uint64_t *x = s->random, result = rotate(x[0] + x[3], 23) + x[0], t = x[1] << 17;
    x[2] ^= x[0];
    x[3] ^= x[1];
    x[1] ^= x[2];
    x[0] ^= x[3];
    x[2] ^= t;
    x[3] = rotate(x[3], 45);
    return result;
}

static double unit(struct special *s)
{
    return ((double)(next_bits(s) >> 11) + 0.5) * 0x1p-53;
}

static sim_time exponential(struct special *s, double mean)
{
    return (sim_time)(-mean * log(unit(s)));
}

static inline void ring_push(struct ring *r, struct due d)
{
    CHECK(r->tail - r->head < RING, "the specialised program holds %d at the most", RING);
    r->items[r->tail++ % RING] = d;
}

static inline sim_time ring_time(const struct ring *r)
{
    return r->head == r->tail ? SIM_TIME_NEVER : r->items[r->head % RING].time;
}

static void send(struct special *s, uint32_t id)
{
    struct request *q = &s->requests[id];
    q->attempt++;
    q->life++;
    q->sent = s->now;
    ring_push(&s->to_service, (struct due){s->now + WIRE, id, q->life});
    ring_push(&s->timeouts, (struct due){s->now + TIMEOUT, id, q->life});
}

static void begin(struct special *s)
{
    uint32_t id = s->unused[--s->n_unused];
    s->requests[id].attempt = 0;
    s->begun++;
    send(s, id);
}

static void end(struct special *s, uint32_t id)
{
    s->requests[id].life++;
    s->unused[s->n_unused++] = id;
}

static void arrive(struct special *s)
{
    struct due d = s->to_service.items[s->to_service.head++ % RING];
    if (s->busy < WORKERS) {
        d.time = s->now + exponential(s, (double)SERVICE);
        s->serving[s->busy++] = d;
    } else {
        ring_push(&s->queue, d);
    }
}

static void complete(struct special *s, uint32_t worker)
{
    struct due d = s->serving[worker];
    d.time = s->now + WIRE;
    ring_push(&s->to_client, d);
    if (s->queue.head != s->queue.tail) {
        d = s->queue.items[s->queue.head++ % RING];
        d.time = s->now + exponential(s, (double)SERVICE);
        s->serving[worker] = d;
    } else {
        s->serving[worker] = s->serving[--s->busy];
    }
}

static void answer(struct special *s)
{
    struct due d = s->to_client.items[s->to_client.head++ % RING];
    struct request *q = &s->requests[d.request];
    if (q->life == d.life) {
        s->counts[hist_bin((uint64_t)(s->now - q->sent))]++;
        s->answered++;
        end(s, d.request);
    }
}

static void wait_for_retry(struct special *s, uint32_t id)
{
    struct request *q = &s->requests[id];
    sim_time most = FIRST_DELAY << (q->attempt - 1);
    most = most < LAST_DELAY ? most : LAST_DELAY;
    q->life++;
    struct due d = {s->now + (sim_time)(unit(s) * (double)most), id, q->life};
    uint32_t hole = s->n_retries++;
    for (; hole > 0 && s->retries[(hole - 1) / 4].time > d.time; hole = (hole - 1) / 4) {
        s->retries[hole] = s->retries[(hole - 1) / 4];
    }
    s->retries[hole] = d;
}

static void time_out(struct special *s)
{
    struct due d = s->timeouts.items[s->timeouts.head++ % RING];
    struct request *q = &s->requests[d.request];
    if (q->life != d.life) {
        return;
    }
    if (q->attempt < ATTEMPTS) {
        wait_for_retry(s, d.request);
    } else {
        s->given_up++;
        end(s, d.request);
    }
}

static void retry(struct special *s)
{
    uint32_t id = s->retries[0].request, n = --s->n_retries, hole = 0;
    struct due last = s->retries[n];
    for (uint32_t child = 1; child < n; child = 4 * hole + 1) {
        uint32_t best = child, stop = child + 4 < n ? child + 4 : n;
        for (uint32_t c = child + 1; c < stop; c++) {
            best = s->retries[c].time < s->retries[best].time ? c : best;
        }
        if (s->retries[best].time >= last.time) {
            break;
        }
        s->retries[hole] = s->retries[best];
        hole = best;
    }
    s->retries[hole] = last;
    send(s, id);
}

/* Handles the earliest event. */
static void step(struct special *s, sim_time *arrival, double gap, uint64_t requests)
{
    sim_time best = s->begun < requests ? *arrival : SIM_TIME_NEVER, t;
    enum { ARRIVAL, TO_SERVICE, SERVED, TO_CLIENT, TIMED_OUT, RETRY } what = ARRIVAL;
    uint32_t worker = 0;
    if ((t = ring_time(&s->to_service)) < best) {
        best = t;
        what = TO_SERVICE;
    }
    for (uint32_t w = 0; w < s->busy; w++) {
        if (s->serving[w].time < best) {
            best = s->serving[w].time;
            what = SERVED;
            worker = w;
        }
    }
    if ((t = ring_time(&s->to_client)) < best) {
        best = t;
        what = TO_CLIENT;
    }
    if ((t = ring_time(&s->timeouts)) < best) {
        best = t;
        what = TIMED_OUT;
    }
    if (s->n_retries > 0 && s->retries[0].time < best) {
        best = s->retries[0].time;
        what = RETRY;
    }
    s->now = best;
    switch (what) {
    case ARRIVAL:
        begin(s);
        *arrival = s->now + exponential(s, gap);
        break;
    case TO_SERVICE:
        arrive(s);
        break;
    case SERVED:
        complete(s, worker);
        break;
    case TO_CLIENT:
        answer(s);
        break;
    case TIMED_OUT:
        time_out(s);
        break;
    case RETRY:
        retry(s);
        break;
    }
}

struct bench_run bench_limit_special(uint64_t requests, double rate, uint64_t seed)
{
    struct special *s = calloc(1, sizeof *s);
    CHECK(s, "out of memory");
    for (uint64_t i = 0; i < 4; i++) {
        s->random[i] = hash_pair(seed, i);
    }
    for (uint32_t i = 0; i < RING; i++) {
        s->unused[s->n_unused++] = RING - 1 - i;
    }
    double began = clock_s(), gap = 1e9 / rate;
    sim_time arrival = exponential(s, gap);
    while (s->answered + s->given_up < requests) {
        step(s, &arrival, gap, requests);
    }
    struct bench_run run = {clock_s() - began, requests, sizeof *s};
    free(s);
    return run;
}
