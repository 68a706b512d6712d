/* dirobj: directory objects, see dirobj.h. */
#include "dirobj.h"

#include "digest.h"
#include "err.h"
#include "json.h"
#include "path.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void dirobj_init(struct dirobj *d)
{
    memset(d, 0, sizeof(*d));
    d->size = -1;
}

struct dirobj_item *dirobj_add(struct arena *a, struct dirobj *d, const char *relpath)
{
    if (d->count == d->capacity) {
        size_t capacity = d->capacity ? d->capacity * 2 : 16;
        struct dirobj_item *items = ARENA_ARRAY(a, capacity, struct dirobj_item);
        if (d->count) {
            memcpy(items, d->items, d->count * sizeof(*items));
        }
        d->items = items;
        d->capacity = capacity;
    }
    struct dirobj_item *item = &d->items[d->count++];
    memset(item, 0, sizeof(*item));
    item->relpath = arena_strdup(a, relpath);
    return item;
}

/* Byte order of UTF-8 is code point order. */
static int by_relpath(const void *a, const void *b)
{
    return strcmp(((const struct dirobj_item *)a)->relpath,
                  ((const struct dirobj_item *)b)->relpath);
}

void dirobj_sort(struct dirobj *d)
{
    bool sorted = true;
    for (size_t i = 1; i < d->count && sorted; i++) {
        sorted = strcmp(d->items[i - 1].relpath, d->items[i].relpath) < 0;
    }
    if (!sorted) {
        qsort(d->items, d->count, sizeof(*d->items), by_relpath);
    }
}

void dirobj_write(const struct dirobj *d, struct strbuf *out)
{
    strbuf_reserve(out, d->count * 96 + 2);
    strbuf_addch(out, '[');
    for (size_t i = 0; i < d->count; i++) {
        strbuf_adds(out, i ? ", {\"md5\": \"" : "{\"md5\": \"");
        strbuf_adds(out, d->items[i].md5);
        strbuf_adds(out, "\", \"relpath\": ");
        json_write_string(out, str_from(d->items[i].relpath), false);
        strbuf_addch(out, '}');
    }
    strbuf_addch(out, ']');
}

void dirobj_digest(struct dirobj *d)
{
    dirobj_sort(d);
    struct strbuf text;
    strbuf_init(&text);
    dirobj_write(d, &text);
    char hex[DIGEST_HEX_SIZE];
    digest_buffer(DIGEST_MD5, text.p, text.n, hex);
    strbuf_release(&text);
    snprintf(d->md5, sizeof(d->md5), "%.32s.dir", hex);
    d->size = 0;
    for (size_t i = 0; i < d->count; i++) {
        d->size += d->items[i].size;
    }
}

/* ---- reading ---- */

/*
 * A reader of its own: lists have up to millions of members, and only two strings of each matter.
 * Grammar: JSON, values of other keys are skipped with a depth limit.
 */
struct reader {
    const char *p, *end, *start;
    struct strbuf text; /* the last string */
    int depth;
};

#define MAX_DEPTH 64

static void skip_blank(struct reader *r)
{
    while (r->p < r->end && (*r->p == ' ' || *r->p == '\n' || *r->p == '\t' || *r->p == '\r')) {
        r->p++;
    }
}

static bool eat(struct reader *r, char c)
{
    skip_blank(r);
    if (r->p < r->end && *r->p == c) {
        r->p++;
        return true;
    }
    return false;
}

static bool read_hex4(struct reader *r, uint32_t *out)
{
    if (r->end - r->p < 4) {
        return false;
    }
    *out = 0;
    for (int i = 0; i < 4; i++) {
        char c = *r->p++;
        int v = c >= '0' && c <= '9'   ? c - '0'
                : c >= 'a' && c <= 'f' ? c - 'a' + 10
                : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                       : -1;
        if (v < 0) {
            return false;
        }
        *out = *out << 4 | (uint32_t)v;
    }
    return true;
}

static void add_utf8(struct strbuf *b, uint32_t c)
{
    if (c < 0x80) {
        strbuf_addch(b, (char)c);
    } else if (c < 0x800) {
        strbuf_addch(b, (char)(0xC0 | c >> 6));
        strbuf_addch(b, (char)(0x80 | (c & 0x3F)));
    } else if (c < 0x10000) {
        strbuf_addch(b, (char)(0xE0 | c >> 12));
        strbuf_addch(b, (char)(0x80 | (c >> 6 & 0x3F)));
        strbuf_addch(b, (char)(0x80 | (c & 0x3F)));
    } else {
        strbuf_addch(b, (char)(0xF0 | c >> 18));
        strbuf_addch(b, (char)(0x80 | (c >> 12 & 0x3F)));
        strbuf_addch(b, (char)(0x80 | (c >> 6 & 0x3F)));
        strbuf_addch(b, (char)(0x80 | (c & 0x3F)));
    }
}

static bool read_unicode(struct reader *r)
{
    uint32_t c, low;
    if (!read_hex4(r, &c)) {
        return false;
    }
    if (c >= 0xD800 && c <= 0xDBFF) {
        if (r->end - r->p < 6 || r->p[0] != '\\' || r->p[1] != 'u') {
            return false;
        }
        r->p += 2;
        if (!read_hex4(r, &low) || low < 0xDC00 || low > 0xDFFF) {
            return false;
        }
        c = 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00);
    } else if (c >= 0xDC00 && c <= 0xDFFF) {
        return false;
    }
    add_utf8(&r->text, c);
    return true;
}

static bool read_string(struct reader *r)
{
    strbuf_reset(&r->text);
    if (!eat(r, '"')) {
        return false;
    }
    while (r->p < r->end && *r->p != '"') {
        const char *run = r->p;
        while (r->p < r->end && *r->p != '"' && *r->p != '\\' && (unsigned char)*r->p >= 0x20) {
            r->p++;
        }
        strbuf_add(&r->text, run, (size_t)(r->p - run));
        if (r->p >= r->end || (unsigned char)*r->p < 0x20) {
            return false;
        }
        if (*r->p == '"') {
            break;
        }
        static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
        if (++r->p >= r->end) {
            return false;
        }
        char c = *r->p++;
        const char *at = c ? strchr(from, c) : NULL;
        if (at) {
            strbuf_addch(&r->text, to[at - from]);
        } else if (c != 'u' || !read_unicode(r)) {
            return false;
        }
    }
    if (r->p >= r->end) {
        return false;
    }
    r->p++;
    return true;
}

static bool skip_value(struct reader *r);

static bool skip_members(struct reader *r, char close, bool keys)
{
    if (++r->depth > MAX_DEPTH) {
        return false;
    }
    if (!eat(r, close)) {
        do {
            if (keys && (!read_string(r) || !eat(r, ':'))) {
                return false;
            }
            if (!skip_value(r)) {
                return false;
            }
        } while (eat(r, ','));
        if (!eat(r, close)) {
            return false;
        }
    }
    r->depth--;
    return true;
}

static bool skip_value(struct reader *r)
{
    skip_blank(r);
    if (r->p >= r->end) {
        return false;
    }
    if (*r->p == '"') {
        return read_string(r);
    }
    if (*r->p == '{' || *r->p == '[') {
        char open = *r->p++;
        return skip_members(r, open == '{' ? '}' : ']', open == '{');
    }
    const char *word = r->p;
    while (r->p < r->end && *r->p && strchr("+-.0123456789abcdefghijklmnopqrstuvwxyzE", *r->p)) {
        r->p++;
    }
    return r->p > word;
}

static bool md5_ok(const struct strbuf *b)
{
    return b->n == 32 && strspn(b->p, "0123456789abcdef") == 32;
}

/* Every member must name a place inside of the folder. */
static bool relpath_ok(const struct strbuf *b)
{
    return path_is_safe_member(strbuf_str(b)) && str_utf8_valid(strbuf_str(b)) == b->n;
}

static const char *read_member(struct reader *r, struct arena *a, struct dirobj *d)
{
    if (!eat(r, '{')) {
        return "expected a list of members";
    }
    char md5[33] = "";
    char *relpath = NULL;
    if (!eat(r, '}')) {
        do {
            if (!read_string(r) || !eat(r, ':')) {
                return "malformed JSON";
            }
            bool is_md5 = !strcmp(r->text.p, "md5"), is_path = !strcmp(r->text.p, "relpath");
            if (!is_md5 && !is_path) {
                if (!skip_value(r)) {
                    return "malformed JSON";
                }
                continue;
            }
            if (!read_string(r)) {
                return "malformed JSON";
            }
            if (is_md5 && !md5_ok(&r->text)) {
                return "a member's md5 is not 32 hex digits";
            }
            if (is_path && !relpath_ok(&r->text)) {
                return "a member's relpath leaves the folder";
            }
            if (is_md5) {
                memcpy(md5, r->text.p, sizeof(md5));
            } else {
                relpath = arena_strndup(a, r->text.p, r->text.n);
            }
        } while (eat(r, ','));
        if (!eat(r, '}')) {
            return "malformed JSON";
        }
    }
    if (!relpath || !md5[0]) {
        return "a member lacks md5 or relpath";
    }
    struct dirobj_item *item = dirobj_add(a, d, relpath);
    memcpy(item->md5, md5, sizeof(md5));
    return NULL;
}

static const char *read_members(struct reader *r, struct arena *a, struct dirobj *d)
{
    if (!eat(r, '[')) {
        return "expected a list of members";
    }
    if (!eat(r, ']')) {
        do {
            const char *bad = read_member(r, a, d);
            if (bad) {
                return bad;
            }
        } while (eat(r, ','));
        if (!eat(r, ']')) {
            return "malformed JSON";
        }
    }
    skip_blank(r);
    return r->p == r->end ? NULL : "text after the list";
}

/* "a" and "a/b" cannot both be files; nor can one path be there twice. Sorted order alone does not
 * put them side by side ("a", "a-b", "a/b"), so each prefix is looked for. */
static const char *check_unique(const struct dirobj *d)
{
    for (size_t i = 0; i < d->count; i++) {
        const char *path = d->items[i].relpath;
        if (i && !strcmp(d->items[i - 1].relpath, path)) {
            return "a relpath is there twice";
        }
        for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
            char prefix[4096];
            memcpy(prefix, path, (size_t)(slash - path));
            prefix[slash - path] = '\0';
            if (dirobj_find(d, prefix)) {
                return "a relpath is both a file and a folder";
            }
        }
    }
    return NULL;
}

int dirobj_parse(struct arena *a, struct dirobj *d, struct str text, const char *name,
                 struct err *e)
{
    dirobj_init(d);
    if (text.n > JSON_MAX_BYTES) {
        return err_set(e, ERR_LIMIT, "%s: more than 1 GiB", name);
    }
    struct reader r = {text.p, text.p + text.n, text.p, {0}, 0};
    strbuf_init(&r.text);
    const char *bad = read_members(&r, a, d);
    strbuf_release(&r.text);
    if (bad) {
        return err_set(e, ERR_FORMAT, "%s: %s (at byte %zu)", name, bad, (size_t)(r.p - r.start));
    }
    dirobj_digest(d);
    d->size = -1;
    bad = check_unique(d);
    return bad ? err_set(e, ERR_FORMAT, "%s: %s", name, bad) : 0;
}

const struct dirobj_item *dirobj_find(const struct dirobj *d, const char *relpath)
{
    size_t low = 0, high = d->count;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        int c = strcmp(d->items[mid].relpath, relpath);
        if (c == 0) {
            return &d->items[mid];
        }
        if (c < 0) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return NULL;
}

int dirobj_unlisted(const char *dir, struct err *e)
{
    struct err why = ERR_INIT;
    struct str rest = str_from(dir), part;
    const char *sep = "";
    struct strbuf parts;
    size_t n = 0;
    strbuf_init(&parts);
    for (; str_split(&rest, '/', &part); n++, sep = ", ") {
        strbuf_addf(&parts, "%s'%.*s'", sep, STR_ARG(part));
    }
    err_set(&why, ERR_MISSING, "failed to load directory (%s%s)", parts.p, n == 1 ? "," : "");
    why.detail = ENODATA;
    strbuf_release(&parts);
    if (e) {
        *e = why;
    }
    return -1;
}
