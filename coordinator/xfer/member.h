#ifndef NEPHRON_MEMBER_H
#define NEPHRON_MEMBER_H

#include "str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

/*
 * Names of archive members: which are safe to make, and which meet each other.
 *
 * Limits: 1,024 bytes, 255 a component, 32 components. "." components and doubled slashes are
 * dropped (tar writes ./a/b); everything else that is not a plain relative name is refused.
 */

#define MEMBER_NAME_MAX 1024
#define MEMBER_COMPONENT_MAX 255
#define MEMBER_DEPTH_MAX 32

/* `raw` may be NULL (no name). out: the normal name, "" for the archive's own root folder.
 * ERR_FORMAT or ERR_LIMIT, with the name escaped. */
int member_normal(const char *raw, char out[MEMBER_NAME_MAX + 1], struct err *e);
/* What systems add behind people's backs: __MACOSX/…, .DS_Store, ._x, Thumbs.db, desktop.ini. */
bool member_is_junk(const char *name);

/* Names seen so far, as 64-bit hashes (16 bytes each, so that a million names stay small). */
struct member_set {
    struct member_slot *slots;
    size_t count, capacity; /* private to member.c */
    uint64_t collisions;
    char collision[256];
};

void member_set_init(struct member_set *s);
void member_set_release(struct member_set *s);
/* Notes a normal name and the folders above it. ERR_FORMAT when a file comes twice, or is a folder
 * elsewhere. Names equal but for case or Unicode composition (Latin letters) are counted as
 * collisions. */
int member_set_add(struct member_set *s, const char *name, bool folder, struct err *e);

#endif
