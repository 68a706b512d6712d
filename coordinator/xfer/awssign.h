#ifndef NEPHRON_AWSSIGN_H
#define NEPHRON_AWSSIGN_H

#include <stdint.h>

struct awscreds;
struct webcall;

/*
 * Signature version 4 of AWS, in headers. libcurl's own (CURLOPT_AWS_SIGV4) does not do in 7.88: it
 * neither sorts and encodes the query nor signs further headers, and it hashes what it does not
 * send yet. Bodies of files are not signed (UNSIGNED-PAYLOAD): their Content-MD5 is.
 * Signed: Host, Content-MD5, Content-Type and X-Amz-*. The query must be sorted and encoded, as
 * keystore's callers make it. Source: AWS, "Authenticating requests (Signature Version 4)".
 */
void awssign_request(struct webcall *c, const struct awscreds *creds, const char *region,
                     const char *service, int64_t wall_ms);

#endif
