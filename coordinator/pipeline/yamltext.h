#ifndef NEPHRON_YAMLTEXT_H
#define NEPHRON_YAMLTEXT_H

#include "str.h"

#include <stdbool.h>
#include <stddef.h>

struct value;

/* Where the parts of a parsed YAML document stand in its text, for those who edit it as text. Lines and columns count from 1,
 * offsets are bytes. */

/* Offset of the start of line n (from 1); the end of the text beyond the last. */
size_t yamltext_line(struct str text, unsigned n);
/* Offset of the value's first character: columns count characters, not bytes. */
size_t yamltext_offset(struct str text, const struct value *v);
/* `end` moved up over blank lines and comments, but not above `from`. */
size_t yamltext_before_trailer(struct str text, size_t from, size_t end);

struct yamltext_entry {
    size_t start, end; /* of its lines; blank lines and comments after it are not part of it */
    bool found, last;
};
/* The lines of `key` in the map, whose own lines end at `map_end`. */
struct yamltext_entry yamltext_find(struct str text, const struct value *map, const char *key,
                                    size_t map_end);
/* The map is written {a: 1}, or was made by the program. */
bool yamltext_is_flow(struct str text, const struct value *map);

void yamltext_add(struct strbuf *out, struct str text, size_t from, size_t to);
/* A newline where the last line lacks one. */
void yamltext_end(struct strbuf *out);

#endif
