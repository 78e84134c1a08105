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
    double all_busy;   /* probability that no server is free */
    double present;    /* mean number of requests at the servers or waiting */
    double waiting;    /* mean number that wait */
    double busy;       /* mean number of busy servers */
    double throughput; /* requests served per time */
    double response;   /* mean time from arrival to end of service, of requests admitted */
};

/* M/M/c/K with room for `most` requests, those in service included. */
struct station station_open(double lambda, double mu, int c, int most);

/* M/M/c+M: who waits leaves at a rate of `theta`, Erlang's model A (Palm 1957; Garnett, Mandelbaum
 * and Reiman, Manufacturing & Service Operations Management 4, 2002). `most` as good as unlimited.
 */
struct station station_impatient(double lambda, double mu, int c, double theta, int most);

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

/* That square where the newest is served next, or anyone with equal chance (Takacs, Bell System
 * Technical Journal 42, 1963; Conway, Maxwell and Miller, Theory of Scheduling, 1967, chapter 8).
 */
double newest_first_wait_square(double lambda, const struct moments *s);
double random_order_wait_square(double lambda, const struct moments *s);

/* Wait in M/G/1 of class k of those that arrive at these rates, the first class going first and
 * nobody being interrupted (Cobham, Operations Research 2, 1954); all have the same service. */
double cobham_wait(int k, int classes, const double *lambda, const struct moments *s);

/* M/M/c+D: who has waited for `tau` leaves (Baccelli and Hebuterne, Performance '81, 1981). */
struct patience {
    double abandoned; /* share of arrivals that leave */
    double waits;     /* ... that do not find a free server */
    double wait;      /* mean time in the queue, of all */
};
struct patience constant_patience(double lambda, double mu, int c, double tau);

/* M/G/1 without a waiting room: who finds the server busy tries again, each at a rate of `nu`
 * (Falin and Templeton, Retrial Queues, 1997, chapter 1). The mean number of those who are to try
 * again. */
double retrial_orbit(double lambda, double nu, const struct moments *s);

/* Rates of arrivals at the n nodes of an open network: outside[i] from outside, and a share of
 * route[i * n + j] of what leaves i goes to j (Jackson, Operations Research 5, 1957). By the
 * product form node i is a queue of its own with Poisson arrivals of through[i], whoever else there
 * is. */
void traffic_rates(int n, const double *outside, const double *route, double *through);

/* The p-quantile of a sum of n independent exponential times of rates that all differ. */
double hypoexponential_quantile(int n, const double *rates, double p);

/* The share of arrivals at GI/M/1 that wait: the root below 1 of sigma = A*(mu - mu sigma), where
 * A* is the Laplace transform of the time between arrivals; here for D/M/1 at load rho. */
double sigma_of_constant_arrivals(double rho);

#endif
