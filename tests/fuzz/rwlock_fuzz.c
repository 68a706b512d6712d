/* .dvc/tmp/rwlock: any bytes are a lock file to take up; afterwards it is JSON again. */
#include "err.h"
#include "fs.h"
#include "init.h"
#include "json.h"
#include "log.h"
#include "repo.h"
#include "repolock.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char dir[] = "/tmp/nephron-rwlock-fuzz-XXXXXX";
static char path[80];
static struct repo repo;

static void leave(void)
{
    repo_close(&repo);
    fs_remove_tree(dir, NULL);
}

static void enter(void)
{
    struct strbuf out;
    strbuf_init(&out);
    log_set_level(LOG_ERROR);
    fs_set_sync(false);
    int from = open(".", O_PATH | O_CLOEXEC); /* libFuzzer reads its corpus from there */
    if (from < 0 || mkdtemp(dir) == NULL || chdir(dir) < 0 ||
        repo_init(&(struct init_options){.no_scm = true}, &out, NULL) < 0 ||
        repo_open(&repo, NULL, NULL) < 0 || fs_mkdirs(repo.tmp_dir, NULL) < 0 || fchdir(from) < 0) {
        abort();
    }
    close(from);
    strbuf_release(&out);
    snprintf(path, sizeof(path), "%s/.dvc/tmp/rwlock", dir);
    atexit(leave);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *reads[] = {"/abs/dep"}, *writes[] = {"/abs/out"};
    struct strbuf warnings;
    struct err e = ERR_INIT;
    struct arena a;
    if (repo.root == NULL) {
        enter();
    }
    if (fs_write_atomic(path, data, size, 0, NULL) < 0) {
        abort();
    }
    strbuf_init(&warnings);
    arena_init(&a);
    struct rwlock *l = rwlock_new(&repo, "fuzz");
    bool held = rwlock_acquire(l, 1, reads, 1, writes, 1, &warnings, &e) == 0;
    rwlock_free(l);
    if (held ? json_load(&a, path, NULL) == NULL : e.text[0] == 0) {
        abort();
    }
    arena_release(&a);
    strbuf_release(&warnings);
    return 0;
}
