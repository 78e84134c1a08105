/* SPDX-License-Identifier: Apache-2.0 */
#include "rng/exactmath.h"

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#if FLT_EVAL_METHOD != 0
#error "exactmath needs a machine that rounds every operation to double (SSE2 or better)"
#endif

/* ln 2 in two parts; the upper has 32 bits, so that a whole number of them below 2^21 is exact. */
static const double ln2_upper = 0x1.62e42feep-1;
static const double ln2_lower = 0x1.a39ef35793c76p-33;

static uint64_t bits_of(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static double of_bits(uint64_t bits)
{
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* x = 2^k m with m in [sqrt(1/2), sqrt(2)), f = m - 1, s = f / (2 + f): log(m) is 2 artanh(s),
 * written as f - f^2/2 + s (f^2/2 + R) so that the rounding of s touches small terms only; R holds
 * the series 2/3 s^2 + 2/5 s^4 + ..., of which ten terms suffice as s^2 < 0.0295. */
double exact_log(double x)
{
    if (!(x > 0.0) || x > DBL_MAX) {
        return x == 0.0 ? -INFINITY : x > 0.0 ? x : NAN;
    }
    int k = 0;
    if (x < DBL_MIN) {
        x *= 0x1p54;
        k = -54;
    }
    /* Moving the exponent's border to sqrt(1/2) makes the quotient's exponent the k above. */
    const uint64_t border = UINT64_C(0x3fe6a09e667f3bcd);
    uint64_t bits = bits_of(x) - border;
    int exponent = (int)((int64_t)bits >> 52);
    k += exponent;
    double m = of_bits((bits & UINT64_C(0xfffffffffffff)) + border);
    double f = m - 1.0, s = f / (2.0 + f), z = s * s, w = z * z, half = 0.5 * f * f;
    /* Even and odd terms apart: two short chains instead of a long one. */
    double odd = 2.0 / 3 + w * (2.0 / 7 + w * (2.0 / 11 + w * (2.0 / 15 + w * (2.0 / 19))));
    double even = 2.0 / 5 + w * (2.0 / 9 + w * (2.0 / 13 + w * (2.0 / 17 + w * (2.0 / 21))));
    double r = z * odd + w * even;
    return k * ln2_upper - ((half - (s * (half + r) + k * ln2_lower)) - f);
}

/* x = k ln 2 + r with |r| <= ln(2)/2. With c = r - r^2 B(r^2), exp(r) = 1 + r + r c / (2 - c),
 * where r^2 B = r coth(r/2) - 2 has the Bernoulli numbers in its series 2 B_2n r^2n / (2n)!. */
double exact_exp(double x)
{
    if (!(x > -746.0 && x < 710.0)) {
        return x < 0.0 ? 0.0 : x > 0.0 ? INFINITY : NAN;
    }
    int k = (int)(x * 0x1.71547652b82fep0 + (x < 0.0 ? -0.5 : 0.5));
    double upper = x - k * ln2_upper, lower = k * ln2_lower;
    double r = upper - lower, z = r * r;
    double b = 1.0 / 6 +
               z * (-1.0 / 360 +
                    z * (1.0 / 15120 + z * (-1.0 / 604800 +
                                            z * (1.0 / 23950080 + z * (-691.0 / 653837184000.0)))));
    double c = r - z * b;
    double y = 1.0 + (upper - (lower - r * c / (2.0 - c)));
    /* 2^k in two factors, as it may not be a double itself where the result still is. */
    int first = k / 2, second = k - first;
    return y * of_bits((uint64_t)(1023 + first) << 52) * of_bits((uint64_t)(1023 + second) << 52);
}

double exact_log_gamma(double x)
{
    /* Up to where nine terms of the asymptotic series B_2n / (2n (2n-1) x^(2n-1)) are exact. */
    double product = 1.0;
    while (x < 10.0) {
        product *= x;
        x += 1.0;
    }
    static const double term[] = {1.0 / 12,    -1.0 / 360,         1.0 / 1260,
                                  -1.0 / 1680, 1.0 / 1188,         -691.0 / 360360,
                                  1.0 / 156,   -3617.0 / 122400.0, 43867.0 / 244188.0};
    double z = 1.0 / (x * x), series = 0.0;
    for (int i = (int)(sizeof term / sizeof term[0]) - 1; i >= 0; i--) {
        series = series * z + term[i];
    }
    const double half_log_2pi = 0x1.d67f1c864beb5p-1;
    return (x - 0.5) * exact_log(x) - x + half_log_2pi + series / x - exact_log(product);
}
