/* Runs as JSON, tables and pages; see runs_view.h. */

#include "runs_view.h"

#include "clock.h"
#include "err.h"
#include "json.h"
#include "num.h"
#include "opt.h"
#include "table.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- session ---- */

static bool want_colour(void)
{
    const char *no = getenv("NO_COLOR"), *term = getenv("TERM");
    return isatty(STDOUT_FILENO) && !(no && *no) && !(term && strcmp(term, "dumb") == 0);
}

int runs_open(struct runs_session *s, struct err *e)
{
    struct err why = ERR_INIT;

    *s = (struct runs_session){.colour = want_colour()};
    arena_init(&s->arena);
    if (tracking_load(&s->tracking, NULL, e) < 0) {
        return -1;
    }
    s->reader = runread_open(&s->tracking, &why);
    /* No Redis by choice, or none yet, is no news; one that should answer and does not, is. */
    if (why.code != ERR_NONE && why.code != ERR_MISSING && !runread_is_redis(s->reader)) {
        fprintf(stderr, "nephron runs: %s; showing the local spool\n", why.text);
    } else if (runread_behind(s->reader)) {
        fprintf(stderr, "nephron runs: tracker behind by %llu records\n",
                (unsigned long long)runread_behind(s->reader));
    }
    return 0;
}

void runs_close(struct runs_session *s)
{
    runread_close(s->reader);
    tracking_release(&s->tracking);
    arena_release(&s->arena);
}

int runs_report(const struct err *e)
{
    fprintf(stderr, "nephron runs: %s\n", e->text);
    return e->code == ERR_USAGE || e->code == ERR_CONFIG || e->code == ERR_FORMAT ? 2 : 1;
}

int runs_parse(const struct opt_spec *spec, int argc, char **argv, struct opt_list *args)
{
    struct err e = ERR_INIT;
    enum opt_result rc = opt_parse(spec, argc, argv, args, &e);
    if (rc == OPT_BAD) {
        opt_print_usage(spec);
        return runs_report(&e);
    }
    return rc == OPT_HELP ? 0 : -1;
}

int runs_finish(int code)
{
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fprintf(stderr, "nephron runs: cannot write the answer: %s\n", strerror(errno));
        return 1;
    }
    return code;
}

int runs_with_one(const struct opt_spec *spec, int argc, char **argv, runs_one_fn *fn, void *ctx)
{
    struct runs_session s;
    struct err e = ERR_INIT;
    struct opt_list args = {0};
    const char *id;
    int rc = runs_parse(spec, argc, argv, &args);
    const char *word = args.count ? args.items[0] : "latest";
    opt_list_release(&args);
    if (rc >= 0) {
        return rc;
    }
    if (runs_open(&s, &e) < 0) {
        return runs_report(&e);
    }
    rc = runread_resolve(s.reader, &s.arena, word, &id, &e);
    if (rc == 0) {
        rc = fn(ctx, &s, id, &e);
    }
    runs_close(&s);
    return rc < 0 ? runs_report(&e) : runs_finish(0);
}

/* ---- values ---- */

void runs_print_json(const struct value *v)
{
    struct strbuf b;
    strbuf_init(&b);
    json_write(&b, v, &(struct json_style){.utf8 = true});
    puts(b.p);
    strbuf_release(&b);
}

struct value *runs_number(struct arena *a, struct str text)
{
    int64_t i;
    double d;
    if (num_parse_int(text, &i)) {
        return value_int(a, i);
    }
    return num_parse_double(text, &d) && isfinite(d) ? value_float(a, d) : value_null(a);
}

static struct value *time_value(struct arena *a, int64_t ms)
{
    char text[CLOCK_TEXT_SIZE];
    if (ms <= 0) {
        return value_null(a);
    }
    clock_rfc3339(ms, text);
    return value_cstr(a, text);
}

const char *runs_field(const struct run_record *run, const char *name)
{
    struct str s = value_as_str(value_get(run->fields, name));
    return s.p ? s.p : "";
}

int64_t runs_field_ms(const struct run_record *run, const char *name)
{
    int64_t v;
    return num_parse_int(value_as_str(value_get(run->fields, name)), &v) && v > 0 ? v : 0;
}

bool runs_is_over(const struct run_record *run)
{
    const char *status = runs_field(run, "status");
    return strcmp(status, "running") != 0 && strcmp(status, "queued") != 0;
}

/* Seconds from start to end; for what goes on, to now; for a lost run, to its last sign. < 0:
 * unknown. */
static double duration(const struct run_record *run)
{
    int64_t start = runs_field_ms(run, "start_ms"), end = runs_field_ms(run, "end_ms");
    if (!end || !runs_is_over(run)) {
        end = runs_is_over(run) ? runs_field_ms(run, "heartbeat_ms") : clock_wall_ms(&clock_system);
    }
    return start && end >= start ? (double)(end - start) / 1000 : -1;
}

const char *runs_best_known(const struct run_record *run, const char *what)
{
    static const char *const heads[] = {"val_", "test_", "train_", ""};
    char name[64];
    for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
        snprintf(name, sizeof(name), "%s%s", heads[i], what);
        struct str s = value_as_str(value_get(run->latest, name));
        if (s.n) {
            return s.p;
        }
    }
    return NULL;
}

const char *runs_colour(const struct runs_session *s, const char *status)
{
    if (!s->colour) {
        return NULL;
    }
    return strcmp(status, "finished") == 0  ? "\033[32m"
           : strcmp(status, "running") == 0 ? "\033[36m"
           : strcmp(status, "failed") == 0 || strcmp(status, "killed") == 0 ||
                   strcmp(status, "lost") == 0
               ? "\033[31m"
               : "\033[33m";
}

/* ---- JSON ---- */

static struct value *hosts_value(struct arena *a, const char *hosts)
{
    struct value *list = value_list(a);
    struct str rest = str_from(hosts), part;
    while (rest.n && str_split(&rest, ',', &part)) {
        value_push(a, list, value_str(a, part));
    }
    return list;
}

static struct value *latest_value(struct arena *a, const struct run_record *run)
{
    struct value *o = value_map(a);
    for (size_t i = 0; run->latest && i < run->latest->map.count; i++) {
        const struct value_pair *p = &run->latest->map.pairs[i];
        value_set(a, o, p->key->s.p, runs_number(a, value_as_str(p->val)));
    }
    return o;
}

static struct value *text_map(struct arena *a, const struct value *map)
{
    return map ? value_copy(a, map) : value_map(a);
}

/* Stage or rank: the JSON of the contract, with times for people and the name in it. */
static struct value *unit_value(struct arena *a, const char *key, const struct value_pair *p)
{
    struct value *o = value_map(a);
    int64_t start = 0, end = 0;

    value_set(a, o, key,
              strcmp(key, "rank") == 0 ? runs_number(a, p->key->s) : value_str(a, p->key->s));
    for (size_t i = 0; i < p->val->map.count; i++) {
        const struct value_pair *f = &p->val->map.pairs[i];
        const char *name = f->key->s.p;
        int64_t ms = f->val->type == VALUE_INT ? f->val->i : 0;
        if (strcmp(name, "start_ms") == 0) {
            value_set(a, o, "start_time", time_value(a, start = ms));
        } else if (strcmp(name, "end_ms") == 0) {
            value_set(a, o, "end_time", time_value(a, end = ms));
        } else if (strcmp(name, "heartbeat_ms") == 0) {
            value_set(a, o, "heartbeat_time", time_value(a, ms));
        } else {
            value_set(a, o, name, value_copy(a, f->val));
        }
    }
    if (start && end >= start) {
        value_set(a, o, "duration_s", value_float(a, (double)(end - start) / 1000));
    }
    return o;
}

static struct value *unit_list(struct arena *a, const char *key, const struct value *map)
{
    struct value *list = value_list(a);
    for (size_t i = 0; map && i < map->map.count; i++) {
        value_push(a, list, unit_value(a, key, &map->map.pairs[i]));
    }
    return list;
}

static void set_field(struct arena *a, struct value *o, const struct run_record *run,
                      const char *name)
{
    const struct value *v = value_get(run->fields, name);
    value_set(a, o, name, v ? value_copy(a, v) : value_null(a));
}

struct value *runs_json(struct arena *a, const struct run_record *run, bool whole)
{
    static const char *const texts[] = {"kind",  "name", "experiment", "parent",     "status",
                                        "stage", "cmd",  "error",      "git_commit", "git_branch",
                                        "user",  "host", "version"};
    struct value *o = value_map(a);
    double seconds = duration(run);

    value_set(a, o, "run_id", value_cstr(a, run->id));
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        set_field(a, o, run, texts[i]);
    }
    const char *dirty = runs_field(run, "git_dirty");
    value_set(a, o, "git_dirty",
              *dirty ? value_bool(a, strcmp(dirty, "true") == 0) : value_null(a));
    value_set(a, o, "start_time", time_value(a, runs_field_ms(run, "start_ms")));
    value_set(a, o, "end_time", time_value(a, runs_field_ms(run, "end_ms")));
    value_set(a, o, "heartbeat_time", time_value(a, runs_field_ms(run, "heartbeat_ms")));
    value_set(a, o, "duration_s", seconds >= 0 ? value_float(a, seconds) : value_null(a));
    value_set(a, o, "exit_code", runs_number(a, str_from(runs_field(run, "exit_code"))));
    value_set(a, o, "world_size", runs_number(a, str_from(runs_field(run, "world_size"))));
    value_set(a, o, "hosts", hosts_value(a, runs_field(run, "hosts")));
    value_set(a, o, "metrics", latest_value(a, run));
    if (whole) {
        value_set(a, o, "params", text_map(a, run->params));
        value_set(a, o, "tags", text_map(a, run->tags));
        value_set(a, o, "stages", unit_list(a, "stage", run->stages));
        value_set(a, o, "ranks", unit_list(a, "rank", run->ranks));
    }
    return o;
}

/* ---- the page ---- */

static void add_line(struct strbuf *out, const char *label, const char *text)
{
    if (text && *text) {
        strbuf_addf(out, "%-12s ", label);
        for (const char *c = text; *c; c++) { /* a stranger's text must not steer the terminal */
            strbuf_addch(out, (unsigned char)*c < 0x20 || *c == 0x7f ? ' ' : *c);
        }
        strbuf_addch(out, '\n');
    }
}

static int by_key(const void *x, const void *y)
{
    const struct value_pair *a = x, *b = y;
    int64_t m, n;
    if (num_parse_int(a->key->s, &m) && num_parse_int(b->key->s, &n)) {
        return m < n ? -1 : m > n;
    }
    return str_cmp(a->key->s, b->key->s);
}

static struct value_pair *sorted_pairs(struct arena *a, const struct value *map, size_t *count)
{
    *count = map ? map->map.count : 0;
    struct value_pair *pairs = ARENA_ARRAY(a, *count + 1, struct value_pair);
    if (*count) {
        memcpy(pairs, map->map.pairs, *count * sizeof(*pairs));
        qsort(pairs, *count, sizeof(*pairs), by_key);
    }
    return pairs;
}

static void add_map(struct arena *a, struct strbuf *out, const char *title, const char *name,
                    const char *value_title, const struct value *map)
{
    size_t count;
    struct table t;
    struct value_pair *pairs = sorted_pairs(a, map, &count);

    if (!count) {
        return;
    }
    table_init(&t);
    table_column(&t, name);
    table_column(&t, value_title);
    for (size_t i = 0; i < count; i++) {
        struct str v = value_as_str(pairs[i].val);
        size_t row = table_row(&t);
        table_set(&t, row, 0, pairs[i].key->s.p);
        table_set(&t, row, 1, v.n > 100 ? arena_printf(a, "%.97s...", v.p) : v.p);
    }
    strbuf_addf(out, "\n%s\n", title);
    table_render(&t, true, false, out);
    table_release(&t);
}

static const char *member_text(struct arena *a, const struct value *map, const char *name)
{
    const struct value *v = value_get(map, name);
    struct strbuf b;
    if (!v || !value_is_scalar(v)) {
        return NULL;
    }
    strbuf_init(&b);
    value_text(&b, v);
    const char *text = arena_str(a, strbuf_str(&b)).p;
    strbuf_release(&b);
    return text;
}

static const char *span_text(struct arena *a, const struct value *unit)
{
    const struct value *s = value_get(unit, "start_ms"), *e = value_get(unit, "end_ms");
    char text[NUM_TEXT_SIZE];
    if (!s || s->type != VALUE_INT) {
        return NULL;
    }
    int64_t end = e && e->type == VALUE_INT ? e->i : clock_wall_ms(&clock_system);
    num_duration(text, end > s->i ? (double)(end - s->i) / 1000 : 0);
    return arena_strdup(a, text);
}

static void add_stages(struct arena *a, struct strbuf *out, const struct value *stages)
{
    static const char *const heads[] = {"Stage", "Status", "Duration", "Exit",
                                        "Rank",  "Host",   "Reason"};
    size_t count;
    struct table t;
    struct value_pair *pairs = sorted_pairs(a, stages, &count);

    if (!count) {
        return;
    }
    table_init(&t);
    for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
        table_column(&t, heads[i]);
    }
    for (size_t i = 0; i < count; i++) {
        size_t row = table_row(&t);
        const struct value *u = pairs[i].val;
        table_set(&t, row, 0, pairs[i].key->s.p);
        table_set(&t, row, 1, member_text(a, u, "status"));
        table_set(&t, row, 2, span_text(a, u));
        table_set(&t, row, 3, member_text(a, u, "exit_code"));
        table_set(&t, row, 4, member_text(a, u, "rank"));
        table_set(&t, row, 5, member_text(a, u, "host"));
        table_set(&t, row, 6, member_text(a, u, "reason"));
    }
    strbuf_adds(out, "\nStages\n");
    table_render(&t, true, false, out);
    table_release(&t);
}

static void add_ranks(struct arena *a, struct strbuf *out, const struct value *ranks)
{
    static const char *const heads[] = {"Rank", "State",  "Stage", "img/s",
                                        "Step", "Memory", "Pid",   "Host"};
    size_t count;
    struct table t;
    struct value_pair *pairs = sorted_pairs(a, ranks, &count);

    if (!count) {
        return;
    }
    table_init(&t);
    for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
        table_column(&t, heads[i]);
    }
    for (size_t i = 0; i < count; i++) {
        size_t row = table_row(&t);
        const struct value *u = pairs[i].val, *rss = value_get(u, "rss_bytes");
        const char *step = member_text(a, u, "step_ms");
        char memory[NUM_TEXT_SIZE];
        table_set(&t, row, 0, pairs[i].key->s.p);
        table_set(&t, row, 1, member_text(a, u, "state"));
        table_set(&t, row, 2, member_text(a, u, "stage"));
        table_set(&t, row, 3, member_text(a, u, "img_per_s"));
        if (rss && rss->type == VALUE_INT) {
            num_bytes(memory, (double)rss->i);
            table_set(&t, row, 5, memory);
        }
        table_set(&t, row, 4, step ? arena_printf(a, "%s ms", step) : NULL);
        table_set(&t, row, 6, member_text(a, u, "pid"));
        table_set(&t, row, 7, member_text(a, u, "host"));
    }
    strbuf_adds(out, "\nRanks\n");
    table_render(&t, true, false, out);
    table_release(&t);
}

static void add_times(struct strbuf *out, const struct run_record *run)
{
    char text[CLOCK_TEXT_SIZE], span[NUM_TEXT_SIZE];
    int64_t start = runs_field_ms(run, "start_ms");
    double seconds = duration(run);
    if (start) {
        clock_rfc3339(start, text);
        add_line(out, "started", text);
    }
    if (seconds >= 0) {
        num_duration(span, seconds);
        add_line(out, "duration", span);
    }
}

void runs_page(const struct runs_session *s, struct arena *a, const struct run_record *run,
               struct strbuf *out)
{
    const char *status = runs_field(run, "status"), *colour = runs_colour(s, status);
    const char *commit = runs_field(run, "git_commit");

    add_line(out, "run", run->id);
    add_line(out, "name", runs_field(run, "name"));
    add_line(out, "kind", runs_field(run, "kind"));
    strbuf_addf(out, "%-12s %s%s%s\n", "status", colour ? colour : "", status,
                colour ? "\033[0m" : "");
    add_line(out, "error", runs_field(run, "error"));
    add_line(out, "exit code", runs_field(run, "exit_code"));
    add_times(out, run);
    add_line(out, "experiment", runs_field(run, "experiment"));
    add_line(out, "parent", runs_field(run, "parent"));
    add_line(out, "stage", runs_field(run, "stage"));
    add_line(out, "command", runs_field(run, "cmd"));
    if (*commit) {
        add_line(out, "git",
                 arena_printf(a, "%.12s %s%s", commit, runs_field(run, "git_branch"),
                              strcmp(runs_field(run, "git_dirty"), "true") == 0 ? " (dirty)" : ""));
    }
    add_line(out, "ranks",
             arena_printf(a, "%s on %s", runs_field(run, "world_size"), runs_field(run, "hosts")));
    add_line(out, "user", runs_field(run, "user"));
    add_stages(a, out, run->stages);
    add_map(a, out, "Metrics", "Metric", "Last value", run->latest);
    add_map(a, out, "Params", "Param", "Value", run->params);
    add_ranks(a, out, run->ranks);
}
