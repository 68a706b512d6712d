/*
 * The real PyTorch on the other side: it reads what we write, we read what it writes (zip and
 * legacy, protocols 2 and 4, views, all types). Skips when $NEPHRON_TORCH_PYTHON (or python3) has
 * no torch.
 */
#include "weights_check.h"

#include <spawn.h>
#include <sys/wait.h>

extern char **environ;

static char *dir;

static int peer(const char *action)
{
    const char *python = getenv("NEPHRON_TORCH_PYTHON");
    const char *script = NEPHRON_SOURCE_DIR "/tests/unit/nn/weights_torch_peer.py";
    const char *argv[] = {python != NULL ? python : "python3", "-B", script, action, dir, NULL};
    pid_t pid;
    int status = 0;
    if (posix_spawnp(&pid, argv[0], NULL, NULL, (char *const *)argv, environ) != 0) {
        return 77;
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void shape_text(const struct weights_entry *t, char out[128])
{
    out[0] = '\0';
    for (unsigned i = 0; i < t->ndim; i++) {
        size_t used = strlen(out);
        snprintf(out + used, 128 - used, i > 0 ? "x%zu" : "%zu", t->shape[i]);
    }
}

/* file, name, dtype, shape, md5 */
static void check_line(char *line)
{
    char *column[5], shape[128];
    struct err e = ERR_INIT;
    struct weights_summary s;
    line[strcspn(line, "\n")] = '\0';
    for (int i = 0; i < 5; i++) {
        column[i] = strsep(&line, "\t");
        assert_non_null(column[i]);
    }
    struct weights *w = weights_open(check_path(dir, column[0]), NULL, &e);
    if (w == NULL) {
        fail_msg("%s", e.text);
    }
    const struct weights_entry *t = weights_find(w, column[1]);
    if (t == NULL) {
        fail_msg("%s: no tensor '%s'", column[0], column[1]);
    }
    shape_text(t, shape);
    weights_summarise(t, &s);
    assert_string_equal(weights_dtype_name(t->dtype), column[2]);
    assert_string_equal(shape, column[3]);
    assert_string_equal(s.md5, column[4]);
    weights_close(w);
}

static void test_reads_what_torch_writes(void **state)
{
    char line[4096];
    int rc = peer("write");
    assert_int_equal(rc, 0);
    FILE *f = fopen(check_path(dir, "expect.tsv"), "r");
    assert_non_null(f);
    size_t rows = 0;
    while (fgets(line, sizeof(line), f) != NULL) {
        check_line(line);
        rows++;
    }
    fclose(f);
    assert_true(rows > 100);

    struct err e = ERR_INIT;
    assert_null(weights_open(check_path(dir, "module.pth"), NULL, &e));
    CHECK_CONTAINS(e.text, "'torch.nn.modules.linear.Linear'");
    assert_null(weights_open(check_path(dir, "complex.pth"), NULL, &e));
    CHECK_CONTAINS(e.text, "'torch.ComplexFloatStorage' is not supported");
}

static struct weights_entry entry(const char *name, enum weights_dtype type, const void *data,
                                  unsigned ndim, const size_t *shape)
{
    struct err e = ERR_INIT;
    struct weights_entry t = {.name = name, .dtype = type, .data = data, .ndim = ndim};
    for (unsigned i = 0; i < ndim; i++) {
        t.shape[i] = shape[i];
    }
    CHECK_OK(weights_entry_layout(&t, &e));
    return t;
}

static void write_ours(void)
{
    static const unsigned char raw[64] = {1, 0, 1, 0, 0x80, 0x3F, 7, 8, 9, 200, 1, 0, 0, 1};
    static const unsigned char flags[3] = {1, 0, 1};
    struct err e = ERR_INIT;
    struct weights_entry t[16];
    size_t n = 0;
    for (int i = 0; i < WEIGHTS_DTYPE_COUNT; i++) {
        enum weights_dtype type = (enum weights_dtype)i;
        if (weights_dtype_torch(type) != NULL && type != WEIGHTS_BOOL) {
            t[n++] = entry(weights_dtype_name(type), type, raw, 2, (size_t[]){2, 3});
        }
    }
    t[n++] = entry("flags", WEIGHTS_BOOL, flags, 1, (size_t[]){3});
    t[n++] = entry("counter", WEIGHTS_I64, raw, 0, NULL);
    t[n++] = entry("none", WEIGHTS_F32, raw, 3, (size_t[]){2, 0, 3});
    t[n] = entry("transposed.ü", WEIGHTS_F32, raw, 2, (size_t[]){2, 4});
    t[n].strides[0] = 1;
    t[n++].strides[1] = 2;
    struct weights_meta meta = {"architecture", "vgg16"};
    CHECK_OK(weights_save(check_path(dir, "ours.pth"), t, n, &meta, 1, &e));
    FILE *f = fopen(check_path(dir, "ours.tsv"), "w");
    for (size_t i = 0; i < n; i++) {
        struct weights_summary s;
        char shape[128];
        shape_text(&t[i], shape);
        weights_summarise(&t[i], &s);
        fprintf(f, "ours.pth\t%s\t%s\t%s\t%s\n", t[i].name, weights_dtype_name(t[i].dtype), shape,
                s.md5);
    }
    fclose(f);
}

/* What modelio_test.c does with a model, here with the bare shapes of torchvision's VGG11_BN; its
 * 500 MB of classifier are one shared buffer of zeros. */
static void write_vgg(void)
{
    static const size_t widths[] = {64, 128, 256, 256, 512, 512, 512, 512};
    static const int places[] = {0, 4, 8, 11, 15, 18, 22, 25};
    static const char *const norms[] = {"weight", "bias", "running_mean", "running_var"};
    static char names[64][48];
    static const int64_t counter = 5;
    struct err e = ERR_INIT;
    struct weights_entry t[64];
    size_t n = 0, in = 3;
    float *zeros = calloc(25088 * 4096, sizeof(*zeros));
    for (int i = 0; i < 8; i++) {
        size_t out = widths[i];
        snprintf(names[n], 48, "features.%d.weight", places[i]);
        t[n] = entry(names[n], WEIGHTS_F32, zeros, 4, (size_t[]){out, in, 3, 3});
        n++;
        snprintf(names[n], 48, "features.%d.bias", places[i]);
        t[n] = entry(names[n], WEIGHTS_F32, zeros, 1, (size_t[]){out});
        n++;
        for (int k = 0; k < 4; k++, n++) {
            snprintf(names[n], 48, "features.%d.%s", places[i] + 1, norms[k]);
            t[n] = entry(names[n], WEIGHTS_F32, zeros, 1, (size_t[]){out});
        }
        snprintf(names[n], 48, "features.%d.num_batches_tracked", places[i] + 1);
        t[n] = entry(names[n], WEIGHTS_I64, &counter, 0, NULL);
        n++;
        in = out;
    }
    static const size_t dense[3][2] = {{4096, 25088}, {4096, 4096}, {3, 4096}};
    for (int i = 0; i < 3; i++) {
        snprintf(names[n], 48, "classifier.%d.weight", 3 * i);
        t[n] = entry(names[n], WEIGHTS_F32, zeros, 2, dense[i]);
        n++;
        snprintf(names[n], 48, "classifier.%d.bias", 3 * i);
        t[n] = entry(names[n], WEIGHTS_F32, zeros, 1, dense[i]);
        n++;
    }
    struct weights_meta meta = {"architecture", "vgg11_bn"};
    CHECK_OK(weights_save(check_path(dir, "vgg.pth"), t, n, &meta, 1, &e));
    free(zeros);
}

static void test_torch_reads_what_we_write(void **state)
{
    write_ours();
    write_vgg();
    int rc = peer("read");
    assert_int_equal(rc, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads_what_torch_writes),
        cmocka_unit_test(test_torch_reads_what_we_write),
    };
    dir = check_dir_new();
    /* No file is written for a peer that is not there. */
    int failed = peer("probe") == 77 ? -77 : cmocka_run_group_tests(tests, NULL, NULL);
    check_dir_free(dir);
    if (failed == -77) {
        printf("SKIP: no PyTorch (set NEPHRON_TORCH_PYTHON)\n");
        return 77;
    }
    return failed;
}
