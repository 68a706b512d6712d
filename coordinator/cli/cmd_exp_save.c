/* `exp save`. */
#include "cmd_exp.h"

#include "err.h"
#include "expautopush.h"
#include "expcommit.h"
#include "exprun.h"
#include "expsave.h"
#include "opt.h"
#include "session.h"
#include "sync.h"
#include "value.h"

#include <stdio.h>

struct typed {
    struct exptask task;
    struct opt_list targets, untracked;
    const char *name, *message;
    bool json, quiet;
};

static bool parse(int argc, char **argv, struct typed *t, int *code)
{
    const struct opt options[] = {
        {OPT_STR, 'n', "name", "NAME", "name of the experiment (else one is made up)", &t->name,
         NULL},
        {OPT_FLAG, 'f', "force", NULL, "replace an experiment of this name", &t->task.repro.force,
         NULL},
        {OPT_FLAG, 'R', "recursive", NULL, "folders stand for what is tracked below",
         &t->task.repro.recursive, NULL},
        {OPT_LIST, 'I', "include-untracked", "PATH", "a file git does not know, to be kept too",
         &t->untracked, NULL},
        {OPT_STR, 'm', "message", "TEXT", "message of the experiment's commit", &t->message, NULL},
        {OPT_STR, 'M', NULL, "TEXT", "old form of -m", &t->message, NULL},
        {OPT_FLAG, 0, "json", NULL, "print the ref as JSON", &t->json, NULL},
        {OPT_FLAG, 'q', "quiet", NULL, "print nothing but errors", &t->quiet, NULL},
        OPT_END};
    const struct opt_spec spec = {
        .usage = "nephron exp save [OPTION]... [TARGET]...",
        .about = "Keeps the workspace as it is as an experiment, without running anything. Targets "
                 "limit which outputs are stored: .dvc files, stages.",
        .examples = "  nephron exp save -n before-cleanup",
        .options = options,
        .max_args = OPT_ANY};
    if (!session_options(&spec, argc, argv, &t->targets, 254, code)) {
        return false;
    }
    t->task.repro.targets = t->targets.items;
    t->task.repro.target_count = t->targets.count;
    t->task.name = t->name;
    t->task.message = t->message;
    return true;
}

static int save(struct session *s, struct typed *t)
{
    struct err e = ERR_INIT;
    char commit[65];
    const char **paths = ARENA_ARRAY(&s->arena, t->untracked.count + 1, const char *);
    for (size_t i = 0; i < t->untracked.count; i++) {
        paths[i] = repo_path(&s->repo, &s->arena, t->untracked.items[i]);
    }
    const struct expsave x = {
        .task = &t->task, .untracked = paths, .untracked_count = t->untracked.count};
    if (session_lock(s, "nephron exp save", &e) < 0 ||
        exprun_begin(&s->repo, &t->task, &s->arena, &e) < 0 ||
        expsave_run(s->store, &s->graph, &x, commit, &e) < 0) {
        return sync_fail(&e, "failed to save experiment");
    }
    repolock_release(&s->lock);
    expautopush(&s->repo, &t->task, t->quiet || t->json);
    if (t->json) {
        struct value *v = value_map(&s->arena);
        value_set(&s->arena, v, "ref", value_cstr(&s->arena, commit));
        session_print_json(v);
    } else if (!t->quiet) {
        printf("Experiment has been saved as: %s\n", t->task.name);
    }
    return 0;
}

int cmd_exp_save(int argc, char **argv)
{
    struct typed t = {0};
    struct err e = ERR_INIT;
    struct session s;
    int code;
    if (parse(argc, argv, &t, &code)) {
        if (session_open(&s, SESSION_STORE, t.quiet, &e) < 0) {
            code = session_fail(&e, 1);
        } else {
            code = save(&s, &t);
            session_close(&s);
        }
    }
    opt_list_release(&t.targets);
    opt_list_release(&t.untracked);
    return code;
}
