/* SPDX-License-Identifier: Apache-2.0
 *
 * The formulas that judge the simulator are judged first: by published values and by each other.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "theory/closed_forms.h"

static void near(double value, double expected, double relative)
{
    if (!(fabs(value - expected) <= relative * fabs(expected))) {
        fail_msg("%.12g is not %.12g", value, expected);
    }
}

static void open_stations(void **state)
{
    (void)state;
    near(station_open(0.8, 1.0, 1, 5000).present, 4.0, 1e-9);
    near(station_open(0.95, 1.0, 1, 5000).response, 20.0, 1e-9);
    struct station s = station_open(1.6, 1.0, 2, 5000);
    near(s.waiting, 2.844444444, 1e-9);
    near(s.response, 2.777777778, 1e-9);
    near(station_open(9.0, 1.0, 10, 5000).waiting, 6.018583717, 1e-9);
    near(station_open(95.0, 1.0, 100, 5000).response, 1.101291371, 1e-9);
    near(station_open(3.0, 1.0, 5, 5).full, 0.1100543478, 1e-9);
    near(station_open(8.0, 1.0, 10, 10).full, 0.1216610643, 1e-9);
    near(station_open(5095.0, 1.0, 1000, 1000).full, 0.8037770465, 1e-9);
    s = station_open(1.5, 1.0, 1, 10);
    near(s.full, 0.3372320801, 1e-9);
    near(s.present, 8.128658645, 1e-9);
    near(s.response, 8.176475657, 1e-9);
    near(station_open(5.0, 1.0, 4, 20).full, 0.202842884, 1e-9);
}

static void closed_stations_agree_with_mean_values(void **state)
{
    (void)state;
    for (int users = 1; users < 200; users += 7) {
        struct station chain = station_closed(1.0 / 12.0, 1.0, 1, users);
        struct station values = station_mean_values(12.0, 1.0, users);
        near(chain.response, values.response, 1e-9);
        near(chain.throughput, values.throughput, 1e-9);
        near(chain.waiting + 1.0, values.waiting + 1.0, 1e-9);
    }
}

static void single_servers(void **state)
{
    (void)state;
    near(pollaczek_wait(0.8, &(struct moments){1.0, 1.0, 1.0}), 2.0, 1e-9);
    near(pollaczek_wait_square(0.8, &(struct moments){1.0, 1.0, 1.0}), 9.333333333, 1e-9);
    near(pollaczek_wait(0.8, &(struct moments){1.0, 2.0, 6.0}), 4.0, 1e-9);
    near(pollaczek_wait_square(0.8, &(struct moments){1.0, 2.0, 6.0}), 40.0, 1e-9);
    near(sigma_of_constant_arrivals(0.8), 0.6286297965, 1e-9);
    near(sigma_of_constant_arrivals(0.9), 0.8068998329, 1e-9);
}

static void impatience(void **state)
{
    (void)state;
    struct station s = station_impatient(9.0, 1.0, 10, 0.5, 5000);
    near(0.5 * s.waiting / 9.0, 0.06701171547, 1e-9);
    near(s.all_busy, 0.4689417044, 1e-9);
    s = station_impatient(100.0, 1.0, 100, 0.5, 5000);
    near(s.waiting, 6.606030506, 1e-9);
    near(s.all_busy, 0.596703138, 1e-9);
    near(station_impatient(0.9, 1.0, 1, 0.5, 5000).waiting, 0.5129210555, 1e-9);
    /* Without a limit to patience it is Erlang's delay model; then a bound for constant patience.
     */
    near(station_open(9.0, 1.0, 10, 5000).all_busy, 0.6687315241, 1e-9);
    near(constant_patience(9.0, 1.0, 10, 200.0).waits, 0.6687315241, 1e-9);
    struct patience p = constant_patience(0.8, 1.0, 1, 5.0);
    near(p.abandoned, 0.0769866713, 1e-9);
    near(p.waits, 0.738410663, 1e-9);
    near(p.wait, 1.767386532, 1e-9);
    p = constant_patience(9.0, 1.0, 10, 0.5);
    near(p.abandoned, 0.06387957055, 1e-9);
    near(p.wait, 0.1269422943, 1e-9);
    near(constant_patience(2.0, 1.0, 1, 5.0).abandoned, 0.5008436645, 1e-9);
    near(constant_patience(1.0, 1.0, 1, 5.0).wait, constant_patience(1.0 + 1e-6, 1.0, 1, 5.0).wait,
         1e-4);
}

static void orders_of_service(void **state)
{
    (void)state;
    const struct moments s = {1.0, 2.0, 6.0};
    near(newest_first_wait_square(0.8, &s), 200.0, 1e-9);
    near(random_order_wait_square(0.8, &s), 66.6666667, 1e-9);
    const double lambda[] = {0.5, 0.3};
    near(cobham_wait(0, 2, lambda, &s), 1.6, 1e-9);
    near(cobham_wait(1, 2, lambda, &s), 8.0, 1e-9);
    const double alone[] = {0.8};
    near(cobham_wait(0, 1, alone, &s), pollaczek_wait(0.8, &s), 1e-9);
}

static void networks(void **state)
{
    (void)state;
    near(retrial_orbit(0.5, 0.5, &(struct moments){1.0, 2.0, 6.0}), 1.5, 1e-9);
    near(retrial_orbit(0.8, 1.0, &(struct moments){1.0, 2.0, 6.0}), 6.4, 1e-9);
    near(retrial_orbit(0.5, 0.5, &(struct moments){1.0, 1.0, 1.0}), 1.25, 1e-9);
    const double rates[] = {0.2, 0.5, 0.1};
    near(hypoexponential_quantile(3, rates, 0.5), 14.3725676, 1e-8);
    near(hypoexponential_quantile(3, rates, 0.99), 55.1878352, 1e-8);
    double through;
    traffic_rates(1, (const double[]){0.6}, (const double[]){0.3}, &through);
    near(through, 0.857142857, 1e-9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(open_stations),
                                       cmocka_unit_test(closed_stations_agree_with_mean_values),
                                       cmocka_unit_test(single_servers),
                                       cmocka_unit_test(impatience),
                                       cmocka_unit_test(orders_of_service),
                                       cmocka_unit_test(networks)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
