/* SPDX-License-Identifier: Apache-2.0
 *
 * Results have one table for each statistic of a type, by its name. What faults add to a type that
 * they concern (model/study.h) lies beside the type's own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "engine/entity.h"
#include "model/study.h"

/* How many of the rows have this name. */
static unsigned count(const struct stat_spec *rows, const char *name)
{
    unsigned n = 0;
    for (; rows && rows->name; rows++) {
        n += strcmp(rows->name, name) == 0;
    }
    return n;
}

static void no_two_statistics_of_a_type_have_one_name(void **state)
{
    (void)state;
    for (uint32_t i = 0; entity_registry[i]; i++) {
        const struct entity_type *type = entity_registry[i];
        for (const struct stat_spec *row = type->stats; row && row->name; row++) {
            unsigned n = count(type->stats, row->name) + count(fault_rows, row->name);
            if (n != 1) {
                fail_msg("%s: %s", type->name, row->name);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_two_statistics_of_a_type_have_one_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
