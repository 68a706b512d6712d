/* One JSON object a line on stdout: what scripts read while a repro runs. */
#include "reporter.h"

#include "alloc.h"
#include "arena.h"
#include "json.h"
#include "pipeline.h"
#include "value.h"

#include <stdio.h>
#include <stdlib.h>

struct jsonl {
    struct reporter base;
    size_t done, running; /* as told last */
};

static struct value *event(struct arena *a, const char *name, const struct stage *st)
{
    struct value *v = value_map(a);
    value_set(a, v, "schema", value_int(a, 1));
    value_set(a, v, "event", value_cstr(a, name));
    if (st != NULL) {
        value_set(a, v, "stage", value_cstr(a, st->addr));
    }
    return v;
}

static void print(struct arena *a, const struct value *v)
{
    struct strbuf b;
    strbuf_init(&b);
    json_write(&b, v, &(struct json_style){.utf8 = true});
    strbuf_addch(&b, '\n');
    fwrite(b.p, 1, b.n, stdout);
    fflush(stdout);
    strbuf_release(&b);
    arena_release(a);
}

static void json_note(struct reporter *s, bool warning, const char *text)
{
    struct arena a;
    arena_init(&a);
    struct value *v = event(&a, warning ? "warning" : "note", NULL);
    value_set(&a, v, "text", value_cstr(&a, text));
    print(&a, v);
}

static void json_begin(struct reporter *s, const struct stage *st, const char *reason, bool dry)
{
    struct arena a;
    arena_init(&a);
    struct value *v = event(&a, "begin", st);
    value_set(&a, v, "reason", reason != NULL ? value_cstr(&a, reason) : value_null(&a));
    value_set(&a, v, "dry", value_bool(&a, dry));
    print(&a, v);
}

static void json_output(struct reporter *s, const struct stage *st, struct str text)
{
    struct arena a;
    arena_init(&a);
    struct value *v = event(&a, "output", st);
    bool clean = str_utf8_valid(text) == text.n;
    struct strbuf b;
    strbuf_init(&b);
    for (size_t i = 0; !clean && i < text.n; i++) {
        strbuf_addch(&b, (unsigned char)text.p[i] < 0x80 ? text.p[i] : '?');
    }
    value_set(&a, v, "text", value_str(&a, clean ? text : strbuf_str(&b)));
    strbuf_release(&b);
    print(&a, v);
}

static void json_end(struct reporter *s, const struct stage *st, enum outcome o, double seconds,
                     const char *error)
{
    struct arena a;
    arena_init(&a);
    struct value *v = event(&a, "end", st);
    value_set(&a, v, "outcome", value_cstr(&a, outcome_name(o)));
    value_set(&a, v, "seconds", value_float(&a, seconds));
    value_set(&a, v, "error", error != NULL ? value_cstr(&a, error) : value_null(&a));
    print(&a, v);
}

/* Only what changed: a line a second would drown the rest. */
static void json_progress(struct reporter *s, const struct reporter_progress *p)
{
    struct jsonl *j = (struct jsonl *)s;
    if (p->done == j->done && p->running == j->running) {
        return;
    }
    j->done = p->done;
    j->running = p->running;
    struct arena a;
    arena_init(&a);
    struct value *v = event(&a, "progress", NULL);
    value_set(&a, v, "done", value_int(&a, (int64_t)p->done));
    value_set(&a, v, "total", value_int(&a, (int64_t)p->total));
    value_set(&a, v, "running", value_int(&a, (int64_t)p->running));
    value_set(&a, v, "seconds_left",
              p->seconds_left < 0 ? value_null(&a) : value_float(&a, p->seconds_left));
    print(&a, v);
}

static void json_close(struct reporter *s)
{
    free(s);
}

static const struct reporter_ops json_ops = {
    .note = json_note,
    .begin = json_begin,
    .output = json_output,
    .end = json_end,
    .progress = json_progress,
    .close = json_close,
};

struct reporter *reporter_json_new(void)
{
    struct jsonl *j = xcalloc(1, sizeof *j);
    j->base.ops = &json_ops;
    return &j->base;
}
