/* See guise.h. */
#include "guise.h"

#include "err.h"
#include "log.h"
#include "str.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

extern char **environ;

/* Memory, not a pipe: nobody empties a pipe while the command runs on this very thread. */
static int open_output(struct guise *g, bool no_stdout, struct err *e)
{
    g->memory_fd = memfd_create("nephron-output", MFD_CLOEXEC);
    if (g->memory_fd < 0 || fcntl(g->memory_fd, F_SETFL, O_APPEND) != 0) {
        return err_sys(e, "no memory for a command's output");
    }
    g->out_fd = no_stdout ? open("/dev/null", O_WRONLY | O_CLOEXEC)
                          : fcntl(g->memory_fd, F_DUPFD_CLOEXEC, 3);
    g->own_out_fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
    g->own_err_fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    if (g->out_fd < 0 || g->own_out_fd < 0 || g->own_err_fd < 0) {
        return err_sys(e, "cannot set a command's output apart");
    }
    return 0;
}

int guise_open(struct guise *g, const struct guise_options *opt, struct err *e)
{
    *g = (struct guise){.env = opt->env,
                        .rank = opt->rank,
                        .world = opt->world,
                        .level = LOG_WARN,
                        .own_rank = opt->own_rank,
                        .own_world = opt->own_world,
                        .home_fd = -1,
                        .memory_fd = -1,
                        .out_fd = -1,
                        .own_out_fd = -1,
                        .own_err_fd = -1};
    if (open_output(g, opt->no_stdout, e) < 0) {
        guise_close(g);
        return -1;
    }
    g->home_fd = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (g->home_fd < 0 || chdir(opt->cwd) != 0) {
        err_sys(e, "cannot enter the folder %s", opt->cwd);
        guise_close(g);
        return -1;
    }
    return 0;
}

static void point(int out_fd, int err_fd)
{
    fflush(stdout);
    fflush(stderr);
    dup2(out_fd, STDOUT_FILENO);
    dup2(err_fd, STDERR_FILENO);
}

void guise_on(struct guise *g)
{
    if (g->memory_fd < 0) {
        return;
    }
    point(g->out_fd, g->memory_fd);
    g->own_env = environ;
    environ = (char **)(uintptr_t)g->env; /* the list changes hands whole: no reader sees half */
    g->own_level = log_get_level();
    log_set_level((enum log_level)g->level);
    log_set_rank(g->rank, g->world);
    g->on = true;
}

void guise_off(struct guise *g)
{
    if (!g->on) {
        return;
    }
    point(g->own_out_fd, g->own_err_fd);
    environ = g->own_env;
    g->level = log_get_level();
    log_set_level((enum log_level)g->own_level);
    log_set_rank(g->own_rank, g->own_world);
    g->on = false;
}

void guise_read(struct guise *g, struct strbuf *out)
{
    char buffer[16384];
    ssize_t n;
    while ((n = pread(g->memory_fd, buffer, sizeof buffer, (off_t)g->read_bytes)) > 0) {
        strbuf_add(out, buffer, (size_t)n);
        g->read_bytes += n;
    }
}

void guise_close(struct guise *g)
{
    guise_off(g);
    if (g->home_fd >= 0 && fchdir(g->home_fd) != 0) {
        log_warn("pool", "cannot go back to the folder this rank was in");
    }
    const int fds[] = {g->home_fd, g->memory_fd, g->out_fd, g->own_out_fd, g->own_err_fd};
    for (size_t i = 0; i < sizeof fds / sizeof *fds; i++) {
        if (fds[i] >= 0) {
            close(fds[i]);
        }
    }
    *g = (struct guise){
        .home_fd = -1, .memory_fd = -1, .out_fd = -1, .own_out_fd = -1, .own_err_fd = -1};
}
