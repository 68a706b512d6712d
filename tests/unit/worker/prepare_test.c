/* Published weights: the names known, and that a file that is not the published one is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "prepare.h"

#include "err.h"
#include "fs.h"
#include "model.h"
#include "str.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void every_model_has_a_file(void **state)
{
    struct str rest = str_from(model_names()), name;
    while (str_split(&rest, ',', &name)) {
        char model[32] = "";
        name = str_trim(name);
        assert_true(name.n < sizeof(model));
        memcpy(model, name.p, name.n);
        const char *file = prepare_imagenet_file(model);
        assert_non_null(file);
        assert_memory_equal(file, model, strlen(model));
        assert_int_equal(file[strlen(model)], '-');
    }
    assert_null(prepare_imagenet_file("resnet18"));
}

static void digest_prefix(void **state)
{
    /* sha256("abc") = ba7816bf… */
    char path[] = "/tmp/nephron-prepare-XXXXXX";
    struct err e = ERR_INIT;
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "abc", 3), 3);
    close(fd);
    assert_int_equal(prepare_check_digest(path, "x-ba7816bf.pth", &e), 0);
    assert_int_equal(prepare_check_digest(path, "x-ba7816b0.pth", &e), -1);
    assert_int_equal(e.code, ERR_FORMAT);
    assert_non_null(strstr(e.text, "ba7816bf"));
    assert_non_null(strstr(e.text, path));
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_model_has_a_file),
        cmocka_unit_test(digest_prefix),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
