/* Numbers as text; see num.h. The program never calls setlocale, so printf and strtod use "C". */

#include "num.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Splits "%.*e" output of `v` into digits (no point) and the decimal exponent. */
static int shortest_digits(double v, char digits[32], int *exponent)
{
    char text[40];
    for (int precision = 0; precision <= 16; precision++) {
        snprintf(text, sizeof(text), "%.*e", precision, v);
        if (precision == 16 || strtod(text, NULL) == v) {
            break;
        }
    }
    int n = 0;
    const char *p = text;
    for (; *p != 'e'; p++) {
        if (*p >= '0' && *p <= '9') {
            digits[n++] = *p;
        }
    }
    digits[n] = '\0';
    *exponent = (int)strtol(p + 1, NULL, 10);
    while (n > 1 && digits[n - 1] == '0') {
        digits[--n] = '\0';
    }
    return n;
}

/* Lays digits out as Python's repr does. */
static void layout(char out[NUM_TEXT_SIZE], bool negative, const char *digits, int n, int exponent)
{
    const char *sign = negative ? "-" : "";
    if (exponent < -4 || exponent >= 16) {
        snprintf(out, NUM_TEXT_SIZE, "%s%c%s%se%c%02u", sign, digits[0], n > 1 ? "." : "",
                 digits + 1, exponent < 0 ? '-' : '+', (unsigned)abs(exponent) % 1000);
    } else if (exponent < 0) {
        snprintf(out, NUM_TEXT_SIZE, "%s0.%.*s%s", sign, -exponent - 1, "0000", digits);
    } else if (n <= exponent + 1) {
        snprintf(out, NUM_TEXT_SIZE, "%s%s%.*s.0", sign, digits, exponent + 1 - n,
                 "0000000000000000");
    } else {
        snprintf(out, NUM_TEXT_SIZE, "%s%.*s.%s", sign, exponent + 1, digits,
                 digits + exponent + 1);
    }
}

void num_repr(char out[NUM_TEXT_SIZE], double v)
{
    if (isnan(v)) {
        snprintf(out, NUM_TEXT_SIZE, "nan");
    } else if (isinf(v)) {
        snprintf(out, NUM_TEXT_SIZE, v < 0 ? "-inf" : "inf");
    } else {
        char digits[32];
        int exponent;
        int n = shortest_digits(fabs(v), digits, &exponent);
        layout(out, signbit(v), digits, n, exponent);
    }
}

void num_round(char out[NUM_TEXT_SIZE], double v, int precision)
{
    if (!isfinite(v) || v == 0) {
        num_repr(out, v);
        return;
    }
    char text[64];
    snprintf(text, sizeof(text), "%.*e", precision > 0 ? precision - 1 : 0, v);
    num_repr(out, strtod(text, NULL));
}

bool num_parse_int(struct str s, int64_t *out)
{
    char text[24];
    if (s.n == 0 || s.n >= sizeof(text)) {
        return false;
    }
    size_t start = s.p[0] == '-' || s.p[0] == '+';
    for (size_t i = start; i < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9') {
            return false;
        }
    }
    if (start == s.n) {
        return false;
    }
    memcpy(text, s.p, s.n);
    text[s.n] = '\0';
    errno = 0;
    long long v = strtoll(text, NULL, 10);
    if (errno == ERANGE) {
        return false;
    }
    *out = v;
    return true;
}

bool num_parse_double(struct str s, double *out)
{
    char text[512];
    if (s.n == 0 || s.n >= sizeof(text)) {
        return false;
    }
    for (size_t i = 0; i < s.n; i++) {
        if (strchr("0123456789+-.eE", s.p[i]) == NULL || s.p[i] == '\0') {
            return false;
        }
    }
    memcpy(text, s.p, s.n);
    text[s.n] = '\0';
    char *end;
    double v = strtod(text, &end);
    if (end == text || *end != '\0') {
        return false;
    }
    *out = v;
    return true;
}

void num_bytes(char out[NUM_TEXT_SIZE], double bytes)
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB"};
    size_t unit = 0;
    while (bytes >= 999.5 && unit + 1 < sizeof(units) / sizeof(units[0])) {
        bytes /= 1000;
        unit++;
    }
    snprintf(out, NUM_TEXT_SIZE, unit > 0 && bytes < 99.95 ? "%.1f %s" : "%.0f %s", bytes,
             units[unit]);
}

void num_duration(char out[NUM_TEXT_SIZE], double seconds)
{
    if (seconds < 9.95) {
        snprintf(out, NUM_TEXT_SIZE, "%.1fs", seconds < 0 ? 0.0 : seconds);
        return;
    }
    long long s = (long long)(seconds + 0.5);
    if (s < 60) {
        snprintf(out, NUM_TEXT_SIZE, "%llds", s);
    } else if (s < 3600) {
        snprintf(out, NUM_TEXT_SIZE, "%lldm %02llds", s / 60, s % 60);
    } else {
        snprintf(out, NUM_TEXT_SIZE, "%lldh %02lldm", s / 3600, s / 60 % 60);
    }
}
