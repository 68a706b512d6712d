#ifndef NEPHRON_YAMLOUT_H
#define NEPHRON_YAMLOUT_H

#include "str.h"
#include "yamlchars.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What writers of YAML share that must be equal to another program byte for byte: lines, indents and code points, in the way of
 * the emitter of libyaml, PyYAML and ruamel.yaml. Where lines are folded and which style a text gets is each writer's own.
 */

struct yamlout {
    struct strbuf *out;
    size_t column, indent;
    bool whitespace; /* the last thing written was white space */
    bool indention;  /* only indentation and dashes stand on the line */
};

void yamlout_put(struct yamlout *o, const char *text, size_t n, size_t columns);
void yamlout_chars(struct yamlout *o, const struct yamlchars *cs, size_t from, size_t to);
void yamlout_line(struct yamlout *o, const char *ending, size_t n);
/* To the current indent, on a new line unless this one is still empty. */
void yamlout_indent(struct yamlout *o);
/* "-", "'", …; `keeps_indention`: text may follow as if it were the first of the line. */
void yamlout_indicator(struct yamlout *o, const char *text, bool need_blank, bool keeps_indention);
void yamlout_escape(struct yamlout *o, uint32_t c); /* \n, \x1F, \u2028 */

#endif
