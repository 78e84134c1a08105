/* SPDX-License-Identifier: Apache-2.0 */
#include "support/reading.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct study *reading(const struct entity_type *const *registry, const char *text, char **messages)
{
    struct diag diag = {.errors = 0};
    struct study *s = study_parse("g.yaml", text, strlen(text), NULL, registry, &diag);
    size_t size;
    FILE *out = open_memstream(messages, &size);
    diag_print(&diag, out, 0);
    fclose(out);
    diag_close(&diag);
    return s;
}

struct study *reading_good(const struct entity_type *const *registry, const char *text)
{
    char *messages;
    struct study *s = reading(registry, text, &messages);
    assert_string_equal(messages, "");
    assert_non_null(s);
    free(messages);
    return s;
}

void reading_says(const struct entity_type *const *registry, const char *text, const char *expected)
{
    char *messages;
    struct study *s = reading(registry, text, &messages);
    assert_string_equal(messages, expected);
    free(messages);
    study_close(s);
}
