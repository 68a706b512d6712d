#ifndef NEPHRON_DURATIONS_H
#define NEPHRON_DURATIONS_H

#include <stdbool.h>

struct err;

/*
 * How long stages took: .dvc/tmp/nephron/durations, lines "SECONDS NAME" (NAME is
 * "dvc.yaml:train"), used to start long chains first. A hint: losing it is harmless, malformed
 * lines are skipped, at most 100,000 are kept.
 */
struct durations;

struct durations *durations_load(const char *path); /* never NULL */
void durations_free(struct durations *d);
double durations_get(const struct durations *d, const char *name);         /* 0: unknown */
void durations_set(struct durations *d, const char *name, double seconds); /* half old, half new */
int durations_save(const struct durations *d, const char *path, struct err *e);

#endif
