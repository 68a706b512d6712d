#ifndef NEPHRON_PREPARE_H
#define NEPHRON_PREPARE_H

#include <signal.h>
#include <stdbool.h>

struct err;
struct par;
struct settings;
struct strbuf;

/*
 * The stage prepare_base_model: builds the network of params.yaml and writes
 *   settings.base_model      the bare network: features.* only (with INCLUDE_TOP its classifier too)
 *   settings.updated_model   with the head for CLASSES; class names are placeholders until training
 * WEIGHTS: null makes random values from SEED; a path reads torchvision's or our own file; imagenet
 * fetches torchvision's published file once into the user's cache ($XDG_CACHE_HOME or ~/.cache,
 * below nephron/weights), by `nephron-xfer fetch`, and checks it against the SHA-256 prefix in its
 * name.
 */

/* Appends the layer table, and what of the head was not taken from WEIGHTS, to `out`. *stop (NULL: never) not
 * 0: ends before the next of its steps (weights, two files) with ERR_INTERRUPTED. */
int prepare_run(const struct settings *s, struct par *par, bool quiet,
                const volatile sig_atomic_t *stop, struct strbuf *out, struct err *e);

/* torchvision's file for a model: "vgg16-397923af.pth". NULL when there is none. */
const char *prepare_imagenet_file(const char *model);
/* Does the file's SHA-256 begin with the digits between '-' and '.' of its published name? */
int prepare_check_digest(const char *path, const char *published, struct err *e);

#endif
