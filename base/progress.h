#ifndef NEPHRON_PROGRESS_H
#define NEPHRON_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct clock;

/*
 * One progress line on stderr with rate and time left, redrawn at most ten times a second; silent when
 * stderr is no terminal, when quiet, or when NO_PROGRESS is set. Thread-safe to update.
 *   Downloading data.zip  [=======>      ]  52%  31.2 MB/60.0 MB  8.1 MB/s  4s left
 */

enum progress_unit { PROGRESS_BYTES, PROGRESS_ITEMS };

struct progress;

/* total 0: unknown. Returns new; never NULL. `clock` NULL: the system's. */
struct progress *progress_new(const char *label, uint64_t total, enum progress_unit unit,
                              const struct clock *clock, bool quiet);
void progress_start(struct progress *p, uint64_t done); /* done before now: not part of the rate */
void progress_set(struct progress *p, uint64_t done);
void progress_add(struct progress *p, uint64_t n);
void progress_total(struct progress *p, uint64_t total);
void progress_note(struct progress *p, const char *text); /* shown behind the bar: "loss 0.31" */
/* Takes the line away, so that another can be printed; the next update draws it again. */
void progress_clear(struct progress *p);
void progress_free(struct progress *p); /* clears the line; NULL is fine */

#endif
