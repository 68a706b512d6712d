/* Opening and closing what commands work on; see session.h. */

#include "session.h"

#include "alloc.h"
#include "err.h"
#include "json.h"
#include "log.h"
#include "report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static bool hushed; /* -q was typed */

void session_warn(const char *text)
{
    if (!hushed) {
        fflush(stdout);
        fprintf(stderr, "WARNING: %s\n", text);
    }
}

void session_note(void *ctx, enum store_note_kind kind, const char *text)
{
    const struct session *s = ctx;
    if (kind == STORE_NOTE_WARN) {
        session_warn(text);
    } else if (kind == STORE_NOTE_ERROR) {
        fprintf(stderr, "ERROR: %s\n", text);
    } else if (!s->quiet) {
        printf("%s\n", text);
    }
}

static int open_store(struct session *s, struct err *e)
{
    const struct store_options opt = {.note = session_note, .note_ctx = s};
    s->store = store_open(&s->repo, &opt, e);
    return s->store != NULL ? 0 : -1;
}

/* Reads what lies above the repository, as deep as `depth`. On failure less is open. */
static int read_project(struct session *s, enum session_depth depth, bool warn, struct err *e)
{
    if (depth >= SESSION_PIPELINE) {
        if ((s->most ? pipeline_load_most : pipeline_load)(&s->pipeline, &s->repo, e) < 0) {
            return -1;
        }
        s->opened = SESSION_PIPELINE;
        for (size_t i = 0; warn && i < s->pipeline.warning_count; i++) {
            session_warn(s->pipeline.warnings[i]);
        }
    }
    if (depth >= SESSION_GRAPH) {
        if (s->unchecked) {
            graph_build_unchecked(&s->graph, &s->pipeline, &s->repo);
        } else if (graph_build(&s->graph, &s->pipeline, &s->repo, e) < 0) {
            return -1;
        }
        s->opened = SESSION_GRAPH;
    }
    if ((depth >= SESSION_STORE || s->data) && open_store(s, e) < 0) {
        return -1;
    }
    s->opened = depth >= SESSION_STORE ? SESSION_STORE : s->opened;
    return 0;
}

static void drop_project(struct session *s)
{
    store_close(s->store);
    s->store = NULL;
    if (s->opened >= SESSION_GRAPH) {
        graph_release(&s->graph);
    }
    if (s->opened >= SESSION_PIPELINE) {
        pipeline_release(&s->pipeline);
    }
    s->opened = s->opened > SESSION_REPO ? SESSION_REPO : s->opened;
}

/* `how` holds the flags. */
static int open_session(struct session *s, enum session_depth depth, struct session how,
                        struct err *e)
{
    *s = how;
    s->lock = (struct repolock)REPOLOCK_INIT;
    s->opened = -1;
    arena_init(&s->arena);
    if (repo_open(&s->repo, NULL, e) < 0) {
        arena_release(&s->arena);
        return -1;
    }
    s->opened = SESSION_REPO;
    if (read_project(s, depth, true, e) < 0) {
        session_close(s);
        return -1;
    }
    return 0;
}

int session_open(struct session *s, enum session_depth depth, bool quiet, struct err *e)
{
    return open_session(s, depth, (struct session){.quiet = quiet}, e);
}

int session_open_unchecked(struct session *s, enum session_depth depth, bool quiet, struct err *e)
{
    return open_session(s, depth, (struct session){.quiet = quiet, .unchecked = true}, e);
}

int session_open_most(struct session *s, enum session_depth depth, bool quiet, struct err *e)
{
    return open_session(s, depth, (struct session){.quiet = quiet, .unchecked = true, .most = true},
                        e);
}

int session_open_data(struct session *s, enum session_depth depth, bool quiet, struct err *e)
{
    return open_session(s, depth, (struct session){.quiet = quiet, .data = true}, e);
}

bool session_waits(void)
{
    return getenv("NEPHRON_WAIT_FOR_LOCK") != NULL;
}

int session_lock(struct session *s, const char *cmd, struct err *e)
{
    if (repolock_acquire(&s->lock, &s->repo, REPOLOCK_REPO, cmd, session_waits(), NULL, e) < 0) {
        return -1;
    }
    if (s->opened <= SESSION_REPO) {
        return 0;
    }
    enum session_depth depth = (enum session_depth)s->opened;
    drop_project(s);
    return read_project(s, depth, false, e);
}

void session_close(struct session *s)
{
    drop_project(s);
    repolock_release(&s->lock);
    if (s->opened >= SESSION_REPO) {
        repo_close(&s->repo);
    }
    arena_release(&s->arena);
    s->opened = -1;
}

void session_print_json(const struct value *v)
{
    struct strbuf line;
    strbuf_init(&line);
    json_write(&line, v, NULL);
    printf("%s\n", line.p);
    strbuf_release(&line);
}

bool session_confirm(const char *question)
{
    char answer[64];
    for (;;) {
        printf("%s [y/n]: ", question);
        fflush(stdout);
        if (fgets(answer, sizeof answer, stdin) == NULL) {
            return false;
        }
        struct str word = str_trim(str_from(answer));
        static const char *const choices[] = {"y", "yes", "n", "no"};
        for (size_t i = 0; i < ARRAY_SIZE(choices); i++) {
            if (word.n == strlen(choices[i]) && strncasecmp(word.p, choices[i], word.n) == 0) {
                return i < 2;
            }
        }
        printf("Your response must be one of: ['yes', 'no', 'y', 'n']. Please try again.\n");
    }
}

bool session_is_outside(const struct err *e)
{
    static const char outside[] = "you are not inside of a DVC repository";
    return strncmp(e->text, outside, sizeof(outside) - 1) == 0;
}

int session_fail(const struct err *e, int code)
{
    if (e->code == ERR_CONFIG) {
        code = 251;
    } else if (session_is_outside(e)) {
        code = 253;
    } else if (e->code == ERR_BUSY && e->detail == 75) {
        code = 75;
    }
    return report_error(e, code);
}

/* The command's table, and at its end those of -q and -v, which all have, that it lacks. Returns new. */
static struct opt *with_common(const struct opt *options, bool *quiet, int *verbose)
{
    size_t n = 0;
    bool has_quiet = false, has_verbose = false;
    for (; options[n].type != OPT_GROUP || options[n].name || options[n].help; n++) {
        has_quiet = has_quiet || options[n].short_name == 'q';
        has_verbose = has_verbose || options[n].short_name == 'v';
    }
    struct opt *all = xcalloc(n + 3, sizeof(*all));
    memcpy(all, options, n * sizeof(*all));
    if (!has_quiet) {
        all[n++] = (struct opt){OPT_FLAG, 'q', "quiet", NULL, "print nothing", quiet, NULL};
    }
    if (!has_verbose) {
        all[n++] = (struct opt){OPT_COUNT, 'v', "verbose", NULL, "say more", verbose, NULL};
    }
    all[n] = (struct opt)OPT_END;
    return all;
}

/* Has -q of the command's own table been typed? */
static bool own_quiet(const struct opt *options)
{
    for (; options->type != OPT_GROUP || options->name || options->help; options++) {
        if (options->short_name == 'q' && options->type == OPT_FLAG) {
            return *(const bool *)options->target;
        }
    }
    return false;
}

/* For commands that know of no -q. */
static void silence(bool quiet)
{
    if (quiet && freopen("/dev/null", "w", stdout) == NULL) {
        log_warn("cli", "cannot silence the command");
    }
}

static void raise_log_level(int times)
{
    for (; times > 0; times--) {
        log_set_level(log_get_level() < LOG_INFO ? LOG_INFO : LOG_DEBUG);
    }
}

bool session_options(const struct opt_spec *spec, int argc, char **argv, struct opt_list *args,
                     int usage_code, int *exit_code)
{
    struct err e = ERR_INIT;
    int verbose = 0;
    bool quiet = false;
    struct opt *all = with_common(spec->options, &quiet, &verbose);
    struct opt_spec full = *spec;
    full.options = all;
    enum opt_result parsed = opt_parse(&full, argc, argv, args, &e);
    free(all);
    switch (parsed) {
    case OPT_OK:
        raise_log_level(verbose);
        silence(quiet);
        hushed = quiet || own_quiet(spec->options);
        return true;
    case OPT_HELP:
        *exit_code = 0;
        break;
    default:
        fprintf(stderr, "ERROR: %s\n", e.text);
        opt_print_usage(spec);
        *exit_code = usage_code;
    }
    opt_list_release(args);
    return false;
}

static void print_family(FILE *out, const char *family, const struct session_command *commands,
                         size_t count)
{
    fprintf(out, "usage: nephron %s COMMAND [OPTION]...\n\n", family);
    for (size_t i = 0; i < count; i++) {
        fprintf(out, "  %-12s %s\n", commands[i].name, commands[i].help);
    }
    fprintf(out, "\n'nephron %s COMMAND --help' says more.\n", family);
}

void session_print_table(const struct session_command *commands, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        printf("command\t\t%s\t\t%s\n", commands[i].name, commands[i].help);
    }
}

int session_dispatch(const char *family, const struct session_command *commands, size_t count,
                     int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : NULL;
    if (name != NULL && (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)) {
        print_family(stdout, family, commands, count);
        return 0;
    }
    if (name != NULL && strcmp(name, "--help-table") == 0) {
        session_print_table(commands, count);
        return 0;
    }
    for (size_t i = 0; name != NULL && i < count; i++) {
        if (strcmp(commands[i].name, name) == 0) {
            return commands[i].run(argc - 1, argv + 1);
        }
    }
    if (name != NULL) {
        fprintf(stderr, "ERROR: argument cmd: invalid choice: '%s'\n", name);
    } else {
        fprintf(stderr, "ERROR: the following arguments are required: cmd\n");
    }
    print_family(stderr, family, commands, count);
    return 254;
}
