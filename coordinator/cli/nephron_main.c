/*
 * Program `nephron`: the front door of every command. Light ones are called, heavy ones (MPI, BLAS, downloads) are
 * an exec of the sibling program beside the running one, so that `status` never loads what training needs.
 *
 * Under an MPI launcher (`mpirun -n 4 nephron repro`, `srun nephron train`) every rank finds the launcher's variables
 * in its environment and becomes nephron-mpi at once.
 */

#include "cmd.h"

#include "alloc.h"
#include "err.h"
#include "log.h"
#include "opt.h"
#include "proc.h"
#include "str.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MPI_PROGRAM "nephron-mpi"
#define XFER_PROGRAM "nephron-xfer"

struct command {
    const char *name;
    int (*run)(int argc, char **argv); /* NULL: `program` runs it */
    const char *program;
    bool parallel;    /* under a launcher the ranks of nephron-mpi run it together */
    const char *help; /* NULL: another name of the one above, not listed */
};

static const struct command commands[] = {
    {"repro", cmd_repro, MPI_PROGRAM, true, "run what is stale, in order"},
    {"status", cmd_status, NULL, false, "what changed since the last run (-c: against a remote)"},
    {"explain", cmd_explain, NULL, false, "why a stage would run, down to file and parameter"},
    {"dag", cmd_dag, NULL, false, "the graph of stages: text, --dot, --mermaid"},
    {"graph", cmd_graph, NULL, false, "the graph with its states as SVG or HTML"},
    {"gantt", cmd_gantt, NULL, false, "the last repro in time: stages, slots, critical path"},
    {"stage", cmd_stage, NULL, false, "add and list stages"},
    {"freeze", cmd_freeze, NULL, false, "keep stages from running again"},
    {"unfreeze", cmd_unfreeze, NULL, false, "let frozen stages run again"},
    {"init", cmd_init, NULL, false, "make the current folder a repository"},
    {"add", cmd_add, NULL, false, "track files and folders"},
    {"checkout", cmd_checkout, NULL, false,
     "bring the workspace to what dvc.lock and .dvc files name"},
    {"commit", cmd_commit, NULL, false, "store outputs as they are now"},
    {"remove", cmd_remove, NULL, false, "stop tracking data, or take stages off dvc.yaml"},
    {"rm", cmd_remove, NULL, false, NULL},
    {"move", cmd_move, NULL, false, "rename tracked data"},
    {"mv", cmd_move, NULL, false, NULL},
    {"unprotect", cmd_unprotect, NULL, false, "make links into the cache writable copies"},
    {"check-ignore", cmd_check_ignore, NULL, false, "which paths .dvcignore hides"},
    {"diff", cmd_diff, NULL, false, "tracked data between revisions and the workspace"},
    {"data", cmd_data, NULL, false, "tracked data against git, workspace and cache (data status)"},
    {"destroy", cmd_destroy, NULL, false, "remove all DVC files, settings and the cache"},
    {"push", cmd_push, NULL, false, "copy objects to a remote"},
    {"pull", cmd_pull, NULL, false, "fetch objects and check them out"},
    {"fetch", cmd_fetch, NULL, false, "fetch objects into the cache"},
    {"remote", cmd_remote, NULL, false, "remotes: add, default, list, modify, remove, rename"},
    {"cache", cmd_cache, NULL, false, "where the cache is; objects of DVC 2 (cache dir, migrate)"},
    {"fsck", cmd_fsck, NULL, false, "check the cache against names and records; --repair"},
    {"gc", cmd_gc, NULL, false, "delete objects that nothing uses"},
    {"import", cmd_import, NULL, false, "copy data of another repository and track it"},
    {"import-url", cmd_import_url, NULL, false, "copy data from elsewhere and track it"},
    {"update", cmd_update, NULL, false, "bring imported data up to date"},
    {"get", cmd_get, NULL, false, "copy data of another repository"},
    {"get-url", cmd_get_url, NULL, false, "copy data from elsewhere"},
    {"list", cmd_list, NULL, false, "what git and DVC track in a repository"},
    {"ls", cmd_list, NULL, false, NULL},
    {"list-url", cmd_list_url, NULL, false, "what a folder elsewhere holds"},
    {"ls-url", cmd_list_url, NULL, false, NULL},
    {"du", cmd_du, NULL, false, "how much room the files of a repository take"},
    {"artifacts", cmd_artifacts, NULL, false,
     "models and data sets of a repository (artifacts get)"},
    {"params", cmd_params, NULL, false, "parameters that changed (params diff)"},
    {"metrics", cmd_metrics, NULL, false, "metrics now and against another revision"},
    {"plots", cmd_plots, NULL, false,
     "plots now and of revisions, as a page that needs no network"},
    {"exp", cmd_exp, MPI_PROGRAM, false, "experiments: run, save, list, show, apply, …"},
    {"experiments", cmd_exp, MPI_PROGRAM, false, NULL},
    {"queue", cmd_queue, MPI_PROGRAM, false,
     "experiments that wait: start, stop, status, logs, remove, kill"},
    {"ingest", NULL, XFER_PROGRAM, false,
     "download and unpack the data (https, Drive, paths, phantom:)"},
    {"prepare", NULL, MPI_PROGRAM, true, "build the base model"},
    {"train", NULL, MPI_PROGRAM, true, "train; `mpirun -n N nephron train` is data-parallel"},
    {"evaluate", NULL, MPI_PROGRAM, true, "scores, confusion matrix, misclassified slices"},
    {"predict", NULL, MPI_PROGRAM, false, "classify images"},
    {"weights", NULL, MPI_PROGRAM, false, "show and convert model files"},
    {"launch", cmd_launch, NULL, false, "start an MPI job, and again when it fails"},
    {"bench", NULL, MPI_PROGRAM, true,
     "speed of this machine or cluster: train, infer, layers, allreduce, model"},
    {"runs", cmd_runs, NULL, false, "runs in Redis: ls, show, watch, logs, compare"},
    {"redis", cmd_redis, NULL, false, "the private Redis: start, stop, status, cli"},
    {"config", cmd_config, NULL, false, "read and write settings"},
    {"root", cmd_root, NULL, false, "the way to the repository's root"},
    {"install", cmd_install, NULL, false, "let git call nephron: hooks"},
    {"git-hook", cmd_git_hook, NULL, false, NULL},
    {"completion", cmd_completion, NULL, false, "completion script for bash, zsh, fish"},
    {"version", cmd_version, NULL, false, "version and libraries"},
    {"doctor", cmd_version, NULL, false, NULL},
    {"dataset", cmd_refused, NULL, false, NULL},
    {"ds", cmd_refused, NULL, false, NULL},
    {"import-db", cmd_refused, NULL, false, NULL},
    {"test-db", cmd_refused, NULL, false, NULL},
    {"studio", cmd_refused, NULL, false, NULL},
    {"daemon", cmd_refused, NULL, false, NULL},
};

/* Groups of the list above: the command that each begins with. */
static const struct {
    const char *first, *heading;
} groups[] = {
    {"repro", "Pipelines"},
    {"add", "Data"},
    {"push", "Cache and remotes"},
    {"import", "Other repositories and places"},
    {"params", "Parameters and results"},
    {"exp", "Experiments"},
    {"ingest", "Training"},
    {"runs", "Runs"},
    {"config", "This program"},
};

static void print_heading(FILE *out, const char *command)
{
    for (size_t i = 0; i < ARRAY_SIZE(groups); i++) {
        if (strcmp(groups[i].first, command) == 0) {
            fprintf(out, "\n%s\n", groups[i].heading);
        }
    }
}

static void print_help(FILE *out)
{
    fprintf(out, "usage: nephron [--cd DIR] [--wait-for-lock] COMMAND [OPTION]... [ARG]...\n\n"
                 "Pipelines, training and runs for medical images; interchangeable with DVC.\n");
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
        print_heading(out, commands[i].name);
        if (commands[i].help != NULL) {
            fprintf(out, "  %-12s %s\n", commands[i].name, commands[i].help);
        }
    }
    fprintf(out, "\nExamples:\n"
                 "  nephron repro                  run what is stale on this machine\n"
                 "  mpirun -n 4 nephron repro      the same on four ranks\n"
                 "  nephron runs watch             follow the newest run\n"
                 "\n'nephron COMMAND --help' says more.\n");
}

/* For `completion`: as opt_print_table. */
static void print_table(void)
{
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
        printf("command\t\t%s\t\t%s\n", commands[i].name,
               commands[i].help != NULL ? commands[i].help : "");
    }
    printf("option\t-h\t--help\t\tshow the help\n"
           "option\t-V\t--version\t\tprint the version\n"
           "option\t\t--cd\tDIR\tgo to this folder first\n"
           "option\t\t--wait-for-lock\t\twait while another command is at work here\n"
           "option\t-v\t--verbose\t\tsay more\n");
}

static const struct command *find_command(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
        if (strcmp(commands[i].name, name) == 0) {
            return &commands[i];
        }
    }
    return NULL;
}

static int unknown_command(const char *name)
{
    const char *names[ARRAY_SIZE(commands)];
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
        names[i] = commands[i].name;
    }
    const char *near = opt_nearest(name, names, ARRAY_SIZE(commands));
    fprintf(stderr, "ERROR: unknown command '%s'", name);
    if (near != NULL) {
        fprintf(stderr, ", did you mean '%s'?", near);
    }
    fprintf(stderr, "\n'nephron --help' lists the commands\n");
    return 254;
}

/* Started as one rank of several by mpirun or srun. */
static bool under_launcher(void)
{
    static const char *const sizes[] = {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", NULL};
    for (size_t i = 0; sizes[i] != NULL; i++) {
        if (getenv(sizes[i]) != NULL) {
            return true;
        }
    }
    return getenv("PMIX_RANK") != NULL;
}

/* Stages that call `nephron train` find this program also where it is not installed: its folder is the last of PATH. */
static void extend_path(void)
{
    struct strbuf path;
    strbuf_init(&path);
    const char *old = getenv("PATH");
    strbuf_addf(&path, "%s:", old != NULL ? old : "/usr/local/bin:/usr/bin:/bin");
    if (proc_self_dir(&path, NULL) == 0) {
        setenv("PATH", path.p, 1);
    }
    strbuf_release(&path);
}

/* argv[0] is the command. Returns only when the program cannot be started. */
static int exec_sibling(const char *program, char **argv)
{
    struct strbuf path;
    struct err e = ERR_INIT;
    strbuf_init(&path);
    if (proc_self_dir(&path, &e) == 0) {
        strbuf_addf(&path, "/%s", program);
        size_t count = 0;
        while (argv[count] != NULL) {
            count++;
        }
        char **with_program = xcalloc(count + 2, sizeof(*with_program));
        with_program[0] = path.p;
        memcpy(with_program + 1, argv, count * sizeof(*argv));
        execv(path.p, with_program);
        err_sys(&e, "cannot start %s, which runs '%s' and stands beside nephron", path.p, argv[0]);
        free(with_program);
    }
    fprintf(stderr, "ERROR: %s\n", e.text);
    strbuf_release(&path);
    return 1;
}

/* What was printed must have been written: a full disk is an error. */
static int check_stdout(int code)
{
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fprintf(stderr, "ERROR: cannot write to stdout\n");
        return code == 0 ? 1 : code;
    }
    return code;
}

/* `exp run --run-all`, which the ranks of an MPI job do together; other commands of `exp` are for one process. */
static bool is_run_all(int argc, char **argv)
{
    bool exp = strcmp(argv[0], "exp") == 0 || strcmp(argv[0], "experiments") == 0;
    bool all = false;
    for (int i = 2; exp && i < argc && strcmp(argv[i], "--") != 0; i++) {
        all = all || strcmp(argv[i], "--run-all") == 0;
    }
    return all && strcmp(argv[1], "run") == 0;
}

static int run_command(int argc, char **argv)
{
    const struct command *c = find_command(argv[0]);
    if (c == NULL) {
        return unknown_command(argv[0]);
    }
    if (c->program != NULL) {
        extend_path();
    }
    if (c->run == NULL) {
        return exec_sibling(c->program, argv);
    }
    if ((c->parallel || is_run_all(argc, argv)) && under_launcher()) {
        return exec_sibling(c->program, argv);
    }
    return check_stdout(c->run(argc, argv));
}

static void print_version(void)
{
    printf("%s\n", NEPHRON_VERSION);
}

static void print_usage(void)
{
    print_help(stdout);
}

static bool is_word(const char *word, const char *one, const char *other)
{
    return strcmp(word, one) == 0 || strcmp(word, other) == 0;
}

/* Options that answer by themselves; false when `word` is none. */
static bool answer(const char *word)
{
    static const struct {
        const char *name, *other;
        void (*print)(void);
    } answers[] = {{"--help", "-h", print_usage},
                   {"--version", "-V", print_version},
                   {"--help-table", "--help-table", print_table}};
    for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
        if (is_word(word, answers[i].name, answers[i].other)) {
            answers[i].print();
            return true;
        }
    }
    return false;
}

static int enter(const char *dir)
{
    if (chdir(dir) < 0) {
        fprintf(stderr, "ERROR: cannot enter the folder %s\n", dir);
        return -1;
    }
    unsetenv("PWD");
    return 0;
}

/* An option in front of the command; how many words it took, 0: unknown, -1: told what is wrong. */
static int take_option(const char *word, const char *next)
{
    if (strncmp(word, "--cd=", 5) == 0) {
        return enter(word + 5) < 0 ? -1 : 1;
    }
    if (strcmp(word, "--cd") == 0 && next != NULL) {
        return enter(next) < 0 ? -1 : 2;
    }
    if (strcmp(word, "--wait-for-lock") == 0) {
        setenv("NEPHRON_WAIT_FOR_LOCK", "1", 1);
        return 1;
    }
    if (is_word(word, "-v", "--verbose")) {
        log_set_level(log_get_level() < LOG_INFO ? LOG_INFO : LOG_DEBUG);
        return 1;
    }
    return is_word(word, "-q", "--quiet") ? 1 : 0; /* as in DVC: the command's own -q counts */
}

int main(int argc, char **argv)
{
    int at = 1;
    proc_begin();
    while (at < argc && argv[at][0] == '-') {
        if (answer(argv[at])) {
            return check_stdout(0);
        }
        int words = take_option(argv[at], argv[at + 1]);
        if (words == 0) {
            fprintf(stderr, "ERROR: unrecognized arguments: %s\n", argv[at]);
            print_help(stderr);
        }
        if (words <= 0) {
            return 254;
        }
        at += words;
    }
    if (at >= argc) {
        print_help(stderr);
        return 254;
    }
    return run_command(argc - at, argv + at);
}
