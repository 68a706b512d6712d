/*
 * cas_batch: files into the cache, one or thousands, see cas.h.
 *
 * Two syncs a file (its content, its folder) cost more than everything else together: 10,000 files of 4 KB took
 * 46 s on a disk where the copies take 0.5 s. So a batch goes in three steps:
 *   copy   in parallel: read, hashed, written with mode 444 to files/md5/.nephron-*.tmp/+<2>/<30> (with a sign, lest a
 *          DVC that lists the cache meanwhile takes it for an object)
 *   sync   the whole file system, once
 *   name   a folder <2> that the cache does not have yet is renamed as a whole, the files of the others one by one
 * and after the last batch the file system is synced once more, for the names. In 256 folders the threads do not
 * wait for each other's turn in one, and a new cache or remote costs 256 renames instead of one a file.
 *
 * Few files have temp names of their own and are synced one by one: a sync of all waits for other programs' data
 * too. docs/decisions/0011.
 */
#include "cas_copy.h"
#include "cas_private.h"

#include "alloc.h"
#include "err.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SLICE 2048                     /* a loop of threads */
#define BATCH 32768                    /* files that wait for their names */
#define BATCH_BYTES ((int64_t)1 << 30) /* bytes likewise: a kill loses no more */
#define FOLDERS 256
#define FEW 16 /* below: synced one by one */

struct batch {
    struct cas_copy copy; /* temps: what waits for its name */
    bool sync_all;
    size_t from;         /* first item of the loop under way */
    bool moved[FOLDERS]; /* folders of `waiting` that were renamed as a whole */
};

static unsigned folder_of(const struct cas_put *p)
{
    return (unsigned)strtoul((char[]){p->md5[0], p->md5[1], '\0'}, NULL, 16);
}

static void folder_name(unsigned folder, char out[3])
{
    out[0] = "0123456789abcdef"[folder >> 4];
    out[1] = "0123456789abcdef"[folder & 15];
    out[2] = '\0';
}

/* A folder that the cache has not yet comes there with all that is in it. */
static void move_folder(void *ctx, size_t i, int thread)
{
    struct batch *b = ctx;
    char from[CAS_PATH_SIZE], to[CAS_PATH_SIZE], two[3];
    folder_name((unsigned)i, two);
    snprintf(from, sizeof(from), "%s/+%s", b->copy.waiting, two);
    snprintf(to, sizeof(to), "%s/files/md5/%s", b->copy.cas->dir, two);
    b->moved[i] =
        rename(from, to) == 0; /* it is there, or nothing waits: the files go one by one */
}

static int name_file(const struct batch *b, const struct cas_put *p, const char *temp,
                     struct err *e)
{
    char path[CAS_PATH_SIZE];
    cas_path_into(b->copy.cas, path, (struct cas_id){p->md5, false});
    /* the folder nearly always exists */
    if (rename(temp, path) == 0) {
        return 0;
    }
    if (errno == ENOENT) {
        if (cas_make_dirs(b->copy.cas, p->md5, !b->sync_all, e) < 0) {
            return -1;
        }
        if (rename(temp, path) == 0 || (errno == ENOENT && fs_is_file(path))) {
            return 0; /* two files of one content wait as one, and the other was faster */
        }
    }
    return err_sys(e, "cannot write %s", path);
}

static void name_one(void *ctx, size_t k, int thread)
{
    struct batch *b = ctx;
    size_t i = b->from + k;
    struct cas_put *p = &b->copy.puts[i];
    struct err e = ERR_INIT;
    if (!b->copy.temps[i]) {
        return;
    }
    if (!b->moved[folder_of(p)] && name_file(b, p, b->copy.temps[i], &e) < 0) {
        cas_copy_failed(p, &e);
        return;
    }
    free(b->copy.temps[i]);
    b->copy.temps[i] = NULL;
}

static int sync_temps(const struct batch *b, size_t from, size_t to, struct err *e)
{
    for (size_t i = from; i < to && !b->sync_all; i++) {
        int fd = b->copy.temps[i] ? open(b->copy.temps[i], O_RDONLY | O_CLOEXEC) : -1;
        if (!b->copy.temps[i]) {
            continue;
        }
        int rc =
            fd < 0 || fs_sync_data(fd) < 0 ? err_sys(e, "cannot write %s", b->copy.temps[i]) : 0;
        if (fd >= 0) {
            close(fd);
        }
        if (rc < 0) {
            return -1;
        }
    }
    return b->sync_all ? fs_sync_all(b->copy.cas->dir, e) : 0;
}

static int sync_folders(const struct batch *b, size_t from, size_t to, struct err *e)
{
    bool dirs[FOLDERS] = {false}, moved = false;
    for (size_t i = from; i < to; i++) {
        if (!b->copy.puts[i].failed && !b->copy.puts[i].was_there) {
            dirs[folder_of(&b->copy.puts[i])] = true;
        }
    }
    int rc = 0;
    for (unsigned d = 0; d < FOLDERS && rc == 0; d++) {
        char two[3];
        folder_name(d, two);
        moved = moved || b->moved[d];
        rc = dirs[d] ? cas_sync_object_dir(b->copy.cas, two, e) : 0;
    }
    return rc == 0 && moved ? cas_sync_object_dir(b->copy.cas, "", e) : rc;
}

static int first_failure(const struct batch *b, size_t from, size_t to, struct err *e)
{
    for (size_t i = from; i < to && !b->copy.objects; i++) {
        if (b->copy.puts[i].failed) {
            return err_set(e, b->copy.puts[i].failed->code, "%s", b->copy.puts[i].failed->text);
        }
    }
    return 0;
}

/* Names for what was copied since `from`. */
static int flush(struct batch *b, struct par *par, size_t from, size_t to, size_t fresh,
                 struct err *e)
{
    if (fresh == 0) {
        return 0;
    }
    b->sync_all = fresh >= FEW && fs_can_sync_all(b->copy.cas->dir);
    if (sync_temps(b, from, to, e) < 0) {
        return -1;
    }
    memset(b->moved, 0, sizeof(b->moved));
    if (b->copy.waiting[0]) {
        par_for(par, FOLDERS, move_folder, b);
    }
    b->from = from;
    par_for(par, to - from, name_one, b);
    if (first_failure(b, from, to, e) < 0) {
        return -1;
    }
    return b->sync_all ? 0 : sync_folders(b, from, to, e);
}

static void drop_temps(const struct batch *b, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (b->copy.temps[i]) {
            unlink(b->copy.temps[i]);
            free(b->copy.temps[i]);
        }
    }
}

static int run(struct batch *b, struct par *par, size_t count, struct err *e)
{
    int rc = 0;
    size_t from = 0, fresh = 0;
    int64_t bytes = 0;
    bool names_open = false; /* there are names that no sync has made durable yet */
    for (size_t at = 0; at < count && rc == 0;) {
        size_t n = count - at < SLICE ? count - at : SLICE;
        cas_copy_run(&b->copy, par, at, n);
        rc = first_failure(b, at, at + n, e);
        for (size_t end = at + n; at < end; at++) {
            fresh += b->copy.temps[at] != NULL;
            bytes += b->copy.temps[at] ? (int64_t)b->copy.puts[at].st.st_size : 0;
        }
        if (rc == 0 && (at == count || fresh >= BATCH || bytes >= BATCH_BYTES)) {
            rc = flush(b, par, from, at, fresh, e);
            names_open = names_open || (fresh && b->sync_all);
            from = at;
            fresh = 0;
            bytes = 0;
        }
    }
    drop_temps(b, count);
    return rc == 0 && names_open ? fs_sync_all(b->copy.cas->dir, e) : rc;
}

static int name_waiting(struct batch *b, size_t count, struct err *e)
{
    char beside[CAS_PATH_SIZE];
    snprintf(beside, sizeof(beside), "%s/files/md5/objects", b->copy.cas->dir);
    return count < FEW ? 0 : fs_temp_name(b->copy.waiting, sizeof(b->copy.waiting), beside, e);
}

static int put_all(struct cas *c, struct par *par, struct cas_put *puts, size_t count, bool objects,
                   struct err *e)
{
    struct batch b = {.copy = {.cas = c, .puts = puts, .objects = objects}};
    if (name_waiting(&b, count, e) < 0) {
        return -1;
    }
    b.copy.temps = xcalloc(count + 1, sizeof(*b.copy.temps));
    int rc = run(&b, par, count, e);
    free(b.copy.temps);
    cas_copy_release(&b.copy);
    if (b.copy.waiting[0]) {
        fs_remove_tree(b.copy.waiting, NULL);
    }
    return rc;
}

int cas_put_files(struct cas *c, struct par *p, struct cas_put *puts, size_t count, struct err *e)
{
    int rc = put_all(c, p, puts, count, false, e);
    for (size_t i = 0; i < count; i++) {
        free(puts[i].failed);
        puts[i].failed = NULL;
    }
    return rc;
}

int cas_copy_objects(struct cas *c, struct par *p, struct cas_put *puts, size_t count,
                     struct err *e)
{
    return put_all(c, p, puts, count, true, e);
}

int cas_put_file(struct cas *c, const char *abs_path, char md5[33], struct stat *st, struct err *e)
{
    struct cas_put p = {.path = abs_path};
    memcpy(p.md5, md5, 33);
    if (cas_put_files(c, NULL, &p, 1, e) < 0) {
        return -1;
    }
    memcpy(md5, p.md5, 33);
    if (st) {
        *st = p.st;
    }
    return 0;
}
