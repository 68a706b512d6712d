/* See hydrascalar.h. Each matcher answers for the whole text. */
#include "hydrascalar.h"

#include "alloc.h"
#include "num.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define DIGITS "0123456789"

static bool is_one_of(struct str s, const char *const *words)
{
    for (; *words != NULL; words++) {
        if (str_is(s, *words)) {
            return true;
        }
    }
    return false;
}

static size_t skip(struct str s, size_t at, const char *set)
{
    while (at < s.n && s.p[at] != '\0' && strchr(set, s.p[at]) != NULL) {
        at++;
    }
    return at;
}

static char char_at(struct str s, size_t at)
{
    return at < s.n ? s.p[at] : '\0';
}

static size_t skip_sign(struct str s)
{
    return s.n > 0 && (s.p[0] == '-' || s.p[0] == '+') ? 1 : 0;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* (:[0-5]?[0-9])+; `at` itself when there is none. */
static size_t skip_sixties(struct str s, size_t at)
{
    while (char_at(s, at) == ':' && is_digit(char_at(s, at + 1))) {
        bool two = is_digit(char_at(s, at + 2)) && s.p[at + 1] <= '5';
        at += two ? 3 : 2;
    }
    return at;
}

/* ---- kinds ---- */

static bool is_bool(struct str s)
{
    static const char *const words[] = {"yes",  "Yes",  "YES",   "no",    "No",    "NO", "true",
                                        "True", "TRUE", "false", "False", "FALSE", "on", "On",
                                        "ON",   "off",  "Off",   "OFF",   NULL};
    return is_one_of(s, words);
}

static bool is_true(struct str s)
{
    static const char *const words[] = {"yes",  "Yes", "YES", "true", "True",
                                        "TRUE", "on",  "On",  "ON",   NULL};
    return is_one_of(s, words);
}

static bool is_null(struct str s)
{
    static const char *const words[] = {"", "~", "null", "Null", "NULL", NULL};
    return is_one_of(s, words);
}

static bool is_int(struct str s)
{
    size_t at = skip_sign(s);
    if (!is_digit(char_at(s, at))) {
        return false;
    }
    if (s.p[at] != '0') {
        size_t end = skip(s, at, DIGITS "_");
        return skip_sixties(s, end) == s.n;
    }
    char base = char_at(s, at + 1);
    if (base == 'b' || base == 'x') {
        return at + 2 < s.n &&
               skip(s, at + 2, base == 'b' ? "01_" : "0123456789abcdefABCDEF_") == s.n;
    }
    return skip(s, at + 1, "01234567_") == s.n;
}

static bool is_special_float(struct str s)
{
    static const char *const infinities[] = {".inf", ".Inf", ".INF", NULL};
    static const char *const nans[] = {".nan", ".NaN", ".NAN", NULL};
    size_t at = skip_sign(s);
    return is_one_of(s, nans) || is_one_of(str_sub(s, at, s.n - at), infinities);
}

/* [eE][-+]?[0-9]+ to the end, or the end. `sign`: it must have one. */
static bool is_exponent(struct str s, size_t at, bool sign)
{
    if (at == s.n) {
        return true;
    }
    char next = char_at(s, at + 1);
    bool has = next == '-' || next == '+';
    if ((s.p[at] | 0x20) != 'e' || (sign && !has)) {
        return false;
    }
    at += has ? 2 : 1;
    return at < s.n && skip(s, at, DIGITS) == s.n;
}

/* `reading`: OmegaConf also takes exponents without a point or a sign. */
static bool is_float(struct str s, bool reading)
{
    if (is_special_float(s)) {
        return true;
    }
    size_t sign = skip_sign(s), at = sign;
    if (char_at(s, at) == '.') {
        return sign == 0 && is_digit(char_at(s, 1)) && is_exponent(s, skip(s, 1, DIGITS "_"), true);
    }
    if (!is_digit(char_at(s, at))) {
        return false;
    }
    size_t digits = skip(s, at, DIGITS "_"), sixties = skip_sixties(s, digits);
    if (char_at(s, sixties) == '.') {
        size_t end = skip(s, sixties + 1, DIGITS "_");
        return sixties > digits ? end == s.n : is_exponent(s, end, !reading);
    }
    return reading && digits < s.n && sixties == digits && s.p[digits - 1] != '_' &&
           is_exponent(s, digits, false);
}

static size_t skip_digits(struct str s, size_t at, size_t min, size_t max)
{
    size_t end = skip(s, at, DIGITS);
    return end - at >= min && end - at <= max ? end : SIZE_MAX;
}

/* [ \t]*(Z|[-+]HH?(:MM)?) or nothing, to the end. */
static bool is_zone(struct str s, size_t at)
{
    if (at == s.n) {
        return true;
    }
    at = skip(s, at, " \t");
    if (char_at(s, at) == 'Z') {
        return at + 1 == s.n;
    }
    if (char_at(s, at) != '-' && char_at(s, at) != '+') {
        return false;
    }
    size_t hour = skip_digits(s, at + 1, 1, 2);
    return hour != SIZE_MAX &&
           (hour == s.n || (s.p[hour] == ':' && skip_digits(s, hour + 1, 2, 2) == s.n));
}

static bool is_time(struct str s)
{
    size_t year = skip_digits(s, 0, 4, 4);
    if (year == SIZE_MAX || char_at(s, year) != '-') {
        return false;
    }
    size_t month = skip_digits(s, year + 1, 1, 2);
    if (month == SIZE_MAX || char_at(s, month) != '-') {
        return false;
    }
    size_t day = skip_digits(s, month + 1, 1, 2);
    if (day == SIZE_MAX || day == s.n) {
        return s.n == 10 && day == s.n;
    }
    size_t at = (s.p[day] | 0x20) == 't' ? day + 1 : skip(s, day, " \t");
    if (at == day) {
        return false;
    }
    for (int part = 0; part < 3; part++) {
        at = skip_digits(s, at, part == 0 ? 1 : 2, 2);
        if (at == SIZE_MAX || (part < 2 && char_at(s, at) != ':')) {
            return false;
        }
        at += part < 2;
    }
    return is_zone(s, char_at(s, at) == '.' ? skip(s, at + 1, DIGITS) : at);
}

enum hydrascalar_kind hydrascalar_kind(struct str s)
{
    return is_null(s)                          ? HYDRASCALAR_NULL
           : is_bool(s)                        ? HYDRASCALAR_BOOL
           : is_int(s)                         ? HYDRASCALAR_INT
           : is_float(s, false)                ? HYDRASCALAR_FLOAT
           : is_time(s)                        ? HYDRASCALAR_TIME
           : str_is(s, "<<") || str_is(s, "=") ? HYDRASCALAR_SIGN
                                               : HYDRASCALAR_STR;
}

/* ---- values ---- */

/* Without "_". */
static struct str compact(struct arena *a, struct str s)
{
    char *p = arena_strndup(a, s.p, s.n);
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] != '_') {
            p[n++] = s.p[i];
        }
    }
    p[n] = '\0';
    return (struct str){p, n};
}

/* 1:30:05.5: each part is sixty of the next. */
static double sixties(struct str s)
{
    double total = 0, part = 0;
    struct str rest = s, one;
    while (str_split(&rest, ':', &one)) {
        char text[64];
        size_t n = one.n < sizeof text - 1 ? one.n : sizeof text - 1;
        memcpy(text, one.p, n);
        text[n] = '\0';
        part = strtod(text, NULL);
        total = total * 60 + part;
    }
    return total;
}

static struct value *read_int(struct arena *a, struct str s)
{
    struct str text = compact(a, s);
    size_t sign = skip_sign(text);
    bool negative = text.p[0] == '-';
    struct str digits = str_sub(text, sign, text.n - sign);
    if (memchr(digits.p, ':', digits.n) != NULL) {
        double total = sixties(digits);
        return total < 9e15 ? value_int(a, (int64_t)(negative ? -total : total)) : NULL;
    }
    bool two = str_starts(digits, "0b"), hex = str_starts(digits, "0x");
    if ((two || hex) && digits.n == 2) {
        return NULL;
    }
    int base = two ? 2 : hex ? 16 : digits.p[0] == '0' ? 8 : 10;
    char *end;
    errno = 0;
    unsigned long long u = strtoull(digits.p + (two || hex ? 2 : 0), &end, base);
    if (errno == 0 && u <= (unsigned long long)INT64_MAX) {
        return value_int(a, negative ? -(int64_t)u : (int64_t)u);
    }
    if (base != 10) {
        return NULL;
    }
    struct value *big = value_null(a);
    big->type = VALUE_BIGINT;
    big->s = arena_str(a, negative ? text : digits);
    return big;
}

static struct value *read_float(struct arena *a, struct str s)
{
    struct str text = compact(a, s);
    size_t sign = skip_sign(text);
    double factor = text.p[0] == '-' ? -1 : 1;
    struct str digits = str_sub(text, sign, text.n - sign);
    if (is_special_float(s)) {
        return value_float(a, (digits.p[1] | 0x20) == 'n' ? NAN : factor * INFINITY);
    }
    bool colons = memchr(digits.p, ':', digits.n) != NULL;
    return value_float(a, factor * (colons ? sixties(digits) : strtod(digits.p, NULL)));
}

struct value *hydrascalar_read(struct arena *a, struct str s)
{
    if (is_null(s)) {
        return value_null(a);
    }
    if (is_bool(s)) {
        return value_bool(a, is_true(s));
    }
    if (is_int(s)) {
        return read_int(a, s);
    }
    if (is_float(s, true)) {
        return read_float(a, s);
    }
    return str_is(s, "=") ? NULL : value_str(a, s);
}

/* ---- Python's own words ---- */

/* digits, with single "_" between them; the end, or `at`. */
static size_t skip_python_digits(struct str s, size_t at)
{
    size_t end = at;
    while (is_digit(char_at(s, end)) ||
           (end > at && char_at(s, end) == '_' && is_digit(char_at(s, end + 1)))) {
        end++;
    }
    return end;
}

static bool is_word(struct str s, const char *word)
{
    size_t n = strlen(word);
    for (size_t i = 0; i < n && s.n == n; i++) {
        if (tolower((unsigned char)s.p[i]) != word[i]) {
            return false;
        }
    }
    return s.n == n;
}

/* int() and float() together: float() takes all that int() does. */
static bool is_python_number(struct str s)
{
    static const char space[] = " \t\n\r\v\f\x1c\x1d\x1e\x1f";
    size_t from = skip(s, 0, space), to = s.n;
    while (to > from && s.p[to - 1] != '\0' && strchr(space, s.p[to - 1]) != NULL) {
        to--;
    }
    struct str t = str_sub(s, from, to - from);
    size_t sign = skip_sign(t);
    t = str_sub(t, sign, t.n - sign);
    if (is_word(t, "nan") || is_word(t, "inf") || is_word(t, "infinity")) {
        return true;
    }
    size_t whole = skip_python_digits(t, 0), at = whole, part = 0;
    if (char_at(t, at) == '.') {
        part = skip_python_digits(t, at + 1) - at - 1;
        at += 1 + part;
    }
    if (whole + part == 0) {
        return false;
    }
    if (at < t.n && (t.p[at] | 0x20) == 'e') {
        size_t digits = at + 1 + (char_at(t, at + 1) == '-' || char_at(t, at + 1) == '+');
        size_t end = skip_python_digits(t, digits);
        at = end > digits ? end : at;
    }
    return at == t.n;
}

bool hydrascalar_is_quoted(struct str s)
{
    static const char *const letters[] = {"y", "Y", "n", "N", NULL};
    return is_bool(s) || is_one_of(s, letters) || is_python_number(s);
}
