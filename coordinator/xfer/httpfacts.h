#ifndef NEPHRON_HTTPFACTS_H
#define NEPHRON_HTTPFACTS_H

struct keystore;
struct netop;

/*
 * What a web server says of one file: the answer to 'H' of remote_helper.h. Its third field is the
 * text that DVC records as `checksum`: the ETag as it came, else Content-MD5, else a number made of
 * all that the server said (fsspec's `checksum`: the MD5 of the repr of a dictionary, in decimal).
 * HEAD is asked, then, when it is refused or gives no length, a GET of one byte.
 */
void httpfacts_has(struct keystore *k, struct netop *op);

#endif
