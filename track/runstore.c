/*
 * Events as Redis commands; the table of keys is in runstore.h. One EVALSHA carries a record: its
 * sequence and the list of commands it stands for. The script is constant text: nothing of a user
 * is ever part of it.
 */

#include "runstore.h"

#include "alloc.h"
#include "err.h"
#include "json.h"
#include "num.h"
#include "redis.h"
#include "str.h"
#include "tracking.h"

#include <hiredis/hiredis.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAIRS_PER_COMMAND 100 /* Lua's unpack has a limit of some thousand values */

/* HFORWARD key field value: HSET that never moves a number back. */
static const char script[] =
    "local last = tonumber(redis.call('HGET', KEYS[1], ARGV[1]) or '0')\n"
    "local seq = tonumber(ARGV[2])\n"
    "if seq <= last then return 0 end\n"
    "if seq > last + 1 then return redis.error_reply('GAP after ' .. last) end\n"
    "redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])\n"
    "local bad, i = 0, 3\n"
    "while i <= #ARGV do\n"
    "  local n, cmd = tonumber(ARGV[i]), {}\n"
    "  for k = 1, n do cmd[k] = ARGV[i + k] end\n"
    "  i = i + n + 1\n"
    "  if cmd[1] == 'HFORWARD' then\n"
    "    local old = redis.pcall('HGET', cmd[2], cmd[3])\n"
    "    old = type(old) == 'string' and tonumber(old) or nil\n"
    "    cmd[1] = 'HSET'\n"
    "    if old and old >= tonumber(cmd[4]) then cmd = nil end\n"
    "  end\n"
    "  if cmd then\n"
    "    local r = redis.pcall(unpack(cmd))\n"
    "    if type(r) == 'table' and r.err then bad = bad + 1 end\n"
    "  end\n"
    "end\n"
    "return bad == 0 and 1 or 2\n";

/* ---- a list of words under construction ---- */

struct words {
    struct strbuf text;
    size_t *ends; /* of each word in text */
    size_t count, capacity;
    size_t open; /* index of the count word of the current command */
};

static void add_word(struct words *w, const char *s, size_t n)
{
    ARRAY_RESERVE(w->ends, w->count, w->capacity, 1);
    strbuf_add(&w->text, s, n);
    w->ends[w->count++] = w->text.n;
}

static void add(struct words *w, const char *s)
{
    add_word(w, s, strlen(s));
}

/* Commands inside the script's arguments are preceded by their number of words: three digits, set
 * when the command is complete. */
static void begin(struct words *w, const char *command)
{
    w->open = w->count;
    add(w, "000");
    add(w, command);
}

static void end(struct words *w)
{
    char digits[16];
    snprintf(digits, sizeof(digits), "%03zu", w->count - w->open - 1);
    memcpy(w->text.p + w->ends[w->open] - 3, digits, 3);
}

/* P run:<id><suffix><name> */
static void add_run_key(struct words *w, const struct runstore *s, const char *run,
                        const char *suffix, const char *name)
{
    char key[RUNSTORE_KEY_MAX + 1];
    int n = snprintf(key, sizeof(key), "%srun:%s%s%s", s->prefix, run, suffix, name);
    add_word(w, key, n < (int)sizeof(key) ? (size_t)n : sizeof(key) - 1);
}

static void add_key(struct words *w, const struct runstore *s, const char *name)
{
    char key[RUNSTORE_KEY_MAX + 1];
    int n = snprintf(key, sizeof(key), "%s%s", s->prefix, name);
    add_word(w, key, (size_t)n);
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

/* ---- names ---- */

bool runstore_metric_name_valid(const char *name)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                  "_./ :-";
    size_t n = strlen(name);
    return n >= 1 && n <= RUNSTORE_NAME_MAX && strspn(name, allowed) == n;
}

bool runstore_field_name_valid(const char *name)
{
    size_t n = strlen(name);
    if (n < 1 || n > 250 || str_utf8_valid((struct str){name, n}) != n) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        if ((unsigned char)name[i] < 0x20 || name[i] == 0x7f) {
            return false;
        }
    }
    return true;
}

/* ---- events to commands ---- */

static bool key_in(const char *key, const char *const *list)
{
    while (*list && strcmp(*list, key) != 0) {
        list++;
    }
    return *list != NULL;
}

/* HSET of the fields that `skip` does not name. */
static void add_fields(struct words *w, const struct runstore *s, const char *run,
                       const char *suffix, const struct event *ev)
{
    size_t pairs = 0;
    for (size_t i = 0; i < ev->field_count; i++) {
        if (!runstore_field_name_valid(ev->fields[i].key)) {
            continue;
        }
        if (pairs == 0) {
            begin(w, "HSET");
            add_run_key(w, s, run, suffix, "");
        }
        add(w, ev->fields[i].key);
        add(w, ev->fields[i].value);
        if (++pairs == PAIRS_PER_COMMAND) {
            end(w);
            pairs = 0;
        }
    }
    if (pairs) {
        end(w);
    }
}

static void time_text(char out[24], int64_t ms)
{
    snprintf(out, 24, "%" PRId64, ms);
}

static void add_hset(struct words *w, const struct runstore *s, const char *run,
                     const char *command, const char *suffix, const char *key, const char *value)
{
    begin(w, command);
    add_run_key(w, s, run, suffix, "");
    add(w, key);
    add(w, value);
    end(w);
}

/* The stream of state changes gets what identifies the change, not the whole record. */
static void add_change(struct words *w, const struct runstore *s, const char *run,
                       const struct event *ev)
{
    static const char *const told[] = {"kind",  "name",   "experiment", "parent", "status",
                                       "stage", "reason", "rank",       "state",  "exit_code",
                                       "error", "host",   NULL};
    char t[24];
    time_text(t, ev->time_ms);
    begin(w, "XADD");
    add_key(w, s, "events");
    add(w, "MAXLEN");
    add(w, "~");
    add(w, RUNSTORE_EVENTS_MAX);
    add(w, "*");
    add(w, "event");
    add(w, event_kind_name(ev->kind));
    add(w, "run");
    add(w, run);
    add(w, "t");
    add(w, t);
    for (size_t i = 0; i < ev->field_count && i < 100; i++) {
        if (key_in(ev->fields[i].key, told)) {
            add(w, ev->fields[i].key);
            add(w, ev->fields[i].value);
        }
    }
    end(w);
}

static void add_run_event(struct words *w, const struct runstore *s, const char *run,
                          const struct event *ev)
{
    char t[24];
    time_text(t, ev->time_ms);
    if (ev->kind == EVENT_RUN_START) {
        const char *start = field(ev, "start_ms");
        double score;
        begin(w, "ZADD");
        add_key(w, s, "runs");
        add(w, start && num_parse_double(str_from(start), &score) ? start : t);
        add(w, run);
        end(w);
        if (!start) {
            add_hset(w, s, run, "HSET", "", "start_ms", t);
        }
        if (!field(ev, "status")) {
            add_hset(w, s, run, "HSET", "", "status", "running");
        }
    }
    if (ev->kind == EVENT_RUN_END) {
        if (!field(ev, "end_ms")) {
            add_hset(w, s, run, "HSET", "", "end_ms", t);
        }
        if (!field(ev, "status")) {
            add_hset(w, s, run, "HSET", "", "status", "finished");
        }
    }
    add_fields(w, s, run, "", ev);
    add_hset(w, s, run, "HFORWARD", "", "heartbeat_ms", t);
}

static void add_metric(struct words *w, const struct runstore *s, const char *run,
                       const struct event *ev)
{
    const char *name = field(ev, "name"), *v = field(ev, "v"), *step = field(ev, "step");
    char t[24];

    if (!name || !v || !runstore_metric_name_valid(name)) {
        return;
    }
    time_text(t, ev->time_ms);
    begin(w, "XADD");
    add_run_key(w, s, run, ":metric:", name);
    add(w, "*");
    add(w, "v");
    add(w, v);
    add(w, "step");
    add(w, step ? step : "0");
    add(w, "t");
    add(w, t);
    end(w);
    add_hset(w, s, run, "HSET", ":latest", name, v);
}

static void add_log(struct words *w, const struct runstore *s, const char *run,
                    const struct event *ev)
{
    const char *line = field(ev, "line"), *rank = field(ev, "rank");
    if (!line) {
        return;
    }
    begin(w, "XADD");
    add_run_key(w, s, run, ":log", "");
    add(w, "MAXLEN");
    add(w, "~");
    add(w, s->log_lines);
    add(w, "*");
    add(w, "line");
    add(w, line);
    add(w, "rank");
    add(w, rank ? rank : "0");
    end(w);
}

/* Fields of the JSON that are numbers there. */
static bool is_number_field(const char *key)
{
    static const char *const numbers[] = {"rank",         "pid",       "start_ms", "end_ms",
                                          "exit_code",    "img_per_s", "step_ms",  "rss_bytes",
                                          "heartbeat_ms", NULL};
    return key_in(key, numbers);
}

void runstore_state_json(struct strbuf *out, const struct event *ev)
{
    const char *name = ev->kind == EVENT_STAGE ? "stage" : "rank";
    double number;

    strbuf_addch(out, '{');
    for (size_t i = 0; i < ev->field_count; i++) {
        const struct event_field *f = &ev->fields[i];
        if (strcmp(f->key, name) == 0 || !runstore_field_name_valid(f->key)) {
            continue;
        }
        if (out->p[out->n - 1] != '{') {
            strbuf_adds(out, ", ");
        }
        json_write_string(out, str_from(f->key), true);
        strbuf_adds(out, ": ");
        if (is_number_field(f->key) && num_parse_double(str_from(f->value), &number) &&
            number - number == 0) {
            strbuf_adds(out, f->value);
        } else {
            json_write_string(out, str_from(f->value), true);
        }
    }
    if (ev->kind == EVENT_RANK) {
        strbuf_addf(out, "%s\"heartbeat_ms\": %" PRId64, out->p[out->n - 1] == '{' ? "" : ", ",
                    ev->time_ms);
    }
    strbuf_addch(out, '}');
}

static void add_state(struct words *w, const struct runstore *s, const char *run,
                      const struct event *ev)
{
    bool stage = ev->kind == EVENT_STAGE;
    const char *name = field(ev, stage ? "stage" : "rank");
    struct strbuf json;

    if (!name || !runstore_field_name_valid(name)) {
        return;
    }
    strbuf_init(&json);
    runstore_state_json(&json, ev);
    begin(w, "HSET");
    add_run_key(w, s, run, stage ? ":stages" : ":ranks", "");
    add(w, name);
    add_word(w, json.p, json.n);
    end(w);
    strbuf_release(&json);
}

static void add_commands(struct words *w, const struct runstore *s, const char *run,
                         const struct spool_record *rec)
{
    const struct event *ev = &rec->event;
    char t[24];

    switch (ev->kind) {
    case EVENT_RUN_START:
    case EVENT_RUN_UPDATE:
    case EVENT_RUN_END:
        add_run_event(w, s, run, ev);
        break;
    case EVENT_PARAM:
        add_fields(w, s, run, ":params", ev);
        break;
    case EVENT_TAG:
        add_fields(w, s, run, ":tags", ev);
        break;
    case EVENT_METRIC:
        add_metric(w, s, run, ev);
        break;
    case EVENT_LOG:
        add_log(w, s, run, ev);
        break;
    case EVENT_STAGE:
    case EVENT_RANK:
        add_state(w, s, run, ev);
        break;
    case EVENT_HEARTBEAT:
        time_text(t, ev->time_ms);
        add_hset(w, s, run, "HFORWARD", "", "heartbeat_ms", t);
        break;
    }
    if (rec->flags & SPOOL_STATE_CHANGE) {
        add_change(w, s, run, ev);
    }
}

/* ---- the server ---- */

void runstore_init(struct runstore *s, const struct tracking *t)
{
    *s = (struct runstore){0};
    snprintf(s->prefix, sizeof(s->prefix), "%s", t->prefix);
    snprintf(s->log_lines, sizeof(s->log_lines), "%ld", t->log_lines);
}

int runstore_prepare(struct runstore *s, struct redis *r, struct err *e)
{
    redisReply *reply = redis_command(r, e, "SCRIPT", "LOAD", script, NULL);
    if (!reply) {
        return err_wrap(e, "cannot bring the script to Redis");
    }
    bool fine = reply->type == REDIS_REPLY_STRING && reply->len == 40;
    if (fine) {
        snprintf(s->script_sha, sizeof(s->script_sha), "%s", reply->str);
    }
    redis_reply_free(reply);
    return fine ? 0 : err_set(e, ERR_REMOTE, "unexpected answer of Redis to SCRIPT LOAD");
}

static void sequence_key(const struct runstore *s, const char *run, char out[RUNSTORE_KEY_MAX])
{
    snprintf(out, RUNSTORE_KEY_MAX, "%sseq:%s", s->prefix, run);
}

int runstore_sequence(const struct runstore *s, struct redis *r, const char *run,
                      const char *writer, uint64_t *sequence, struct err *e)
{
    char key[RUNSTORE_KEY_MAX];
    int64_t v = 0;

    sequence_key(s, run, key);
    redisReply *reply = redis_command(r, e, "HGET", key, writer, NULL);
    if (!reply) {
        return -1;
    }
    bool fine = reply->type == REDIS_REPLY_NIL ||
                (reply->type == REDIS_REPLY_STRING &&
                 num_parse_int((struct str){reply->str, reply->len}, &v) && v >= 0);
    redis_reply_free(reply);
    *sequence = (uint64_t)v;
    return fine ? 0 : err_set(e, ERR_REMOTE, "unexpected answer of Redis to HGET %s", key);
}

int runstore_apply(const struct runstore *s, struct redis *r, const char *run, const char *writer,
                   const struct spool_record *rec, struct err *e)
{
    struct words w = {0};
    char key[RUNSTORE_KEY_MAX], sequence[24];

    strbuf_init(&w.text);
    sequence_key(s, run, key);
    snprintf(sequence, sizeof(sequence), "%" PRIu64, rec->sequence);
    add(&w, "EVALSHA");
    add(&w, s->script_sha);
    add(&w, "1");
    add(&w, key);
    add(&w, writer);
    add(&w, sequence);
    add_commands(&w, s, run, rec);

    const char **argv = xmalloc(w.count * sizeof(*argv));
    size_t *lengths = xmalloc(w.count * sizeof(*lengths));
    for (size_t i = 0; i < w.count; i++) {
        size_t start = i ? w.ends[i - 1] : 0;
        argv[i] = w.text.p + start;
        lengths[i] = w.ends[i] - start;
    }
    int rc = redis_append(r, (int)w.count, argv, lengths, e);
    free(argv);
    free(lengths);
    free(w.ends);
    strbuf_release(&w.text);
    return rc;
}

int runstore_answer(struct redis *r, enum runstore_answer *answer, struct err *e)
{
    redisReply *reply = redis_reply(r, e);
    if (!reply) {
        return -1;
    }
    if (reply->type == REDIS_REPLY_INTEGER && reply->integer >= 0 && reply->integer <= 2) {
        static const enum runstore_answer answers[] = {RUNSTORE_SKIPPED, RUNSTORE_APPLIED,
                                                       RUNSTORE_REJECTED};
        *answer = answers[reply->integer];
    } else {
        *answer = RUNSTORE_RETRY;
        if (reply->type == REDIS_REPLY_ERROR) {
            err_set(e, ERR_REMOTE, "Redis refuses: %.200s", reply->str);
        } else {
            err_set(e, ERR_REMOTE, "unexpected answer of Redis to a record");
        }
    }
    redis_reply_free(reply);
    return 0;
}
