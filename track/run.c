/* The life of a run as events; see run.h. */

#include "run.h"

#include "arena.h"
#include "err.h"
#include "fs.h"
#include "num.h"
#include "par.h"
#include "path.h"
#include "run_facts.h"
#include "spool.h"
#include "value.h"

#include <gnu/libc-version.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PARAM_DEPTH_MAX 64
#define INT_TEXT 24

const char *run_status_name(enum run_status s)
{
    static const char *const names[] = {
#define X(name, text) text,
        RUN_STATUSES(X)
#undef X
    };
    return names[s];
}

static const char *int_text(char out[INT_TEXT], int64_t v)
{
    snprintf(out, INT_TEXT, "%" PRId64, v);
    return out;
}

static void emit_tags(struct run *r, struct arena *a, const char *project,
                      const struct run_git *git)
{
    char cores[INT_TEXT];
    event_emit(r->sink, EVENT_TAG, r->id, "cpu_model", run_facts_cpu(a), "cpu_count",
               int_text(cores, par_cores()), "kernel", run_facts_kernel(a), "libc",
               gnu_get_libc_version(), "hiredis", run_facts_hiredis(a), "dvc_lock_md5",
               run_facts_lock_md5(a, project), "git_diff", git->diff_path, "environment",
               run_facts_environment(a, environ), NULL);
}

static const char *environment_run_id(const char *name)
{
    const char *v = getenv(name);
    return v && spool_is_run_id(v) ? v : NULL;
}

void run_begin(struct run *r, const struct event_sink *sink, const struct run_options *opt)
{
    struct arena a;
    struct run_git git = {0};
    char world[INT_TEXT], id[33];

    event_new_run_id(id);
    run_join(r, sink, opt->id && spool_is_run_id(opt->id) ? opt->id : id);
    if (!sink) {
        return;
    }
    arena_init(&a);
    const char *project = opt->project ? opt->project : path_cwd(&a);
    const char *host = run_facts_host(&a);
    const char *stage = opt->stage ? opt->stage : getenv("NEPHRON_STAGE");
    stage = stage ? stage : getenv("DVC_STAGE"); /* what DVC tells its stages, and we ours */
    if (!opt->light) {
        run_facts_git(&a, project, r->id, &git);
    }
    event_emit(sink, EVENT_RUN_START, r->id, "kind", opt->kind, "name",
               opt->name ? opt->name : opt->kind, "experiment", opt->experiment, "parent",
               opt->parent ? opt->parent : environment_run_id("NEPHRON_PARENT_RUN"), "status",
               run_status_name(RUN_RUNNING), "stage", stage && *stage ? stage : NULL, "cmd",
               run_facts_command(&a, opt->argc, opt->argv), "git_commit", git.commit, "git_branch",
               git.branch, "git_dirty", git.commit ? (git.dirty ? "true" : "false") : NULL, "user",
               run_facts_user(&a), "host", host, "world_size",
               int_text(world, opt->world_size > 0 ? opt->world_size : 1), "hosts",
               opt->hosts ? opt->hosts : host, "version", NEPHRON_VERSION, NULL);
    if (!opt->light) {
        emit_tags(r, &a, project, &git);
    }
    arena_release(&a);
}

void run_join(struct run *r, const struct event_sink *sink, const char *id)
{
    *r = (struct run){.sink = sink};
    snprintf(r->id, sizeof(r->id), "%s", id);
}

void run_metric(const struct run *r, const char *name, int64_t step, double v)
{
    char value[NUM_TEXT_SIZE], at[INT_TEXT];
    num_repr(value, v);
    event_emit(r->sink, EVENT_METRIC, r->id, "name", name, "v", value, "step", int_text(at, step),
               NULL);
}

void run_param(const struct run *r, const char *key, const char *value)
{
    event_emit(r->sink, EVENT_PARAM, r->id, key, value, NULL);
}

static void emit_params(const struct run *r, const struct value *v, struct strbuf *path, int depth)
{
    struct strbuf text;
    size_t n = path->n;

    if (v->type == VALUE_MAP && v->map.count && depth < PARAM_DEPTH_MAX) {
        for (size_t i = 0; i < v->map.count; i++) {
            if (n) {
                strbuf_addch(path, '.');
            }
            value_text(path, v->map.pairs[i].key);
            emit_params(r, v->map.pairs[i].val, path, depth + 1);
            strbuf_truncate(path, n);
        }
    } else if (n) {
        strbuf_init_max(&text, 8192);
        if (value_is_scalar(v)) {
            value_text(&text, v);
        } else {
            value_repr(&text, v);
        }
        run_param(r, path->p, text.p);
        strbuf_release(&text);
    }
}

void run_params(const struct run *r, const struct value *map)
{
    struct strbuf path;
    if (map && r->sink) {
        strbuf_init(&path);
        emit_params(r, map, &path, 0);
        strbuf_release(&path);
    }
}

void run_tag(const struct run *r, const char *key, const char *value)
{
    event_emit(r->sink, EVENT_TAG, r->id, key, value, NULL);
}

void run_log_line(const struct run *r, int rank, const char *line)
{
    char text[INT_TEXT];
    event_emit(r->sink, EVENT_LOG, r->id, "line", line, "rank", int_text(text, rank), NULL);
}

void run_stage(const struct run *r, const struct run_stage *s)
{
    char rank[INT_TEXT], start[INT_TEXT], end[INT_TEXT], code[INT_TEXT];
    event_emit(r->sink, EVENT_STAGE, r->id, "stage", s->stage, "status", s->status, "reason",
               s->reason, "rank", s->rank >= 0 ? int_text(rank, s->rank) : NULL, "host", s->host,
               "start_ms", s->start_ms ? int_text(start, s->start_ms) : NULL, "end_ms",
               s->end_ms ? int_text(end, s->end_ms) : NULL, "exit_code",
               s->ended ? int_text(code, s->exit_code) : NULL, NULL);
}

void run_rank(const struct run *r, const struct run_rank *s)
{
    char rank[INT_TEXT], pid[INT_TEXT], rss[INT_TEXT], speed[NUM_TEXT_SIZE];
    char step[NUM_TEXT_SIZE];
    bool has_speed = s->img_per_s >= 0;
    if (has_speed) {
        num_repr(speed, s->img_per_s);
    }
    num_round(step, s->step_ms, 4);
    event_emit(r->sink, EVENT_RANK, r->id, "rank", int_text(rank, s->rank), "host", s->host, "pid",
               s->pid ? int_text(pid, s->pid) : NULL, "state", s->state, "stage", s->stage,
               "img_per_s", has_speed ? speed : NULL, "step_ms", s->step_ms > 0 ? step : NULL,
               "rss_bytes", s->rss_bytes ? int_text(rss, (int64_t)s->rss_bytes) : NULL, NULL);
}

void run_finish(const struct run *r, enum run_status status, int exit_code, const char *error)
{
    char code[INT_TEXT];
    event_emit(r->sink, EVENT_RUN_END, r->id, "status", run_status_name(status), "exit_code",
               int_text(code, exit_code), "error", error, NULL);
}
