/* Text views and buffers; see str.h. */

#include "str.h"

#include "alloc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char empty_text[1] = "";

struct str str_from(const char *s)
{
    return s != NULL ? (struct str){s, strlen(s)} : (struct str){"", 0};
}

bool str_eq(struct str a, struct str b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

bool str_is(struct str a, const char *b)
{
    return str_eq(a, str_from(b));
}

int str_cmp(struct str a, struct str b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int c = n > 0 ? memcmp(a.p, b.p, n) : 0;
    if (c != 0) {
        return c;
    }
    return a.n < b.n ? -1 : a.n > b.n;
}

bool str_starts(struct str s, const char *prefix)
{
    size_t n = strlen(prefix);
    return s.n >= n && memcmp(s.p, prefix, n) == 0;
}

bool str_ends(struct str s, const char *suffix)
{
    size_t n = strlen(suffix);
    return s.n >= n && memcmp(s.p + s.n - n, suffix, n) == 0;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct str str_trim(struct str s)
{
    while (s.n > 0 && is_blank(s.p[0])) {
        s.p++;
        s.n--;
    }
    while (s.n > 0 && is_blank(s.p[s.n - 1])) {
        s.n--;
    }
    return s;
}

struct str str_sub(struct str s, size_t from, size_t n)
{
    if (from > s.n) {
        from = s.n;
    }
    if (n > s.n - from) {
        n = s.n - from;
    }
    return (struct str){s.p + from, n};
}

bool str_split(struct str *rest, char sep, struct str *part)
{
    if (rest->p == NULL) {
        return false;
    }
    const char *at = rest->n > 0 ? memchr(rest->p, sep, rest->n) : NULL;
    if (at == NULL) {
        *part = *rest;
        *rest = (struct str){NULL, 0};
        return true;
    }
    size_t n = (size_t)(at - rest->p);
    *part = (struct str){rest->p, n};
    *rest = (struct str){at + 1, rest->n - n - 1};
    return true;
}

/* Length of the valid UTF-8 sequence at p (RFC 3629: no overlong forms, no surrogates), else 0. */
static size_t utf8_sequence(const unsigned char *p, size_t n)
{
    if (p[0] < 0x80) {
        return 1;
    }
    if (p[0] < 0xC2 || p[0] > 0xF4) {
        return 0;
    }
    size_t len = p[0] < 0xE0 ? 2 : p[0] < 0xF0 ? 3 : 4;
    if (n < len) {
        return 0;
    }
    unsigned char low = 0x80, high = 0xBF;
    if (p[0] == 0xE0) {
        low = 0xA0;
    } else if (p[0] == 0xED) {
        high = 0x9F;
    } else if (p[0] == 0xF0) {
        low = 0x90;
    } else if (p[0] == 0xF4) {
        high = 0x8F;
    }
    if (p[1] < low || p[1] > high) {
        return 0;
    }
    for (size_t i = 2; i < len; i++) {
        if (p[i] < 0x80 || p[i] > 0xBF) {
            return 0;
        }
    }
    return len;
}

size_t str_utf8_valid(struct str s)
{
    const unsigned char *p = (const unsigned char *)s.p;
    size_t i = 0;
    while (i < s.n) {
        size_t len = utf8_sequence(p + i, s.n - i);
        if (len == 0) {
            return i;
        }
        i += len;
    }
    return s.n;
}

size_t str_utf8_length(struct str s)
{
    size_t count = 0;
    for (size_t i = 0; i < s.n; i++) {
        count += ((unsigned char)s.p[i] & 0xC0) != 0x80;
    }
    return count;
}

void strbuf_init(struct strbuf *b)
{
    *b = (struct strbuf){.p = empty_text};
}

void strbuf_init_max(struct strbuf *b, size_t max)
{
    *b = (struct strbuf){.p = empty_text, .max = max};
}

void strbuf_release(struct strbuf *b)
{
    if (b->capacity > 0) {
        free(b->p);
    }
    strbuf_init_max(b, b->max);
}

void strbuf_reset(struct strbuf *b)
{
    strbuf_truncate(b, 0);
    b->truncated = false;
}

void strbuf_reserve(struct strbuf *b, size_t extra)
{
    size_t want;
    if (!size_add(b->n, extra, &want) || !size_add(want, 1, &want)) {
        want = (size_t)-1; /* xrealloc ends the program */
    }
    if (want <= b->capacity) {
        return;
    }
    size_t grown = b->capacity + b->capacity / 2 + 32;
    if (grown < want) {
        grown = want;
    }
    b->p = xrealloc(b->capacity > 0 ? b->p : NULL, grown);
    b->capacity = grown;
    b->p[b->n] = '\0';
}

void strbuf_truncate(struct strbuf *b, size_t n)
{
    if (n < b->n) {
        b->n = n;
        b->p[n] = '\0';
    }
}

void strbuf_add(struct strbuf *b, const void *data, size_t n)
{
    if (b->max > 0 && n > b->max - (b->n < b->max ? b->n : b->max)) {
        n = b->max - (b->n < b->max ? b->n : b->max);
        b->truncated = true;
    }
    if (n == 0) {
        return;
    }
    strbuf_reserve(b, n);
    memcpy(b->p + b->n, data, n);
    b->n += n;
    b->p[b->n] = '\0';
}

void strbuf_adds(struct strbuf *b, const char *s)
{
    strbuf_add(b, s, strlen(s));
}

void strbuf_addstr(struct strbuf *b, struct str s)
{
    strbuf_add(b, s.p, s.n);
}

void strbuf_addch(struct strbuf *b, char c)
{
    strbuf_add(b, &c, 1);
}

void strbuf_vaddf(struct strbuf *b, const char *fmt, va_list ap)
{
    char small[256];
    va_list again;
    va_copy(again, ap);
    int n = vsnprintf(small, sizeof(small), fmt, ap);
    if (n >= 0 && (size_t)n < sizeof(small)) {
        strbuf_add(b, small, (size_t)n);
    } else if (n >= 0) {
        char *big = xmalloc((size_t)n + 1);
        vsnprintf(big, (size_t)n + 1, fmt, again);
        strbuf_add(b, big, (size_t)n);
        free(big);
    }
    va_end(again);
}

void strbuf_addf(struct strbuf *b, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    strbuf_vaddf(b, fmt, ap);
    va_end(ap);
}

void strbuf_add_csv(struct strbuf *b, const char *text)
{
    if (strpbrk(text, ",\"\r\n") == NULL) {
        strbuf_adds(b, text);
        return;
    }
    strbuf_addch(b, '"');
    for (; *text; text++) {
        strbuf_addch(b, *text);
        if (*text == '"') {
            strbuf_addch(b, '"');
        }
    }
    strbuf_addch(b, '"');
}

void strbuf_pad(struct strbuf *b, char c, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        strbuf_addch(b, c);
    }
}

char *strbuf_detach(struct strbuf *b)
{
    char *p = b->capacity > 0 ? b->p : xstrdup("");
    strbuf_init_max(b, b->max);
    return p;
}

struct str strbuf_str(const struct strbuf *b)
{
    return (struct str){b->p, b->n};
}

void strbuf_add_shell_word(struct strbuf *b, struct str word)
{
    static const char safe[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789@%+=:,./-_";
    bool plain = word.n > 0;
    for (size_t i = 0; i < word.n && plain; i++) {
        plain = word.p[i] != '\0' && strchr(safe, word.p[i]) != NULL;
    }
    if (plain) {
        strbuf_addstr(b, word);
        return;
    }
    strbuf_addch(b, '\'');
    for (size_t i = 0; i < word.n; i++) {
        if (word.p[i] == '\'') {
            strbuf_adds(b, "'\"'\"'");
        } else {
            strbuf_addch(b, word.p[i]);
        }
    }
    strbuf_addch(b, '\'');
}
