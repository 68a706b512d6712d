/* awssign: the examples of AWS's own documentation ("Authenticating requests: using the Authorization header"). */
#include "awssign.h"

#include "awscreds.h"
#include "webcall.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define WHEN_MS INT64_C(1369353600000) /* 2013-05-24T00:00:00Z */

static void expect_signature(const char *query, const char *token, const char *signature)
{
    const struct awscreds creds = {.key_id = "AKIAIOSFODNN7EXAMPLE",
                                   .secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
                                   .token = token};
    struct webcall *c = webcall_new();
    c->origin = "https://examplebucket.s3.amazonaws.com";
    c->path = "/";
    c->query = query;
    awssign_request(c, &creds, "us-east-1", "s3", WHEN_MS);
    const char *last = c->headers[c->header_count - 1];
    assert_non_null(
        strstr(last, "Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"));
    if (signature) {
        assert_string_equal(strstr(last, "Signature=") + strlen("Signature="), signature);
        assert_non_null(strstr(last, "SignedHeaders=host;x-amz-content-sha256;x-amz-date,"));
    } else {
        assert_non_null(strstr(last, "x-amz-date;x-amz-security-token,"));
    }
    webcall_free(c);
}

static void signs_as_the_documentation(void **state)
{
    expect_signature("lifecycle=", NULL,
                     "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543");
    expect_signature("max-keys=2&prefix=J", NULL,
                     "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7");
}

static void a_session_token_is_signed(void **state)
{
    expect_signature("max-keys=2&prefix=J", "session", NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signs_as_the_documentation),
        cmocka_unit_test(a_session_token_is_signed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
