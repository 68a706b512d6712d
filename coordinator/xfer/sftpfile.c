/*
 * sftpfile: see sftpfile.h. Source: draft-ietf-secsh-filexfer-02, with OpenSSH's posix-rename.
 * Reads are asked for ahead, so that they do not wait for one another; libssh writes one by one, so
 * writes are as long as the server takes them.
 */
#include "sftpfile.h"

#include "alloc.h"
#include "arena.h"
#include "digest.h"
#include "fs.h"
#include "path.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#define READ_BYTES ((uint32_t)32 << 10) /* every server gives so much at once */
#define READS_AHEAD 64
#define WRITE_BYTES ((size_t)32 << 10)
#define WRITE_BYTES_OPENSSH ((size_t)240 << 10) /* its packets have 256 KiB */
#define FOLDERS_DEEP 64

/* ---- stat, remove ---- */

static void take_facts(const struct sftp_attributes_struct *a, struct sftpfile_facts *f)
{
    *f = (struct sftpfile_facts){.size = a->size,
                                 .mtime = (int64_t)a->mtime,
                                 .is_file = a->type == SSH_FILEXFER_TYPE_REGULAR,
                                 .is_dir = a->type == SSH_FILEXFER_TYPE_DIRECTORY};
}

int sftpfile_stat(struct sshlink *l, const char *path, struct sftpfile_facts *f, struct err *e)
{
    sshlink_stir(l);
    sftp_attributes a = sftp_stat(l->sftp, path);
    if (a) {
        take_facts(a, f);
        sftp_attributes_free(a);
        return 1;
    }
    return sshlink_is_missing(l) ? 0 : sshlink_failed(l, e, "look at", path);
}

int sftpfile_remove(struct sshlink *l, const char *path, struct err *e)
{
    sshlink_stir(l);
    if (sftp_unlink(l->sftp, path) == 0 || sshlink_is_missing(l)) {
        return 0;
    }
    return sshlink_failed(l, e, "delete", path);
}

/* ---- put ---- */

/* It may be there, or be made by another meanwhile. ERR_MISSING: the one above is not there. */
static int make_folder(struct sshlink *l, const char *path, struct err *e)
{
    struct sftpfile_facts f;
    struct err why = ERR_INIT;
    sshlink_stir(l);
    if (sftp_mkdir(l->sftp, path, 0777) == 0) {
        return 0;
    }
    sshlink_failed(l, &why, "make the folder", path);
    if (why.code != ERR_MISSING && !l->broken && sftpfile_stat(l, path, &f, NULL) == 1 &&
        f.is_dir) {
        return 0;
    }
    return err_set(e, why.code, "%s", why.text);
}

static int make_folders(struct sshlink *l, struct arena *a, const char *path, int deep,
                        struct err *e)
{
    struct err why = ERR_INIT;
    const char *above = path_dirname(a, path);
    if (make_folder(l, path, &why) == 0) {
        return 0;
    }
    if (why.code != ERR_MISSING || deep == 0 || strcmp(above, path) == 0) {
        return err_set(e, ERR_REMOTE, "%s", why.text);
    }
    return make_folders(l, a, above, deep - 1, e) < 0 ? -1 : make_folder(l, path, e);
}

/* ".3f…9a.tmp" beside the file. */
static const char *temp_path(struct arena *a, const char *path)
{
    unsigned char raw[16];
    char hex[2 * sizeof(raw) + 1];
    if (getrandom(raw, sizeof(raw), 0) != (ssize_t)sizeof(raw)) {
        BUG("the kernel gives no random bytes");
    }
    for (size_t i = 0; i < sizeof(raw); i++) {
        snprintf(hex + 2 * i, 3, "%02x", raw[i]);
    }
    return arena_printf(a, "%s/.%s.tmp", path_dirname(a, path), hex);
}

static sftp_file create(struct sshlink *l, struct arena *a, const char *path, struct err *e)
{
    const int how = O_WRONLY | O_CREAT | O_EXCL;
    sshlink_stir(l);
    sftp_file file = sftp_open(l->sftp, path, how, 0666);
    if (!file && sshlink_is_missing(l)) {
        if (make_folders(l, a, path_dirname(a, path), FOLDERS_DEEP, e) < 0) {
            return NULL;
        }
        file = sftp_open(l->sftp, path, how, 0666);
    }
    if (!file) {
        sshlink_failed(l, e, "write", path);
    }
    return file;
}

static int write_piece(struct sshlink *l, const struct sftpfile_upload *u, sftp_file file,
                       const char *data, size_t n, struct err *e)
{
    sshlink_stir(l);
    if (sftp_write(file, data, n) != (ssize_t)n) {
        return sshlink_failed(l, e, "write", u->path);
    }
    u->moved(u->ctx, n);
    return 0;
}

/* The file's bytes, and their digest. */
static int write_bytes(struct sshlink *l, const struct sftpfile_upload *u, sftp_file file, int fd,
                       struct err *e)
{
    size_t most = sftp_extension_supported(l->sftp, "posix-rename@openssh.com", "1")
                      ? WRITE_BYTES_OPENSSH
                      : WRITE_BYTES;
    struct digest digest;
    char *data = xmalloc(most), md5[DIGEST_HEX_SIZE];
    ssize_t got = 1;
    int rc = 0;
    digest_init(&digest, DIGEST_MD5);
    while (rc == 0 && (got = read(fd, data, most)) > 0) {
        digest_update(&digest, data, (size_t)got);
        rc = write_piece(l, u, file, data, (size_t)got, e);
    }
    free(data);
    digest_final(&digest, md5);
    if (rc == 0 && got < 0) {
        rc = err_sys(e, "cannot read '%s'", u->local);
    }
    return rc < 0 || !u->md5 || strncmp(md5, u->md5, 32) == 0
               ? rc
               : err_set(e, ERR_IO, "'%s' has other content: its md5 is %.32s", u->local, md5);
}

/* Servers without posix-rename put nothing over what is there. */
static int rename_over(struct sshlink *l, const char *from, const char *to, struct err *e)
{
    struct sftpfile_facts f;
    sshlink_stir(l);
    if (sftp_rename(l->sftp, from, to) == 0) {
        return 0;
    }
    struct err why = ERR_INIT;
    sshlink_failed(l, &why, "write", to);
    if (!l->broken && sftpfile_stat(l, to, &f, NULL) == 1 && f.is_file) {
        if (sftp_unlink(l->sftp, to) == 0 && sftp_rename(l->sftp, from, to) == 0) {
            return 0;
        }
    }
    return err_set(e, why.code, "%s", why.text);
}

static int write_whole(struct sshlink *l, struct arena *a, const struct sftpfile_upload *u, int fd,
                       struct err *e)
{
    const char *temp = temp_path(a, u->path);
    sftp_file file = create(l, a, temp, e);
    if (!file) {
        return -1;
    }
    int rc = write_bytes(l, u, file, fd, e);
    bool closed = sftp_close(file) == SSH_OK;
    if (rc == 0 && !closed) {
        rc = sshlink_failed(l, e, "write", u->path);
    }
    if (rc == 0) {
        rc = rename_over(l, temp, u->path, e);
    }
    if (rc < 0 && !l->broken) {
        sftp_unlink(l->sftp, temp);
    }
    return rc;
}

int sftpfile_put(struct sshlink *l, const struct sftpfile_upload *u, struct err *e)
{
    struct arena a;
    int fd = open(u->local, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return err_sys(e, "cannot read '%s'", u->local);
    }
    arena_init(&a);
    int rc = write_whole(l, &a, u, fd, e);
    arena_release(&a);
    close(fd);
    return rc;
}

/* ---- get ---- */

struct reads {
    sftp_file file;
    uint64_t next; /* what is asked for next */
    struct {
        uint32_t id, bytes;
    } ring[READS_AHEAD];
    size_t asked, taken;
};

static int ask_ahead(struct sshlink *l, const struct sftpfile_download *d, struct reads *r,
                     struct err *e)
{
    while (r->asked - r->taken < READS_AHEAD && r->next < d->size) {
        uint64_t left = d->size - r->next;
        uint32_t n = left < READ_BYTES ? (uint32_t)left : READ_BYTES;
        int id = sftp_async_read_begin(r->file, n);
        if (id < 0) {
            return sshlink_failed(l, e, "read", d->path);
        }
        r->ring[r->asked % READS_AHEAD].id = (uint32_t)id;
        r->ring[r->asked % READS_AHEAD].bytes = n;
        r->asked++;
        r->next += n;
    }
    return 0;
}

static int take_read(struct sshlink *l, struct reads *r, char *data, uint32_t *want)
{
    uint32_t id = r->ring[r->taken % READS_AHEAD].id;
    *want = r->ring[r->taken % READS_AHEAD].bytes;
    r->taken++;
    sshlink_stir(l);
    return sftp_async_read(r->file, data, *want, id);
}

/* Answers to what was asked for in vain. */
static void drain(struct sshlink *l, struct reads *r, char *data)
{
    uint32_t want;
    while (r->taken < r->asked && !l->broken) {
        if (take_read(l, r, data, &want) < 0 && !ssh_is_connected(l->session)) {
            l->broken = true;
        }
    }
}

/* A short answer leaves a hole: the rest is asked for again. */
static int begin_again(struct sshlink *l, const struct sftpfile_download *d, struct reads *r,
                       char *data, struct err *e)
{
    drain(l, r, data);
    r->next = d->saved;
    return sftp_seek64(r->file, d->saved) == 0 ? 0 : sshlink_failed(l, e, "read", d->path);
}

static int read_piece(struct sshlink *l, struct sftpfile_download *d, struct reads *r, char *data,
                      struct err *e)
{
    uint32_t want;
    int got = take_read(l, r, data, &want);
    if (got < 0) {
        return sshlink_failed(l, e, "read", d->path);
    }
    if (got == 0) {
        return err_set(e, ERR_REMOTE, "%s: '%s' became shorter while it was read",
                       l->settings->shown, d->path);
    }
    if (d->digest) {
        digest_update(d->digest, data, (size_t)got);
    } else if (fs_write_all(d->fd, data, (size_t)got, d->local, e) < 0) {
        return -1;
    }
    d->saved += (uint64_t)got;
    d->moved(d->ctx, (uint64_t)got);
    return (uint32_t)got < want ? begin_again(l, d, r, data, e) : 0;
}

static int read_bytes(struct sshlink *l, struct sftpfile_download *d, sftp_file file, struct err *e)
{
    struct reads *r = xcalloc(1, sizeof(*r));
    char *data = xmalloc(READ_BYTES);
    int rc = 0;
    r->file = file;
    r->next = d->saved;
    while (rc == 0 && d->saved < d->size) {
        rc = ask_ahead(l, d, r, e);
        if (rc == 0) {
            rc = read_piece(l, d, r, data, e);
        }
    }
    drain(l, r, data);
    free(data);
    free(r);
    return rc;
}

/* What is saved belongs to the file as it is now, or goes. */
static int begin_file(struct sshlink *l, struct sftpfile_download *d, sftp_file file, struct err *e)
{
    struct sftpfile_facts f;
    sftp_attributes a = sftp_fstat(file);
    if (!a) {
        return sshlink_failed(l, e, "look at", d->path);
    }
    take_facts(a, &f);
    sftp_attributes_free(a);
    if (!f.is_file) {
        return err_set(e, ERR_REMOTE, "%s: '%s' is no file", l->settings->shown, d->path);
    }
    if (d->digest || f.size != d->size || f.mtime != d->mtime) {
        d->saved = 0;
    }
    d->size = f.size;
    d->mtime = f.mtime;
    if (d->digest) {
        digest_init(d->digest, DIGEST_MD5);
    } else if (ftruncate(d->fd, (off_t)d->saved) < 0 ||
               lseek(d->fd, (off_t)d->saved, SEEK_SET) < 0) {
        return err_sys(e, "cannot write '%s'", d->local);
    }
    return sftp_seek64(file, d->saved) == 0 ? 0 : sshlink_failed(l, e, "read", d->path);
}

int sftpfile_get(struct sshlink *l, struct sftpfile_download *d, struct err *e)
{
    sshlink_stir(l);
    sftp_file file = sftp_open(l->sftp, d->path, O_RDONLY, 0);
    if (!file) {
        return sshlink_failed(l, e, "read", d->path);
    }
    int rc = begin_file(l, d, file, e);
    if (rc == 0) {
        rc = read_bytes(l, d, file, e);
    }
    sftp_close(file);
    return rc;
}
