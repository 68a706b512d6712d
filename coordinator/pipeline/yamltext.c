/* See yamltext.h. */
#include "yamltext.h"

#include "value.h"

/* Length of the line break at `at` as YAML counts lines: LF, CR LF, CR, NEL, LS, PS; 0: none. */
static size_t line_break(struct str text, size_t at)
{
    const unsigned char *p = (const unsigned char *)text.p + at;
    size_t left = text.n - at;
    if (p[0] == '\n' || p[0] == '\r') {
        return p[0] == '\r' && left > 1 && p[1] == '\n' ? 2 : 1;
    }
    if (p[0] == 0xc2 && left > 1 && p[1] == 0x85) {
        return 2;
    }
    return p[0] == 0xe2 && left > 2 && p[1] == 0x80 && (p[2] & 0xfe) == 0xa8 ? 3 : 0;
}

size_t yamltext_line(struct str text, unsigned n)
{
    size_t at = 0;
    for (unsigned i = 1; i < n && at < text.n;) {
        size_t cut = line_break(text, at);
        i += cut > 0;
        at += cut ? cut : 1;
    }
    return at;
}

size_t yamltext_offset(struct str text, const struct value *v)
{
    size_t at = yamltext_line(text, v->line);
    for (unsigned i = 1; i < v->column && at < text.n; i++) {
        for (at++; at < text.n && ((unsigned char)text.p[at] & 0xc0) == 0x80; at++) {
        }
    }
    return at;
}

static bool is_blank_or_comment(struct str line)
{
    line = str_trim(line);
    return line.n == 0 || line.p[0] == '#';
}

size_t yamltext_before_trailer(struct str text, size_t from, size_t end)
{
    while (end > from) {
        size_t start = end - 1;
        while (start > from && text.p[start - 1] != '\n') {
            start--;
        }
        if (!is_blank_or_comment(str_sub(text, start, end - start))) {
            break;
        }
        end = start;
    }
    return end;
}

struct yamltext_entry yamltext_find(struct str text, const struct value *map, const char *key,
                                    size_t map_end)
{
    struct yamltext_entry x = {0};
    for (size_t i = 0; i < map->map.count && !x.found; i++) {
        if (value_get(map, key) != map->map.pairs[i].val) {
            continue;
        }
        x.found = true;
        x.start = yamltext_line(text, map->map.pairs[i].key->line);
        x.last = i + 1 == map->map.count;
        x.end = x.last ? map_end : yamltext_line(text, map->map.pairs[i + 1].key->line);
        x.end = yamltext_before_trailer(text, x.start, x.end);
    }
    return x;
}

bool yamltext_is_flow(struct str text, const struct value *map)
{
    size_t at = yamltext_offset(text, map);
    return map->line == 0 || at >= text.n || text.p[at] == '{';
}

void yamltext_add(struct strbuf *out, struct str text, size_t from, size_t to)
{
    strbuf_add(out, text.p + from, to > from ? to - from : 0);
}

void yamltext_end(struct strbuf *out)
{
    if (out->n && out->p[out->n - 1] != '\n') {
        strbuf_addch(out, '\n');
    }
}
