/* SPDX-License-Identifier: Apache-2.0 */
#include "theory/closed_forms.h"

#include <math.h>
#include <stdbool.h>

struct flow {
    double rate; /* of arrivals while there is room, or of one thinking user */
    int users;   /* 0: arrivals do not depend on who is there */
    double mu;
    double theta; /* at which each of those that wait leaves */
    int c, most;
};

static double up(const struct flow *f, int n)
{
    return f->users ? f->rate * (f->users - n) : f->rate;
}

static int lesser(int a, int b)
{
    return a < b ? a : b;
}

static double down(const struct flow *f, int n)
{
    int busy = lesser(n, f->c);
    return f->mu * busy + f->theta * (n - busy);
}

/* Weights of states grow without bound before the sums divide by them: all are brought back. */
static void scale_down(struct station *s, double *weight, double *total)
{
    static const double high = 1e200;
    if (*total > high) {
        s->present /= high;
        s->busy /= high;
        s->full /= high;
        s->all_busy /= high;
        *weight /= high;
        *total /= high;
    }
}

static struct station solve(const struct flow *f)
{
    struct station s = {0};
    double weight = 1.0, total = 0.0;
    for (int n = 0; n <= f->most; n++) {
        total += weight;
        s.present += weight * n;
        s.busy += weight * lesser(n, f->c);
        s.full = weight;
        s.all_busy += n >= f->c ? weight : 0.0;
        weight *= up(f, n) / down(f, n + 1);
        scale_down(&s, &weight, &total);
    }
    s.full /= total;
    s.all_busy /= total;
    s.present /= total;
    s.busy /= total;
    s.waiting = s.present - s.busy;
    s.throughput = f->mu * s.busy;
    s.response = s.present / s.throughput;
    return s;
}

struct station station_open(double lambda, double mu, int c, int most)
{
    return solve(&(struct flow){.rate = lambda, .mu = mu, .c = c, .most = most});
}

struct station station_impatient(double lambda, double mu, int c, double theta, int most)
{
    return solve(&(struct flow){.rate = lambda, .mu = mu, .theta = theta, .c = c, .most = most});
}

struct station station_closed(double ask, double mu, int c, int users)
{
    return solve(&(struct flow){.rate = ask, .users = users, .mu = mu, .c = c, .most = users});
}

struct station station_mean_values(double think, double service, int users)
{
    struct station s = {0};
    for (int n = 1; n <= users; n++) {
        s.response = service * (1.0 + s.present);
        s.throughput = n / (think + s.response);
        s.present = s.throughput * s.response;
    }
    s.busy = s.throughput * service;
    s.waiting = s.present - s.busy;
    return s;
}

double pollaczek_wait(double lambda, const struct moments *s)
{
    return lambda * s->second / (2.0 * (1.0 - lambda * s->first));
}

double pollaczek_wait_square(double lambda, const struct moments *s)
{
    double wait = pollaczek_wait(lambda, s);
    return 2.0 * wait * wait + lambda * s->third / (3.0 * (1.0 - lambda * s->first));
}

double newest_first_wait_square(double lambda, const struct moments *s)
{
    return pollaczek_wait_square(lambda, s) / (1.0 - lambda * s->first);
}

double random_order_wait_square(double lambda, const struct moments *s)
{
    return pollaczek_wait_square(lambda, s) / (1.0 - 0.5 * lambda * s->first);
}

double cobham_wait(int k, int classes, const double *lambda, const struct moments *s)
{
    double before = 0.0, total = 0.0; /* loads */
    for (int i = 0; i < classes; i++) {
        before += i < k ? lambda[i] * s->first : 0.0;
        total += lambda[i];
    }
    return 0.5 * total * s->second / ((1.0 - before) * (1.0 - before - lambda[k] * s->first));
}

/* States are 0, ..., c - 1 busy servers, each of a probability, and beyond them the work in front
 * of an arrival: density b e^((lambda - c mu) x) up to tau, behind which nobody joins any more, so
 * that it falls by e^(-c mu x) from there. b = lambda times the probability of c - 1. */
struct patience constant_patience(double lambda, double mu, int c, double tau)
{
    double weight = 1.0, states = 0.0; /* of n = 0, ..., c - 1, relative to 0 */
    for (int n = 0; n < c; n++) {
        weight *= n ? lambda / (n * mu) : 1.0;
        states += weight;
    }
    double drift = lambda - c * mu, b = lambda * weight, edge = exp(drift * tau);
    bool even = fabs(drift * tau) < 1e-9;
    double inside = even ? tau : (edge - 1.0) / drift; /* integrals up to tau, and of x */
    double first = even ? 0.5 * tau * tau : (tau * edge - inside) / drift;
    double beyond = edge / (c * mu), total = states + b * (inside + beyond);
    return (struct patience){.abandoned = b * beyond / total,
                             .waits = b * (inside + beyond) / total,
                             .wait = b * (first + tau * beyond) / total};
}

double retrial_orbit(double lambda, double nu, const struct moments *s)
{
    double rho = lambda * s->first;
    return pollaczek_wait(lambda, s) * lambda + lambda * rho / (nu * (1.0 - rho));
}

void traffic_rates(int n, const double *outside, const double *route, double *through)
{
    for (int i = 0; i < n; i++) {
        through[i] = outside[i];
    }
    for (int round = 0; round < 10000; round++) {
        for (int j = 0; j < n; j++) {
            double sum = outside[j];
            for (int i = 0; i < n; i++) {
                sum += through[i] * route[i * n + j];
            }
            through[j] = sum;
        }
    }
}

/* The chance that the sum is above x. */
static double hypoexponential_tail(int n, const double *rates, double x)
{
    double sum = 0.0;
    for (int i = 0; i < n; i++) {
        double share = exp(-rates[i] * x);
        for (int j = 0; j < n; j++) {
            share *= j == i ? 1.0 : rates[j] / (rates[j] - rates[i]);
        }
        sum += share;
    }
    return sum;
}

double hypoexponential_quantile(int n, const double *rates, double p)
{
    double low = 0.0, high = 1.0;
    while (hypoexponential_tail(n, rates, high) > 1.0 - p) {
        high *= 2.0;
    }
    for (int i = 0; i < 200; i++) {
        double middle = 0.5 * (low + high);
        *(hypoexponential_tail(n, rates, middle) > 1.0 - p ? &low : &high) = middle;
    }
    return low;
}

double sigma_of_constant_arrivals(double rho)
{
    double sigma = 0.0;
    for (int i = 0; i < 10000; i++) {
        sigma = exp(-(1.0 - sigma) / rho);
    }
    return sigma;
}
