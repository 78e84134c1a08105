/* SPDX-License-Identifier: Apache-2.0
 *
 * Signals that ask for an orderly stop: SIGINT, SIGTERM, and SIGUSR1, which batch systems send
 * before a time limit. The first one is remembered; a second SIGINT ends the program as usual.
 * SIGXFSZ is ignored, so that a file that may not grow is an error like a full disk.
 */
#ifndef SQUALL_EXPERIMENT_SIGNALS_H
#define SQUALL_EXPERIMENT_SIGNALS_H

#include <stdbool.h>

void signals_install(void);

/* True once a signal has come. */
bool signals_stop(void);

/* The name of that signal, or NULL. */
const char *signals_name(void);

#endif
