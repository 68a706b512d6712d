/* Typed settings; see settings.h for the keys. */
#include "settings.h"

#include "alloc.h"
#include "err.h"
#include "fs.h"
#include "log.h"
#include "num.h"
#include "path.h"
#include "str.h"
#include "value.h"
#include "yaml.h"

#include <math.h>
#include <string.h>

#define IMAGE_SIDE_MIN 32
#define IMAGE_SIDE_MAX 4096

/* One document being read. The first error stays. */
struct reader {
    struct arena *a;
    const char *file;
    const struct value *root;
    struct err *e;
    bool failed;
};

/* Values of --set have no line. */
static const char *place(const struct reader *r, const struct value *v)
{
    return v && v->line == 0 ? "--set" : arena_printf(r->a, "%s:%u", r->file, v ? v->line : 0);
}

static void refuse(struct reader *r, const char *key, const struct value *v, const char *expected)
{
    struct strbuf found;
    if (r->failed) {
        return;
    }
    strbuf_init_max(&found, 200);
    value_repr(&found, v);
    err_set(r->e, ERR_CONFIG, "%s: %s must be %s, found %s %s", place(r, v), key, expected,
            value_type_name(v->type), found.p);
    strbuf_release(&found);
    r->failed = true;
}

/* NULL when the key is absent. */
static const struct value *look(const struct reader *r, const char *key)
{
    return value_find(r->root, key);
}

static const char *read_text(struct reader *r, const char *key, const char *fallback)
{
    const struct value *v = look(r, key);
    if (!v || v->type == VALUE_NULL) {
        return fallback;
    }
    if (v->type != VALUE_STR || v->s.n == 0 || memchr(v->s.p, 0, v->s.n)) {
        refuse(r, key, v, "a text");
        return fallback;
    }
    return arena_strndup(r->a, v->s.p, v->s.n);
}

static bool read_bool(struct reader *r, const char *key, bool fallback)
{
    const struct value *v = look(r, key);
    if (!v) {
        return fallback;
    }
    if (v->type != VALUE_BOOL) {
        refuse(r, key, v, "true or false");
        return fallback;
    }
    return v->b;
}

static int64_t read_int(struct reader *r, const char *key, int64_t fallback, int64_t low,
                        int64_t high)
{
    const struct value *v = look(r, key);
    if (!v) {
        return fallback;
    }
    if (v->type != VALUE_INT || v->i < low || v->i > high) {
        refuse(r, key, v,
               arena_printf(r->a, "a whole number from %lld to %lld", (long long)low,
                            (long long)high));
        return fallback;
    }
    return v->i;
}

struct range {
    double low, high;
    bool above_low; /* low itself is not allowed */
    const char *text;
};

static double read_number(struct reader *r, const char *key, double fallback,
                          const struct range *range)
{
    const struct value *v = look(r, key);
    if (!v) {
        return fallback;
    }
    double x = v->type == VALUE_INT ? (double)v->i : v->type == VALUE_FLOAT ? v->f : (double)NAN;
    if (!isfinite(x) || x < range->low || (range->above_low && x == range->low) ||
        x >= range->high) {
        refuse(r, key, v, range->text);
        return fallback;
    }
    return x;
}

/* A parser of another module refused the text: says where it stands. */
static void refuse_word(struct reader *r, const char *key)
{
    const struct value *v = look(r, key);
    if (!r->failed) {
        err_wrap(r->e, "%s: %s", place(r, v), key);
        r->failed = true;
    }
}

static void read_config(struct reader *r, struct settings *s)
{
    struct arena *a = r->a;
    const char *root = read_text(r, "artifacts_root", "artifacts");
    const char *unzip =
        read_text(r, "data_ingestion.unzip_dir", path_join(a, root, "data_ingestion"));
    const char *name = read_text(r, "data_ingestion.data_dir", "kidney-ct-scan-image");
    s->data_dir = path_join(a, unzip, name);
    const char *prepared =
        read_text(r, "prepare_base_model.root_dir", path_join(a, root, "prepare_base_model"));
    s->base_model = read_text(r, "prepare_base_model.base_model_path",
                              path_join(a, prepared, "base_model.pth"));
    s->updated_model = read_text(r, "prepare_base_model.updated_base_model_path",
                                 path_join(a, prepared, "base_model_updated.pth"));
    s->weights_url =
        read_text(r, "prepare_base_model.weights_url", "https://download.pytorch.org/models");
    s->training_dir = read_text(r, "training.root_dir", path_join(a, root, "training"));
    s->trained_model =
        read_text(r, "training.trained_model_path", path_join(a, s->training_dir, "model.pth"));
    s->checkpoint_minutes =
        read_number(r, "training.checkpoint_minutes", 10,
                    &(struct range){.low = 0, .high = 1e6, .text = "a number of minutes"});
    s->features_bytes =
        (size_t)(read_number(r, "training.features_gib", 8,
                             &(struct range){.low = 0, .high = 1e6, .text = "a number of GiB"}) *
                 (double)((size_t)1 << 30));
    s->evaluation_dir = read_text(r, "evaluation.root_dir", path_join(a, root, "evaluation"));
    s->scores = read_text(r, "evaluation.scores", "scores.json");
    s->experiment = read_text(r, "tracking.experiment", "Kidney Disease Classification");
    s->rebind = read_bool(r, "core.rebind", true);
    s->fsync = read_bool(r, "core.fsync", true);
}

static void read_image_size(struct reader *r, struct settings *s)
{
    const struct value *v = look(r, "IMAGE_SIZE");
    s->height = s->width = 224;
    if (!v) {
        return;
    }
    bool ok = v->type == VALUE_LIST && v->list.count == 3;
    for (size_t i = 0; ok && i < 3; i++) {
        const struct value *n = v->list.items[i];
        ok = n->type == VALUE_INT &&
             (i == 2 ? n->i == 3 : n->i >= IMAGE_SIDE_MIN && n->i <= IMAGE_SIDE_MAX);
    }
    if (!ok) {
        refuse(r, "IMAGE_SIZE", v, "[height, width, 3] with sides of 32 to 4096 pixels");
        return;
    }
    s->height = (int)v->list.items[0]->i;
    s->width = (int)v->list.items[1]->i;
}

/* null and Python's None: random; imagenet; anything else is a path. */
static void read_weights(struct reader *r, struct settings *s)
{
    const char *text = read_text(r, "WEIGHTS", NULL);
    if (!text || strcmp(text, "None") == 0) {
        s->weights = SETTINGS_RANDOM;
    } else if (strcmp(text, "imagenet") == 0) {
        s->weights = SETTINGS_IMAGENET;
    } else {
        s->weights = SETTINGS_FILE;
        s->weights_path = text;
    }
    s->include_top = read_bool(r, "INCLUDE_TOP", false);
}

static void read_freeze(struct reader *r, struct settings *s)
{
    const struct value *v = look(r, "FREEZE");
    s->freeze = s->weights == SETTINGS_RANDOM ? MODEL_FREEZE_NONE : MODEL_FREEZE_FEATURES;
    if (!v || v->type == VALUE_NULL) {
        return;
    }
    if (v->type != VALUE_STR && v->type != VALUE_INT) {
        refuse(r, "FREEZE", v, "features, none or a number of layers");
        return;
    }
    struct strbuf text;
    strbuf_init(&text);
    value_text(&text, v);
    if (model_parse_freeze(text.p, &s->freeze, r->failed ? NULL : r->e) < 0) {
        refuse_word(r, "FREEZE");
    }
    strbuf_release(&text);
}

static void read_model(struct reader *r, struct settings *s)
{
    s->model = read_text(r, "MODEL", "vgg16");
    bool known = false;
    struct str rest = str_from(model_names()), name;
    while (str_split(&rest, ',', &name)) {
        known = known || str_is(str_trim(name), s->model);
    }
    if (!known) {
        refuse(r, "MODEL", look(r, "MODEL"), arena_printf(r->a, "one of %s", model_names()));
    }
    const char *head = read_text(r, "HEAD", "classifier");
    if (model_parse_head(head, &s->head, r->failed ? NULL : r->e) < 0) {
        refuse_word(r, "HEAD");
    }
    s->classes = (size_t)read_int(r, "CLASSES", 2, 2, 10000);
    read_image_size(r, s);
    read_weights(r, s);
    read_freeze(r, s);
}

static void read_optimiser(struct reader *r, struct settings *s)
{
    static const struct range rate = {
        .low = 0, .high = INFINITY, .above_low = true, .text = "a number above 0"};
    static const struct range fraction = {
        .low = 0, .high = 1, .text = "a number from 0 to below 1"};
    static const struct range positive = {
        .low = 0, .high = INFINITY, .text = "a number that is not negative"};
    s->learning_rate = read_number(r, "LEARNING_RATE", 0.01, &rate);
    const char *kind = read_text(r, "OPTIMIZER", "sgd");
    if (optim_parse_kind(kind, &s->optim.kind, r->failed ? NULL : r->e) < 0) {
        refuse_word(r, "OPTIMIZER");
    }
    s->optim.momentum = read_number(r, "MOMENTUM", 0, &fraction);
    s->optim.weight_decay = read_number(r, "WEIGHT_DECAY", 0, &positive);
    s->optim.trust = read_number(r, "TRUST_COEFFICIENT", 0.001, &rate);
    const struct value *clip = look(r, "CLIP_NORM");
    if (clip && clip->type != VALUE_NULL) {
        s->optim.clip_norm = read_number(r, "CLIP_NORM", 0, &positive);
    }
    const char *rule = read_text(r, "LR_SCHEDULE", NULL);
    if (schedule_parse(rule, &s->schedule, r->failed ? NULL : r->e) < 0) {
        refuse_word(r, "LR_SCHEDULE");
    }
}

static void read_split(struct reader *r, struct settings *s)
{
    static const struct range fraction = {
        .low = 0, .high = 1, .text = "a number from 0 to below 1"};
    s->validation_split = read_number(r, "VALIDATION_SPLIT", 0.2, &fraction);
    const char *by = read_text(r, "SPLIT_BY", "random");
    s->split_kind = SPLIT_RANDOM;
    if (strncmp(by, "group:", 6) == 0) {
        s->split_kind = SPLIT_GROUP;
        s->split_pattern = by + 6;
    } else if (!split_kind_parse(by, &s->split_kind)) {
        refuse(r, "SPLIT_BY", look(r, "SPLIT_BY"),
               "random, ordered, group, or group:PATTERN with a regular expression");
    }
}

static void read_params(struct reader *r, struct settings *s)
{
    read_model(r, s);
    s->dropout =
        read_number(r, "DROPOUT", 0.5,
                    &(struct range){.low = 0, .high = 1, .text = "a number from 0 to below 1"});
    s->augmentation = read_bool(r, "AUGMENTATION", true);
    s->batch = (size_t)read_int(r, "BATCH_SIZE", 16, 1, 65536);
    s->epochs = (size_t)read_int(r, "EPOCHS", 1, 1, 1000000);
    read_optimiser(r, s);
    read_split(r, s);
    s->seed = (uint64_t)read_int(r, "SEED", 42, 0, INT64_MAX);
    if (!read_bool(r, "DETERMINISTIC", true)) {
        log_info("settings", "DETERMINISTIC: false changes nothing: any other order of summation "
                             "was no faster");
    }
}

static int parse_document(struct settings *s, const char *file, struct str text, struct value **out,
                          struct err *e)
{
    struct value *doc = yaml_parse(&s->arena, text, &(struct yaml_options){.name = file}, e);
    if (!doc) {
        if (e) {
            e->code = ERR_CONFIG;
        }
        return -1;
    }
    if (doc->type == VALUE_NULL) {
        return err_set(e, ERR_CONFIG, "%s: yaml file is empty", file);
    }
    if (doc->type != VALUE_MAP) {
        return err_set(e, ERR_CONFIG, "%s: expected keys with values, found %s", file,
                       value_type_name(doc->type));
    }
    *out = doc;
    return 0;
}

/* One "KEY=VALUE" into the document. */
static int apply_set(struct settings *s, struct value *params, const char *text, struct err *e)
{
    struct str rest = str_from(text), key, part;
    if (!strchr(text, '=') || !str_split(&rest, '=', &key) || key.n == 0) {
        return err_set(e, ERR_USAGE, "--set %s: expected KEY=VALUE", text);
    }
    struct value *v = yaml_parse(&s->arena, rest, &(struct yaml_options){.name = "--set"}, e);
    if (!v) {
        return err_wrap(e, "--set %s", text);
    }
    v->line = 0;
    struct value *map = params;
    while (str_split(&key, '.', &part)) {
        const char *name = arena_strndup(&s->arena, part.p, part.n);
        if (key.n == 0) {
            value_set(&s->arena, map, name, v);
            return 0;
        }
        struct value *below = value_get(map, name);
        if (!below || below->type != VALUE_MAP) {
            below = value_map(&s->arena);
            value_set(&s->arena, map, name, below);
        }
        map = below;
    }
    return 0;
}

struct texts {
    const char *config_name, *params_name;
    struct str config, params;
};

static int settings_from(struct settings *s, const struct texts *t,
                         const struct settings_source *from, struct err *e)
{
    struct value *config_doc, *params_doc;
    memset(s, 0, sizeof(*s));
    arena_init(&s->arena);
    if (parse_document(s, t->config_name, t->config, &config_doc, e) < 0 ||
        parse_document(s, t->params_name, t->params, &params_doc, e) < 0) {
        settings_release(s);
        return -1;
    }
    for (size_t i = 0; from && i < from->set_count; i++) {
        if (apply_set(s, params_doc, from->set[i], e) < 0) {
            settings_release(s);
            return -1;
        }
    }
    s->config = config_doc;
    s->params = params_doc;
    struct reader config = {&s->arena, t->config_name, s->config, e, false};
    read_config(&config, s);
    struct reader params = {&s->arena, t->params_name, s->params, e, config.failed};
    read_params(&params, s);
    if (params.failed) {
        settings_release(s);
        return -1;
    }
    return 0;
}

static int read_file(const char *path, const char *what, struct strbuf *out, struct err *e)
{
    if (fs_read(path, (size_t)16 << 20, out, e) == 0) {
        return 0;
    }
    if (e && e->code == ERR_MISSING) {
        return err_set(e, ERR_CONFIG,
                       "%s is missing, which says %s; run this in the top folder of the project",
                       path, what);
    }
    return err_wrap(e, "cannot read the settings");
}

int settings_load(struct settings *s, const struct settings_source *from, struct err *e)
{
    struct strbuf config, params;
    struct texts t = {.config_name = from && from->config ? from->config : SETTINGS_CONFIG,
                      .params_name = from && from->params ? from->params : SETTINGS_PARAMS};
    strbuf_init(&config);
    strbuf_init(&params);
    memset(s, 0, sizeof(*s));
    int rc = -1;
    if (read_file(t.config_name, "where things are", &config, e) == 0 &&
        read_file(t.params_name, "how to train", &params, e) == 0) {
        t.config = strbuf_str(&config);
        t.params = strbuf_str(&params);
        rc = settings_from(s, &t, from, e);
    }
    strbuf_release(&config);
    strbuf_release(&params);
    return rc;
}

int settings_parse(struct settings *s, const char *config_text, const char *params_text,
                   const struct settings_source *from, struct err *e)
{
    const struct texts t = {SETTINGS_CONFIG, SETTINGS_PARAMS, str_from(config_text),
                            str_from(params_text)};
    return settings_from(s, &t, from, e);
}

void settings_release(struct settings *s)
{
    arena_release(&s->arena);
    memset(s, 0, sizeof(*s));
}
