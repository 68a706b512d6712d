/* `check-ignore`: which paths .dvcignore hides, and by which line. */

#include "cmd.h"

#include "err.h"
#include "fs.h"
#include "ignore.h"
#include "session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct check {
    bool details, all, non_matching, from_stdin, quiet;
};

/* Prints what is to be said of one path; true when a rule matched it, be it a negated one. */
static bool check_path(struct session *s, const struct check *c, const char *typed)
{
    const struct ignore_rule **rules;
    size_t count;
    const char *path = repo_path(&s->repo, &s->arena, typed);
    bool is_dir = fs_is_dir(repo_abs(&s->repo, &s->arena, path));
    bool hidden = ignore_explain(s->repo.ignore, path, is_dir, &s->arena, &rules, &count);
    if (!c->details) {
        if (hidden && !c->quiet) {
            printf("%s\n", typed);
        }
        return hidden;
    }
    /* of all rules that took part only the deciding one is known here, as in DVC: --all says no
     * more */
    if (count > 0) {
        printf("%s\t%s\n", rules[count - 1]->origin, typed);
    } else if (c->non_matching) {
        printf("::\t%s\n", typed);
    }
    return count > 0;
}

static int check_words(struct session *s, const struct check *c, const struct opt_list *args)
{
    bool any = false;
    for (size_t i = 0; i < args->count; i++) {
        any |= check_path(s, c, args->items[i]);
    }
    return any ? 0 : 1;
}

/* One path a line, answered at once; an empty line ends. */
static int check_lines(struct session *s, const struct check *c)
{
    char *line = NULL;
    size_t capacity = 0;
    ssize_t n;
    bool any = false;
    while ((n = getline(&line, &capacity, stdin)) > 0) {
        if (line[n - 1] == '\n') {
            line[--n] = 0;
        }
        if (n == 0) {
            break;
        }
        any |= check_path(s, c, line);
        fflush(stdout);
    }
    free(line);
    return any ? 0 : 1;
}

static const char *misuse(const struct check *c, const struct opt_list *args)
{
    if (!c->from_stdin && args->count == 0) {
        return "`targets` or `--stdin` needed";
    }
    if (c->from_stdin && args->count > 0) {
        return "cannot have both `targets` and `--stdin`";
    }
    if (c->non_matching && !c->details) {
        return "`--non-matching` is only valid with `--details`";
    }
    if (c->all && !c->details) {
        return "`--all` is only valid with `--details`";
    }
    return c->quiet && c->details ? "cannot use both `--details` and `--quiet`" : NULL;
}

int cmd_check_ignore(int argc, char **argv)
{
    struct check c = {0};
    const struct opt options[] = {
        {OPT_FLAG, 'd', "details", NULL, "print file, line and pattern before the path", &c.details,
         NULL},
        {OPT_FLAG, 'a', "all", NULL, "with -d: all patterns that match, not the deciding one alone",
         &c.all, NULL},
        {OPT_FLAG, 'n', "non-matching", NULL, "with -d: also paths that no pattern matches",
         &c.non_matching, NULL},
        {OPT_FLAG, 0, "stdin", NULL, "read paths from stdin, one a line", &c.from_stdin, NULL},
        {OPT_FLAG, 'q', "quiet", NULL, "print nothing, answer by exit code", &c.quiet, NULL},
        OPT_END};
    const struct opt_spec spec = {
        .usage = "nephron check-ignore [OPTION]... [PATH]...",
        .about = "Prints the paths that .dvcignore files hide. Exit code 1: none of them.",
        .examples = "  nephron check-ignore data/tmp\n  find . | nephron check-ignore --stdin -d",
        .options = options,
        .max_args = OPT_ANY};
    struct opt_list args = {0};
    int code;
    if (!session_options(&spec, argc, argv, &args, 254, &code)) {
        return code;
    }
    struct err e = ERR_INIT;
    struct session s;
    if (session_open(&s, SESSION_REPO, c.quiet, &e) < 0) {
        opt_list_release(&args);
        return session_fail(&e, 255);
    }
    const char *wrong = misuse(&c, &args);
    if (wrong != NULL) {
        err_set(&e, ERR_USAGE, "%s", wrong);
        code = session_fail(&e, 255);
    } else {
        code = c.from_stdin ? check_lines(&s, &c) : check_words(&s, &c, &args);
    }
    session_close(&s);
    opt_list_release(&args);
    return code;
}
