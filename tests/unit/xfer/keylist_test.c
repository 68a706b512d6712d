/* keylist: pages of names, and what is none. */
#include "keylist.h"

#include "arena.h"
#include "err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void reads_s3(void **state)
{
    static const char xml[] =
        "<?xml version=\"1.0\"?><ListBucketResult "
        "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Name>b</Name><Prefix>Key</Prefix>"
        "<Contents><Key>a%2Bb+c/%C3%BC</Key><ETag>&quot;5d-2&quot;</ETag><Size>12</"
        "Size><Owner><ID>Key</ID></Owner></Contents>"
        "<Contents><Key>x%00y</Key><Size>-3</Size></Contents><NextContinuationToken>t&amp;1</"
        "NextContinuationToken></ListBucketResult>";
    struct arena a;
    struct keylist l;
    arena_init(&a);
    assert_int_equal(keylist_parse(&a, STR(xml), &keylist_s3, &l, NULL), 0);
    assert_int_equal(l.count, 2);
    assert_true(str_is(l.items[0].key, "a+b c/\xc3\xbc"));
    assert_int_equal(l.items[0].size, 12);
    assert_string_equal(l.items[0].etag, "5d-2");
    assert_int_equal(l.items[1].key.n, 3); /* whoever takes it sees the NUL */
    assert_int_equal(l.items[1].size, 0);
    assert_string_equal(l.next, "t&1");
    keylist_release(&l);
    arena_release(&a);
}

static void reads_azure(void **state)
{
    static const char xml[] =
        "\xef\xbb\xbf<EnumerationResults><Blobs><Blob><Name>a+b &amp; "
        "%41</Name><Properties><Etag>0x1</Etag><Content-Length>7</Content-Length>"
        "</Properties></Blob><Blob><Name Encoded=\"true\">%41+</Name></Blob></Blobs><NextMarker "
        "/></EnumerationResults>";
    struct arena a;
    struct keylist l;
    arena_init(&a);
    assert_int_equal(keylist_parse(&a, STR(xml), &keylist_azure, &l, NULL), 0);
    assert_int_equal(l.count, 2);
    assert_true(str_is(l.items[0].key, "a+b & %41"));
    assert_int_equal(l.items[0].size, 7);
    assert_true(str_is(l.items[1].key, "A+"));
    assert_null(l.next);
    keylist_release(&l);
    arena_release(&a);
}

static void refuses_what_is_none(void **state)
{
    static const char *const bad[] = {"",
                                      "{}",
                                      "<ListBucketResult><Contents><Key>a",
                                      "<a><b></a>",
                                      "<!DOCTYPE a [<!ENTITY x \"y\">]><a>&x;</a>",
                                      "<a>\x01</a>"};
    struct arena a;
    struct keylist l;
    arena_init(&a);
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        struct err e = ERR_INIT;
        assert_int_equal(keylist_parse(&a, str_from(bad[i]), &keylist_s3, &l, &e), -1);
        assert_int_equal(e.code, ERR_FORMAT);
        assert_null(l.items);
    }
    assert_null(keylist_text(&a, STR("<Error><Code>x"), "Code"));
    assert_string_equal(
        keylist_text(&a, STR("<Error><Code>x</Code><Code>y</Code></Error>"), "Code"), "x");
    arena_release(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_s3),
        cmocka_unit_test(reads_azure),
        cmocka_unit_test(refuses_what_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
