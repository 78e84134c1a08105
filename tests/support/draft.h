/* SPDX-License-Identifier: Apache-2.0
 *
 * Studies drawn at random, as text: the writer, and what many of them have in common, the ways in
 * which a call may be made and answered. Every mechanism is drawn now and then, most of them beside
 * others; many of the times are equal, so that there are ties.
 */
#ifndef TESTS_SUPPORT_DRAFT_H
#define TESTS_SUPPORT_DRAFT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rng/stream.h"

struct draft {
    struct rng_stream chance;
    char *text; /* the caller's, of `size` bytes */
    size_t length, size;
};

/* Begins draft `number`; the same number and purpose give the same text. */
void draft_begin(struct draft *d, uint64_t number, uint16_t purpose, char *text, size_t size);

uint32_t draft_below(struct draft *d, uint32_t n);

/* True once in `n` times. */
bool draft_once_in(struct draft *d, uint32_t n);

void draft_add(struct draft *d, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define DRAFT_ONE_OF(d, words) words[draft_below(d, sizeof words / sizeof words[0])]

enum { DRAFT_MOST_ATTEMPTS = 4 }; /* of a request at a time */

/* The keys of a call block, beginning with `timeout`. Every attempt ends some time. */
void draft_call(struct draft *d);

/* Keys of one that has nothing in its way: timeout, retry and accept_late. */
void draft_plain_call(struct draft *d);

/* A client's kinds of requests, of all priorities and several methods. */
void draft_requests(struct draft *d);

/* Keys of a server, of how it answers: responses, on_reject, on_cancel, ... */
void draft_answers(struct draft *d);

/* A server's queue, of every discipline. */
void draft_queue(struct draft *d);

/* Now and then a limit on what a server of so many workers has in flight, an autoscaler, and what
 * service takes: kinds, an event loop, a machine, warming up; each after a comma. After the
 * clients, whose kinds it names. */
void draft_service(struct draft *d, uint32_t workers);

/* A conditioner, as a timed action has it under `network` or a call under `conditioner`. */
void draft_conditioner(struct draft *d);

#endif
