/* SPDX-License-Identifier: Apache-2.0
 *
 * What the compiler cannot know by itself.
 */
#ifndef SQUALL_BASE_COMPILER_H
#define SQUALL_BASE_COMPILER_H

/* For functions that most events get by without: those that call them are to save no registers for
 * their sake. */
#define OUT_OF_LINE __attribute__((noinline))

#endif
