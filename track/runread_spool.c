/*
 * Runs out of the spool files, for when there is no Redis: the records are applied to a model in
 * memory, as the script in runstore.c applies them to keys. A refresh reads on where each file was
 * left.
 */

#include "runread_private.h"

#include "alloc.h"
#include "err.h"
#include "fs.h"
#include "num.h"
#include "path.h"
#include "runstore.h"
#include "spool.h"
#include "str.h"
#include "value.h"

#include <uthash.h>

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct model_metric {
    char *name;
    char last[NUM_TEXT_SIZE];
    struct metric_point *points;
    size_t count, capacity;
    UT_hash_handle hh;
};

struct model_run {
    char id[33];
    double start;
    bool listed; /* a run_start was seen */
    int64_t beat_ms;
    struct value *fields, *params, *tags, *stages, *ranks; /* maps in the model's arena */
    struct model_metric *metrics;
    struct log_line *lines;
    size_t line_count, line_capacity;
    UT_hash_handle hh;
};

struct model_file { /* how far each file was read */
    char *name;
    uint64_t offset, sequence;
    UT_hash_handle hh;
};

struct spool_model {
    char *dir;
    struct arena arena;
    struct model_run *runs;
    struct model_file *files;
};

static struct model_run *get_run(struct spool_model *m, const char *id)
{
    struct model_run *run;
    HASH_FIND(hh, m->runs, id, 32, run);
    if (!run) {
        run = xcalloc(1, sizeof(*run));
        memcpy(run->id, id, 32);
        run->fields = value_map(&m->arena);
        run->params = value_map(&m->arena);
        run->tags = value_map(&m->arena);
        run->stages = value_map(&m->arena);
        run->ranks = value_map(&m->arena);
        HASH_ADD(hh, m->runs, id[0], 32, run);
    }
    return run;
}

static const char *field(const struct event *ev, const char *key)
{
    for (size_t i = 0; i < ev->field_count; i++) {
        if (strcmp(ev->fields[i].key, key) == 0) {
            return ev->fields[i].value;
        }
    }
    return NULL;
}

static void set_fields(struct spool_model *m, struct value *map, const struct event *ev)
{
    for (size_t i = 0; i < ev->field_count; i++) {
        if (runstore_field_name_valid(ev->fields[i].key)) {
            value_set(&m->arena, map, ev->fields[i].key,
                      value_cstr(&m->arena, ev->fields[i].value));
        }
    }
}

static void set_time(struct spool_model *m, struct value *map, const char *key, int64_t ms)
{
    char text[24];
    snprintf(text, sizeof(text), "%" PRId64, ms);
    value_set(&m->arena, map, key, value_cstr(&m->arena, text));
}

static void apply_run(struct spool_model *m, struct model_run *run, const struct event *ev)
{
    if (ev->kind == EVENT_RUN_START) {
        const char *start = field(ev, "start_ms");
        run->listed = true;
        if (!start || !num_parse_double(str_from(start), &run->start)) {
            run->start = (double)ev->time_ms;
            set_time(m, run->fields, "start_ms", ev->time_ms);
        }
        if (!field(ev, "status")) {
            value_set(&m->arena, run->fields, "status", value_cstr(&m->arena, "running"));
        }
    } else if (ev->kind == EVENT_RUN_END) {
        if (!field(ev, "end_ms")) {
            set_time(m, run->fields, "end_ms", ev->time_ms);
        }
        if (!field(ev, "status")) {
            value_set(&m->arena, run->fields, "status", value_cstr(&m->arena, "finished"));
        }
    }
    set_fields(m, run->fields, ev);
    run->beat_ms = ev->time_ms > run->beat_ms ? ev->time_ms : run->beat_ms;
}

static void apply_metric(struct model_run *run, const struct event *ev)
{
    const char *name = field(ev, "name"), *v = field(ev, "v"), *step = field(ev, "step");
    struct metric_point point = {.time_ms = ev->time_ms};
    struct model_metric *metric;

    if (!name || !v || !runstore_metric_name_valid(name)) {
        return;
    }
    HASH_FIND_STR(run->metrics, name, metric);
    if (!metric) {
        metric = xcalloc(1, sizeof(*metric));
        metric->name = xstrdup(name);
        HASH_ADD_KEYPTR(hh, run->metrics, metric->name, strlen(metric->name), metric);
    }
    snprintf(metric->last, sizeof(metric->last), "%s", v);
    if (!num_parse_double(str_from(v), &point.v)) {
        return;
    }
    num_parse_int(str_from(step ? step : "0"), &point.step);
    ARRAY_RESERVE(metric->points, metric->count, metric->capacity, 1);
    metric->points[metric->count++] = point;
}

static void apply_log(struct spool_model *m, struct model_run *run, const struct event *ev)
{
    const char *line = field(ev, "line"), *rank = field(ev, "rank");
    if (line) {
        ARRAY_RESERVE(run->lines, run->line_count, run->line_capacity, 1);
        run->lines[run->line_count++] = (struct log_line){
            arena_strdup(&m->arena, line), arena_strdup(&m->arena, rank ? rank : "0")};
    }
}

static void apply_state(struct spool_model *m, struct model_run *run, const struct event *ev)
{
    bool stage = ev->kind == EVENT_STAGE;
    const char *name = field(ev, stage ? "stage" : "rank");
    struct strbuf json;
    if (name && runstore_field_name_valid(name)) {
        strbuf_init(&json);
        runstore_state_json(&json, ev);
        runread_add_json(&m->arena, stage ? run->stages : run->ranks, arena_strdup(&m->arena, name),
                         strbuf_str(&json));
        strbuf_release(&json);
    }
}

static void apply(struct spool_model *m, struct model_run *run, const struct event *ev)
{
    switch (ev->kind) {
    case EVENT_RUN_START:
    case EVENT_RUN_UPDATE:
    case EVENT_RUN_END:
        apply_run(m, run, ev);
        break;
    case EVENT_PARAM:
        set_fields(m, run->params, ev);
        break;
    case EVENT_TAG:
        set_fields(m, run->tags, ev);
        break;
    case EVENT_METRIC:
        apply_metric(run, ev);
        break;
    case EVENT_LOG:
        apply_log(m, run, ev);
        break;
    case EVENT_STAGE:
    case EVENT_RANK:
        apply_state(m, run, ev);
        break;
    case EVENT_HEARTBEAT:
        run->beat_ms = ev->time_ms > run->beat_ms ? ev->time_ms : run->beat_ms;
        break;
    }
}

static struct model_file *get_file(struct spool_model *m, const char *name)
{
    struct model_file *f;
    HASH_FIND_STR(m->files, name, f);
    if (!f) {
        f = xcalloc(1, sizeof(*f));
        f->name = xstrdup(name);
        f->offset = SPOOL_HEADER_BYTES;
        HASH_ADD_KEYPTR(hh, m->files, f->name, strlen(f->name), f);
    }
    return f;
}

static void read_file(struct spool_model *m, const char *path, struct model_file *f)
{
    struct spool_header h;
    struct spool_record rec;
    struct spool_cursor c;
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

    if (fd < 0) {
        return;
    }
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && (uint64_t)st.st_size > f->offset &&
        spool_read_header(fd, &h, NULL) == 0) {
        struct model_run *run = get_run(m, h.run);
        spool_cursor_init(&c, fd);
        c.offset = c.buffer_offset = f->offset;
        c.sequence = f->sequence;
        while (spool_cursor_next(&c, (uint64_t)st.st_size, &rec, NULL) == 1) {
            apply(m, run, &rec.event);
        }
        f->offset = c.offset;
        f->sequence = c.sequence;
        spool_cursor_release(&c);
    }
    close(fd);
}

int spool_model_refresh(struct spool_model *m, struct err *e)
{
    struct arena a;
    char **names;
    size_t count = 0;
    int rc = 0;

    if (!m->dir || !fs_is_dir(m->dir)) {
        return 0;
    }
    arena_init(&a);
    rc = fs_list(&a, m->dir, &names, &count, e);
    for (size_t i = 0; rc == 0 && i < count; i++) {
        if (str_ends(str_from(names[i]), ".log")) {
            read_file(m, path_join(&a, m->dir, names[i]), get_file(m, names[i]));
        }
    }
    arena_release(&a);
    return rc;
}

struct spool_model *spool_model_empty(void)
{
    struct spool_model *m = xcalloc(1, sizeof(*m));
    arena_init(&m->arena);
    return m;
}

void spool_model_apply(struct spool_model *m, const char *run, const struct event *ev)
{
    apply(m, get_run(m, run), ev);
}

struct spool_model *spool_model_new(const struct tracking *t)
{
    struct spool_model *m = spool_model_empty();
    m->dir = tracking_dir(t, "spool", false, NULL);
    spool_model_refresh(m, NULL);
    return m;
}

static void free_run(struct model_run *run)
{
    struct model_metric *metric, *tmp;
    HASH_ITER(hh, run->metrics, metric, tmp)
    {
        HASH_DEL(run->metrics, metric);
        free(metric->name);
        free(metric->points);
        free(metric);
    }
    free(run->lines);
    free(run);
}

void spool_model_free(struct spool_model *m)
{
    struct model_run *run, *next_run;
    struct model_file *file, *next_file;

    if (!m) {
        return;
    }
    HASH_ITER(hh, m->runs, run, next_run)
    {
        HASH_DEL(m->runs, run);
        free_run(run);
    }
    HASH_ITER(hh, m->files, file, next_file)
    {
        HASH_DEL(m->files, file);
        free(file->name);
        free(file);
    }
    arena_release(&m->arena);
    free(m->dir);
    free(m);
}

static int newest_first(const void *a, const void *b)
{
    const struct model_run *x = *(struct model_run *const *)a, *y = *(struct model_run *const *)b;
    if (x->start != y->start) {
        return x->start > y->start ? -1 : 1;
    }
    return -strcmp(x->id, y->id);
}

void spool_model_ids(struct spool_model *m, struct arena *a, size_t limit, const char ***ids,
                     size_t *count)
{
    struct model_run *run, *tmp;
    size_t n = 0;
    struct model_run **all = ARENA_ARRAY(a, HASH_COUNT(m->runs) + 1, struct model_run *);

    HASH_ITER(hh, m->runs, run, tmp)
    {
        if (run->listed) {
            all[n++] = run;
        }
    }
    qsort(all, n, sizeof(*all), newest_first);
    n = limit && n > limit ? limit : n;
    *ids = ARENA_ARRAY(a, n + 1, const char *);
    for (size_t i = 0; i < n; i++) {
        (*ids)[i] = arena_strdup(a, all[i]->id);
    }
    *count = n;
}

bool spool_model_run(struct spool_model *m, struct arena *a, const char *id, bool whole,
                     struct run_record *out)
{
    struct model_run *run;
    struct model_metric *metric, *tmp;

    HASH_FIND(hh, m->runs, id, 32, run);
    if (!run) {
        return false;
    }
    set_time(m, run->fields, "heartbeat_ms", run->beat_ms);
    *out = (struct run_record){.id = arena_strdup(a, run->id),
                               .fields = value_copy(a, run->fields),
                               .latest = value_map(a)};
    HASH_ITER(hh, run->metrics, metric, tmp)
    {
        value_set(a, out->latest, metric->name, value_cstr(a, metric->last));
    }
    if (whole) {
        out->params = value_copy(a, run->params);
        out->tags = value_copy(a, run->tags);
        out->stages = value_copy(a, run->stages);
        out->ranks = value_copy(a, run->ranks);
    }
    return true;
}

void spool_model_metric(struct spool_model *m, struct arena *a, const char *id, const char *name,
                        struct runread_place *place, struct metric_point **points, size_t *count)
{
    struct model_run *run;
    struct model_metric *metric = NULL;

    *count = 0;
    HASH_FIND(hh, m->runs, id, 32, run);
    if (run) {
        HASH_FIND_STR(run->metrics, name, metric);
    }
    size_t all = metric ? metric->count : 0;
    size_t n = all > place->index ? all - place->index : 0;
    *points = ARENA_ARRAY(a, n + 1, struct metric_point);
    if (n) {
        memcpy(*points, metric->points + place->index, n * sizeof(**points));
    }
    place->index += n;
    *count = n;
}

void spool_model_log(struct spool_model *m, struct arena *a, const char *id,
                     struct runread_place *place, struct log_line **lines, size_t *count)
{
    struct model_run *run;
    HASH_FIND(hh, m->runs, id, 32, run);
    size_t all = run ? run->line_count : 0;
    size_t n = all > place->index ? all - place->index : 0;
    *lines = ARENA_ARRAY(a, n + 1, struct log_line);
    for (size_t i = 0; i < n; i++) {
        const struct log_line *line = &run->lines[place->index + i];
        (*lines)[i] = (struct log_line){arena_strdup(a, line->line), arena_strdup(a, line->rank)};
    }
    place->index += n;
    *count = n;
}
