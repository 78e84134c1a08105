/* SPDX-License-Identifier: Apache-2.0
 *
 * What it takes for files and names to survive the end of the machine.
 */
#ifndef SQUALL_RESULTS_DURABLE_H
#define SQUALL_RESULTS_DURABLE_H

#include <stdbool.h>

#include "results/error.h"

/* Puts a file's contents on the disk. */
bool durable_file(const char *path, struct results_error *e);

/* Puts the name of a file or directory on the disk, after it was made or renamed. */
bool durable_name(const char *path, struct results_error *e);

#endif
