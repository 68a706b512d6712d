#ifndef NEPHRON_IGNORE_H
#define NEPHRON_IGNORE_H

#include "arena.h"

#include <stdbool.h>
#include <stddef.h>

struct err;
struct repo_files;

/*
 * gitignore patterns over a tree: one rule file per folder allowed, patterns relative to that
 * folder, `!` negates, `dir/` only folders, a matched folder hides all below it, the last matching
 * rule decides. Rule files are read when their folder is first met. Used for .dvcignore (with DVC's
 * built-in rules for .git, .hg, .dvc and for repositories below this one) and, with git's own
 * files, for "does git ignore this path".
 *
 * Thread-safe: look-ups take a lock.
 * Source: gitignore(5); pathspec 1.x GitIgnoreSpecPattern as DVC 3.67 uses it.
 */

struct ignore;

/* `root`: absolute folder. Returns new (ignore_free). */
struct ignore *ignore_new(const char *root);
/* .dvcignore files that are read from `files` (keeps; NULL: the work tree), not from below `root`.
 */
struct ignore *ignore_new_files(const char *root, const struct repo_files *files);
/* git's rules for the work tree `root`: .gitignore files, info/exclude, core.excludesFile. */
struct ignore *ignore_new_git(const char *root);
void ignore_free(struct ignore *ig);

/* `path` is relative to root and normal (a repo path). Paths outside (absolute or "..") are never
 * ignored. */
bool ignore_match(struct ignore *ig, const char *path, bool is_dir);
/* As ignore_match for a path whose folders are known not to be ignored: a walk asks this for each
 * entry. */
bool ignore_match_entry(struct ignore *ig, const char *path, bool is_dir);

struct ignore_rule {
    const char *origin; /* ".dvcignore:3:/root.txt" (path from the root, line, pattern); built in:
                           ":.git/" */
    const char *pattern;
    bool negated;
};
/* For check-ignore: every rule that took part, the deciding one last; *count 0 when none matched.
 * Rules are borrowed until ignore_free, the array is in `a`. */
bool ignore_explain(struct ignore *ig, const char *path, bool is_dir, struct arena *a,
                    const struct ignore_rule ***rules, size_t *count);
/* Forgets what was read of one folder's rule file (it changed). */
void ignore_forget(struct ignore *ig, const char *dir);

/* Does one pattern match the path? For tests and fuzzing; no negation handling ("!x" matches as
 * "x"). */
bool ignore_pattern_match(const char *pattern, const char *path, bool is_dir);

#endif
