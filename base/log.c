/* Log lines on stderr; see log.h. */

#include "log.h"

#include "str.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static _Atomic int log_level = LOG_WARN;
static _Atomic int log_rank = 0;
static _Atomic int log_world = 1;

void log_set_level(enum log_level level)
{
    log_level = (int)level;
}

enum log_level log_get_level(void)
{
    return (enum log_level)log_level;
}

void log_set_rank(int rank, int world)
{
    log_rank = rank;
    log_world = world;
}

static bool is_silent(enum log_level level)
{
    return (int)level > log_level || (level == LOG_INFO && log_world > 1 && log_rank != 0);
}

/* One write(2) a line, so that lines of threads and ranks do not mix. */
__attribute__((format(printf, 3, 0))) static void
write_line(enum log_level level, const char *module, const char *fmt, va_list ap)
{
    static const char *const names[] = {"error", "warn ", "info ", "debug"};
    struct strbuf text, line;
    strbuf_init_max(&text, 4096);
    strbuf_init(&line);
    strbuf_vaddf(&text, fmt, ap);
    time_t now = time(NULL);
    struct tm t;
    localtime_r(&now, &t);
    strbuf_addf(&line, "%02d:%02d:%02d %s ", t.tm_hour, t.tm_min, t.tm_sec, names[level]);
    if (log_world > 1) {
        strbuf_addf(&line, "[r%d] ", log_rank);
    }
    strbuf_addf(&line, "%s: ", module);
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        if (c < 0x20 || c == 0x7F) {
            strbuf_addf(&line, "\\x%02x", c);
        } else {
            strbuf_addch(&line, (char)c);
        }
    }
    strbuf_addch(&line, '\n');
    ssize_t ignored = write(STDERR_FILENO, line.p, line.n);
    (void)ignored; /* a lost log line has nowhere to be reported */
    strbuf_release(&line);
    strbuf_release(&text);
}

#define LOG_FUNCTION(name, level)                                                                  \
    void name(const char *module, const char *fmt, ...)                                            \
    {                                                                                              \
        if (is_silent(level)) {                                                                    \
            return;                                                                                \
        }                                                                                          \
        va_list ap;                                                                                \
        va_start(ap, fmt);                                                                         \
        write_line(level, module, fmt, ap);                                                        \
        va_end(ap);                                                                                \
    }

LOG_FUNCTION(log_error, LOG_ERROR)
LOG_FUNCTION(log_warn, LOG_WARN)
LOG_FUNCTION(log_info, LOG_INFO)
LOG_FUNCTION(log_debug, LOG_DEBUG)
