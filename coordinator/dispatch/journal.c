/* See journal.h for the format. */
#include "journal.h"

#include "alloc.h"
#include "digest.h"
#include "err.h"
#include "fs.h"
#include "json.h"
#include "lock.h"
#include "value.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define JOURNAL_VERSION 1
#define JOURNAL_HEADER 16
#define JOURNAL_MAX_BYTES ((size_t)1 << 30)
#define JOURNAL_MAX_RECORD ((size_t)64 << 20)

struct journal {
    char *path;
    int fd; /* -1: not opened yet */
    pthread_t thread;
    bool has_thread;
    pthread_mutex_t lock;
    pthread_cond_t work, done;
    uint64_t appended, synced; /* records */
    bool quit;
    struct err sync_error;
};

static void put_u32(unsigned char *p, uint32_t v)
{
    for (int i = 0; i < 4; i++) {
        p[i] = (unsigned char)(v >> (8 * i));
    }
}

static uint32_t get_u32(const char *s)
{
    const unsigned char *p = (const unsigned char *)s;
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* Length and payload are both under the CRC, so a wrong length is noticed. */
static uint32_t record_crc(const char *length, const char *payload, size_t n)
{
    return digest_crc32c(digest_crc32c(0, length, 4), payload, n);
}

struct journal *journal_new(const char *path)
{
    struct journal *j = xcalloc(1, sizeof *j);
    j->path = xstrdup(path);
    j->fd = -1;
    pthread_mutex_init(&j->lock, NULL);
    pthread_cond_init(&j->work, NULL);
    pthread_cond_init(&j->done, NULL);
    return j;
}

static void *sync_main(void *arg)
{
    struct journal *j = arg;
    pthread_mutex_lock(&j->lock);
    for (;;) {
        while (!j->quit && j->synced == j->appended) {
            pthread_cond_wait(&j->work, &j->lock);
        }
        if (j->synced == j->appended) {
            break;
        }
        uint64_t upto = j->appended;
        pthread_mutex_unlock(&j->lock);
        int rc = fs_sync_data(j->fd);
        int saved = errno;
        pthread_mutex_lock(&j->lock);
        if (rc != 0 && j->sync_error.code == ERR_NONE) {
            errno = saved;
            err_sys(&j->sync_error, "cannot sync %s", j->path);
        }
        j->synced = upto;
        pthread_cond_broadcast(&j->done);
    }
    pthread_mutex_unlock(&j->lock);
    return NULL;
}

static int open_file(struct journal *j, struct err *e)
{
    if (fs_mkdirs_for(j->path, e) < 0) {
        return -1;
    }
    j->fd = open(j->path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (j->fd < 0) {
        return err_sys(e, "cannot open the journal %s", j->path);
    }
    /* What a killed run left has been replayed, or is of no use: a new file begins. */
    unsigned char header[JOURNAL_HEADER] = "NEPHRONJ";
    put_u32(header + 8, JOURNAL_VERSION);
    if (ftruncate(j->fd, 0) != 0) {
        return err_sys(e, "cannot empty the journal %s", j->path);
    }
    if (fs_write_all(j->fd, header, sizeof header, j->path, e) < 0) {
        return -1;
    }
    if (pthread_create(&j->thread, NULL, sync_main, j) != 0) {
        return err_set(e, ERR_IO, "cannot start a thread for the journal");
    }
    j->has_thread = true;
    return 0;
}

static void render(struct strbuf *out, const char *file, const struct lock_entry *entry)
{
    struct arena a;
    arena_init(&a);
    struct value *v = value_map(&a);
    value_set(&a, v, "file", value_cstr(&a, file));
    value_set(&a, v, "stage", value_cstr(&a, entry->name));
    value_set(&a, v, "entry", lock_entry_value(&a, entry));
    static const char room[8];
    strbuf_add(out, room, sizeof room);
    json_write(out, v, &(struct json_style){.utf8 = true});
    size_t n = out->n - 8;
    put_u32((unsigned char *)out->p, (uint32_t)n);
    put_u32((unsigned char *)out->p + 4, record_crc(out->p, out->p + 8, n));
    arena_release(&a);
}

int journal_append(struct journal *j, const char *pipeline_file, const struct lock_entry *entry,
                   struct err *e)
{
    if (j->fd < 0 && open_file(j, e) < 0) {
        return -1;
    }
    struct strbuf record;
    strbuf_init(&record);
    render(&record, pipeline_file, entry);
    int rc = fs_write_all(j->fd, record.p, record.n, j->path, e);
    strbuf_release(&record);
    if (rc == 0) {
        pthread_mutex_lock(&j->lock);
        j->appended++;
        pthread_cond_signal(&j->work);
        pthread_mutex_unlock(&j->lock);
    }
    return rc;
}

static int take_error(struct journal *j, struct err *e)
{
    if (j->sync_error.code == ERR_NONE) {
        return 0;
    }
    return err_set(e, j->sync_error.code, "%s", j->sync_error.text);
}

int journal_sync(struct journal *j, struct err *e)
{
    pthread_mutex_lock(&j->lock);
    uint64_t upto = j->appended;
    while (j->synced < upto) {
        pthread_cond_wait(&j->done, &j->lock);
    }
    int rc = take_error(j, e);
    pthread_mutex_unlock(&j->lock);
    return rc;
}

int journal_clear(struct journal *j, struct err *e)
{
    if (j->fd < 0) {
        return 0;
    }
    if (journal_sync(j, e) < 0) {
        return -1;
    }
    if (ftruncate(j->fd, JOURNAL_HEADER) != 0) {
        return err_sys(e, "cannot empty the journal %s", j->path);
    }
    return 0;
}

int journal_close(struct journal *j, struct err *e)
{
    if (j == NULL) {
        return 0;
    }
    if (j->has_thread) {
        pthread_mutex_lock(&j->lock);
        j->quit = true;
        pthread_cond_signal(&j->work);
        pthread_mutex_unlock(&j->lock);
        pthread_join(j->thread, NULL);
    }
    int rc = take_error(j, e);
    if (j->fd >= 0) {
        struct stat st;
        if (rc == 0 && fstat(j->fd, &st) == 0 && st.st_size == JOURNAL_HEADER) {
            unlink(j->path); /* nothing is left to take up */
        }
        close(j->fd);
    }
    pthread_mutex_destroy(&j->lock);
    pthread_cond_destroy(&j->work);
    pthread_cond_destroy(&j->done);
    free(j->path);
    free(j);
    return rc;
}

/* One payload. A record that is whole but says something else is an error: it was not written by
 * us. */
static int replay_record(struct str payload, journal_fn *fn, void *ctx, struct err *e)
{
    struct arena a;
    arena_init(&a);
    int rc = -1;
    const struct value *v = json_parse(&a, payload, "journal", e);
    const struct value *file = value_get(v, "file"), *stage = value_get(v, "stage");
    const struct value *entry = value_get(v, "entry");
    if (v == NULL) {
        err_wrap(e, "malformed record");
    } else if (file == NULL || file->type != VALUE_STR || stage == NULL ||
               stage->type != VALUE_STR || entry == NULL) {
        err_set(e, ERR_FORMAT, "a record of the journal lacks 'file', 'stage' or 'entry'");
    } else {
        struct lock_entry *en = lock_entry_from_value(&a, stage->s.p, entry, stage->s.p, e);
        rc = en == NULL ? -1 : fn(ctx, file->s.p, en, e);
    }
    arena_release(&a);
    return rc;
}

int journal_parse(struct str bytes, journal_fn *fn, void *ctx, size_t *bad_tail, struct err *e)
{
    size_t at = JOURNAL_HEADER;
    if (bad_tail != NULL) {
        *bad_tail = 0;
    }
    if (bytes.n < JOURNAL_HEADER) {
        if (bad_tail != NULL) {
            *bad_tail = bytes.n;
        }
        return 0; /* killed while the header was written: nothing was recorded yet */
    }
    static const char zeros[JOURNAL_HEADER];
    if (memcmp(bytes.p, zeros, sizeof zeros) == 0) {
        if (bad_tail != NULL) {
            *bad_tail = bytes.n; /* the header never reached the disk, so no record did */
        }
        return 0;
    }
    if (memcmp(bytes.p, "NEPHRONJ", 8) != 0) {
        return err_set(e, ERR_FORMAT, "not a journal: it does not begin with NEPHRONJ");
    }
    if (get_u32(bytes.p + 8) != JOURNAL_VERSION) {
        return err_set(e, ERR_FORMAT, "the journal has version %u, this program reads version %d",
                       get_u32(bytes.p + 8), JOURNAL_VERSION);
    }
    while (bytes.n - at >= 8) {
        size_t n = get_u32(bytes.p + at);
        if (n > JOURNAL_MAX_RECORD || n > bytes.n - at - 8 ||
            record_crc(bytes.p + at, bytes.p + at + 8, n) != get_u32(bytes.p + at + 4)) {
            break;
        }
        if (replay_record(str_sub(bytes, at + 8, n), fn, ctx, e) < 0) {
            return -1;
        }
        at += 8 + n;
    }
    if (bad_tail != NULL) {
        *bad_tail = bytes.n - at;
    }
    return 0;
}

int journal_replay(const char *path, journal_fn *fn, void *ctx, size_t *bad_tail, struct err *e)
{
    struct strbuf bytes;
    strbuf_init(&bytes);
    if (bad_tail != NULL) {
        *bad_tail = 0;
    }
    int rc = 0;
    struct err why = ERR_INIT;
    if (fs_read(path, JOURNAL_MAX_BYTES, &bytes, &why) < 0) {
        rc = why.code == ERR_MISSING ? 0 : err_set(e, why.code, "%s", why.text);
    } else {
        rc = journal_parse(strbuf_str(&bytes), fn, ctx, bad_tail, e);
    }
    strbuf_release(&bytes);
    return rc < 0 ? err_wrap(e, "%s", path) : 0;
}
