/*
 * The archive walk on any bytes: zip, tar and compressed tar, with small limits so that a bomb ends
 * soon. Names that reach the visitor must be safe to make.
 */
#include "err.h"
#include "path.h"
#include "unpack.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_name(const char *name)
{
    if (!path_is_safe_member(str_from(name))) {
        abort();
    }
}

static int on_folder(void *ctx, const char *name, struct err *e)
{
    check_name(name);
    return 0;
}

static int on_begin(void *ctx, const char *name, bool executable, struct err *e)
{
    check_name(name);
    return 0;
}

static int on_data(void *ctx, const void *data, size_t n, struct err *e)
{
    *(uint64_t *)ctx += n;
    return 0;
}

static int on_end(void *ctx, struct err *e)
{
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint64_t bytes = 0;
    struct unpack_visitor visitor = {on_folder, on_begin, on_data, on_end, &bytes};
    struct unpack_options opt = {.name = "fuzz", .limits = {.bytes = 1 << 20, .entries = 1000}};
    struct unpack_stats stats;
    struct err e = ERR_INIT;
    int rc = unpack_walk_memory(data, size, &visitor, &opt, &stats, &e);
    if (bytes > (1 << 20) + (128 << 10) || (rc < 0) != (e.code != ERR_NONE)) {
        abort();
    }
    return 0;
}
