#ifndef NEPHRON_STR_H
#define NEPHRON_STR_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

/*
 * Text. `struct str` is a read-only view {pointer, length}, passed by value, never owning and not
 * necessarily NUL-terminated. `struct strbuf` builds text: it carries its length and is always
 * NUL-terminated (also when empty), so `b.p` is a C string as long as no NUL was added.
 */

struct str {
    const char *p;
    size_t n;
};

#define STR(literal) ((struct str){(literal), sizeof(literal) - 1})
#define STR_ARG(s) (int)(s).n, (s).p /* for "%.*s" */

struct str str_from(const char *s); /* NULL gives the empty view */
bool str_eq(struct str a, struct str b);
bool str_is(struct str a, const char *b);
int str_cmp(struct str a, struct str b); /* byte order = code point order for UTF-8 */
bool str_starts(struct str s, const char *prefix);
bool str_ends(struct str s, const char *suffix);
struct str str_trim(struct str s); /* blanks, tabs, CR, LF at both ends */
struct str str_sub(struct str s, size_t from, size_t n);
/* Cuts the part before the first `sep` off *rest and returns it; false when *rest was used up.
 * "a,,b" gives "a", "", "b". Start with *rest = the whole and p != NULL. */
bool str_split(struct str *rest, char sep, struct str *part);
/* First valid UTF-8 violation as an offset, or s.n when all of it is valid. */
size_t str_utf8_valid(struct str s);
size_t str_utf8_length(struct str s); /* code points */

struct strbuf {
    char *p;         /* never NULL after strbuf_init; "" when empty */
    size_t n;        /* bytes without the terminator */
    size_t capacity; /* 0: p is the shared empty string */
    size_t max;      /* 0: unlimited; else further text is dropped and `truncated` set */
    bool truncated;
};

void strbuf_init(struct strbuf *b);
void strbuf_init_max(struct strbuf *b, size_t max); /* for text whose size a stranger decides */
void strbuf_release(struct strbuf *b);              /* leaves it as after init */
void strbuf_reset(struct strbuf *b);                /* empties, keeps the memory */
void strbuf_reserve(struct strbuf *b, size_t extra);
void strbuf_truncate(struct strbuf *b, size_t n);
void strbuf_add(struct strbuf *b, const void *data, size_t n);
void strbuf_adds(struct strbuf *b, const char *s);
void strbuf_addstr(struct strbuf *b, struct str s);
void strbuf_addch(struct strbuf *b, char c);
void strbuf_addf(struct strbuf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void strbuf_vaddf(struct strbuf *b, const char *fmt, va_list ap)
    __attribute__((format(printf, 2, 0)));
/* A field of a CSV line, in quotes where it must be (RFC 4180). */
void strbuf_add_csv(struct strbuf *b, const char *text);
void strbuf_pad(struct strbuf *b, char c, size_t n);
char *strbuf_detach(struct strbuf *b); /* returns new (free); the buffer is as after init */
struct str strbuf_str(const struct strbuf *b);
/* A word for /bin/sh: unchanged when harmless, else in single quotes (as Python's shlex.quote). */
void strbuf_add_shell_word(struct strbuf *b, struct str word);

#endif
