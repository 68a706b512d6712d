/*
 * `nephron redis start|stop|status|cli|replay`: the private Redis server of the project, and the
 * way into whatever Redis the settings name. What it does is in track/redis_server.c and
 * track/replay.c.
 */

#include "cmd.h"

#include "arena.h"
#include "clock.h"
#include "err.h"
#include "json.h"
#include "num.h"
#include "opt.h"
#include "redis.h"
#include "redis_server.h"
#include "replay.h"
#include "runread.h"
#include "runstore.h"
#include "session.h"
#include "str.h"
#include "tracking.h"
#include "value.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int report(const struct err *e)
{
    fprintf(stderr, "nephron redis: %s\n", e->text);
    return e->code == ERR_USAGE || e->code == ERR_CONFIG || e->code == ERR_FORMAT ? 2 : 1;
}

static int finish_output(int code)
{
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fprintf(stderr, "nephron redis: cannot write the answer: %s\n", strerror(errno));
        return 1;
    }
    return code;
}

static void print_json(const struct value *v)
{
    struct strbuf b;
    strbuf_init(&b);
    json_write(&b, v, &(struct json_style){.utf8 = true});
    puts(b.p);
    strbuf_release(&b);
}

/* Options of the commands that have none but --json (NULL: not that either). -1: go on. */
static int parse(const char *usage, const char *about, const char *examples, bool *json, int argc,
                 char **argv)
{
    struct err e = ERR_INIT;
    struct opt_list args = {0};
    const struct opt options[] = {
        {.type = OPT_FLAG, .name = "json", .help = "Answer with one JSON object.", .target = json},
        OPT_END};
    const struct opt_spec spec = {.usage = usage,
                                  .about = about,
                                  .examples = examples,
                                  .options = json ? options : options + 1};
    enum opt_result rc = opt_parse(&spec, argc, argv, &args, &e);
    opt_list_release(&args);
    if (rc == OPT_BAD) {
        opt_print_usage(&spec);
        return report(&e);
    }
    return rc == OPT_HELP ? 0 : -1;
}

static int require_auto(const struct tracking *t, struct err *e)
{
    if (strcmp(t->redis_url, "auto") == 0) {
        return 0;
    }
    return err_set(e, ERR_USAGE,
                   "tracking.redis_url is not 'auto': there is no private server to start or stop");
}

static bool is_none(const struct tracking *t)
{
    return strcmp(t->redis_url, "none") == 0;
}

static int require_redis(const struct tracking *t, struct err *e)
{
    return is_none(t) ? err_set(e, ERR_USAGE, "tracking.redis_url is 'none': there is no Redis")
                      : 0;
}

/* Where the server is: without secrets. */
static void address_text(const struct tracking *t, char out[REDIS_ADDRESS_TEXT])
{
    struct redis_address a;
    int rc = strcmp(t->redis_url, "auto") == 0 ? redis_server_address(t, false, &a, NULL)
             : is_none(t)                      ? -1
                                               : redis_address_parse(&a, t->redis_url, NULL);
    out[0] = '\0';
    if (rc == 0) {
        redis_address_text(&a, out);
    }
}

static int redis_start(int argc, char **argv)
{
    struct tracking t;
    struct err e = ERR_INIT;
    bool json = false, started = false;
    char address[REDIS_ADDRESS_TEXT];
    pid_t pid = 0;

    int rc =
        parse("nephron redis start [--json]",
              "Starts the project's private redis-server, unless it runs. Commands that record "
              "runs start it by themselves.",
              "nephron redis start", &json, argc, argv);
    if (rc >= 0) {
        return rc;
    }
    if (tracking_load(&t, NULL, &e) < 0) {
        return report(&e);
    }
    if (require_auto(&t, &e) < 0 || redis_server_start(&t, &started, &e) < 0) {
        tracking_release(&t);
        return report(&e);
    }
    address_text(&t, address);
    redis_server_alive(&t, &pid);
    if (json) {
        printf("{\"schema\": 1, \"running\": true, \"started\": %s, \"pid\": %ld, \"address\": ",
               started ? "true" : "false", (long)pid);
        struct strbuf b;
        strbuf_init(&b);
        json_write_string(&b, str_from(address), true);
        printf("%s}\n", b.p);
        strbuf_release(&b);
    } else {
        printf("redis-server %s (pid %ld, %s)\n", started ? "started" : "runs already", (long)pid,
               address);
    }
    tracking_release(&t);
    return finish_output(0);
}

static int redis_stop(int argc, char **argv)
{
    struct tracking t;
    struct err e = ERR_INIT;
    bool json = false;
    int rc = parse("nephron redis stop [--json]",
                   "Ends the project's private redis-server; the runs stay on disk.",
                   "nephron redis stop", &json, argc, argv);
    if (rc >= 0) {
        return rc;
    }
    if (tracking_load(&t, NULL, &e) < 0) {
        return report(&e);
    }
    bool running = redis_server_alive(&t, NULL);
    rc = require_auto(&t, &e) < 0 || (running && redis_server_stop(&t, &e) < 0) ? -1 : 0;
    tracking_release(&t);
    if (rc < 0) {
        return report(&e);
    }
    if (json) {
        printf("{\"schema\": 1, \"running\": false, \"stopped\": %s}\n",
               running ? "true" : "false");
    } else {
        puts(running ? "redis-server stopped" : "no private redis-server runs here");
    }
    return finish_output(0);
}

struct server_state {
    bool running, answers;
    pid_t pid;
    char address[REDIS_ADDRESS_TEXT], why[2048];
    size_t runs;
    uint64_t behind;
};

static void look(const struct tracking *t, struct server_state *st)
{
    struct err why = ERR_INIT;
    struct arena a;
    const char **ids;

    *st = (struct server_state){0};
    address_text(t, st->address);
    bool is_auto = strcmp(t->redis_url, "auto") == 0;
    st->running = is_auto && redis_server_alive(t, &st->pid);
    struct redis *r = is_none(t) ? NULL : redis_connect(t, false, &why);
    st->answers = r != NULL;
    st->running = st->running || st->answers;
    st->behind = replay_behind(t, r, clock_wall_ms(&clock_system));
    snprintf(st->why, sizeof(st->why), "%s",
             is_none(t) ? "tracking.redis_url is 'none': there is no Redis" : why.text);
    if (r) {
        struct runread *reader = runread_from(r, t->prefix);
        arena_init(&a);
        if (runread_ids(reader, &a, 0, &ids, &st->runs, &why) < 0) {
            st->runs = 0;
        }
        arena_release(&a);
        runread_close(reader);
    }
}

static void print_state_json(const struct tracking *t, const struct server_state *st)
{
    struct arena a;
    arena_init(&a);
    struct value *o = value_map(&a);
    value_set(&a, o, "schema", value_int(&a, 1));
    value_set(&a, o, "mode",
              value_cstr(&a, strcmp(t->redis_url, "auto") == 0 ? "auto"
                             : is_none(t)                      ? "none"
                                                               : "url"));
    value_set(&a, o, "running", value_bool(&a, st->running));
    value_set(&a, o, "answers", value_bool(&a, st->answers));
    value_set(&a, o, "pid", st->pid ? value_int(&a, st->pid) : value_null(&a));
    value_set(&a, o, "address", st->address[0] ? value_cstr(&a, st->address) : value_null(&a));
    value_set(&a, o, "runs", st->answers ? value_int(&a, (int64_t)st->runs) : value_null(&a));
    value_set(&a, o, "behind", value_int(&a, (int64_t)st->behind));
    value_set(&a, o, "error", st->answers ? value_null(&a) : value_cstr(&a, st->why));
    print_json(o);
    arena_release(&a);
}

static int redis_status(int argc, char **argv)
{
    struct tracking t;
    struct err e = ERR_INIT;
    struct server_state st;
    bool json = false;
    int rc =
        parse("nephron redis status [--json]",
              "Tells whether the Redis that records runs answers. Exit 0: it does, 1: it does not.",
              "nephron redis status --json | jq .runs", &json, argc, argv);
    if (rc >= 0) {
        return rc;
    }
    if (tracking_load(&t, NULL, &e) < 0) {
        return report(&e);
    }
    look(&t, &st);
    if (json) {
        print_state_json(&t, &st);
    } else if (st.answers) {
        printf("%s answers", st.address);
        if (st.pid) {
            printf(" (private server, pid %ld)", (long)st.pid);
        }
        printf(", %zu run%s\n", st.runs, st.runs == 1 ? "" : "s");
    } else {
        printf("%s\n", st.why[0] ? st.why : "no Redis");
    }
    if (!json && st.behind) {
        printf("tracker behind by %llu records\n", (unsigned long long)st.behind);
    }
    tracking_release(&t);
    return finish_output(st.answers ? 0 : 1);
}

/* Replaces this process by redis-cli. Returns only with an error. */
static int exec_cli(const struct redis_address *a, int argc, char **argv, struct err *e)
{
    struct arena arena;
    int n = 0;

    arena_init(&arena);
    const char **words = ARENA_ARRAY(&arena, (size_t)argc + 16, const char *);
    words[n++] = "redis-cli";
    if (a->is_unix) {
        words[n++] = "-s";
        words[n++] = a->path;
    } else {
        words[n++] = "-h";
        words[n++] = a->host;
        words[n++] = "-p";
        words[n++] = arena_printf(&arena, "%d", a->port);
    }
    if (a->db) {
        words[n++] = "-n";
        words[n++] = arena_printf(&arena, "%d", a->db);
    }
    if (a->user[0]) {
        words[n++] = "--user";
        words[n++] = a->user;
    }
    if (a->password[0]) {
        setenv("REDISCLI_AUTH", a->password, 1); /* not an argument: those everybody can see */
    }
    for (int i = 1; i < argc; i++) {
        words[n++] = argv[i];
    }
    words[n] = NULL;
    execvp(words[0], (char *const *)(uintptr_t)words);
    if (errno == ENOENT) {
        err_set(e, ERR_MISSING, "redis-cli is not installed (Debian package redis-tools)");
    } else {
        err_sys(e, "cannot run redis-cli");
    }
    arena_release(&arena);
    return -1;
}

static int redis_cli(int argc, char **argv)
{
    struct tracking t;
    struct redis_address a;
    struct err e = ERR_INIT;

    if (argc == 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
                      strcmp(argv[1], "--help-table") == 0)) {
        return parse("nephron redis cli [REDIS-CLI ARGUMENT]…",
                     "Runs redis-cli on the Redis that records runs.",
                     "nephron redis cli\n"
                     "nephron redis cli ZREVRANGE nephron:runs 0 -1\n"
                     "nephron redis cli --scan --pattern 'nephron:run:*'",
                     NULL, argc, argv);
    }
    if (tracking_load(&t, NULL, &e) < 0) {
        return report(&e);
    }
    int rc = require_redis(&t, &e);
    if (rc == 0 && strcmp(t.redis_url, "auto") == 0) {
        rc = redis_server_start(&t, NULL, &e) < 0 ? -1 : redis_server_address(&t, false, &a, &e);
    } else if (rc == 0) {
        rc = redis_address_parse(&a, t.redis_url, &e);
    }
    tracking_release(&t);
    if (rc == 0) {
        rc = exec_cli(&a, argc, argv, &e);
    }
    return report(&e);
}

static int redis_replay(int argc, char **argv)
{
    struct tracking t;
    struct runstore store;
    struct err e = ERR_INIT;
    uint64_t sent = 0;
    bool json = false;
    int rc = parse("nephron redis replay [--json]",
                   "Sends what Redis lacks from the spool files of ended processes (kept for 24 "
                   "h), e.g. after "
                   "a backup was restored. Nothing is added twice.",
                   "nephron redis replay", &json, argc, argv);
    if (rc >= 0) {
        return rc;
    }
    if (tracking_load(&t, NULL, &e) < 0) {
        return report(&e);
    }
    struct redis *r = require_redis(&t, &e) == 0 ? redis_connect(&t, true, &e) : NULL;
    runstore_init(&store, &t);
    rc = r && runstore_prepare(&store, r, &e) == 0 ? 0 : -1;
    if (rc == 0) {
        rc = replay_folder(&t, &store, r, clock_wall_ms(&clock_system), NULL, &sent, &e);
    }
    redis_close(r);
    tracking_release(&t);
    if (rc < 0) {
        return report(&e);
    }
    printf(json ? "{\"schema\": 1, \"sent\": %llu}\n" : "%llu records sent\n",
           (unsigned long long)sent);
    return finish_output(0);
}

int cmd_redis(int argc, char **argv)
{
    static const struct session_command commands[] = {
        {"start", redis_start, "start the project's private server"},
        {"stop", redis_stop, "end it; the runs stay on disk"},
        {"status", redis_status, "does the Redis that records runs answer?"},
        {"cli", redis_cli, "redis-cli on it"},
        {"replay", redis_replay, "send what it lacks from the spool"}};
    static const char *const names[] = {"start", "stop", "status", "cli", "replay"};
    static const struct opt none[] = {OPT_END};
    static const struct opt_spec spec = {.usage =
                                             "nephron redis start|stop|status|cli|replay [OPTION]…",
                                         .about = "The Redis that records runs: by default a "
                                                  "private server of the project on a unix socket "
                                                  "below .nephron/redis.",
                                         .examples = "nephron redis status\n"
                                                     "nephron redis cli HGETALL nephron:run:<id>\n"
                                                     "nephron redis stop",
                                         .options = none,
                                         .max_args = OPT_ANY,
                                         .stop_at_first_word = true};
    struct err e = ERR_INIT;
    struct opt_list args = {0};

    if (argc > 1 && strcmp(argv[1], "--help-table") == 0) {
        session_print_table(commands, sizeof(commands) / sizeof(commands[0]));
        return 0;
    }
    enum opt_result rc = opt_parse(&spec, argc, argv, &args, &e);
    const char *word = args.count ? args.items[0] : NULL;
    opt_list_release(&args);
    if (rc == OPT_HELP) {
        return 0;
    }
    for (size_t i = 0; rc == OPT_OK && word && i < sizeof(commands) / sizeof(commands[0]); i++) {
        if (strcmp(word, commands[i].name) == 0) {
            return commands[i].run(argc - 1, argv + 1);
        }
    }
    if (rc == OPT_OK) {
        const char *near = word ? opt_nearest(word, names, sizeof(names) / sizeof(names[0])) : NULL;
        err_set(&e, ERR_USAGE, word ? "unknown command '%.40s'" : "no command given", word);
        if (near) {
            err_append(&e, "; did you mean '%s'?", near);
        }
    }
    opt_print_usage(&spec);
    return report(&e);
}
