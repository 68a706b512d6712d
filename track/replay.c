/* Spool files to Redis; see replay.h. */

#include "replay.h"

#include "alloc.h"
#include "arena.h"
#include "err.h"
#include "fs.h"
#include "log.h"
#include "path.h"
#include "redis.h"
#include "runstore.h"
#include "spool.h"
#include "tracking.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BATCH_BYTES ((uint64_t)1 << 20)

/* Where each record of the pipeline ends, so that an answer can be turned into an offset. */
struct sent_record {
    uint64_t end, sequence;
};

/* Reads the answers of a pipeline. 0, or -1 as soon as the server refuses one. */
static int collect(struct redis *r, const struct sent_record *sent, size_t count,
                   struct replay_progress *p, struct err *e)
{
    for (size_t i = 0; i < count; i++) {
        enum runstore_answer answer;
        if (runstore_answer(r, &answer, e) < 0 || answer == RUNSTORE_RETRY) {
            return -1;
        }
        p->rejected += answer == RUNSTORE_REJECTED;
        p->offset = sent[i].end;
        p->sequence = sent[i].sequence;
    }
    return 0;
}

int replay_batch(const struct runstore *s, struct redis *r, const char *run, const char *writer,
                 struct spool_cursor *c, uint64_t limit, struct replay_progress *p, struct err *e)
{
    struct sent_record sent[REPLAY_BATCH];
    struct spool_record rec;
    size_t count = 0;
    uint64_t start = c->offset;
    int rc = 1;

    while (count < REPLAY_BATCH && c->offset - start < BATCH_BYTES &&
           (rc = spool_cursor_next(c, limit, &rec, e)) == 1) {
        if (runstore_apply(s, r, run, writer, &rec, e) < 0) {
            return -1;
        }
        sent[count++] = (struct sent_record){rec.end, rec.sequence};
    }
    if (rc < 0 || collect(r, sent, count, p, e) < 0) {
        return -1;
    }
    return rc;
}

int replay_locate(const struct runstore *s, struct redis *r, const char *run, const char *writer,
                  struct spool_cursor *c, uint64_t limit, struct replay_progress *p, struct err *e)
{
    struct spool_record rec;
    uint64_t known;
    int rc = 1;

    if (runstore_sequence(s, r, run, writer, &known, e) < 0) {
        return -1;
    }
    if (known != p->sequence || c->sequence != p->sequence) {
        if (known < c->sequence) { /* the server lost something: an older backup, or killed */
            spool_cursor_rewind(c);
        }
        while (c->sequence < known && (rc = spool_cursor_next(c, limit, &rec, e)) == 1) {
        }
        if (rc < 0) {
            return -1;
        }
        p->offset = c->offset;
        p->sequence = c->sequence;
    }
    return 0;
}

/* ---- the folder ---- */

struct leftover {
    char *path;
    int64_t mtime_ms;
    uint64_t bytes;
};

static int by_age(const void *a, const void *b)
{
    const struct leftover *x = a, *y = b;
    if (x->mtime_ms != y->mtime_ms) {
        return x->mtime_ms < y->mtime_ms ? -1 : 1;
    }
    return strcmp(x->path, y->path);
}

/* Spool files of the folder, oldest first, in the arena. */
static size_t list_folder(struct arena *a, const struct tracking *t, struct leftover **out)
{
    char **names;
    size_t count = 0, n = 0;
    struct stat st;
    char *dir = tracking_dir(t, "spool", false, NULL);

    *out = NULL;
    if (dir && fs_is_dir(dir) && fs_list(a, dir, &names, &count, NULL) == 0) {
        *out = ARENA_ARRAY(a, count + 1, struct leftover);
        for (size_t i = 0; i < count; i++) {
            char *path = path_join(a, dir, names[i]);
            if (str_ends(str_from(names[i]), ".log") && lstat(path, &st) == 0 &&
                S_ISREG(st.st_mode)) {
                int64_t mtime = (int64_t)st.st_mtim.tv_sec * 1000 + st.st_mtim.tv_nsec / 1000000;
                (*out)[n++] = (struct leftover){path, mtime, (uint64_t)st.st_size};
            }
        }
        qsort(*out, n, sizeof(**out), by_age);
    }
    free(dir);
    return n;
}

/* Sends one file that we hold. 0: all of it is sent. 1: stopped. */
static int replay_file(struct spool *sp, const struct runstore *s, struct redis *r,
                       const struct replay_stop *stop, uint64_t *sent, struct err *e)
{
    struct spool_cursor c;
    struct replay_progress p = {.offset = SPOOL_HEADER_BYTES};
    uint64_t limit = spool_bytes(sp), before;
    int rc;

    spool_cursor_init(&c, spool_fd(sp));
    rc = replay_locate(s, r, spool_run(sp), spool_writer(sp), &c, limit, &p, e);
    before = p.sequence;
    while (rc == 0 && p.offset < limit) {
        if (stop && stop->stop && stop->stop(stop->ctx)) {
            rc = 1;
            break;
        }
        rc = replay_batch(s, r, spool_run(sp), spool_writer(sp), &c, limit, &p, e);
        if (rc == 0) {
            break;
        }
        rc = rc == 1 ? 0 : rc;
    }
    spool_cursor_release(&c);
    *sent += p.sequence - before;
    if (p.rejected) {
        log_warn("tracker", "%llu records of run %s met Redis keys of another type",
                 (unsigned long long)p.rejected, spool_run(sp));
    }
    if (spool_write_sent(spool_path(sp), p.offset, p.sequence, NULL) < 0) {
        log_debug("tracker", "cannot note how far %s is sent", spool_path(sp));
    }
    return rc;
}

/* What a side file calls complete is skipped without reading it, if the server says the same. 1:
 * skip, 0: look, -1: the server failed. */
static int known_complete(const struct leftover *f, const struct runstore *s, struct redis *r,
                          struct err *e)
{
    uint64_t offset, sequence, known = 0;
    struct spool_header h;

    spool_read_sent(f->path, &offset, &sequence);
    if (offset == 0 || offset != f->bytes) {
        return 0;
    }
    int fd = open(f->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) {
        return 0;
    }
    bool fine = spool_read_header(fd, &h, NULL) == 0;
    close(fd);
    if (!fine) {
        return 0;
    }
    if (runstore_sequence(s, r, h.run, h.writer, &known, e) < 0) {
        return -1;
    }
    return known >= sequence;
}

int replay_folder(const struct tracking *t, const struct runstore *s, struct redis *r,
                  int64_t now_ms, const struct replay_stop *stop, uint64_t *sent, struct err *e)
{
    struct arena a;
    struct leftover *files;
    uint64_t ignored = 0;
    int rc = 0;

    arena_init(&a);
    size_t count = list_folder(&a, t, &files);
    for (size_t i = 0; i < count && rc == 0; i++) {
        struct err why = ERR_INIT;
        bool old = now_ms - files[i].mtime_ms > SPOOL_KEEP_MS;
        int complete = known_complete(&files[i], s, r, e);
        if (complete < 0 || (complete && !old)) {
            rc = complete < 0 ? -1 : 0;
            continue;
        }
        struct spool *sp = spool_adopt(files[i].path, &why);
        if (!sp) {
            if (why.code == ERR_FORMAT && files[i].bytes < SPOOL_HEADER_BYTES && old) {
                spool_remove(files[i].path); /* killed while making it: nothing is in there */
            } else if (why.code != ERR_BUSY && why.code != ERR_MISSING) {
                log_debug("tracker", "%s", why.text);
            }
            continue;
        }
        rc = replay_file(sp, s, r, stop, sent ? sent : &ignored, e);
        if (rc == 0 && old) {
            spool_remove(files[i].path);
        }
        spool_close(sp, NULL);
    }
    arena_release(&a);
    return rc < 0 ? -1 : 0;
}

/* Records of one file behind `sequence`, the file being read from a place at or before it. */
static uint64_t count_behind(int fd, uint64_t bytes, uint64_t offset, uint64_t at,
                             uint64_t sequence, int64_t before_ms)
{
    struct spool_cursor c;
    struct spool_record rec;
    uint64_t behind = 0;

    spool_cursor_init(&c, fd);
    if (offset >= SPOOL_HEADER_BYTES && at <= sequence) {
        c.offset = c.buffer_offset = offset;
        c.sequence = at;
    }
    while (spool_cursor_next(&c, bytes, &rec, NULL) == 1) {
        behind += rec.sequence > sequence && rec.event.time_ms < before_ms;
    }
    spool_cursor_release(&c);
    return behind;
}

uint64_t replay_behind(const struct tracking *t, struct redis *r, int64_t now_ms)
{
    struct arena a;
    struct leftover *files;
    struct runstore store;
    uint64_t behind = 0;

    arena_init(&a);
    runstore_init(&store, t);
    size_t count = list_folder(&a, t, &files);
    for (size_t i = 0; i < count; i++) {
        uint64_t offset, at, sequence;
        struct spool_header h;

        spool_read_sent(files[i].path, &offset, &at);
        int fd = open(files[i].path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        if (fd < 0) {
            continue;
        }
        sequence = at;
        if (spool_read_header(fd, &h, NULL) == 0 &&
            (!r || runstore_sequence(&store, r, h.run, h.writer, &sequence, NULL) == 0)) {
            behind +=
                count_behind(fd, files[i].bytes, offset, at, sequence, now_ms - REPLAY_LAG_MS);
        }
        close(fd);
    }
    arena_release(&a);
    return behind;
}
