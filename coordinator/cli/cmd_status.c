/* `status`: the workspace against dvc.lock and .dvc files, or the cache against a remote. */

#include "cmd.h"

#include "alloc.h"
#include "config.h"
#include "err.h"
#include "gitsource.h"
#include "json.h"
#include "remote.h"
#include "session.h"
#include "stale.h"
#include "stale_show.h"
#include "sync.h"

#include <stdio.h>
#include <string.h>

struct status_args {
    struct opt_list targets;
    const char *remote;
    long jobs;
    bool cloud, json, quiet, no_updates;
    struct revision_scope scope;
    struct graph_target_options how;
};

/* What both kinds of status leave to print. */
struct status_answer {
    struct strbuf text;
    const struct value *json;
    const char *clean; /* said when there is nothing to say */
    bool any;
};

/* ---- the workspace ---- */

static void warn_frozen(struct session *s, const struct stage *st)
{
    session_warn(arena_printf(&s->arena,
                              "stage: '%s' is frozen. Its dependencies are not going to be shown "
                              "in the status output.",
                              st->addr));
}

/* Targets in a row with the same filter, in most cases all, are looked at together. */
static int check_targets(struct session *s, const struct checkout_target *targets, size_t count,
                         struct stale_report *reports, struct err *e)
{
    const struct stage **stages = ARENA_ARRAY(&s->arena, count + 1, const struct stage *);
    for (size_t i = 0; i < count; i++) {
        stages[i] = targets[i].stage;
        if (stages[i]->frozen && !gitsource_is_import(stages[i])) {
            warn_frozen(s, stages[i]);
        }
    }
    for (size_t from = 0, to; from < count; from = to) {
        for (to = from + 1; to < count && targets[to].filter == targets[from].filter; to++) {
        }
        const struct stale_options opt = {.filter = targets[from].filter};
        if (stale_check(s->store, &s->arena, stages + from, to - from, &opt, reports + from, e) <
            0) {
            return -1;
        }
    }
    return 0;
}

/* What other repositories hold by now; said before all else of an import. */
static int check_source(struct session *s, struct stale_report *r, struct err *e)
{
    struct gitsource_record rec;
    bool outdated;
    gitsource_record(&s->arena, r->stage, &rec);
    if (gitsource_outdated(&s->arena, &rec, &outdated, e) < 0) {
        return -1;
    }
    if (outdated) {
        struct stale_change *all = ARENA_ARRAY(&s->arena, r->change_count + 1, struct stale_change);
        all[0] = (struct stale_change){
            .where = STALE_DEP, .word = STALE_UPDATE_AVAILABLE, .shown = rec.shown};
        if (r->change_count) {
            memcpy(all + 1, r->changes, r->change_count * sizeof(*all));
        }
        r->changes = all;
        r->change_capacity = ++r->change_count;
    }
    return 0;
}

static int check_sources(struct session *s, struct stale_report *reports, size_t count,
                         struct err *e)
{
    for (size_t i = 0; i < count; i++) {
        if (gitsource_is_import(reports[i].stage) && check_source(s, &reports[i], e) < 0) {
            return -1;
        }
    }
    return 0;
}

static int local_status(struct session *s, const struct status_args *a, struct status_answer *out,
                        struct err *e)
{
    if (revision_scope_any(&a->scope) || a->jobs != 0) {
        const char *names[] = {
            a->scope.branches ? "--all-branches" : NULL, a->scope.tags ? "--all-tags" : NULL,
            a->scope.commits ? "--all-commits" : NULL, a->jobs != 0 ? "--jobs" : NULL};
        err_set(e, ERR_USAGE, "The following options are meaningless for local status:");
        const char *comma = "";
        for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
            if (names[i] != NULL) {
                err_append(e, "%s %s", comma, names[i]);
                comma = ",";
            }
        }
        return -1;
    }
    struct checkout_target *targets;
    size_t count;
    if (sync_targets(s, &a->targets, &a->how, &targets, &count, e) < 0) {
        return -1;
    }
    struct stale_report *reports = ARENA_ARRAY(&s->arena, count + 1, struct stale_report);
    if (check_targets(s, targets, count, reports, e) < 0 ||
        (!a->no_updates && check_sources(s, reports, count, e) < 0)) {
        return -1;
    }
    for (size_t i = 0; i < count; i++) {
        out->any |= stale_any(&reports[i]);
    }
    if (a->json) {
        out->json = stale_json(&s->arena, reports, count);
    } else {
        stale_text(&out->text, reports, count);
    }
    out->clean = "Data and pipelines are up to date.";
    return 0;
}

/* ---- a remote ---- */

static int add_places(struct session *s, struct sync_set *set, struct value *map,
                      struct status_answer *out, struct err *e)
{
    enum remote_place *places = xcalloc(set->objects.count + 1, sizeof(*places));
    int rc = remote_compare(s->store, &set->remote, &set->objects, places, e);
    for (size_t i = 0; rc == 0 && i < set->objects.count; i++) {
        if (places[i] == REMOTE_OK) {
            continue;
        }
        const char *word = remote_place_name(places[i]), *shown = set->objects.objects[i].shown;
        value_set(&s->arena, map, shown, value_cstr(&s->arena, word));
        strbuf_addf(&out->text, "\t%s:", word);
        strbuf_pad(&out->text, ' ', 19 - strlen(word));
        strbuf_addf(&out->text, "%s\n", shown);
        out->any = true;
    }
    free(places);
    return rc;
}

static int cloud_status(struct session *s, const struct status_args *a, struct status_answer *out,
                        struct err *e)
{
    const struct sync_choice choice = {.targets = &a->targets,
                                       .how = &a->how,
                                       .scope = a->scope,
                                       .trouble = REVWALK_STRICT,
                                       .remote = a->remote,
                                       .jobs = a->jobs,
                                       .push = true,
                                       .fetch_dirs = true,
                                       .note_gaps = true};
    struct sync_sets sets = {0};
    struct value *map = value_map(&s->arena);
    int rc = sync_collect(s, &choice, &sets, e);
    for (size_t i = 0; rc == 0 && i < sets.count; i++) {
        rc = add_places(s, &sets.items[i], map, out, e);
    }
    sync_sets_release(&sets);
    const char *name = a->remote != NULL ? a->remote : config_default_remote(s->repo.config);
    out->json = map;
    out->clean =
        arena_printf(&s->arena, "Cache and remote '%s' are in sync.", name != NULL ? name : "None");
    return rc;
}

/* ---- printing ---- */

static int print_answer(const struct session *s, const struct status_args *a,
                        const struct status_answer *out)
{
    if (a->json) {
        struct strbuf line;
        if (a->quiet) {
            return 0;
        }
        strbuf_init(&line);
        json_write(&line, out->json, &(struct json_style){0});
        printf("%s\n", line.p);
        strbuf_release(&line);
        return 0;
    }
    if (a->quiet) {
        return out->any ? 1 : 0;
    }
    if (out->any) {
        fwrite(out->text.p, 1, out->text.n, stdout);
    } else if (s->pipeline.stage_count == 0) {
        printf("There are no data or pipelines tracked in this project yet.\n"
               "See <https://dvc.org/doc/start> to get started!\n");
    } else {
        printf("%s\n", out->clean);
    }
    return 0;
}

static int run(const struct status_args *a)
{
    struct err e = ERR_INIT;
    struct session s;
    struct status_answer out = {0};
    /* Order among stages matters with -d alone; without it DVC looks at each stage by itself. */
    bool ordered = a->how.with_deps || a->cloud || a->remote != NULL;
    if ((ordered ? session_open : session_open_unchecked)(&s, SESSION_STORE, a->quiet, &e) < 0) {
        return session_fail(&e, 1);
    }
    strbuf_init(&out.text);
    int rc = a->cloud || a->remote != NULL ? cloud_status(&s, a, &out, &e)
                                           : local_status(&s, a, &out, &e);
    int code = rc == 0 ? print_answer(&s, a, &out) : sync_fail(&e, NULL);
    strbuf_release(&out.text);
    session_close(&s);
    return code;
}

int cmd_status(int argc, char **argv)
{
    struct status_args a = {.how = {.outputs = true}};
    const struct opt options[] = {
        {OPT_INT, 'j', "jobs", "N", "with -c: look-ups at a time", &a.jobs, NULL},
        {OPT_FLAG, 'q', "quiet", NULL,
         "print nothing, answer by exit code 1 when something changed", &a.quiet, NULL},
        {OPT_FLAG, 'c', "cloud", NULL, "compare the cache with a remote", &a.cloud, NULL},
        {OPT_STR, 'r', "remote", "NAME", "compare with this remote", &a.remote, NULL},
        {OPT_FLAG, 'a', "all-branches", NULL, "with -c: what all branches name", &a.scope.branches,
         NULL},
        {OPT_FLAG, 'T', "all-tags", NULL, "with -c: what all tags name", &a.scope.tags, NULL},
        {OPT_FLAG, 'A', "all-commits", NULL, "with -c: what all commits name", &a.scope.commits,
         NULL},
        {OPT_FLAG, 'd', "with-deps", NULL, "also what the targets depend on", &a.how.with_deps,
         NULL},
        {OPT_FLAG, 'R', "recursive", NULL, "folders stand for what is tracked below",
         &a.how.recursive, NULL},
        {OPT_FLAG, 0, "json", NULL, "one line of JSON", &a.json, NULL},
        {OPT_FLAG, 0, "no-updates", NULL, "do not look whether import sources changed",
         &a.no_updates, NULL},
        OPT_END};
    const struct opt_spec spec = {
        .usage = "nephron status [OPTION]... [TARGET]...",
        .about =
            "Shows what changed since stages ran and data was added; with -c what the cache and a "
            "remote do not share. `nephron explain` says more about a stage.",
        .examples = "  nephron status\n  nephron status train --json\n  nephron status -c -r store",
        .options = options,
        .max_args = OPT_ANY};
    int code;
    if (!session_options(&spec, argc, argv, &a.targets, 254, &code)) {
        return code;
    }
    code = run(&a);
    opt_list_release(&a.targets);
    return code;
}
