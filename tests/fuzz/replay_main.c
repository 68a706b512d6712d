/* Runs a fuzz target over files and folders of a corpus, for builds without libFuzzer. Options are ignored. */

#include "arena.h"
#include "err.h"
#include "fs.h"
#include "str.h"

#include <stdint.h>
#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int run_file(const char *path, size_t *count, struct err *e)
{
    struct strbuf text;
    strbuf_init(&text);
    int rc = fs_read(path, 0, &text, e);
    if (rc == 0) {
        LLVMFuzzerTestOneInput((const uint8_t *)text.p, text.n);
        ++*count;
    }
    strbuf_release(&text);
    return rc;
}

struct replay {
    const char *root;
    size_t count;
};

static int run_entry(void *ctx, const struct fs_entry *entry, struct err *e)
{
    struct replay *r = ctx;
    if (!S_ISREG(entry->st.st_mode)) {
        return 0;
    }
    struct strbuf path;
    strbuf_init(&path);
    strbuf_addf(&path, "%s/%s", r->root, entry->path);
    int rc = run_file(path.p, &r->count, e);
    strbuf_release(&path);
    return rc;
}

int main(int argc, char **argv)
{
    struct err e = ERR_INIT;
    struct replay r = {0};
    for (int i = 1; i < argc; i++) {
        if (argv[i][0] == '-') {
            continue;
        }
        r.root = argv[i];
        int rc = fs_is_dir(argv[i]) ? fs_walk(argv[i], run_entry, &r, &e)
                                    : run_file(argv[i], &r.count, &e);
        if (rc < 0) {
            fprintf(stderr, "%s\n", e.text);
            return 1;
        }
    }
    printf("%zu inputs\n", r.count);
    return r.count > 0 ? 0 : 1;
}
