#ifndef NEPHRON_IGNORE_PATTERN_H
#define NEPHRON_IGNORE_PATTERN_H

#include "arena.h"
#include "str.h"

#include <stdbool.h>
#include <stddef.h>

/*
 * One compiled gitignore pattern; private to ignore.c.
 *   "foo"      -> ** / foo          a name at any depth
 *   "/foo"     -> foo               anchored to the folder of the rule file
 *   "a/b", "a" + "**" + "b"         segments between slashes; ** matches any number of them
 *   "foo/"     -> ** / foo, folders only
 * A pattern that matches a folder also matches everything below it.
 */

struct ignore_segment {
    struct str text;   /* unescaped when literal */
    bool is_any_depth; /* ** */
    bool is_literal;
};

struct ignore_pattern {
    struct ignore_segment *segments;
    size_t count;
    bool negated, dir_only;
    bool matches_all; /* "*", "**" */
};

/* false: the line is blank, a comment, or no valid pattern. Memory in `a`. */
bool ignore_pattern_compile(struct arena *a, struct str line, struct ignore_pattern *out);
/* `path`: relative to the rule's folder, normal, not NUL-terminated. */
bool ignore_pattern_test(const struct ignore_pattern *p, struct str path, bool is_dir);
/* The pattern is one literal name: returns it, else the empty view. Such rules are found by a hash.
 */
struct str ignore_pattern_name(const struct ignore_pattern *p, bool *anchored);

#endif
