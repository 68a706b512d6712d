#ifndef NEPHRON_REPOLOCK_H
#define NEPHRON_REPOLOCK_H

#include "arena.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct err;
struct repo;
struct strbuf;

/*
 * Who may work in a repository.
 *
 *   .dvc/tmp/lock               flock(2), the very lock of DVC (zc.lockfile: LOCK_EX|LOCK_NB,
 *                               content " PID\n"): held while files of the repository are read to
 *                               decide or written; not while a stage's command runs
 *   .dvc/tmp/nephron/repro.lock flock(2), held by one `nephron repro` from start to end
 *   .dvc/tmp/rwlock             JSON, DVC's: which paths a running stage reads and writes; guarded
 *                               by flock on rwlock.lock
 *         {"write": {"/abs/out": {"pid": 7, "cmd": "nephron repro"}},
 *          "read": {"/abs/dep": [{"pid": 7, "cmd": "…"}]}}
 *
 * The kernel drops a flock with its last descriptor, so a dead holder never blocks; descriptors are
 * O_CLOEXEC, so children do not hold them. The repro lock also holds who has it (JSON: pid, host,
 * cmd, start_ms), for messages; of the other the pid is known, as DVC writes it. Where the file
 * system has no flock (ENOLCK, ENOSYS) a warning is logged and the lock is taken as held. An empty
 * or torn rwlock (DVC killed while writing) is taken as empty and rewritten; entries of dead pids
 * are dropped with DVC's warning.
 */

enum repolock_kind {
    REPOLOCK_REPO,
    REPOLOCK_REPRO,
    REPOLOCK_IDLE, /* the lock of REPOLOCK_REPRO without a mark of one's own: that no `repro` is at work */
};

struct repolock {
    int fd; /* -1: not held */
    enum repolock_kind kind;
    bool was_left; /* REPOLOCK_REPRO: the one before us was killed, its temp files may lie about */
    char path[4096];
};
#define REPOLOCK_INIT                                                                              \
    {                                                                                              \
        .fd = -1                                                                                   \
    }

/* Tries for 3 s (REPOLOCK_REPRO: at once, but 10 s when the holder named in it is dead and its
 * guard is still ending stages), for ever with `wait`. ERR_BUSY, detail 75, names pid, host and
 * command of the holder. `cmd`: "nephron repro". ERR_INTERRUPTED when a signal handler set *stop
 * (may be NULL). */
int repolock_acquire(struct repolock *l, const struct repo *r, enum repolock_kind kind,
                     const char *cmd, bool wait, const volatile int *stop, struct err *e);
void repolock_release(struct repolock *l); /* a lock that is not held is fine */
/* Lets others work while a stage's command runs, keeping the descriptor; resume waits for its turn
 * without limit. */
void repolock_pause(struct repolock *l);
int repolock_resume(struct repolock *l, struct err *e);

/*
 * The rwlock entries of this process: one holder a running stage, kept in step with the file. A
 * path that several of our stages read stays in the file until the last of them is done. Not
 * thread-safe.
 */
struct rwlock;

/* `cmd`: as shown to others, "nephron repro". Both are kept until rwlock_free. Returns new. */
struct rwlock *rwlock_new(const struct repo *r, const char *cmd);
/* Drops what is still held from the file. */
void rwlock_free(struct rwlock *l);

/* Enters a stage (`id` is any number not in use). Paths are absolute and copied. ERR_BUSY with
 * DVC's text "'/abs/a.out' is busy, it is being blocked by:…" when another live process is in the
 * way. Lines for stderr (dead holders that were dropped) are appended to *warnings, each "WARNING:
 * …\n". */
int rwlock_acquire(struct rwlock *l, size_t id, const char *const *reads, size_t read_count,
                   const char *const *writes, size_t write_count, struct strbuf *warnings,
                   struct err *e);
/* Takes the stage off; the file says so from the next acquire or flush on. */
void rwlock_release(struct rwlock *l, size_t id);
/* Writes what was released since. Before a wait, so that others are not kept out longer than they
 * must. */
int rwlock_flush(struct rwlock *l, struct err *e);

#endif
