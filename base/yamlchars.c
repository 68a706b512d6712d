/* See yamlchars.h. */
#include "yamlchars.h"

#include "alloc.h"

#include <stdlib.h>
#include <string.h>

void yamlchars_init(struct yamlchars *cs, struct str s)
{
    cs->bytes = s.p;
    cs->c = xmalloc((s.n + 1) * sizeof(*cs->c));
    cs->at = xmalloc((s.n + 1) * sizeof(*cs->at));
    cs->count = 0;
    for (size_t i = 0; i < s.n;) {
        unsigned char b = (unsigned char)s.p[i];
        unsigned len = b < 0x80 ? 1 : b < 0xE0 ? 2 : b < 0xF0 ? 3 : 4;
        uint32_t c = len == 1 ? b : b & (0x7Fu >> len);
        if (i + len > s.n || (b >= 0x80 && b < 0xC0)) {
            len = 1; /* not UTF-8: readers refuse it; written as it came */
            c = 0xFFFD;
        }
        for (unsigned k = 1; k < len; k++) {
            c = c << 6 | ((unsigned char)s.p[i + k] & 0x3F);
        }
        cs->c[cs->count] = c;
        cs->at[cs->count++] = i;
        i += len;
    }
    cs->c[cs->count] = 0;
    cs->at[cs->count] = s.n;
}

void yamlchars_release(struct yamlchars *cs)
{
    free(cs->c);
    free(cs->at);
}

bool yamlchars_is_break(uint32_t c)
{
    return c == '\n' || c == 0x85 || c == 0x2028 || c == 0x2029;
}

bool yamlchars_is_blank(uint32_t c)
{
    return c == 0 || c == ' ' || c == '\t' || c == '\r' || yamlchars_is_break(c);
}

bool yamlchars_is_special(uint32_t c)
{
    bool printable = c == '\n' || (c >= 0x20 && c <= 0x7E) || c == 0x85 ||
                     (c >= 0xA0 && c <= 0xD7FF) || (c >= 0xE000 && c <= 0xFFFD) ||
                     (c >= 0x10000 && c <= 0x10FFFF);
    return !printable || c == 0xFEFF;
}

/* Does this place begin something else than plain text? */
static bool is_indicator(const struct yamlchars *cs, size_t i)
{
    uint32_t c = cs->c[i];
    bool followed = i + 1 >= cs->count || yamlchars_is_blank(cs->c[i + 1]);
    if (i == 0) {
        return (c > 0 && c < 0x80 && strchr("#,[]{}&*!|>'\"%@`", (int)c) != NULL) ||
               ((c == '?' || c == ':' || c == '-') && followed);
    }
    return (c == ':' && followed) || (c == '#' && yamlchars_is_blank(cs->c[i - 1]));
}

struct yamlchars_looks yamlchars_look_at(const struct yamlchars *cs)
{
    struct yamlchars_looks k = {.plain = true, .single = true};
    if (cs->count >= 3 && (!memcmp(cs->bytes, "---", 3) || !memcmp(cs->bytes, "...", 3))) {
        k.plain = false;
    }
    for (size_t i = 0; i < cs->count; i++) {
        uint32_t c = cs->c[i];
        bool edge = i == 0 || i + 1 == cs->count;
        k.plain = k.plain && !is_indicator(cs, i) && !(c == ' ' && edge);
        if (yamlchars_is_special(c)) {
            k.plain = k.single = false;
        }
        if (yamlchars_is_break(c)) {
            k.multiline = true;
            k.plain = false;
            k.single = k.single && !(i > 0 && cs->c[i - 1] == ' ');
        }
        if (c == ' ' && i > 0 && yamlchars_is_break(cs->c[i - 1])) {
            k.plain = k.single = false;
        }
    }
    return k;
}
