/* importurl: see importurl.h. Source: DVC 3.67, dvc/repo/imp_url.py, dvc/stage/imports.py. */
#include "importurl.h"

#include "cas.h"
#include "checkout.h"
#include "commit_private.h"
#include "content.h"
#include "dvcfile.h"
#include "err.h"
#include "fs.h"
#include "gitignore.h"
#include "gitsource.h"
#include "path.h"
#include "repo.h"
#include "store.h"
#include "str.h"
#include "toremote.h"
#include "urlsource.h"
#include "value.h"

#include <string.h>
#include <unistd.h>

static const struct hash no_hash = {.size = -1, .nfiles = -1};

int importurl_check_out(struct store *s, struct arena *a, const struct pipeline *p,
                        const char *path, struct err *e)
{
    const char *dir = repo_abs(s->repo, a, path_dirname(a, path));
    const char *file = arena_printf(a, "%s.dvc", path);
    if (path[0] == '/' || strncmp(path, "..", 2) == 0) {
        return err_set(e, ERR_USAGE, "Cached output(s) outside of DVC project: %s.", path);
    }
    if (!fs_is_dir(dir)) {
        return err_set(e, ERR_MISSING, "stage working dir '%s' does not exist", dir);
    }
    for (size_t i = 0; i < p->stage_count; i++) {
        const struct stage *st = &p->stages[i];
        for (size_t k = 0; k < st->out_count && strcmp(st->file, file) != 0; k++) {
            const char *other = st->outs[k].path;
            if (strcmp(other, path) == 0) {
                return err_set(e, ERR_USAGE, "output '%s' is already specified in stage: '%s'.",
                               store_show(s, a, path), st->addr);
            }
            if (path_inside(other, path) || path_inside(path, other)) {
                return err_set(
                    e, ERR_USAGE,
                    "The output paths:\n'%s'('%s')\n'%s'('%s')\noverlap and are thus in the same "
                    "tracked directory.\nTo keep reproducibility, outputs should be in separate "
                    "tracked directories or tracked individually.",
                    store_show(s, a, other), st->addr, store_show(s, a, path),
                    store_show(s, a, file));
            }
        }
    }
    return 0;
}

/* ---- the source ---- */

struct importing {
    struct store *s;
    struct arena *a;
    struct urlsource src;
    const char *out;      /* repo path */
    const char *dep_path; /* as the .dvc file has it */
    struct hash dep, data;
    struct urlsource_facts facts; /* of what is not LOCAL */
    const struct value *fs_config;
};

/* A path inside of the repository is written from the folder of the .dvc file, one outside as it
 * was typed. */
static const char *written_path(const struct importing *x, const char *url)
{
    const struct repo *r = x->s->repo;
    const char *dir = repo_abs(r, x->a, path_dirname(x->a, x->out));
    bool relative = x->src.kind == URLSOURCE_LOCAL && strstr(url, "://") == NULL && url[0] != '/';
    bool inside = x->src.kind == URLSOURCE_LOCAL && path_inside(r->root, x->src.path) &&
                  strstr(url, "://") == NULL;
    return relative || inside ? path_relative(x->a, dir, x->src.path) : url;
}

static const char *shown_source(const struct importing *x)
{
    const struct repo *r = x->s->repo;
    if (x->src.kind != URLSOURCE_LOCAL) {
        return x->src.url;
    }
    return path_inside(r->root, x->src.path)
               ? store_show(x->s, x->a, repo_path(r, x->a, x->src.path))
               : x->src.path;
}

static void say_importing(const struct importing *x)
{
    store_note(x->s, STORE_NOTE_INFO, "Importing '%s' -> '%s'", shown_source(x),
               store_show(x->s, x->a, x->out));
}

/* The hash of a local source as it is now. */
static int read_source(struct importing *x, struct err *e)
{
    struct content c = {.path = repo_path(x->s->repo, x->a, x->src.path)};
    if (content_read(x->s, x->a, &c, 1, e) < 0) {
        return -1;
    }
    if (c.kind != CONTENT_FILE && c.kind != CONTENT_DIR) {
        return err_set(e, ERR_MISSING, "dependency '%s' does not exist", shown_source(x));
    }
    x->dep = c.hash;
    return 0;
}

static void take_facts(struct importing *x)
{
    x->dep = (struct hash){.md5 = x->facts.md5, .size = x->facts.size, .nfiles = x->facts.nfiles};
}

/* A server that gave no ETag with the download is asked for what stands for it. */
static int take_web_facts(struct importing *x, int64_t size, struct err *e)
{
    struct urlsource_facts facts;
    x->dep = (struct hash){.size = size, .nfiles = -1};
    if (!x->facts.etag && urlsource_look(x->a, &x->src, &facts, e) < 0) {
        return -1;
    }
    x->facts.etag = x->facts.etag ? x->facts.etag : facts.etag;
    return 0;
}

/* The data into workspace and cache. */
static int bring(struct importing *x, struct err *e)
{
    struct content now;
    const char *to = repo_abs(x->s->repo, x->a, x->out);
    if (x->src.kind == URLSOURCE_LOCAL && read_source(x, e) < 0) {
        return -1;
    }
    if (urlsource_copy(x->a, &x->src, to, &x->facts, e) < 0 ||
        commit_data(x->s, x->a, x->out, 0, &now, e) < 0) {
        return -1;
    }
    x->data = now.hash;
    if (x->src.kind == URLSOURCE_HTTP) {
        return take_web_facts(x, now.hash.size, e);
    } else if (x->src.kind == URLSOURCE_STORE) {
        take_facts(x);
    } else if (strcmp(x->dep.md5, now.hash.md5) != 0) {
        return err_set(e, ERR_BUSY, "'%s' changed while it was copied: try again", shown_source(x));
    }
    return 0;
}

static int write_text(struct importing *x, const char *file, const struct strbuf *text,
                      struct err *e)
{
    return fs_write_if_changed(repo_abs(x->s->repo, x->a, file), text->p, text->n, NULL, e);
}

/* ---- import-url ---- */

/* What is not of this machine goes by way of .dvc/tmp. */
static int pass_on(struct importing *x, const char *remote, struct err *e)
{
    if (x->src.kind == URLSOURCE_LOCAL) {
        return toremote_put(x->s, x->a, x->src.path, remote, &x->data, e) < 0 ? -1
                                                                              : read_source(x, e);
    }
    const char *tmp =
        arena_printf(x->a, "%s/nephron/import-%ld", x->s->repo->tmp_dir, (long)getpid());
    int rc = urlsource_copy(x->a, &x->src, tmp, &x->facts, e);
    if (rc == 0) {
        rc = toremote_put(x->s, x->a, tmp, remote, &x->data, e);
    }
    if (rc == 0 && x->src.kind == URLSOURCE_STORE) {
        take_facts(x);
    } else if (rc == 0) {
        rc = take_web_facts(x, x->data.size, e);
    }
    fs_remove_tree(tmp, NULL);
    return rc;
}

static int look_only(struct importing *x, struct err *e)
{
    if (x->src.kind == URLSOURCE_LOCAL) {
        return read_source(x, e);
    }
    if (urlsource_look(x->a, &x->src, &x->facts, e) < 0) {
        return -1;
    }
    take_facts(x);
    return 0;
}

static int fill(struct importing *x, const struct importurl_options *opt, struct err *e)
{
    if (opt->no_exec) {
        return 0;
    }
    if (opt->to_remote) {
        return pass_on(x, opt->remote, e);
    }
    say_importing(x);
    return opt->no_download ? look_only(x, e) : bring(x, e);
}

static const char *etag_name(const struct importing *x)
{
    return urlsource_has_checksums(&x->src) ? NULL : "etag";
}

static int check_flags(const struct importurl_options *opt, struct err *e)
{
    if (opt->to_remote && (opt->no_exec || opt->no_download)) {
        return err_set(
            e, ERR_USAGE,
            "--no-exec/--no-download/--version-aware cannot be combined with --to-remote");
    }
    if (!opt->to_remote && opt->remote) {
        return err_set(e, ERR_USAGE, "--remote can't be used without --to-remote");
    }
    return 0;
}

/* The settings of the command line, which the .dvc file keeps. */
static const struct value *own_settings(struct arena *a, const struct importurl_options *opt)
{
    struct urlsource only = {.kind = URLSOURCE_STORE};
    urlsource_set(a, &only, opt->fs_config, opt->fs_config_count, NULL);
    return only.options;
}

int importurl_run(struct store *s, struct arena *a, const struct pipeline *p,
                  const struct importurl_options *opt, const char **file, struct err *e)
{
    struct importing x = {.s = s, .a = a, .dep = no_hash, .data = no_hash};
    if (urlsource_parse(a, s->repo->config, opt->url, &x.src, e) < 0 ||
        urlsource_set(a, &x.src, opt->fs_config, opt->fs_config_count, e) < 0) {
        return -1;
    }
    x.fs_config = opt->fs_config_count > 0 ? own_settings(a, opt) : NULL;
    const char *to = urlsource_target(a, &x.src, opt->out, opt->force, e);
    if (!to) {
        return -1;
    }
    x.out = repo_path(s->repo, a, to);
    *file = arena_printf(a, "%s.dvc", x.out);
    if (check_flags(opt, e) < 0 || importurl_check_out(s, a, p, x.out, e) < 0) {
        return -1;
    }
    x.dep_path = written_path(&x, opt->url);
    if (fill(&x, opt, e) < 0 || gitignore_add(s->repo, x.out, NULL, e) < 0) {
        return -1;
    }
    struct strbuf text;
    strbuf_init(&text);
    dvcfile_new_import(&text, &(struct dvcfile_import){.dep_path = x.dep_path,
                                                       .out_path = path_basename(x.out),
                                                       .dep = &x.dep,
                                                       .out = &x.data,
                                                       .etag = x.facts.etag,
                                                       .etag_name = etag_name(&x),
                                                       .fs_config = x.fs_config,
                                                       .frozen = true,
                                                       .no_exec = opt->no_exec});
    int rc = write_text(&x, *file, &text, e);
    strbuf_release(&text);
    return rc;
}

/* ---- update ---- */

static bool same_hash(const struct hash *a, const struct hash *b)
{
    return a->md5 && b->md5 && strcmp(a->md5, b->md5) == 0;
}

/* Is the data there, as recorded, and in the cache? */
static int data_is_whole(struct importing *x, const struct out *o, bool *whole, struct err *e)
{
    struct content c = {.path = o->path, .legacy = o->hash.legacy, .honour_ignore = true};
    if (content_read(x->s, x->a, &c, 1, e) < 0) {
        return -1;
    }
    *whole = o->hash.md5 && same_hash(&c.hash, &o->hash) &&
             cas_has_all(x->s->cas, (struct cas_id){o->hash.md5, o->hash.legacy}, NULL);
    return 0;
}

/*
 * The fields of the one dep and the one out, and the md5 over both. DVC's md5 of an update without
 * download is that of the file before the out's hash was taken off.
 */
static int edit_file(void *ctx, struct str text, struct strbuf *out, struct err *e)
{
    struct importing *x = ctx;
    struct strbuf dep, next;
    strbuf_init(&dep);
    strbuf_init(&next);
    bool keep_out = !x->data.md5;
    int rc = dvcfile_edit(text, "deps", 0, &x->dep, &dep, e);
    if (rc == 0) {
        rc = keep_out ? dvcfile_renew_md5(strbuf_str(&dep), &next, e)
                      : dvcfile_edit(strbuf_str(&dep), "outs", 0, &x->data, &next, e);
    }
    if (rc == 0) {
        rc = keep_out ? dvcfile_edit(strbuf_str(&next), "outs", 0, &x->data, out, e)
                      : dvcfile_renew_md5(strbuf_str(&next), out, e);
    }
    strbuf_release(&dep);
    strbuf_release(&next);
    return rc;
}

static int write_update(struct importing *x, const struct stage *st, struct err *e)
{
    return dvcfile_change(repo_abs(x->s->repo, x->a, st->file), edit_file, x, e);
}

/* What an object store says now is what is recorded, and the data is whole. */
static int is_unchanged(struct importing *x, const struct stage *st, bool *same, struct err *e)
{
    const struct dep *d = &st->deps[0];
    bool whole;
    if (data_is_whole(x, &st->outs[0], &whole, e) < 0 || look_only(x, e) < 0) {
        return -1;
    }
    const char *now = x->facts.etag ? x->facts.etag : x->facts.md5;
    const char *then = x->facts.etag ? d->hash.etag : d->hash.md5;
    *same = whole && now && then && strcmp(now, then) == 0;
    return 0;
}

/* What is not of this machine is brought again, and written anew with its ETag. */
static int update_far(struct importing *x, const struct stage *st,
                      const struct importurl_update *opt, struct err *e)
{
    bool same = false;
    if (!opt->to_remote && is_unchanged(x, st, &same, e) < 0) {
        return -1;
    }
    if (same) {
        store_note(x->s, STORE_NOTE_INFO, "'%s' didn't change, skipping", st->addr);
        return 0;
    }
    if (!opt->to_remote) {
        say_importing(x);
    }
    int rc = opt->to_remote     ? pass_on(x, opt->remote, e)
             : opt->no_download ? look_only(x, e)
                                : bring(x, e);
    const struct dvcfile_import now = {
        .dep = &x->dep, .out = &x->data, .etag = x->facts.etag, .etag_name = etag_name(x)};
    return rc < 0 ? -1 : dvcfile_change_import(repo_abs(x->s->repo, x->a, st->file), &now, e);
}

static int update_local(struct importing *x, const struct stage *st,
                        const struct importurl_update *opt, struct err *e)
{
    bool whole, there = fs_exists(x->src.path);
    const struct out *o = &st->outs[0];
    if (data_is_whole(x, o, &whole, e) < 0 || (there && read_source(x, e) < 0)) {
        return -1;
    }
    bool same = there && same_hash(&x->dep, &st->deps[0].hash);
    if (opt->to_remote) {
        return toremote_put(x->s, x->a, x->src.path, opt->remote, &x->data, e) < 0
                   ? -1
                   : write_update(x, st, e);
    }
    if (same && whole) {
        store_note(x->s, STORE_NOTE_INFO, "'%s' didn't change, skipping", st->addr);
        return 0;
    }
    say_importing(x);
    if (!there) {
        return read_source(x, e); /* words the error */
    }
    x->data = no_hash;
    if (opt->no_download) {
        /* what is there is out of date; it goes where the cache has it */
        bool gone = !same && whole;
        return gone && fs_remove_tree(repo_abs(x->s->repo, x->a, x->out), e) < 0
                   ? -1
                   : write_update(x, st, e);
    }
    bool cached = same && o->hash.md5 &&
                  cas_has_all(x->s->cas, (struct cas_id){o->hash.md5, o->hash.legacy}, NULL);
    if (cached) {
        return checkout_hash(x->s, x->a, o->path, &o->hash, false, e);
    }
    return bring(x, e) < 0 || gitignore_add(x->s->repo, x->out, NULL, e) < 0
               ? -1
               : write_update(x, st, e);
}

int importurl_update(struct store *s, struct arena *a, const struct stage *st,
                     const struct importurl_update *opt, struct err *e)
{
    if (opt->to_remote && opt->no_download) {
        return err_set(e, ERR_USAGE, "--to-remote can't be used with --no-download");
    }
    if (!opt->to_remote && opt->remote) {
        return err_set(e, ERR_USAGE, "--remote can't be used without --to-remote");
    }
    if (!st->is_import) {
        for (size_t i = 0; i < st->out_count; i++) {
            store_note(s, STORE_NOTE_WARN, "Could not update '%s', it was never pushed to a remote",
                       store_show(s, a, st->outs[i].path));
        }
        return 0;
    }
    if (st->out_count != 1 || st->dep_count != 1) {
        return err_set(e, ERR_FORMAT, "'%s': an import has one dependency and one output",
                       st->addr);
    }
    if (gitsource_is_import(st)) {
        return gitsource_update(s, a, st, opt->rev, opt->no_download, e);
    }
    struct importing x = {.s = s, .a = a, .out = st->outs[0].path, .dep = no_hash, .data = no_hash};
    const char *url =
        st->deps[0].is_url ? st->deps[0].path : repo_abs(s->repo, a, st->deps[0].path);
    if (urlsource_parse(a, s->repo->config, url, &x.src, e) < 0) {
        return -1;
    }
    if (x.src.kind == URLSOURCE_LOCAL) {
        return update_local(&x, st, opt, e);
    }
    x.fs_config = st->deps[0].fs_config;
    if (x.fs_config && x.src.kind == URLSOURCE_STORE) {
        x.src.options = x.fs_config;
    }
    return update_far(&x, st, opt, e);
}
