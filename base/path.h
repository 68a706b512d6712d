#ifndef NEPHRON_PATH_H
#define NEPHRON_PATH_H

#include "arena.h"
#include "str.h"

#include <stdbool.h>

/*
 * Path arithmetic on text, POSIX rules, no file system access. "Normal" means: no ".", no "//", ".."
 * only at the front of a relative path, no trailing slash; the empty relative path is ".".
 */

char *path_join(struct arena *a, const char *dir,
                const char *name); /* normal; absolute name wins */
char *path_normal(struct arena *a, const char *path);
char *path_absolute(struct arena *a, const char *base_abs, const char *path);
/* How `to` is written from folder `from`; both absolute, or both relative to the same folder
 * ("." for itself). */
char *path_relative(struct arena *a, const char *from, const char *to);
char *path_dirname(struct arena *a, const char *path); /* "." when there is no slash */
const char *path_basename(const char *path);           /* returns borrowed: inside `path` */
const char *path_extension(const char *path);          /* ".jpg"; "" when none */
/* `path` equals `dir` or lies below it; both normal and of the same kind. */
bool path_inside(const char *dir, const char *path);
/* A name a stranger gives for something below a folder: relative, no empty, "." or ".." component, no NUL, within
 * the kernel's limits. (Archives are held to more: xfer/member.h.) */
bool path_is_safe_member(struct str path);
char *path_cwd(struct arena *a); /* $PWD when it names the same folder, else getcwd */

#endif
