/* Files, digests and child processes, in a folder of their own. */

#include "digest.h"
#include "err.h"
#include "fs.h"
#include "proc.h"

#include "base_check.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int enter_folder(void **state)
{
    static char dir[] = "/tmp/nephron-files-XXXXXX";
    *state = mkdtemp(dir);
    return *state != NULL && chdir(dir) == 0 ? 0 : -1;
}

static int leave_folder(void **state)
{
    return chdir("/") == 0 ? fs_remove_tree(*state, NULL) : -1;
}

static int count_entries(void *ctx, const struct fs_entry *entry, struct err *e)
{
    strbuf_addf(ctx, "%s%s ", entry->path, S_ISDIR(entry->st.st_mode) ? "/" : "");
    return 0;
}

static void writes_are_whole_and_leave_no_temp_file(void **state)
{
    struct err e = ERR_INIT;
    bool changed;
    struct strbuf b;
    strbuf_init(&b);
    assert_int_equal(fs_mkdirs("d/e/f", &e), 0);
    assert_int_equal(fs_write_atomic("d/x", "hello", 5, 0444, &e), 0);
    assert_int_equal(fs_write_atomic("d/x", "world!", 6, 0, &e), 0);
    assert_int_equal(fs_read("d/x", 0, &b, &e), 0);
    assert_string_equal(b.p, "world!");
    assert_int_equal(fs_write_if_changed("d/x", "world!", 6, &changed, &e), 0);
    assert_false(changed);
    strbuf_reset(&b);
    assert_int_equal(fs_walk("d", count_entries, &b, &e), 0);
    assert_string_equal(b.p, "e/ e/f/ x ");
    strbuf_release(&b);
}

static void errors_name_the_file(void **state)
{
    struct err e = ERR_INIT;
    struct strbuf b;
    strbuf_init(&b);
    assert_int_equal(fs_read("absent", 0, &b, &e), -1);
    assert_int_equal(e.code, ERR_MISSING);
    assert_string_equal(e.text, "cannot open absent: No such file or directory");
    assert_int_equal(fs_write_atomic("no/such/folder", "x", 1, 0, &e), -1);
    assert_int_equal(fs_write_atomic("big", "0123456789", 10, 0, &e), 0);
    assert_int_equal(fs_read("big", 9, &b, &e), -1);
    assert_int_equal(e.code, ERR_LIMIT);
    strbuf_release(&b);
}

/* Every other host may be at work in the same folder. */
static void temp_files_of_dead_processes_go_with_the_next_write(void **state)
{
    struct err e = ERR_INIT;
    struct strbuf b;
    char host[256] = "", dead[400], other_dead_name[400];
    gethostname(host, sizeof(host) - 1);
    snprintf(dead, sizeof(dead), "t/.nephron-%s-999999999-7.tmp", host);
    snprintf(other_dead_name, sizeof(other_dead_name), "t/.nephron-not-%s-999999999-7.tmp", host);
    assert_int_equal(fs_mkdirs("t", &e), 0);
    const char *const there[] = {dead, other_dead_name, "t/.nephron-.tmp", "t/.nephron-x-1-1.tm"};
    for (size_t i = 0; i < sizeof(there) / sizeof(there[0]); i++) {
        fclose(fopen(there[i], "w"));
    }
    assert_int_equal(fs_write_atomic("t/x", "new", 3, 0, &e), 0);
    assert_false(fs_exists(dead));
    assert_true(fs_exists(other_dead_name));
    assert_int_equal(fs_remove(other_dead_name, &e), 0);
    strbuf_init(&b);
    assert_int_equal(fs_walk("t", count_entries, &b, &e), 0);
    assert_string_equal(b.p, ".nephron-.tmp .nephron-x-1-1.tm x ");
    strbuf_release(&b);
}

static void removal_follows_no_link(void **state)
{
    struct err e = ERR_INIT;
    assert_int_equal(fs_mkdirs("keep", &e), 0);
    assert_int_equal(fs_write_atomic("keep/file", "x", 1, 0, &e), 0);
    assert_int_equal(fs_mkdirs("gone/sub", &e), 0);
    assert_int_equal(symlink("../keep", "gone/link"), 0);
    assert_int_equal(fs_remove_tree("gone", &e), 0);
    assert_false(fs_exists("gone"));
    assert_true(fs_exists("keep/file"));
    assert_int_equal(fs_remove_tree("gone", &e), 0);
}

static void digests_match_known_values(void **state)
{
    char hex[DIGEST_HEX_SIZE];
    digest_buffer(DIGEST_MD5, "foo", 3, hex);
    assert_string_equal(hex, "acbd18db4cc2f85cedef654fccc4a4d8");
    digest_buffer(DIGEST_SHA256, "abc", 3, hex);
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_int_equal(digest_crc32c(0, "123456789", 9), 0xE3069283);
    uint64_t size;
    assert_int_equal(fs_write_atomic("f", "foo", 3, 0, NULL), 0);
    assert_int_equal(digest_file(DIGEST_MD5, "f", hex, &size, NULL), 0);
    assert_string_equal(hex, "acbd18db4cc2f85cedef654fccc4a4d8");
    assert_int_equal(size, 3);
}

/* Every length about the ends of blocks, in lanes that are at different places, from one text to more than fill the lanes. */
static void digests_of_many_are_those_of_each(void **state)
{
    static unsigned char data[20000];
    static struct digest_job jobs[400];
    for (size_t i = 0; i < sizeof(data); i++) {
        data[i] = (unsigned char)(i * 31 + i / 251);
    }
    for (size_t count = 0; count <= 400; count += count < 40 ? 1 : 60) {
        for (size_t i = 0; i < count; i++) {
            size_t n = i % 3 == 0 ? i * 43 % 15000 : i < 200 ? i : 4096 + i;
            jobs[i] = (struct digest_job){.data = data + i * 7, .n = n};
        }
        digest_md5_many(jobs, count);
        for (size_t i = 0; i < count; i++) {
            char hex[DIGEST_HEX_SIZE];
            digest_buffer(DIGEST_MD5, jobs[i].data, jobs[i].n, hex);
            assert_string_equal(jobs[i].hex, hex);
        }
    }
}

/* Bytes that differ from chunk to chunk, so that chunks in another order do not pass. */
static void write_numbers(const char *path, uint32_t count)
{
    FILE *f = fopen(path, "w");
    for (uint32_t i = 0; i < count; i++) {
        fwrite(&i, sizeof(i), 1, f);
    }
    assert_int_equal(fclose(f), 0);
}

static void big_copies_are_hashed_beside(void **state)
{
    struct err e = ERR_INIT;
    char want[DIGEST_HEX_SIZE], hex[DIGEST_HEX_SIZE];
    uint64_t size;
    /* below, at and above 16 MiB, from where on two threads work; the last is no whole chunk */
    static const uint32_t counts[] = {0, 1000, (4 << 20) - 1, 4 << 20, (5 << 20) + 77};
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        write_numbers("from", counts[i]);
        assert_int_equal(digest_file(DIGEST_MD5, "from", want, NULL, &e), 0);
        int from = open("from", O_RDONLY), to = open("to", O_RDWR | O_CREAT | O_TRUNC, 0600);
        assert_int_equal(digest_copy(DIGEST_MD5, from, to, "from", hex, &size, &e), 0);
        assert_int_equal(size, counts[i] * sizeof(uint32_t));
        assert_string_equal(hex, want);
        assert_int_equal(digest_file(DIGEST_MD5, "to", hex, NULL, &e), 0);
        assert_string_equal(hex, want);
        close(to);
        /* what cannot be written is an error, and the other thread ends */
        to = open("to", O_RDONLY);
        lseek(from, 0, SEEK_SET);
        int rc = digest_copy(DIGEST_MD5, from, to, "from", hex, &size, &e);
        assert_int_equal(rc, counts[i] > 0 ? -1 : 0);
        close(from);
        close(to);
    }
}

static void children_are_captured(void **state)
{
    const char *const argv[] = {"sh", "-c", "echo out; echo err >&2; exit 3", NULL};
    struct strbuf out, errout;
    struct proc_status st;
    strbuf_init(&out);
    strbuf_init(&errout);
    assert_int_equal(proc_capture(&(struct proc_options){.argv = argv}, &out, &errout, &st, NULL),
                     0);
    assert_string_equal(out.p, "out\n");
    assert_string_equal(errout.p, "err\n");
    assert_true(st.exited);
    assert_int_equal(proc_exit_code(&st), 3);
    const char *const nothing[] = {"/nonexistent/program", NULL};
    struct err e = ERR_INIT;
    assert_int_equal(proc_capture(&(struct proc_options){.argv = nothing}, &out, NULL, &st, &e),
                     -1);
    assert_int_equal(e.code, ERR_MISSING);
    strbuf_release(&out);
    strbuf_release(&errout);
}

static void groups_are_killed_and_folders_entered(void **state)
{
    const char *const argv[] = {"sh", "-c", "sleep 100 & wait", NULL};
    for (int with_parent = 0; with_parent < 2; with_parent++) {
        struct proc p;
        struct proc_status st;
        struct proc_options opt = {
            .argv = argv, .cwd = "/", .new_group = true, .die_with_parent = with_parent};
        assert_int_equal(proc_start(&p, &opt, NULL), 0);
        assert_int_equal(proc_poll(&p, &st, NULL), 0);
        proc_kill(&p, SIGKILL);
        assert_int_equal(proc_wait(&p, &st, NULL), 0);
        assert_false(st.exited);
        assert_int_equal(proc_exit_code(&st), 128 + SIGKILL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_are_whole_and_leave_no_temp_file),
        cmocka_unit_test(errors_name_the_file),
        cmocka_unit_test(temp_files_of_dead_processes_go_with_the_next_write),
        cmocka_unit_test(removal_follows_no_link),
        cmocka_unit_test(digests_match_known_values),
        cmocka_unit_test(digests_of_many_are_those_of_each),
        cmocka_unit_test(big_copies_are_hashed_beside),
        cmocka_unit_test(children_are_captured),
        cmocka_unit_test(groups_are_killed_and_folders_entered),
    };
    return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
