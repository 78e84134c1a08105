/* SPDX-License-Identifier: Apache-2.0 */
#include "experiment/signals.h"

#include <signal.h>
#include <stddef.h>

static volatile sig_atomic_t received;

static void on_signal(int number)
{
    received = number;
}

void signals_install(void)
{
    struct sigaction once = {.sa_handler = on_signal, .sa_flags = SA_RESTART | (int)SA_RESETHAND};
    struct sigaction always = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    sigaction(SIGINT, &once, NULL);
    sigaction(SIGTERM, &always, NULL);
    sigaction(SIGUSR1, &always, NULL);
    signal(SIGXFSZ, SIG_IGN);
}

bool signals_stop(void)
{
    return received != 0;
}

const char *signals_name(void)
{
    switch (received) {
    case SIGINT:
        return "SIGINT";
    case SIGTERM:
        return "SIGTERM";
    case SIGUSR1:
        return "SIGUSR1";
    default:
        return NULL;
    }
}
