/* See yamlout.h. */
#include "yamlout.h"

#include "alloc.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void yamlout_put(struct yamlout *o, const char *text, size_t n, size_t columns)
{
    strbuf_add(o->out, text, n);
    o->column += columns;
}

void yamlout_chars(struct yamlout *o, const struct yamlchars *cs, size_t from, size_t to)
{
    yamlout_put(o, cs->bytes + cs->at[from], cs->at[to] - cs->at[from], to - from);
}

void yamlout_line(struct yamlout *o, const char *ending, size_t n)
{
    strbuf_add(o->out, ending, n);
    o->whitespace = o->indention = true;
    o->column = 0;
}

void yamlout_indent(struct yamlout *o)
{
    if (!o->indention || o->column > o->indent || (o->column == o->indent && !o->whitespace)) {
        yamlout_line(o, "\n", 1);
    }
    if (o->column < o->indent) {
        strbuf_pad(o->out, ' ', o->indent - o->column);
        o->column = o->indent;
        o->whitespace = true;
    }
}

void yamlout_indicator(struct yamlout *o, const char *text, bool need_blank, bool keeps_indention)
{
    if (need_blank && !o->whitespace) {
        yamlout_put(o, " ", 1, 1);
    }
    yamlout_put(o, text, strlen(text), strlen(text));
    o->whitespace = false;
    o->indention = o->indention && keeps_indention;
}

void yamlout_escape(struct yamlout *o, uint32_t c)
{
    static const struct {
        uint32_t c;
        char letter;
    } named[] = {{0, '0'},     {7, 'a'},    {8, 'b'},    {9, 't'},      {0xA, 'n'},
                 {0xB, 'v'},   {0xC, 'f'},  {0xD, 'r'},  {0x1B, 'e'},   {'"', '"'},
                 {'\\', '\\'}, {0x85, 'N'}, {0xA0, '_'}, {0x2028, 'L'}, {0x2029, 'P'}};
    char text[16];
    int n = 0;
    for (size_t i = 0; i < ARRAY_SIZE(named) && n == 0; i++) {
        n = named[i].c == c ? snprintf(text, sizeof(text), "\\%c", named[i].letter) : 0;
    }
    if (n == 0) {
        n = c <= 0xFF     ? snprintf(text, sizeof(text), "\\x%02" PRIX32, c)
            : c <= 0xFFFF ? snprintf(text, sizeof(text), "\\u%04" PRIX32, c)
                          : snprintf(text, sizeof(text), "\\U%08" PRIX32, c);
    }
    yamlout_put(o, text, (size_t)n, (size_t)n);
}
