/* keystore: see keystore.h. keystore_parts.c has the uploads in parts. */
#include "keystore.h"

#include "digest.h"
#include "signing.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- requests ---- */

const char *keystore_key(const struct keystore *k, struct arena *a, const char *path)
{
    bool both = k->prefix[0] && path[0];
    return arena_printf(a, "%s%s%s", k->prefix, both ? "/" : "", path);
}

static int prepare(struct webcall *c, struct err *e)
{
    struct keystore *k = c->ctx2;
    return k->dialect->sign(k, c, e);
}

struct webcall *keystore_call(struct keystore *k, struct netop *op, const char *method,
                              const char *path, const char *query)
{
    struct webcall *c = webcall_new();
    const char *key = keystore_key(k, &c->arena, path);
    c->method = method;
    c->origin = k->origin;
    c->path = arena_printf(&c->arena, "%s/%s", k->bucket_path,
                           webcall_encode(&c->arena, str_from(key), true));
    c->query = query;
    c->shown = arena_printf(&c->arena, "%s/%s", k->shown, path);
    c->follow = k->dialect->follow;
    c->prepare = prepare;
    c->ctx = op;
    c->ctx2 = k;
    return c;
}

bool keystore_again(struct webcall *c, const struct err *e)
{
    struct keystore *k = c->ctx2;
    if (e->code != ERR_NONE || webcall_ok(c) || !k->dialect->mend || c->number > 0 ||
        !k->dialect->mend(k, c)) {
        return false;
    }
    c->number++;
    c->origin = k->origin;
    webcall_start(k->engine, c);
    return true;
}

void keystore_end(struct webcall *c, struct err *e)
{
    struct netop *op = c->ctx;
    if (e->code == ERR_NONE && !webcall_ok(c)) {
        webcall_refused(c, e);
    }
    if (e->code != ERR_NONE) {
        err_wrap(e, "%s", c->shown);
    }
    webcall_free(c);
    if (e->code != ERR_NONE) {
        netop_fail(op, e);
    } else {
        netop_done(op);
    }
}

/* ---- has ---- */

static void add_stat(struct netop *op, const struct webcall *c)
{
    struct str etag = str_from(c->reply.etag);
    if (etag.n >= 2 && etag.p[0] == '"') {
        etag = str_sub(etag, 1, etag.n - 2);
    }
    frame_adds(&op->reply, "1");
    frame_add_u64(&op->reply, c->reply.has_range ? c->reply.range_total : c->reply.length);
    frame_add(&op->reply, etag);
}

static void on_head(struct webcall *c, struct err *e)
{
    struct netop *op = c->ctx;
    if (keystore_again(c, e)) {
        return;
    }
    if (e->code == ERR_NONE && (c->reply.status == 405 || c->reply.status == 501) &&
        strcmp(c->method, "HEAD") == 0) {
        c->method = "GET"; /* it knows no HEAD */
        c->extra_header = "Range: bytes=0-0";
        webcall_start(((struct keystore *)c->ctx2)->engine, c);
        return;
    }
    if (e->code == ERR_NONE && webcall_ok(c)) {
        add_stat(op, c);
    } else if (e->code == ERR_NONE && c->reply.status == 404) {
        frame_adds(&op->reply, "0");
        webcall_free(c);
        netop_done(op);
        return;
    }
    keystore_end(c, e);
}

void keystore_has(void *ctx, struct netop *op)
{
    struct keystore *k = ctx;
    if (k->dialect->names && !keystore_key(k, &op->arena, netop_path(op))[0]) {
        frame_adds(&op->reply, "0"); /* a bucket is no file */
        netop_done(op);
        return;
    }
    struct webcall *c = keystore_call(k, op, "HEAD", netop_path(op), "");
    c->done = on_head;
    webcall_start(k->engine, c);
}

/* ---- get ---- */

static void on_got(struct webcall *c, struct err *e)
{
    if (keystore_again(c, e)) {
        return;
    }
    if (close(c->save) < 0 && e->code == ERR_NONE) {
        err_sys(e, "cannot write '%s'", frame_field(&((struct netop *)c->ctx)->request, 1));
    }
    c->save = -1;
    keystore_end(c, e);
}

void keystore_get(void *ctx, struct netop *op)
{
    struct keystore *k = ctx;
    const char *local = frame_field(&op->request, 1);
    struct err e = ERR_INIT;
    int fd = open(local, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) {
        err_sys(&e, "cannot write '%s'", local);
        netop_fail(op, &e);
        return;
    }
    struct webcall *c = keystore_call(k, op, "GET", netop_path(op), "");
    c->save = fd;
    c->done = on_got;
    webcall_start(k->engine, c);
}

/* ---- put ---- */

bool keystore_path_md5(const char *path, char md5[33])
{
    static const char prefix[] = "files/md5/";
    size_t n = sizeof(prefix) - 1;
    if (strncmp(path, prefix, n) != 0 || strlen(path) < n + 33 || path[n + 2] != '/') {
        return false;
    }
    snprintf(md5, 33, "%.2s%.30s", path + n, path + n + 3);
    return strspn(md5, "0123456789abcdef") == 32;
}

static void on_put(struct webcall *c, struct err *e)
{
    if (!keystore_again(c, e)) {
        keystore_end(c, e);
    }
}

/* The whole file in one request; what it has on top of others is its digest. */
static void prepare_put(struct webcall *c, struct keystore *k, const char *md5)
{
    struct arena *a = &c->arena;
    unsigned char *raw = signing_unhex(a, (struct str){md5, 32});
    webcall_header(c, "Content-Type: application/octet-stream");
    webcall_header(c, "Content-MD5: %s", raw ? signing_base64(a, raw, 16) : "");
    if (k->dialect->describe) {
        k->dialect->describe(k, c, false);
    }
}

static int sign_put(struct webcall *c, struct err *e)
{
    struct keystore *k = c->ctx2;
    const struct netop *op = c->ctx;
    char md5[DIGEST_HEX_SIZE];
    const char *local = frame_field(&op->request, 1);
    bool named = keystore_path_md5(netop_path(op), md5);
    if (!named || !k->dialect->md5_answer) {
        char is[DIGEST_HEX_SIZE];
        if (digest_file(DIGEST_MD5, local, is, NULL, e) < 0) {
            return -1;
        }
        if (named && strncmp(is, md5, 32) != 0) {
            return err_set(e, ERR_IO, "'%s' has other content: its md5 is %.32s", local, is);
        }
        memcpy(md5, is, sizeof(md5));
    }
    prepare_put(c, k, md5);
    return k->dialect->sign(k, c, e);
}

void keystore_put(void *ctx, struct netop *op)
{
    struct keystore *k = ctx;
    const char *local = frame_field(&op->request, 1);
    struct err e = ERR_INIT;
    struct stat st;
    int fd = open(local, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0) {
        err_sys(&e, "cannot read '%s'", local);
        if (fd >= 0) {
            close(fd);
        }
        netop_fail(op, &e);
        return;
    }
    uint64_t size = (uint64_t)st.st_size;
    if (k->dialect->parts != KEYSTORE_WHOLE && size > 2 * KEYSTORE_PART_BYTES) {
        keystore_put_parts(k, op, fd, size);
        return;
    }
    struct webcall *c = keystore_call(k, op, k->dialect->put_method, netop_path(op), "");
    c->file = fd;
    c->file_bytes = size;
    c->prepare = sign_put;
    c->done = on_put;
    webcall_start(k->engine, c);
}

/* ---- list ---- */

/* A name as it may be shown: what terminals obey is escaped. */
static int refuse_key(struct arena *a, struct str key, struct err *e)
{
    return err_set(e, ERR_REMOTE, "the server lists the name '%s', which is not one below the URL",
                   webcall_encode(a, key, true));
}

static bool is_plain(struct str key)
{
    for (size_t i = 0; i < key.n; i++) {
        if ((unsigned char)key.p[i] < 0x20 || key.p[i] == 0x7f) {
            return false;
        }
    }
    return true;
}

/* Folder markers (size 0, ending in '/') are no files. */
static int add_key(struct netop *op, const char *base, const struct keylist_item *item,
                   struct err *e)
{
    size_t skip = strlen(base);
    if (item->key.n < skip || memcmp(item->key.p, base, skip) != 0 || !is_plain(item->key)) {
        return refuse_key(&op->arena, item->key, e);
    }
    struct str path = str_sub(item->key, skip, item->key.n);
    if (path.n == 0 || path.p[path.n - 1] == '/') {
        return 0;
    }
    frame_add(&op->reply, path);
    frame_add_u64(&op->reply, item->size);
    frame_adds(&op->reply, item->etag);
    return 0;
}

static int read_page(const struct keystore *k, struct netop *op, const struct webcall *c,
                     struct err *e)
{
    struct keylist page;
    const char *base = k->prefix[0] ? arena_printf(&op->arena, "%s/", k->prefix) : "";
    if (keylist_parse(&op->arena, strbuf_str(&c->text), k->dialect->names, &page, e) < 0) {
        return -1;
    }
    int rc = 0;
    frame_adds(&op->reply, page.next ? page.next : "");
    for (size_t i = 0; i < page.count && rc == 0; i++) {
        rc = add_key(op, base, &page.items[i], e);
    }
    keylist_release(&page);
    return rc;
}

static void on_page(struct webcall *c, struct err *e)
{
    if (keystore_again(c, e)) {
        return;
    }
    if (e->code == ERR_NONE && webcall_ok(c)) {
        read_page(c->ctx2, c->ctx, c, e);
    }
    keystore_end(c, e);
}

void keystore_list(void *ctx, struct netop *op)
{
    struct keystore *k = ctx;
    const char *key = keystore_key(k, &op->arena, netop_path(op));
    const char *prefix = key[0] ? arena_printf(&op->arena, "%s/", key) : "";
    const char *query = k->dialect->list_query(k, &op->arena, prefix, frame_field(&op->request, 1));
    struct webcall *c = keystore_call(k, op, "GET", "", query);
    c->path = k->bucket_path[0] ? k->bucket_path : "/";
    c->shown = k->shown;
    c->done = on_page;
    webcall_start(k->engine, c);
}

/* ---- remove ---- */

/* Of many requests for one op: the last one ends it. */
static void end_one(struct webcall *c, struct err *e)
{
    struct netop *op = c->ctx;
    if (e->code == ERR_NONE && !webcall_ok(c) && c->reply.status != 404) {
        webcall_refused(c, e);
    }
    if (e->code != ERR_NONE && op->failure.code == ERR_NONE) {
        err_wrap(e, "cannot delete %s", c->shown);
        op->failure = *e;
    }
    webcall_free(c);
    if (--op->pending > 0) {
        return;
    }
    if (op->failure.code != ERR_NONE) {
        netop_fail(op, &op->failure);
    } else {
        netop_done(op);
    }
}

static void on_removed(struct webcall *c, struct err *e)
{
    if (!keystore_again(c, e)) {
        end_one(c, e);
    }
}

/* The answer to a deletion of many names each one that failed. */
static void on_removed_many(struct webcall *c, struct err *e)
{
    if (keystore_again(c, e)) {
        return;
    }
    if (e->code == ERR_NONE && webcall_ok(c) && strstr(c->text.p, "<Error>")) {
        const char *key = keylist_text(&c->arena, strbuf_str(&c->text), "Key");
        const char *why = keylist_text(&c->arena, strbuf_str(&c->text), "Message");
        err_set(e, ERR_REMOTE, "%s: %s", key ? key : "an object", why ? why : "it was refused");
    }
    end_one(c, e);
}

void keystore_remove(void *ctx, struct netop *op)
{
    struct keystore *k = ctx;
    if (k->dialect->remove_many && op->request.count > 1) {
        struct webcall *c = keystore_call(k, op, "POST", "", "delete=");
        c->path = k->bucket_path[0] ? k->bucket_path : "/";
        c->shown = k->shown;
        c->done = on_removed_many;
        op->pending = 1;
        k->dialect->remove_many(k, c, op);
        webcall_start(k->engine, c);
        return;
    }
    op->pending = op->request.count;
    for (size_t i = 0; i < op->request.count; i++) {
        struct webcall *c = keystore_call(k, op, "DELETE", op->request.fields[i].p, "");
        c->done = on_removed;
        webcall_start(k->engine, c);
    }
}
