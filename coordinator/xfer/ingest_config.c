/*
 * What ingest is told: config/config.yaml and the command line. See ingest.h for the keys.
 */
#include "ingest.h"

#include "arena.h"
#include "err.h"
#include "fetch.h"
#include "fs.h"
#include "path.h"
#include "value.h"
#include "yaml.h"

#include <string.h>
#include <strings.h>

#define DEFAULT_ARCHIVE "data.zip"

struct reader {
    struct arena *a;
    const char *file;
    const struct value *ingestion, *limits; /* NULL: no such section */
};

/* By exact name, else by a name that differs in case only. */
static const struct value *find_key(const struct value *map, const char *key)
{
    const struct value *v = value_get(map, key);
    for (size_t i = 0; !v && map && i < map->map.count; i++) {
        struct str name = value_as_str(map->map.pairs[i].key);
        if (name.n == strlen(key) && strncasecmp(name.p, key, name.n) == 0) {
            v = map->map.pairs[i].val;
        }
    }
    return v;
}

static int wrong_type(const struct reader *r, const char *section, const char *key,
                      const struct value *v, const char *expected, struct err *e)
{
    return err_set(e, ERR_CONFIG, "%s:%u: %s.%s must be %s, found %s", r->file, v->line, section,
                   key, expected, value_type_name(v->type));
}

/* A text; *out is left alone when the key is absent or null. */
static int read_text(const struct reader *r, const char *key, const char *expected,
                     const char **out, struct err *e)
{
    const struct value *v = find_key(r->ingestion, key);
    if (!v || v->type == VALUE_NULL) {
        return 0;
    }
    if (v->type != VALUE_STR || v->s.n == 0) {
        return wrong_type(r, "data_ingestion", key, v, expected, e);
    }
    *out = arena_strndup(r->a, v->s.p, v->s.n);
    return 0;
}

static int read_count(const struct reader *r, const char *key, uint64_t *out, struct err *e)
{
    const struct value *v = find_key(r->limits, key);
    if (!v || v->type == VALUE_NULL) {
        return 0;
    }
    if (v->type != VALUE_INT || v->i <= 0) {
        return wrong_type(r, "limits", key, v, "a whole number above 0", e);
    }
    *out = (uint64_t)v->i;
    return 0;
}

static int section(const struct reader *r, const struct value *doc, const char *name,
                   const struct value **out, struct err *e)
{
    const struct value *v = value_get(doc, name);
    *out = NULL;
    if (v && v->type != VALUE_NULL && v->type != VALUE_MAP) {
        return err_set(e, ERR_CONFIG, "%s:%u: %s must be a mapping, found %s", r->file, v->line,
                       name, value_type_name(v->type));
    }
    *out = v && v->type == VALUE_MAP ? v : NULL;
    return 0;
}

static int open_config(struct reader *r, const struct ingest_options *opt, struct err *e)
{
    r->file = opt->config ? opt->config : INGEST_CONFIG;
    if (!fs_exists(r->file) && !opt->config && opt->source && opt->into) {
        return 0;
    }
    if (!fs_exists(r->file)) {
        return err_set(e, ERR_CONFIG,
                       "%s is missing, which says where the data comes from and where it goes; run "
                       "this in the top folder of the project, or give --source and --into",
                       r->file);
    }
    struct value *doc = yaml_load(r->a, r->file, NULL, e);
    if (!doc) {
        if (e) {
            e->code = e->code == ERR_IO ? ERR_IO : ERR_CONFIG;
        }
        return err_wrap(e, "cannot read the configuration");
    }
    if (doc->type != VALUE_MAP) {
        return err_set(e, ERR_CONFIG,
                       "%s: expected a mapping with the section data_ingestion, found %s", r->file,
                       doc->type == VALUE_NULL ? "an empty file" : value_type_name(doc->type));
    }
    if (section(r, doc, "data_ingestion", &r->ingestion, e) < 0 ||
        section(r, doc, "limits", &r->limits, e) < 0) {
        return -1;
    }
    return 0;
}

static int missing(const struct reader *r, const char *key, const char *what, const char *option,
                   struct err *e)
{
    return err_set(e, ERR_CONFIG,
                   "%s: the key data_ingestion.%s is missing (%s); add it, or give %s", r->file,
                   key, what, option);
}

static int read_ratio(const struct reader *r, struct ingest_config *out, struct err *e)
{
    uint64_t ratio = 0;
    if (read_count(r, "unpack_ratio", &ratio, e) < 0) {
        return -1;
    }
    if (ratio > 1000000) {
        return err_set(e, ERR_CONFIG, "%s: limits.unpack_ratio must be at most 1000000", r->file);
    }
    out->limits.ratio = (unsigned)ratio;
    return 0;
}

static int read_keep(const struct reader *r, struct ingest_config *out, struct err *e)
{
    const struct value *v = find_key(r->ingestion, "keep_archive");
    out->keep_archive = true;
    if (v && v->type != VALUE_NULL && v->type != VALUE_BOOL) {
        return wrong_type(r, "data_ingestion", "keep_archive", v, "true or false", e);
    }
    if (v && v->type == VALUE_BOOL) {
        out->keep_archive = v->b;
    }
    return 0;
}

static int read_file(const struct reader *r, struct ingest_config *out, const char **source,
                     struct err *e)
{
    const char *quoted = "64 hex digits in quotes";
    if (read_text(r, "source_URL", "a text: a URL, a path or phantom:", source, e) < 0 ||
        read_text(r, "root_dir", "the path of a folder", &out->root_dir, e) < 0 ||
        read_text(r, "local_data_file", "the path of a file", &out->archive, e) < 0 ||
        read_text(r, "unzip_dir", "the path of a folder", &out->into, e) < 0 ||
        read_text(r, "data_dir", "the name of a folder", &out->data_dir, e) < 0 ||
        read_text(r, "sha256", quoted, &out->sha256, e) < 0 ||
        read_text(r, "gdrive_url", "a URL", &out->gdrive_url, e) < 0 || read_keep(r, out, e) < 0) {
        return -1;
    }
    if (read_count(r, "unpack_bytes", &out->limits.bytes, e) < 0 ||
        read_count(r, "unpack_entries", &out->limits.entries, e) < 0 || read_ratio(r, out, e) < 0 ||
        read_count(r, "download_bytes", &out->download_bytes, e) < 0) {
        return -1;
    }
    return 0;
}

static void apply_options(struct arena *a, const struct ingest_options *opt,
                          struct ingest_config *out)
{
    if (opt->into) {
        const char *name = out->archive ? path_basename(out->archive) : DEFAULT_ARCHIVE;
        out->into = out->root_dir = path_normal(a, opt->into);
        out->archive = path_join(a, opt->into, name);
    }
    out->sha256 = opt->sha256 ? opt->sha256 : out->sha256;
    out->gdrive_url = opt->gdrive_url ? opt->gdrive_url : out->gdrive_url;
    out->keep_archive = opt->keep_archive || (out->keep_archive && !opt->drop_archive);
}

static int check(const struct reader *r, const struct ingest_options *opt,
                 struct ingest_config *out, struct err *e)
{
    const char *name = out->data_dir;
    if (strchr(name, '/') || strcmp(name, ".") == 0 || strcmp(name, "..") == 0) {
        return err_set(
            e, ERR_CONFIG,
            "%s: data_ingestion.data_dir must be the name of one folder inside unzip_dir, "
            "as %s; found '%s'",
            r->file, INGEST_DATA_DIR, name);
    }
    if (out->sha256 && !fetch_is_sha256(out->sha256)) {
        return err_set(e, opt->sha256 ? ERR_USAGE : ERR_CONFIG,
                       "%s%s must be 64 hex digits, found '%s'", opt->sha256 ? "" : r->file,
                       opt->sha256 ? "--sha256" : ": data_ingestion.sha256", out->sha256);
    }
    return 0;
}

static int require_keys(const struct reader *r, const char *source, struct ingest_config *out,
                        struct err *e)
{
    if (!source) {
        return missing(r, "source_URL",
                       "where the data comes from: a URL, a path or phantom:", "--source", e);
    }
    if (!out->into) {
        return missing(r, "unzip_dir", "the folder that the data is unpacked in", "--into", e);
    }
    if (!out->root_dir) {
        return missing(r, "root_dir", "the folder of this stage's files", "--into", e);
    }
    if (!out->archive) {
        return missing(r, "local_data_file", "the file that the archive is downloaded to", "--into",
                       e);
    }
    return 0;
}

int ingest_config_load(struct arena *a, const struct ingest_options *opt, struct ingest_config *out,
                       struct err *e)
{
    struct reader r = {.a = a};
    const char *source = NULL;
    *out = (struct ingest_config){.data_dir = INGEST_DATA_DIR};
    if (open_config(&r, opt, e) < 0 || read_file(&r, out, &source, e) < 0) {
        return -1;
    }
    bool from_file = !opt->source;
    source = from_file ? source : opt->source;
    apply_options(a, opt, out);
    if (require_keys(&r, source, out, e) < 0 || check(&r, opt, out, e) < 0) {
        return -1;
    }
    if (source_parse(a, source, &out->source, e) < 0) {
        if (from_file) {
            if (e) {
                e->code = ERR_CONFIG;
            }
            return err_wrap(e, "%s: data_ingestion.source_URL", r.file);
        }
        return -1;
    }
    return 0;
}
