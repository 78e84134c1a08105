/* SPDX-License-Identifier: Apache-2.0 */
#include "results/durable.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"

static bool sync_path(const char *path, int flags, struct results_error *e)
{
    int fd = open(path, flags | O_CLOEXEC);
    bool ok = fd >= 0 && fsync(fd) == 0;
    if (!ok) {
        results_fail(e, "cannot write %s: %s", path, strerror(errno));
    }
    if (fd >= 0) {
        close(fd);
    }
    return ok;
}

bool durable_file(const char *path, struct results_error *e)
{
    return sync_path(path, O_RDWR, e);
}

bool durable_name(const char *path, struct results_error *e)
{
    char *dir = strdup(path);
    CHECK(dir != NULL, "out of memory for a path");
    size_t n = strlen(dir);
    while (n > 1 && dir[n - 1] == '/') {
        dir[--n] = '\0';
    }
    char *slash = strrchr(dir, '/');
    bool ok;
    if (!slash) {
        ok = sync_path(".", O_RDONLY | O_DIRECTORY, e);
    } else {
        slash[slash == dir] = '\0';
        ok = sync_path(dir, O_RDONLY | O_DIRECTORY, e);
    }
    free(dir);
    return ok;
}
