#ifndef NEPHRON_SETTINGS_H
#define NEPHRON_SETTINGS_H

#include "arena.h"
#include "model.h"
#include "optim.h"
#include "schedule.h"
#include "split.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct value;

/*
 * config/config.yaml (where things are) and params.yaml (hyper-parameters), typed. Both are read
 * relative to the current folder, as the application does. Keys not in these tables are carried in
 * `config` and `params` and otherwise ignored: other people's files misspell and add.
 *
 * config/config.yaml (every key may be missing)
 *   key                                        default
 *   artifacts_root                             artifacts
 *   data_ingestion.unzip_dir                   <artifacts_root>/data_ingestion
 *   data_ingestion.data_dir                    kidney-ct-scan-image       (below unzip_dir)
 *   prepare_base_model.base_model_path         <artifacts_root>/prepare_base_model/base_model.pth
 *   prepare_base_model.updated_base_model_path …/base_model_updated.pth
 *   prepare_base_model.weights_url             https://download.pytorch.org/models
 *   training.root_dir                          <artifacts_root>/training
 *   training.trained_model_path                <training.root_dir>/model.pth
 *   training.checkpoint_minutes                10     (also at the end of each epoch; 0: only then)
 *   training.features_gib                      8      (kept features of frozen layers; 0: none)
 *   evaluation.root_dir                        <artifacts_root>/evaluation
 *   evaluation.scores                          scores.json
 *   tracking.experiment                        Kidney Disease Classification
 *   core.rebind                                true
 *   core.fsync                                 true
 *
 * params.yaml
 *   key               type, range                                  default
 *   MODEL             one of model_names()                         vgg16
 *   HEAD              classifier | linear                          classifier
 *   FREEZE            features | none | number of convolutions     features with WEIGHTS, else none
 *   WEIGHTS           null | imagenet | path of a weights file     null (random)
 *   INCLUDE_TOP       bool: keep the classifier of WEIGHTS         false
 *   IMAGE_SIZE        [height, width, 3], 32..4096                 [224, 224, 3]
 *   CLASSES           int, 2..10000                                2
 *   DROPOUT           number, 0 <= d < 1, of HEAD: classifier      0.5
 *   AUGMENTATION      bool                                         true
 *   BATCH_SIZE        int, 1..65536: the global batch              16
 *   EPOCHS            int, 1..1000000                              1
 *   LEARNING_RATE     number > 0                                   0.01
 *   OPTIMIZER         sgd | adam | lars (see optim.h)              sgd
 *   MOMENTUM          number, 0 <= m < 1                           0
 *   TRUST_COEFFICIENT number > 0, of lars                          0.001
 *   WEIGHT_DECAY      number >= 0                                  0
 *   CLIP_NORM         number >= 0 or null; 0: no clipping          0
 *   LR_SCHEDULE       see schedule.h                               constant
 *   VALIDATION_SPLIT  number, 0 <= v < 1                           0.2
 *   SPLIT_BY          random | ordered | group | group:REGEX       random
 *   SEED              int >= 0                                     42
 *   DETERMINISTIC     bool; read, but without effect: always so    true
 */

#define SETTINGS_CONFIG "config/config.yaml"
#define SETTINGS_PARAMS "params.yaml"

enum settings_weights { SETTINGS_RANDOM, SETTINGS_IMAGENET, SETTINGS_FILE };

struct settings {
    struct arena arena;                  /* owns all text */
    const struct value *config, *params; /* the documents; a map, possibly empty */

    const char *data_dir; /* folder of class folders */
    const char *base_model, *updated_model, *weights_url;
    const char *training_dir, *trained_model;
    double checkpoint_minutes;
    size_t features_bytes;
    const char *evaluation_dir, *scores;
    const char *experiment;
    bool rebind, fsync;

    const char *model;
    enum model_head head;
    int freeze; /* as in struct model_config */
    enum settings_weights weights;
    const char *weights_path; /* SETTINGS_FILE */
    bool include_top;
    int height, width; /* px */
    size_t classes;
    double dropout;
    bool augmentation;
    size_t batch, epochs;
    double learning_rate;
    struct optim_config optim;
    struct schedule schedule;
    double validation_split;
    enum split_kind split_kind;
    const char *split_pattern; /* NULL: the built-in ones */
    uint64_t seed;
};

struct settings_source {
    const char *config, *params; /* paths; NULL: the defaults */
    /* "KEY=VALUE" each, VALUE in YAML: instead of what params.yaml has. KEY may be dotted. */
    const char *const *set;
    size_t set_count;
};

/* `from` NULL: the defaults. A missing params.yaml or config.yaml is an error, as is an empty one
 * ("yaml file is empty"). ERR_CONFIG names file (or --set), line, key, what was expected and what
 * was found. On failure *s is as after settings_release. */
int settings_load(struct settings *s, const struct settings_source *from, struct err *e);
/* The same from texts: no I/O. `from` gives --set alone. */
int settings_parse(struct settings *s, const char *config_text, const char *params_text,
                   const struct settings_source *from, struct err *e);
void settings_release(struct settings *s);

#endif
