/*
 * Finding and reading the pipeline files of a repository. Source: DVC 3.67, dvc/repo/index.py and
 * dvc/dvcfile.py.
 *
 * Folders: os.walk order in DVC is the file system's; here files of a folder come first, dvc.yaml
 * before .dvc files by name, then the sub-folders by name. Not entered: what .dvcignore or git
 * ignores, links, and outputs that are known by then.
 */
#include "pipeline.h"

#include "alloc.h"
#include "err.h"
#include "expand.h"
#include "fs.h"
#include "ignore.h"
#include "params.h"
#include "path.h"
#include "repo.h"
#include "schema.h"
#include "stagebuild.h"
#include "template.h"
#include "config.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#define MAX_FILE ((size_t)16 << 20)
#define MAX_FOLDER_DEPTH 256

void pipeline_init(struct pipeline *p)
{
    *p = (struct pipeline){0};
    arena_init(&p->arena);
    p->by_name = value_map(&p->arena);
    p->documents = value_map(&p->arena);
}

void pipeline_release(struct pipeline *p)
{
    free(p->stages);
    free(p->files);
    free(p->warnings);
    arena_release(&p->arena);
    *p = (struct pipeline){0};
}

/* --- reading ---------------------------------------------------------------------------------- */

static bool is_dir(const struct repo *r, struct arena *a, const char *path)
{
    return r->files ? r->files->is_dir(r->files->ctx, path) : fs_is_dir(repo_abs(r, a, path));
}

struct reading {
    struct pipeline *p;
    const struct repo *r;
};

/* template_read_fn: a params or vars file, read once however many stages name it. */
static struct value *read_document(void *ctx, const char *path, const char *shown, struct err *e)
{
    struct reading *in = ctx;
    struct pipeline *p = in->p;
    struct value *doc = value_get(p->documents, path);
    if (doc) {
        return doc;
    }
    if (is_dir(in->r, &p->arena, path)) {
        err_set(e, ERR_USAGE, "'%s' is a directory", shown);
        return NULL;
    }
    struct strbuf text;
    strbuf_init(&text);
    int r = repo_read(in->r, path, MAX_FILE, &text, e);
    if (r < 0) {
        if (e && e->code == ERR_MISSING) {
            err_set(e, ERR_MISSING, "'%s' does not exist", shown);
        }
    } else {
        doc = params_parse(&p->arena, strbuf_str(&text), shown, e);
    }
    strbuf_release(&text);
    if (doc) {
        value_set(&p->arena, p->documents, path, doc);
    }
    return doc;
}

/* --- one dvc.yaml ----------------------------------------------------------------------------- */

struct loading {
    struct pipeline *p;
    const struct stagebuild *build;
};

static const char *stage_key(struct pipeline *p, const struct stage *s)
{
    return arena_printf(&p->arena, "%s:%s", s->file, s->name ? s->name : "");
}

static int add_stage(struct pipeline *p, const struct stage *s)
{
    ARRAY_RESERVE(p->stages, p->stage_count, p->stage_capacity, 1);
    p->stages[p->stage_count] = *s;
    p->stages[p->stage_count].index = p->stage_count;
    value_set(&p->arena, p->by_name, stage_key(p, s),
              value_int(&p->arena, (int64_t)p->stage_count));
    p->stage_count++;
    return 0;
}

static int on_stage(void *ctx, const struct expand_stage *x, struct err *e)
{
    struct loading *l = ctx;
    struct stage s;
    if (stagebuild_stage(l->build, x->name, x->group, x->body, x->line, &s, e) < 0) {
        return -1;
    }
    return add_stage(l->p, &s);
}

static void add_warning(struct pipeline *p, const char *text)
{
    ARRAY_RESERVE(p->warnings, p->warning_count, p->warning_capacity, 1);
    p->warnings[p->warning_count++] = text;
}

static void on_warning(void *ctx, const char *text)
{
    add_warning(((struct loading *)ctx)->p, text);
}

/* A top-level list of paths as repo paths. */
static int read_top_paths(const struct expand *x, const struct stagebuild *b, const char *section,
                          const struct value *list, const char ***paths, size_t *count,
                          struct err *e)
{
    size_t n = list ? list->list.count : 0;
    const char *dir = path_dirname(b->arena, b->file);
    *paths = ARENA_ARRAY(b->arena, n + 1, const char *);
    *count = 0;
    for (size_t i = 0; i < n; i++) {
        const char *name = arena_printf(b->arena, "%zu", i);
        const struct value *v = expand_top(x, section, name, list->list.items[i], e);
        if (!v) {
            return -1;
        }
        if (v->type != VALUE_STR) {
            return err_set(e, ERR_FORMAT, "'%s': %s.%zu: expected str, got %s", b->shown, section,
                           i, value_type_name(v->type));
        }
        (*paths)[(*count)++] = stagebuild_path(b->repo, b->arena, dir, v->s.p);
    }
    return 0;
}

static int read_plots(const struct expand *x, const struct value *given, struct arena *a,
                      const struct value **out, struct err *e)
{
    if (!given) {
        return 0;
    }
    struct value *plots = value_list(a);
    for (size_t i = 0; i < given->list.count; i++) {
        const char *name = arena_printf(a, "%zu", i);
        const struct value *v = expand_top(x, "plots", name, given->list.items[i], e);
        if (!v) {
            return -1;
        }
        value_push(a, plots, (struct value *)v);
    }
    *out = plots;
    return 0;
}

static int read_artifacts(const struct expand *x, const struct value *given, struct arena *a,
                          const struct value **out, struct err *e)
{
    if (!given) {
        return 0;
    }
    struct value *artifacts = value_map(a);
    for (size_t i = 0; i < given->map.count; i++) {
        const struct value_pair *p = &given->map.pairs[i];
        const char *name = value_as_str(p->key).p;
        const struct value *key = expand_top(x, "artifacts", name, p->key, e);
        if (!key) {
            return -1;
        }
        if (key->type != VALUE_STR) {
            return err_set(e, ERR_FORMAT,
                           "failed to resolve 'artifacts.%s' in '%s': expected str, got %s", name,
                           x->shown, value_type_name(key->type));
        }
        const struct value *v = expand_top(x, "artifacts", name, p->val, e);
        if (!v) {
            return -1;
        }
        value_set_key(a, artifacts, (struct value *)key, (struct value *)v);
    }
    *out = artifacts;
    return 0;
}

static int read_top(const struct expand *x, const struct stagebuild *b, const struct value *doc,
                    struct pipeline_file *file, struct err *e)
{
    if (read_top_paths(x, b, "metrics", value_get(doc, "metrics"), &file->metrics,
                       &file->metric_count, e) < 0 ||
        read_plots(x, value_get(doc, "plots"), b->arena, &file->plots, e) < 0 ||
        read_top_paths(x, b, "params", value_get(doc, "params"), &file->params, &file->param_count,
                       e) < 0 ||
        read_artifacts(x, value_get(doc, "artifacts"), b->arena, &file->artifacts, e) < 0) {
        return -1;
    }
    return 0;
}

static struct template_style style_of(const struct repo *r)
{
    struct template_style style = {0};
    const char *b = r->config ? config_get(r->config, "parsing", "bool") : NULL;
    const char *l = r->config ? config_get(r->config, "parsing", "list") : NULL;
    style.bool_optional = b && strcmp(b, "boolean_optional") == 0;
    style.list_append = l && strcmp(l, "append") == 0;
    return style;
}

static int read_dvc_yaml(struct pipeline *p, const struct stagebuild *b, const struct value *doc,
                         struct err *e)
{
    struct reading in = {p, b->repo};
    struct template_ctx context;
    struct template_vars vars = {
        .vars = value_get(doc, "vars"),
        .wdir = path_dirname(b->arena, b->file),
        .wdir_shown = path_dirname(b->arena, b->shown),
        .default_file = "params.yaml",
        .read = read_document,
        .read_ctx = &in,
    };
    struct loading l = {p, b};
    struct expand x = {&context, &vars, b->shown, on_stage, on_warning, &l};
    template_init(&context, &p->arena);
    context.style = style_of(b->repo);
    if (vars.vars && template_has_expr(vars.vars)) {
        return err_set(e, ERR_FORMAT,
                       "failed to parse 'vars' in '%s': interpolating is not allowed", b->shown);
    }
    if (template_load_vars(&context, &vars, e) < 0) {
        return expand_error(&context, "'vars'", b->shown, e);
    }
    struct pipeline_file file = {.path = b->file, .doc = doc};
    if (expand_stages(&x, value_get(doc, "stages"), e) < 0 || read_top(&x, b, doc, &file, e) < 0) {
        return -1;
    }
    ARRAY_RESERVE(p->files, p->file_count, p->file_capacity, 1);
    p->files[p->file_count++] = file;
    return 0;
}

static bool is_dvc_yaml(const char *path)
{
    return strcmp(path_basename(path), "dvc.yaml") == 0;
}

int pipeline_parse(struct pipeline *p, const struct repo *r, const char *path, struct str text,
                   struct err *e)
{
    const char *file = arena_strdup(&p->arena, path); /* repo_show may return what it is given */
    struct stagebuild b = {&p->arena, r, file, repo_show(r, &p->arena, file)};
    const char *shown = schema_shown(&p->arena, b.shown);
    bool yaml = is_dvc_yaml(path);
    const struct value *doc =
        schema_parse(&p->arena, yaml ? SCHEMA_DVC_YAML : SCHEMA_DVC_FILE, text, shown, 0, e);
    if (!doc) {
        return -1;
    }
    if (yaml) {
        return read_dvc_yaml(p, &b, doc, e);
    }
    struct stage s;
    return stagebuild_dvc_file(&b, doc, &s, e) < 0 ? -1 : add_stage(p, &s);
}

/* --- the whole repository --------------------------------------------------------------------- */

struct walk {
    struct pipeline *p;
    const struct repo *r;
    struct ignore *git;     /* git's rules; NULL: no work tree */
    const char *git_prefix; /* the repository's folder below the work tree: "" or "sub/" */
    struct value *outs;     /* set of the outputs seen so far */
    bool most;              /* leave out what cannot be read */
    struct arena scratch;
};

struct entry {
    const char *name;
};

struct listing {
    struct entry *files, *folders;
    size_t file_count, folder_count, file_capacity, folder_capacity;
};

static bool is_pipeline_file(const char *name)
{
    size_t n = strlen(name);
    return (n >= 4 && strcmp(name + n - 4, ".dvc") == 0) || strcmp(name, "dvc.yaml") == 0;
}

/* dvc.yaml first, then by name. */
static int compare_files(const void *a, const void *b)
{
    const char *x = ((const struct entry *)a)->name, *y = ((const struct entry *)b)->name;
    int first = (strcmp(y, "dvc.yaml") == 0) - (strcmp(x, "dvc.yaml") == 0);
    return first ? first : strcmp(x, y);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(((const struct entry *)a)->name, ((const struct entry *)b)->name);
}

static unsigned char entry_type(int dir_fd, const struct dirent *d)
{
    struct stat st;
    if (d->d_type != DT_UNKNOWN && d->d_type != DT_LNK) {
        return d->d_type;
    }
    /* A link to a file counts as the file; a link to a folder is not followed. */
    if (fstatat(dir_fd, d->d_name, &st, 0) == 0 && S_ISREG(st.st_mode)) {
        return DT_REG;
    }
    if (d->d_type == DT_UNKNOWN && fstatat(dir_fd, d->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
        return S_ISDIR(st.st_mode) ? DT_DIR : DT_REG;
    }
    return DT_LNK;
}

struct list_job {
    struct walk *w;
    struct listing *l;
};

/* repo_entry_fn */
static void list_entry(void *ctx, const char *name, bool folder)
{
    struct list_job *job = ctx;
    struct listing *l = job->l;
    if (folder) {
        ARRAY_RESERVE(l->folders, l->folder_count, l->folder_capacity, 1);
        l->folders[l->folder_count++].name = arena_strdup(&job->w->scratch, name);
    } else if (is_pipeline_file(name)) {
        ARRAY_RESERVE(l->files, l->file_count, l->file_capacity, 1);
        l->files[l->file_count++].name = arena_strdup(&job->w->scratch, name);
    }
}

static int list_disk(struct list_job *job, const char *dir, struct err *e)
{
    const char *abs = repo_abs(job->w->r, &job->w->scratch, dir);
    DIR *d = opendir(abs);
    if (!d) {
        bool mine = strcmp(dir, ".") == 0;
        return mine ? err_sys(e, "cannot read the folder '%s'", abs)
                    : 0; /* as os.walk: passed over */
    }
    const struct dirent *entry;
    while ((entry = readdir(d))) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) {
            continue;
        }
        unsigned char type = entry_type(dirfd(d), entry);
        if (type == DT_DIR || type == DT_REG) {
            list_entry(job, entry->d_name, type == DT_DIR);
        }
    }
    closedir(d);
    return 0;
}

static int list_folder(struct walk *w, const char *dir, struct listing *l, struct err *e)
{
    struct list_job job = {w, l};
    const struct repo_files *files = w->r->files;
    if ((files ? files->list(files->ctx, dir, list_entry, &job, e) : list_disk(&job, dir, e)) < 0) {
        return -1;
    }
    if (l->file_count) {
        qsort(l->files, l->file_count, sizeof(*l->files), compare_files);
    }
    if (l->folder_count) {
        qsort(l->folders, l->folder_count, sizeof(*l->folders), compare_names);
    }
    return 0;
}

static bool is_ignored(struct walk *w, const char *path, bool is_dir)
{
    if (w->r->ignore && ignore_match_entry(w->r->ignore, path, is_dir)) {
        return true;
    }
    return w->git && ignore_match_entry(
                         w->git, arena_printf(&w->scratch, "%s%s", w->git_prefix, path), is_dir);
}

/* Takes back the stages of a file that cannot be read, and notes why. */
static void leave_out(struct pipeline *p, size_t stage_count, const struct err *why)
{
    while (p->stage_count > stage_count) {
        value_remove(p->by_name, stage_key(p, &p->stages[--p->stage_count]));
    }
    if (!p->broken) {
        struct err *first = ARENA_ARRAY(&p->arena, 1, struct err);
        *first = *why;
        p->broken = first;
    }
    add_warning(p, arena_printf(&p->arena, "left out: %s", why->text));
}

static int load_file(struct walk *w, const char *path, struct err *e)
{
    size_t before = w->p->stage_count;
    struct err why = ERR_INIT, *told = w->most ? &why : e;
    struct strbuf text;
    strbuf_init(&text);
    int r = repo_read(w->r, path, MAX_FILE, &text, told);
    if (r == 0) {
        r = pipeline_parse(w->p, w->r, path, strbuf_str(&text), told);
    }
    strbuf_release(&text);
    if (r < 0 && w->most) {
        leave_out(w->p, before, &why);
        return 0;
    }
    for (size_t i = before; r == 0 && i < w->p->stage_count; i++) {
        const struct stage *s = &w->p->stages[i];
        for (size_t k = 0; k < s->out_count; k++) {
            value_set(&w->scratch, w->outs, s->outs[k].path, value_null(&w->scratch));
        }
    }
    return r;
}

static int load_folder(struct walk *w, const char *dir, unsigned depth, struct err *e)
{
    struct listing l = {0};
    int r = depth < MAX_FOLDER_DEPTH ? list_folder(w, dir, &l, e) : 0;
    for (size_t i = 0; r == 0 && i < l.file_count; i++) {
        const char *path = path_join(&w->scratch, dir, l.files[i].name);
        if (!is_ignored(w, path, false)) {
            r = load_file(w, path, e);
        }
    }
    for (size_t i = 0; r == 0 && i < l.folder_count; i++) {
        const char *path = path_join(&w->scratch, dir, l.folders[i].name);
        if (!value_get(w->outs, path) && !is_ignored(w, path, true)) {
            r = load_folder(w, path, depth + 1, e);
        }
    }
    free(l.files);
    free(l.folders);
    return r;
}

static int load(struct pipeline *p, const struct repo *r, bool most, struct err *e)
{
    struct walk w = {.p = p, .r = r, .git_prefix = "", .most = most};
    pipeline_init(p);
    arena_init(&w.scratch);
    w.outs = value_map(&w.scratch);
    if (r->scm_root && !r->no_scm && !r->files) { /* git ignores nothing that it holds */
        w.git = ignore_new_git(r->scm_root);
        const char *below = path_relative(&w.scratch, r->scm_root, r->root);
        w.git_prefix = strcmp(below, ".") == 0 ? "" : arena_printf(&w.scratch, "%s/", below);
    }
    int result = load_folder(&w, ".", 0, e);
    ignore_free(w.git);
    arena_release(&w.scratch);
    if (result < 0) {
        pipeline_release(p);
    }
    return result;
}

int pipeline_load(struct pipeline *p, const struct repo *r, struct err *e)
{
    return load(p, r, false, e);
}

int pipeline_load_most(struct pipeline *p, const struct repo *r, struct err *e)
{
    return load(p, r, true, e);
}

struct stage *pipeline_find(const struct pipeline *p, const char *file, const char *name)
{
    struct strbuf key;
    strbuf_init(&key);
    strbuf_addf(&key, "%s:%s", file, name ? name : "");
    const struct value *at = value_get_str(p->by_name, strbuf_str(&key));
    strbuf_release(&key);
    return at ? &p->stages[at->i] : NULL;
}
