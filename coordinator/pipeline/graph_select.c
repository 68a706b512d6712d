/*
 * Targets as people type them. Source: DVC 3.67, dvc/repo/stage.py and dvc/utils parse_target.
 */
#include "alloc.h"
#include "err.h"
#include "fs.h"
#include "graph.h"
#include "ignore.h"
#include "path.h"
#include "pipeline.h"
#include "repo.h"

#include <fnmatch.h>

#define PROJECT_FILE "dvc.yaml"

struct selecting {
    const struct graph *g;
    const struct repo *r;
    const struct graph_target_options *opt;
    struct arena *a;
    struct graph_selection *sel;
    size_t capacity;
    struct value *seen; /* "stage filter" */
    struct err *e;
};

static void select_stage(struct selecting *s, size_t stage, const char *filter)
{
    const char *key = arena_printf(s->a, "%zu %s", stage, filter ? filter : "");
    if (value_get(s->seen, key)) {
        return;
    }
    value_set(s->a, s->seen, key, value_null(s->a));
    if (s->sel->count == s->capacity) {
        size_t bigger = s->capacity ? s->capacity * 2 : 16;
        struct graph_target *items = ARENA_ARRAY(s->a, bigger, struct graph_target);
        if (s->sel->count) {
            memcpy(items, s->sel->items, s->sel->count * sizeof(*items));
        }
        s->sel->items = items;
        s->capacity = bigger;
    }
    s->sel->items[s->sel->count++] = (struct graph_target){(uint32_t)stage, filter};
}

/* A stage, with what it needs before it when asked for. */
static void select_with_deps(struct selecting *s, size_t stage)
{
    if (s->opt->with_deps) {
        struct graph_selection one = {&(struct graph_target){(uint32_t)stage, NULL}, 1};
        bool *set = xcalloc(s->g->count + 1, sizeof(*set));
        graph_reach(s->g, one.items[0].stage, false, false, set);
        for (size_t i = 0; i < s->g->count; i++) {
            if (set[i] && i != stage) {
                select_stage(s, i, NULL);
            }
        }
        free(set);
    }
    select_stage(s, stage, NULL);
}

/* --- parsing ---------------------------------------------------------------------------------- */

bool graph_is_pipeline_name(const char *path)
{
    size_t n = strlen(path);
    return (n >= 4 && strcmp(path + n - 4, ".dvc") == 0) ||
           strcmp(path_basename(path), PROJECT_FILE) == 0;
}

static int parse_glob(struct arena *a, const char *text, struct graph_address *t)
{
    const char *colon = strrchr(text, ':');
    bool has_file = colon && colon > text;
    const char *name = colon ? colon + 1 : text;
    t->file = has_file ? arena_strndup(a, text, (size_t)(colon - text)) : PROJECT_FILE;
    t->name = *name ? name : NULL;
    return 0;
}

int graph_parse_address(struct arena *a, const char *text, struct graph_address *t, struct err *e)
{
    const char *at = strchr(text, '@');
    size_t group = at ? (size_t)(at - text) : strlen(text), cut = group;
    for (size_t i = group; i > 0 && cut == group; i--) {
        if (text[i - 1] == '/' || text[i - 1] == '\\') {
            break;
        }
        cut = text[i - 1] == ':' ? i - 1 : cut;
    }
    bool named = cut < group && cut + 1 < group;
    const char *name = NULL;
    if (named) {
        name = at && at[1] ? arena_strdup(a, text + cut + 1)
                           : arena_strndup(a, text + cut + 1, group - cut - 1);
    }
    if (cut > 0) {
        const char *path = arena_strndup(a, text, cut);
        if (strcmp(path_basename(path), "dvc.lock") == 0) {
            const char *lock = strstr(text, ".lock");
            return err_set(e, ERR_USAGE, "Did you mean: `%.*s.yaml%s`?", (int)(lock - text), text,
                           lock + 5);
        }
        if (!name) {
            bool file = graph_is_pipeline_name(text);
            *t = (struct graph_address){file ? text : NULL, file ? NULL : text};
            return 0;
        }
        *t = (struct graph_address){path, name};
        return 0;
    }
    *t = (struct graph_address){PROJECT_FILE, name};
    return 0;
}

/* --- stages of a file ------------------------------------------------------------------------- */

static int refuse_file(struct selecting *s, const char *shown, const char *path)
{
    const char *abs = repo_abs(s->r, s->a, path);
    if (!fs_exists(abs)) {
        return err_set(s->e, ERR_MISSING, "'%s' does not exist", shown);
    }
    if (!graph_is_pipeline_name(path)) {
        return err_set(s->e, ERR_USAGE,
                       "bad DVC file name '%s'. DVC files should be named 'dvc.yaml' or have a "
                       "'.dvc' suffix (e.g. '%s.dvc').",
                       repo_show(s->r, s->a, path), path_basename(path));
    }
    if (s->r->ignore && path[0] != '/' && ignore_match(s->r->ignore, path, false)) {
        return err_set(s->e, ERR_MISSING, "'%s' is dvc-ignored", shown);
    }
    return err_set(s->e, ERR_USAGE, "bad DVC file name '%s' is git-ignored.",
                   repo_show(s->r, s->a, path));
}

static const struct pipeline_file *find_file(const struct pipeline *p, const char *path)
{
    for (size_t i = 0; i < p->file_count; i++) {
        if (strcmp(p->files[i].path, path) == 0) {
            return &p->files[i];
        }
    }
    return NULL;
}

/* foreach or matrix of this name, also when it has no members. */
static bool is_group(const struct pipeline_file *file, const char *name)
{
    const struct value *def = value_get(value_get(file->doc, "stages"), name);
    return value_get(def, "foreach") || value_get(def, "matrix");
}

static bool wanted(const struct stage *st, const char *name, bool group, bool glob)
{
    if (!name) {
        return true;
    }
    if (group) {
        size_t n = strlen(name);
        return strncmp(st->name, name, n) == 0 && st->name[n] == '@';
    }
    return glob ? fnmatch(name, st->name, FNM_NOESCAPE) == 0 : strcmp(name, st->name) == 0;
}

/* Stages NAME of a file (all for NULL). 1: the stage is not there (*e set); 0; -1. */
static int load_all(struct selecting *s, const char *file, const char *name, bool glob)
{
    const char *typed = file ? file : PROJECT_FILE;
    const char *path = repo_path(s->r, s->a, typed);
    const char *shown = file ? repo_abs(s->r, s->a, path) : PROJECT_FILE;
    const struct pipeline *p = s->g->pipeline;
    const struct pipeline_file *f = find_file(p, path);
    const struct stage *single = f ? NULL : pipeline_find(p, path, NULL);
    if (single) {
        select_with_deps(s, single->index);
        return 0;
    }
    if (!f) {
        return refuse_file(s, shown, path);
    }
    bool group = name && is_group(f, name), any = false;
    if (name && !group && !glob) {
        const struct stage *one = pipeline_find(p, path, name);
        if (one) {
            select_with_deps(s, one->index);
            return 0;
        }
    } else {
        for (size_t i = 0; i < p->stage_count; i++) {
            const struct stage *st = &p->stages[i];
            if (st->name && strcmp(st->file, path) == 0 && wanted(st, name, group, glob)) {
                select_with_deps(s, i);
                any = true;
            }
        }
    }
    if (any || !name || group || glob) {
        return 0;
    }
    err_set(s->e, ERR_MISSING, "Stage '%s' not found inside '%s' file", name,
            repo_show(s->r, s->a, path));
    return 1;
}

/* --- targets ---------------------------------------------------------------------------------- */

/* -R: the stages whose file lies in the folder, in the order of a run. */
static void select_inside(struct selecting *s, const char *dir)
{
    struct graph_plan plan;
    struct graph_plan_options all = {.all = true};
    graph_make_plan(s->g, NULL, &all, s->a, &plan);
    for (size_t i = 0; i < plan.count; i++) {
        const struct stage *st = &s->g->pipeline->stages[plan.order[i]];
        bool inside = strcmp(dir, ".") == 0 ? st->file[0] != '/' : path_inside(dir, st->file);
        if (inside) {
            select_stage(s, plan.order[i], NULL);
        }
    }
}

static bool is_folder(const struct selecting *s, const char *typed)
{
    return fs_is_dir(repo_abs(s->r, s->a, repo_path(s->r, s->a, typed)));
}

static bool select_output(struct selecting *s, const char *typed)
{
    const char *path = repo_path(s->r, s->a, typed);
    struct graph_out *outs;
    size_t n = graph_overlapping(s->g, path, s->a, &outs);
    /* Containing outputs come first; those inside of the path do not count. */
    if (n == 0 || !path_inside(graph_out_of(s->g, outs[0])->path, path)) {
        return false;
    }
    if (s->opt->with_deps) {
        select_with_deps(s, outs[0].stage);
    } else {
        select_stage(s, outs[0].stage, path);
    }
    return true;
}

/* Commands that take outputs too: stage names in ./dvc.yaml win over outputs, files over both. */
static int select_granular(struct selecting *s, const char *text, const struct graph_address *t)
{
    size_t before = s->sel->count;
    bool folder = s->opt->recursive && is_folder(s, text);
    bool project = find_file(s->g->pipeline, repo_path(s->r, s->a, PROJECT_FILE)) != NULL;
    struct err missing = ERR_INIT, *e = s->e;
    if (folder) {
        select_inside(s, repo_path(s->r, s->a, text));
        return 0;
    }
    if (!t->file && project) {
        s->e = &missing;
        int r = load_all(s, PROJECT_FILE, text, false);
        s->e = e;
        if (r < 0) {
            return err_set(e, missing.code, "%s", missing.text);
        }
        if (r == 0 && s->sel->count > before) {
            return 0;
        }
    }
    if (!(t->file && graph_is_pipeline_name(t->file)) && select_output(s, text)) {
        return 0;
    }
    s->e = &missing;
    int r = load_all(s, t->file, t->name, s->opt->glob);
    s->e = e;
    if (r == 0) {
        return 0;
    }
    const char *file =
        t->file ? repo_show(s->r, s->a, repo_path(s->r, s->a, t->file)) : PROJECT_FILE;
    if (r < 0 && t->file && graph_is_pipeline_name(t->file)) {
        return err_set(e, missing.code, "%s", missing.text);
    }
    return err_set(e, ERR_MISSING, "'%s' does not exist as an output or a stage name in '%s': %s",
                   text, file, missing.text);
}

static int select_target(struct selecting *s, const char *text)
{
    struct graph_address t;
    if (s->opt->glob) {
        parse_glob(s->a, text, &t);
    } else if (graph_parse_address(s->a, text, &t, s->e) < 0) {
        return -1;
    }
    if (s->opt->outputs) {
        return select_granular(s, text, &t);
    }
    if (s->opt->recursive && is_folder(s, text)) {
        select_inside(s, repo_path(s->r, s->a, text));
        return 0;
    }
    return load_all(s, t.file, t.name, s->opt->glob) == 0 ? 0 : -1;
}

int graph_select(const struct graph *g, const struct repo *r, const char *const *targets,
                 size_t target_count, const struct graph_target_options *opt, struct arena *a,
                 struct graph_selection *sel, struct err *e)
{
    struct selecting s = {g, r, opt, a, sel, 0, value_map(a), e};
    static const char *const project[] = {PROJECT_FILE};
    *sel = (struct graph_selection){0};
    if (target_count == 0 && opt->default_file) {
        struct graph_target_options whole = *opt;
        whole.glob = false;
        s.opt = &whole;
        return select_target(&s, project[0]);
    }
    if (target_count == 0) {
        for (size_t i = 0; i < g->count; i++) {
            select_stage(&s, i, NULL);
        }
        return 0;
    }
    for (size_t i = 0; i < target_count; i++) {
        if (select_target(&s, targets[i]) < 0) {
            return -1;
        }
    }
    return 0;
}
