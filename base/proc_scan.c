/* Processes that are not our children, found in /proc; see proc.h. */
#include "proc.h"

#include "fs.h"
#include "num.h"

#include <ctype.h>
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define ENVIRON_MAX ((size_t)4 << 20)

typedef bool visit_fn(void *ctx, pid_t pid); /* false: enough */

static void each_process(visit_fn *visit, void *ctx)
{
    DIR *d = opendir("/proc");
    const struct dirent *entry;
    bool more = d != NULL;
    while (more && (entry = readdir(d)) != NULL) {
        int64_t pid;
        if (isdigit((unsigned char)entry->d_name[0]) &&
            num_parse_int(str_from(entry->d_name), &pid)) {
            more = visit(ctx, (pid_t)pid);
        }
    }
    if (d != NULL) {
        closedir(d);
    }
}

/* ---- groups ---- */

struct group_search {
    pid_t group;
    bool found;
};

/* "pid (name) state ppid pgrp …"; the name may hold anything. */
static bool is_in_group(void *ctx, pid_t pid)
{
    struct group_search *s = ctx;
    char path[64];
    struct strbuf text;
    snprintf(path, sizeof path, "/proc/%ld/stat", (long)pid);
    strbuf_init(&text);
    if (fs_read(path, 0, &text, NULL) == 0) {
        const char *rest = strrchr(text.p, ')');
        char state = 'Z';
        long parent, group = -1;
        bool known = rest != NULL && sscanf(rest, ") %c %ld %ld", &state, &parent, &group) == 3;
        s->found = known && group == (long)s->group && state != 'Z' && state != 'X';
    }
    strbuf_release(&text);
    return !s->found;
}

bool proc_group_alive(pid_t group)
{
    struct group_search s = {.group = group};
    if (group > 1 && kill(-group, 0) == 0) {
        each_process(is_in_group, &s); /* the kernel counts the dead that nobody has waited for */
    }
    return s.found;
}

/* ---- marks ---- */

struct mark_search {
    const char *mark, *prefix;
    int sig;
    size_t count;
};

static bool has_marks(pid_t pid, const struct mark_search *s)
{
    char path[64];
    struct strbuf text;
    bool mark = false, prefix = s->prefix == NULL;
    snprintf(path, sizeof path, "/proc/%ld/environ", (long)pid);
    strbuf_init(&text);
    if (fs_read(path, ENVIRON_MAX, &text, NULL) == 0) {
        for (size_t at = 0; at < text.n; at += strlen(text.p + at) + 1) {
            mark = mark || strcmp(text.p + at, s->mark) == 0;
            prefix = prefix || strncmp(text.p + at, s->prefix, strlen(s->prefix)) == 0;
        }
    }
    strbuf_release(&text);
    return mark && prefix;
}

static bool signal_marked(void *ctx, pid_t pid)
{
    struct mark_search *s = ctx;
    if (pid > 1 && pid != getpid() && has_marks(pid, s) && kill(pid, s->sig) == 0) {
        s->count++;
    }
    return true;
}

size_t proc_signal_marked(const char *mark, const char *prefix, int sig)
{
    struct mark_search s = {.mark = mark, .prefix = prefix, .sig = sig};
    each_process(signal_marked, &s);
    return s.count;
}
