/* The memo of hashes: any bytes in its file are an empty or a shorter memo, which still works. */
#include "state.h"

#include "err.h"
#include "fs.h"
#include "log.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MD5 "0123456789abcdef0123456789abcdef"

static char dir[] = "/tmp/nephron-state-fuzz-XXXXXX";

static void leave(void)
{
    fs_remove_tree(dir, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char path[64];
    char md5[33];
    const struct stat st = {.st_dev = 1, .st_ino = 2, .st_size = 3};
    if (path[0] == 0) {
        log_set_level(LOG_ERROR);
        fs_set_sync(false);
        if (mkdtemp(dir) == NULL) {
            abort();
        }
        atexit(leave);
        snprintf(path, sizeof(path), "%s/state", dir);
    }
    if (fs_write_atomic(path, data, size, 0, NULL) < 0) {
        abort();
    }
    struct state *s = state_open(path);
    state_get(s, &st, STATE_MD5, md5);
    state_put(s, &st, STATE_MD5, MD5, state_now_ns());
    state_close(s);
    s = state_open(path);
    if (!state_get(s, &st, STATE_MD5, md5) || strcmp(md5, MD5) != 0) {
        abort();
    }
    state_close(s);
    return 0;
}
