/*
 * Program nephron-mpi: what computes. `nephron train` and its siblings exec it, alone or as each
 * rank of an MPI job; alone it makes no MPI call. Exit: 0 done, 1 tried and failed, 2 wrong usage
 * or settings, 128+N ended by signal N, and what a command's help says.
 */
#include "comm.h"
#include "exp_mpi.h"
#include "mpi_commands.h"
#include "repro_mpi.h"

#include "err.h"
#include "log.h"
#include "opt.h"
#include "proc.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static volatile sig_atomic_t stop_signal; /* set once by SIGINT, SIGTERM, SIGUSR1 */

/* The second signal ends the program at once; what is on disk is right at any moment. */
static void on_signal(int sig)
{
    if (stop_signal) {
        _exit(128 + sig);
    }
    stop_signal = sig;
}

/* Only training looks at the flag: other commands end by the signal. One that was ignored when we
 * were started (nohup) stays so. */
static void catch_signals(void)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGUSR1};
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART}, before;
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
        if (sigaction(signals[i], NULL, &before) == 0 && before.sa_handler != SIG_IGN) {
            sigaction(signals[i], &action, NULL);
        }
    }
}

/* What was printed must have been written: a full disk is an error. */
static int check_stdout(int code)
{
    if (fflush(stdout) == 0 && !ferror(stdout)) {
        return code;
    }
    fprintf(stderr, "nephron: error: cannot write to stdout: %s\n", strerror(errno));
    return code ? code : 1;
}

static int help(FILE *to)
{
    fputs("Usage: nephron-mpi COMMAND [OPTION]… [ARG]…\n\n"
          "What computes in Nephron; 'nephron COMMAND' starts it.\n\nCommands:\n",
          to);
    for (const struct mpi_command *c = mpi_commands; c->name; c++) {
        fprintf(to, "  %-9s %s\n", c->name, c->help);
    }
    fputs("  repro     run what is stale, on the ranks\n"
          "  exp       run the queue of experiments, on the ranks (exp run --run-all)\n"
          "\n'nephron-mpi COMMAND --help' says more. --version prints the version.\n\n"
          "Example:\n  mpirun -n 2 nephron-mpi train\n",
          to);
    return to == stdout ? check_stdout(0) : 2;
}

static int unknown(const char *name)
{
    const char *names[16] = {"repro"};
    size_t n = 1;
    for (const struct mpi_command *c = mpi_commands; c->name; c++) {
        names[n++] = c->name;
    }
    const char *near = opt_nearest(name, names, n);
    fprintf(stderr,
            "nephron: error: nephron-mpi has no command '%s'%s%s%s; see nephron-mpi --help\n", name,
            near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
    return 2;
}

static int run(const struct mpi_command *c, struct comm *comm, int argc, char **argv)
{
    struct err closing = ERR_INIT;
    /* Output is rank 0's. */
    if (comm->rank > 0 && freopen("/dev/null", "w", stdout) == NULL) {
        log_warn("worker", "cannot silence this rank");
    }
    int code =
        mpi_command_run(c, &(struct mpi_context){.comm = comm, .stop = &stop_signal}, argc, argv);
    if (comm_close(comm, &closing) < 0) {
        fprintf(stderr, "nephron: error: %s\n", closing.text);
        return code ? code : 1;
    }
    return code ? code : check_stdout(0);
}

int main(int argc, char **argv)
{
    struct err e = ERR_INIT;
    proc_begin();
    if (argc < 2) {
        return help(stderr);
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
        strcmp(argv[1], "help") == 0) {
        return help(stdout);
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("nephron %s\n", NEPHRON_VERSION);
        return check_stdout(0);
    }
    if (strcmp(argv[1], "repro") == 0) { /* the stage pool starts and ends MPI itself */
        return repro_mpi_main(argc - 1, argv + 1);
    }
    if (strcmp(argv[1], "exp") == 0 ||
        strcmp(argv[1], "experiments") == 0) { /* so does the queue */
        return exp_mpi_main(argc - 1, argv + 1);
    }
    const struct mpi_command *c = mpi_command_find(argv[1]);
    if (!c) {
        return unknown(argv[1]);
    }
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a file beyond ulimit -f is a failed write like any other */
    struct comm *comm = comm_launched_world() > 1 ? comm_mpi_open(&e) : comm_single_new();
    if (!comm) {
        fprintf(stderr, "nephron: error: %s\n", e.text);
        return 1;
    }
    if (strcmp(c->name, "train") == 0) {
        catch_signals();
    }
    log_set_rank(comm->rank, comm->size);
    return run(c, comm, argc - 1, argv + 1);
}
