/* SPDX-License-Identifier: Apache-2.0 */
#include "support/choice.h"

#include <string.h>

#include "config/bind.h"
#include "config/yaml.h"

struct arena choice_arena;

bool choice_read(const struct choice *choice, const char *text, void *out)
{
    struct diag diag = {0};
    struct binder binder = {&choice_arena, &diag};
    const struct node *root = yaml_parse("test", text, strlen(text), &choice_arena, &diag);
    bool good = root && root->first;
    if (good) {
        struct param_spec row = {.name = root->first->key,
                                 .doc = "Under test.",
                                 .unit = "",
                                 .kind = PARAM_CHOICE,
                                 .choice = choice};
        memset(out, 0, choice->size);
        good = bind_value(&row, root->first, root, out, &binder);
    }
    diag_close(&diag);
    return good;
}

int choice_close(void **state)
{
    (void)state;
    arena_close(&choice_arena);
    return 0;
}
