/* gitignore patterns by segments, with backtracking only over **; see ignore_pattern.h. Semantics
 * as pathspec's GitIgnoreSpecPattern, which DVC uses: see ignore.h. */
#include "ignore_pattern.h"

#include "ignore.h"

#include <string.h>

#define PATTERN_MAX_SEGMENTS 256

static size_t utf8_size(const char *p, size_t n)
{
    unsigned char c = (unsigned char)*p;
    size_t k = c < 0x80 ? 1 : c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : c >= 0xc0 ? 2 : 1;
    return k <= n ? k : 1;
}

static unsigned long code_point(const char *p, size_t k)
{
    static const unsigned char mask[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    unsigned long v = (unsigned char)*p & (k == 1 ? 0xffu : mask[k]);
    for (size_t i = 1; i < k; i++) {
        v = v << 6 | ((unsigned char)p[i] & 0x3fu);
    }
    return v;
}

/* Length of the bracket expression at g ("[…]"), 0 when it is not closed. */
static size_t bracket_size(struct str g)
{
    size_t j = 1;
    if (j < g.n && (g.p[j] == '!' || g.p[j] == '^')) {
        j++;
    }
    if (j < g.n && g.p[j] == ']') {
        j++;
    }
    while (j < g.n && g.p[j] != ']') {
        j++;
    }
    return j < g.n ? j + 1 : 0;
}

static bool bracket_has(struct str g, unsigned long c)
{
    size_t i = 1, end = g.n - 1;
    bool negated = g.p[i] == '!' || g.p[i] == '^';
    i += negated;
    bool found = false;
    while (i < end) {
        size_t k = utf8_size(g.p + i, end - i);
        unsigned long low = code_point(g.p + i, k), high = low;
        i += k;
        if (i + 1 < end && g.p[i] == '-') {
            k = utf8_size(g.p + i + 1, end - i - 1);
            high = code_point(g.p + i + 1, k);
            i += 1 + k;
        }
        found = found || (low <= c && c <= high);
    }
    return found != negated;
}

/* One segment against one path component; '*' backtracks to the latest star only, which is enough
 * for globs. */
static bool glob_match(struct str g, struct str s)
{
    size_t gi = 0, si = 0, star = (size_t)-1, star_s = 0;
    while (si < s.n || gi < g.n) {
        size_t k = si < s.n ? utf8_size(s.p + si, s.n - si) : 0;
        bool ok = false;
        if (gi < g.n && g.p[gi] == '*') {
            star = gi++;
            star_s = si;
            continue;
        }
        if (gi < g.n && si < s.n) {
            size_t used = 1;
            if (g.p[gi] == '?') {
                ok = true;
            } else if (g.p[gi] == '[') {
                used = bracket_size(str_sub(g, gi, g.n - gi));
                ok = used > 0 && bracket_has(str_sub(g, gi, used), code_point(s.p + si, k));
            } else {
                bool escaped = g.p[gi] == '\\' && gi + 1 < g.n;
                ok = g.p[gi + escaped] == s.p[si];
                used = 1u + escaped;
                k = 1;
            }
            if (ok) {
                gi += used;
                si += k;
                continue;
            }
        }
        if (star == (size_t)-1 || star_s >= s.n) {
            return false;
        }
        star_s += utf8_size(s.p + star_s, s.n - star_s);
        si = star_s;
        gi = star + 1;
    }
    return true;
}

/* False when the segment is malformed (an open bracket, a backslash at the end): git drops such a
 * pattern. */
static bool compile_segment(struct arena *a, struct str text, struct ignore_segment *seg)
{
    char *plain = arena_strndup(a, text.p, text.n);
    size_t n = 0;
    seg->is_any_depth = str_is(text, "**");
    seg->is_literal = !seg->is_any_depth;
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (c == '\\') {
            if (++i == text.n) {
                return false;
            }
            c = text.p[i];
        } else if (c == '[') {
            size_t k = bracket_size(str_sub(text, i, text.n - i));
            if (k == 0) {
                return false;
            }
            i += k - 1;
            seg->is_literal = false;
        } else if (c == '*' || c == '?') {
            seg->is_literal = false;
        }
        plain[n++] = c;
    }
    seg->text = seg->is_literal ? (struct str){plain, n} : arena_str(a, text);
    return true;
}

bool ignore_pattern_compile(struct arena *a, struct str line, struct ignore_pattern *out)
{
    *out = (struct ignore_pattern){0};
    if (!str_ends(line, "\\ ")) {
        struct str trimmed = str_trim(line);
        line.n = (size_t)(trimmed.p + trimmed.n - line.p); /* blanks in front count */
        if (trimmed.n == 0) {
            return false;
        }
    }
    if (line.n == 0 || *line.p == '#' || str_is(line, "/")) {
        return false;
    }
    if (*line.p == '!') {
        out->negated = true;
        line = str_sub(line, 1, line.n - 1);
    }
    out->dir_only = str_ends(line, "/");
    struct str rest = line, part;
    bool anchored = memchr(line.p, '/', line.n - (out->dir_only ? 1 : 0)) != NULL;
    size_t max = 2;
    for (size_t i = 0; i < line.n; i++) {
        max += line.p[i] == '/';
    }
    if (max > PATTERN_MAX_SEGMENTS) {
        return false;
    }
    out->segments = ARENA_ARRAY(a, max, struct ignore_segment);
    if (!anchored) {
        out->segments[out->count++] =
            (struct ignore_segment){.text = STR("**"), .is_any_depth = true};
    }
    while (line.n > 0 && str_split(&rest, '/', &part)) {
        if (part.n == 0) {
            continue; /* in front, doubled, or at the end */
        }
        bool again =
            str_is(part, "**") && out->count > 0 && out->segments[out->count - 1].is_any_depth;
        if (again) {
            continue;
        }
        if (!compile_segment(a, part, &out->segments[out->count])) {
            return false;
        }
        out->count++;
    }
    if (out->count == 0) {
        return false;
    }
    const struct ignore_segment *last = &out->segments[out->count - 1];
    out->matches_all = !out->dir_only && out->segments[0].is_any_depth &&
                       (out->count == 1 || (out->count == 2 && str_is(last->text, "*")));
    return true;
}

/* NEVER: not here, and at no deeper place either. Once the segments up to a second ** have matched, the first one need not
 * be tried at deeper places: whatever follows the second finds there only less. Without this, time is exponential in the
 * number of **. */
enum match { NO, YES, NEVER };

static enum match match_from(const struct ignore_pattern *p, size_t i, struct str path,
                             bool is_dir);

/* `**`: nothing, or any number of whole components; at the end at least one. */
static enum match match_any_depth(const struct ignore_pattern *p, size_t i, struct str path,
                                  bool is_dir)
{
    if (i + 1 == p->count) {
        return path.n > 0 || (is_dir && i > 0) ? YES : NEVER;
    }
    for (;;) {
        enum match m = match_from(p, i + 1, path, is_dir);
        if (m != NO) {
            return m;
        }
        const char *slash = memchr(path.p, '/', path.n);
        if (slash == NULL) {
            return NEVER;
        }
        path = (struct str){slash + 1, path.n - (size_t)(slash + 1 - path.p)};
    }
}

static enum match match_from(const struct ignore_pattern *p, size_t i, struct str path, bool is_dir)
{
    const struct ignore_segment *seg = &p->segments[i];
    if (seg->is_any_depth) {
        return match_any_depth(p, i, path, is_dir);
    }
    const char *slash = memchr(path.p, '/', path.n);
    struct str name = {path.p, slash != NULL ? (size_t)(slash - path.p) : path.n};
    if (name.n == 0 || !(seg->is_literal ? str_eq(seg->text, name) : glob_match(seg->text, name))) {
        return NO;
    }
    bool below = slash != NULL; /* the component matched is a folder */
    if (i + 1 == p->count) {
        return below || is_dir || !p->dir_only ? YES : NO;
    }
    if (!below) {
        /* "a/" + "**" against the folder a itself */
        bool itself = i + 2 == p->count && p->segments[i + 1].is_any_depth && is_dir;
        return itself ? YES : NO;
    }
    return match_from(p, i + 1, (struct str){slash + 1, path.n - name.n - 1}, is_dir);
}

bool ignore_pattern_test(const struct ignore_pattern *p, struct str path, bool is_dir)
{
    if (p->matches_all) {
        return true;
    }
    return match_from(p, 0, path, is_dir) == YES;
}

struct str ignore_pattern_name(const struct ignore_pattern *p, bool *anchored)
{
    *anchored = p->count == 1;
    const struct ignore_segment *last = &p->segments[p->count - 1];
    bool single = p->count == 1 || (p->count == 2 && p->segments[0].is_any_depth);
    return single && last->is_literal ? last->text : STR("");
}

bool ignore_pattern_match(const char *pattern, const char *path, bool is_dir)
{
    struct arena a;
    arena_init(&a);
    struct ignore_pattern p;
    bool yes = ignore_pattern_compile(&a, str_from(pattern), &p) &&
               ignore_pattern_test(&p, str_from(path), is_dir);
    arena_release(&a);
    return yes;
}
