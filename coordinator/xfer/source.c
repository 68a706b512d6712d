/*
 * Source texts. See source.h. Pure text work but for one stat(2) of a path, which tells an archive
 * from a folder.
 */
#include "source.h"

#include "alloc.h"
#include "arena.h"
#include "err.h"
#include "fs.h"
#include "gdrive.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

const char *source_kind_name(enum source_kind kind)
{
    static const char *const names[] = {
        [SOURCE_HTTP] = "http",     [SOURCE_GDRIVE] = "gdrive",   [SOURCE_FILE] = "file",
        [SOURCE_FOLDER] = "folder", [SOURCE_PHANTOM] = "phantom", [SOURCE_S3] = "s3",
    };
    return names[kind];
}

static bool starts_nocase(const char *s, const char *prefix)
{
    return strncasecmp(s, prefix, strlen(prefix)) == 0;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c = (char)tolower((unsigned char)c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Percent-decoding, once. NULL when an escape is malformed or gives NUL. */
static char *decode(struct arena *a, struct str s)
{
    char *out = arena_alloc(a, s.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] != '%') {
            out[n++] = s.p[i];
            continue;
        }
        bool whole = s.n - i > 2;
        int high = whole ? hex_digit(s.p[i + 1]) : -1;
        int low = whole ? hex_digit(s.p[i + 2]) : -1;
        if (high < 0 || low < 0 || (high == 0 && low == 0)) {
            return NULL;
        }
        out[n++] = (char)(high * 16 + low);
        i += 2;
    }
    out[n] = '\0';
    return out;
}

/* The query of a URL: what stands between '?' and '#'. */
static struct str query_of(const char *url)
{
    const char *mark = strchr(url, '?');
    if (!mark) {
        return (struct str){"", 0};
    }
    return (struct str){mark + 1, strcspn(mark + 1, "#")};
}

/* The next parameter of *rest as name and value; forks write "?/id=…" and copy "&amp;id=…" from
 * HTML. */
static bool next_param(struct str *rest, struct str *name, struct str *value)
{
    struct str part;
    if (!str_split(rest, '&', &part)) {
        return false;
    }
    if (str_starts(part, "amp;")) {
        part = str_sub(part, 4, part.n);
    }
    if (str_starts(part, "/")) {
        part = str_sub(part, 1, part.n);
    }
    const char *eq = part.n ? memchr(part.p, '=', part.n) : NULL;
    size_t n = eq ? (size_t)(eq - part.p) : part.n;
    *name = (struct str){part.p, n};
    *value = eq ? (struct str){eq + 1, part.n - n - 1} : (struct str){"", 0};
    return true;
}

char *source_query(struct arena *a, const char *url, const char *name)
{
    struct str rest = query_of(url), key, value;
    while (next_param(&rest, &key, &value)) {
        if (str_is(key, name)) {
            return decode(a, value);
        }
    }
    return NULL;
}

static bool is_secret_name(struct str name)
{
    static const char *const marks[] = {"token",  "sig",  "key",       "passw",
                                        "secret", "auth", "credential"};
    for (size_t m = 0; m < ARRAY_SIZE(marks); m++) {
        size_t n = strlen(marks[m]);
        for (size_t i = 0; i + n <= name.n; i++) {
            if (strncasecmp(name.p + i, marks[m], n) == 0) {
                return true;
            }
        }
    }
    return false;
}

static void add_printable(struct strbuf *b, struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        if ((unsigned char)s.p[i] >= 0x20 && s.p[i] != 0x7f) {
            strbuf_addch(b, s.p[i]);
        }
    }
}

char *source_redact(struct arena *a, const char *url)
{
    struct strbuf b;
    strbuf_init(&b);
    const char *scheme_end = strstr(url, "://");
    const char *rest = scheme_end ? scheme_end + 3 : url;
    add_printable(&b, (struct str){url, (size_t)(rest - url)});
    if (scheme_end) {
        size_t authority = strcspn(rest, "/?#");
        for (size_t i = authority; i > 0; i--) {
            if (rest[i - 1] == '@') {
                rest += i;
                break;
            }
        }
    }
    add_printable(&b, (struct str){rest, strcspn(rest, "?#")});
    struct str query = query_of(rest), name, value;
    const char *separator = "?";
    while (query.n && next_param(&query, &name, &value)) {
        strbuf_adds(&b, separator);
        add_printable(&b, name);
        if (value.n) {
            strbuf_addch(&b, '=');
            add_printable(&b, is_secret_name(name) ? STR("***") : value);
        }
        separator = "&";
    }
    char *text = arena_strndup(a, b.p, b.n);
    strbuf_release(&b);
    return text;
}

static int parse_path(struct arena *a, struct source *out, struct err *e)
{
    struct stat st;
    if (stat(out->path, &st) < 0) {
        err_sys(e, "the source %s", out->path);
        return err_append(e, "; give a folder with class folders, an archive, a URL or phantom:");
    }
    if (!S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode)) {
        return err_set(e, ERR_USAGE, "the source %s is neither a file nor a folder", out->path);
    }
    out->kind = S_ISDIR(st.st_mode) ? SOURCE_FOLDER : SOURCE_FILE;
    return 0;
}

static int parse_file_url(struct arena *a, struct source *out, struct err *e)
{
    const char *rest = out->text + strlen("file:");
    if (strncmp(rest, "//", 2) == 0) {
        rest += 2;
        if (starts_nocase(rest, "localhost/")) {
            rest += strlen("localhost");
        }
        if (*rest != '/') {
            return err_set(e, ERR_USAGE,
                           "the source %s names a host; expected file:///absolute/path",
                           out->shown);
        }
    }
    out->path = decode(a, str_from(rest));
    if (!out->path || !*out->path) {
        return err_set(e, ERR_USAGE, "the source %s is no file URL; expected file:///absolute/path",
                       out->shown);
    }
    return parse_path(a, out, e);
}

static int parse_http(struct arena *a, struct source *out, struct err *e)
{
    const char *host = strstr(out->text, "://") + 3;
    size_t n = strcspn(host, "/?#");
    const char *at = memchr(host, '@', n);
    if (n == 0 || (at && (size_t)(at - host) + 1 == n)) {
        return err_set(e, ERR_USAGE, "the source %s has no host; expected https://host/file.zip",
                       out->shown);
    }
    char *id = NULL, *key = NULL;
    if (!gdrive_parse(a, out->text, &id, &key)) {
        out->kind = SOURCE_HTTP;
        return 0;
    }
    if (!id) {
        return err_set(
            e, ERR_USAGE,
            "the source %s is a Google Drive link, but not of one file; pack the folder as a "
            "zip, share it with anyone who has the link, and give its "
            "https://drive.google.com/file/d/ID/view link",
            out->shown);
    }
    out->kind = SOURCE_GDRIVE;
    out->id = id;
    out->resource_key = key;
    return 0;
}

/* "name:" as RFC 3986 has it, so that a typed scheme is not taken for a path; a path with a colon
 * in its first part can be written ./a:b. */
static size_t scheme_length(const char *s)
{
    size_t n = 0;
    while (isalnum((unsigned char)s[n]) || (n > 0 && strchr("+-.", s[n]) && s[n])) {
        n++;
    }
    return n > 1 && s[n] == ':' ? n : 0;
}

int source_parse(struct arena *a, const char *text, struct source *out, struct err *e)
{
    *out = (struct source){0};
    struct str s = str_trim(str_from(text));
    if (s.n == 0) {
        return err_set(e, ERR_USAGE, "the source is empty; expected a URL, a path or phantom:");
    }
    if (s.n > 8192) {
        return err_set(e, ERR_USAGE, "the source has %zu bytes; at most 8192 are taken", s.n);
    }
    out->text = arena_strndup(a, s.p, s.n);
    out->shown = source_redact(a, out->text);
    if (starts_nocase(out->text, "https://") || starts_nocase(out->text, "http://")) {
        return parse_http(a, out, e);
    }
    if (starts_nocase(out->text, "file:")) {
        return parse_file_url(a, out, e);
    }
    if (strncmp(out->text, "phantom:", strlen("phantom:")) == 0) {
        out->kind = SOURCE_PHANTOM;
        return 0;
    }
    if (starts_nocase(out->text, "s3://")) {
        return err_set(
            e, ERR_USAGE,
            "the source %s: s3:// is not supported yet; give an https:// URL (a presigned one "
            "works), or copy it here and give its path",
            out->shown);
    }
    size_t scheme = scheme_length(out->text);
    if (scheme > 0 && !fs_exists(out->text)) {
        return err_set(
            e, ERR_USAGE,
            "the source %s: scheme '%.*s:' is not known; expected https://, http://, file://, "
            "phantom: or a path",
            out->shown, (int)scheme, out->text);
    }
    out->path = out->text;
    return parse_path(a, out, e);
}
