/* What git should know after a command; see gitstage.h. */

#include "gitstage.h"

#include "alloc.h"
#include "config.h"
#include "err.h"
#include "fs.h"
#include "git.h"
#include "path.h"
#include "session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool known(const char *const *list, size_t n, const char *file)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(list[n - 1 - i], file) == 0) {
            return true;
        }
        if (i == 64) {
            break; /* ten thousand outputs: the git command may name a file twice */
        }
    }
    return false;
}

/* Files that are gone count when git tracks them. */
static size_t keep_known(struct session *s, const char **list, size_t n)
{
    bool *tracked = xcalloc(n + 1, sizeof *tracked);
    bool all_there = true;
    for (size_t i = 0; i < n; i++) {
        all_there = all_there && fs_exists(repo_abs(&s->repo, &s->arena, list[i]));
    }
    if (!all_there && git_tracked(&s->repo, list, n, tracked, NULL) < 0) {
        memset(tracked, 0, n * sizeof *tracked);
    }
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        if (tracked[i] || fs_exists(repo_abs(&s->repo, &s->arena, list[i]))) {
            list[kept++] = list[i];
        }
    }
    free(tracked);
    return kept;
}

/* The given files and the .gitignore beside each. Arena memory. */
static const char **files_for_git(struct session *s, const char *const *files, size_t count,
                                  size_t *total)
{
    const char **list = ARENA_ARRAY(&s->arena, 2 * count + 1, const char *);
    size_t n = 0;
    for (size_t i = 0; i < 2 * count; i++) {
        const char *file = files[i % count];
        if (i >= count) {
            file = path_join(&s->arena, path_dirname(&s->arena, file), ".gitignore");
        }
        if (!known(list, n, file)) {
            list[n++] = file;
        }
    }
    *total = keep_known(s, list, n);
    return list;
}

static bool wanted(const struct session *s, bool autostage)
{
    return !s->repo.no_scm &&
           config_get_bool(s->repo.config, "core", "autostage", false) == autostage;
}

int gitstage_add(struct session *s, const char *const *files, size_t count, struct err *e)
{
    if (count == 0 || !wanted(s, true)) {
        return 0;
    }
    size_t n;
    const char **list = files_for_git(s, files, count, &n);
    return n > 0 ? git_add(&s->repo, list, n, e) : 0;
}

void gitstage_hint(struct session *s, const char *const *files, size_t count)
{
    if (s->quiet || count == 0 || !wanted(s, false)) {
        return;
    }
    size_t n;
    const char **list = files_for_git(s, files, count, &n);
    struct strbuf line;
    strbuf_init(&line);
    for (size_t i = 0; i < n; i++) {
        strbuf_addch(&line, ' ');
        strbuf_add_shell_word(&line, str_from(repo_show(&s->repo, &s->arena, list[i])));
    }
    printf("\nTo track the changes with git, run:\n\n\tgit add%s\n"
           "\nTo enable auto staging, run:\n\n\tnephron config core.autostage true\n",
           line.p);
    strbuf_release(&line);
}
