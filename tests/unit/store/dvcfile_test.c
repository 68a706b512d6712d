/* dvcfile: new files and edits that keep what people wrote. */
#include "dvcfile.h"

#include "err.h"
#include "yaml.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const struct hash folder = {
    .md5 = "4a8d1c454172624a92e9bc4bbe4f459c.dir", .size = 20, .nfiles = 9};
static const struct hash file = {
    .md5 = "4f98f59e877ecb84ff75ef0fab45bac5", .size = 3, .nfiles = -1, .isexec = true};

static void new_files(void **state)
{
    struct strbuf out;
    strbuf_init(&out);
    dvcfile_new(&out, "data", &folder);
    assert_string_equal(out.p, "outs:\n- md5: 4a8d1c454172624a92e9bc4bbe4f459c.dir\n  size: 20\n"
                               "  nfiles: 9\n  hash: md5\n  path: data\n");
    strbuf_reset(&out);
    dvcfile_new(&out, "x: y.sh", &file);
    assert_string_equal(out.p, "outs:\n- md5: 4f98f59e877ecb84ff75ef0fab45bac5\n  size: 3\n"
                               "  isexec: true\n  hash: md5\n  path: 'x: y.sh'\n");
    strbuf_release(&out);
}

static void edit(const char *text, const struct hash *h, const char *want)
{
    struct strbuf out;
    struct err e = ERR_INIT;
    strbuf_init(&out);
    if (dvcfile_edit(str_from(text), "outs", 0, h, &out, &e) < 0) {
        fail_msg("%s", e.text);
    }
    assert_string_equal(out.p, want);
    strbuf_release(&out);
}

static void keeps_what_people_wrote(void **state)
{
    edit("# top\n# two\nouts:\n- md5: aaaa # why\n  size: 1\n  hash: md5\n  path: \"data\"\n"
         "  desc: 'it''s' # here\n\n# tail\nmeta:\n  size: 5\n",
         &folder,
         "# top\n# two\nouts:\n- md5: 4a8d1c454172624a92e9bc4bbe4f459c.dir # why\n  size: 20\n"
         "  hash: md5\n  path: \"data\"\n  desc: 'it''s' # here\n  nfiles: 9\n\n# tail\nmeta:\n"
         "  size: 5\n");
    /* indented list, another order, fields that go away */
    edit("outs:\n  - path: x\n    nfiles: 3\n    md5: a.dir\n    size: 2\n", &file,
         "outs:\n  - path: x\n    md5: 4f98f59e877ecb84ff75ef0fab45bac5\n    size: 3\n"
         "    isexec: true\n    hash: md5\n");
    edit("outs:\n- nfiles: 3\n  md5: a.dir\n  path: x", &file,
         "outs:\n- md5: 4f98f59e877ecb84ff75ef0fab45bac5\n  path: x\n  size: 3\n  isexec: true\n"
         "  hash: md5\n");
    edit("outs:\n- {md5: a, path: x}\n", &folder,
         "outs:\n- md5: 4a8d1c454172624a92e9bc4bbe4f459c.dir\n  path: x\n  size: 20\n  nfiles: 9\n"
         "  hash: md5\n");
}

static void second_item(void **state)
{
    struct strbuf out;
    strbuf_init(&out);
    assert_int_equal(dvcfile_edit(str_from("outs:\n- md5: a\n  path: x\n- md5: b\n  path: y\n"),
                                  "outs", 1, &file, &out, NULL),
                     0);
    assert_string_equal(out.p,
                        "outs:\n- md5: a\n  path: x\n- md5: 4f98f59e877ecb84ff75ef0fab45bac5\n"
                        "  path: y\n  size: 3\n  isexec: true\n  hash: md5\n");
    strbuf_reset(&out);
    struct err e = ERR_INIT;
    assert_int_equal(dvcfile_edit(str_from("outs: []\n"), "outs", 0, &file, &out, &e), -1);
    assert_int_equal(e.code, ERR_FORMAT);
    strbuf_release(&out);
}

static void import_md5(void **state)
{
    /* made by `dvc import-url /tmp/nephron-import/f.txt imp.txt` of DVC 3.67.1 */
    static const char text[] = "md5: 270377968bf3b3bc13839142496db762\nfrozen: true\ndeps:\n"
                               "- md5: 764efa883dda1e11db47671c4a3bbd9e\n  size: 3\n  hash: md5\n"
                               "  path: /tmp/nephron-import/f.txt\nouts:\n"
                               "- md5: 764efa883dda1e11db47671c4a3bbd9e\n  size: 3\n  hash: md5\n"
                               "  path: imp.txt\n";
    struct arena a;
    char hex[33];
    arena_init(&a);
    struct value *doc = yaml_parse(&a, str_from(text), NULL, NULL);
    dvcfile_stage_md5(doc, hex);
    assert_string_equal(hex, "270377968bf3b3bc13839142496db762");
    arena_release(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(new_files),
                                       cmocka_unit_test(keeps_what_people_wrote),
                                       cmocka_unit_test(second_item), cmocka_unit_test(import_md5)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
