/* `plots show`, `plots diff`, `plots modify` and `plots templates`. */

#include "cmd.h"

#include "alloc.h"
#include "config.h"
#include "err.h"
#include "expref.h"
#include "fs.h"
#include "git.h"
#include "gitstage.h"
#include "json.h"
#include "path.h"
#include "plotedit.h"
#include "plotpage.h"
#include "plotread.h"
#include "plots.h"
#include "plotspec.h"
#include "pipeline.h"
#include "proc.h"
#include "repo.h"
#include "session.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

/* What both commands are asked. */
struct words {
    const char *template, *x, *y, *title, *x_label, *y_label, *out, *html_template;
    bool no_header, json, show_vega, split, open, quiet, experiment;
    struct opt_list targets, revs; /* borrowed */
};

/* How a plot is drawn. */
#define PROPS_OPTIONS(w)                                                                            \
    {OPT_STR,       't', "template", "NAME", "how to draw: a template's name or JSON file",         \
     &(w).template, NULL},                                                                          \
        {OPT_STR, 'x', NULL, "FIELD", "field of the x axis", &(w).x, NULL},                         \
        {OPT_STR, 'y', NULL, "FIELD", "field of the y axis", &(w).y, NULL},                         \
        {OPT_FLAG, 0, "no-header", NULL, "csv and tsv files have no header", &(w).no_header, NULL}, \
        {OPT_STR, 0, "title", "TEXT", "title of the plot", &(w).title, NULL},                       \
        {OPT_STR, 0, "x-label", "TEXT", "label of the x axis", &(w).x_label, NULL},                 \
    {                                                                                               \
        OPT_STR, 0, "y-label", "TEXT", "label of the y axis", &(w).y_label, NULL                    \
    }

static struct value *props_of(struct arena *a, const struct words *w)
{
    const char *const texts[][2] = {{"template", w->template},
                                    {"x", w->x},
                                    {"y", w->y},
                                    {"title", w->title},
                                    {"x_label", w->x_label},
                                    {"y_label", w->y_label}};
    struct value *props = value_map(a);
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        if (texts[i][1]) {
            value_set(a, props, texts[i][0], value_cstr(a, texts[i][1]));
        }
    }
    if (w->no_header) {
        value_set(a, props, "header", value_bool(a, false));
    }
    return props;
}

/* ---- what is shown ---- */

/* A template by name: a file below .dvc/plots or here, or a built-in one. */
static struct value *load_template(struct session *s, const char *name, struct err *e)
{
    struct arena *a = &s->arena;
    const char *kept = path_join(a, arena_printf(a, "%s/plots", s->repo.dvc_dir), name);
    const char *const files[] = {kept, arena_printf(a, "%s.json", kept), name};
    for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
        if (fs_is_file(files[i])) {
            return json_load(a, files[i], e);
        }
    }
    struct value *content = plotspec_template(a, name);
    if (!content) {
        err_set(e, ERR_MISSING,
                "template '%s' not found: no such file here or in .dvc/plots, and "
                "`nephron plots templates` has no such name",
                name);
    }
    return content;
}

static struct value *find_template(struct session *s, const struct plot *plot, struct err *e)
{
    const struct value *v = value_get(plot->props, "template");
    return load_template(s, v && v->type == VALUE_STR ? v->s.p : "linear", e);
}

static struct value *spec_of(struct session *s, struct plot *plot, struct value **anchors,
                             struct err *e)
{
    struct value *content = find_template(s, plot, e);
    return content ? plotspec_fill(&s->arena, content, plot, anchors, e) : NULL;
}

/* Writes REV_NAME into the folder of the plots; answers its path. */
static const char *write_image(struct session *s, const char *dir, const struct value *point,
                               struct err *e)
{
    struct str data = value_as_str(value_get(point, "data"));
    char *name = arena_printf(&s->arena, "%s_%s", value_as_str(value_get(point, "rev")).p,
                              value_as_str(value_get(point, "filename")).p);
    for (char *p = name; *p; p++) {
        *p = *p == '/' ? '_' : *p;
    }
    const char *file = path_join(&s->arena, dir, name);
    return fs_mkdirs(dir, e) == 0 && fs_write_atomic(file, data.p, data.n, 0, e) == 0 ? file : NULL;
}

static struct value *image_json(struct session *s, const struct plot *plot, const char *dir,
                                struct err *e)
{
    struct value *list = value_list(&s->arena);
    for (size_t i = 0; i < plot->points->list.count; i++) {
        const struct value *point = plot->points->list.items[i];
        const char *file = write_image(s, dir, point, e);
        if (!file) {
            return NULL;
        }
        struct value *item = value_map(&s->arena), *revs = value_list(&s->arena);
        value_push(&s->arena, revs, value_get(point, "rev"));
        value_set(&s->arena, item, "type", value_cstr(&s->arena, "image"));
        value_set(&s->arena, item, "revisions", revs);
        value_set(&s->arena, item, "url", value_cstr(&s->arena, file));
        value_push(&s->arena, list, item);
    }
    return list;
}

static struct value *vega_json(struct session *s, struct plot *plot, bool split, struct err *e)
{
    struct value *list = value_list(&s->arena), *item = value_map(&s->arena), *anchors = NULL;
    if (plot->points->list.count == 0) {
        return list;
    }
    struct value *spec = spec_of(s, plot, split ? &anchors : NULL, e);
    if (!spec) {
        return NULL;
    }
    value_set(&s->arena, item, "type", value_cstr(&s->arena, "vega"));
    value_set(&s->arena, item, "revisions", plot->revs);
    value_set(&s->arena, item, "content", spec);
    if (anchors) {
        value_set(&s->arena, item, "anchor_definitions", anchors);
    }
    value_push(&s->arena, list, item);
    return list;
}

static int show_json(struct session *s, const struct words *w, struct plot_list *plots,
                     const char *dir, struct err *e)
{
    struct value *answer = value_map(&s->arena), *data = value_map(&s->arena);
    for (size_t i = 0; i < plots->count; i++) {
        struct plot *p = &plots->items[i];
        struct value *v = p->image ? image_json(s, p, dir, e) : vega_json(s, p, w->split, e);
        if (!v) {
            return -1;
        }
        value_set(&s->arena, data, p->name, v);
    }
    if (plots->errors->list.count > 0) {
        value_set(&s->arena, answer, "errors", plots->errors);
    }
    if (plots->count > 0) {
        value_set(&s->arena, answer, "data", data);
    }
    session_print_json(answer);
    return 0;
}

static int show_vega(struct session *s, struct plot_list *plots, struct err *e)
{
    for (size_t i = 0; i < plots->count; i++) {
        if (!plots->items[i].image) {
            struct value *empty = value_map(&s->arena);
            bool none = plots->items[i].points->list.count == 0;
            struct value *spec = none ? empty : spec_of(s, &plots->items[i], NULL, e);
            if (spec) {
                session_print_json(spec);
            }
            return spec ? 0 : -1;
        }
    }
    return 0;
}

/* --html-template, else plots.html_template, which is relative to .dvc; NULL: our own page. */
static const char *page_template(struct session *s, const struct words *w)
{
    const char *set = config_get(s->repo.config, "plots", "html_template");
    return w->html_template ? w->html_template
           : set            ? path_absolute(&s->arena, s->repo.dvc_dir, set)
                            : NULL;
}

static int show_page(struct session *s, const struct words *w, struct plot_list *plots,
                     const char *dir, struct err *e)
{
    struct plotpage_item *items = ARENA_ARRAY(&s->arena, plots->count + 1, struct plotpage_item);
    struct strbuf page, frame;
    const char *file = path_join(&s->arena, dir, "index.html"), *given = page_template(s, w);
    int rc = -1;
    strbuf_init(&page);
    strbuf_init(&frame);
    for (size_t i = 0; i < plots->count; i++) {
        struct plot *p = &plots->items[i];
        items[i].plot = p;
        if (!p->image && p->points->list.count > 0) {
            items[i].content = find_template(s, p, e);
            if (!items[i].content) {
                goto out;
            }
            plotspec_name_series(&s->arena, p);
        }
    }
    if (given && fs_read(given, 0, &frame, e) < 0) {
        goto out;
    }
    if (plotpage_write(&s->arena, items, plots->count, given ? frame.p : NULL, &page, e) < 0 ||
        fs_mkdirs(dir, e) < 0 || fs_write_atomic(file, page.p, page.n, 0, e) < 0) {
        goto out;
    }
    if (!w->quiet) {
        printf("file://%s\n", file);
    }
    rc = 0;
    if (w->open) {
        const char *argv[] = {"xdg-open", file, NULL};
        struct proc p;
        struct proc_status st;
        rc = proc_start(&p, &(struct proc_options){.argv = argv}, e) < 0 ? -1
                                                                         : proc_wait(&p, &st, e);
    }
out:
    strbuf_release(&page);
    strbuf_release(&frame);
    return rc;
}

/* DVC's words about what could not be read. */
static void warn(const struct plot_list *plots, const struct plot_revision *revs, size_t count)
{
    const char *sep = "DVC failed to load some plots for following revisions: '";
    bool any = false;
    for (size_t i = 0; i < count; i++) {
        bool failed = false;
        for (size_t k = 0; k < revs[i].files->map.count; k++) {
            failed = failed || value_get(revs[i].files->map.pairs[k].val, "error");
        }
        if (failed) {
            fprintf(stderr, "%s%s", sep, revs[i].name);
            sep = ", ";
            any = true;
        }
    }
    fputs(any ? "'.\n" : "", stderr);
    for (size_t i = 0; i < plots->errors->list.count; i++) {
        const struct value *v = plots->errors->list.items[i];
        if (!value_get(v, "source")) {
            fprintf(stderr, "WARNING: In '%s', ", value_as_str(value_get(v, "rev")).p);
            for (const char *p = value_as_str(value_get(v, "msg")).p; *p; p++) {
                fputc(tolower((unsigned char)*p), stderr);
            }
            fputc('\n', stderr);
        }
    }
}

static int run(struct session *s, const struct words *w, struct err *e)
{
    const struct plotread what = {.targets = w->targets.items,
                                  .target_count = w->targets.count,
                                  .props = props_of(&s->arena, w),
                                  .revs = w->revs.items,
                                  .rev_count = w->revs.count};
    struct plot_revision *revs;
    struct plot_list plots;
    size_t count;
    if (plotread_revisions(s->store, &s->arena, &s->pipeline, &what, &revs, &count, e) < 0) {
        return -1;
    }
    const char *set = config_get(s->repo.config, "plots", "out_dir");
    const char *dir = path_absolute(&s->arena, path_cwd(&s->arena),
                                    w->out ? w->out
                                    : set  ? set
                                           : "dvc_plots");
    plots_match(&s->arena, revs, count, &plots);
    warn(&plots, revs, count);
    if (w->json) {
        return show_json(s, w, &plots, dir, e);
    }
    if (w->show_vega) {
        return show_vega(s, &plots, e);
    }
    if (plots.count == 0) {
        fputs("No plots were loaded, visualization file will not be created.\n", stderr);
        return 0;
    }
    return show_page(s, w, &plots, dir, e);
}

/* ---- revisions of `plots diff` ---- */

/* Appends to a copy: the list itself is the caller's. */
static void push(struct opt_list *l, struct arena *a, const char *rev)
{
    const char **items = ARENA_ARRAY(a, l->count + 1, const char *);
    for (size_t i = 0; i < l->count; i++) {
        items[i] = l->items[i];
    }
    items[l->count++] = rev;
    l->items = items;
}

/* As DVC: one revision is compared with the workspace; none: HEAD, when the workspace differs. */
static int complete_revisions(struct session *s, struct opt_list *revs, bool experiment,
                              struct err *e)
{
    struct git_head head;
    char commit[65];
    if (s->repo.scm_root == NULL) {
        return err_set(e, ERR_USAGE, "cannot compare revisions: this repository has no git");
    }
    if (git_head(&s->repo, &head, e) < 0) {
        return -1;
    }
    if (experiment && revs->count == 1) {
        if (git_rev_parse(&s->repo, revs->items[0], commit, e) < 0) {
            return -1;
        }
        const char *baseline;
        if (expref_baseline(&s->repo, &s->arena, commit, &baseline, e) < 0) {
            return -1;
        }
        if (baseline != NULL) {
            push(revs, &s->arena, arena_strndup(&s->arena, baseline, 7));
        }
    }
    if (revs->count == 0 && head.commit[0]) {
        struct strbuf changes;
        strbuf_init(&changes);
        const char *const args[] = {"status", "--porcelain", "--untracked-files=no", NULL};
        int rc = git_run(&s->repo, args, &changes, e);
        if (changes.n > 0) {
            push(revs, &s->arena, "HEAD");
        }
        strbuf_release(&changes);
        if (rc < 0) {
            return -1;
        }
    }
    if (revs->count <= 1) {
        push(revs, &s->arena, "workspace");
    }
    return 0;
}

static int check_words(const struct words *w, struct err *e)
{
    if (w->show_vega && w->targets.count == 0) {
        return err_set(e, ERR_USAGE, "please specify a target for `--show-vega`");
    }
    if (w->show_vega && w->targets.count > 1) {
        return err_set(e, ERR_USAGE, "you can only specify one target for `--show-vega`");
    }
    if (w->show_vega && w->json) {
        return err_set(e, ERR_USAGE, "'--show-vega' and '--json' are mutually exclusive options.");
    }
    return 0;
}

static int plots_command(struct words *w, bool diff)
{
    struct err e = ERR_INIT;
    struct session s;
    if (check_words(w, &e) < 0 || session_open_unchecked(&s, SESSION_STORE, w->quiet, &e) < 0) {
        return session_fail(&e, 1);
    }
    if (!diff) {
        push(&w->revs, &s.arena, "workspace");
    }
    int rc = diff ? complete_revisions(&s, &w->revs, w->experiment, &e) : 0;
    rc = rc == 0 ? run(&s, w, &e) : rc;
    session_close(&s);
    return rc == 0 ? 0 : session_fail(&e, 1);
}

static int show_or_diff(int argc, char **argv, bool diff)
{
    struct words w = {0};
    struct opt_list targets = {0}, args = {0};
    const struct opt options[] = {
        PROPS_OPTIONS(w),
        {OPT_STR, 'o', "out", "DIR", "folder of the page (dvc_plots)", &w.out, NULL},
        {OPT_FLAG, 0, "show-vega", NULL, "print the Vega-Lite specification of one target",
         &w.show_vega, NULL},
        {OPT_FLAG, 0, "json", NULL, "one JSON object with the specifications", &w.json, NULL},
        {OPT_FLAG, 0, "split", NULL, "with --json: data apart from the specification", &w.split,
         NULL},
        {OPT_FLAG, 0, "open", NULL, "open the page in the browser", &w.open, NULL},
        {OPT_STR, 0, "html-template", "FILE", "page to put the plots in, at {plot_divs}",
         &w.html_template, NULL},
        {OPT_FLAG, 'q', "quiet", NULL, "print nothing", &w.quiet, NULL},
        /* `plots show` takes its targets without an option: the table ends here */
        {diff ? OPT_MULTI : OPT_GROUP, 0, diff ? "targets" : NULL, diff ? "FILE..." : NULL,
         diff ? "only these plots" : NULL, diff ? &targets : NULL, NULL},
        {OPT_FLAG, 'e', "experiment", NULL,
         "the one REVISION is an experiment, to be compared with what it started from",
         &w.experiment, NULL},
        OPT_END};
    const struct opt_spec spec = {
        .usage = diff ? "nephron plots diff [OPTION]... [REVISION]..."
                      : "nephron plots show [OPTION]... [TARGET]...",
        .about = diff ? "Draws plots of several revisions into each other: HEAD and the workspace, "
                        "unless told. The page works without a network."
                      : "Draws the plots of dvc.yaml, or of files, as a page that works without a "
                        "network.",
        .examples = diff ? "  nephron plots diff\n  nephron plots diff v1 main --targets loss.csv"
                         : "  nephron plots show\n  nephron plots show loss.csv -x step -y loss",
        .options = options,
        .max_args = OPT_ANY};
    int code;
    if (session_options(&spec, argc, argv, &args, 254, &code)) {
        w.targets = diff ? targets : args;
        w.revs = diff ? args : (struct opt_list){0};
        code = plots_command(&w, diff);
        opt_list_release(&args);
    }
    opt_list_release(&targets);
    return code;
}

static int plots_show(int argc, char **argv)
{
    return show_or_diff(argc, argv, false);
}

static int plots_diff(int argc, char **argv)
{
    return show_or_diff(argc, argv, true);
}

/* ---- plots modify ---- */

static int modify(struct session *s, const struct words *w, struct plotedit *x, struct err *e)
{
    const struct stage *st;
    x->props = props_of(&s->arena, w);
    if ((w->template && !load_template(s, w->template, e)) ||
        session_lock(s, "nephron plots modify", e) < 0 ||
        plotedit_modify(s->store, &s->arena, &s->graph, x, &st, e) < 0) {
        return -1;
    }
    if (st->name && !s->quiet) {
        printf("Modifying stage '%s' in '%s'\n", st->name,
               repo_show(&s->repo, &s->arena, st->file));
    }
    return gitstage_add(s, &st->file, 1, e);
}

static int plots_modify(int argc, char **argv)
{
    struct words w = {0};
    struct opt_list unset = {0}, args = {0};
    const struct opt options[] = {
        PROPS_OPTIONS(w),
        {OPT_MULTI, 0, "unset", "PROPERTY...", "take properties off", &unset, NULL},
        {OPT_FLAG, 'q', "quiet", NULL, "print nothing", &w.quiet, NULL},
        OPT_END};
    const struct opt_spec spec = {
        .usage = "nephron plots modify TARGET [OPTION]...",
        .about = "Writes down how an output of a stage is drawn: in dvc.yaml, at the output. Makes "
                 "it a plot if it is none.",
        .examples = "  nephron plots modify loss.csv -x step -y loss --title Loss\n"
                    "  nephron plots modify loss.csv --unset title",
        .options = options,
        .min_args = 1,
        .max_args = 1};
    int code;
    if (session_options(&spec, argc, argv, &args, 254, &code)) {
        struct err e = ERR_INIT;
        struct session s;
        struct plotedit x = {.target = args.items[0], .unset = unset.items};
        x.unset_count = unset.count;
        int rc = session_open(&s, SESSION_STORE, w.quiet, &e);
        if (rc == 0) {
            rc = modify(&s, &w, &x, &e);
            session_close(&s);
        }
        code = rc == 0 ? 0 : session_fail(&e, 255);
        opt_list_release(&args);
    }
    opt_list_release(&unset);
    return code;
}

static int plots_templates(int argc, char **argv)
{
    bool quiet = false;
    const struct opt options[] = {{OPT_FLAG, 'q', "quiet", NULL, "print nothing", &quiet, NULL},
                                  OPT_END};
    const struct opt_spec spec = {
        .usage = "nephron plots templates [NAME]",
        .about = "Lists the built-in templates, or prints one as a Vega-Lite specification.",
        .examples = "  nephron plots templates\n  nephron plots templates confusion > my.json",
        .options = options,
        .max_args = 1};
    struct opt_list args = {0};
    struct arena a;
    struct err e = ERR_INIT;
    int code = 0;
    if (!session_options(&spec, argc, argv, &args, 254, &code)) {
        return code;
    }
    arena_init(&a);
    for (size_t i = 0; !quiet && args.count == 0 && plotspec_name(i); i++) {
        puts(plotspec_name(i));
    }
    if (args.count == 1) {
        struct value *content = plotspec_template(&a, args.items[0]);
        if (content && !quiet) {
            session_print_json(content);
        } else if (!content) {
            err_set(&e, ERR_MISSING, "Unexpected template: %s.", args.items[0]);
            code = session_fail(&e, 1);
        }
    }
    arena_release(&a);
    opt_list_release(&args);
    return code;
}

int cmd_plots(int argc, char **argv)
{
    static const struct session_command commands[] = {
        {"show", plots_show, "plots of the workspace, as a page"},
        {"diff", plots_diff, "plots of several revisions in one"},
        {"modify", plots_modify, "how an output is drawn, in dvc.yaml"},
        {"templates", plots_templates, "how plots can be drawn"},
    };
    return session_dispatch("plots", commands, ARRAY_SIZE(commands), argc, argv);
}
