/* SPDX-License-Identifier: Apache-2.0 */
#include "policies/balancing.h"

#include "base/check.h"
#include "base/hash.h"

static const char *const ties_words[] = {"first", "random", NULL};
static const char *const key_words[] = {"client", "request", NULL};

#define TIES \
    P_WORD( \
        balancing, ties, ties_words, "first", \
        "Of several with the least: the first, or any. By `first` a balancer with little to do " \
        "sends everything to its first backend.")
#define BY \
    P_WORD( \
        balancing, by, key_words, "client", \
        "What decides: the client that made the request at first, or the request itself, whose " \
        "attempts then all go to one backend.")

static const struct param_spec ties_rows[] = {TIES, P_END};
static const struct param_spec hash_rows[] = {BY, P_END};

static const struct param_spec response_rows[] = {
    P_REAL(balancing, alpha, "0.3", 1e-6, 1, "1",
           "Share of the newest answer in the moving average."),
    P_END};

static const struct param_spec ring_rows[] = {
    BY, P_COUNT(balancing, virtual_nodes, "100", 1, 10000, "Places on the ring, times the weight."),
    P_END};

static const struct param_spec choices_rows[] = {
    P_COUNT(balancing, choices, "2", 1, BALANCE_MOST_CHOICES,
            "Backends, drawn by chance, among whom the one with the fewest requests is taken."),
    P_END};

static const struct alternative alternatives[] = {
    {.name = "round_robin", .summary = "In turn.", .tag = BALANCING_ROUND_ROBIN},
    {.name = "weighted_round_robin",
     .summary = "In turn, each as often as its weight says and spread evenly: with weights 5, 1 "
                "and 1 a a b a c a a.",
     .tag = BALANCING_WEIGHTED_ROUND_ROBIN},
    {.name = "random", .summary = "Any.", .tag = BALANCING_RANDOM},
    {.name = "weighted_random",
     .summary = "Any, with the chance that its weight gives it.",
     .tag = BALANCING_WEIGHTED_RANDOM},
    {.name = "least_connections",
     .summary = "The one with the fewest requests outstanding.",
     .tag = BALANCING_LEAST_CONNECTIONS,
     .rows = ties_rows},
    {.name = "weighted_least_connections",
     .summary = "The one with the fewest requests outstanding for its weight.",
     .tag = BALANCING_WEIGHTED_LEAST_CONNECTIONS,
     .rows = ties_rows},
    {.name = "least_response_time",
     .summary = "The one that has answered fastest, by a moving average; the first of equals. "
                "Before those that have answered go those that have nothing to do and have not, "
                "one by chance.",
     .tag = BALANCING_LEAST_RESPONSE_TIME,
     .rows = response_rows},
    {.name = "hash",
     .summary = "One for each key, by the remainder of a hash: when the number of backends "
                "changes, nearly all keys move.",
     .tag = BALANCING_HASH,
     .rows = hash_rows},
    {.name = "consistent_hash",
     .summary = "One for each key, by the next node on a ring: when a backend goes, only its keys "
                "move.",
     .tag = BALANCING_CONSISTENT_HASH,
     .rows = ring_rows},
    {.name = "power_of_two_choices",
     .summary = "Of two drawn by chance the one with fewer requests outstanding.",
     .tag = BALANCING_CHOICES},
    {.name = "power_of_d_choices",
     .summary = "Of several drawn by chance the one with the fewest requests outstanding.",
     .tag = BALANCING_CHOICES,
     .rows = choices_rows},
    {.name = NULL}};

static void derive(void *value, const struct node *at, struct diag *diag, struct arena *arena)
{
    (void)at;
    (void)diag;
    (void)arena;
    struct balancing *b = value;
    b->choices = b->choices ? b->choices : 2;
}

const struct choice balancing_choice = {.name = "balancing",
                                        .summary = "Which backend the next request goes to.",
                                        .size = sizeof(struct balancing),
                                        .tag_offset = SCHEMA_OFFSET(int, balancing, kind),
                                        .alternatives = alternatives,
                                        .derive = derive};

bool balancing_needs_key(const struct balancing *b)
{
    return b->kind == BALANCING_HASH || b->kind == BALANCING_CONSISTENT_HASH;
}

bool balancing_needs_weights(const struct balancing *b)
{
    return b->kind == BALANCING_WEIGHTED_ROUND_ROBIN || b->kind == BALANCING_WEIGHTED_RANDOM ||
           b->kind == BALANCING_WEIGHTED_LEAST_CONNECTIONS || b->kind == BALANCING_CONSISTENT_HASH;
}

/* Load of one of those that may be chosen. */
static uint32_t load_of(uint32_t i, void *context)
{
    const struct balanced *d = context;
    return d->load(d->up[i], d->context);
}

static uint32_t start_of(const struct balancing *b, const struct balanced *d,
                         struct rng_stream *stream)
{
    return b->ties == TIES_RANDOM ? (uint32_t)rng_below(stream, d->n) : 0;
}

static uint32_t pick_by_weight_in_turn(const struct balanced *d)
{
    int64_t total = 0;
    uint32_t best = d->up[0];
    for (uint32_t i = 0; i < d->n; i++) {
        struct balanced_backend *x = &d->all[d->up[i]];
        total += x->weight;
        x->credit += x->weight;
        best = x->credit > d->all[best].credit ? d->up[i] : best;
    }
    d->all[best].credit -= total;
    return best;
}

static uint32_t pick_by_weight(const struct balanced *d, struct rng_stream *stream)
{
    uint64_t total = 0;
    for (uint32_t i = 0; i < d->n; i++) {
        total += (uint64_t)d->all[d->up[i]].weight;
    }
    uint64_t at = rng_below(stream, total);
    uint32_t i = 0;
    for (; at >= (uint64_t)d->all[d->up[i]].weight; i++) {
        at -= (uint64_t)d->all[d->up[i]].weight;
    }
    return d->up[i];
}

/* The least requests for the weight. */
static uint32_t least_by_weight(const struct balanced *d, uint32_t start)
{
    uint32_t best = d->up[start];
    uint64_t least = d->load(best, d->context);
    for (uint32_t k = 1; k < d->n; k++) {
        uint32_t i = d->up[(start + k) % d->n];
        uint64_t load = d->load(i, d->context);
        if (load * (uint64_t)d->all[best].weight < least * (uint64_t)d->all[i].weight) {
            best = i;
            least = load;
        }
    }
    return best;
}

/* One that has been asked and has not answered is not asked again for that. */
static bool is_untried(const struct balanced *d, uint32_t i)
{
    return !d->all[i].known && d->load(i, d->context) == 0;
}

static uint32_t pick_untried(const struct balanced *d, uint32_t n, struct rng_stream *stream)
{
    uint32_t left = (uint32_t)rng_below(stream, n), i = 0;
    for (;; i++) {
        if (is_untried(d, d->up[i]) && left-- == 0) {
            return d->up[i];
        }
    }
}

static uint32_t pick_fastest(const struct balanced *d, struct rng_stream *stream)
{
    const struct balanced_backend *best = NULL;
    uint32_t untried = 0;
    for (uint32_t i = 0; i < d->n; i++) {
        const struct balanced_backend *x = &d->all[d->up[i]];
        untried += is_untried(d, d->up[i]);
        if (x->known && (!best || x->average < best->average)) {
            best = x;
        }
    }
    if (untried > 0) {
        return pick_untried(d, untried, stream);
    }
    return best ? (uint32_t)(best - d->all) : d->up[rng_below(stream, d->n)];
}

/* The next node from the key on, round the ring, whose backend may be chosen. */
static uint32_t pick_on_ring(const struct balanced *d, uint64_t key)
{
    uint32_t low = 0, high = d->points;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (d->ring[middle].hash < key) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    for (uint32_t k = 0; k < d->points; k++) {
        uint32_t at = low + k < d->points ? low + k : low + k - d->points;
        if (d->all[d->ring[at].backend].up) {
            return d->ring[at].backend;
        }
    }
    CHECK(false, "a ring without a backend that may be chosen");
}

uint32_t balancing_pick(const struct balancing *b, const struct balanced *d, uint64_t key,
                        struct rng_stream *stream)
{
    CHECK(d->n > 0, "no backend to choose");
    if (d->n == 1) {
        return d->up[0];
    }
    struct balanced up = *d; /* not const for load_of */
    switch ((enum balancing_kind)b->kind) {
    case BALANCING_ROUND_ROBIN:
        return d->up[balance_pick(BALANCE_ROUND_ROBIN, d->n, d->turn, load_of, &up, stream)];
    case BALANCING_WEIGHTED_ROUND_ROBIN:
        return pick_by_weight_in_turn(d);
    case BALANCING_RANDOM:
        return d->up[balance_pick(BALANCE_RANDOM, d->n, d->turn, load_of, &up, stream)];
    case BALANCING_WEIGHTED_RANDOM:
        return pick_by_weight(d, stream);
    case BALANCING_LEAST_CONNECTIONS:
        return d->up[balance_least(d->n, start_of(b, d, stream), load_of, &up)];
    case BALANCING_WEIGHTED_LEAST_CONNECTIONS:
        return least_by_weight(d, start_of(b, d, stream));
    case BALANCING_LEAST_RESPONSE_TIME:
        return pick_fastest(d, stream);
    case BALANCING_HASH:
        return d->up[key % d->n];
    case BALANCING_CONSISTENT_HASH:
        return pick_on_ring(d, key);
    case BALANCING_CHOICES:
        return d->up[balance_choose(d->n, (uint32_t)b->choices, load_of, &up, stream)];
    }
    CHECK(false, "no strategy: %d", b->kind);
}

void balancing_answered(const struct balancing *b, struct balanced_backend *backend, sim_time took)
{
    if (b->kind == BALANCING_LEAST_RESPONSE_TIME) {
        backend->average = backend->known
                               ? b->alpha * (double)took + (1.0 - b->alpha) * backend->average
                               : (double)took;
        backend->known = true;
    }
}

/* --- the ring ---------------------------------------------------------------------------- */

uint64_t balancing_points(const struct balancing *b, const struct balanced_backend *all, uint32_t n)
{
    uint64_t points = 0;
    for (uint32_t i = 0; b->kind == BALANCING_CONSISTENT_HASH && i < n; i++) {
        points += (uint64_t)b->virtual_nodes * (uint64_t)all[i].weight;
    }
    return points;
}

/* In the order of their hashes; those of one hash, which is next to impossible, by backend. */
static bool is_before(const struct balanced_point *a, const struct balanced_point *b)
{
    return a->hash != b->hash ? a->hash < b->hash : a->backend < b->backend;
}

/* Lets the point at `root` of a heap of `n` sink to where it belongs. */
static void sink(struct balanced_point *heap, size_t root, size_t n)
{
    struct balanced_point p = heap[root];
    for (size_t child; (child = 2 * root + 1) < n; root = child) {
        child += child + 1 < n && is_before(&heap[child], &heap[child + 1]);
        if (!is_before(&p, &heap[child])) {
            break;
        }
        heap[root] = heap[child];
    }
    heap[root] = p;
}

/* Heapsort: that of the C library may allocate. */
static void sort(struct balanced_point *ring, size_t n)
{
    for (size_t i = n / 2; i-- > 0;) {
        sink(ring, i, n);
    }
    for (size_t last = n; last-- > 1;) {
        struct balanced_point p = ring[0];
        ring[0] = ring[last];
        ring[last] = p;
        sink(ring, 0, last);
    }
}

void balancing_lay_ring(const struct balancing *b, const struct balanced_backend *all,
                        const uint64_t *names, uint32_t n, struct balanced_point *ring)
{
    size_t points = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint64_t nodes = (uint64_t)b->virtual_nodes * (uint64_t)all[i].weight;
        for (uint64_t k = 0; k < nodes; k++) {
            ring[points++] = (struct balanced_point){hash_pair(names[i], k), i};
        }
    }
    sort(ring, points);
}
