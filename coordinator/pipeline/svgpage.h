#ifndef NEPHRON_SVGPAGE_H
#define NEPHRON_SVGPAGE_H

#include "str.h"

#include <stdbool.h>

struct err;

/*
 * What pictures of pipelines share: text in XML, the frame of an SVG with colours for light and dark
 * pages, and the page around it. Nothing refers to anything outside of the file. Colours are plain
 * rules in two sets (no variables), so that viewers that are not browsers draw them too.
 */

/* One rule of the style sheet: a selector and its declarations in light and in dark. */
struct svgpage_rule {
    const char *selector, *light, *dark; /* dark NULL: as in light */
};

/* Text for content and attributes; what XML cannot hold (control characters, broken UTF-8) becomes
 * '?'. Newlines stay. */
void svgpage_text(struct strbuf *out, struct str text);
/* At most `limit` (> 1) characters, the last of them "…" when some were left out. */
void svgpage_short(struct strbuf *out, const char *text, size_t limit);
/* "1.2 s", "3 min 20 s", "2 h 05 min" */
void svgpage_seconds(struct strbuf *out, double seconds);

/* <svg …> with <title>, style and background; the caller adds shapes and "</svg>\n". Classes that
 * every picture has: t (text), s (small, muted text), h (heading), line (edges, axes). */
void svgpage_begin(struct strbuf *out, double width, double height, const char *title,
                   const struct svgpage_rule *rules, size_t count);
/* The picture inside of an HTML page. `script`: NULL or JavaScript without "</". */
void svgpage_html(struct strbuf *out, struct str svg, const char *title, const char *script);

/* Is it a page (.html, .htm) or a picture (.svg, and "-")? ERR_USAGE for other names. */
int svgpage_form(const char *path, bool *html, struct err *e);
/* Writes `svg` in the form of `path`: to stdout for "-", else atomically, folders made. */
int svgpage_save(const char *path, struct str svg, const char *title, const char *script,
                 struct err *e);

#endif
