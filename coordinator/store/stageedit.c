/* stageedit: freeze, remove, move, destroy; see stageedit.h. Source: DVC 3.67,
 * dvc/repo/{remove,move,freeze, destroy}.py and dvc/dvcfile.py. */
#include "stageedit.h"

#include "cas.h"
#include "commit_private.h"
#include "dvcfile.h"
#include "emit.h"
#include "err.h"
#include "fs.h"
#include "gitignore.h"
#include "graph.h"
#include "lock.h"
#include "path.h"
#include "repo.h"
#include "repolock.h"
#include "schema.h"
#include "stagefile.h"
#include "store.h"
#include "yaml.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define MAX_FILE ((size_t)16 << 20)

static void note_file(struct arena *a, struct stageedit_files *f, const char *path)
{
    for (size_t i = 0; i < f->count; i++) {
        if (strcmp(f->items[i], path) == 0) {
            return;
        }
    }
    if (f->count == f->capacity) {
        size_t capacity = f->capacity ? f->capacity * 2 : 8;
        const char **items = ARENA_ARRAY(a, capacity, const char *);
        if (f->count) {
            memcpy(items, f->items, f->count * sizeof(*items));
        }
        f->items = items;
        f->capacity = capacity;
    }
    f->items[f->count++] = arena_strdup(a, path);
}

/* A running stage has its outs to itself: the lock that `repro` and DVC hold for it. Returns new
 * (rwlock_free); NULL with DVC's text when one of the paths is in use. */
static struct rwlock *claim(struct store *s, struct arena *a, const char *cmd,
                            const char *const *paths, size_t count, struct err *e)
{
    struct strbuf warnings;
    const char **abs = ARENA_ARRAY(a, count + 1, const char *);
    for (size_t i = 0; i < count; i++) {
        abs[i] = repo_abs(s->repo, a, paths[i]);
    }
    strbuf_init(&warnings);
    struct rwlock *l = rwlock_new(s->repo, cmd);
    if (rwlock_acquire(l, 1, NULL, 0, abs, count, &warnings, e) < 0) {
        rwlock_free(l);
        l = NULL;
    }
    strbuf_release(&warnings);
    return l;
}

/* ---- one file ---- */

static int read_file(const struct repo *r, struct arena *a, const char *path, struct strbuf *text,
                     struct err *e)
{
    struct err why = ERR_INIT;
    if (fs_read(repo_abs(r, a, path), MAX_FILE, text, &why) < 0) {
        return why.code == ERR_MISSING ? err_set(e, ERR_MISSING, "'%s' does not exist", path)
                                       : err_set(e, why.code, "%s", why.text);
    }
    return 0;
}

/* The file of a target, as typed parts; *file is its repo path. */
static int find_file(const struct repo *r, struct arena *a, const char *target, const char **file,
                     const char **name, struct err *e)
{
    struct graph_address at;
    if (graph_parse_address(a, target, &at, e) < 0) {
        return -1;
    }
    *file = repo_path(r, a, at.file ? at.file : "dvc.yaml");
    *name = at.name;
    if (!fs_exists(repo_abs(r, a, *file))) {
        return err_set(e, ERR_MISSING, "'%s' does not exist",
                       at.file && strcmp(at.file, "dvc.yaml") != 0 ? repo_abs(r, a, *file)
                                                                   : "dvc.yaml");
    }
    if (!graph_is_pipeline_name(*file)) {
        return err_set(e, ERR_USAGE,
                       "bad DVC file name '%s'. DVC files should be named 'dvc.yaml' or have a "
                       "'.dvc' suffix (e.g. '%s.dvc').",
                       repo_show(r, a, *file), path_basename(*file));
    }
    return 0;
}

static int load_file(struct pipeline *p, const struct repo *r, struct arena *a, const char *file,
                     struct err *e)
{
    struct strbuf text;
    strbuf_init(&text);
    int rc = read_file(r, a, file, &text, e);
    if (rc == 0) {
        rc = pipeline_parse(p, r, file, strbuf_str(&text), e);
    }
    strbuf_release(&text);
    return rc;
}

static bool is_single(const char *file)
{
    return strcmp(path_basename(file), "dvc.yaml") != 0;
}

static int no_stage(const struct repo *r, struct arena *a, const char *file, const char *name,
                    struct err *e)
{
    return err_set(e, ERR_MISSING, "Stage '%s' not found inside '%s' file", name,
                   repo_show(r, a, file));
}

/* ---- freeze ---- */

int stageedit_freeze(struct repo *r, struct arena *a, const char *target, bool frozen,
                     const char **shown, const char **name, struct err *e)
{
    const char *file;
    struct pipeline p;
    if (find_file(r, a, target, &file, name, e) < 0) {
        return -1;
    }
    *shown = repo_show(r, a, file);
    if (is_single(file)) {
        *name = NULL;
    } else if (!*name) {
        return err_set(e, ERR_USAGE,
                       "Stage name not provided.Please specify the name as: `%s:stage_name`",
                       *shown);
    }
    pipeline_init(&p);
    struct strbuf text, out;
    strbuf_init(&text);
    strbuf_init(&out);
    int rc = load_file(&p, r, a, file, e);
    if (rc == 0 && *name && !pipeline_find(&p, file, *name)) {
        rc = no_stage(r, a, file, *name, e);
    }
    if (rc == 0) {
        rc = read_file(r, a, file, &text, e);
    }
    if (rc == 0) {
        rc = stagefile_set_frozen(strbuf_str(&text), *shown, *name, frozen, &out, e);
    }
    if (rc == 0) {
        rc = fs_write_if_changed(repo_abs(r, a, file), out.p, out.n, NULL, e);
    }
    strbuf_release(&text);
    strbuf_release(&out);
    pipeline_release(&p);
    return rc;
}

/* ---- remove ---- */

struct removal {
    struct store *s;
    struct arena *a;
    bool outs;
    struct stageedit_files *files;
};

/* The data of a stage: deleted, or left as files that may be written to. */
static int let_go(const struct removal *x, const struct stage *st, struct err *e)
{
    for (size_t i = 0; i < st->out_count; i++) {
        const struct out *o = &st->outs[i];
        const char *abs = repo_abs(x->s->repo, x->a, o->path);
        if (x->outs && fs_remove_tree(abs, e) < 0) {
            return -1;
        }
        if (!o->cache) {
            continue;
        }
        bool changed = false;
        if ((!x->outs && fs_exists(abs) && cas_unprotect(x->s->cas, abs, e) < 0) ||
            gitignore_remove(x->s->repo, o->path, &changed, e) < 0) {
            return -1;
        }
        if (changed) {
            note_file(x->a, x->files, path_join(x->a, path_dirname(x->a, o->path), ".gitignore"));
        }
    }
    return 0;
}

static int drop_from_lock(const struct removal *x, const struct stage *st, struct err *e)
{
    struct lock *l = store_lock(x->s, st->file, e);
    if (!l) {
        return -1;
    }
    if (lock_remove(l, st->name)) {
        note_file(x->a, x->files, path_join(x->a, path_dirname(x->a, st->file), "dvc.lock"));
        return lock_write(l, e);
    }
    return 0;
}

static int drop_from_yaml(const struct removal *x, const struct stage *st, struct err *e)
{
    const struct repo *r = x->s->repo;
    const char *abs = repo_abs(r, x->a, st->file);
    struct strbuf text, out;
    bool empty = false;
    strbuf_init(&text);
    strbuf_init(&out);
    int rc = read_file(r, x->a, st->file, &text, e);
    if (rc == 0) {
        rc = stagefile_remove_stage(strbuf_str(&text), repo_show(r, x->a, st->file), st->name, &out,
                                    &empty, e);
    }
    if (rc == 0) {
        rc = empty ? fs_remove(abs, e) : fs_write_atomic(abs, out.p, out.n, 0, e);
    }
    strbuf_release(&text);
    strbuf_release(&out);
    return rc;
}

static int let_go_claimed(const struct removal *x, const struct stage *st, struct err *e)
{
    const char **paths = ARENA_ARRAY(x->a, st->out_count + 1, const char *);
    for (size_t i = 0; i < st->out_count; i++) {
        paths[i] = st->outs[i].path;
    }
    struct rwlock *l = claim(x->s, x->a, "nephron remove", paths, st->out_count, e);
    int rc = l ? let_go(x, st, e) : -1;
    rwlock_free(l);
    return rc;
}

/* As DVC: the data first, then the lock's entry, the stage itself last. What is killed on the way
 * can be called again. */
static int remove_stage(const struct removal *x, const struct stage *st, struct err *e)
{
    if (let_go_claimed(x, st, e) < 0) {
        return -1;
    }
    note_file(x->a, x->files, st->file);
    if (!st->name) {
        return fs_remove(repo_abs(x->s->repo, x->a, st->file), e);
    }
    if (st->group) {
        return err_set(e, ERR_USAGE, "cannot remove a parametrized stage: '%s'", st->addr);
    }
    return drop_from_lock(x, st, e) < 0 ? -1 : drop_from_yaml(x, st, e);
}

static int hint_dvc_file(const struct repo *r, struct arena *a, const char *target, struct err *e)
{
    const char *file = arena_printf(a, "%s.dvc", target);
    if (e && e->code == ERR_MISSING && fs_exists(repo_abs(r, a, repo_path(r, a, file)))) {
        err_wrap(e, "'%s' is not a .dvc file. Do you mean '%s'?", target, file);
    }
    return -1;
}

int stageedit_remove(struct store *s, struct arena *a, const char *target, bool outs,
                     struct stageedit_files *files, struct err *e)
{
    const char *file, *name;
    if (find_file(s->repo, a, target, &file, &name, e) < 0) {
        return hint_dvc_file(s->repo, a, target, e);
    }
    const struct removal x = {s, a, outs, files};
    struct pipeline p;
    pipeline_init(&p);
    int rc = load_file(&p, s->repo, a, file, e);
    if (rc == 0 && name && !is_single(file)) {
        const struct stage *st = pipeline_find(&p, file, name);
        rc = st ? remove_stage(&x, st, e) : no_stage(s->repo, a, file, name, e);
        rc = st ? rc : hint_dvc_file(s->repo, a, target, e);
    } else {
        for (size_t i = 0; rc == 0 && i < p.stage_count; i++) {
            rc = remove_stage(&x, &p.stages[i], e);
        }
    }
    pipeline_release(&p);
    return rc;
}

/* ---- move ---- */

struct moving {
    struct store *s;
    struct arena *a;
    const struct stage *st;
    const struct out *out;
    const char *to;   /* repo path of the data */
    const char *file; /* repo path of the .dvc file, maybe the old one */
    struct stageedit_files *files;
};

static const struct out *find_out(const struct pipeline *p, const char *path,
                                  const struct stage **owner)
{
    for (size_t i = 0; i < p->stage_count; i++) {
        const struct stage *st = &p->stages[i];
        for (size_t k = 0; k < st->out_count; k++) {
            if (strcmp(st->outs[k].path, path) == 0) {
                *owner = st;
                return &st->outs[k];
            }
        }
    }
    return NULL;
}

static bool named_after_data(const struct stage *st, const struct out *o)
{
    const char *base = path_basename(st->file), *data = path_basename(o->path);
    size_t n = strlen(data);
    return strncmp(base, data, n) == 0 && strcmp(base + n, ".dvc") == 0;
}

static int check_move(const struct moving *m, struct err *e)
{
    const struct repo *r = m->s->repo;
    const char *dir = repo_abs(r, m->a, path_dirname(m->a, m->to));
    if (m->to[0] == '/' || strncmp(m->to, "..", 2) == 0) {
        return err_set(e, ERR_USAGE, "Cached output(s) outside of DVC project: %s.", m->to);
    }
    if (!fs_is_dir(dir)) {
        return err_set(e, ERR_MISSING, "stage working dir '%s' does not exist", dir);
    }
    if (m->file != m->st->file && gitignore_ignored(m->s->repo, m->file)) {
        return err_set(e, ERR_USAGE, "bad DVC file name '%s' is git-ignored.",
                       repo_show(r, m->a, m->file));
    }
    if (m->file != m->st->file && fs_exists(repo_abs(r, m->a, m->file))) {
        return err_set(e, ERR_USAGE, "'%s' already exists", repo_show(r, m->a, m->file));
    }
    return 0;
}

/* Paths of dependencies are written from the folder of the .dvc file. */
static void move_deps(const struct moving *m, struct value *doc)
{
    struct value *deps = value_get(doc, "deps");
    const char *dir = path_dirname(m->a, m->file);
    for (size_t i = 0; deps && i < m->st->dep_count && i < deps->list.count; i++) {
        const struct dep *d = &m->st->deps[i];
        if (!d->is_url && d->def[0] != '/') {
            value_set(m->a, deps->list.items[i], "path",
                      value_cstr(m->a, path_relative(m->a, repo_abs(m->s->repo, m->a, dir),
                                                     repo_abs(m->s->repo, m->a, d->path))));
        }
    }
}

static int write_moved(const struct moving *m, struct err *e)
{
    const struct repo *r = m->s->repo;
    struct strbuf text;
    strbuf_init(&text);
    int rc = read_file(r, m->a, m->st->file, &text, e);
    struct value *doc = rc == 0 ? yaml_parse(m->a, strbuf_str(&text), NULL, e) : NULL;
    struct value *outs = value_get(doc, "outs");
    strbuf_reset(&text);
    if (outs && outs->type == VALUE_LIST && outs->list.count == 1) {
        const char *dir = m->file == m->st->file ? m->st->wdir : path_dirname(m->a, m->file);
        value_set(m->a, outs->list.items[0], "path",
                  value_cstr(
                      m->a, path_relative(m->a, repo_abs(r, m->a, dir), repo_abs(r, m->a, m->to))));
        if (m->file != m->st->file) {
            value_remove(doc, "wdir");
            move_deps(m, doc);
        }
        if (m->st->is_import) {
            char md5[33];
            dvcfile_stage_md5(doc, md5);
            value_set(m->a, doc, "md5", value_cstr(m->a, md5));
        }
        emit_yaml(&text, doc, NULL);
        rc = fs_write_atomic(repo_abs(r, m->a, m->file), text.p, text.n, 0, e);
    } else if (doc) {
        rc = err_set(e, ERR_FORMAT, "'%s' tracks more than one output: move it by hand",
                     repo_show(r, m->a, m->st->file));
    } else {
        rc = -1;
    }
    strbuf_release(&text);
    return rc;
}

static int move_data(const struct moving *m, struct err *e)
{
    const struct repo *r = m->s->repo;
    const char *from = repo_abs(r, m->a, m->out->path), *to = repo_abs(r, m->a, m->to);
    struct stat st;
    if (lstat(from, &st) < 0) {
        store_note(m->s, STORE_NOTE_WARN, "'%s' missing", from);
        return 0;
    }
    if (rename(from, to) < 0) {
        return err_sys(e, "cannot move '%s' to '%s'", from, to);
    }
    return 0;
}

static int run_move(const struct moving *m, struct err *e)
{
    bool changed = false;
    bool there = content_kind(m->s, m->out->path, false) != CONTENT_MISSING;
    /* the new file stands before the old one goes: killed on the way, the data is tracked at least
     * once */
    if (move_data(m, e) < 0 || write_moved(m, e) < 0 ||
        gitignore_remove(m->s->repo, m->out->path, &changed, e) < 0) {
        return -1;
    }
    if (m->out->cache && gitignore_add(m->s->repo, m->to, NULL, e) < 0) {
        return -1;
    }
    if (there && m->out->cache) {
        struct content now;
        if (commit_data(m->s, m->a, m->to, 0, &now, e) < 0) {
            return -1;
        }
    }
    note_file(m->a, m->files, m->file);
    note_file(m->a, m->files, m->st->file);
    return m->file == m->st->file ? 0 : fs_remove(repo_abs(m->s->repo, m->a, m->st->file), e);
}

int stageedit_move(struct store *s, struct arena *a, const struct pipeline *p, const char *from,
                   const char *to, struct stageedit_files *files, struct err *e)
{
    const struct repo *r = s->repo;
    const char *source = repo_path(r, a, from), *target = repo_path(r, a, to);
    if (graph_is_pipeline_name(source)) {
        return err_set(e, ERR_USAGE, "DVC file '%s' cannot be an output.", repo_show(r, a, source));
    }
    if (fs_is_dir(repo_abs(r, a, target))) {
        target = path_join(a, target, path_basename(source));
    }
    struct moving m = {.s = s, .a = a, .to = target, .files = files};
    m.out = find_out(p, source, &m.st);
    if (!m.out) {
        return err_set(e, ERR_MISSING, "Unable to find DVC file with output '%s'",
                       repo_show(r, a, source));
    }
    if (m.st->name) {
        return err_set(e, ERR_USAGE,
                       "move is not permitted for stages that are not data sources. You need to "
                       "either move '%s' to a new location and edit it by hand, or remove '%s' and "
                       "create a new one at the desired location.",
                       m.st->addr, m.st->addr);
    }
    m.file = named_after_data(m.st, m.out) ? arena_printf(a, "%s.dvc", target) : m.st->file;
    if (check_move(&m, e) < 0) {
        return -1;
    }
    const char *paths[] = {m.out->path, m.to};
    struct rwlock *l = claim(s, a, "nephron move", paths, 2, e);
    int rc = l ? run_move(&m, e) : -1;
    rwlock_free(l);
    return rc;
}

/* ---- destroy ---- */

int stageedit_destroy(struct store *s, struct arena *a, const struct pipeline *p, struct err *e)
{
    const struct repo *r = s->repo;
    for (size_t i = 0; i < p->stage_count; i++) {
        const struct stage *st = &p->stages[i];
        for (size_t k = 0; k < st->out_count; k++) {
            const char *abs = repo_abs(r, a, st->outs[k].path);
            if (st->outs[k].cache && fs_exists(abs) && cas_unprotect(s->cas, abs, e) < 0) {
                return -1;
            }
        }
    }
    for (size_t i = 0; i < p->stage_count; i++) {
        const char *file = p->stages[i].file;
        const char *lock = path_join(a, path_dirname(a, file), "dvc.lock");
        if (fs_remove(repo_abs(r, a, file), e) < 0 ||
            (p->stages[i].name && fs_remove(repo_abs(r, a, lock), e) < 0)) {
            return -1;
        }
    }
    return fs_remove(path_join(a, r->root, ".dvcignore"), e) < 0 ? -1
                                                                 : fs_remove_tree(r->dvc_dir, e);
}
