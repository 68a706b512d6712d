/*
 * `nephron runs ls|show|watch|logs|compare`: what the run store knows, for people and for scripts.
 * `watch` and `logs` are in runs_follow.c, the forms in runs_view.c, the data comes from
 * track/runread.c.
 */

#include "cmd.h"

#include "clock.h"
#include "err.h"
#include "num.h"
#include "opt.h"
#include "runs_plot.h"
#include "runs_view.h"
#include "session.h"
#include "table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHORT_ID 12
#define LS_DEFAULT 20

/* ---- ls ---- */

static const char *cut_number(struct arena *a, const char *text)
{
    double v;
    char rounded[NUM_TEXT_SIZE];
    if (!text || !num_parse_double(str_from(text), &v)) {
        return text;
    }
    num_round(rounded, v, 5);
    return arena_strdup(a, rounded);
}

static const char *seconds_text(struct arena *a, double seconds)
{
    char text[NUM_TEXT_SIZE];
    if (seconds < 0) {
        return NULL;
    }
    num_duration(text, seconds);
    return arena_strdup(a, text);
}

static void ls_row(struct arena *a, struct table *t, const struct run_record *run, int64_t now)
{
    const struct value *seconds = value_get(runs_json(a, run, false), "duration_s");
    int64_t start = runs_field_ms(run, "start_ms");
    size_t row = table_row(t);

    table_set(t, row, 0, arena_printf(a, "%.*s", SHORT_ID, run->id));
    table_set(t, row, 1, runs_field(run, "status"));
    table_set(t, row, 2, runs_field(run, "kind"));
    table_set(t, row, 3, runs_field(run, "name"));
    table_set(t, row, 4, start ? seconds_text(a, (double)(now - start) / 1000) : NULL);
    table_set(t, row, 5,
              seconds_text(a, seconds && seconds->type == VALUE_FLOAT ? seconds->f : -1));
    table_set(t, row, 6, cut_number(a, runs_best_known(run, "loss")));
    table_set(t, row, 7, cut_number(a, runs_best_known(run, "accuracy")));
}

/* Puts colour on the second column of a rendered table: its place is the same in every line. */
static void print_coloured(const struct runs_session *s, struct str text,
                           const struct run_record *runs)
{
    struct str line;
    for (size_t i = 0; text.n && str_split(&text, '\n', &line); i++) {
        size_t from = SHORT_ID + 2;
        const char *status = i ? runs_field(&runs[i - 1], "status") : "";
        size_t n = strlen(status);
        const char *colour = i ? runs_colour(s, status) : NULL;
        if (colour && line.n >= from + n) {
            printf("%.*s%s%s\033[0m%.*s\n", (int)from, line.p, colour, status,
                   (int)(line.n - from - n), line.p + from + n);
        } else {
            printf("%.*s\n", STR_ARG(line));
        }
    }
}

static void ls_table(struct runs_session *s, const struct run_record *runs, size_t count,
                     const char *none)
{
    static const char *const heads[] = {"Run", "Status",   "Kind", "Name",
                                        "Age", "Duration", "Loss", "Accuracy"};
    struct table t;
    struct strbuf out;
    int64_t now = clock_wall_ms(&clock_system);

    if (!count) {
        puts(none);
        return;
    }
    table_init(&t);
    for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
        table_column(&t, heads[i]);
    }
    for (size_t i = 0; i < count; i++) {
        ls_row(&s->arena, &t, &runs[i], now);
    }
    strbuf_init(&out);
    table_render(&t, true, false, &out);
    print_coloured(s, strbuf_str(&out), runs);
    strbuf_release(&out);
    table_release(&t);
}

static void ls_json(struct arena *a, const struct run_record *runs, size_t count)
{
    struct value *o = value_map(a), *list = value_list(a);
    for (size_t i = 0; i < count; i++) {
        value_push(a, list, runs_json(a, &runs[i], false));
    }
    value_set(a, o, "schema", value_int(a, 1));
    value_set(a, o, "runs", list);
    runs_print_json(o);
}

/* A word that no run can have would look like an empty store. */
static int check_status(const char *status, struct err *e)
{
    static const char *const known[] = {"queued", "running", "finished",
                                        "failed", "killed",  "lost"};
    for (size_t i = 0; status && i < sizeof(known) / sizeof(known[0]); i++) {
        if (strcmp(status, known[i]) == 0) {
            return 0;
        }
    }
    return !status ? 0
                   : err_set(e, ERR_USAGE,
                             "--status must be queued, running, finished, failed, killed or lost, "
                             "found '%.40s'",
                             status);
}

static int runs_ls(int argc, char **argv)
{
    struct runs_session s;
    struct err e = ERR_INIT;
    struct opt_list args = {0};
    bool json = false, all = false;
    long limit = LS_DEFAULT;
    const char *status = NULL, *kind = NULL, **ids;
    size_t count;
    const struct opt options[] = {
        {OPT_FLAG, 0, "json", NULL, "Answer with one JSON object.", &json, NULL},
        {OPT_INT, 'n', "limit", "N", "Show the newest N (default 20).", &limit, NULL},
        {OPT_FLAG, 'a', "all", NULL, "Show all.", &all, NULL},
        {OPT_STR, 0, "status", "STATUS",
         "Show only those that are queued, running, finished, failed, killed or lost.", &status,
         NULL},
        {OPT_STR, 0, "kind", "KIND", "Show only runs of this kind: repro, train, …", &kind, NULL},
        OPT_END};
    const struct opt_spec spec = {.usage = "nephron runs ls [OPTION]…",
                                  .about = "Lists runs, the newest first.",
                                  .examples = "nephron runs ls\n"
                                              "nephron runs ls --status running\n"
                                              "nephron runs ls --json | jq -r '.runs[0].run_id'",
                                  .options = options};
    int rc = runs_parse(&spec, argc, argv, &args);
    opt_list_release(&args);
    if (rc >= 0) {
        return rc;
    }
    if (limit < 1) {
        err_set(&e, ERR_USAGE, "--limit must be at least 1, found %ld", limit);
        return runs_report(&e);
    }
    if (check_status(status, &e) < 0) {
        return runs_report(&e);
    }
    if (runs_open(&s, &e) < 0) {
        return runs_report(&e);
    }
    /* A filter has to look at all; the limit is on what is shown. */
    bool filter = status || kind;
    size_t most = all ? SIZE_MAX : (size_t)limit;
    rc = runread_ids(s.reader, &s.arena, all || filter ? 0 : most, &ids, &count, &e);
    struct run_record *runs = ARENA_ARRAY(&s.arena, count + 1, struct run_record);
    if (rc == 0 && (rc = runread_heads(s.reader, &s.arena, ids, count, runs, &e)) == 0) {
        size_t kept = 0;
        for (size_t i = 0; i < count && kept < most; i++) {
            if ((!status || strcmp(runs_field(&runs[i], "status"), status) == 0) &&
                (!kind || strcmp(runs_field(&runs[i], "kind"), kind) == 0)) {
                runs[kept++] = runs[i];
            }
        }
        if (json) {
            ls_json(&s.arena, runs, kept);
        } else {
            ls_table(&s, runs, kept, count > 0 ? "no run is like that" : "no runs yet");
        }
    }
    runs_close(&s);
    return rc < 0 ? runs_report(&e) : runs_finish(0);
}

/* ---- show ---- */

/* runs_one_fn; ctx: bool, whether in JSON. */
static int show_one(void *ctx, struct runs_session *s, const char *id, struct err *e)
{
    struct run_record run;
    if (runread_run(s->reader, &s->arena, id, &run, e) < 0) {
        return -1;
    }
    if (*(const bool *)ctx) {
        struct value *o = runs_json(&s->arena, &run, true);
        value_set(&s->arena, o, "schema", value_int(&s->arena, 1));
        runs_print_json(o);
        return 0;
    }
    struct strbuf out;
    strbuf_init(&out);
    runs_page(s, &s->arena, &run, &out);
    fputs(out.p, stdout);
    strbuf_release(&out);
    return 0;
}

static int runs_show(int argc, char **argv)
{
    bool json = false;
    const struct opt options[] = {
        {OPT_FLAG, 0, "json", NULL, "Answer with one JSON object.", &json, NULL}, OPT_END};
    const struct opt_spec spec = {.usage = "nephron runs show [--json] [RUN]",
                                  .about = "Shows a run: state, stages with reasons, last metrics, "
                                           "params, ranks. RUN is an id, the "
                                           "beginning of one, or 'latest' (the default).",
                                  .examples = "nephron runs show\n"
                                              "nephron runs show 018f3c --json | jq .metrics",
                                  .options = options,
                                  .max_args = 1};
    return runs_with_one(&spec, argc, argv, show_one, &json);
}

/* ---- compare ---- */

/* name -> {run id: text} over all runs, in order of appearance. */
static struct value *gather(struct arena *a, const struct run_record *runs, size_t count,
                            bool params)
{
    struct value *all = value_map(a);
    for (size_t i = 0; i < count; i++) {
        const struct value *map = params ? runs[i].params : runs[i].latest;
        for (size_t k = 0; map && k < map->map.count; k++) {
            const char *name = map->map.pairs[k].key->s.p;
            struct value *row = value_get(all, name);
            if (!row) {
                row = value_map(a);
                value_set(a, all, name, row);
            }
            value_set(a, row, runs[i].id, map->map.pairs[k].val);
        }
    }
    return all;
}

static bool differs(const struct value *row, const struct run_record *runs, size_t count)
{
    const struct value *first = value_get(row, runs[0].id);
    for (size_t i = 1; i < count; i++) {
        const struct value *v = value_get(row, runs[i].id);
        if (!v != !first || (v && !str_eq(value_as_str(v), value_as_str(first)))) {
            return true;
        }
    }
    return false;
}

static int by_name(const void *x, const void *y)
{
    return str_cmp(((const struct value_pair *)x)->key->s, ((const struct value_pair *)y)->key->s);
}

/* Only rows that differ, unless `same` too; sorted. */
static struct value *choose(struct arena *a, struct value *all, const struct run_record *runs,
                            size_t count, bool same)
{
    struct value *out = value_map(a);
    qsort(all->map.pairs, all->map.count, sizeof(*all->map.pairs), by_name);
    for (size_t i = 0; i < all->map.count; i++) {
        if (same || differs(all->map.pairs[i].val, runs, count)) {
            value_set(a, out, all->map.pairs[i].key->s.p, all->map.pairs[i].val);
        }
    }
    return out;
}

static void compare_table(struct arena *a, const char *title, const char *none,
                          const struct value *rows, const struct run_record *runs, size_t count,
                          bool numbers)
{
    struct table t;
    struct strbuf out;

    if (!rows->map.count) {
        puts(none);
        return;
    }
    table_init(&t);
    table_column(&t, title);
    for (size_t i = 0; i < count; i++) {
        table_column(&t, arena_printf(a, "%.*s", SHORT_ID, runs[i].id));
    }
    for (size_t k = 0; k < rows->map.count; k++) {
        size_t row = table_row(&t);
        table_set(&t, row, 0, rows->map.pairs[k].key->s.p);
        for (size_t i = 0; i < count; i++) {
            const char *v = value_as_str(value_get(rows->map.pairs[k].val, runs[i].id)).p;
            table_set(&t, row, i + 1, numbers ? cut_number(a, v) : v);
        }
    }
    strbuf_init(&out);
    table_render(&t, true, false, &out);
    fputs(out.p, stdout);
    strbuf_release(&out);
    table_release(&t);
}

static struct value *json_rows(struct arena *a, const struct value *rows, bool numbers)
{
    struct value *out = value_map(a);
    for (size_t k = 0; k < rows->map.count; k++) {
        const struct value *row = rows->map.pairs[k].val;
        struct value *copy = value_map(a);
        for (size_t i = 0; i < row->map.count; i++) {
            struct value *v = row->map.pairs[i].val;
            value_set(a, copy, row->map.pairs[i].key->s.p,
                      numbers ? runs_number(a, value_as_str(v)) : value_copy(a, v));
        }
        value_set(a, out, rows->map.pairs[k].key->s.p, copy);
    }
    return out;
}

static void compare_json(struct arena *a, const struct run_record *runs, size_t count,
                         const struct value *params, const struct value *metrics)
{
    struct value *o = value_map(a), *list = value_list(a);
    for (size_t i = 0; i < count; i++) {
        struct value *r = value_map(a);
        value_set(a, r, "run_id", value_cstr(a, runs[i].id));
        value_set(a, r, "name", value_cstr(a, runs_field(&runs[i], "name")));
        value_set(a, r, "status", value_cstr(a, runs_field(&runs[i], "status")));
        value_push(a, list, r);
    }
    value_set(a, o, "schema", value_int(a, 1));
    value_set(a, o, "runs", list);
    value_set(a, o, "params", json_rows(a, params, false));
    value_set(a, o, "metrics", json_rows(a, metrics, true));
    runs_print_json(o);
}

struct compare_options {
    bool json, all;
    const char *plot;
    struct opt_list metrics;
};

static int compare(struct runs_session *s, const struct opt_list *words,
                   const struct compare_options *o, struct err *e)
{
    struct arena *a = &s->arena;
    struct run_record *runs = ARENA_ARRAY(a, words->count, struct run_record);

    for (size_t i = 0; i < words->count; i++) {
        const char *id;
        if (runread_resolve(s->reader, a, words->items[i], &id, e) < 0 ||
            runread_run(s->reader, a, id, &runs[i], e) < 0) {
            return -1;
        }
    }
    size_t n = words->count;
    struct value *params = choose(a, gather(a, runs, n, true), runs, n, o->all);
    struct value *metrics = choose(a, gather(a, runs, n, false), runs, n, true);
    if (o->plot) {
        struct value *differing = choose(a, gather(a, runs, n, true), runs, n, false);
        const struct runs_plot plot = {runs, n, differing, &o->metrics, o->plot};
        if (runs_plot(s, &plot, e) < 0) {
            return -1;
        }
    }
    if (o->json) {
        compare_json(a, runs, n, params, metrics);
    } else {
        compare_table(a, "Param", "no params differ", params, runs, n, false);
        putchar('\n');
        compare_table(a, "Metric", "no metrics", metrics, runs, n, true);
    }
    return 0;
}

static int runs_compare(int argc, char **argv)
{
    struct runs_session s;
    struct err e = ERR_INIT;
    struct opt_list args = {0};
    struct compare_options o = {0};
    const struct opt options[] = {
        {OPT_FLAG, 0, "json", NULL, "Answer with one JSON object.", &o.json, NULL},
        {OPT_FLAG, 'a', "all", NULL, "Show also the params that are the same.", &o.all, NULL},
        {OPT_STR, 0, "plot", "FILE", "Also draw curves, as .svg or .png.", &o.plot, NULL},
        {OPT_LIST, 'm', "metric", "NAME",
         "Metric to plot; may be given several times (val_loss and val_accuracy).", &o.metrics,
         NULL},
        OPT_END};
    const struct opt_spec spec = {
        .usage = "nephron runs compare [OPTION]… RUN RUN…",
        .about = "Compares runs: the params that differ, the last value of every metric, and, with "
                 "--plot, the curves of some.",
        .examples = "nephron runs compare 018f3c 018f3d\n"
                    "nephron runs compare latest 018f3c --json\n"
                    "nephron runs compare 018f3c 018f3d --plot sweep.svg --metric val_loss",
        .options = options,
        .min_args = 2,
        .max_args = OPT_ANY};
    int rc = runs_parse(&spec, argc, argv, &args);
    if (rc < 0) {
        if (runs_open(&s, &e) < 0) {
            rc = runs_report(&e);
        } else {
            rc = compare(&s, &args, &o, &e);
            runs_close(&s);
            rc = rc < 0 ? runs_report(&e) : runs_finish(0);
        }
    }
    opt_list_release(&args);
    opt_list_release(&o.metrics);
    return rc;
}

/* ---- the family ---- */

int cmd_runs(int argc, char **argv)
{
    static const struct session_command commands[] = {
        {"ls", runs_ls, "runs, the newest first"},
        {"show", runs_show, "one run: state, stages, metrics, params, ranks"},
        {"watch", runs_watch, "follow a run until it ends"},
        {"logs", runs_logs, "what a run printed"},
        {"compare", runs_compare, "params and metrics of runs side by side"},
        {"list", runs_ls, "the same as ls"}};
    static const char *const names[] = {"ls", "show", "watch", "logs", "compare", "list"};
    static const struct opt none[] = {OPT_END};
    static const struct opt_spec spec = {.usage =
                                             "nephron runs [ls|show|watch|logs|compare] [OPTION]…",
                                         .about = "What was run here, and how it went: from Redis, "
                                                  "or from the local spool where there is none.",
                                         .examples = "nephron runs ls\n"
                                                     "nephron runs show latest\n"
                                                     "nephron runs watch\n"
                                                     "nephron runs logs latest -f",
                                         .options = none,
                                         .max_args = OPT_ANY,
                                         .stop_at_first_word = true};
    struct err e = ERR_INIT;

    if (argc > 1 && strcmp(argv[1], "--help-table") == 0) {
        session_print_table(commands, sizeof(commands) / sizeof(commands[0]));
        return 0;
    }
    if (argc < 2 ||
        (argv[1][0] == '-' && strcmp(argv[1], "--help") != 0 && strcmp(argv[1], "-h") != 0)) {
        return runs_ls(argc, argv); /* `nephron runs --json` */
    }
    if (argv[1][0] == '-') {
        opt_print_help(&spec);
        return 0;
    }
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        if (strcmp(argv[1], commands[i].name) == 0) {
            return commands[i].run(argc - 1, argv + 1);
        }
    }
    const char *near = opt_nearest(argv[1], names, sizeof(names) / sizeof(names[0]));
    err_set(&e, ERR_USAGE, "unknown command '%.40s'", argv[1]);
    if (near) {
        err_append(&e, "; did you mean '%s'?", near);
    }
    opt_print_usage(&spec);
    return runs_report(&e);
}
