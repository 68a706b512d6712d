/* state: what may be believed, and damage that must be harmless. */
#include "state.h"

#include "fs.h"
#include "store_check.h"

#include <sys/wait.h>

static const char md5[] = "0084467710d2fc9d8a306e14efbe6d0f";

static struct stat old_file(struct place *t, const char *name)
{
    struct stat st;
    place_write(t, name, "content");
    assert_int_equal(stat(place_path(t, name), &st), 0);
    /* as if it had been there for long: both times are part of the key */
    st.st_mtim.tv_sec -= 100;
    st.st_ctim.tv_sec -= 100;
    return st;
}

static void remembers_across_processes(void **state)
{
    struct place *t = *state;
    const char *path = place_path(t, "sub/state");
    struct stat st = old_file(t, "f");
    char got[33] = "";
    struct state *s = state_open(path);
    assert_false(state_get(s, &st, STATE_MD5, got));
    state_put(s, &st, STATE_MD5, md5, state_now_ns());
    assert_true(state_get(s, &st, STATE_MD5, got));
    assert_false(state_get(s, &st, STATE_MD5_LEGACY, got));
    state_close(s);
    s = state_open(path);
    assert_true(state_get(s, &st, STATE_MD5, got));
    assert_string_equal(got, md5);
    struct stat other = st;
    other.st_size++;
    assert_false(state_get(s, &other, STATE_MD5, got));
    other = st;
    other.st_mtim.tv_nsec ^= 1;
    assert_false(state_get(s, &other, STATE_MD5, got));
    other = st;
    other.st_ctim.tv_nsec ^= 1;
    assert_false(state_get(s, &other, STATE_MD5, got));
    other = st;
    other.st_ino++;
    assert_false(state_get(s, &other, STATE_MD5, got));
    state_close(s);
}

static void young_files_are_not_remembered(void **state)
{
    struct place *t = *state;
    struct stat st;
    char got[33];
    place_write(t, "f", "x");
    assert_int_equal(stat(place_path(t, "f"), &st), 0);
    struct state *s = state_open(NULL);
    state_put(s, &st, STATE_MD5, md5, state_now_ns());
    assert_false(state_get(s, &st, STATE_MD5, got));
    /* a clock that was set back: the file is from the future */
    state_put(s, &st, STATE_MD5, md5, state_now_ns() - (int64_t)400 * 86400 * 1000000000);
    assert_false(state_get(s, &st, STATE_MD5, got));
    state_close(s);
}

static void damage_is_harmless(void **state)
{
    struct place *t = *state;
    const char *path = place_path(t, "state");
    struct stat st = old_file(t, "f"), st2 = old_file(t, "g");
    char got[33];
    struct state *s = state_open(path);
    state_put(s, &st, STATE_MD5, md5, state_now_ns());
    state_close(s);
    struct strbuf file;
    strbuf_init(&file);
    assert_int_equal(fs_read(path, 0, &file, NULL), 0);
    /* each byte flipped, and each shorter file: never a wrong answer, and the next writer mends it
     */
    for (size_t i = 0; i < file.n; i++) {
        for (int cut = 0; cut < 2; cut++) {
            char *copy = malloc(file.n);
            memcpy(copy, file.p, file.n);
            copy[i] = (char)(copy[i] ^ 0x41);
            assert_int_equal(fs_write_atomic(path, copy, cut ? i : file.n, 0, NULL), 0);
            free(copy);
            s = state_open(path);
            bool known = state_get(s, &st, STATE_MD5, got);
            assert_true(!known || !strcmp(got, md5));
            state_put(s, &st2, STATE_MD5, md5, state_now_ns());
            state_close(s);
            s = state_open(path);
            assert_true(state_get(s, &st2, STATE_MD5, got));
            state_close(s);
        }
    }
    strbuf_release(&file);
}

static void several_processes_append(void **state)
{
    struct place *t = *state;
    const char *path = place_path(t, "state");
    struct stat base = old_file(t, "f");
    state_close(state_open(path));
    for (int p = 0; p < 4; p++) {
        if (fork() == 0) {
            for (int i = 0; i < 50; i++) {
                struct stat st = base;
                st.st_ino = (ino_t)(p * 1000 + i + 1);
                struct state *s = state_open(path);
                state_put(s, &st, STATE_MD5, md5, state_now_ns());
                state_close(s);
            }
            _exit(0);
        }
    }
    int status;
    while (wait(&status) > 0) {
        assert_int_equal(status, 0);
    }
    /* also of those who made the file at the same time */
    struct state *s = state_open(path);
    int known = 0;
    char got[33];
    for (int p = 0; p < 4; p++) {
        for (int i = 0; i < 50; i++) {
            struct stat st = base;
            st.st_ino = (ino_t)(p * 1000 + i + 1);
            known += state_get(s, &st, STATE_MD5, got);
        }
    }
    state_close(s);
    assert_int_equal(known, 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PLACE_TEST(remembers_across_processes), PLACE_TEST(young_files_are_not_remembered),
        PLACE_TEST(damage_is_harmless), PLACE_TEST(several_processes_append)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
