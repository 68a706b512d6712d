/* `explain`: why a stage would run. What it says is made by dispatch/explain.c. */

#include "cmd.h"

#include "err.h"
#include "explain.h"
#include "json.h"
#include "report.h"
#include "session.h"

#include <stdio.h>

struct explain_args {
    struct opt_list stages;
    bool json, check;
};

static int explain(struct session *s, const struct explain_args *args, bool *stale, struct err *e)
{
    const struct repro_context c = {.repo = &s->repo, .store = s->store, .graph = &s->graph};
    const struct repro_options opt = {.targets = args->stages.items,
                                      .target_count = args->stages.count};
    struct explanation *all;
    size_t count;
    if (explain_stages(&c, &opt, &s->arena, &all, &count, e) < 0) {
        return -1;
    }
    struct strbuf out;
    strbuf_init(&out);
    if (args->json) {
        json_write(&out, explain_json(s->store, &s->arena, all, count),
                   &(struct json_style){.utf8 = true});
        strbuf_addch(&out, '\n');
    } else {
        explain_text(s->store, all, count, &out);
    }
    fwrite(out.p, 1, out.n, stdout);
    strbuf_release(&out);
    *stale = explain_any_stale(all, count);
    return 0;
}

static int run(const struct explain_args *args)
{
    struct err e = ERR_INIT;
    struct session s;
    bool stale = false;
    int rc = session_open(&s, SESSION_STORE, args->json, &e);
    if (rc == 0) {
        rc = explain(&s, args, &stale, &e);
        session_close(&s);
    }
    if (rc < 0) {
        /* With --check 1 is an answer, so trouble is 2, as of cmp and grep. */
        return report_error(&e, args->check ? 2 : 1);
    }
    return args->check && stale ? 1 : 0;
}

int cmd_explain(int argc, char **argv)
{
    struct explain_args args = {0};
    const struct opt options[] = {{OPT_FLAG, 0, "json", NULL, "one JSON object", &args.json, NULL},
                                  {OPT_FLAG, 0, "check", NULL,
                                   "exit 1 when a stage is stale, 2 when that cannot be told",
                                   &args.check, NULL},
                                  OPT_END};
    const struct opt_spec spec = {
        .usage = "nephron explain [OPTION]... [STAGE]...",
        .about = "Says for each stage, and what it needs, whether it is up to date, and if not "
                 "why: which dependency (of a folder, which files), parameter, output or command "
                 "changed, from what to what.",
        .examples = "  nephron explain train\n"
                    "  nephron explain --json | jq '.stages[] | select(.stale)'",
        .options = options,
        .max_args = OPT_ANY};
    int code;
    if (session_options(&spec, argc, argv, &args.stages, 2, &code)) {
        code = run(&args);
        opt_list_release(&args.stages);
    }
    return code;
}
