/* SPDX-License-Identifier: Apache-2.0 */
#include "model/presets.h"

#include <stddef.h>

/* clang-format off */
/* Bandwidths are those of 1 Gbit/s, 10 Gbit/s, 1 Gbit/s, 100, 10, 2, 20, 100 and 1 Mbit/s
 * lines. */
#define PRESETS(P) \
    P(none,         "{}", NULL) \
    P(local,        "{latency: 100us, bandwidth: 125MB/s}", NULL) \
    P(datacenter,   "{latency: 500us, bandwidth: 1250MB/s, jitter: 100us}", NULL) \
    P(cross_region, "{latency: 50ms, bandwidth: 125MB/s, loss: 0.01%, jitter: {exponential: 5ms}}", NULL) \
    P(internet,     "{latency: 100ms, bandwidth: 12.5MB/s, loss: 0.1%, jitter: {exponential: 20ms}}", NULL) \
    P(satellite,    "{latency: 600ms, bandwidth: 1250kB/s, loss: 0.5%, jitter: {exponential: 50ms}}", NULL) \
    P(mobile_3g,    "{latency: 100ms, bandwidth: 250kB/s, loss: 0.5%, jitter: {exponential: 30ms}}", NULL) \
    P(mobile_4g,    "{latency: 50ms, bandwidth: 2500kB/s, loss: 0.1%, jitter: {exponential: 15ms}}", NULL) \
    P(lossy,        "{latency: 10ms, bandwidth: 12.5MB/s}", "loss") \
    P(slow,         "{bandwidth: 125kB/s}", "latency")
/* clang-format on */

#define AS_PRESET(name_, text_, needs_) {.name = #name_, .text = text_, .needs = needs_},
#define AS_WORD(name_, text_, needs_)   #name_,

const struct preset presets[] = {PRESETS(AS_PRESET)};
const char *const preset_words[] = {PRESETS(AS_WORD) NULL};
