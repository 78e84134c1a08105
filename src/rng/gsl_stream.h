/* SPDX-License-Identifier: Apache-2.0
 *
 * A stream seen as a gsl_rng, so that GSL's distributions draw from it. Nothing is allocated: the
 * gsl_rng lives on the caller's stack and borrows the stream. GSL's own distributions call the
 * machine's C library (log, exp, pow), whose last bits differ between machines; rng/dist.h does
 * without them for that reason.
 *
 * gsl_rng_set puts its seed into the stream's key and starts the stream anew.
 */
#ifndef SQUALL_RNG_GSL_STREAM_H
#define SQUALL_RNG_GSL_STREAM_H

#include <gsl/gsl_rng.h>

#include "rng/stream.h"

extern const gsl_rng_type gsl_stream_type;

/* Valid as long as `s` is. */
static inline gsl_rng gsl_stream(struct rng_stream *s)
{
    return (gsl_rng){&gsl_stream_type, s};
}

#endif
