/* gitsource_import: data of other repositories that remembers where it came from; see gitsource.h. Source: DVC 3.67,
 * dvc/repo/imp.py, dvc/dependency/repo.py. */
#include "gitsource.h"

#include "alloc.h"
#include "cas.h"
#include "commit_private.h"
#include "dvcfile.h"
#include "err.h"
#include "fs.h"
#include "git.h"
#include "gitignore.h"
#include "importurl.h"
#include "path.h"
#include "proc.h"
#include "store.h"
#include "str.h"
#include "urlsource.h"
#include "value.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct hash no_hash = {.size = -1, .nfiles = -1};

/* ---- settings ---- */

int gitsource_set_options(struct arena *a, struct gitsource_settings *to, const char *const *words,
                          size_t count, struct err *e)
{
    struct value *all = value_map(a);
    for (size_t i = 0; i < count; i++) {
        const char *equals = strchr(words[i], '=');
        if (!equals || !equals[1]) {
            return err_set(e, ERR_USAGE, "--remote-config needs NAME=VALUE, found '%s'", words[i]);
        }
        value_set(a, all, arena_strndup(a, words[i], (size_t)(equals - words[i])),
                  value_cstr(a, equals + 1));
    }
    to->remote_options = count > 0 ? all : NULL;
    return 0;
}

/* As DVC writes them: a remote that is named and has options goes under `config`. */
static void write_settings(struct arena *a, const struct gitsource_settings *how,
                           struct dvcfile_import *x)
{
    x->repo_config = how->file ? value_cstr(a, how->file) : NULL;
    x->repo_remote = how->remote ? value_cstr(a, how->remote) : how->remote_options;
    if (!how->remote || !how->remote_options) {
        return;
    }
    struct value *core = value_map(a), *remotes = value_map(a), *config = value_map(a);
    value_set(a, core, "remote", value_cstr(a, how->remote));
    value_set(a, remotes, how->remote, value_copy(a, how->remote_options));
    value_set(a, config, "core", core);
    value_set(a, config, "remote", remotes);
    x->repo_config = config;
    x->repo_remote = NULL;
}

static const char *text_at(const struct value *map, const char *key)
{
    struct str s = value_as_str(value_get(map, key));
    return s.n > 0 ? s.p : NULL;
}

static const struct value *map_at(const struct value *map, const char *key)
{
    const struct value *v = value_get(map, key);
    return v && v->type == VALUE_MAP ? v : NULL;
}

void gitsource_record(struct arena *a, const struct stage *st, struct gitsource_record *r)
{
    const struct value *repo = value_copy(a, st->deps[0].repo);
    const char *url = text_at(repo, "url"), *path = arena_strdup(a, st->deps[0].def);
    const char *rev = text_at(repo, "rev");
    *r = (struct gitsource_record){.rev_lock = text_at(repo, "rev_lock"),
                                   .shown = arena_printf(a, "%s (%s)", path, url ? url : ""),
                                   .hash = st->outs[0].hash};
    r->hash.md5 = r->hash.md5 ? arena_strdup(a, r->hash.md5) : NULL;
    r->place = (struct gitsource_place){.url = url ? url : "",
                                        .rev = rev,
                                        .committed = true,
                                        .from_git = rev != NULL,
                                        .path = path,
                                        .settings = {.file = text_at(repo, "config"),
                                                     .sections = map_at(repo, "config"),
                                                     .remote = text_at(repo, "remote"),
                                                     .remote_options = map_at(repo, "remote")}};
}

/* ---- import ---- */

/* The data into workspace and cache. `out`: a repo path or absolute. *commit: what it was taken from. */
static int bring(struct store *s, struct arena *a, const struct gitsource_place *place,
                 const char *out, struct hash *hash, char commit[65], struct err *e)
{
    struct gitsource g;
    struct gitsource_list files;
    struct content now;
    if (gitsource_open(a, place, &g, e) < 0) {
        return -1;
    }
    memcpy(commit, g.commit, sizeof(g.commit));
    int rc = gitsource_files(&g, &files, e);
    rc = rc == 0 ? gitsource_copy(&g, &files, repo_abs(s->repo, a, out), e) : rc;
    rc = rc == 0 ? commit_data(s, a, out, 0, &now, e) : rc;
    *hash = rc == 0 ? now.hash : no_hash;
    gitsource_close(&g);
    return rc;
}

/* The commit that a place stands for. */
static int find_commit(struct arena *a, const struct gitsource_place *place, char commit[65],
                       struct err *e)
{
    const struct gitsource_place top = {
        .url = place->url, .rev = place->rev, .committed = true, .from_git = place->from_git};
    struct gitsource g;
    if (gitsource_open(a, &top, &g, e) < 0) {
        return -1;
    }
    memcpy(commit, g.commit, sizeof(g.commit));
    gitsource_close(&g);
    return 0;
}

static int import_data(struct store *s, struct arena *a, const struct gitsource_import *opt,
                       const char *out, struct hash *hash, char commit[65], struct err *e)
{
    const struct gitsource_place place = {.url = opt->url,
                                          .rev = opt->rev,
                                          .committed = true,
                                          .from_git = opt->rev != NULL,
                                          .path = opt->path,
                                          .settings = opt->settings};
    if (opt->no_exec) {
        return 0;
    }
    store_note(s, STORE_NOTE_INFO, "Importing '%s (%s)' -> '%s'", opt->path, opt->url,
               store_show(s, a, out));
    return opt->no_download ? find_commit(a, &place, commit, e)
                            : bring(s, a, &place, out, hash, commit, e);
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
    if (importurl_check_out(s, a, p, out, e) < 0 ||
        import_data(s, a, opt, out, &hash, commit, e) < 0 ||
        gitignore_add(s->repo, out, NULL, e) < 0) {
        return -1;
    }
    struct dvcfile_import x = {.dep_path = opt->path,
                               .out_path = path_basename(out),
                               .dep = &no_hash,
                               .out = &hash,
                               .repo_url = opt->url,
                               .rev = opt->rev,
                               .rev_lock = commit[0] ? commit : NULL,
                               .frozen = true,
                               .no_exec = opt->no_exec};
    struct strbuf text;
    strbuf_init(&text);
    write_settings(a, &opt->settings, &x);
    dvcfile_new_import(&text, &x);
    int rc = fs_write_if_changed(repo_abs(s->repo, a, *file), text.p, text.n, NULL, e);
    strbuf_release(&text);
    return rc;
}

bool gitsource_is_import(const struct stage *st)
{
    return st->is_import && st->dep_count == 1 && st->out_count == 1 && st->deps[0].repo &&
           text_at(st->deps[0].repo, "url");
}

/* ---- update ---- */

int gitsource_update(struct store *s, struct arena *a, const struct stage *st, const char *rev,
                     bool no_download, struct err *e)
{
    struct gitsource_record r;
    const struct out *o = &st->outs[0];
    gitsource_record(a, st, &r);
    bool same_rev = !rev || (r.place.rev && strcmp(r.place.rev, rev) == 0);
    r.place.rev = rev ? rev : r.place.rev;
    struct hash hash = no_hash;
    char commit[65];
    if (find_commit(a, &r.place, commit, e) < 0) {
        return -1;
    }
    bool whole = o->hash.md5 && fs_exists(repo_abs(s->repo, a, o->path)) &&
                 cas_has_all(s->cas, (struct cas_id){o->hash.md5, o->hash.legacy}, NULL);
    if (r.rev_lock && strcmp(r.rev_lock, commit) == 0 && whole && same_rev) {
        store_note(s, STORE_NOTE_INFO, "'%s' didn't change, skipping", st->addr);
        return 0;
    }
    store_note(s, STORE_NOTE_INFO, "Importing '%s' -> '%s'", r.shown, store_show(s, a, o->path));
    if (!no_download && bring(s, a, &r.place, o->path, &hash, commit, e) < 0) {
        return -1;
    }
    const struct dvcfile_import now = {
        .repo_url = r.place.url, .rev = rev, .rev_lock = commit, .out = &hash};
    return dvcfile_change_import(repo_abs(s->repo, a, st->file), &now, e);
}

/* ---- what is recorded, against the source ---- */

/* "COMMIT\tREF": is it the ref that git would take for `rev`? */
static bool is_ref(struct str line, size_t tab, const char *rev)
{
    static const char *const folders[] = {"", "refs/heads/", "refs/tags/"};
    struct str ref = str_sub(line, tab + 1, line.n);
    for (size_t i = 0; i < ARRAY_SIZE(folders); i++) {
        if (str_starts(ref, folders[i]) && str_is(str_sub(ref, strlen(folders[i]), ref.n), rev)) {
            return true;
        }
    }
    return false;
}

/* Asks `git ls-remote` for the commit. *found false: the refs do not say it. */
static int ask_refs(const struct gitsource_place *place, char commit[65], bool *found,
                    struct err *e)
{
    struct proc_status st;
    struct strbuf out, words;
    const char *rev = place->rev ? place->rev : "HEAD";
    const char *argv[] = {"git", "ls-remote", "-q", "--", place->url, rev, NULL};
    const struct proc_options opt = {.argv = argv, .stdin_fd = PROC_NULL};
    strbuf_init(&out);
    strbuf_init(&words);
    *found = false;
    int rc = proc_capture(&opt, &out, &words, &st, e);
    struct str rest = strbuf_str(&out), line;
    size_t lines = 0;
    while (rc == 0 && rest.n > 0 && str_split(&rest, '\n', &line)) {
        size_t n = 0;
        while (n < line.n && line.p[n] != '\t') {
            n++;
        }
        if (n >= 40 && n <= 64 && n < line.n) {
            memcpy(commit, line.p, n);
            commit[n] = '\0';
            lines += is_ref(line, n, rev) ? 1 : 2;
        }
    }
    /* a name that is both branch and tag, or an annotated tag, takes a clone to tell */
    *found = rc == 0 && proc_exit_code(&st) == 0 && lines == 1;
    strbuf_release(&out);
    strbuf_release(&words);
    return rc;
}

int gitsource_outdated(struct arena *a, const struct gitsource_record *r, bool *outdated,
                       struct err *e)
{
    char commit[65] = "";
    bool found = false;
    *outdated = false;
    if (!r->rev_lock) {
        return 0;
    }
    if (strstr(r->place.url, "://") && ask_refs(&r->place, commit, &found, e) < 0) {
        return -1;
    }
    if (!found && find_commit(a, &r->place, commit, e) < 0) {
        return -1;
    }
    *outdated = strcmp(commit, r->rev_lock) != 0;
    return 0;
}

int gitsource_fetch(struct store *s, struct arena *a, const struct gitsource_record *r,
                    size_t *files, struct err *e)
{
    const struct cas_id id = {r->hash.md5, r->hash.legacy};
    *files = 0;
    if (!id.md5 || cas_has_all(s->cas, id, NULL)) {
        return 0;
    }
    char *dir = arena_printf(a, "%s/import-XXXXXX", s->repo->tmp_dir), commit[65];
    struct gitsource_place place = r->place;
    struct hash hash = no_hash;
    place.rev = r->rev_lock ? r->rev_lock : place.rev;
    if (fs_mkdirs(s->repo->tmp_dir, e) < 0) {
        return -1;
    }
    if (!mkdtemp(dir)) {
        return err_sys(e, "cannot make a folder like %s", dir);
    }
    int rc = bring(s, a, &place, path_join(a, dir, "data"), &hash, commit, e);
    fs_remove_tree(dir, NULL);
    if (rc == 0 && (!hash.md5 || strcmp(hash.md5, id.md5) != 0)) {
        rc = err_set(e, ERR_REMOTE, "'%s' in %s has the md5 %s, not %s as recorded", r->shown,
                     commit, hash.md5 ? hash.md5 : "none", id.md5);
    }
    *files = rc == 0 ? (hash.nfiles >= 0 ? (size_t)hash.nfiles : 1) : 0;
    return rc;
}
