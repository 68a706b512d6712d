#ifndef NEPHRON_INGEST_H
#define NEPHRON_INGEST_H

#include "source.h"
#include "unpack.h"

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

struct arena;
struct err;
struct value;

/*
 * `nephron ingest`: brings a data set into place. What is at `into`/`data_dir` afterwards is the
 * new data whole, or, after any failure and any kill, the old data whole:
 *
 *   source ─ download / phantom ─> archive ─ unpack ─┐
 *          ─ local archive ──────────────────────────┼─> INTO/NAME.nephron-tmp-HOST-PID
 *          ─ local folder: copy class folders ───────┘       (found: class folders) ─ exchange ─> INTO/NAME
 *
 * Keys of config/config.yaml, section data_ingestion (unknown keys are carried by the file and
 * ignored here; a key that differs in case only is taken: forks write source_url):
 *
 *   key             meaning                                            default
 *   source_URL      where the data comes from                          required, or --source
 *   root_dir        folder of this stage, made if missing              required, or --into
 *   local_data_file where a downloaded archive is kept                 required, or --into
 *   unzip_dir       folder that the data folder is made in             required, or --into
 *   data_dir        name of the data folder                            kidney-ct-scan-image
 *   sha256          SHA-256 that the archive must have                 none
 *   keep_archive    false: a downloaded archive goes once unpacked     true
 *   gdrive_url      another base for Google Drive (tests, mirrors)     https://drive.google.com
 *
 * and section limits: unpack_bytes, unpack_entries, unpack_ratio, download_bytes.
 */

#define INGEST_CONFIG "config/config.yaml"
#define INGEST_DATA_DIR "kidney-ct-scan-image"

struct ingest_config {
    struct source source;
    const char *root_dir, *archive, *into, *data_dir;
    const char *sha256;     /* or NULL */
    const char *gdrive_url; /* or NULL */
    bool keep_archive;
    struct unpack_limits limits;
    uint64_t download_bytes; /* 0: default */
};

struct ingest_options { /* the command line; NULL and false: not given */
    const char *config; /* --config; NULL: INGEST_CONFIG, which may then be missing when nothing is
                           needed of it */
    const char *source, *into, *sha256;
    bool keep_archive, drop_archive;
    bool force, quiet;
    const char *gdrive_url; /* wins over the config key; NULL: that, or Google's */
    int64_t retry_ms;       /* first pause between tries; 0: download.h's */
    const volatile sig_atomic_t *stop;
};

/* Reads the file and lets the options win. Texts live in the arena. ERR_CONFIG names file, key and
 * what it is for. */
int ingest_config_load(struct arena *a, const struct ingest_options *opt, struct ingest_config *out,
                       struct err *e);
/* *result (may be NULL) is the object that --json prints. */
int ingest_run(struct arena *a, const struct ingest_options *opt, struct value **result,
               struct err *e);

#endif
