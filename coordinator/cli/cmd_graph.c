/* `dag`: the graph of stages as text, dot or mermaid. */

#include "cmd.h"

#include "dag.h"
#include "err.h"
#include "session.h"

#include <stdio.h>

int cmd_dag(int argc, char **argv)
{
    bool dot = false, mermaid = false, md = false, quiet = false;
    struct dag_options opt = {0};
    const struct opt options[] = {
        {OPT_FLAG, 0, "dot", NULL, "Graphviz", &dot, NULL},
        {OPT_FLAG, 0, "mermaid", NULL, "Mermaid flowchart", &mermaid, NULL},
        {OPT_FLAG, 0, "md", NULL, "Mermaid in a markdown fence", &md, NULL},
        {OPT_FLAG, 'o', "outs", NULL, "outputs instead of stages", &opt.outs, NULL},
        {OPT_FLAG, 0, "full", NULL, "with a target: its whole pipeline", &opt.full, NULL},
        {OPT_FLAG, 0, "collapse-foreach-matrix", NULL, "instances of a group as one box",
         &opt.collapse, NULL},
        {OPT_FLAG, 'q', "quiet", NULL, "print nothing", &quiet, NULL},
        OPT_END};
    const struct opt_spec spec = {
        .usage = "nephron dag [OPTION]... [TARGET]",
        .about =
            "Draws the graph of stages: boxes and arrows, from what is needed to what needs it.",
        .examples =
            "  nephron dag\n  nephron dag --dot | dot -Tsvg > dag.svg\n  nephron dag training",
        .options = options,
        .max_args = 1};
    struct opt_list args = {0};
    int code;
    if (!session_options(&spec, argc, argv, &args, 254, &code)) {
        return code;
    }
    opt.form = dot ? DAG_DOT : md ? DAG_MARKDOWN : mermaid ? DAG_MERMAID : DAG_TEXT;
    struct err e = ERR_INIT;
    struct session s;
    if (session_open(&s, SESSION_STORE, quiet, &e) < 0) {
        opt_list_release(&args);
        return session_fail(&e, 255);
    }
    struct graph_selection sel = {0};
    const struct graph_target_options how = {.outputs = opt.outs};
    struct strbuf out;
    strbuf_init(&out);
    int rc = store_check_locks(s.store, &s.pipeline, &e);
    if (rc == 0 && args.count > 0) {
        rc = graph_select(&s.graph, &s.repo, args.items, args.count, &how, &s.arena, &sel, &e);
    }
    if (rc == 0) {
        rc = dag_render(&s.graph, &s.repo, args.count > 0 ? &sel : NULL, &opt, &out, &e);
    }
    if (rc == 0 && !quiet) {
        fwrite(out.p, 1, out.n, stdout);
    }
    strbuf_release(&out);
    session_close(&s);
    opt_list_release(&args);
    return rc == 0 ? 0 : session_fail(&e, 255);
}
