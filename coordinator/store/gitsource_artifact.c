/* gitsource_artifact: artifacts by name, in the version or stage that a tag says; see gitsource.h. Source: DVC 3.67,
 * dvc/repo/artifacts.py (tags as GTO writes them). */
#include "gitsource.h"

#include "err.h"
#include "fs.h"
#include "git.h"
#include "path.h"
#include "str.h"
#include "value.h"
#include "yaml.h"

#include <stdlib.h>
#include <string.h>

#define MAX_FILE ((size_t)16 << 20)

/* Compares "v1.10.2" with "v1.9.0" by numbers. */
static int compare_versions(const char *a, const char *b)
{
    for (int i = 0; i < 3; i++) {
        a += strcspn(a, "0123456789");
        b += strcspn(b, "0123456789");
        long x = strtol(a, (char **)&a, 10), y = strtol(b, (char **)&b, 10);
        if (x != y) {
            return x < y ? -1 : 1;
        }
    }
    return 0;
}

/* "model@v1.2.0", "model#prod#3", "dir=model@v1": whether the tag is newer than the best so far. */
static bool better(const char *tag, const char *prefix, const char *version, const char *stage,
                   const char *best)
{
    size_t n = strlen(prefix);
    if (strncmp(tag, prefix, n) != 0) {
        return false;
    }
    if (stage) {
        size_t k = strlen(stage);
        const char *rest = tag + n + k;
        if (strncmp(tag + n, stage, k) != 0 || (*rest && *rest != '#')) {
            return false;
        }
        return !best || strtol(*rest ? rest + 1 : "0", NULL, 10) >=
                            strtol(best + n + k + (best[n + k] == '#'), NULL, 10);
    }
    return version ? strcmp(tag + n, version) == 0
                   : !best || compare_versions(tag + n, best + n) > 0;
}

int gitsource_artifact_rev(struct gitsource *g, const char *name, const char *version,
                           const char *stage, const char **rev, struct err *e)
{
    struct strbuf out;
    strbuf_init(&out);
    /* GTO writes dir:name as dir=name in tags */
    char *prefix = arena_printf(g->arena, "%s%c", name, stage ? '#' : '@');
    for (char *c = prefix; *c; c++) {
        *c = *c == ':' ? '=' : *c;
    }
    const char *args[] = {"for-each-ref", "--format=%(refname:short)", "refs/tags", NULL};
    int rc = git_run(&g->repo, args, &out, e);
    struct str rest = strbuf_str(&out), line;
    const char *best = NULL;
    while (rc == 0 && rest.n > 0 && str_split(&rest, '\n', &line)) {
        const char *tag = arena_str(g->arena, line).p;
        if (better(tag, prefix, version, stage, best)) {
            best = tag;
        }
    }
    strbuf_release(&out);
    *rev = best;
    if (rc == 0 && !best) {
        return err_set(e, ERR_MISSING, "Unable to find artifact '%s%s%s%s%s'", name,
                       version ? " @ " : "", version ? version : "", stage ? " # " : "",
                       stage ? stage : "");
    }
    return rc;
}

int gitsource_artifact_path(struct gitsource *g, const char *name, const char **path, struct err *e)
{
    const char *colon = strrchr(name, ':');
    const char *dir = colon ? arena_strndup(g->arena, name, (size_t)(colon - name)) : ".";
    const char *file = path_join(g->arena, dir, "dvc.yaml");
    struct strbuf text;
    strbuf_init(&text);
    int rc = g->rev ? git_show(&g->repo, g->commit, file, &text, NULL)
                    : fs_read(repo_abs(&g->repo, g->arena, file), MAX_FILE, &text, NULL);
    struct value *doc = rc == 0 ? yaml_parse(g->arena, strbuf_str(&text), NULL, NULL) : NULL;
    strbuf_release(&text);
    struct str found = value_as_str(
        value_get(value_get(value_get(doc, "artifacts"), colon ? colon + 1 : name), "path"));
    if (found.n == 0) {
        return err_set(e, ERR_MISSING, "Unable to find artifact '%s'", name);
    }
    *path = path_join(g->arena, dir, arena_str(g->arena, found).p);
    return 0;
}
