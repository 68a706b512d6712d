#ifndef NEPHRON_PROC_H
#define NEPHRON_PROC_H

#include "str.h"

#include <stdbool.h>
#include <sys/types.h>

struct err;

/*
 * Child processes by posix_spawn, no shell unless argv names one. A caller:
 *   1. fills proc_options (argv; the rest zero means: inherit),
 *   2. proc_start, 3. reads what it piped, 4. proc_wait (or polls with proc_poll), 5. looks at the status.
 * Children never inherit descriptors but 0, 1, 2 (everything here is O_CLOEXEC).
 */

/*
 * The first call of every main: what was started with stdin, stdout or stderr closed would give their
 * numbers to the files it opens, and print into them. A closed stdout stays unwritable, so that an
 * answer nobody gets is still an error. And a file that grows beyond `ulimit -f` is a failed write,
 * not the end of the program (children start with the default again).
 */
void proc_begin(void);

struct proc_options {
    const char *const *argv;            /* NULL-terminated; argv[0] is searched in PATH */
    const char *cwd;                    /* NULL: inherit */
    const char *const *env;             /* NULL-terminated "K=V" list; NULL: inherit */
    int stdin_fd, stdout_fd, stderr_fd; /* 0: inherit; PROC_PIPE, PROC_NULL or a descriptor > 2 */
    bool new_group; /* own process group, so that proc_kill reaches grandchildren */
    bool
        die_with_parent; /* killed by the kernel when the starting thread dies, by whatever cause */
};

#define PROC_PIPE (-1)
#define PROC_NULL (-2)

struct proc {
    pid_t pid;
    int stdin_fd, stdout_fd, stderr_fd; /* our ends of pipes, or -1 */
    bool has_group;
};

struct proc_status {
    bool exited; /* else killed by a signal */
    int code;    /* exit status, or signal number */
    double user_s, system_s;
    long max_rss_kb;
};

int proc_start(struct proc *p, const struct proc_options *opt, struct err *e);
int proc_wait(struct proc *p, struct proc_status *st, struct err *e); /* closes our pipe ends */
/* 1: ended and *st filled, 0: still running, -1: error. */
int proc_poll(struct proc *p, struct proc_status *st, struct err *e);
void proc_kill(const struct proc *p, int sig);
/* Runs to the end and captures; max_bytes 0: 64 MiB. Non-zero exit is no error here: look at *st.
 * `out`, `errout` may be NULL (then discarded, respectively inherited). */
int proc_capture(const struct proc_options *opt, struct strbuf *out, struct strbuf *errout,
                 struct proc_status *st, struct err *e);
/* 128 + N for a signal, else the code: what a shell would report. */
int proc_exit_code(const struct proc_status *st);
/* The folder of the running executable, for finding sibling programs. */
int proc_self_dir(struct strbuf *out, struct err *e);
/* Who runs it, as Python's getpass.getuser: LOGNAME, USER, LNAME, USERNAME, the password file; "" without any. */
const char *proc_user_name(void);
bool proc_alive(pid_t pid);
/* A process of this group is there that has not ended. */
bool proc_group_alive(pid_t group);
/*
 * Signals (0: only counts) every process of this host that was started with the entry `mark`
 * ("K=V") in its environment and, when `prefix` is not NULL, with one that begins so. Not
 * ourselves. How many there were. A zombie has no environment and does not count.
 */
size_t proc_signal_marked(const char *mark, const char *prefix, int sig);

#endif
