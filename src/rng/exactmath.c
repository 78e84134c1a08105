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

static double polynomial(const double *coefficient, double x)
{
    double y = coefficient[7];
    for (int i = 6; i >= 0; i--) {
        y = y * x + coefficient[i];
    }
    return y;
}

/* Numerators and denominators: near the middle, of the square of the distance; further out, of the
 * root of the chance's logarithm. */
static const double middle[2][8] = {
    {3.3871328727963666080e0, 1.3314166789178437745e+2, 1.9715909503065514427e+3,
     1.3731693765509461125e+4, 4.5921953931549871457e+4, 6.7265770927008700853e+4,
     3.3430575583588128105e+4, 2.5090809287301226727e+3},
    {1.0, 4.2313330701600911252e+1, 6.8718700749205790830e+2, 5.3941960214247511077e+3,
     2.1213794301586595867e+4, 3.9307895800092710610e+4, 2.8729085735721942674e+4,
     5.2264952788528545610e+3}};
static const double flank[2][8] = {
    {1.42343711074968357734e0, 4.63033784615654529590e0, 5.76949722146069140550e0,
     3.64784832476320460504e0, 1.27045825245236838258e0, 2.41780725177450611770e-1,
     2.27238449892691845833e-2, 7.74545014278341407640e-4},
    {1.0, 2.05319162663775882187e0, 1.67638483018380384940e0, 6.89767334985100004550e-1,
     1.48103976427480074590e-1, 1.51986665636164571966e-2, 5.47593808499534494600e-4,
     1.05075007164441684324e-9}};
static const double tail[2][8] = {
    {6.65790464350110377720e0, 5.46378491116411436990e0, 1.78482653991729133580e0,
     2.96560571828504891230e-1, 2.65321895265761230930e-2, 1.24266094738807843860e-3,
     2.71155556874348757815e-5, 2.01033439929228813265e-7},
    {1.0, 5.99832206555887937690e-1, 1.36929880922735805310e-1, 1.48753612908506148525e-2,
     7.86869131145613259100e-4, 1.84631831751005468180e-5, 1.42151175831644588870e-7,
     2.04426310338993978564e-15}};

double exact_normal_quantile(double p)
{
    double q = p - 0.5;
    if (q >= -0.425 && q <= 0.425) {
        double r = 0.180625 - q * q;
        return q * polynomial(middle[0], r) / polynomial(middle[1], r);
    }
    double r = sqrt(-exact_log(q < 0.0 ? p : 1.0 - p));
    double x = r <= 5.0 ? polynomial(flank[0], r - 1.6) / polynomial(flank[1], r - 1.6)
                        : polynomial(tail[0], r - 5.0) / polynomial(tail[1], r - 5.0);
    return q < 0.0 ? -x : x;
}

double exact_normal_chance(double x)
{
    if (x < -38.0) {
        return 0.0;
    }
    /* The logarithm of the chance is bisected, so that small ones are as exact. */
    double low = -740.0, high = exact_log(0.5);
    for (int i = 0; i < 60; i++) {
        double between = 0.5 * (low + high);
        if (exact_normal_quantile(exact_exp(between)) < x) {
            low = between;
        } else {
            high = between;
        }
    }
    return exact_exp(high);
}
