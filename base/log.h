#ifndef NEPHRON_LOG_H
#define NEPHRON_LOG_H

#include <stdbool.h>

/*
 * Human lines on stderr, one a call: "07:21:09 warn  [r3] loader: message". The level and the rank
 * mark are the only global state. Thread-safe. Control characters in the text are escaped.
 */

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

void log_set_level(enum log_level level); /* default LOG_WARN */
enum log_level log_get_level(void);
void log_set_rank(int rank,
                  int world); /* world > 1 adds "[rN]"; info is then spoken by rank 0 only */

void log_error(const char *module, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void log_warn(const char *module, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void log_info(const char *module, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void log_debug(const char *module, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
