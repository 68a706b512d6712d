#ifndef NEPHRON_PHANTOM_ZIP_H
#define NEPHRON_PHANTOM_ZIP_H

#include <signal.h>
#include <stdbool.h>

struct err;
struct phantom_options;

/*
 * Renders the pictures of phantom.h on all cores and writes them in their own order as a zip of
 * JPEGs with one top folder: the same options give the same bytes. Blocks; shows a progress bar
 * unless quiet. ERR_INTERRUPTED when *stop becomes non-zero (NULL: never); then nothing is left.
 */
int phantom_zip_write(const struct phantom_options *opt, const char *path, bool quiet,
                      const volatile sig_atomic_t *stop, struct err *e);

#endif
