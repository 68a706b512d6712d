/* `gc` and `fsck`: what the cache holds. */

#include "cmd.h"

#include "alloc.h"
#include "err.h"
#include "fsck.h"
#include "gc.h"
#include "json.h"
#include "repro.h"
#include "session.h"
#include "store.h"

#include <stdio.h>
#include <string.h>

/*
 * The repository to itself: its lock is held and no `repro` is at work before the pipeline is read,
 * and what a killed run finished is in dvc.lock. Close with held_close in any case.
 */
struct held {
    struct session outer; /* holds the lock */
    struct session s;     /* read under it */
    struct repolock idle;
    bool outer_open, open;
};

static int held_open(struct held *h, const char *cmd, bool quiet, struct err *e)
{
    *h = (struct held){.idle = REPOLOCK_INIT};
    if (session_open(&h->outer, SESSION_REPO, quiet, e) < 0) {
        return -1;
    }
    h->outer_open = true;
    if (session_lock(&h->outer, cmd, e) < 0 ||
        repolock_acquire(&h->idle, &h->outer.repo, REPOLOCK_IDLE, cmd, session_waits(), NULL, e) <
            0 ||
        session_open(&h->s, SESSION_STORE, quiet, e) < 0) {
        return -1;
    }
    h->open = true;
    const struct repro_context c = {.repo = &h->s.repo, .store = h->s.store, .graph = &h->s.graph};
    return repro_recover(&c, true, NULL, e);
}

static void held_close(struct held *h)
{
    if (h->open) {
        session_close(&h->s);
    }
    repolock_release(&h->idle);
    if (h->outer_open) {
        session_close(&h->outer);
    }
}

/* ---- gc ---- */

static bool ask(void *ctx, const char *question)
{
    (void)ctx;
    return session_confirm(question);
}

static int run_gc(struct gc_options *opt, bool force, bool quiet)
{
    struct err e = ERR_INIT;
    struct held h;
    struct strbuf text;
    strbuf_init(&text);
    opt->confirm = force || opt->dry ? NULL : ask;
    int rc = held_open(&h, "nephron gc", quiet, &e);
    if (rc == 0) {
        rc = gc_run(h.s.store, &h.s.arena, &h.s.pipeline, opt, &text, &e);
    }
    if (!quiet) {
        fwrite(text.p, 1, text.n, stdout);
    }
    held_close(&h);
    strbuf_release(&text);
    bool no_project = strncmp(e.text, "directory '", 11) == 0;
    return rc == 0 ? 0 : session_fail(&e, no_project ? 253 : 255);
}

static int check_and_run(struct gc_options *opt, bool force, bool quiet)
{
    struct err e = ERR_INIT;
    struct session s;
    struct strbuf text;
    /* outside of a repository nothing is asked */
    if (session_open(&s, SESSION_REPO, quiet, &e) < 0) {
        return session_fail(&e, 255);
    }
    if (gc_check(opt, &e) < 0) {
        session_close(&s);
        return session_fail(&e, 255);
    }
    strbuf_init(&text);
    gc_warning(&text, &s.arena, opt);
    session_warn(text.p);
    strbuf_release(&text);
    session_close(&s);
    if (!force && !opt->dry && !session_confirm("Are you sure you want to proceed?")) {
        return 1;
    }
    return run_gc(opt, force, quiet);
}

int cmd_gc(int argc, char **argv)
{
    struct gc_options opt = {0};
    struct revision_scope *scope = &opt.scope;
    struct opt_list projects = {0}, args = {0};
    const char *rev = NULL;
    bool force = false, quiet = false;
    long jobs = 0;
    const struct opt options[] = {
        {OPT_GROUP, 0, NULL, NULL, "What is kept (the workspace always):", NULL, NULL},
        {OPT_FLAG, 'w', "workspace", NULL, "what the workspace uses", &opt.workspace, NULL},
        {OPT_STR, 0, "rev", "REV", "what this revision uses", &rev, NULL},
        {OPT_INT, 'n', "num", "N", "and N-1 commits before --rev, or before each branch (-a)",
         &scope->num, NULL},
        {OPT_FLAG, 'a', "all-branches", NULL, "what the tips of all branches use", &scope->branches,
         NULL},
        {OPT_FLAG, 'T', "all-tags", NULL, "what all tags use", &scope->tags, NULL},
        {OPT_FLAG, 'A', "all-commits", NULL, "what any commit uses", &scope->commits, NULL},
        {OPT_STR, 0, "date", "YYYY-MM-DD", "what commits from that day on use", &scope->date, NULL},
        {OPT_FLAG, 0, "all-experiments", NULL, "what experiments use", &scope->experiments, NULL},
        {OPT_MULTI, 'p', "projects", "PATH...", "what these repositories use that share the cache",
         &projects, NULL},
        {OPT_FLAG, 0, "not-in-remote", NULL, "of all that, only what the remote lacks",
         &opt.not_in_remote, NULL},
        {OPT_GROUP, 0, NULL, NULL, "Other:", NULL, NULL},
        {OPT_FLAG, 'c', "cloud", NULL, "clean the remote, too", &opt.cloud, NULL},
        {OPT_STR, 'r', "remote", "NAME", "this remote, not the default one", &opt.remote, NULL},
        {OPT_FLAG, 0, "skip-failed", NULL, "pass over revisions that cannot be read",
         &opt.skip_failed, NULL},
        {OPT_INT, 'j', "jobs", "N", "look-ups at a time", &jobs, NULL},
        {OPT_FLAG, 0, "dry", NULL, "print what would be removed", &opt.dry, NULL},
        {OPT_FLAG, 'f', "force", NULL, "do not ask", &force, NULL},
        {OPT_FLAG, 'q', "quiet", NULL, "print nothing but errors", &quiet, NULL},
        OPT_END};
    const struct opt_spec spec = {
        .usage = "nephron gc SCOPE... [OPTION]...",
        .about = "Deletes objects from the cache that nothing in the scope uses. The history of "
                 "runs stays. Not "
                 "while `nephron repro` is at work.",
        .examples = "  nephron gc -w --dry\n  nephron gc -a -T --all-experiments\n"
                    "  nephron gc -w -c -r archive\n  nephron gc -w --not-in-remote",
        .options = options};
    int code;
    if (session_options(&spec, argc, argv, &args, 254, &code)) {
        scope->revs = &rev;
        scope->rev_count = rev != NULL;
        opt.projects = projects.items;
        opt.project_count = projects.count;
        code = check_and_run(&opt, force, quiet);
        opt_list_release(&args);
    }
    opt_list_release(&projects);
    return code;
}

/* ---- fsck ---- */

static void print_report(struct held *h, const struct fsck_result *r, bool json)
{
    struct strbuf text;
    strbuf_init(&text);
    if (json) {
        json_write(&text, fsck_json(&h->s.arena, r), NULL);
        strbuf_addch(&text, '\n');
    } else {
        fsck_text(&text, r);
    }
    fwrite(text.p, 1, text.n, stdout);
    strbuf_release(&text);
}

static int run_fsck(const struct fsck_options *opt, bool json, bool quiet)
{
    struct err e = ERR_INIT;
    struct held h;
    struct fsck_result r;
    int rc = held_open(&h, "nephron fsck", quiet, &e);
    if (rc == 0) {
        rc = fsck_run(h.s.store, &h.s.arena, &h.s.pipeline, opt, &r, &e);
    }
    if (rc == 0 && (!quiet || json)) {
        print_report(&h, &r, json);
    }
    int code = rc < 0 ? session_fail(&e, 1) : fsck_ok(&r) ? 0 : 1;
    held_close(&h);
    return code;
}

int cmd_fsck(int argc, char **argv)
{
    struct fsck_options opt = {0};
    bool json = false, quiet = false;
    struct opt_list args = {0};
    const struct opt options[] = {
        {OPT_FLAG, 0, "repair", NULL,
         "fetch what is missing or corrupt, remove leftovers, protect objects", &opt.repair, NULL},
        {OPT_STR, 'r', "remote", "NAME", "with --repair: fetch from this remote", &opt.remote,
         NULL},
        {OPT_FLAG, 0, "json", NULL, "one JSON object", &json, NULL},
        {OPT_FLAG, 'q', "quiet", NULL, "print nothing, answer by exit code", &quiet, NULL},
        OPT_END};
    const struct opt_spec spec = {
        .usage = "nephron fsck [OPTION]...",
        .about = "Checks the cache: each object against its name, folder lists, what dvc.lock and "
                 ".dvc files name, "
                 "leftovers of killed programs. Exit code 1: something is wrong.",
        .examples = "  nephron fsck\n  nephron fsck --repair -r store\n  nephron fsck --json",
        .options = options};
    int code;
    if (!session_options(&spec, argc, argv, &args, 2, &code)) {
        return code;
    }
    opt_list_release(&args);
    return run_fsck(&opt, json, quiet);
}
