/* SPDX-License-Identifier: Apache-2.0
 *
 * A disk on which fdatasync takes 300 ms, as on a busy file server: to be loaded before a program
 * (LD_PRELOAD). Each call adds a byte to the file that SLOW_SYNC_COUNT names.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int fdatasync(int fd)
{
    const struct timespec pause = {.tv_nsec = 300000000};
    const char *path = getenv("SLOW_SYNC_COUNT");
    int count = path ? open(path, O_WRONLY | O_CREAT | O_APPEND, 0600) : -1;
    if (count >= 0) {
        ssize_t wrote = write(count, "x", 1);
        (void)wrote;
        close(count);
    }
    nanosleep(&pause, NULL);
    return (int)syscall(SYS_fdatasync, fd);
}
