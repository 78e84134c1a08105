/* SPDX-License-Identifier: Apache-2.0 */
#include "rng/stream.h"

#include <Random123/threefry.h>
#include <inttypes.h>
#include <math.h>

#include "base/check.h"
#include "base/compiler.h"
#include "rng/exactmath.h"

__extension__ typedef unsigned __int128 wide;

void rng_threefry(const uint64_t counter[4], const uint64_t key[4], uint64_t out[4])
{
    threefry4x64_ctr_t c = {{counter[0], counter[1], counter[2], counter[3]}};
    threefry4x64_key_t k = {{key[0], key[1], key[2], key[3]}};
    c = threefry4x64_R(20, c, k);
    for (int i = 0; i < 4; i++) {
        out[i] = c.v[i];
    }
}

void rng_init(struct rng_stream *s, const struct rng_key *key)
{
    *s = (struct rng_stream){.key = *key};
}

/* Streams of draws count from here, 2^16 words for each; no stream of its own gets so far. */
#define ASIDE (UINT64_C(1) << 63)

struct rng_stream rng_aside(const struct rng_stream *s)
{
    struct rng_stream aside = *s;
    if (s->drawn < ASIDE) {
        CHECK(s->drawn > 0 && s->drawn >> 47 == 0, "no words aside of draw %" PRIu64, s->drawn);
        aside.drawn = ASIDE | (s->drawn - 1) << 16;
    }
    return aside;
}

/* The block of the pair's other member, all bits of it turned. */
static OUT_OF_LINE uint64_t refill_flipped(struct rng_stream *s)
{
    struct rng_stream other = *s;
    other.key.replication &= ~RNG_FLIPPED;
    uint64_t first = rng_refill(&other);
    for (int i = 0; i < 3; i++) {
        s->buffer[i] = ~other.buffer[i];
    }
    return ~first;
}

OUT_OF_LINE uint64_t rng_refill(struct rng_stream *s)
{
    if (__builtin_expect(rng_flip(s->key.replication) != 0, 0)) {
        return refill_flipped(s);
    }
    threefry4x64_ctr_t c = {{(s->drawn - 1) / 4, 0, 0, 0}};
    threefry4x64_key_t k = {{s->key.seed, s->key.replication, s->key.who, s->key.purpose}};
    c = threefry4x64_R(20, c, k);
    s->buffer[0] = c.v[1];
    s->buffer[1] = c.v[2];
    s->buffer[2] = c.v[3];
    return c.v[0];
}

uint64_t rng_below(struct rng_stream *s, uint64_t n)
{
    wide product = (wide)rng_bits(s) * n;
    if ((uint64_t)product < n && !rng_is_paired(s)) {
        /* Of the 2^64 words, 2^64 mod n would favour some results: these are drawn again. */
        uint64_t surplus = -n % n;
        while ((uint64_t)product < surplus) {
            product = (wide)rng_bits(s) * n;
        }
    }
    return (uint64_t)(product >> 64);
}

double rng_exponential_paired(struct rng_stream *s)
{
    return -exact_log(rng_to_unit(~rng_bits(s)));
}

double rng_exponential_edge(struct rng_stream *s, uint32_t layer, double x)
{
    /* The area of every layer, r * f(r) plus the tail beyond r, for r = rng_ziggurat[1]. */
    static const double area = 0x1.02d84bc4b0285p-8;
    double beyond = 0.0;
    for (;;) {
        if (layer == 0) {
            /* The tail beyond r is again exponential. */
            beyond += rng_ziggurat[1];
        } else {
            /* The layer reaches from f(edge) up by area / edge. */
            double edge = rng_ziggurat[layer];
            if (exact_exp(-edge) + rng_unit(s) * (area / edge) < exact_exp(-x)) {
                return beyond + x;
            }
        }
        uint64_t bits = rng_bits(s);
        layer = (uint32_t)bits & 255;
        x = rng_to_unit(bits) * rng_ziggurat[layer];
        if (x < rng_ziggurat[layer + 1]) {
            return beyond + x;
        }
    }
}

static OUT_OF_LINE double normal_paired(struct rng_stream *s)
{
    return exact_normal_quantile(rng_unit(s));
}

double rng_normal(struct rng_stream *s)
{
    if (__builtin_expect(rng_is_paired(s), 0)) {
        return normal_paired(s);
    }
    double x, square;
    do {
        x = 2.0 * rng_unit(s) - 1.0;
        double y = 2.0 * rng_unit(s) - 1.0;
        square = x * x + y * y;
    } while (square >= 1.0);
    return x * sqrt(-2.0 * exact_log(square) / square);
}

static double gamma_by_rejection(struct rng_stream *s, double shape)
{
    double factor = 1.0;
    if (shape < 1.0) {
        /* Gamma(a) is Gamma(a + 1) times U^(1/a), and -log(U) is exponential. */
        factor = exact_exp(-rng_exponential(s) / shape);
        shape += 1.0;
    }
    double d = shape - 1.0 / 3.0, c = 1.0 / sqrt(9.0 * d);
    for (;;) {
        double x = rng_normal(s), root = 1.0 + c * x;
        if (root <= 0.0) {
            continue;
        }
        double v = root * root * root, u = rng_unit(s);
        if (u < 1.0 - 0.0331 * (x * x) * (x * x) ||
            exact_log(u) < 0.5 * x * x + d * (1.0 - v + exact_log(v))) {
            return factor * d * v;
        }
    }
}

double rng_gamma(struct rng_stream *s, double shape)
{
    if (!rng_is_paired(s)) {
        return gamma_by_rejection(s, shape);
    }
    rng_bits(s); /* opens the words aside and has no other use */
    struct rng_stream aside = rng_aside(s);
    return gamma_by_rejection(&aside, shape);
}
