/* See revnames.h. */
#include "revnames.h"

#include "err.h"
#include "git.h"
#include "value.h"

#include <string.h>

/* "commit\tcommit of a tag object\trefname" */
static void take(struct arena *a, struct str line, const char *below, struct value *names)
{
    struct str id = {0}, peeled = {0};
    if (!str_split(&line, '\t', &id) || !str_split(&line, '\t', &peeled) ||
        !str_starts(line, below)) {
        return;
    }
    size_t n = strlen(below);
    const char *commit = arena_str(a, peeled.n > 0 ? peeled : id).p;
    if (value_get(names, commit) == NULL) {
        value_set(a, names, commit, value_str(a, str_sub(line, n, line.n - n)));
    }
}

static void take_all(struct arena *a, struct str text, const char *below, struct value *names)
{
    struct str line;
    while (text.n > 0 && str_split(&text, '\n', &line)) {
        take(a, line, below, names);
    }
}

int revnames_read(const struct repo *r, struct arena *a, struct revnames *n, struct err *e)
{
    const char *const args[] = {"for-each-ref",
                                "--format=%(objectname)%09%(*objectname)%09%(refname)",
                                "refs/heads", "refs/tags", NULL};
    struct git_head head;
    struct strbuf out;
    n->names = value_map(a);
    if (git_head(r, &head, e) < 0) {
        return -1;
    }
    if (head.branch[0] != 0 && head.commit[0] != 0) {
        value_set(a, n->names, head.commit, value_cstr(a, head.branch));
    }
    strbuf_init(&out);
    int rc = git_run(r, args, &out, e);
    if (rc == 0) {
        take_all(a, strbuf_str(&out), "refs/tags/", n->names);
        take_all(a, strbuf_str(&out), "refs/heads/", n->names);
    }
    strbuf_release(&out);
    return rc;
}

const char *revnames_of(const struct revnames *n, const char *commit)
{
    const struct value *v = value_get(n->names, commit);
    return v != NULL ? value_as_str(v).p : NULL;
}
