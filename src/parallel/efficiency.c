/* SPDX-License-Identifier: Apache-2.0 */
#include "parallel/efficiency.h"

#include <math.h>

#include "base/check.h"
#include "parallel/windows.h"

const struct machine machine_default = {.event = 100.0,
                                        .remote = 40.0,
                                        .message = 700.0,
                                        .reduction = 800.0,
                                        .noise = 3e-4,
                                        .pause = 30e3};

struct work work_of(const struct blueprint *b, const struct flow *f, const struct cut *c)
{
    double requests = 0.0;
    for (wire_id w = 0; w < b->n_wires; w++) {
        requests += f->requests[w];
    }
    double messages = f->total > 0.0 ? 2.0 * requests / f->total : 1.0; /* an event */
    return (struct work){.rate = f->total,
                         .lookahead = (double)c->lookahead / SIM_TIME_S,
                         .balance = c->balance,
                         .timers = messages < 1.0 ? 1.0 - messages : 0.0,
                         .remote = c->remote,
                         .neighbours = c->neighbours};
}

/* By how many standard deviations the largest of n >= 2 normal numbers is expected to exceed their
 * mean: the limit law of Fisher and Tippett (1928), with its square instead of itself written as a
 * series, which makes it good to 1 % from n = 4 on (and to 9 % for 2). */
static double largest_of(double n)
{
    const double euler = 0.57721566490153286, four_pi = 12.566370614359172;
    double log_n = log(n);
    return sqrt(2.0 * log_n - log(log_n) - log(four_pi) + 2.0 * euler);
}

static double exchange_ns(const struct machine *m, const struct work *w, double ranks)
{
    return ranks <= WINDOWS_DIRECT ? (ranks - 1.0) * m->message
                                   : w->neighbours * m->message + log2(ranks) * m->reduction;
}

struct efficiency efficiency_of(const struct machine *m, const struct work *w, uint32_t ranks)
{
    double n = ranks, events = (1.0 + w->rate * w->lookahead) / n, compute = events * m->event;
    struct efficiency e = {
        .events = events, .window_ns = compute, .speedup = 1.0, .efficiency = 1.0, .compute = 1.0};
    if (ranks == 1) {
        return e;
    }
    double chance = largest_of(n) * sqrt(w->balance * events);
    double imbalance = ((w->balance - 1.0) * events + chance) * m->event;
    double remote = (1.0 - w->timers) * w->remote * events * m->remote;
    double exchange = exchange_ns(m, w, n);
    double interrupts = n * m->noise * (compute + imbalance + remote + exchange) / m->pause;
    exchange += m->pause * -expm1(-interrupts);
    e.window_ns = compute + imbalance + remote + exchange;
    e.efficiency = compute / e.window_ns;
    e.speedup = e.efficiency * n;
    e.compute = e.efficiency;
    e.imbalance = imbalance / e.window_ns;
    e.remote = remote / e.window_ns;
    e.exchange = exchange / e.window_ns;
    return e;
}

/* The value at `ranks` of the power law that is `from` at `parts` and `to` at `components`. */
static double power_law(double from, double parts, double to, double components, double ranks)
{
    if (from <= 0.0 || ranks >= components) {
        return from <= 0.0 ? 0.0 : to;
    }
    return from * pow(ranks / parts, log(to / from) / log(components / parts));
}

struct work work_scaled(const struct work *w, uint32_t parts, uint32_t ranks, uint32_t components)
{
    CHECK(parts >= 2 && ranks >= parts, "from %u to %u parts", parts, ranks);
    struct work scaled = *w;
    if (ranks == parts) {
        return scaled;
    }
    double n = ranks, c = components > parts ? components : parts;
    scaled.remote = power_law(w->remote, parts, 1.0, c, n);
    double degree = log(w->neighbours > 1.0 ? w->neighbours : 1.0) / log(parts);
    scaled.neighbours = w->neighbours > 0.0 ? fmin(pow(n, degree), n - 1.0) : 0.0;
    scaled.balance = fmax(w->balance, ceil(c / n) * n / c);
    return scaled;
}
