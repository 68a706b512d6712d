/*
 * Uploads in parts, for keystore.h. One `struct upload` a file: parts are numbered from 1, some of
 * them are under way at a time; the md5 of each goes with it, the md5 of the whole is computed on the
 * way and must be the object's name before the parts become one. After a failure nothing stays at
 * the far end (S3: abort; Azure forgets blocks that were never listed).
 */
#include "keystore.h"

#include "alloc.h"
#include "digest.h"
#include "signing.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PARTS_AT_ONCE 4
#define PARTS_MAX ((uint64_t)9000) /* S3 takes 10,000 */
#define CHUNK ((size_t)256 << 10)

struct upload {
    struct keystore *k;
    struct netop *op;
    int fd;
    uint64_t size, part_bytes;
    size_t count, begun, ended;
    const char *id;    /* S3's */
    const char **tags; /* the ETag of each part */
    struct digest whole;
    struct err failure;
};

static struct webcall *upload_call(struct upload *u, const char *method, const char *query)
{
    struct webcall *c = keystore_call(u->k, u->op, method, netop_path(u->op), query);
    c->ctx = u;
    return c;
}

static bool is_blocks(const struct upload *u)
{
    return u->k->dialect->parts == KEYSTORE_BLOCKS;
}

/* ---- the end ---- */

static void end_upload(struct upload *u)
{
    struct netop *op = u->op;
    struct err e = u->failure;
    close(u->fd);
    free(u->tags);
    free(u);
    if (e.code != ERR_NONE) {
        netop_fail(op, &e);
    } else {
        netop_done(op);
    }
}

static void on_aborted(struct webcall *c, struct err *e)
{
    struct upload *u = c->ctx;
    if (e->code != ERR_NONE || (!webcall_ok(c) && c->reply.status != 404)) {
        err_append(&u->failure, "; the parts of an unfinished upload stay there");
    }
    webcall_free(c);
    end_upload(u);
}

static void abort_upload(struct upload *u)
{
    if (is_blocks(u) || !u->id) {
        end_upload(u);
        return;
    }
    const char *query = arena_printf(&u->op->arena, "uploadId=%s", u->id);
    struct webcall *c = upload_call(u, "DELETE", query);
    c->done = on_aborted;
    webcall_start(u->k->engine, c);
}

static void note_failure(struct upload *u, const struct webcall *c, struct err *e)
{
    if (e->code == ERR_NONE) {
        webcall_refused(c, e);
    }
    if (u->failure.code == ERR_NONE) {
        err_wrap(e, "%s", c->shown);
        u->failure = *e;
    }
}

/* ---- all parts become one ---- */

static void on_completed(struct webcall *c, struct err *e)
{
    struct upload *u = c->ctx;
    /* S3 may find out after it has said 200 */
    if (e->code == ERR_NONE && webcall_ok(c) && strstr(c->text.p, "<Error>")) {
        err_set(e, ERR_REMOTE, "the parts could not be joined (%s)",
                keylist_text(&c->arena, strbuf_str(&c->text), "Message"));
    }
    bool bad = e->code != ERR_NONE || !webcall_ok(c);
    if (bad) {
        note_failure(u, c, e);
    }
    webcall_free(c);
    if (bad) {
        abort_upload(u);
    } else {
        end_upload(u);
    }
}

static int sign_completion(struct webcall *c, struct err *e)
{
    struct keystore *k = c->ctx2;
    webcall_header(c, "Content-Type: application/xml");
    if (k->dialect->parts == KEYSTORE_BLOCKS && k->dialect->describe) {
        k->dialect->describe(k, c, true);
    }
    return k->dialect->sign(k, c, e);
}

static const char *block_id(struct arena *a, size_t number)
{
    char text[32];
    snprintf(text, sizeof(text), "part-%06zu", number);
    return signing_base64(a, text, strlen(text));
}

static void list_parts(const struct upload *u, struct arena *a, struct strbuf *xml)
{
    strbuf_adds(xml, is_blocks(u) ? "<?xml version=\"1.0\" encoding=\"utf-8\"?><BlockList>"
                                  : "<CompleteMultipartUpload>");
    for (size_t i = 0; i < u->count; i++) {
        if (is_blocks(u)) {
            strbuf_addf(xml, "<Latest>%s</Latest>", block_id(a, i + 1));
        } else {
            strbuf_addf(xml, "<Part><PartNumber>%zu</PartNumber><ETag>%s</ETag></Part>", i + 1,
                        u->tags[i]);
        }
    }
    strbuf_adds(xml, is_blocks(u) ? "</BlockList>" : "</CompleteMultipartUpload>");
}

static int check_whole(struct upload *u, struct err *e)
{
    char want[33], is[DIGEST_HEX_SIZE];
    digest_final(&u->whole, is);
    if (keystore_path_md5(netop_path(u->op), want) && strncmp(want, is, 32) != 0) {
        return err_set(e, ERR_IO, "'%s' has other content: its md5 is %.32s",
                       frame_field(&u->op->request, 1), is);
    }
    return 0;
}

static void complete(struct upload *u)
{
    struct strbuf xml;
    if (check_whole(u, &u->failure) < 0) {
        abort_upload(u);
        return;
    }
    strbuf_init(&xml);
    list_parts(u, &u->op->arena, &xml);
    const char *query =
        is_blocks(u) ? "comp=blocklist" : arena_printf(&u->op->arena, "uploadId=%s", u->id);
    struct webcall *c = upload_call(u, is_blocks(u) ? "PUT" : "POST", query);
    c->body = arena_str(&c->arena, strbuf_str(&xml));
    c->prepare = sign_completion;
    c->done = on_completed;
    strbuf_release(&xml);
    webcall_start(u->k->engine, c);
}

/* ---- parts ---- */

static void begin_parts(struct upload *u);

static void on_part(struct webcall *c, struct err *e)
{
    struct upload *u = c->ctx;
    if (e->code == ERR_NONE && webcall_ok(c) && !is_blocks(u) && !c->reply.etag[0]) {
        err_set(e, ERR_REMOTE, "the server gives no ETag for a part");
    }
    if (e->code != ERR_NONE || !webcall_ok(c)) {
        note_failure(u, c, e);
    } else {
        u->tags[c->number - 1] = arena_strdup(&u->op->arena, c->reply.etag);
    }
    webcall_free(c);
    u->ended++;
    if (u->failure.code == ERR_NONE) {
        begin_parts(u);
    }
    if (u->failure.code != ERR_NONE && u->ended == u->begun) {
        abort_upload(u);
    } else if (u->failure.code == ERR_NONE && u->ended == u->count) {
        complete(u);
    }
}

static int sign_part(struct webcall *c, struct err *e)
{
    struct keystore *k = c->ctx2;
    webcall_header(c, "Content-MD5: %s", c->body_md5);
    return k->dialect->sign(k, c, e);
}

/* Reads a part for its digest, and the whole's; base64, in the arena. */
static const char *digest_part(struct upload *u, struct webcall *c, struct err *e)
{
    struct digest part;
    char hex[DIGEST_HEX_SIZE], *chunk = xmalloc(CHUNK);
    digest_init(&part, DIGEST_MD5);
    uint64_t done = 0;
    while (done < c->file_bytes) {
        uint64_t n = c->file_bytes - done < CHUNK ? c->file_bytes - done : CHUNK;
        ssize_t got = pread(u->fd, chunk, n, (off_t)(c->file_offset + done));
        if (got <= 0) {
            free(chunk);
            err_set(e, ERR_IO, "'%s' cannot be read to its end", frame_field(&u->op->request, 1));
            return NULL;
        }
        digest_update(&part, chunk, (size_t)got);
        digest_update(&u->whole, chunk, (size_t)got);
        done += (uint64_t)got;
    }
    free(chunk);
    digest_final(&part, hex);
    return signing_base64(&c->arena, signing_unhex(&c->arena, (struct str){hex, 32}), 16);
}

static int begin_part(struct upload *u, struct err *e)
{
    size_t number = ++u->begun;
    struct arena *a = &u->op->arena;
    const char *query = is_blocks(u)
                            ? arena_printf(a, "blockid=%s&comp=block",
                                           webcall_encode(a, str_from(block_id(a, number)), false))
                            : arena_printf(a, "partNumber=%zu&uploadId=%s", number, u->id);
    struct webcall *c = upload_call(u, "PUT", query);
    c->number = number;
    c->file_offset = (number - 1) * u->part_bytes;
    c->file_bytes =
        u->size - c->file_offset < u->part_bytes ? u->size - c->file_offset : u->part_bytes;
    c->file = dup(u->fd);
    c->body_md5 = digest_part(u, c, e);
    if (!c->body_md5 || c->file < 0) {
        webcall_free(c);
        u->ended++;
        return e->code != ERR_NONE ? -1 : err_sys(e, "cannot open a part");
    }
    c->prepare = sign_part;
    c->done = on_part;
    webcall_start(u->k->engine, c);
    return 0;
}

static void begin_parts(struct upload *u)
{
    while (u->failure.code == ERR_NONE && u->begun < u->count &&
           u->begun - u->ended < PARTS_AT_ONCE) {
        begin_part(u, &u->failure);
    }
}

/* ---- the beginning ---- */

static void on_begun(struct webcall *c, struct err *e)
{
    struct upload *u = c->ctx;
    if (keystore_again(c, e)) {
        return;
    }
    char *id = e->code == ERR_NONE && webcall_ok(c)
                   ? keylist_text(&u->op->arena, strbuf_str(&c->text), "UploadId")
                   : NULL;
    if (e->code == ERR_NONE && webcall_ok(c) && !id) {
        err_set(e, ERR_FORMAT, "the server gives no id for an upload in parts");
    }
    if (!id) {
        note_failure(u, c, e);
        webcall_free(c);
        end_upload(u);
        return;
    }
    u->id = webcall_encode(&u->op->arena, str_from(id), false);
    webcall_free(c);
    begin_parts(u);
    if (u->failure.code != ERR_NONE && u->ended == u->begun) {
        abort_upload(u);
    }
}

static int sign_beginning(struct webcall *c, struct err *e)
{
    struct keystore *k = c->ctx2;
    webcall_header(c, "Content-Type: application/octet-stream");
    if (k->dialect->describe) {
        k->dialect->describe(k, c, true);
    }
    return k->dialect->sign(k, c, e);
}

void keystore_put_parts(struct keystore *k, struct netop *op, int fd, uint64_t size)
{
    struct upload *u = xcalloc(1, sizeof(*u));
    uint64_t least = size / PARTS_MAX + 1;
    *u = (struct upload){.k = k, .op = op, .fd = fd, .size = size};
    u->part_bytes = KEYSTORE_PART_BYTES > least ? KEYSTORE_PART_BYTES : least;
    u->count = (size_t)((size + u->part_bytes - 1) / u->part_bytes);
    u->tags = xcalloc(u->count, sizeof(*u->tags));
    digest_init(&u->whole, DIGEST_MD5);
    if (is_blocks(u)) {
        begin_parts(u);
        if (u->failure.code != ERR_NONE && u->ended == u->begun) {
            abort_upload(u);
        }
        return;
    }
    struct webcall *c = upload_call(u, "POST", "uploads=");
    c->body = STR("");
    c->prepare = sign_beginning;
    c->done = on_begun;
    webcall_start(k->engine, c);
}
