#ifndef NEPHRON_YAMLCHARS_H
#define NEPHRON_YAMLCHARS_H

#include "str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Text as code points with byte offsets, so that columns and look-ahead are plain indexing. */
struct yamlchars {
    const char *bytes;
    uint32_t *c; /* count + 1 entries, the last is 0 */
    size_t *at;  /* count + 1 byte offsets */
    size_t count;
};

void yamlchars_init(struct yamlchars *cs,
                    struct str s); /* borrows s; what is not UTF-8 stays as it is */
void yamlchars_release(struct yamlchars *cs);

bool yamlchars_is_break(uint32_t c);   /* a line break: LF, NEL, LS, PS */
bool yamlchars_is_blank(uint32_t c);   /* that, a blank, or the end */
bool yamlchars_is_special(uint32_t c); /* only "…" can hold it */

/* Which styles a text could have, by its characters alone. */
struct yamlchars_looks {
    bool plain, single, multiline;
};
struct yamlchars_looks yamlchars_look_at(const struct yamlchars *cs);

#endif
