/* SPDX-License-Identifier: Apache-2.0 */
#include "theory/closed_forms.h"

#include <math.h>

struct flow {
    double rate; /* of arrivals while there is room, or of one thinking user */
    int users;   /* 0: arrivals do not depend on who is there */
    double mu;
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

/* Weights of states grow without bound before the sums divide by them: all are brought back. */
static void scale_down(struct station *s, double *weight, double *total)
{
    static const double high = 1e200;
    if (*total > high) {
        s->present /= high;
        s->busy /= high;
        s->full /= high;
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
        weight *= up(f, n) / (f->mu * lesser(n + 1, f->c));
        scale_down(&s, &weight, &total);
    }
    s.full /= total;
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

double sigma_of_constant_arrivals(double rho)
{
    double sigma = 0.0;
    for (int i = 0; i < 10000; i++) {
        sigma = exp(-(1.0 - sigma) / rho);
    }
    return sigma;
}
