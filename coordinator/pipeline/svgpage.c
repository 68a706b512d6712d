/* See svgpage.h. */
#include "svgpage.h"

#include "alloc.h"
#include "err.h"
#include "fs.h"
#include "path.h"

#include <stdio.h>
#include <string.h>

static const struct svgpage_rule frame[] = {
    {"svg", "font-family:system-ui,-apple-system,'Segoe UI','DejaVu Sans',sans-serif", NULL},
    {".page", "fill:#ffffff", "fill:#16181d"},
    {".t", "fill:#1d2129;font-size:13px", "fill:#e6e8ec;font-size:13px"},
    {".s", "fill:#616a78;font-size:12px", "fill:#9aa3b2;font-size:12px"},
    {".h", "fill:#1d2129;font-size:16px;font-weight:600",
     "fill:#e6e8ec;font-size:16px;font-weight:600"},
    {".line", "stroke:#c3c9d2;fill:none", "stroke:#4a515e;fill:none"},
};

void svgpage_text(struct strbuf *out, struct str text)
{
    while (text.n > 0) {
        size_t clean = str_utf8_valid(text);
        for (size_t i = 0; i < clean; i++) {
            char c = text.p[i];
            switch (c) {
            case '<':
                strbuf_adds(out, "&lt;");
                break;
            case '>':
                strbuf_adds(out, "&gt;");
                break;
            case '&':
                strbuf_adds(out, "&amp;");
                break;
            case '"':
                strbuf_adds(out, "&quot;");
                break;
            default:
                strbuf_addch(out, (unsigned char)c < 0x20 && c != '\n' && c != '\t' ? '?' : c);
                break;
            }
        }
        if (clean < text.n) {
            strbuf_addch(out, '?');
            clean++;
        }
        text = str_sub(text, clean, text.n - clean);
    }
}

void svgpage_short(struct strbuf *out, const char *text, size_t limit)
{
    struct str s = str_from(text);
    if (str_utf8_length(s) <= limit) {
        svgpage_text(out, s);
        return;
    }
    size_t bytes = 0;
    for (size_t chars = 0; bytes < s.n; bytes++) {
        bool first = ((unsigned char)s.p[bytes] & 0xc0) != 0x80;
        if (first && ++chars == limit) {
            break;
        }
    }
    svgpage_text(out, str_sub(s, 0, bytes));
    strbuf_adds(out, "…");
}

void svgpage_seconds(struct strbuf *out, double seconds)
{
    if (seconds < 60) {
        strbuf_addf(out, seconds < 10 ? "%.1f s" : "%.0f s", seconds);
    } else if (seconds < 3600) {
        long s = (long)(seconds + 0.5);
        strbuf_addf(out, "%ld min %02ld s", s / 60, s % 60);
    } else {
        long min = (long)(seconds / 60 + 0.5);
        strbuf_addf(out, "%ld h %02ld min", min / 60, min % 60);
    }
}

static void add_rules(struct strbuf *out, const struct svgpage_rule *rules, size_t count, bool dark)
{
    for (size_t i = 0; i < count; i++) {
        const char *declarations = dark ? rules[i].dark : rules[i].light;
        if (declarations != NULL) {
            strbuf_addf(out, "%s{%s}\n", rules[i].selector, declarations);
        }
    }
}

void svgpage_begin(struct strbuf *out, double width, double height, const char *title,
                   const struct svgpage_rule *rules, size_t count)
{
    strbuf_addf(out,
                "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%.0f\" "
                "viewBox=\"0 0 %.0f %.0f\">\n<title>",
                width, height, width, height);
    svgpage_text(out, str_from(title));
    strbuf_adds(out, "</title>\n<style>\n");
    add_rules(out, frame, ARRAY_SIZE(frame), false);
    add_rules(out, rules, count, false);
    strbuf_adds(out, "@media (prefers-color-scheme: dark) {\n");
    add_rules(out, frame, ARRAY_SIZE(frame), true);
    add_rules(out, rules, count, true);
    strbuf_adds(out, "}\n</style>\n<rect class=\"page\" width=\"100%\" height=\"100%\"/>\n");
}

void svgpage_html(struct strbuf *out, struct str svg, const char *title, const char *script)
{
    strbuf_adds(out, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                     "<meta name=\"color-scheme\" content=\"light dark\">\n<title>");
    svgpage_text(out, str_from(title));
    strbuf_adds(out, "</title>\n<style>body{margin:0;background:#fff}svg{display:block}"
                     "@media (prefers-color-scheme: dark){body{background:#16181d}}"
                     "</style>\n</head>\n<body>\n");
    strbuf_addstr(out, svg);
    if (script != NULL) {
        strbuf_addf(out, "<script>\n%s</script>\n", script);
    }
    strbuf_adds(out, "</body>\n</html>\n");
}

int svgpage_form(const char *path, bool *html, struct err *e)
{
    const char *ext = path_extension(path);
    *html = strcmp(ext, ".html") == 0 || strcmp(ext, ".htm") == 0;
    if (!*html && strcmp(ext, ".svg") != 0 && strcmp(path, "-") != 0) {
        return err_set(e, ERR_USAGE,
                       "cannot tell the form of '%s': expected a name ending in .svg or .html, or "
                       "'-' for SVG on stdout",
                       path);
    }
    return 0;
}

int svgpage_save(const char *path, struct str svg, const char *title, const char *script,
                 struct err *e)
{
    bool html;
    if (svgpage_form(path, &html, e) < 0) {
        return -1;
    }
    if (strcmp(path, "-") == 0) {
        fwrite(svg.p, 1, svg.n, stdout);
        return 0;
    }
    struct strbuf page;
    strbuf_init(&page);
    if (html) {
        svgpage_html(&page, svg, title, script);
        svg = strbuf_str(&page);
    }
    int rc = fs_mkdirs_for(path, e);
    if (rc == 0) {
        rc = fs_write_atomic(path, svg.p, svg.n, 0, e);
    }
    strbuf_release(&page);
    return rc;
}
