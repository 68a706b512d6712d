#ifndef NEPHRON_ERR_H
#define NEPHRON_ERR_H

/*
 * Errors: a small code for callers that branch, and a message chain for the person who reads it.
 *
 * The struct is the caller's. It is untouched on success. Functions that can fail take it as their
 * last parameter and return -1 (or NULL); `err_set` and `err_wrap` return -1 so that the failing
 * line is also the returning line:
 *
 *     if (yaml_load(path, &arena, &doc, e) < 0)
 *         return err_wrap(e, "cannot read the pipeline %s", path);
 *
 * A NULL struct means "I do not want the text". Text has no leading capital, no full stop, names the
 * object and the place, what was expected, what was found and the next step where there is one.
 * Only main() and long-lived loops print.
 */

enum err_code {
    ERR_NONE,
    ERR_USAGE,   /* wrong command line, or a request that makes no sense */
    ERR_MISSING, /* not found */
    ERR_FORMAT,  /* malformed input */
    ERR_CONFIG,  /* settings */
    ERR_IO,
    ERR_BUSY, /* somebody else is at work here */
    ERR_REMOTE,
    ERR_CHILD, /* a child process failed */
    ERR_INTERRUPTED,
    ERR_LIMIT, /* input beyond a documented limit */
    ERR_BUG,
};

struct err {
    enum err_code code;
    int detail; /* exit status of a child, errno, or 0: for callers that pass it on */
    char text[2048];
};

#define ERR_INIT                                                                                   \
    {                                                                                              \
        0                                                                                          \
    }

/* Sets code and text, dropping what was there. Always returns -1; errno is preserved. */
int err_set(struct err *e, enum err_code code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* As err_set, with ": strerror(errno)" appended and errno kept in `detail`. Code is ERR_MISSING for
 * ENOENT and ENOTDIR, ERR_IO otherwise. */
int err_sys(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Prepends "fmt: " to the text, keeping code and detail. Always returns -1. */
int err_wrap(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Appends to the text: a hint or a list member. Always returns -1. */
int err_append(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The compiler learns that these return -1, and so which variables are set behind a failed call. */
static inline int err_failed(void)
{
    return -1;
}
#define err_set(...) (err_set(__VA_ARGS__), err_failed())
#define err_sys(...) (err_sys(__VA_ARGS__), err_failed())
#define err_wrap(...) (err_wrap(__VA_ARGS__), err_failed())
#define err_append(...) (err_append(__VA_ARGS__), err_failed())

void err_clear(struct err *e);

/* For states that only a bug can cause, also in release builds: prints file and line, aborts. */
_Noreturn void err_bug(const char *file, int line, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
#define BUG(...) err_bug(__FILE__, __LINE__, __VA_ARGS__)

#endif
