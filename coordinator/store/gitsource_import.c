/* gitsource_import: data of other repositories that remembers where it came from, and artifacts;
 * see gitsource.h. Source: DVC 3.67, dvc/repo/imp.py, dvc/dependency/repo.py, dvc/repo/artifacts.py
 * (tags as GTO writes them). */
#include "gitsource.h"

#include "alloc.h"
#include "cas.h"
#include "commit_private.h"
#include "dvcfile.h"
#include "emit.h"
#include "err.h"
#include "fs.h"
#include "git.h"
#include "gitfiles.h"
#include "gitignore.h"
#include "importurl.h"
#include "path.h"
#include "store.h"
#include "str.h"
#include "urlsource.h"
#include "value.h"
#include "yaml.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_FILE ((size_t)16 << 20)

static const struct hash no_hash = {.size = -1, .nfiles = -1};

/* ---- import ---- */

/* The data into workspace and cache. *commit: what it was taken from. */
static int bring(struct store *s, struct arena *a, const char *url, const char *rev,
                 const char *path, const char *out, const char *remote, bool only_rev,
                 struct hash *hash, char commit[65], struct err *e)
{
    struct gitsource g;
    struct gitsource_list files;
    struct content now;
    if (gitsource_open(a, url, rev ? rev : "HEAD", &g, e) < 0) {
        return -1;
    }
    g.remote = remote;
    memcpy(commit, g.commit, sizeof(g.commit));
    int rc = 0;
    if (!only_rev) {
        rc = gitsource_files(&g, &files, e);
        rc = rc == 0 ? gitsource_copy(&g, &files, path, repo_abs(s->repo, a, out), e) : rc;
        rc = rc == 0 ? commit_data(s, a, out, 0, &now, e) : rc;
        *hash = rc == 0 ? now.hash : no_hash;
    }
    gitsource_close(&g);
    return rc;
}

int gitsource_import_run(struct store *s, struct arena *a, const struct pipeline *p,
                         const struct gitsource_import *opt, const char **file, struct err *e)
{
    const struct urlsource src = {.name = path_basename(path_normal(a, opt->path))};
    const char *to = urlsource_target(a, &src, opt->out, opt->force, e);
    if (!to) {
        return -1;
    }
    const char *out = repo_path(s->repo, a, to);
    struct hash hash = no_hash;
    char commit[65] = "";
    *file = arena_printf(a, "%s.dvc", out);
    if (importurl_check_out(s, a, p, out, e) < 0) {
        return -1;
    }
    if (!opt->no_exec) {
        store_note(s, STORE_NOTE_INFO, "Importing '%s (%s)' -> '%s'", opt->path, opt->url,
                   store_show(s, a, out));
    }
    if ((!opt->no_exec && bring(s, a, opt->url, opt->rev, opt->path, out, opt->remote,
                                opt->no_download, &hash, commit, e) < 0) ||
        gitignore_add(s->repo, out, NULL, e) < 0) {
        return -1;
    }
    struct strbuf text;
    strbuf_init(&text);
    dvcfile_new_import(&text, &(struct dvcfile_import){.dep_path = opt->path,
                                                       .out_path = path_basename(out),
                                                       .dep = &no_hash,
                                                       .out = &hash,
                                                       .repo_url = opt->url,
                                                       .rev = opt->rev,
                                                       .rev_lock = commit[0] ? commit : NULL,
                                                       .frozen = true,
                                                       .no_exec = opt->no_exec});
    int rc = fs_write_if_changed(repo_abs(s->repo, a, *file), text.p, text.n, NULL, e);
    strbuf_release(&text);
    return rc;
}

/* ---- update ---- */

/* The `repo` of the dependency of a .dvc file; NULL: none. */
static const struct value *read_import(struct store *s, struct arena *a, const struct stage *st)
{
    struct strbuf text;
    struct value *doc = NULL;
    strbuf_init(&text);
    if (fs_read(repo_abs(s->repo, a, st->file), MAX_FILE, &text, NULL) == 0) {
        doc = yaml_parse(a, strbuf_str(&text), NULL, NULL);
    }
    const struct value *deps = value_get(doc, "deps");
    strbuf_release(&text);
    return deps && deps->type == VALUE_LIST && deps->list.count == 1
               ? value_get(deps->list.items[0], "repo")
               : NULL;
}

bool gitsource_is_import(struct store *s, struct arena *a, const struct stage *st)
{
    const struct value *repo = read_import(s, a, st);
    return repo && repo->type == VALUE_MAP && value_as_str(value_get(repo, "url")).n > 0;
}

static int write_update(struct store *s, struct arena *a, const struct stage *st,
                        const struct dvcfile_import *now, struct err *e)
{
    const char *abs = repo_abs(s->repo, a, st->file);
    struct strbuf old, text;
    strbuf_init(&old);
    strbuf_init(&text);
    int rc = fs_read(abs, MAX_FILE, &old, e);
    if (rc == 0) {
        rc = dvcfile_edit_import(strbuf_str(&old), now, &text, e);
    }
    if (rc == 0) {
        rc = fs_write_if_changed(abs, text.p, text.n, NULL, e);
    }
    strbuf_release(&old);
    strbuf_release(&text);
    return rc;
}

int gitsource_update(struct store *s, struct arena *a, const struct stage *st, const char *rev,
                     bool no_download, struct err *e)
{
    const struct value *repo = read_import(s, a, st);
    const struct out *o = &st->outs[0];
    const char *url = value_as_str(value_get(repo, "url")).p;
    struct str was = value_as_str(value_get(repo, "rev_lock")),
               old = value_as_str(value_get(repo, "rev"));
    const char *wanted = rev ? rev : old.n > 0 ? old.p : NULL;
    struct hash hash = no_hash;
    char commit[65];
    if (bring(s, a, url, wanted, st->deps[0].def, o->path, NULL, true, &hash, commit, e) < 0) {
        return -1;
    }
    bool whole = o->hash.md5 && fs_exists(repo_abs(s->repo, a, o->path)) &&
                 cas_has_all(s->cas, (struct cas_id){o->hash.md5, o->hash.legacy}, NULL);
    if (str_is(was, commit) && whole && (!rev || str_is(old, rev))) {
        store_note(s, STORE_NOTE_INFO, "'%s' didn't change, skipping", st->addr);
        return 0;
    }
    store_note(s, STORE_NOTE_INFO, "Importing '%s (%s)' -> '%s'", st->deps[0].def, url,
               store_show(s, a, o->path));
    if (!no_download &&
        bring(s, a, url, wanted, st->deps[0].def, o->path, NULL, false, &hash, commit, e) < 0) {
        return -1;
    }
    const struct dvcfile_import now = {
        .repo_url = url, .rev = rev, .rev_lock = commit, .out = &hash};
    return write_update(s, a, st, &now, e);
}

/* ---- artifacts ---- */

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
