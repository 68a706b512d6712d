/*
 * Writing of checkpoints: header, arrays straight from the caller's memory, digest; then the older
 * files beyond `keep` go. A kill at any moment leaves the earlier files as they were, and a temp
 * file that the next write sweeps.
 */
#include "checkpoint.h"

#include "checkpoint_layout.h"

#include "alloc.h"
#include "bytes_le.h"
#include "err.h"
#include "fs.h"
#include "path.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define DEFAULT_KEEP 2
/* Hash and write in turns, while the piece is in the cache. */
#define PIECE_BYTES ((size_t)1 << 20)

struct writer {
    int fd;
    const char *path;
    struct digest sha;
    uint64_t at;
};

static int put(struct writer *w, const void *data, size_t n, struct err *e)
{
    const unsigned char *p = data;
    w->at += n;
    while (n > 0) {
        size_t piece = n < PIECE_BYTES ? n : PIECE_BYTES;
        digest_update(&w->sha, p, piece);
        if (fs_write_all(w->fd, p, piece, w->path, e) < 0) {
            return -1;
        }
        p += piece;
        n -= piece;
    }
    return 0;
}

static int put_padding(struct writer *w, struct err *e)
{
    static const unsigned char zeros[CHECKPOINT_ALIGNMENT];
    return put(w, zeros, (size_t)(checkpoint_align(w->at) - w->at), e);
}

static uint64_t array_bytes(const struct checkpoint_array *x)
{
    return (uint64_t)x->count * weights_dtype_size(x->dtype);
}

static void add_array(struct strbuf *head, const struct checkpoint_array *x, uint64_t offset)
{
    unsigned char record[CHECKPOINT_ARRAY_BYTES] = {0};
    memcpy(record, x->name, strlen(x->name));
    memcpy(record + 32, weights_dtype_name(x->dtype), strlen(weights_dtype_name(x->dtype)));
    le_put64(le_put64(le_put64(record + 40, x->count), offset), array_bytes(x));
    strbuf_add(head, record, sizeof(record));
}

/* Header, table of arrays and note. */
static void make_head(struct strbuf *head, const struct checkpoint_info *info,
                      const struct checkpoint_array *arrays, size_t count)
{
    unsigned char fixed[CHECKPOINT_HEAD_BYTES] = {0}, *p = fixed;
    size_t note_bytes = info->note != NULL ? strlen(info->note) : 0;
    uint64_t offset = checkpoint_data_offset(count, note_bytes), total = offset;
    for (size_t i = 0; i < count; i++) {
        total = checkpoint_align(total + array_bytes(&arrays[i]));
    }
    memcpy(p, CHECKPOINT_MAGIC, 8);
    p = le_put32(p + 8, CHECKPOINT_VERSION);
    p = le_put32(p, (uint32_t)count);
    p = le_put64(p, total + CHECKPOINT_DIGEST_BYTES);
    p = le_put64(p, info->step);
    p = le_put64(p, info->epoch);
    p = le_put64(p, info->position);
    p = le_put64(p, info->seed);
    p = le_put32(p, info->world_size);
    le_put32(p, (uint32_t)note_bytes);
    if (info->config_digest != NULL) {
        memcpy(fixed + 64, info->config_digest, strlen(info->config_digest));
    }
    if (info->model_digest != NULL) {
        memcpy(fixed + 128, info->model_digest, strlen(info->model_digest));
    }
    strbuf_add(head, fixed, sizeof(fixed));
    for (size_t i = 0; i < count; i++) {
        add_array(head, &arrays[i], offset);
        offset = checkpoint_align(offset + array_bytes(&arrays[i]));
    }
    strbuf_add(head, info->note != NULL ? info->note : "", note_bytes);
}

static int write_body(struct writer *w, const struct checkpoint_info *info,
                      const struct checkpoint_array *arrays, size_t count, struct err *e)
{
    struct strbuf head;
    strbuf_init(&head);
    make_head(&head, info, arrays, count);
    int rc = put(w, head.p, head.n, e) < 0 || put_padding(w, e) < 0 ? -1 : 0;
    strbuf_release(&head);
    for (size_t i = 0; i < count && rc == 0; i++) {
        rc = put(w, arrays[i].data, (size_t)array_bytes(&arrays[i]), e) < 0 || put_padding(w, e) < 0
                 ? -1
                 : 0;
    }
    return rc;
}

static bool is_token(const char *text, size_t max)
{
    size_t n = strlen(text);
    for (size_t i = 0; i < n; i++) {
        if (text[i] <= 0x20 || text[i] >= 0x7F) {
            return false;
        }
    }
    return n <= max;
}

static int check(const struct checkpoint_info *info, const struct checkpoint_array *arrays,
                 size_t count, struct err *e)
{
    if (count > CHECKPOINT_MAX_ARRAYS ||
        (info->note != NULL && strlen(info->note) > CHECKPOINT_MAX_NOTE) ||
        (info->config_digest != NULL && !is_token(info->config_digest, 64)) ||
        (info->model_digest != NULL && !is_token(info->model_digest, 64)) ||
        info->step > INT64_MAX) {
        return err_set(e, ERR_USAGE, "checkpoint header beyond its limits");
    }
    for (size_t i = 0; i < count; i++) {
        if (arrays[i].name[0] == '\0' || !is_token(arrays[i].name, CHECKPOINT_NAME_SIZE - 1)) {
            return err_set(e, ERR_USAGE, "checkpoint array '%.40s': name not allowed",
                           arrays[i].name);
        }
    }
    return 0;
}

static int oldest_last(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x > y ? -1 : x < y;
}

/* Removes the files of steps up to `step`, but for the newest `keep`. */
static int prune(const char *dir, uint64_t step, unsigned keep, struct err *e)
{
    struct arena a;
    char **names;
    size_t n = 0, count = 0;
    arena_init(&a);
    int rc = fs_list(&a, dir, &names, &n, e);
    uint64_t *steps = ARENA_ARRAY(&a, n, uint64_t), limit = 0;
    for (size_t i = 0; i < n; i++) {
        if (checkpoint_parse_name(names[i], &steps[count]) && steps[count] <= step) {
            count++;
        }
    }
    if (count > 1) {
        qsort(steps, count, sizeof(*steps), oldest_last);
    }
    if (count > keep) {
        limit = steps[keep - 1]; /* everything older goes */
    }
    for (size_t i = 0; i < n && rc == 0 && count > keep; i++) {
        uint64_t of_name;
        if (checkpoint_parse_name(names[i], &of_name) && of_name < limit) {
            rc = fs_remove(path_join(&a, dir, names[i]), e);
        }
    }
    arena_release(&a);
    return rc;
}

int checkpoint_write(const char *dir, const struct checkpoint_info *info,
                     const struct checkpoint_array *arrays, size_t count,
                     const struct checkpoint_write_options *options, struct err *e)
{
    struct fs_temp temp;
    char path[4096], hex[DIGEST_HEX_SIZE];
    unsigned keep = options != NULL && options->keep > 0 ? options->keep : DEFAULT_KEEP;
    if (check(info, arrays, count, e) < 0 || fs_mkdirs(dir, e) < 0) {
        return -1;
    }
    int length = snprintf(path, sizeof(path),
                          "%s/" CHECKPOINT_PREFIX "%010" PRIu64 CHECKPOINT_SUFFIX, dir, info->step);
    if (length < 0 || (size_t)length >= sizeof(path)) {
        return err_set(e, ERR_USAGE, "checkpoint folder with a path of more than 4000 bytes");
    }
    fs_sweep_temp(dir);
    if (fs_temp_open(&temp, path, 0, e) < 0) {
        return err_wrap(e, "cannot write checkpoint %s", path);
    }
    struct writer w = {.fd = temp.fd, .path = path};
    digest_init(&w.sha, DIGEST_SHA256);
    if (write_body(&w, info, arrays, count, e) < 0) {
        fs_temp_abort(&temp);
        return err_wrap(e, "cannot write checkpoint %s", path);
    }
    digest_final(&w.sha, hex);
    if (fs_write_all(temp.fd, hex, CHECKPOINT_DIGEST_BYTES, path, e) < 0) {
        fs_temp_abort(&temp);
        return err_wrap(e, "cannot write checkpoint %s", path);
    }
    if (fs_temp_commit(&temp, path, false, e) < 0) {
        return err_wrap(e, "cannot write checkpoint %s", path);
    }
    return prune(dir, info->step, keep, e);
}
