/* dvcmerge: git's merge driver for .dvc files, see dvcmerge.h. */
#include "dvcmerge.h"

#include "alloc.h"
#include "cas.h"
#include "dirmerge.h"
#include "dvcfile.h"
#include "emit.h"
#include "err.h"
#include "fs.h"
#include "path.h"
#include "pipeline.h"
#include "repo.h"
#include "store.h"
#include "value.h"
#include "yaml.h"
#include "yamledit.h"

#include <string.h>

#define MAX_FILE ((size_t)16 << 20)

/* One of the three versions. */
struct version {
    struct str text;
    const struct stage *stage;
    const struct out *out;   /* NULL: none */
    const struct value *doc; /* as written */
};

struct merging {
    struct store *s;
    struct arena *a;
    struct pipeline pipelines[3]; /* one each: all three speak of the same file */
    struct version ancestor, our, their;
    struct strbuf *conflict;
};

static int read_version(struct merging *g, const char *file, const char *as, size_t slot,
                        struct version *v, struct err *e)
{
    struct pipeline *p = &g->pipelines[slot];
    const struct repo *r = g->s->repo;
    const char *path = as != NULL ? as : repo_path(r, g->a, file);
    const char *ending = path_extension(path);
    struct strbuf text;
    struct err why = ERR_INIT;
    if (strcmp(ending, ".yaml") == 0 || strcmp(ending, ".yml") == 0) {
        return err_set(e, ERR_USAGE, "unable to auto-merge pipeline stages");
    }
    strbuf_init(&text);
    int rc = fs_read(file, MAX_FILE, &text, &why);
    if (rc < 0) {
        rc = why.code == ERR_MISSING
                 ? err_set(e, ERR_MISSING, "'%s' does not exist", repo_show(r, g->a, path))
                 : err_set(e, why.code, "%s", why.text);
    }
    v->text = arena_str(g->a, strbuf_str(&text));
    strbuf_release(&text);
    rc = rc == 0 ? pipeline_parse(p, r, path, v->text, e) : rc;
    if (rc == 0) {
        v->doc = yaml_parse(g->a, v->text, NULL, e);
        v->stage = &p->stages[0];
        v->out = v->stage->out_count > 0 ? &v->stage->outs[0] : NULL;
    }
    return rc == 0 && v->doc == NULL ? -1 : rc;
}

/* ---- what can be merged ---- */

static int check_stage(const struct version *v, struct err *e)
{
    const struct value *cmd = value_get(v->doc, "cmd");
    if ((cmd != NULL && cmd->type != VALUE_NULL) || v->stage->dep_count > 0 ||
        v->stage->out_count > 1) {
        return err_set(e, ERR_USAGE,
                       "unable to auto-merge DVC files that weren't created by `dvc add`");
    }
    return 0;
}

static bool is_default(const char *key, const struct value *v)
{
    static const char *const off[] = {"persist", "metric", "plot", "isexec"};
    static const char *const on[] = {"cache", "push"};
    if (v->type != VALUE_BOOL) {
        return false;
    }
    bool found = false;
    for (size_t i = 0; i < ARRAY_SIZE(off); i++) {
        found = found || (!v->b && strcmp(key, off[i]) == 0);
    }
    for (size_t i = 0; i < ARRAY_SIZE(on); i++) {
        found = found || (v->b && strcmp(key, on[i]) == 0);
    }
    return found;
}

/* DVC 2's form; an entry without any hash has it too. */
static bool is_legacy(const struct out *o)
{
    return value_get(o->flags, "hash") == NULL;
}

/* What must be the same on all sides: the entry without hash, size and number of files. */
static struct value *options_of(struct arena *a, const struct out *o)
{
    static const char *const content[] = {"size", "nfiles", "hash", "path"};
    struct value *options = value_map(a);
    for (size_t i = 0; i < o->flags->map.count; i++) {
        const struct value_pair *p = &o->flags->map.pairs[i];
        const char *key = arena_str(a, value_as_str(p->key)).p;
        if (!is_default(key, p->val)) {
            value_set(a, options, key, p->val);
        }
    }
    for (size_t i = 0; i < ARRAY_SIZE(content); i++) {
        value_remove(options, content[i]);
    }
    if (!is_legacy(o)) {
        value_remove(options, "md5");
    }
    value_set(a, options, "path", value_cstr(a, o->def));
    return options;
}

static bool is_folder(const struct out *o)
{
    return cas_md5_valid(o->hash.md5 != NULL ? o->hash.md5 : "") && o->hash.md5[32] != '\0';
}

static int check_out(struct merging *g, const struct out *o, struct err *e)
{
    const struct out *our = g->our.out;
    if (is_legacy(our) != is_legacy(o) || !value_eq(options_of(g->a, our), options_of(g->a, o))) {
        return err_set(e, ERR_USAGE, "unable to auto-merge outputs with different options");
    }
    if (!is_folder(o)) {
        return err_set(e, ERR_USAGE, "unable to auto-merge outputs that are not directories");
    }
    return 0;
}

static int check_all(struct merging *g, struct err *e)
{
    return check_stage(&g->ancestor, e) < 0 || check_stage(&g->our, e) < 0 ||
                   check_stage(&g->their, e) < 0 ||
                   (g->ancestor.out != NULL && check_out(g, g->ancestor.out, e) < 0) ||
                   check_out(g, g->our.out, e) < 0 || check_out(g, g->their.out, e) < 0
               ? -1
               : 0;
}

/* ---- the lists ---- */

static int read_list(struct merging *g, const struct out *o, struct dirobj *d, struct err *e)
{
    dirobj_init(d);
    if (o == NULL) {
        return 0;
    }
    struct err why = ERR_INIT;
    const struct cas_id id = {o->hash.md5, o->hash.legacy};
    if (cas_read_dir(g->s->cas, g->a, id, d, &why) == 0) {
        return 0;
    }
    return why.code == ERR_MISSING
               ? err_set(
                     e, ERR_MISSING,
                     "unable to auto-merge '%s': the list of its files (%s) is not in the cache; "
                     "`nephron fetch` brings it",
                     o->def, o->hash.md5)
               : err_set(e, why.code, "%s", why.text);
}

static int say_conflicts(struct merging *g, const struct dirmerge *m)
{
    struct strbuf *out = g->conflict;
    strbuf_adds(out, "unable to auto-merge the following paths:");
    if (m->both_deleted != NULL) {
        struct value *parts = value_list(g->a);
        struct str rest = str_from(m->both_deleted), part;
        while (str_split(&rest, '/', &part)) {
            value_push(g->a, parts, value_str(g->a, part));
        }
        /* as Python shows a tuple */
        size_t at = out->n;
        strbuf_adds(out, "\nboth deleted: ");
        at = out->n;
        value_repr(out, parts);
        out->p[at] = '(';
        out->p[out->n - 1] = parts->list.count == 1 ? ',' : ')';
        strbuf_adds(out, parts->list.count == 1 ? ")" : "");
        return 1;
    }
    for (size_t i = 0; i < m->conflict_count; i++) {
        strbuf_addf(out, "\n%s", m->conflicts[i]);
    }
    return 1;
}

/* The sum of the files' sizes, -1 when one of them is not in the cache. */
static int64_t size_of(struct merging *g, const struct dirobj *d)
{
    int64_t sum = 0;
    for (size_t i = 0; i < d->count && sum >= 0; i++) {
        struct stat st;
        const struct cas_id id = {d->items[i].md5, g->our.out->hash.legacy};
        sum = stat(cas_object_path(g->s->cas, g->a, id), &st) == 0 ? sum + st.st_size : -1;
    }
    return sum;
}

static int write_file(const char *file, const struct strbuf *text, struct err *e)
{
    return fs_write_atomic(file, text->p, text->n, 0, e);
}

static int keep_merged(struct merging *g, const char *file, struct dirobj *d, struct err *e)
{
    /* A list of DVC 2 is all the same on every side, or check_out had refused it. */
    if (!g->our.out->hash.legacy && cas_put_dir(g->s->cas, d, e) < 0) {
        return -1;
    }
    const struct hash hash = {.md5 = d->md5,
                              .size = size_of(g, d),
                              .nfiles = (int64_t)d->count,
                              .legacy = g->our.out->hash.legacy};
    struct strbuf text;
    strbuf_init(&text);
    int rc = dvcfile_edit(g->our.text, "outs", 0, &hash, &text, e);
    rc = rc == 0 ? write_file(file, &text, e) : rc;
    strbuf_release(&text);
    return rc;
}

static int merge_lists(struct merging *g, const char *file, struct err *e)
{
    struct dirobj ancestor, our, their;
    struct dirmerge m;
    if (read_list(g, g->ancestor.out, &ancestor, e) < 0 || read_list(g, g->our.out, &our, e) < 0 ||
        read_list(g, g->their.out, &their, e) < 0) {
        return -1;
    }
    dirmerge(g->a, &ancestor, &our, &their, &m);
    return m.both_deleted != NULL || m.conflict_count > 0 ? say_conflicts(g, &m)
                                                          : keep_merged(g, file, &m.merged, e);
}

/* Our file tracks nothing: what they track. */
static int take_theirs(struct merging *g, const char *file, struct err *e)
{
    struct strbuf text;
    strbuf_init(&text);
    struct value *doc =
        g->our.doc->type == VALUE_MAP ? value_copy(g->a, g->our.doc) : value_map(g->a);
    value_set(g->a, doc, "outs", value_get(g->their.doc, "outs"));
    int rc = 0;
    if (g->our.doc->type == VALUE_MAP) {
        rc = yamledit_apply(g->our.text, doc, &text, e);
    } else {
        emit_yaml(&text, doc, NULL);
    }
    rc = rc == 0 ? write_file(file, &text, e) : rc;
    strbuf_release(&text);
    return rc;
}

static int merge_versions(struct merging *g, const struct dvcmerge *m, struct err *e)
{
    if (read_version(g, m->our, m->path, 0, &g->our, e) < 0 ||
        read_version(g, m->ancestor, m->path, 1, &g->ancestor, e) < 0 ||
        read_version(g, m->their, m->path, 2, &g->their, e) < 0) {
        return -1;
    }
    if (g->their.out == NULL) {
        return 0;
    }
    if (g->our.out == NULL) {
        return take_theirs(g, m->our, e);
    }
    return check_all(g, e) < 0 ? -1 : merge_lists(g, m->our, e);
}

int dvcmerge_run(struct store *s, const struct dvcmerge *m, struct strbuf *conflict, struct err *e)
{
    struct arena a;
    arena_init(&a);
    struct merging g = {.s = s, .a = &a, .conflict = conflict};
    for (size_t i = 0; i < ARRAY_SIZE(g.pipelines); i++) {
        pipeline_init(&g.pipelines[i]);
    }
    int rc = merge_versions(&g, m, e);
    for (size_t i = 0; i < ARRAY_SIZE(g.pipelines); i++) {
        pipeline_release(&g.pipelines[i]);
    }
    arena_release(&a);
    return rc;
}
