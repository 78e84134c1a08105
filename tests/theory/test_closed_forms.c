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

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(open_stations),
                                       cmocka_unit_test(closed_stations_agree_with_mean_values),
                                       cmocka_unit_test(single_servers)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
