/* Caller-owned error chain; see err.h. */

#include "err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

__attribute__((format(printf, 3, 0))) static void set_text(struct err *e, enum err_code code,
                                                           const char *fmt, va_list ap)
{
    e->code = code;
    e->detail = 0;
    vsnprintf(e->text, sizeof(e->text), fmt, ap);
}

int(err_set)(struct err *e, enum err_code code, const char *fmt, ...)
{
    if (e != NULL) {
        int saved = errno;
        va_list ap;
        va_start(ap, fmt);
        set_text(e, code, fmt, ap);
        va_end(ap);
        errno = saved;
    }
    return -1;
}

int(err_sys)(struct err *e, const char *fmt, ...)
{
    if (e != NULL) {
        int saved = errno;
        bool missing = saved == ENOENT || saved == ENOTDIR;
        va_list ap;
        va_start(ap, fmt);
        set_text(e, missing ? ERR_MISSING : ERR_IO, fmt, ap);
        va_end(ap);
        size_t n = strlen(e->text);
        snprintf(e->text + n, sizeof(e->text) - n, ": %s", strerror(saved));
        e->detail = saved;
        errno = saved;
    }
    return -1;
}

int(err_wrap)(struct err *e, const char *fmt, ...)
{
    if (e != NULL) {
        int saved = errno;
        char inner[sizeof(e->text)];
        memcpy(inner, e->text, sizeof(inner));
        va_list ap;
        va_start(ap, fmt);
        vsnprintf(e->text, sizeof(e->text), fmt, ap);
        va_end(ap);
        size_t n = strlen(e->text);
        snprintf(e->text + n, sizeof(e->text) - n, ": %s", inner);
        errno = saved;
    }
    return -1;
}

int(err_append)(struct err *e, const char *fmt, ...)
{
    if (e != NULL) {
        int saved = errno;
        size_t n = strlen(e->text);
        va_list ap;
        va_start(ap, fmt);
        vsnprintf(e->text + n, sizeof(e->text) - n, fmt, ap);
        va_end(ap);
        errno = saved;
    }
    return -1;
}

void err_clear(struct err *e)
{
    e->code = ERR_NONE;
    e->detail = 0;
    e->text[0] = '\0';
}

_Noreturn void err_bug(const char *file, int line, const char *fmt, ...)
{
    fprintf(stderr, "nephron: internal error at %s:%d: ", file, line);
    va_list ap;
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
    abort();
}
