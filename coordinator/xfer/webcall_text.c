/* webcall_text: headers, URLs and refusals as text, for webcall.h. */
#include "webcall.h"

#include <stdarg.h>
#include <string.h>
#include <strings.h>

void webcall_header(struct webcall *c, const char *fmt, ...)
{
    struct strbuf text;
    va_list ap;
    if (c->header_count == WEBCALL_HEADERS_MAX) {
        BUG("more than %d headers", WEBCALL_HEADERS_MAX);
    }
    strbuf_init(&text);
    va_start(ap, fmt);
    strbuf_vaddf(&text, fmt, ap);
    va_end(ap);
    c->headers[c->header_count++] = arena_strdup(&c->arena, text.p);
    strbuf_release(&text);
}

bool webcall_ok(const struct webcall *c)
{
    return c->reply.status >= 200 && c->reply.status < 300;
}

/* <Message>…</Message>, or the first line that is no markup. */
static struct str server_says(const struct webcall *c)
{
    const char *from = strstr(c->text.p, "<Message>");
    if (from) {
        from += strlen("<Message>");
        return (struct str){from, strcspn(from, "<\r\n")};
    }
    struct str line = str_trim(strbuf_str(&c->text));
    line.n = line.n > 0 ? strcspn(line.p, "<\r\n") : 0;
    return line;
}

int webcall_refused(const struct webcall *c, struct err *e)
{
    struct str says = server_says(c);
    err_set(e, c->reply.status == 404 ? ERR_MISSING : ERR_REMOTE, "HTTP status %ld",
            c->reply.status);
    if (says.n > 0) {
        err_append(e, " (%.*s)", (int)(says.n < 300 ? says.n : 300), says.p);
    }
    if (c->reply.status == 401 || c->reply.status == 403) {
        err_append(e, "; are the credentials right, and do they permit this?");
    }
    return -1;
}

char *webcall_encode(struct arena *a, struct str s, bool path)
{
    struct strbuf b;
    strbuf_init(&b);
    for (size_t i = 0; i < s.n; i++) {
        unsigned char ch = (unsigned char)s.p[i];
        bool plain = (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') ||
                     (ch >= '0' && ch <= '9') || (ch && strchr("-._~", ch)) || (path && ch == '/');
        if (plain) {
            strbuf_addch(&b, (char)ch);
        } else {
            strbuf_addf(&b, "%%%02X", ch);
        }
    }
    char *text = arena_strndup(a, b.p, b.n);
    strbuf_release(&b);
    return text;
}

bool webcall_split(struct arena *a, const char *url, const char **origin, const char **path)
{
    const char *host = strstr(url, "://");
    if (!host || (strncasecmp(url, "http://", 7) != 0 && strncasecmp(url, "https://", 8) != 0)) {
        return false;
    }
    host += 3;
    size_t n = strcspn(host, "/?#"), user = 0;
    for (size_t i = 0; i < n; i++) {
        user = host[i] == '@' ? i + 1 : user;
    }
    if (n == user) {
        return false;
    }
    *origin = arena_printf(a, "%.*s%.*s", (int)(host - url), url, (int)(n - user), host + user);
    const char *rest = host + n;
    *path = arena_strndup(a, rest, strcspn(rest, "?#"));
    return true;
}
