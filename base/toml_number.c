/*
 * Numbers, dates and times of TOML 1.0 as words; the rest of the grammar is in toml.c.
 */
#include "toml_number.h"

#include "alloc.h"
#include "num.h"

#include <errno.h>
#include <math.h>

static int hex_digit(int c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

static bool is_digit(int c)
{
    return c >= '0' && c <= '9';
}

/* "dddd-dd-dd", "dd:dd:dd": the pattern with d for a digit. */
static bool matches(struct str s, const char *pattern)
{
    size_t n = strlen(pattern);
    for (size_t i = 0; i < n; i++) {
        if (i >= s.n || (pattern[i] == 'd' ? !is_digit(s.p[i]) : s.p[i] != pattern[i])) {
            return false;
        }
    }
    return true;
}

static int two(struct str s, size_t at)
{
    return (s.p[at] - '0') * 10 + (s.p[at + 1] - '0');
}

static bool valid_date(struct str s)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int year = two(s, 0) * 100 + two(s, 2), month = two(s, 5), day = two(s, 8);
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return month >= 1 && month <= 12 && day >= 1 &&
           day <= days[month - 1] + (month == 2 && leap ? 1 : 0);
}

/* Length of a time "hh:mm:ss[.f…]" at the start of s; 0: none. */
static size_t time_length(struct str s)
{
    if (!matches(s, "dd:dd:dd") || two(s, 0) > 23 || two(s, 3) > 59 || two(s, 6) > 60) {
        return 0;
    }
    size_t n = 8;
    if (n + 1 < s.n && s.p[n] == '.' && is_digit(s.p[n + 1])) {
        for (n++; n < s.n && is_digit(s.p[n]); n++) {
        }
    }
    return n;
}

static size_t offset_length(struct str s)
{
    if (s.n && (s.p[0] == 'Z' || s.p[0] == 'z')) {
        return 1;
    }
    bool ok = (matches(s, "+dd:dd") || matches(s, "-dd:dd")) && two(s, 1) < 24 && two(s, 4) < 60;
    return ok ? 6 : 0;
}

long toml_date_length(struct str s)
{
    if (matches(s, "dd:")) {
        size_t n = time_length(s);
        return n ? (long)n : -1;
    }
    if (!matches(s, "dddd-")) {
        return 0;
    }
    if (!matches(s, "dddd-dd-dd") || !valid_date(s)) {
        return -1;
    }
    size_t n = 10;
    bool blank = n + 1 < s.n && s.p[n] == ' ' && is_digit(s.p[n + 1]);
    if (n < s.n && (s.p[n] == 'T' || s.p[n] == 't' || blank)) {
        size_t t = time_length(str_sub(s, n + 1, s.n));
        if (!t) {
            return -1;
        }
        n += 1 + t;
        n += offset_length(str_sub(s, n, s.n));
    }
    return (long)n;
}

/* Digits of `base` with single _ between them, copied without the _. */
static bool copy_digits(struct str s, size_t *i, int base, struct strbuf *out)
{
    size_t start = *i;
    for (bool under = true; *i < s.n; (*i)++) {
        int d = hex_digit(s.p[*i]);
        if (s.p[*i] == '_') {
            if (under || *i + 1 >= s.n || hex_digit(s.p[*i + 1]) < 0 ||
                hex_digit(s.p[*i + 1]) >= base) {
                return false;
            }
            under = true;
        } else if (d >= 0 && d < base) {
            under = false;
            strbuf_addch(out, s.p[*i]);
        } else {
            break;
        }
    }
    return *i > start;
}

static struct value *based_integer(struct arena *a, struct str word, int base)
{
    struct strbuf digits;
    strbuf_init(&digits);
    size_t i = 2;
    bool ok = copy_digits(word, &i, base, &digits) && i == word.n;
    errno = 0;
    unsigned long long v = ok ? strtoull(digits.p, NULL, base) : 0;
    ok = ok && errno == 0 && v <= INT64_MAX;
    strbuf_release(&digits);
    return ok ? value_int(a, (int64_t)v) : NULL;
}

static struct value *decimal(struct arena *a, struct str word)
{
    struct strbuf b;
    strbuf_init(&b);
    size_t i = 0, start;
    bool is_float = false, ok = true;
    if (word.n && (word.p[0] == '+' || word.p[0] == '-')) {
        strbuf_addch(&b, word.p[i++]);
    }
    start = i;
    ok = copy_digits(word, &i, 10, &b) && !(word.p[start] == '0' && i > start + 1);
    if (ok && i < word.n && word.p[i] == '.') {
        is_float = true;
        strbuf_addch(&b, word.p[i++]);
        ok = copy_digits(word, &i, 10, &b);
    }
    if (ok && i < word.n && (word.p[i] == 'e' || word.p[i] == 'E')) {
        is_float = true;
        strbuf_addch(&b, word.p[i++]);
        if (i < word.n && (word.p[i] == '+' || word.p[i] == '-')) {
            strbuf_addch(&b, word.p[i++]);
        }
        ok = copy_digits(word, &i, 10, &b);
    }
    struct value *v = NULL;
    double f;
    int64_t n;
    if (ok && i == word.n) {
        if (is_float) {
            v = num_parse_double(strbuf_str(&b), &f) ? value_float(a, f) : NULL;
        } else {
            v = num_parse_int(strbuf_str(&b), &n) ? value_int(a, n) : NULL;
        }
    }
    strbuf_release(&b);
    return v;
}

struct value *toml_number(struct arena *a, struct str word)
{
    static const struct {
        const char *text;
        double f;
    } specials[] = {{"inf", INFINITY}, {"+inf", INFINITY}, {"-inf", -INFINITY},
                    {"nan", NAN},      {"+nan", NAN},      {"-nan", NAN}};
    for (size_t i = 0; i < ARRAY_SIZE(specials); i++) {
        if (str_is(word, specials[i].text)) {
            return value_float(a, specials[i].f);
        }
    }
    if (str_starts(word, "0x") || str_starts(word, "0o") || str_starts(word, "0b")) {
        return based_integer(a, word, word.p[1] == 'x' ? 16 : word.p[1] == 'o' ? 8 : 2);
    }
    return decimal(a, word);
}
