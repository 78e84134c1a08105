/* SPDX-License-Identifier: Apache-2.0
 *
 * Logarithm and exponential that give the same bits on every machine. The C library's may not:
 * its variants with and without fused multiply-add differ in the last bit, and one bit of one draw
 * parts two replications for good. These use only + - * / on doubles, in a fixed order, and are
 * built with -ffp-contract=off.
 *
 * Largest errors against long doubles of 64 bits over 1e6 points each: 0.87 ulp for exact_log and
 * for exact_exp, 8e-15 relative to max(1, value) for exact_log_gamma (tests/unit/test_rng.c).
 * exact_normal_quantile agrees to 1e-15 of itself with GSL's, which is the same approximation.
 */
#ifndef SQUALL_RNG_EXACTMATH_H
#define SQUALL_RNG_EXACTMATH_H

/* Natural logarithm. -INFINITY at 0, NAN below. */
double exact_log(double x);

/* INFINITY and 0 where a double cannot hold the result. */
double exact_exp(double x);

/* Logarithm of the gamma function, x > 0 (Stirling's series). For parameters, not for draws. */
double exact_log_gamma(double x);

/* The x that a standard normal is below with chance p, 0 < p < 1, to about 1e-16 of itself
 * (Wichura 1988, algorithm AS 241, PPND16). Where 1 - p is exact, its x is minus that of p. */
double exact_normal_quantile(double p);

/* The chance that a standard normal is below x by that quantile, for x <= 0; 0 below -38. By
 * bisection: for parameters, not for draws. */
double exact_normal_chance(double x);

#endif
