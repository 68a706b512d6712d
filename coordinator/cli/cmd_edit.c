/* `remove`, `move`, `freeze`, `unfreeze`, `unprotect` and `destroy`: what is tracked, and how. */

#include "cmd.h"

#include "cas.h"
#include "err.h"
#include "fs.h"
#include "gitstage.h"
#include "session.h"
#include "stageedit.h"
#include "store.h"
#include "sync.h"

#include <stdio.h>
#include <string.h>

/* ---- remove ---- */

static int remove_targets(struct session *s, const struct opt_list *args, bool outs)
{
    struct err e = ERR_INIT;
    struct stageedit_files files = {0};
    int rc = session_lock(s, "nephron remove", &e);
    for (size_t i = 0; rc == 0 && i < args->count; i++) {
        rc = stageedit_remove(s->store, &s->arena, args->items[i], outs, &files, &e);
    }
    /* what went well before a failure is told to git as well */
    struct err why = ERR_INIT;
    if (gitstage_add(s, files.items, files.count, rc == 0 ? &e : &why) < 0) {
        rc = -1;
    }
    return rc == 0 ? 0 : session_fail(&e, 1);
}

int cmd_remove(int argc, char **argv)
{
    bool outs = false, quiet = false;
    const struct opt options[] = {
        {OPT_FLAG, 0, "outs", NULL, "delete the data too", &outs, NULL},
        {OPT_FLAG, 'q', "quiet", NULL, "print nothing but errors", &quiet, NULL},
        OPT_END};
    const struct opt_spec spec = {.usage = "nephron remove [OPTION]... TARGET...",
                                  .about = "Stops tracking: .dvc files go, stages go from dvc.yaml "
                                           "and dvc.lock. The data stays where it is, "
                                           "and in the cache until `nephron gc`.",
                                  .examples =
                                      "  nephron remove data.dvc\n  nephron remove --outs train",
                                  .options = options,
                                  .min_args = 1,
                                  .max_args = OPT_ANY};
    struct opt_list args = {0};
    int code;
    if (!session_options(&spec, argc, argv, &args, 254, &code)) {
        return code;
    }
    struct err e = ERR_INIT;
    struct session s;
    if (session_open_data(&s, SESSION_REPO, quiet, &e) < 0) {
        code = session_fail(&e, 1);
    } else {
        code = remove_targets(&s, &args, outs);
        session_close(&s);
    }
    opt_list_release(&args);
    return code;
}

/* ---- move ---- */

static int move_data(struct session *s, const struct opt_list *args)
{
    struct err e = ERR_INIT;
    struct stageedit_files files = {0};
    int rc = session_lock(s, "nephron move", &e);
    if (rc == 0) {
        rc = stageedit_move(s->store, &s->arena, &s->pipeline, args->items[0], args->items[1],
                            &files, &e);
    }
    if (rc == 0) {
        rc = gitstage_add(s, files.items, files.count, &e);
    }
    if (rc == 0) {
        gitstage_hint(s, files.items, files.count);
        return 0;
    }
    return sync_fail(
        &e, arena_printf(&s->arena, "failed to move '%s' -> '%s'", args->items[0], args->items[1]));
}

int cmd_move(int argc, char **argv)
{
    bool quiet = false;
    const struct opt options[] = {
        {OPT_FLAG, 'q', "quiet", NULL, "print nothing but errors", &quiet, NULL}, OPT_END};
    const struct opt_spec spec = {
        .usage = "nephron move SOURCE DESTINATION",
        .about = "Renames a tracked file or folder together with its .dvc file and its line in "
                 ".gitignore.",
        .examples = "  nephron move raw.csv data.csv\n  nephron move raw.csv archive/",
        .options = options,
        .min_args = 2,
        .max_args = 2};
    struct opt_list args = {0};
    int code;
    if (!session_options(&spec, argc, argv, &args, 254, &code)) {
        return code;
    }
    struct err e = ERR_INIT;
    struct session s;
    if (session_open_data(&s, SESSION_PIPELINE, quiet, &e) < 0) {
        code = session_fail(&e, 1);
    } else {
        code = move_data(&s, &args);
        session_close(&s);
    }
    opt_list_release(&args);
    return code;
}

/* ---- freeze, unfreeze ---- */

static int freeze_targets(struct session *s, const struct opt_list *args, const char *verb)
{
    struct err e = ERR_INIT;
    int code = 0;
    if (session_lock(s, arena_printf(&s->arena, "nephron %s", verb), &e) < 0) {
        return session_fail(&e, 1);
    }
    for (size_t i = 0; i < args->count; i++) {
        const char *file, *name;
        struct err one = ERR_INIT;
        if (stageedit_freeze(&s->repo, &s->arena, args->items[i], verb[0] == 'f', &file, &name,
                             &one) < 0) {
            code =
                sync_fail(&one, arena_printf(&s->arena, "failed to %s '%s'", verb, args->items[i]));
        } else if (name != NULL && !s->quiet) {
            printf("Modifying stage '%s' in '%s'\n", name, file);
        }
    }
    return code;
}

static int freeze_command(const struct opt_spec *about, int argc, char **argv, const char *verb)
{
    bool quiet = false;
    const struct opt options[] = {
        {OPT_FLAG, 'q', "quiet", NULL, "print nothing but errors", &quiet, NULL}, OPT_END};
    struct opt_spec spec = *about;
    spec.options = options;
    spec.min_args = 1;
    spec.max_args = OPT_ANY;
    struct opt_list args = {0};
    int code;
    if (!session_options(&spec, argc, argv, &args, 254, &code)) {
        return code;
    }
    struct err e = ERR_INIT;
    struct session s;
    if (session_open(&s, SESSION_REPO, quiet, &e) < 0) {
        code = session_fail(&e, 1);
    } else {
        code = freeze_targets(&s, &args, verb);
        session_close(&s);
    }
    opt_list_release(&args);
    return code;
}

int cmd_freeze(int argc, char **argv)
{
    static const struct opt_spec spec = {
        .usage = "nephron freeze TARGET...",
        .about = "Keeps stages and imports from running again when what they depend on changes.",
        .examples = "  nephron freeze prepare\n  nephron freeze images.dvc"};
    return freeze_command(&spec, argc, argv, "freeze");
}

int cmd_unfreeze(int argc, char **argv)
{
    static const struct opt_spec spec = {.usage = "nephron unfreeze TARGET...",
                                         .about = "Lets frozen stages and imports run again.",
                                         .examples = "  nephron unfreeze prepare"};
    return freeze_command(&spec, argc, argv, "unfreeze");
}

/* ---- unprotect ---- */

static int unprotect_targets(struct session *s, const struct opt_list *args)
{
    struct err e = ERR_INIT;
    const struct repo *r = &s->repo;
    struct arena *a = &s->arena;
    for (size_t i = 0; i < args->count; i++) {
        const char *abs = repo_abs(r, a, repo_path(r, a, args->items[i]));
        if (!fs_exists(abs)) {
            err_set(&e, ERR_MISSING, "unexpected error - can't unprotect non-existing data '%s'",
                    args->items[i]);
            return session_fail(&e, 255);
        }
        if (cas_unprotect(s->store->cas, abs, &e) < 0) {
            return session_fail(&e, 255);
        }
    }
    return 0;
}

int cmd_unprotect(int argc, char **argv)
{
    bool quiet = false;
    const struct opt options[] = {
        {OPT_FLAG, 'q', "quiet", NULL, "print nothing but errors", &quiet, NULL}, OPT_END};
    const struct opt_spec spec = {.usage = "nephron unprotect TARGET...",
                                  .about = "Makes files that are links into the cache copies that "
                                           "may be written to, when cache.type "
                                           "says hardlink or symlink.",
                                  .examples = "  nephron unprotect data.csv images",
                                  .options = options,
                                  .min_args = 1,
                                  .max_args = OPT_ANY};
    struct opt_list args = {0};
    int code;
    if (!session_options(&spec, argc, argv, &args, 254, &code)) {
        return code;
    }
    struct err e = ERR_INIT;
    struct session s;
    if (session_open_data(&s, SESSION_REPO, quiet, &e) < 0) {
        code = session_fail(&e, 1);
    } else {
        code = unprotect_targets(&s, &args);
        session_close(&s);
    }
    opt_list_release(&args);
    return code;
}

/* ---- destroy ---- */

static int destroy_repo(struct session *s, bool force)
{
    static const char question[] = "This will destroy all information about your pipelines, all "
                                   "data files, as well as cache in "
                                   ".dvc/cache.\nAre you sure you want to continue?";
    struct err e = ERR_INIT;
    int rc = 0;
    if (!force && !session_confirm(question)) {
        rc = err_set(&e, ERR_USAGE,
                     "cannot destroy without a confirmation from the user. Use `-f` to force.");
    }
    if (rc == 0) {
        rc = session_lock(s, "nephron destroy", &e);
    }
    if (rc == 0) {
        rc = stageedit_destroy(s->store, &s->arena, &s->pipeline, &e);
    }
    return rc == 0 ? 0 : sync_fail(&e, "failed to destroy DVC");
}

int cmd_destroy(int argc, char **argv)
{
    bool force = false, quiet = false;
    const struct opt options[] = {
        {OPT_FLAG, 'f', "force", NULL, "do not ask", &force, NULL},
        {OPT_FLAG, 'q', "quiet", NULL, "print nothing but errors", &quiet, NULL},
        OPT_END};
    const struct opt_spec spec = {
        .usage = "nephron destroy [OPTION]...",
        .about = "Removes .dvc with the settings and the cache, .dvcignore, all .dvc files, "
                 "dvc.yaml and dvc.lock. "
                 "Data in the workspace stays; what only the cache holds is lost.",
        .examples = "  nephron destroy -f",
        .options = options};
    struct opt_list args = {0};
    int code;
    if (!session_options(&spec, argc, argv, &args, 254, &code)) {
        return code;
    }
    opt_list_release(&args);
    struct err e = ERR_INIT;
    struct session s;
    if (session_open_data(&s, SESSION_PIPELINE, quiet, &e) < 0) {
        return session_fail(&e, 1);
    }
    code = destroy_repo(&s, force);
    session_close(&s);
    return code;
}
