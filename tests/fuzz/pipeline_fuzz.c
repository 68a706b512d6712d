/*
 * dvc.yaml and .dvc text to stages, graph, plan, pictures; and the text edits on what was read. The
 * first byte chooses the kind of file. Params files come from memory, nothing is read from disk.
 */
#include "dag.h"
#include "err.h"
#include "graph.h"
#include "pipeline.h"
#include "repo.h"
#include "stagefile.h"

#include <string.h>

static int read_params(void *ctx, const char *path, struct strbuf *out, struct err *e)
{
    if (strcmp(path, "params.yaml") != 0) {
        return err_set(e, ERR_MISSING, "no file");
    }
    strbuf_adds(out, "a: 1\nl: [x, {y: 2}]\nd: {k: v, n: {m: true}}\ns: text\n");
    return 0;
}

static bool no_folder(void *ctx, const char *path)
{
    return false;
}

static void use_graph(struct pipeline *p, const struct repo *r, struct arena *a)
{
    struct graph g;
    struct graph_plan plan;
    struct strbuf out;
    if (p->stage_count > 2000 || graph_build(&g, p, r, NULL) < 0) {
        return;
    }
    graph_make_plan(&g, NULL, &(struct graph_plan_options){.all = true}, a, &plan);
    strbuf_init(&out);
    for (int form = 0; form < 4 && p->stage_count < 100; form++) {
        struct dag_options opt = {
            .form = (enum dag_form)form, .outs = form & 1, .collapse = !(form & 1)};
        dag_render(&g, r, NULL, &opt, &out, NULL);
    }
    strbuf_release(&out);
    graph_release(&g);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 || size > 65536) {
        return 0;
    }
    const struct repo_files files = {.read = read_params, .is_dir = no_folder};
    struct repo r = {.files = &files, .root = "/repo", .prefix = ".", .no_scm = true};
    struct pipeline p;
    struct strbuf out;
    bool yaml = data[0] & 1, empty;
    struct str text = {(const char *)data + 1, size - 1};
    pipeline_init(&p);
    strbuf_init(&out);
    if (pipeline_parse(&p, &r, yaml ? "dvc.yaml" : "x.dvc", text, NULL) == 0) {
        use_graph(&p, &r, &p.arena);
        const char *name = yaml && p.stage_count ? p.stages[0].name : NULL;
        if (name || !yaml) {
            stagefile_set_frozen(text, "f", name, data[0] & 2, &out, NULL);
        }
        if (name) {
            stagefile_remove_stage(text, "f", name, &out, &empty, NULL);
        }
    }
    strbuf_release(&out);
    pipeline_release(&p);
    return 0;
}
