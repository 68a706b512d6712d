/*
 * Program nephron-xfer: what needs libcurl and libarchive. `nephron ingest …` execs `nephron-xfer
 * ingest …`. Exit: 0 done, 1 tried and failed, 2 wrong usage or configuration, 128+N ended by
 * signal N.
 */
#include "alloc.h"
#include "arena.h"
#include "err.h"
#include "fetch.h"
#include "ingest.h"
#include "json.h"
#include "log.h"
#include "netremote.h"
#include "num.h"
#include "opt.h"
#include "path.h"
#include "proc.h"
#include "value.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static volatile sig_atomic_t stop_signal; /* set once by SIGINT, SIGTERM, SIGHUP */

/* The second signal ends the program at once; what is on disk is right at any moment. */
static void on_signal(int sig)
{
    if (stop_signal) {
        _exit(128 + sig);
    }
    stop_signal = sig;
}

/* A signal that was ignored when we were started (nohup, a shell's background job) stays so. */
static void catch_signals(void)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction action = {.sa_handler = on_signal}, before;
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
        if (sigaction(signals[i], NULL, &before) == 0 && before.sa_handler != SIG_IGN) {
            sigaction(signals[i], &action, NULL);
        }
    }
    signal(SIGPIPE, SIG_IGN);
}

/* Prints the error; the exit code. */
static int report(const struct err *e)
{
    fprintf(stderr, "nephron: error: %s\n", e->text);
    if (e->code == ERR_INTERRUPTED && stop_signal) {
        return 128 + stop_signal;
    }
    return e->code == ERR_USAGE || e->code == ERR_CONFIG ? 2 : 1;
}

static int flush_stdout(void)
{
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fprintf(stderr, "nephron: error: cannot write to stdout: %s\n", strerror(errno));
        return 1;
    }
    return 0;
}

/* NEPHRON_XFER_RETRY_MS: the first pause between two tries (default 1000). */
static int64_t retry_ms(void)
{
    int64_t ms = 0;
    const char *text = getenv("NEPHRON_XFER_RETRY_MS");
    return text && num_parse_int(str_from(text), &ms) && ms > 0 && ms <= 60000 ? ms : 0;
}

static const char *gdrive_url(void)
{
    const char *url = getenv("NEPHRON_GDRIVE_URL");
    return url && *url ? url : NULL;
}

static void print_json(const struct value *v)
{
    struct strbuf text;
    strbuf_init(&text);
    json_write(&text, v, &(struct json_style){.utf8 = true});
    puts(text.p);
    strbuf_release(&text);
}

/* "artifacts/…/kidney-ct-scan-image: 465 images (Normal 240, Tumor 225), 44.2 MB" */
static void print_summary(const struct value *v)
{
    char size[NUM_TEXT_SIZE];
    const struct value *classes = value_get(v, "classes");
    int64_t left_out = value_get(v, "left_out")->i;
    num_bytes(size, (double)value_get(v, "image_bytes")->i);
    fprintf(stderr, "%s: %" PRId64 " images (", value_get(v, "data_dir")->s.p,
            value_get(v, "images")->i);
    for (size_t i = 0; i < classes->map.count; i++) {
        fprintf(stderr, "%s%s %" PRId64, i ? ", " : "", value_as_str(classes->map.pairs[i].key).p,
                classes->map.pairs[i].val->i);
    }
    fprintf(stderr, "), %s", size);
    if (left_out > 0) {
        fprintf(stderr, "; %" PRId64 " other files left out", left_out);
    }
    fputc('\n', stderr);
}

static int do_ingest(const struct ingest_options *o, bool json)
{
    struct err e = ERR_INIT;
    struct arena a;
    struct value *result = NULL;
    arena_init(&a);
    int rc = ingest_run(&a, o, &result, &e) < 0 ? report(&e) : 0;
    if (rc == 0 && json) {
        print_json(result);
        rc = flush_stdout();
    } else if (rc == 0 && !o->quiet) {
        print_summary(result);
    }
    arena_release(&a);
    return rc;
}

static int run_ingest(int argc, char **argv)
{
    struct ingest_options o = {
        .gdrive_url = gdrive_url(), .retry_ms = retry_ms(), .stop = &stop_signal};
    bool json = false;
    int verbose = 0;
    const struct opt options[] = {
        {OPT_STR, 0, "source", "URL",
         "where the data comes from: https://, http://, a Google Drive link, file://, "
         "a path of an archive or a folder, phantom:",
         &o.source, NULL},
        {OPT_STR, 0, "into", "DIR", "folder that the data folder is made in, instead of unzip_dir",
         &o.into, NULL},
        {OPT_STR, 0, "sha256", "HEX", "SHA-256 that the archive must have", &o.sha256, NULL},
        {OPT_FLAG, 0, "keep-archive", NULL, "keep the downloaded archive (the default)",
         &o.keep_archive, NULL},
        {OPT_FLAG, 0, "no-keep-archive", NULL, "remove the downloaded archive when it is unpacked",
         &o.drop_archive, NULL},
        {OPT_FLAG, 'f', "force", NULL, "download again although the archive is there", &o.force,
         NULL},
        {OPT_STR, 0, "config", "FILE", "configuration to read (default " INGEST_CONFIG ")",
         &o.config, NULL},
        {OPT_FLAG, 0, "json", NULL, "print the result as one JSON object", &json, NULL},
        {OPT_FLAG, 'q', "quiet", NULL, "no progress and no summary", &o.quiet, NULL},
        {OPT_COUNT, 'v', "verbose", NULL, "say more", &verbose, NULL},
        OPT_END,
    };
    const struct opt_spec spec = {
        .usage = "nephron ingest [OPTION]…",
        .about = "Brings the data set into place: downloads and unpacks an archive, or copies a "
                 "folder with class "
                 "folders. What is not given comes from " INGEST_CONFIG
                 ", section data_ingestion. The old data "
                 "stays until the new is whole.",
        .examples = "nephron ingest\n"
                    "nephron ingest --source phantom:?patients=8&slices=4\n"
                    "nephron ingest --source ~/kidney-ct --into artifacts/data_ingestion",
        .options = options,
    };
    struct err e = ERR_INIT;
    struct opt_list args = {0};
    enum opt_result parsed = opt_parse(&spec, argc, argv, &args, &e);
    opt_list_release(&args);
    if (parsed != OPT_OK) {
        return parsed == OPT_HELP ? flush_stdout() : report(&e);
    }
    log_set_level(o.quiet ? LOG_ERROR : verbose > 1 ? LOG_DEBUG : verbose ? LOG_INFO : LOG_WARN);
    return do_ingest(&o, json);
}

static int fetch_words(struct arena *a, const struct opt_list *args, struct fetch_options *o,
                       struct download_result *out, struct err *e)
{
    struct source src;
    o->path = args->items[1];
    if (o->sha256 && !fetch_is_sha256(o->sha256)) {
        return err_set(e, ERR_USAGE, "--sha256 must be 64 hex digits, found '%s'", o->sha256);
    }
    const char *ending = path_extension(o->path);
    bool page = strcmp(ending, ".html") == 0 || strcmp(ending, ".htm") == 0;
    o->no_page = page ? NULL : "the file";
    if (source_parse(a, args->items[0], &src, e) < 0) {
        return -1;
    }
    return fetch_source(a, &src, o, out, e);
}

static int run_fetch(int argc, char **argv)
{
    struct fetch_options o = {
        .gdrive_url = gdrive_url(), .retry_ms = retry_ms(), .stop = &stop_signal};
    const struct opt options[] = {
        {OPT_STR, 0, "sha256", "HEX", "SHA-256 that the file must have", &o.sha256, NULL},
        {OPT_FLAG, 'f', "force", NULL, "fetch again although the file is there", &o.force, NULL},
        {OPT_FLAG, 'q', "quiet", NULL, "no progress", &o.quiet, NULL},
        OPT_END,
    };
    const struct opt_spec spec = {
        .usage = "nephron-xfer fetch [OPTION]… URL PATH",
        .about = "Downloads one file to PATH, resumed and verified. PATH appears when it is whole; "
                 "PATH.json says what it is.",
        .examples = "nephron-xfer fetch https://example.org/model.pth model.pth --sha256 397923af…",
        .options = options,
        .min_args = 2,
        .max_args = 2,
    };
    struct err e = ERR_INIT;
    struct opt_list args = {0};
    struct download_result result;
    struct arena a;
    enum opt_result parsed = opt_parse(&spec, argc, argv, &args, &e);
    if (parsed != OPT_OK) {
        opt_list_release(&args);
        return parsed == OPT_HELP ? flush_stdout() : report(&e);
    }
    log_set_level(o.quiet ? LOG_ERROR : LOG_WARN);
    arena_init(&a);
    int rc = fetch_words(&a, &args, &o, &result, &e) < 0 ? report(&e) : 0;
    arena_release(&a);
    opt_list_release(&args);
    return rc;
}

/* Started by nephron, which speaks frames with it. */
static int run_remote(int argc, char **argv)
{
    struct err e = ERR_INIT;
    const struct netremote_options o = {
        .in = STDIN_FILENO, .out = STDOUT_FILENO, .retry_ms = retry_ms(), .stop = &stop_signal};
    log_set_level(getenv("NEPHRON_XFER_VERBOSE") ? LOG_DEBUG : LOG_WARN);
    if (argc > 1 || isatty(STDIN_FILENO)) {
        err_set(&e, ERR_USAGE, "'nephron-xfer remote' is started by nephron, and not by hand");
        return report(&e);
    }
    if (netremote_run(&o, &e) == 0) {
        return 0;
    }
    return e.code == ERR_INTERRUPTED && stop_signal ? 128 + stop_signal : report(&e);
}

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *help;
} commands[] = {
    {"ingest", run_ingest, "bring the data set into place"},
    {"fetch", run_fetch, "download one file, verified"},
    {"remote", run_remote, "objects of a remote, for push and pull"},
};

static int help(FILE *to)
{
    fputs("Usage: nephron-xfer COMMAND [OPTION]… [ARG]…\n\n"
          "Transfers and archives of Nephron; 'nephron ingest' starts it.\n\nCommands:\n",
          to);
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
        fprintf(to, "  %-8s %s\n", commands[i].name, commands[i].help);
    }
    fputs("\n'nephron-xfer COMMAND --help' says more. --version prints the version.\n\n"
          "Example:\n  nephron-xfer ingest --source phantom:\n",
          to);
    return to == stdout ? flush_stdout() : 2;
}

int main(int argc, char **argv)
{
    proc_begin();
    catch_signals();
    if (argc < 2) {
        return help(stderr);
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
        strcmp(argv[1], "help") == 0) {
        return help(stdout);
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("nephron %s\n", NEPHRON_VERSION);
        return flush_stdout();
    }
    const char *names[ARRAY_SIZE(commands)];
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
        names[i] = commands[i].name;
        if (strcmp(argv[1], names[i]) == 0) {
            return commands[i].run(argc - 1, argv + 1);
        }
    }
    const char *near = opt_nearest(argv[1], names, ARRAY_SIZE(names));
    fprintf(stderr,
            "nephron: error: nephron-xfer has no command '%s'%s%s%s; see nephron-xfer --help\n",
            argv[1], near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
    return 2;
}
