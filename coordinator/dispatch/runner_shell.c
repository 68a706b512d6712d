/* How a stage's command line becomes a process: shell and environment. DVC's rules are in
 * dvc/stage/run.py. */
#include "runner.h"

#include "path.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

void runner_shell(const char *cmd, const char **argv)
{
    const char *shell = getenv("SHELL");
    if (shell == NULL || shell[0] == 0) {
        shell = "/bin/sh";
    }
    const char *name = path_basename(shell);
    size_t n = 0;
    argv[n++] = shell;
    if (strcasecmp(name, "bash") == 0) {
        argv[n++] = "--noprofile";
        argv[n++] = "--norc";
    } else if (strcasecmp(name, "zsh") == 0) {
        argv[n++] = "--no-rcs";
    } else if (strcasecmp(name, "fish") == 0) {
        argv[n++] = "--no-config";
    }
    argv[n++] = "-c";
    argv[n++] = cmd;
    argv[n] = NULL;
}

/* A stage that calls mpirun or `nephron train` must not take itself for a rank of our job. */
static bool is_launcher_variable(const char *kv)
{
    static const char *const prefixes[] = {"OMPI_", "PMIX_", "PMI_", "PRTE_"};
    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++) {
        if (strncmp(kv, prefixes[i], strlen(prefixes[i])) == 0) {
            return true;
        }
    }
    return false;
}

static size_t key_size(const char *kv)
{
    const char *eq = strchr(kv, '=');
    return eq != NULL ? (size_t)(eq - kv) : strlen(kv);
}

static bool same_key(const char *a, const char *b)
{
    size_t n = key_size(a);
    return n == key_size(b) && memcmp(a, b, n) == 0;
}

struct env {
    const char **items;
    size_t count;
    size_t own; /* items from here on are the job's */
};

static bool env_has(const struct env *v, const char *kv)
{
    for (size_t i = 0; i < v->count; i++) {
        if (same_key(v->items[i], kv)) {
            return true;
        }
    }
    return false;
}

/* Later words win over earlier ones. */
static void env_put(struct env *v, const char *kv)
{
    for (size_t i = 0; i < v->count; i++) {
        if (same_key(v->items[i], kv)) {
            v->items[i] = kv;
            return;
        }
    }
    v->items[v->count++] = kv;
}

const char **runner_environment(struct arena *a, const struct job *j, const char *const *ours)
{
    size_t n = 0;
    while (ours[n] != NULL) {
        n++;
    }
    struct env v = {.items = ARENA_ARRAY(a, n + j->env_count + 8, const char *)};
    for (size_t i = 0; i < n; i++) {
        if (!is_launcher_variable(ours[i])) {
            v.items[v.count++] = ours[i];
        }
    }
    if (j->threads > 0) {
        const char *omp = arena_printf(a, "OMP_NUM_THREADS=%d", j->threads);
        const char *blas = arena_printf(a, "OPENBLAS_NUM_THREADS=%d", j->threads);
        if (!env_has(&v, omp)) {
            env_put(&v, omp);
        }
        if (!env_has(&v, blas)) {
            env_put(&v, blas);
        }
    }
    for (size_t i = 0; i < j->env_count; i++) {
        env_put(&v, j->env[i]);
    }
    env_put(&v, arena_printf(a, "NEPHRON_JOB=%llx", (unsigned long long)j->id));
    env_put(&v, arena_printf(a, "NEPHRON_SLOT=%d", j->slot));
    env_put(&v, arena_printf(a, "NEPHRON_SLOTS=%d", j->slots));
    if (j->ranks > 0) {
        env_put(&v, arena_printf(a, "NEPHRON_RANKS=%d", j->ranks));
    }
    v.items[v.count] = NULL;
    return v.items;
}
