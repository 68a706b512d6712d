/*
 * `nephron runs watch` and `nephron runs logs -f`: look again each interval and tell what is new.
 * Looking, not subscribing: it is the same for Redis and for the spool, and costs a handful of
 * commands a second.
 */

#include "runs_view.h"

#include "alloc.h"
#include "clock.h"
#include "err.h"
#include "num.h"
#include "opt.h"

#include <uthash.h>

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- logs ---- */

static void print_log(const struct log_line *l, bool json, struct arena *a)
{
    if (!json) {
        puts(l->line);
        return;
    }
    struct value *o = value_map(a);
    value_set(a, o, "schema", value_int(a, 1));
    value_set(a, o, "line", value_cstr(a, l->line));
    value_set(a, o, "rank", runs_number(a, str_from(l->rank)));
    runs_print_json(o);
}

struct log_options {
    bool json, follow;
    long tail; /* LONG_MAX: all */
    const char *rank;
};

static int check_log_options(const struct log_options *opt, struct err *e)
{
    int64_t rank;
    if (opt->tail < 0) {
        return err_set(e, ERR_USAGE, "--lines must not be negative, found %ld", opt->tail);
    }
    if (opt->rank && (!num_parse_int(str_from(opt->rank), &rank) || rank < 0)) {
        return err_set(e, ERR_USAGE, "--rank must be the number of a rank, found '%.40s'",
                       opt->rank);
    }
    return 0;
}

/* runs_one_fn; ctx: struct log_options. */
static int follow_log(void *ctx, struct runs_session *s, const char *id, struct err *e)
{
    const struct log_options *opt = ctx;
    struct runread_place place = {0};

    if (check_log_options(opt, e) < 0) {
        return -1;
    }

    for (bool first = true;; first = false) {
        struct arena a;
        struct log_line *lines;
        struct run_record run;
        size_t count, from = 0, kept = 0;

        arena_init(&a);
        /* The state before the lines: what ended has told all its lines by then. */
        int rc = runread_run(s->reader, &a, id, &run, e);
        bool over = rc == 0 && runs_is_over(&run);
        if (rc == 0) {
            rc = runread_log(s->reader, &a, id, &place, &lines, &count, e);
        }
        for (size_t i = 0; rc == 0 && i < count; i++) {
            if (!opt->rank || strcmp(lines[i].rank, opt->rank) == 0) {
                lines[kept++] = lines[i];
            }
        }
        if (first && kept > (size_t)opt->tail) {
            from = kept - (size_t)opt->tail;
        }
        for (size_t i = from; rc == 0 && i < kept; i++) {
            print_log(&lines[i], opt->json, &a);
        }
        arena_release(&a);
        if (rc < 0 || over || !opt->follow) {
            return rc;
        }
        if (fflush(stdout) != 0) {
            return 0; /* nobody listens; runs_finish says so */
        }
        clock_sleep_us(500000);
        if (runread_refresh(s->reader, e) < 0) {
            return -1;
        }
    }
}

int runs_logs(int argc, char **argv)
{
    struct log_options opt = {.tail = LONG_MAX};
    const struct opt options[] = {
        {OPT_FLAG, 0, "json", NULL, "One JSON object a line.", &opt.json, NULL},
        {OPT_FLAG, 'f', "follow", NULL, "Go on until the run ends.", &opt.follow, NULL},
        {OPT_INT, 'n', "lines", "N", "Only the last N lines.", &opt.tail, NULL},
        {OPT_STR, 0, "rank", "R", "Only lines of this rank.", &opt.rank, NULL},
        OPT_END};
    const struct opt_spec spec = {.usage = "nephron runs logs [OPTION]… [RUN]",
                                  .about = "Prints the log of a run ('latest' unless told).",
                                  .examples = "nephron runs logs\n"
                                              "nephron runs logs 018f3c -n 20 -f",
                                  .options = options,
                                  .max_args = 1};
    return runs_with_one(&spec, argc, argv, follow_log, &opt);
}

/* ---- watch ---- */

struct seen { /* what was told already of a stage or a metric */
    char *key;
    char state[64];
    struct runread_place place;
    UT_hash_handle hh;
};

struct watcher {
    struct runs_session *session;
    const char *id;
    bool json;
    double interval_s;
    struct seen *seen;
};

static struct seen *get_seen(struct watcher *w, const char *kind, const char *name)
{
    struct seen *s;
    size_t n = strlen(kind) + strlen(name) + 2;
    char *key = xmalloc(n);
    snprintf(key, n, "%s %s", kind, name);
    HASH_FIND_STR(w->seen, key, s);
    if (s) {
        free(key);
        return s;
    }
    s = xcalloc(1, sizeof(*s));
    s->key = key;
    HASH_ADD_KEYPTR(hh, w->seen, s->key, strlen(s->key), s);
    return s;
}

static void free_seen(struct watcher *w)
{
    struct seen *s, *tmp;
    HASH_ITER(hh, w->seen, s, tmp)
    {
        HASH_DEL(w->seen, s);
        free(s->key);
        free(s);
    }
}

static struct value *line_object(const struct watcher *w, struct arena *a, const char *event)
{
    struct value *o = value_map(a);
    value_set(a, o, "schema", value_int(a, 1));
    value_set(a, o, "event", value_cstr(a, event));
    value_set(a, o, "run_id", value_cstr(a, w->id));
    return o;
}

static void tell_run(struct watcher *w, struct arena *a, const struct run_record *run)
{
    const char *status = runs_field(run, "status");
    struct seen *s = get_seen(w, "run", "");

    if (strcmp(s->state, status) == 0) {
        return;
    }
    snprintf(s->state, sizeof(s->state), "%s", status);
    if (!w->json) {
        const char *error = runs_field(run, "error");
        printf("run %.12s %s%s%s\n", w->id, status, *error ? ": " : "", error);
        return;
    }
    struct value *o = line_object(w, a, "run");
    value_set(a, o, "status", value_cstr(a, status));
    value_set(a, o, "exit_code", runs_number(a, str_from(runs_field(run, "exit_code"))));
    const char *error = runs_field(run, "error");
    value_set(a, o, "error", *error ? value_cstr(a, error) : value_null(a));
    runs_print_json(o);
}

static void tell_stages(struct watcher *w, struct arena *a, const struct run_record *run)
{
    for (size_t i = 0; i < run->stages->map.count; i++) {
        const struct value_pair *p = &run->stages->map.pairs[i];
        struct str status = value_as_str(value_get(p->val, "status"));
        struct str reason = value_as_str(value_get(p->val, "reason"));
        struct seen *s = get_seen(w, "stage", p->key->s.p);
        if (str_is(status, s->state)) {
            continue;
        }
        snprintf(s->state, sizeof(s->state), "%.*s", STR_ARG(status));
        if (w->json) {
            struct value *o = line_object(w, a, "stage");
            value_set(a, o, "stage", value_str(a, p->key->s));
            value_set(a, o, "status", value_str(a, status));
            value_set(a, o, "reason", reason.n ? value_str(a, reason) : value_null(a));
            runs_print_json(o);
        } else {
            printf("stage %s %.*s%s%.*s\n", p->key->s.p, STR_ARG(status), reason.n ? ": " : "",
                   STR_ARG(reason));
        }
    }
}

static void tell_point(const struct watcher *w, struct arena *a, const char *name,
                       const struct metric_point *p)
{
    char text[CLOCK_TEXT_SIZE], v[NUM_TEXT_SIZE];
    clock_rfc3339(p->time_ms, text);
    if (!w->json) {
        num_round(v, p->v, 6);
        printf("%s  step %lld  %s %s\n", text, (long long)p->step, name, v);
        return;
    }
    struct value *o = line_object(w, a, "metric");
    value_set(a, o, "name", value_cstr(a, name));
    value_set(a, o, "step", value_int(a, p->step));
    value_set(a, o, "value", isfinite(p->v) ? value_float(a, p->v) : value_null(a));
    value_set(a, o, "time", value_cstr(a, text));
    runs_print_json(o);
}

static int tell_metrics(struct watcher *w, struct arena *a, const struct run_record *run,
                        struct err *e)
{
    for (size_t i = 0; i < run->latest->map.count; i++) {
        const char *name = run->latest->map.pairs[i].key->s.p;
        struct metric_point *points;
        size_t count;
        if (strncmp(name, "system/", 7) == 0 && !w->json) {
            continue; /* of interest to machines only */
        }
        if (runread_metric(w->session->reader, a, w->id, name, &get_seen(w, "metric", name)->place,
                           &points, &count, e) < 0) {
            return -1;
        }
        for (size_t k = 0; k < count; k++) {
            tell_point(w, a, name, &points[k]);
        }
    }
    return 0;
}

static void draw_page(const struct watcher *w, struct arena *a, const struct run_record *run)
{
    struct strbuf out;
    strbuf_init(&out);
    strbuf_adds(&out, "\033[H\033[2J");
    runs_page(w->session, a, run, &out);
    fputs(out.p, stdout);
    strbuf_release(&out);
}

/* One look. 1: the run goes on, 0: it is over. */
static int look(struct watcher *w, bool page, struct err *e)
{
    struct arena a;
    struct run_record run;

    arena_init(&a);
    int rc = runread_run(w->session->reader, &a, w->id, &run, e);
    bool over = rc == 0 && runs_is_over(&run);
    if (rc == 0 && page) {
        draw_page(w, &a, &run);
    } else if (rc == 0) {
        tell_stages(w, &a, &run);
        rc = tell_metrics(w, &a, &run, e);
        if (rc == 0) {
            tell_run(w, &a, &run);
        }
    }
    arena_release(&a);
    return rc < 0 ? -1 : !over;
}

static int look_until_over(struct watcher *w, struct err *e)
{
    bool page = !w->json && isatty(STDOUT_FILENO);
    for (;;) {
        int rc = look(w, page, e);
        if (rc <= 0) {
            return rc;
        }
        if (fflush(stdout) != 0) {
            return 0;
        }
        clock_sleep_us((int64_t)(w->interval_s * 1e6));
        if (runread_refresh(w->session->reader, e) < 0) {
            return -1;
        }
    }
}

/* runs_one_fn; ctx: struct watcher. */
static int watch(void *ctx, struct runs_session *s, const char *id, struct err *e)
{
    struct watcher *w = ctx;
    if (!(w->interval_s >= 0.05 && w->interval_s <= 3600)) {
        return err_set(e, ERR_USAGE, "--interval must be from 0.05 to 3600 seconds");
    }
    w->session = s;
    w->id = id;
    int rc = look_until_over(w, e);
    free_seen(w);
    return rc;
}

int runs_watch(int argc, char **argv)
{
    struct watcher w = {.interval_s = 1};
    const struct opt options[] = {{OPT_FLAG, 0, "json", NULL,
                                   "One JSON object a line for each change and metric value.",
                                   &w.json, NULL},
                                  {OPT_DOUBLE, 0, "interval", "SECONDS",
                                   "Time between two looks (default 1).", &w.interval_s, NULL},
                                  OPT_END};
    const struct opt_spec spec = {
        .usage = "nephron runs watch [OPTION]… [RUN]",
        .about = "Follows a run ('latest' unless told) until it ends: a page that is drawn again "
                 "on a terminal, "
                 "else a line for each change and metric value.",
        .examples = "nephron runs watch\n"
                    "nephron runs watch --json | jq 'select(.name == \"val_loss\")'",
        .options = options,
        .max_args = 1};
    return runs_with_one(&spec, argc, argv, watch, &w);
}
