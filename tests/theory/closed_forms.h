/* SPDX-License-Identifier: Apache-2.0
 *
 * Stationary figures of queues, each by another way than simulation. Rates in [1/unit], times in
 * [unit], whatever the unit is.
 */
#ifndef TESTS_THEORY_CLOSED_FORMS_H
#define TESTS_THEORY_CLOSED_FORMS_H

/* A chain that goes up and down by one (Kleinrock, Queueing Systems I, 1975, section 3.1). */
struct station {
    double full;       /* probability of the last state */
    double present;    /* mean number of requests at the servers or waiting */
    double waiting;    /* mean number that wait */
    double busy;       /* mean number of busy servers */
    double throughput; /* requests served per time */
    double response;   /* mean time from arrival to end of service, of requests admitted */
};

/* M/M/c/K with room for `most` requests, those in service included. */
struct station station_open(double lambda, double mu, int c, int most);

/* `users` think for 1 / `ask` on average, then queue for c servers: the machine-repair model. */
struct station station_closed(double ask, double mu, int c, int users);

/* Response time and throughput of the same network with c = 1 by exact mean value analysis (Reiser
 * and Lavenberg, JACM 27, 1980). */
struct station station_mean_values(double think, double service, int users);

/* Moments E[S], E[S^2], E[S^3] of a service time. */
struct moments {
    double first, second, third;
};

/* Wait in M/G/1 first come, first served, and its square (Pollaczek and Khinchine). */
double pollaczek_wait(double lambda, const struct moments *s);
double pollaczek_wait_square(double lambda, const struct moments *s);

/* The share of arrivals at GI/M/1 that wait: the root below 1 of sigma = A*(mu - mu sigma), where
 * A* is the Laplace transform of the time between arrivals; here for D/M/1 at load rho. */
double sigma_of_constant_arrivals(double rho);

#endif
