/* SPDX-License-Identifier: Apache-2.0 */
#include "parts/reject.h"

#include <stddef.h>

const char *const reject_words[] = {"reply", "drop", NULL};
