/* `diff` and `data status`: what happened to tracked data. */

#include "cmd.h"

#include "alloc.h"
#include "datadiff.h"
#include "datastatus.h"
#include "err.h"
#include "session.h"
#include "store.h"
#include "sync.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* ---- diff ---- */

static void print_diff(struct value *answer, const struct datadiff_style *style, bool json)
{
    datadiff_reduce(answer, style);
    if (json) {
        session_print_json(answer);
        return;
    }
    struct strbuf text;
    strbuf_init(&text);
    datadiff_text(&text, answer, style);
    fwrite(text.p, 1, text.n, stdout);
    strbuf_release(&text);
}

static int run_diff(const struct datadiff_revs *revs, const struct datadiff_style *style, bool json,
                    bool quiet)
{
    struct err e = ERR_INIT;
    struct session s;
    struct value *answer;
    if (session_open_unchecked(&s, SESSION_STORE, quiet, &e) < 0) {
        return strncmp(e.text, "failed to parse", 15) == 0 ? sync_fail(&e, "failed to get diff")
                                                           : session_fail(&e, 1);
    }
    int rc = datadiff_revisions(s.store, &s.arena, &s.pipeline, &s.graph, revs, &answer, &e);
    if (rc == 0 && !quiet) {
        print_diff(answer, style, json);
    }
    session_close(&s);
    if (rc < 0 && e.detail == ENOENT) {
        return session_fail(&e, 255);
    }
    return rc == 0 ? 0 : sync_fail(&e, "failed to get diff");
}

int cmd_diff(int argc, char **argv)
{
    struct opt_list targets = {0}, args = {0};
    struct datadiff_style style = {0};
    bool json = false, quiet = false;
    const struct opt options[] = {
        {OPT_MULTI, 0, "targets", "PATH...", "only these outputs, or parts of outputs", &targets,
         NULL},
        {OPT_FLAG, 0, "json", NULL, "one JSON object", &json, NULL},
        {OPT_FLAG, 0, "show-hash", NULL, "show the hash of each entry", &style.show_hash, NULL},
        {OPT_FLAG, 0, "md", NULL, "markdown table", &style.markdown, NULL},
        {OPT_FLAG, 0, "hide-missing", NULL, "do not list what the cache lacks", &style.hide_missing,
         NULL},
        {OPT_FLAG, 'q', "quiet", NULL, "print nothing but errors", &quiet, NULL},
        OPT_END};
    const struct opt_spec spec = {.usage = "nephron diff [OPTION]... [A [B]]",
                                  .about = "Shows what tracked data was added, deleted, renamed or "
                                           "modified between revision A (HEAD) and "
                                           "revision B (the workspace).",
                                  .examples = "  nephron diff\n  nephron diff v1 v2 --show-hash\n  "
                                              "nephron diff HEAD~1 --targets data --json",
                                  .options = options,
                                  .max_args = 2};
    int code;
    if (session_options(&spec, argc, argv, &args, 254, &code)) {
        const struct datadiff_revs revs = {.a = args.count > 0 ? args.items[0] : "HEAD",
                                           .b = args.count > 1 ? args.items[1] : NULL,
                                           .targets = targets.items,
                                           .target_count = targets.count};
        style.hide_missing |= revs.b != NULL;
        code = run_diff(&revs, &style, json, quiet);
        opt_list_release(&args);
    }
    opt_list_release(&targets);
    return code;
}

/* ---- data status ---- */

static int print_status(struct session *s, const struct datastatus_options *opt, bool json)
{
    struct err e = ERR_INIT;
    struct value *answer;
    const char *note;
    if (datastatus_read(s->store, &s->arena, &s->pipeline, opt, &answer, &note, &e) < 0) {
        return session_fail(&e, 255);
    }
    if (json) {
        session_print_json(answer);
    } else if (!s->quiet) {
        struct strbuf text;
        strbuf_init(&text);
        datastatus_text(&text, answer, note);
        fwrite(text.p, 1, text.n, stdout);
        strbuf_release(&text);
    }
    return 0;
}

static int run_status(const struct datastatus_options *opt, bool json, bool quiet)
{
    struct err e = ERR_INIT;
    struct session s;
    if (session_open_unchecked(&s, SESSION_STORE, quiet, &e) < 0) {
        return session_fail(&e, 255);
    }
    int code = print_status(&s, opt, json);
    session_close(&s);
    return code;
}

static int data_status(int argc, char **argv)
{
    struct datastatus_options opt = {0};
    const char *untracked = "no";
    bool json = false, quiet = false, no_refresh = false;
    const struct opt options[] = {
        {OPT_FLAG, 0, "json", NULL, "one JSON object", &json, NULL},
        {OPT_FLAG, 0, "granular", NULL, "the files in folders, too", &opt.granular, NULL},
        {OPT_FLAG, 0, "unchanged", NULL, "also what did not change", &opt.unchanged, NULL},
        {OPT_MAYBE, 0, "untracked-files", "no|all", "also files that neither git nor DVC tracks",
         &untracked, NULL},
        {OPT_STR, 'r', "remote", "NAME", "with --not-in-remote: this remote", &opt.remote, NULL},
        {OPT_FLAG, 0, "not-in-remote", NULL, "also what the remote lacks", &opt.not_in_remote,
         NULL},
        {OPT_FLAG, 0, "no-remote-refresh", NULL,
         "accepted for DVC's sake: the remote is always asked", &no_refresh, NULL},
        {OPT_FLAG, 'q', "quiet", NULL, "print nothing but errors", &quiet, NULL},
        OPT_END};
    const struct opt_spec spec = {
        .usage = "nephron data status [OPTION]... [TARGET]...",
        .about = "Shows what was recorded since the last git commit, what changed in the workspace "
                 "since it was "
                 "recorded, and what the cache or the remote lacks.",
        .examples = "  nephron data status\n  nephron data status --granular --json data",
        .options = options,
        .max_args = OPT_ANY};
    struct opt_list args = {0};
    int code;
    if (!session_options(&spec, argc, argv, &args, 254, &code)) {
        return code;
    }
    opt.untracked = untracked[0] == '\0' || strcmp(untracked, "all") == 0;
    if (!opt.untracked && strcmp(untracked, "no") != 0) {
        fprintf(
            stderr,
            "ERROR: argument --untracked-files: invalid choice: '%s' (choose from 'no', 'all')\n",
            untracked);
        opt_print_usage(&spec);
        code = 254;
    } else {
        opt.targets = args.items;
        opt.target_count = args.count;
        code = run_status(&opt, json, quiet);
    }
    opt_list_release(&args);
    return code;
}

int cmd_data(int argc, char **argv)
{
    static const struct session_command commands[] = {
        {"status", data_status, "tracked data against git, workspace, cache and remote"},
    };
    return session_dispatch("data", commands, ARRAY_SIZE(commands), argc, argv);
}
