/* SPDX-License-Identifier: Apache-2.0
 *
 * Network conditions with a name: each is the text of a network rule, as a user would write it.
 */
#ifndef SQUALL_MODEL_PRESETS_H
#define SQUALL_MODEL_PRESETS_H

struct preset {
    const char *name;
    const char *text;  /* a YAML mapping of rows of a network rule */
    const char *needs; /* the row that a rule with it has to write itself, or NULL */
};

/* By place in preset_words. */
extern const struct preset presets[];

/* The names of `presets`, for a row of kind WORD; ends with NULL. The first, "none", is empty. */
extern const char *const preset_words[];

#endif
