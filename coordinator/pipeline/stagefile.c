/*
 * Edits of pipeline files as text. The file is parsed for the lines of its keys; whole lines are
 * then added, replaced or dropped, and all others stay as they are. Source of order and texts:
 * DVC 3.67, dvc/stage/serialize.py, dvc/repo/stage.py.
 */
#include "stagefile.h"

#include "alloc.h"
#include "err.h"
#include "fs.h"
#include "graph.h"
#include "path.h"
#include "pipeline.h"
#include "repo.h"
#include "schema.h"
#include "stagebuild.h"
#include "yamltext.h"

#define DESCRIPTION_MAX 80

void stagefile_join_command(char *const *words, size_t count, struct strbuf *cmd)
{
    for (size_t i = 0; i < count; i++) {
        bool quote =
            count > 1 && (!words[i][0] || (strchr(words[i], ' ') && !strchr(words[i], '"')));
        strbuf_addf(cmd, "%s%s%s%s", i ? " " : "", quote ? "\"" : "", words[i], quote ? "\"" : "");
    }
}

/* --- the new entry ---------------------------------------------------------------------------- */

struct adding {
    struct arena a;
    const struct repo *r;
    const struct stagefile_add *add;
    const char *wdir; /* absolute */
    const char *file; /* repo path of ./dvc.yaml */
    struct err *e;
};

static int compare_values(const void *x, const void *y)
{
    return str_cmp((*(struct value *const *)x)->s, (*(struct value *const *)y)->s);
}

static void sort_list(struct value *list)
{
    if (list->list.count) {
        qsort(list->list.items, list->list.count, sizeof(struct value *), compare_values);
    }
}

static struct value *deps_value(struct adding *x)
{
    struct value *list = value_list(&x->a);
    for (size_t i = 0; i < x->add->dep_count; i++) {
        value_push(&x->a, list, value_cstr(&x->a, x->add->deps[i]));
    }
    sort_list(list);
    return list;
}

struct value *stagefile_params(struct arena *a, const struct value *files)
{
    struct value *names = value_list(a), *all = value_list(a), *others = value_list(a);
    for (size_t i = 0; i < files->map.count; i++) {
        value_push(a, names, files->map.pairs[i].key);
    }
    sort_list(names);
    for (size_t i = 0; i < names->list.count; i++) {
        struct value *keys = value_get_str(files, names->list.items[i]->s);
        sort_list(keys);
        if (keys->list.count && str_is(names->list.items[i]->s, "params.yaml")) {
            all = keys;
        } else {
            struct value *entry = value_map(a);
            value_set_key(a, entry, names->list.items[i], keys->list.count ? keys : value_null(a));
            value_push(a, others, entry);
        }
    }
    for (size_t i = 0; i < others->list.count; i++) {
        value_push(a, all, others->list.items[i]);
    }
    return all;
}

static struct value *params_value(struct adding *x)
{
    struct arena *a = &x->a;
    struct value *files = value_map(a);
    for (size_t i = 0; i < x->add->param_count; i++) {
        const char *typed = x->add->params[i], *colon = strrchr(typed, ':');
        const char *file = colon && colon > typed ? arena_strndup(a, typed, (size_t)(colon - typed))
                                                  : "params.yaml";
        struct str keys = str_from(colon ? colon + 1 : typed), part;
        struct value *list = value_get(files, file);
        if (!list) {
            value_set(a, files, file, list = value_list(a));
        }
        while (str_split(&keys, ',', &part)) {
            if (part.n) {
                value_push(a, list, value_str(a, part));
            }
        }
    }
    return stagefile_params(a, files);
}

static int compare_outs(const void *x, const void *y)
{
    return strcmp((*(const struct stagefile_out *const *)x)->path,
                  (*(const struct stagefile_out *const *)y)->path);
}

static struct value *outs_value(struct adding *x, const char *kind)
{
    struct arena *a = &x->a;
    struct value *list = value_list(a);
    size_t n = 0;
    const struct stagefile_out **outs =
        ARENA_ARRAY(a, x->add->out_count + 1, const struct stagefile_out *);
    for (size_t i = 0; i < x->add->out_count; i++) {
        if (strcmp(x->add->outs[i].kind, kind) == 0) {
            outs[n++] = &x->add->outs[i];
        }
    }
    if (n) {
        qsort(outs, n, sizeof(*outs), compare_outs);
    }
    for (size_t i = 0; i < n; i++) {
        struct value *path = value_cstr(a, outs[i]->path), *flags = value_map(a);
        if (outs[i]->no_cache) {
            value_set(a, flags, "cache", value_bool(a, false));
        }
        if (outs[i]->persist) {
            value_set(a, flags, "persist", value_bool(a, true));
        }
        if (flags->map.count) {
            struct value *entry = value_map(a);
            value_set_key(a, entry, path, flags);
            path = entry;
        }
        value_push(a, list, path);
    }
    return list;
}

static void set_list(struct arena *a, struct value *map, const char *key, struct value *list)
{
    if (list->list.count) {
        value_set(a, map, key, list);
    }
}

static struct value *entry_value(struct adding *x, const struct stage *old)
{
    struct arena *a = &x->a;
    struct value *body = value_map(a);
    const char *desc = old ? old->desc : x->add->desc;
    if (desc && *desc) {
        value_set(a, body, "desc", value_cstr(a, desc));
    }
    value_set(a, body, "cmd", value_cstr(a, x->add->cmd));
    const char *here = path_dirname(a, repo_abs(x->r, a, x->file));
    const char *wdir = path_relative(a, here, x->wdir);
    if (strcmp(wdir, ".") != 0) {
        value_set(a, body, "wdir", value_cstr(a, wdir));
    }
    set_list(a, body, "deps", deps_value(x));
    set_list(a, body, "params", params_value(x));
    set_list(a, body, "outs", outs_value(x, "outs"));
    set_list(a, body, "metrics", outs_value(x, "metrics"));
    set_list(a, body, "plots", outs_value(x, "plots"));
    if (x->add->always_changed) {
        value_set(a, body, "always_changed", value_bool(a, true));
    }
    if (old && old->meta) {
        value_set(a, body, "meta", (struct value *)old->meta);
    }
    return body;
}

/* Keys that the entry has already stay where they are; new ones follow. */
static struct value *in_old_order(struct arena *a, const struct value *old, struct value *body)
{
    struct value *sorted = value_map(a);
    for (size_t i = 0; old && old->type == VALUE_MAP && i < old->map.count; i++) {
        const char *key = value_as_str(old->map.pairs[i].key).p;
        struct value *v = value_get(body, key);
        if (v) {
            value_set(a, sorted, key, v);
        }
    }
    for (size_t i = 0; i < body->map.count; i++) {
        const char *key = value_as_str(body->map.pairs[i].key).p;
        if (!value_get(sorted, key)) {
            value_set(a, sorted, key, body->map.pairs[i].val);
        }
    }
    return sorted;
}

/* --- checks ----------------------------------------------------------------------------------- */

static int check_name(const struct stagefile_add *add, struct err *e)
{
    if (!add->cmd || !*add->cmd) {
        return err_set(e, ERR_USAGE, "command is not specified");
    }
    if (!add->name || !*add->name || strpbrk(add->name, "!\"#$%&'()*+,./:;<=>?@[\\]^`{|}~")) {
        return err_set(e, ERR_USAGE, "Stage name cannot contain punctuation characters.");
    }
    return 0;
}

static int check_wdir(const struct adding *x)
{
    const char *what = !fs_exists(x->wdir)                 ? "does not exist"
                       : !fs_is_dir(x->wdir)               ? "is not directory"
                       : !path_inside(x->r->root, x->wdir) ? "is outside of DVC repo"
                                                           : NULL;
    return what ? err_set(x->e, ERR_USAGE, "stage working dir '%s' %s", x->wdir, what) : 0;
}

static const char *abs_of(struct adding *x, const char *path)
{
    return stagebuild_is_url(path) ? path : repo_abs(x->r, &x->a, path);
}

/* A path twice, or on both sides; cached outputs outside. */
static int check_paths(struct adding *x, const struct stage *s)
{
    struct value *seen = value_map(&x->a), *needed = value_map(&x->a);
    for (size_t i = 0; i < s->out_count; i++) {
        if (s->outs[i].path[0] == '/' && s->outs[i].cache) {
            return err_set(x->e, ERR_USAGE,
                           "Cached output(s) outside of DVC project: %s. See "
                           "<https://dvc.org/doc/user-guide/pipelines/"
                           "external-dependencies-and-outputs> for more info.",
                           s->outs[i].path);
        }
    }
    for (size_t i = 0; i < s->dep_count; i++) {
        value_set(&x->a, needed, s->deps[i].path, value_null(&x->a));
    }
    for (size_t i = 0; i < s->param_count; i++) {
        value_set(&x->a, needed, s->params[i].path, value_null(&x->a));
    }
    for (size_t i = 0; i < s->out_count; i++) {
        if (value_get(needed, s->outs[i].path)) {
            return err_set(x->e, ERR_USAGE, "'%s' is specified as an output and as a dependency.",
                           abs_of(x, s->outs[i].path));
        }
    }
    for (size_t i = 0; i < s->dep_count + s->out_count; i++) {
        const char *path = i < s->dep_count ? s->deps[i].path : s->outs[i - s->dep_count].path;
        if (value_get(seen, path)) {
            return err_set(x->e, ERR_USAGE, "file '%s' is specified more than once.",
                           abs_of(x, path));
        }
        value_set(&x->a, seen, path, value_null(&x->a));
    }
    return 0;
}

static int check_duplicate_outs(struct adding *x, const struct pipeline *p, const struct stage *s,
                                const struct stage *old)
{
    struct value *mine = value_map(&x->a);
    for (size_t i = 0; i < s->out_count; i++) {
        value_set(&x->a, mine, s->outs[i].path, value_null(&x->a));
    }
    for (size_t i = 0; i < p->stage_count; i++) {
        const struct stage *other = &p->stages[i];
        for (size_t k = 0; other != old && k < other->out_count; k++) {
            const struct out *o = &other->outs[k];
            if (value_get(mine, o->path)) {
                return err_set(x->e, ERR_USAGE,
                               "output '%s' is already specified in stage: '%s'.\nUse `dvc remove "
                               "%s` to stop tracking the overlapping output.",
                               graph_show(x->r, &x->a, o->def, o->path), other->addr, other->addr);
            }
        }
    }
    return 0;
}

/* The graph with the new stage in it. */
static int check_graph(struct adding *x, const struct pipeline *p, const struct stage *s,
                       const struct stage *old)
{
    struct pipeline with = {0};
    struct graph g;
    with.stages = xcalloc(p->stage_count + 1, sizeof(*with.stages));
    for (size_t i = 0; i < p->stage_count; i++) {
        if (&p->stages[i] != old) {
            with.stages[with.stage_count++] = p->stages[i];
        }
    }
    with.stages[with.stage_count++] = *s;
    int r = graph_build(&g, &with, x->r, x->e);
    if (r == 0) {
        graph_release(&g);
    }
    free(with.stages);
    return r;
}

/* --- adding ----------------------------------------------------------------------------------- */

static void write_entry(struct adding *x, struct value *body, unsigned indent, struct strbuf *out)
{
    struct value *entry = value_map(&x->a);
    value_set(&x->a, entry, x->add->name, body);
    x->add->emit(out, entry, indent);
}

/* Everything anew: for stages in flow style. */
static void rewrite(struct adding *x, struct value *doc, struct value *stages, struct value *body,
                    struct strbuf *out)
{
    if (!stages || stages->type != VALUE_MAP) {
        value_set(&x->a, doc, "stages", stages = value_map(&x->a));
    }
    value_set(&x->a, stages, x->add->name, body);
    x->add->emit(out, doc, 0);
}

static void insert(struct adding *x, struct str text, struct value *doc, struct value *body,
                   struct strbuf *out)
{
    struct value *stages = value_get(doc, "stages");
    struct yamltext_entry section =
        stages ? yamltext_find(text, doc, "stages", text.n) : (struct yamltext_entry){0};
    if (!stages) {
        strbuf_addstr(out, text);
        yamltext_end(out);
        strbuf_adds(out, "stages:\n");
        write_entry(x, body, 2, out);
        return;
    }
    if (stages->type == VALUE_MAP && yamltext_is_flow(text, stages)) {
        rewrite(x, doc, stages, body, out);
        return;
    }
    unsigned indent = 2;
    size_t from = section.last ? text.n : section.end, to = from;
    if (stages->type == VALUE_MAP && stages->map.count) {
        indent = stages->map.pairs[0].key->column - 1;
        struct yamltext_entry old = yamltext_find(text, stages, x->add->name, section.end);
        from = old.found ? old.start : from;
        to = old.found ? old.end : to;
    }
    yamltext_add(out, text, 0, from);
    yamltext_end(out);
    write_entry(x, body, indent, out);
    yamltext_add(out, text, to, text.n);
}

static bool has_stage(const struct value *doc, const char *name)
{
    return value_get(value_get(doc, "stages"), name) != NULL;
}

static int add_stage(struct adding *x, const struct pipeline *p, struct str text,
                     struct strbuf *out)
{
    x->file = repo_path(x->r, &x->a, "dvc.yaml");
    const char *typed = x->add->wdir && *x->add->wdir ? x->add->wdir : ".";
    x->wdir = repo_abs(x->r, &x->a, repo_path(x->r, &x->a, typed));
    if (check_name(x->add, x->e) < 0 || check_wdir(x) < 0) {
        return -1;
    }
    struct value *doc = schema_parse(&x->a, SCHEMA_DVC_YAML, text, "./dvc.yaml", 0, x->e);
    if (!doc) {
        return -1;
    }
    const struct stage *old = pipeline_find(p, x->file, x->add->name);
    struct value *body =
        in_old_order(&x->a, value_get(value_get(doc, "stages"), x->add->name), entry_value(x, old));
    /* DVC looks at the paths given before it looks whether the name is taken. */
    struct stagebuild b = {&x->a, x->r, x->file, "dvc.yaml"};
    struct stage s;
    if (stagebuild_stage(&b, x->add->name, NULL, body, 1, &s, x->e) < 0 || check_paths(x, &s) < 0) {
        return -1;
    }
    if (!x->add->force && has_stage(doc, x->add->name)) {
        return err_set(x->e, ERR_USAGE,
                       "Stage '%s' already exists in 'dvc.yaml'. Use '--force' to overwrite.",
                       x->add->name);
    }
    if (check_duplicate_outs(x, p, &s, old) < 0 || check_graph(x, p, &s, old) < 0) {
        return -1;
    }
    insert(x, text, doc, body, out);
    return 0;
}

int stagefile_add_stage(const struct repo *r, const struct pipeline *p,
                        const struct stagefile_add *add, struct str text, struct strbuf *out,
                        struct err *e)
{
    struct adding x = {.r = r, .add = add, .e = e};
    arena_init(&x.a);
    int result = add_stage(&x, p, text, out);
    arena_release(&x.a);
    return result;
}

/* --- freezing, removing ----------------------------------------------------------------------- */

static int refuse_unknown(const char *shown, const char *name, struct err *e)
{
    return err_set(e, ERR_MISSING, "Stage '%s' not found inside '%s' file", name, shown);
}

/* Sets or drops the line `frozen: true` at the end of a map whose lines end at `end`. */
static void freeze_map(struct str text, const struct value *map, size_t end, bool frozen,
                       struct strbuf *out)
{
    struct yamltext_entry line = yamltext_find(text, map, "frozen", end);
    if (yamltext_is_flow(text, map)) {
        size_t at = yamltext_offset(text, map);
        at += at < text.n; /* after the brace */
        yamltext_add(out, text, 0, at);
        strbuf_addf(out, "frozen: %s, ", frozen ? "true" : "false");
        yamltext_add(out, text, at, text.n);
        return;
    }
    unsigned indent = map->map.count ? map->map.pairs[0].key->column - 1 : 0;
    size_t from = line.found ? line.start : end, to = line.found ? line.end : end;
    yamltext_add(out, text, 0, from);
    if (frozen) {
        yamltext_end(out);
        strbuf_pad(out, ' ', indent);
        strbuf_adds(out, "frozen: true\n");
    }
    yamltext_add(out, text, to, text.n);
}

static int set_frozen(struct arena *a, struct str text, const char *shown, const char *name,
                      bool frozen, struct strbuf *out, struct err *e)
{
    enum schema_kind kind = name ? SCHEMA_DVC_YAML : SCHEMA_DVC_FILE;
    const struct value *doc = schema_parse(a, kind, text, schema_shown(a, shown), 0, e);
    if (!doc) {
        return -1;
    }
    const struct value *stages = value_get(doc, "stages");
    const struct value *map = name ? value_get(stages, name) : doc;
    if (!map) {
        return strchr(name, '@')
                   ? err_set(e, ERR_USAGE, "cannot dump a parametrized stage: '%s'", name)
                   : refuse_unknown(shown, name, e);
    }
    const struct value *have = value_get(map, "frozen");
    bool now = have && have->type == VALUE_BOOL && have->b;
    if (now == frozen) {
        strbuf_addstr(out, text);
        return 0;
    }
    if (have && yamltext_is_flow(text, map)) {
        size_t at = yamltext_offset(text, have);
        yamltext_add(out, text, 0, at);
        strbuf_adds(out, frozen ? "true" : "false");
        yamltext_add(out, text, at + (have->b ? 4 : 5), text.n);
        return 0;
    }
    size_t end = yamltext_before_trailer(text, 0, text.n);
    if (name) {
        struct yamltext_entry section = yamltext_find(text, doc, "stages", text.n);
        end = yamltext_find(text, stages, name, section.end).end;
    }
    freeze_map(text, map, end, frozen, out);
    return 0;
}

int stagefile_set_frozen(struct str text, const char *shown, const char *name, bool frozen,
                         struct strbuf *out, struct err *e)
{
    struct arena a;
    arena_init(&a);
    int r = set_frozen(&a, text, shown, name, frozen, out, e);
    arena_release(&a);
    return r;
}

static int remove_stage(struct arena *a, struct str text, const char *shown, const char *name,
                        struct strbuf *out, bool *empty, struct err *e)
{
    const struct value *doc = schema_parse(a, SCHEMA_DVC_YAML, text, schema_shown(a, shown), 0, e);
    const struct value *stages = value_get(doc, "stages");
    if (!doc) {
        return -1;
    }
    if (!value_get(stages, name)) {
        return strchr(name, '@')
                   ? err_set(e, ERR_USAGE, "cannot remove a parametrized stage: '%s'", name)
                   : refuse_unknown(shown, name, e);
    }
    struct yamltext_entry section = yamltext_find(text, doc, "stages", text.n);
    struct yamltext_entry x = yamltext_find(text, stages, name, section.end);
    *empty = stages->map.count == 1;
    if (yamltext_is_flow(text, stages)) {
        return err_set(
            e, ERR_FORMAT,
            "'%s', line %u: stages in flow style ({…}) cannot be edited; write one key a "
            "line",
            shown, stages->line);
    }
    yamltext_add(out, text, 0, x.start);
    yamltext_add(out, text, x.end, text.n);
    return 0;
}

int stagefile_remove_stage(struct str text, const char *shown, const char *name, struct strbuf *out,
                           bool *empty, struct err *e)
{
    struct arena a;
    arena_init(&a);
    int r = remove_stage(&a, text, shown, name, out, empty, e);
    arena_release(&a);
    return r;
}

/* --- stage list ------------------------------------------------------------------------------- */

static void add_name(struct strbuf *out, const char *lead, bool *first, const char *name)
{
    strbuf_adds(out, *first ? lead : ", ");
    strbuf_adds(out, name);
    *first = false;
}

static void describe_outs(const struct stage *s, bool plain, const char *lead, struct strbuf *out)
{
    bool first = true;
    for (size_t i = 0; i < s->out_count; i++) {
        if ((s->outs[i].kind == OUT_PLAIN) == plain) {
            add_name(out, lead, &first, s->outs[i].def);
        }
    }
}

static void describe(const struct stage *s, struct strbuf *out)
{
    bool first = true;
    struct str desc = str_from(s->desc), line;
    while (desc.p && str_split(&desc, '\n', &line)) {
        if (line.n && !str_is(line, "\r")) {
            strbuf_addstr(out, str_trim(line));
            return;
        }
    }
    if (s->out_count) {
        describe_outs(s, true, "Outputs ", out);
        struct strbuf reports;
        strbuf_init(&reports);
        describe_outs(s, false, "Reports ", &reports);
        strbuf_adds(out, out->n && reports.n ? "; " : "");
        strbuf_addstr(out, strbuf_str(&reports));
        strbuf_release(&reports);
        return;
    }
    for (size_t i = 0; i < s->dep_count; i++) {
        add_name(out, "Depends on ", &first, s->deps[i].def);
    }
    for (size_t i = 0; i < s->param_count; i++) {
        add_name(out, "Depends on ", &first, s->params[i].def);
    }
    if (first) {
        strbuf_adds(out, "No outputs or dependencies");
    }
}

/* Cuts to `max` code points, the last one an ellipsis. */
static void truncate_text(struct strbuf *b, size_t max)
{
    if (str_utf8_length(strbuf_str(b)) <= max) {
        return;
    }
    size_t at = 0;
    for (size_t n = 0; n + 1 < max; n++) {
        for (at++; at < b->n && ((unsigned char)b->p[at] & 0xc0) == 0x80; at++) {
        }
    }
    strbuf_truncate(b, at);
    strbuf_adds(b, "…");
}

void stagefile_list(const struct stage *const *stages, size_t count, bool name_only,
                    struct strbuf *out)
{
    size_t width = 0;
    struct strbuf text;
    strbuf_init(&text);
    for (size_t i = 0; i < count; i++) {
        size_t n = str_utf8_length(str_from(stages[i]->addr));
        width = n > width ? n : width;
    }
    for (size_t i = 0; i < count; i++) {
        strbuf_reset(&text);
        strbuf_adds(out, stages[i]->addr);
        if (!name_only) {
            describe(stages[i], &text);
            truncate_text(&text, DESCRIPTION_MAX);
            strbuf_pad(out, ' ', width - str_utf8_length(str_from(stages[i]->addr)) + 2);
            struct str s = str_trim(strbuf_str(&text));
            strbuf_addstr(out, s);
        }
        strbuf_addch(out, '\n');
    }
    strbuf_release(&text);
}
