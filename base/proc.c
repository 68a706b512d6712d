/*
 * Child processes; see proc.h. posix_spawn where it can do the work. It cannot ask the kernel for a
 * signal when the parent dies (PR_SET_PDEATHSIG), so children with die_with_parent are started by
 * fork and exec; that signal reaches the child itself, its own children are the caller's concern
 * (coordinator/dispatch/runner_guard.h kills whole groups).
 */

#include "proc.h"

#include "alloc.h"
#include "err.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define CAPTURE_MAX ((size_t)64 << 20)

extern char **environ;

void proc_begin(void)
{
    for (int fd = 0; fd <= 2; fd++) {
        if (fcntl(fd, F_GETFD) < 0) {
            /* takes the lowest free number, which is this one; meant to outlive an exec */
            open("/dev/null", fd == STDERR_FILENO ? O_RDWR : O_RDONLY);
        }
    }
    signal(SIGXFSZ, SIG_IGN);
}

/* What the child finds at 0, 1, 2, and our ends. */
struct stdio_plan {
    int child[3];  /* descriptor to put there, -1: inherit */
    int ours[3];   /* -1: no pipe */
    bool owned[3]; /* child[i] is ours to close after the start */
};

static void plan_close(struct stdio_plan *plan, bool also_ours)
{
    for (int i = 0; i < 3; i++) {
        if (plan->owned[i]) {
            close(plan->child[i]);
        }
        if (also_ours && plan->ours[i] >= 0) {
            close(plan->ours[i]);
        }
    }
}

static int plan_one(struct stdio_plan *plan, int i, int wish, struct err *e)
{
    plan->child[i] = plan->ours[i] = -1;
    plan->owned[i] = false;
    if (wish == PROC_NULL) {
        plan->child[i] = open("/dev/null", O_RDWR | O_CLOEXEC);
        plan->owned[i] = plan->child[i] >= 0;
        return plan->owned[i] ? 0 : err_sys(e, "cannot open /dev/null");
    }
    if (wish == PROC_PIPE) {
        int fd[2];
        if (pipe2(fd, O_CLOEXEC) < 0) {
            return err_sys(e, "cannot make a pipe");
        }
        plan->child[i] = fd[i == 0 ? 0 : 1];
        plan->ours[i] = fd[i == 0 ? 1 : 0];
        plan->owned[i] = true;
    } else if (wish > 0) {
        plan->child[i] = wish;
    }
    return 0;
}

static int plan_stdio(struct stdio_plan *plan, const struct proc_options *opt, struct err *e)
{
    int wishes[3] = {opt->stdin_fd, opt->stdout_fd, opt->stderr_fd};
    *plan = (struct stdio_plan){.child = {-1, -1, -1}, .ours = {-1, -1, -1}};
    for (int i = 0; i < 3; i++) {
        if (plan_one(plan, i, wishes[i], e) < 0) {
            plan_close(plan, true);
            return -1;
        }
    }
    return 0;
}

/* Where the child finds itself; an error number when memory is out. */
static int file_actions(posix_spawn_file_actions_t *actions, const struct proc_options *opt,
                        const struct stdio_plan *plan)
{
    int rc = 0;
    if (opt->cwd != NULL) {
        rc = posix_spawn_file_actions_addchdir_np(actions, opt->cwd);
    }
    for (int i = 0; i < 3 && rc == 0; i++) {
        if (plan->child[i] >= 0) {
            rc = posix_spawn_file_actions_adddup2(actions, plan->child[i], i);
        }
    }
    return rc;
}

static int spawn_child(pid_t *pid, const struct proc_options *opt, const struct stdio_plan *plan)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attr;
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attr);
    /* Children start with default signals and an empty mask, whatever this program ignores. */
    sigset_t none, all;
    sigemptyset(&none);
    sigemptyset(&all);
    sigaddset(&all, SIGINT);
    sigaddset(&all, SIGTERM);
    sigaddset(&all, SIGPIPE);
    sigaddset(&all, SIGXFSZ);
    sigaddset(&all, SIGUSR1);
    sigaddset(&all, SIGCHLD);
    short flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
    posix_spawnattr_setsigmask(&attr, &none);
    posix_spawnattr_setsigdefault(&attr, &all);
    if (opt->new_group) {
        flags |= POSIX_SPAWN_SETPGROUP;
        posix_spawnattr_setpgroup(&attr, 0);
    }
    posix_spawnattr_setflags(&attr, flags);
    char *const *env = opt->env != NULL ? (char *const *)opt->env : environ;
    int rc = file_actions(&actions, opt, plan);
    if (rc == 0) {
        rc = posix_spawnp(pid, opt->argv[0], &actions, &attr, (char *const *)opt->argv, env);
    }
    posix_spawnattr_destroy(&attr);
    posix_spawn_file_actions_destroy(&actions);
    return rc;
}

static _Noreturn void exec_child(const struct proc_options *opt, const struct stdio_plan *plan,
                                 pid_t parent, int report)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    signal(SIGPIPE, SIG_DFL);
    signal(SIGXFSZ, SIG_DFL);
    bool ok = getppid() == parent && (!opt->new_group || setpgid(0, 0) == 0);
    for (int i = 0; ok && i < 3; i++) {
        ok = plan->child[i] < 0 || dup2(plan->child[i], i) >= 0;
    }
    if (ok && (opt->cwd == NULL || chdir(opt->cwd) == 0)) {
        if (opt->env != NULL) {
            environ = (char **)opt->env;
        }
        execvp(opt->argv[0], (char *const *)opt->argv);
    }
    int failure = errno;
    ssize_t ignored = write(report, &failure, sizeof(failure));
    (void)ignored;
    _exit(127);
}

/* fork + exec, with the exec's errno passed back through a close-on-exec pipe. */
static int fork_child(pid_t *pid, const struct proc_options *opt, const struct stdio_plan *plan)
{
    int report[2];
    if (pipe2(report, O_CLOEXEC) < 0) {
        return errno;
    }
    pid_t parent = getpid();
    *pid = fork();
    if (*pid == 0) {
        exec_child(opt, plan, parent, report[1]);
    }
    close(report[1]);
    int failure = *pid < 0 ? errno : 0;
    if (*pid > 0 && read(report[0], &failure, sizeof(failure)) == (ssize_t)sizeof(failure)) {
        waitpid(*pid, NULL, 0);
    }
    close(report[0]);
    return failure;
}

int proc_start(struct proc *p, const struct proc_options *opt, struct err *e)
{
    *p = (struct proc){.pid = -1, .stdin_fd = -1, .stdout_fd = -1, .stderr_fd = -1};
    struct stdio_plan plan;
    if (plan_stdio(&plan, opt, e) < 0) {
        return -1;
    }
    pid_t pid = -1;
    int rc = opt->die_with_parent ? fork_child(&pid, opt, &plan) : spawn_child(&pid, opt, &plan);
    if (rc != 0) {
        plan_close(&plan, true);
        errno = rc;
        return err_sys(e, "cannot start %s", opt->argv[0]);
    }
    plan_close(&plan, false);
    p->pid = pid;
    p->has_group = opt->new_group;
    p->stdin_fd = plan.ours[0];
    p->stdout_fd = plan.ours[1];
    p->stderr_fd = plan.ours[2];
    return 0;
}

static void close_fd(int *fd)
{
    if (*fd >= 0) {
        close(*fd);
        *fd = -1;
    }
}

static void close_pipes(struct proc *p)
{
    close_fd(&p->stdin_fd);
    close_fd(&p->stdout_fd);
    close_fd(&p->stderr_fd);
}

static double seconds(struct timeval t)
{
    return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

static int reap(struct proc *p, struct proc_status *st, int flags, struct err *e)
{
    int status;
    struct rusage usage;
    pid_t got;
    do {
        got = wait4(p->pid, &status, flags, &usage);
    } while (got < 0 && errno == EINTR);
    if (got < 0) {
        return err_sys(e, "cannot wait for process %ld", (long)p->pid);
    }
    if (got == 0) {
        return 0;
    }
    *st = (struct proc_status){.exited = WIFEXITED(status),
                               .code = WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status),
                               .user_s = seconds(usage.ru_utime),
                               .system_s = seconds(usage.ru_stime),
                               .max_rss_kb = usage.ru_maxrss};
    return 1;
}

int proc_wait(struct proc *p, struct proc_status *st, struct err *e)
{
    close_pipes(p);
    return reap(p, st, 0, e) == 1 ? 0 : -1;
}

int proc_poll(struct proc *p, struct proc_status *st, struct err *e)
{
    return reap(p, st, WNOHANG, e);
}

void proc_kill(const struct proc *p, int sig)
{
    if (p->pid > 0) {
        kill(p->has_group ? -p->pid : p->pid, sig);
    }
}

/* Reads what is there into `out`; false at the end of the stream. */
static bool drain(int fd, struct strbuf *out)
{
    char chunk[65536];
    ssize_t n = read(fd, chunk, sizeof(chunk));
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) {
        return true;
    }
    if (n <= 0) {
        return false;
    }
    size_t room = out->n < CAPTURE_MAX ? CAPTURE_MAX - out->n : 0;
    strbuf_add(out, chunk, (size_t)n < room ? (size_t)n : room);
    return true;
}

int proc_capture(const struct proc_options *opt, struct strbuf *out, struct strbuf *errout,
                 struct proc_status *st, struct err *e)
{
    struct proc_options with_pipes = *opt;
    with_pipes.stdout_fd = out != NULL ? PROC_PIPE : PROC_NULL;
    if (errout != NULL) {
        with_pipes.stderr_fd = PROC_PIPE;
    }
    struct proc p;
    if (proc_start(&p, &with_pipes, e) < 0) {
        return -1;
    }
    for (;;) {
        struct pollfd fds[2];
        nfds_t n = 0;
        if (p.stdout_fd >= 0) {
            fds[n++] = (struct pollfd){.fd = p.stdout_fd, .events = POLLIN};
        }
        if (p.stderr_fd >= 0) {
            fds[n++] = (struct pollfd){.fd = p.stderr_fd, .events = POLLIN};
        }
        if (n == 0) {
            break;
        }
        if (poll(fds, n, -1) < 0 && errno != EINTR) {
            break;
        }
        for (nfds_t i = 0; i < n; i++) {
            bool is_out = fds[i].fd == p.stdout_fd;
            if (fds[i].revents != 0 && !drain(fds[i].fd, is_out ? out : errout)) {
                close_fd(is_out ? &p.stdout_fd : &p.stderr_fd);
            }
        }
    }
    return proc_wait(&p, st, e);
}

int proc_exit_code(const struct proc_status *st)
{
    return st->exited ? st->code : 128 + st->code;
}

int proc_self_dir(struct strbuf *out, struct err *e)
{
    char path[4096];
    ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);
    if (n <= 0) {
        return err_sys(e, "cannot read /proc/self/exe");
    }
    path[n] = '\0';
    char *slash = strrchr(path, '/');
    strbuf_add(out, path, slash != NULL ? (size_t)(slash - path) : 0);
    return 0;
}

const char *proc_user_name(void)
{
    static const char *const variables[] = {"LOGNAME", "USER", "LNAME", "USERNAME"};
    for (size_t i = 0; i < ARRAY_SIZE(variables); i++) {
        const char *name = getenv(variables[i]);
        if (name && *name) {
            return name;
        }
    }
    const struct passwd *pw = getpwuid(getuid());
    return pw ? pw->pw_name : "";
}

bool proc_alive(pid_t pid)
{
    return pid > 0 && (kill(pid, 0) == 0 || errno == EPERM);
}
