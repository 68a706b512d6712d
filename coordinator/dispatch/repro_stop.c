/* See repro_stop.h. */
#include "repro_stop.h"

#include <stddef.h>

static struct repro_stop caught;

void repro_stop_note(struct repro_stop *s, int sig)
{
    if (sig == SIGUSR1) {
        if (s->signal == 0) {
            s->signal = sig;
        }
        return;
    }
    s->signal = sig == SIGHUP ? SIGTERM : sig;
    s->count = s->count + 1;
}

static void on_signal(int sig)
{
    repro_stop_note(&caught, sig);
}

struct repro_stop *repro_stop_catch(void)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGUSR1};
    struct sigaction sa = {.sa_handler = on_signal};
    sigemptyset(&sa.sa_mask);
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
        sigaction(signals[i], &sa, NULL);
    }
    return &caught;
}

int repro_stop_exit(const struct repro_stop *s)
{
    return s->signal == SIGUSR1 ? REPRO_EXIT_REQUEUE : 128 + s->signal;
}
