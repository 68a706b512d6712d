/*
 * Google Drive links and its "cannot scan this file" page. See gdrive.h. The page is read with a
 * small scanner for tags and attributes, not with an HTML parser: what is looked for is one form
 * with inputs, or one link, and anything else is a refusal with the page's title.
 */
#include "gdrive.h"

#include "alloc.h"
#include "arena.h"
#include "err.h"
#include "source.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#define ID_MAX 200
#define PARAMS_MAX 32
#define TAG_MAX 2048

/* ---- links ---- */

static struct str host_of(const char *url)
{
    const char *p = strstr(url, "://");
    if (!p) {
        return (struct str){"", 0};
    }
    p += 3;
    size_t n = strcspn(p, "/?#");
    for (size_t i = n; i > 0; i--) {
        if (p[i - 1] == '@') {
            p += i;
            n -= i;
            break;
        }
    }
    return (struct str){p, n};
}

static bool host_is(struct str host, const char *name)
{
    const char *colon = host.n ? memchr(host.p, ':', host.n) : NULL;
    size_t n = colon ? (size_t)(colon - host.p) : host.n;
    return n == strlen(name) && strncasecmp(host.p, name, n) == 0;
}

/* `host` is `domain` or below it. */
static bool host_below(struct str host, const char *domain)
{
    const char *colon = host.n ? memchr(host.p, ':', host.n) : NULL;
    size_t n = colon ? (size_t)(colon - host.p) : host.n, d = strlen(domain);
    if (n < d || strncasecmp(host.p + n - d, domain, d) != 0) {
        return false;
    }
    return n == d || host.p[n - d - 1] == '.';
}

static size_t id_length(const char *s)
{
    size_t n = 0;
    while (isalnum((unsigned char)s[n]) || s[n] == '-' || s[n] == '_') {
        n++;
    }
    return n <= ID_MAX ? n : 0;
}

bool gdrive_parse(struct arena *a, const char *url, char **id, char **resource_key)
{
    *id = NULL;
    *resource_key = NULL;
    struct str host = host_of(url);
    if (!host_is(host, "drive.google.com") && !host_is(host, "docs.google.com") &&
        !host_is(host, "drive.usercontent.google.com")) {
        return false;
    }
    const char *path = host.p + host.n;
    const char *end = path + strcspn(path, "?#");
    const char *mark = strstr(path, "/d/");
    if (mark && mark < end && id_length(mark + 3) > 0) {
        *id = arena_strndup(a, mark + 3, id_length(mark + 3));
    } else {
        char *value = source_query(a, url, "id");
        if (value && id_length(value) > 0 && id_length(value) == strlen(value)) {
            *id = value;
        }
    }
    char *key = source_query(a, url, "resourcekey");
    if (key && id_length(key) > 0 && id_length(key) == strlen(key)) {
        *resource_key = key;
    }
    return true;
}

char *gdrive_url(struct arena *a, const char *base, const char *id, const char *resource_key)
{
    struct str b = str_from(base ? base : GDRIVE_BASE);
    while (b.n && b.p[b.n - 1] == '/') {
        b.n--;
    }
    return arena_printf(a, "%.*s/uc?export=download&id=%s%s%s", STR_ARG(b), id,
                        resource_key ? "&resourcekey=" : "", resource_key ? resource_key : "");
}

/* ---- the page ---- */

/* Case-insensitive search in a bounded text. */
static const char *find(struct str s, const char *word)
{
    size_t n = strlen(word);
    for (size_t i = 0; i + n <= s.n; i++) {
        if (strncasecmp(s.p + i, word, n) == 0) {
            return s.p + i;
        }
    }
    return NULL;
}

static struct str rest_from(struct str s, const char *p)
{
    return (struct str){p, s.n - (size_t)(p - s.p)};
}

/* The tag that starts at p ("<form …>"), quotes respected; empty when it does not end within
 * TAG_MAX bytes, so that a page of unended tags costs no square of its size. */
static struct str tag_at(struct str s, const char *p)
{
    char quote = 0;
    const char *end = s.p + s.n - p > TAG_MAX ? p + TAG_MAX : s.p + s.n;
    for (const char *q = p; q < end; q++) {
        if (quote) {
            quote = *q == quote ? 0 : quote;
        } else if (*q == '"' || *q == '\'') {
            quote = *q;
        } else if (*q == '>') {
            return (struct str){p, (size_t)(q - p) + 1};
        }
    }
    return (struct str){p, 0};
}

/* &amp; &quot; &#39; &lt; &gt; */
static char *unescape(struct arena *a, struct str s)
{
    static const struct {
        const char *entity;
        char c;
    } entities[] = {{"&amp;", '&'}, {"&quot;", '"'}, {"&#39;", '\''}, {"&lt;", '<'},
                    {"&gt;", '>'},  {"&#34;", '"'},  {"&#38;", '&'}};
    char *out = arena_alloc(a, s.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < s.n;) {
        char c = s.p[i];
        size_t used = 1;
        for (size_t k = 0; c == '&' && k < ARRAY_SIZE(entities); k++) {
            if (str_starts((struct str){s.p + i, s.n - i}, entities[k].entity)) {
                c = entities[k].c;
                used = strlen(entities[k].entity);
                break;
            }
        }
        out[n++] = c;
        i += used;
    }
    out[n] = '\0';
    return out;
}

/* The value of an attribute of a tag, unescaped; NULL when absent. */
static char *attribute(struct arena *a, struct str tag, const char *name)
{
    size_t n = strlen(name);
    for (size_t i = 1; i + n + 1 < tag.n; i++) {
        if (!isspace((unsigned char)tag.p[i - 1]) || strncasecmp(tag.p + i, name, n) != 0 ||
            tag.p[i + n] != '=') {
            continue;
        }
        const char *p = tag.p + i + n + 1, *end = tag.p + tag.n;
        const char *q = p;
        if (*p == '"' || *p == '\'') {
            q = memchr(p + 1, *p, (size_t)(end - p - 1));
            return q ? unescape(a, (struct str){p + 1, (size_t)(q - p - 1)}) : NULL;
        }
        while (q < end && !isspace((unsigned char)*q) && *q != '>') {
            q++;
        }
        return unescape(a, (struct str){p, (size_t)(q - p)});
    }
    return NULL;
}

static void add_encoded(struct strbuf *b, const char *s)
{
    for (; *s; s++) {
        if (isalnum((unsigned char)*s) || strchr("-_.~:", *s)) {
            strbuf_addch(b, *s);
        } else {
            strbuf_addf(b, "%%%02X", (unsigned char)*s);
        }
    }
}

/* `link` as seen from a page: absolute, //host/path, or /path. NULL for anything else. */
static char *resolve(struct arena *a, const char *page_url, const char *link)
{
    const char *scheme_end = strstr(page_url, "://");
    struct str host = host_of(page_url);
    if (!scheme_end || strncasecmp(link, "javascript:", 11) == 0) {
        return NULL;
    }
    if (strncasecmp(link, "https://", 8) == 0 || strncasecmp(link, "http://", 7) == 0) {
        return arena_strdup(a, link);
    }
    if (strncmp(link, "//", 2) == 0) {
        return arena_printf(a, "%.*s:%s", (int)(scheme_end - page_url), page_url, link);
    }
    if (link[0] == '/') {
        return arena_printf(a, "%.*s://%.*s%s", (int)(scheme_end - page_url), page_url,
                            STR_ARG(host), link);
    }
    return NULL;
}

/* A page must not send us to any place it likes: its own host, or Google's by https. */
static bool may_go_to(const char *page_url, const char *url)
{
    struct str from = host_of(page_url), to = host_of(url);
    bool https = strncasecmp(url, "https://", 8) == 0;
    for (const char *c = url; *c; c++) {
        if ((unsigned char)*c <= 0x20 || *c == '\\' || *c == 0x7f) {
            return false; /* what readers of URLs disagree about */
        }
    }
    if (from.n == to.n && strncasecmp(from.p, to.p, to.n) == 0) {
        return https || strncasecmp(page_url, "https://", 8) != 0;
    }
    return https && (host_below(to, "google.com") || host_below(to, "googleusercontent.com"));
}

/* The tag of the download form; empty when the page has none. */
static struct str find_form(struct arena *a, struct str html)
{
    for (const char *p = find(html, "<form"); p; p = find(rest_from(html, p + 5), "<form")) {
        struct str tag = tag_at(html, p);
        char *id = tag.n ? attribute(a, tag, "id") : NULL;
        char *action = tag.n ? attribute(a, tag, "action") : NULL;
        if ((id && strcmp(id, "download-form") == 0) || (action && strstr(action, "download"))) {
            return tag;
        }
    }
    return (struct str){0};
}

/* Adds the inputs of a form to a URL as its query. */
static void add_inputs(struct arena *a, struct str form, struct strbuf *url)
{
    char separator = strchr(url->p, '?') ? '&' : '?';
    const char *p = find(form, "<input");
    for (unsigned count = 0; p && count < PARAMS_MAX; count++) {
        struct str tag = tag_at(form, p);
        char *name = tag.n ? attribute(a, tag, "name") : NULL;
        char *value = name ? attribute(a, tag, "value") : NULL;
        if (name && value) {
            strbuf_addch(url, separator);
            separator = '&';
            add_encoded(url, name);
            strbuf_addch(url, '=');
            add_encoded(url, value);
        }
        p = find(rest_from(form, p + 6), "<input");
    }
}

/* The form with hidden inputs as a URL, or NULL. */
static char *form_url(struct arena *a, struct str html, const char *page_url)
{
    struct str form = find_form(a, html);
    char *action = form.n ? attribute(a, form, "action") : NULL;
    char *base = action ? resolve(a, page_url, action) : NULL;
    if (!base) {
        return NULL;
    }
    struct str rest = rest_from(html, form.p + form.n);
    const char *end = find(rest, "</form");
    rest.n = end ? (size_t)(end - rest.p) : rest.n;
    struct strbuf url;
    strbuf_init(&url);
    strbuf_adds(&url, base);
    add_inputs(a, rest, &url);
    char *text = arena_strndup(a, url.p, url.n);
    strbuf_release(&url);
    return text;
}

/* An older page: <a id="uc-download-link" href="/uc?export=download&amp;confirm=…&amp;id=…"> */
static char *link_url(struct arena *a, struct str html, const char *page_url)
{
    for (const char *p = find(html, "<a "); p; p = find(rest_from(html, p + 3), "<a ")) {
        struct str tag = tag_at(html, p);
        char *href = tag.n ? attribute(a, tag, "href") : NULL;
        if (href && strstr(href, "confirm=")) {
            return resolve(a, page_url, href);
        }
    }
    return NULL;
}

static char *title_of(struct arena *a, struct str html)
{
    const char *p = find(html, "<title");
    struct str tag = p ? tag_at(html, p) : (struct str){0};
    if (!tag.n) {
        return NULL;
    }
    struct str rest = rest_from(html, tag.p + tag.n);
    const char *end = find(rest, "</title");
    struct str text = {rest.p, end ? (size_t)(end - rest.p) : 0};
    text = str_trim(text);
    if (text.n == 0 || text.n > 200) {
        return NULL;
    }
    char *title = unescape(a, text);
    for (char *c = title; *c; c++) {
        if ((unsigned char)*c < 0x20) {
            *c = ' ';
        }
    }
    return title;
}

static int refuse(struct arena *a, struct str html, struct err *e)
{
    char *title = title_of(a, html);
    if (find(html, "quota exceeded") || find(html, "too many users have viewed")) {
        return err_set(
            e, ERR_REMOTE,
            "Google Drive says that this file was downloaded too often today (quota "
            "exceeded); try again in 24 hours, or give a copy of your own with --source");
    }
    if (find(html, "accounts.google.com/") || find(html, "ServiceLogin") ||
        find(html, "need access") || find(html, "request access")) {
        return err_set(
            e, ERR_REMOTE,
            "Google Drive asks for a sign-in: the file is not shared with everybody; its owner "
            "must set 'Anyone with the link' under Share");
    }
    return err_set(
        e, ERR_REMOTE,
        "Google Drive answered a page%s%s%s instead of the file, and the page has no "
        "download form; open the link in a browser, then give the file's path with --source",
        title ? " ('" : "", title ? title : "", title ? "')" : "");
}

int gdrive_confirm(struct arena *a, struct str html, const char *page_url, const char *cookie_token,
                   char **next, struct err *e)
{
    char *url = form_url(a, html, page_url);
    if (!url) {
        url = link_url(a, html, page_url);
    }
    if (!url && cookie_token && id_length(cookie_token) == strlen(cookie_token) && *cookie_token) {
        url = arena_printf(a, "%s%cconfirm=%s", page_url, strchr(page_url, '?') ? '&' : '?',
                           cookie_token);
    }
    if (!url) {
        return refuse(a, html, e);
    }
    if (!may_go_to(page_url, url)) {
        return err_set(e, ERR_REMOTE,
                       "the download form of %s leads to another host (%s), which is not followed",
                       source_redact(a, page_url), source_redact(a, url));
    }
    *next = url;
    return 0;
}
