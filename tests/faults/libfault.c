/*
 * libfault.so: a library for LD_PRELOAD that lets system calls fail, kills the program at one of them, or writes
 * down what it does to the file system. One counter for all processes of a run, so that "the n-th call" is
 * well defined also for programs that fork. Everything is set in the environment:
 *
 *   FAULT_STATE   a file of at least FAULT_STATE_BYTES zero bytes, mapped by every process: counter and verdict (below)
 *   FAULT_CALLS   which calls count, "open,write,fsync": names of enum call; "malloc" stands for the whole family
 *   FAULT_UNDER   only calls on files below this folder count (absolute, no link in it); does not concern malloc
 *   FAULT_N       the call at which it happens, from 1; 0: never (count only)
 *   FAULT_ACTION  an errno name (ENOSPC …), SHORT (half of a write or read), KILL (the process, before the call),
 *                 KILLED_AFTER (the process, after it), SKIP (report success, do nothing: a swallowed fsync)
 *   FAULT_EVER    1: all calls from the n-th on
 *   FAULT_PROGRAM only programs whose name begins so count (default nephron); * all
 *   FAULT_SPARE   libraries whose own allocations succeed, "libcrypto.so,libc.so"
 *   FAULT_LOG     append a record of each change below FAULT_UNDER (format: record_begin), for rebuilding what a
 *                 power loss may leave
 *
 * The file is long because each call that can fail has its stand-in here, and a preloaded library is one object.
 *
 * Buffered stdio writes inside of libc, so it is not seen here; the program writes no file that way.
 */

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <linux/fs.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* clang-format off */ /* it never comes to rest here */
#define CALLS(X)                                                                                   \
    X(open)                                                                                        \
    X(opendir)                                                                                     \
    X(read)                                                                                        \
    X(write)                                                                                       \
    X(pwrite) X(fsync) X(rename) X(link) X(symlink) X(close) X(mkdir) X(ftruncate) X(mmap)         \
        X(copy_file_range) X(clone) X(unlink) X(rmdir) X(chmod) X(malloc)
/* clang-format on */

#define AS_ENUM(name) CALL_##name,
#define AS_NAME(name) #name,
enum call { CALLS(AS_ENUM) CALL_COUNT };
static const char *const call_names[] = {CALLS(AS_NAME)};

#define FAULT_STATE_BYTES 4096
#define MAX_SPARED 8

/* The first bytes are read by the driver: keep tests/faults/faultlib.py in step. */
struct shared {
    _Atomic uint64_t count; /* calls so far */
    _Atomic uint64_t fired; /* how many of them were hit */
    char what[3000];        /* "call path" of the first hit */
    _Atomic uint32_t lock;  /* of the log */
};

enum action { ACT_ERRNO, ACT_SHORT, ACT_KILL, ACT_KILLED_AFTER, ACT_SKIP };

static struct {
    struct shared *state;
    bool calls[CALL_COUNT];
    char under[PATH_MAX];
    size_t under_length;
    uint64_t n;
    enum action action;
    int error;
    bool ever;
    struct {
        uintptr_t from, to;
    } spared[MAX_SPARED];
    int spared_count;
    int log; /* -1: none */
} cfg = {.log = -1};

static __thread int inside; /* our own calls do not count */

/* ---- settings ---- */

static int error_number(const char *name)
{
    static const struct {
        const char *name;
        int number;
    } known[] = {{"ENOSPC", ENOSPC}, {"EIO", EIO},       {"EDQUOT", EDQUOT}, {"EINTR", EINTR},
                 {"EMFILE", EMFILE}, {"ENOMEM", ENOMEM}, {"EROFS", EROFS},   {"EACCES", EACCES}};
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (strcmp(known[i].name, name) == 0) {
            return known[i].number;
        }
    }
    return EIO;
}

static void parse_action(const char *word)
{
    static const struct {
        const char *word;
        enum action action;
    } known[] = {{"SHORT", ACT_SHORT},
                 {"KILL", ACT_KILL},
                 {"KILLED_AFTER", ACT_KILLED_AFTER},
                 {"SKIP", ACT_SKIP}};
    cfg.action = ACT_ERRNO;
    cfg.error = error_number(word);
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (strcmp(known[i].word, word) == 0) {
            cfg.action = known[i].action;
        }
    }
}

static void parse_calls(const char *list)
{
    for (size_t i = 0; i < CALL_COUNT; i++) {
        size_t n = strlen(call_names[i]);
        for (const char *p = list; p != NULL; p = strchr(p, ',')) {
            p += *p == ',';
            if (strncmp(p, call_names[i], n) == 0 && (p[n] == ',' || p[n] == '\0')) {
                cfg.calls[i] = true;
            }
        }
    }
}

static bool program_counts(void)
{
    const char *want = getenv("FAULT_PROGRAM");
    char exe[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
    want = want != NULL ? want : "nephron";
    if (n <= 0 || strcmp(want, "*") == 0) {
        return n > 0;
    }
    exe[n] = '\0';
    const char *slash = strrchr(exe, '/');
    return slash != NULL && strncmp(slash + 1, want, strlen(want)) == 0;
}

/* Where the code of the spared libraries lies. */
static int find_spared(struct dl_phdr_info *info, size_t size, void *list)
{
    (void)size;
    const char *slash = strrchr(info->dlpi_name, '/');
    bool listed = false;
    for (const char *p = list; slash != NULL && p != NULL && !listed; p = strchr(p, ',')) {
        p += *p == ',';
        listed = strncmp(slash + 1, p, strcspn(p, ",")) == 0;
    }
    for (int i = 0; listed && i < info->dlpi_phnum && cfg.spared_count < MAX_SPARED; i++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
        if (segment->p_type == PT_LOAD && (segment->p_flags & PF_X) != 0) {
            uintptr_t from = info->dlpi_addr + segment->p_vaddr;
            cfg.spared[cfg.spared_count].from = from;
            cfg.spared[cfg.spared_count++].to = from + segment->p_memsz;
        }
    }
    return 0;
}

__attribute__((constructor)) static void begin(void)
{
    const char *state = getenv("FAULT_STATE"), *under = getenv("FAULT_UNDER"),
               *calls = getenv("FAULT_CALLS");
    const char *n = getenv("FAULT_N"), *action = getenv("FAULT_ACTION"),
               *ever = getenv("FAULT_EVER");
    const char *log = getenv("FAULT_LOG");
    if (state == NULL || !program_counts()) {
        return;
    }
    inside++;
    int fd = open(state, O_RDWR | O_CLOEXEC);
    void *p = fd >= 0 ? mmap(NULL, FAULT_STATE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0)
                      : MAP_FAILED;
    if (fd >= 0) {
        close(fd);
    }
    if (p != MAP_FAILED) {
        snprintf(cfg.under, sizeof(cfg.under), "%s", under != NULL ? under : "/");
        cfg.under_length = strlen(cfg.under);
        cfg.n = n != NULL ? strtoull(n, NULL, 10) : 0;
        cfg.ever = ever != NULL && *ever == '1';
        parse_action(action != NULL ? action : "EIO");
        parse_calls(calls != NULL ? calls : "");
        char *spare = getenv("FAULT_SPARE");
        if (spare != NULL && *spare != '\0') {
            dl_iterate_phdr(find_spared, spare);
        }
        if (log != NULL) {
            /* high, so that a shell's own descriptors are the ones it expects */
            int low = open(log, O_WRONLY | O_APPEND | O_CLOEXEC);
            cfg.log = fcntl(low, F_DUPFD_CLOEXEC, 500);
            close(low);
        }
        cfg.state = p;
    }
    inside--;
}

/* ---- which file ---- */

static bool is_under(const char *path)
{
    return strncmp(path, cfg.under, cfg.under_length) == 0 &&
           (path[cfg.under_length] == '/' || path[cfg.under_length] == '\0' ||
            cfg.under[cfg.under_length - 1] == '/');
}

static bool fd_path(int fd, char out[PATH_MAX])
{
    char link[64];
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, out, PATH_MAX - 1);
    out[n > 0 ? n : 0] = '\0';
    return n > 0 && is_under(out);
}

/* Absolute, without "." and ".." words; links in it stay, which is enough for one fixed folder. */
static bool at_path(int at, const char *path, char out[PATH_MAX])
{
    char whole[2 * PATH_MAX], base[PATH_MAX] = "";
    if (path == NULL) {
        return false;
    }
    if (path[0] != '/') {
        if (at == AT_FDCWD) {
            char *cwd = getcwd(base, sizeof(base));
            if (cwd == NULL) {
                return false;
            }
        } else {
            fd_path(at, base);
        }
    }
    snprintf(whole, sizeof(whole), "%s/%s", base, path);
    size_t n = 0;
    for (char *save = NULL, *word = strtok_r(whole, "/", &save); word != NULL;
         word = strtok_r(NULL, "/", &save)) {
        if (strcmp(word, ".") == 0) {
            continue;
        }
        if (strcmp(word, "..") == 0) {
            while (n > 0 && out[--n] != '/') {
            }
            continue;
        }
        size_t length = strlen(word);
        if (n + length + 2 > PATH_MAX) {
            return false;
        }
        out[n++] = '/';
        memcpy(out + n, word, length);
        n += length;
    }
    out[n] = '\0';
    return is_under(out);
}

/* ---- the decision ---- */

static bool on(void)
{
    return cfg.state != NULL && inside == 0;
}

static bool hit(enum call call, const char *path)
{
    if (!cfg.calls[call]) {
        return false;
    }
    uint64_t at = atomic_fetch_add(&cfg.state->count, 1) + 1;
    if (cfg.n == 0 || (cfg.ever ? at < cfg.n : at != cfg.n)) {
        return false;
    }
    if (atomic_fetch_add(&cfg.state->fired, 1) == 0) {
        size_t n = strlen(call_names[call]), m = strnlen(path, sizeof(cfg.state->what) - n - 2);
        memcpy(cfg.state->what, call_names[call], n);
        cfg.state->what[n] = ' ';
        memcpy(cfg.state->what + n + 1, path, m);
    }
    return true;
}

static void die(void)
{
    syscall(SYS_kill, getpid(), SIGKILL);
    for (;;) {
        pause();
    }
}

enum verdict { GO_ON, FAIL, SKIP, HALVE, DIE_AFTER };

static enum verdict judge(enum call call, const char *path)
{
    if (!hit(call, path)) {
        return GO_ON;
    }
    switch (cfg.action) {
    case ACT_KILL:
        die();
        break;
    case ACT_KILLED_AFTER:
        return DIE_AFTER;
    case ACT_SKIP:
        return SKIP;
    case ACT_SHORT:
        return call == CALL_write || call == CALL_pwrite || call == CALL_read ? HALVE : GO_ON;
    case ACT_ERRNO:
        break;
    }
    errno = cfg.error;
    return FAIL;
}

/* ---- the log ---- */

static void lock_log(void)
{
    while (atomic_exchange(&cfg.state->lock, 1) != 0) {
        sched_yield();
    }
}

static void unlock_log(void)
{
    atomic_store(&cfg.state->lock, 0);
}

static void put(const void *data, size_t n)
{
    for (const char *p = data; n > 0;) {
        ssize_t done = syscall(SYS_write, cfg.log, p, n);
        if (done <= 0) {
            abort();
        }
        p += done;
        n -= (size_t)done;
    }
}

/*
 * One record: "op inode offset length-of-a length-of-b length-of-data\n", then a (path), b (second path), data.
 *   create a (offset: its mode)   mkdir a             unlink a       rmdir a       rename a b      link a b     symlink a b (a the name)
 *   write inode off    truncate inode off  sync inode     syncdir a     syncall a    mode inode mode
 *   print data (what a nephron wrote to its stdout)
 */
static void record(const char *op, uint64_t inode, int64_t offset, const char *a, const char *b,
                   const void *data, size_t n)
{
    char head[200];
    int m = snprintf(head, sizeof(head), "%s %llu %lld %zu %zu %zu\n", op,
                     (unsigned long long)inode, (long long)offset, strlen(a), strlen(b), n);
    put(head, (size_t)m);
    put(a, strlen(a));
    put(b, strlen(b));
    put(data, n);
}

static bool logs(void)
{
    return cfg.log >= 0 && on();
}

static uint64_t inode_of(int fd)
{
    struct stat st;
    return fstat(fd, &st) == 0 ? (uint64_t)st.st_ino : 0;
}

/* ---- the calls ---- */

#define REAL(name) ((__typeof__(&name))real(#name))

static void *real(const char *name)
{
    return dlsym(RTLD_NEXT, name);
}

#define ENTER inside++
#define LEAVE inside--

static int open_any(int at, const char *path, int flags, mode_t mode)
{
    char full[PATH_MAX];
    bool mine = false;
    enum verdict v = GO_ON;
    if (on()) {
        ENTER;
        mine = at_path(at, path, full);
        v = mine ? judge(CALL_open, full) : GO_ON;
        LEAVE;
    }
    if (v == FAIL) {
        return -1;
    }
    bool log = mine && logs() && (flags & (O_CREAT | O_TRUNC)) != 0;
    struct stat st;
    bool was = true;
    if (log) {
        lock_log();
        was = syscall(SYS_newfstatat, AT_FDCWD, full, &st, 0) == 0;
    }
    int fd = (int)syscall(SYS_openat, at, path, flags, mode);
    int saved = errno;
    if (log) {
        if (fd >= 0 && !was) {
            fstat(fd, &st);
            record("create", st.st_ino, st.st_mode & 07777, full, "", NULL, 0);
        } else if (fd >= 0 && (flags & O_TRUNC) != 0 && S_ISREG(st.st_mode)) {
            record("truncate", inode_of(fd), 0, "", "", NULL, 0);
        }
        unlock_log();
    }
    if (v == DIE_AFTER) {
        die();
    }
    errno = saved;
    return fd;
}

static mode_t mode_of(int flags, va_list ap)
{
    return (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(ap, mode_t) : 0;
}

#define OPEN_BODY(at)                                                                              \
    va_list ap;                                                                                    \
    va_start(ap, flags);                                                                           \
    mode_t mode = mode_of(flags, ap);                                                              \
    va_end(ap);                                                                                    \
    return open_any(at, path, flags, mode)

int open(const char *path, int flags, ...)
{
    OPEN_BODY(AT_FDCWD);
}

int open64(const char *path, int flags, ...)
{
    OPEN_BODY(AT_FDCWD);
}

int openat(int at, const char *path, int flags, ...)
{
    OPEN_BODY(at);
}

int openat64(int at, const char *path, int flags, ...)
{
    OPEN_BODY(at);
}

int creat(const char *path, mode_t mode)
{
    return open_any(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}

int __open_2(const char *path, int flags);
int __open_2(const char *path, int flags)
{
    return open_any(AT_FDCWD, path, flags, 0);
}

int __open64_2(const char *path, int flags);
int __open64_2(const char *path, int flags)
{
    return open_any(AT_FDCWD, path, flags, 0);
}

int __openat_2(int at, const char *path, int flags);
int __openat_2(int at, const char *path, int flags)
{
    return open_any(at, path, flags, 0);
}

int __openat64_2(int at, const char *path, int flags);
int __openat64_2(int at, const char *path, int flags)
{
    return open_any(at, path, flags, 0);
}

/* Judges a call on an open file below the folder. */
static enum verdict judge_fd(enum call call, int fd, char full[PATH_MAX], bool *mine)
{
    enum verdict v = GO_ON;
    *mine = false;
    if (on() && (cfg.calls[call] || cfg.log >= 0)) {
        ENTER;
        *mine = fd_path(fd, full);
        v = *mine ? judge(call, full) : GO_ON;
        LEAVE;
    }
    return v;
}

/* Judges a call on a path below the folder. */
static enum verdict judge_at(enum call call, int at, const char *path, char full[PATH_MAX],
                             bool *mine)
{
    enum verdict v = GO_ON;
    *mine = false;
    if (on() && (cfg.calls[call] || cfg.log >= 0)) {
        ENTER;
        *mine = at_path(at, path, full);
        v = *mine ? judge(call, full) : GO_ON;
        LEAVE;
    }
    return v;
}

static ssize_t read_any(int fd, void *buffer, size_t n)
{
    char full[PATH_MAX];
    bool mine;
    enum verdict v = judge_fd(CALL_read, fd, full, &mine);
    if (v == FAIL) {
        return -1;
    }
    return syscall(SYS_read, fd, buffer, v == HALVE && n > 1 ? n / 2 : n);
}

ssize_t read(int fd, void *buffer, size_t n)
{
    return read_any(fd, buffer, n);
}

ssize_t __read_chk(int fd, void *buffer, size_t n, size_t room);
ssize_t __read_chk(int fd, void *buffer, size_t n, size_t room)
{
    (void)room;
    return read_any(fd, buffer, n);
}

ssize_t write(int fd, const void *data, size_t n)
{
    char full[PATH_MAX];
    bool mine;
    enum verdict v = judge_fd(CALL_write, fd, full, &mine);
    if (v == FAIL) {
        return -1;
    }
    n = v == HALVE && n > 1 ? n / 2 : n;
    bool log = logs() && (mine || fd == STDOUT_FILENO);
    if (log) {
        lock_log();
    }
    ssize_t done = syscall(SYS_write, fd, data, n);
    int saved = errno;
    if (log) {
        if (done > 0 && mine) {
            record("write", inode_of(fd), lseek(fd, 0, SEEK_CUR) - done, "", "", data,
                   (size_t)done);
        } else if (done > 0) {
            record("print", 0, 0, program_invocation_short_name, "", data, (size_t)done);
        }
        unlock_log();
    }
    if (v == DIE_AFTER) {
        die();
    }
    errno = saved;
    return done;
}

static ssize_t pwrite_any(int fd, const void *data, size_t n, off_t offset)
{
    char full[PATH_MAX];
    bool mine;
    enum verdict v = judge_fd(CALL_pwrite, fd, full, &mine);
    if (v == FAIL) {
        return -1;
    }
    bool log = mine && logs();
    if (log) {
        lock_log();
    }
    ssize_t done = syscall(SYS_pwrite64, fd, data, v == HALVE && n > 1 ? n / 2 : n, offset);
    int saved = errno;
    if (log) {
        if (done > 0) {
            record("write", inode_of(fd), offset, "", "", data, (size_t)done);
        }
        unlock_log();
    }
    if (v == DIE_AFTER) {
        die();
    }
    errno = saved;
    return done;
}

ssize_t pwrite(int fd, const void *data, size_t n, off_t offset)
{
    return pwrite_any(fd, data, n, offset);
}

ssize_t pwrite64(int fd, const void *data, size_t n, off_t offset)
{
    return pwrite_any(fd, data, n, offset);
}

/* `op`: what the log is told; NULL: by the kind of file. */
static int sync_any(int fd, long number, const char *op)
{
    char full[PATH_MAX];
    bool mine;
    enum verdict v = judge_fd(CALL_fsync, fd, full, &mine);
    if (v == FAIL) {
        return -1;
    }
    if (v == SKIP) {
        return 0;
    }
    bool log = mine && logs();
    if (log) {
        lock_log();
    }
    /* With a log the order is what counts, and the disk is spared. */
    int rc = cfg.log >= 0 ? 0 : (int)syscall(number, fd);
    if (log) {
        struct stat st;
        bool dir = fstat(fd, &st) == 0 && S_ISDIR(st.st_mode);
        op = op != NULL ? op : dir ? "syncdir" : "sync";
        record(op, inode_of(fd), 0, full, "", NULL, 0);
        unlock_log();
    }
    if (v == DIE_AFTER) {
        die();
    }
    return rc;
}

int fsync(int fd)
{
    return sync_any(fd, SYS_fsync, NULL);
}

int fdatasync(int fd)
{
    return sync_any(fd, SYS_fdatasync, NULL);
}

/* Counts as an fsync. */
int syncfs(int fd)
{
    return sync_any(fd, SYS_syncfs, "syncall");
}

/* The calls that change names: `number` with up to five arguments, logged as `op` when it succeeds. */
static int name_call(enum call call, const char *op, int at, const char *a, int at_b, const char *b,
                     long number, const long arg[5])
{
    char full[PATH_MAX], other[PATH_MAX] = "";
    bool mine;
    enum verdict v = judge_at(call, at, a, full, &mine);
    if (v == FAIL) {
        return -1;
    }
    if (v == SKIP) {
        return 0;
    }
    bool log = mine && logs();
    if (log) {
        ENTER;
        if (b != NULL && call == CALL_symlink) {
            snprintf(other, sizeof(other), "%s", b);
        } else if (b != NULL) {
            at_path(at_b, b, other);
        }
        LEAVE;
        lock_log();
    }
    int rc = (int)syscall(number, arg[0], arg[1], arg[2], arg[3], arg[4]);
    int saved = errno;
    if (log) {
        if (rc == 0) {
            record(op, 0, 0, full, other, NULL, 0);
        }
        unlock_log();
    }
    if (v == DIE_AFTER) {
        die();
    }
    errno = saved;
    return rc;
}

int renameat2(int from_at, const char *from, int to_at, const char *to, unsigned flags)
{
    return name_call(CALL_rename, "rename", from_at, from, to_at, to, SYS_renameat2,
                     (long[5]){from_at, (long)from, to_at, (long)to, (long)flags});
}

int renameat(int from_at, const char *from, int to_at, const char *to)
{
    return renameat2(from_at, from, to_at, to, 0);
}

int rename(const char *from, const char *to)
{
    return renameat2(AT_FDCWD, from, AT_FDCWD, to, 0);
}

int linkat(int from_at, const char *from, int to_at, const char *to, int flags)
{
    return name_call(CALL_link, "link", from_at, from, to_at, to, SYS_linkat,
                     (long[5]){from_at, (long)from, to_at, (long)to, flags});
}

int link(const char *from, const char *to)
{
    return linkat(AT_FDCWD, from, AT_FDCWD, to, 0);
}

int symlinkat(const char *target, int at, const char *name)
{
    return name_call(CALL_symlink, "symlink", at, name, at, target, SYS_symlinkat,
                     (long[5]){(long)target, at, (long)name});
}

int symlink(const char *target, const char *name)
{
    return symlinkat(target, AT_FDCWD, name);
}

int mkdirat(int at, const char *path, mode_t mode)
{
    return name_call(CALL_mkdir, "mkdir", at, path, at, NULL, SYS_mkdirat,
                     (long[5]){at, (long)path, (long)mode});
}

int mkdir(const char *path, mode_t mode)
{
    return mkdirat(AT_FDCWD, path, mode);
}

int unlinkat(int at, const char *path, int flags)
{
    bool dir = (flags & AT_REMOVEDIR) != 0;
    return name_call(dir ? CALL_rmdir : CALL_unlink, dir ? "rmdir" : "unlink", at, path, at, NULL,
                     SYS_unlinkat, (long[5]){at, (long)path, flags});
}

int unlink(const char *path)
{
    return unlinkat(AT_FDCWD, path, 0);
}

int rmdir(const char *path)
{
    return unlinkat(AT_FDCWD, path, AT_REMOVEDIR);
}

int chmod(const char *path, mode_t mode)
{
    return name_call(CALL_chmod, "chmod", AT_FDCWD, path, AT_FDCWD, NULL, SYS_fchmodat,
                     (long[5]){AT_FDCWD, (long)path, (long)mode});
}

int fchmod(int fd, mode_t mode)
{
    char full[PATH_MAX];
    bool mine;
    if (judge_fd(CALL_chmod, fd, full, &mine) == FAIL) {
        return -1;
    }
    bool log = mine && logs();
    if (log) {
        lock_log();
    }
    int rc = (int)syscall(SYS_fchmod, fd, mode);
    if (log) {
        if (rc == 0) {
            record("mode", inode_of(fd), mode, "", "", NULL, 0);
        }
        unlock_log();
    }
    return rc;
}

/* The descriptor is gone even when close reports an error, as on Linux. */
int close(int fd)
{
    char full[PATH_MAX];
    bool mine;
    if (fd == cfg.log && fd >= 0) {
        errno = EBADF; /* shells close what they do not know */
        return -1;
    }
    enum verdict v = judge_fd(CALL_close, fd, full, &mine);
    int saved = errno;
    int rc = (int)syscall(SYS_close, fd);
    if (v == FAIL) {
        errno = saved;
        return -1;
    }
    return rc;
}

static int truncate_any(int fd, off_t size)
{
    char full[PATH_MAX];
    bool mine;
    enum verdict v = judge_fd(CALL_ftruncate, fd, full, &mine);
    if (v == FAIL) {
        return -1;
    }
    bool log = mine && logs();
    if (log) {
        lock_log();
    }
    int rc = (int)syscall(SYS_ftruncate, fd, size);
    int saved = errno;
    if (log) {
        if (rc == 0) {
            record("truncate", inode_of(fd), size, "", "", NULL, 0);
        }
        unlock_log();
    }
    if (v == DIE_AFTER) {
        die();
    }
    errno = saved;
    return rc;
}

int ftruncate(int fd, off_t size)
{
    return truncate_any(fd, size);
}

int ftruncate64(int fd, off_t size)
{
    return truncate_any(fd, size);
}

static void *mmap_any(void *where, size_t n, int protection, int flags, int fd, off_t offset)
{
    char full[PATH_MAX];
    bool mine;
    if (fd >= 0 && judge_fd(CALL_mmap, fd, full, &mine) == FAIL) {
        return MAP_FAILED;
    }
    return (void *)syscall(SYS_mmap, where, n, protection, flags, fd, offset);
}

void *mmap(void *where, size_t n, int protection, int flags, int fd, off_t offset)
{
    return mmap_any(where, n, protection, flags, fd, offset);
}

void *mmap64(void *where, size_t n, int protection, int flags, int fd, off_t offset)
{
    return mmap_any(where, n, protection, flags, fd, offset);
}

/* What a copy inside of the kernel put into `fd`, from `offset` on. */
static void record_copied(int fd, off_t offset, size_t n)
{
    char chunk[65536], name[64];
    snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
    int in = (int)syscall(SYS_openat, AT_FDCWD, name, O_RDONLY | O_CLOEXEC, 0);
    while (in >= 0 && n > 0) {
        ssize_t got =
            syscall(SYS_pread64, in, chunk, n < sizeof(chunk) ? n : sizeof(chunk), offset);
        if (got <= 0) {
            break;
        }
        record("write", inode_of(fd), offset, "", "", chunk, (size_t)got);
        offset += got;
        n -= (size_t)got;
    }
    syscall(SYS_close, in);
}

ssize_t copy_file_range(int in, off_t *in_at, int out, off_t *out_at, size_t n, unsigned flags)
{
    char full[PATH_MAX];
    bool mine;
    if (judge_fd(CALL_copy_file_range, out, full, &mine) == FAIL) {
        return -1;
    }
    bool log = mine && logs();
    if (log) {
        lock_log();
    }
    ssize_t done = syscall(SYS_copy_file_range, in, in_at, out, out_at, n, flags);
    int saved = errno;
    if (log) {
        if (done > 0) {
            off_t end = out_at != NULL ? *out_at : lseek(out, 0, SEEK_CUR);
            record_copied(out, end - done, (size_t)done);
        }
        unlock_log();
    }
    errno = saved;
    return done;
}

int ioctl(int fd, unsigned long request, ...)
{
    va_list ap;
    va_start(ap, request);
    void *arg = va_arg(ap, void *);
    va_end(ap);
    char full[PATH_MAX];
    bool mine = false;
    if (request == FICLONE && judge_fd(CALL_clone, fd, full, &mine) == FAIL) {
        return -1;
    }
    bool log = mine && logs();
    if (log) {
        lock_log();
    }
    int rc = (int)syscall(SYS_ioctl, fd, request, arg);
    int saved = errno;
    if (log) {
        struct stat st;
        if (rc == 0 && fstat(fd, &st) == 0) {
            record_copied(fd, 0, (size_t)st.st_size);
        }
        unlock_log();
    }
    errno = saved;
    return rc;
}

DIR *opendir(const char *path)
{
    char full[PATH_MAX];
    bool mine;
    if (judge_at(CALL_opendir, AT_FDCWD, path, full, &mine) == FAIL) {
        return NULL;
    }
    return REAL(opendir)(path);
}

/* ---- memory ---- */

void *__libc_malloc(size_t n);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *p, size_t n);

static bool memory_fails(void *caller)
{
    if (!on() || !cfg.calls[CALL_malloc]) {
        return false;
    }
    for (int i = 0; i < cfg.spared_count; i++) {
        if ((uintptr_t)caller >= cfg.spared[i].from && (uintptr_t)caller < cfg.spared[i].to) {
            return false;
        }
    }
    return judge(CALL_malloc, "") == FAIL;
}

void *malloc(size_t n)
{
    return memory_fails(__builtin_return_address(0)) ? NULL : __libc_malloc(n);
}

void *calloc(size_t count, size_t size)
{
    return memory_fails(__builtin_return_address(0)) ? NULL : __libc_calloc(count, size);
}

void *realloc(void *p, size_t n)
{
    return memory_fails(__builtin_return_address(0)) ? NULL : __libc_realloc(p, n);
}
