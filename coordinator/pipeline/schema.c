/*
 * The shapes of dvc.yaml, dvc.lock and .dvc files as tables, and a walker that refuses as
 * voluptuous does.
 *
 * What of voluptuous matters here, since DVC's texts and counts follow from it:
 *   map       goes through the pairs in file order; a known key is checked by its field, any other
 * by the `others` rule or refused; required keys that are missing are reported last; all errors are
 * collected sequence  each item must fit one alternative; an error deeper than the item itself ends
 * the sequence at once any       the first alternative that fits; else the error with the longest
 * path, the earliest of equals Lines and columns: of the map or list at the path, else of the
 * nearest one above, at most four steps up.
 */
#include "schema.h"

#include "alloc.h"
#include "err.h"
#include "report.h"
#include "yaml.h"

enum rule_kind {
    RULE_STR,
    RULE_BOOL,
    RULE_INT,
    RULE_LIST, /* any list */
    RULE_DICT, /* any map */
    RULE_NULL,
    RULE_OBJECT,   /* anything */
    RULE_CHECKSUM, /* null, "", or text or number of 3 and more characters */
    RULE_VERSION,  /* "2.0" */
    RULE_ANY,      /* alts */
    RULE_SEQ,      /* items fit alts */
    RULE_MAP,      /* fields, others */
    RULE_STAGE,    /* foreach form when it has `foreach` or `do` */
};

struct rule;

struct field {
    const char *key; /* NULL ends the table */
    const struct rule *rule;
    bool required;
};

struct rule {
    enum rule_kind kind;
    const struct rule *alts[4];
    const struct field *fields;
    const struct rule *others; /* for string keys that are not fields; NULL: refused */
    bool some;                 /* a map of `others` must not be empty */
    bool single;               /* at most one pair */
};

#define R(name, ...) static const struct rule name = {__VA_ARGS__}
#define SEQ(name, item) R(name, .kind = RULE_SEQ, .alts = {&item})
#define MAP(name, table) R(name, .kind = RULE_MAP, .fields = table)

R(r_str, .kind = RULE_STR);
R(r_bool, .kind = RULE_BOOL);
R(r_int, .kind = RULE_INT);
R(r_list, .kind = RULE_LIST);
R(r_dict, .kind = RULE_DICT);
R(r_null, .kind = RULE_NULL);
R(r_object, .kind = RULE_OBJECT);
R(r_checksum, .kind = RULE_CHECKSUM);
R(r_version, .kind = RULE_VERSION);
R(r_str_or_list, .kind = RULE_ANY, .alts = {&r_str, &r_list});
R(r_str_or_dict, .kind = RULE_ANY, .alts = {&r_str, &r_dict});
R(r_str_or_null, .kind = RULE_ANY, .alts = {&r_str, &r_null});
SEQ(r_strs, r_str);

#define ANNOTATION_FIELDS                                                                          \
    {"desc", &r_str, false}, {"type", &r_str, false}, {"labels", &r_strs, false},                  \
    {                                                                                              \
        "meta", &r_object, false                                                                   \
    }
#define CHECKSUM_FIELDS                                                                            \
    {"md5", &r_checksum, false}, {"checksum", &r_checksum, false},                                 \
    {                                                                                              \
        "etag", &r_checksum, false                                                                 \
    }
#define META_FIELDS                                                                                \
    {"size", &r_int, false}, {"nfiles", &r_int, false}, {"isexec", &r_bool, false},                \
    {                                                                                              \
        "version_id", &r_str, false                                                                \
    }
#define OUT_FLAG_FIELDS                                                                            \
    ANNOTATION_FIELDS, {"cache", &r_bool, false}, {"persist", &r_bool, false},                     \
        {"checkpoint", &r_bool, false}, {"remote", &r_str, false},                                 \
    {                                                                                              \
        "push", &r_bool, false                                                                     \
    }
#define END                                                                                        \
    {                                                                                              \
        NULL, NULL, false                                                                          \
    }

/* --- dvc.yaml --------------------------------------------------------------------------------- */

static const struct field out_flag_fields[] = {OUT_FLAG_FIELDS, END};
MAP(r_out_flags, out_flag_fields);
R(r_out_map, .kind = RULE_MAP, .others = &r_out_flags);
R(r_out, .kind = RULE_ANY, .alts = {&r_str, &r_out_map});
SEQ(r_outs, r_out);

static const struct field plot_flag_fields[] = {
    OUT_FLAG_FIELDS,          {"template", &r_str, false}, {"x", &r_str, false},
    {"y", &r_str, false},     {"x_label", &r_str, false},  {"y_label", &r_str, false},
    {"title", &r_str, false}, {"header", &r_bool, false},  END,
};
MAP(r_plot_flags, plot_flag_fields);
SEQ(r_plot_flags_list, r_plot_flags);
R(r_plot_flags_any, .kind = RULE_ANY, .alts = {&r_plot_flags, &r_plot_flags_list});
R(r_plot_map, .kind = RULE_MAP, .others = &r_plot_flags_any);
R(r_plot, .kind = RULE_ANY, .alts = {&r_str, &r_plot_map});
SEQ(r_plots, r_plot);

SEQ(r_params, r_str_or_dict);
R(r_vars, .kind = RULE_SEQ, .alts = {&r_str, &r_dict});
R(r_matrix, .kind = RULE_MAP, .others = &r_str_or_list);

static const struct field stage_fields[] = {
    {"matrix", &r_matrix, false}, {"cmd", &r_str_or_list, true},
    {"wdir", &r_str, false},      {"deps", &r_strs, false},
    {"params", &r_params, false}, {"vars", &r_vars, false},
    {"frozen", &r_bool, false},   {"meta", &r_object, false},
    {"desc", &r_str, false},      {"always_changed", &r_bool, false},
    {"outs", &r_outs, false},     {"metrics", &r_outs, false},
    {"plots", &r_plots, false},   END,
};
MAP(r_stage_plain, stage_fields);
R(r_foreach_data, .kind = RULE_ANY, .alts = {&r_dict, &r_list, &r_str});
static const struct field foreach_fields[] = {
    {"foreach", &r_foreach_data, true},
    {"do", &r_stage_plain, true},
    END,
};
MAP(r_stage_foreach, foreach_fields);
R(r_stage, .kind = RULE_STAGE);
R(r_stages, .kind = RULE_MAP, .others = &r_stage);

R(r_map_str, .kind = RULE_MAP, .others = &r_str);
R(r_str_or_strs, .kind = RULE_ANY, .alts = {&r_str, &r_strs});
R(r_map_str_or_strs, .kind = RULE_MAP, .others = &r_str_or_strs);
R(r_plot_x, .kind = RULE_ANY, .alts = {&r_str, &r_map_str});
R(r_plot_y, .kind = RULE_ANY, .alts = {&r_str, &r_strs, &r_map_str_or_strs});
static const struct field top_plot_fields[] = {
    {"x", &r_plot_x, false},
    {"y", &r_plot_y, false},
    {"x_label", &r_str, false},
    {"y_label", &r_str, false},
    {"title", &r_str, false},
    {"template", &r_str, false},
    END,
};
MAP(r_top_plot_props, top_plot_fields);
R(r_top_plot_any, .kind = RULE_ANY, .alts = {&r_top_plot_props, &r_null});
R(r_top_plot_map, .kind = RULE_MAP, .others = &r_top_plot_any, .some = true);
R(r_top_plot, .kind = RULE_ANY, .alts = {&r_str, &r_top_plot_map});
SEQ(r_top_plots, r_top_plot);

static const struct field artifact_fields[] = {{"path", &r_str, true}, ANNOTATION_FIELDS, END};
MAP(r_artifact, artifact_fields);
R(r_artifacts, .kind = RULE_MAP, .others = &r_artifact);

static const struct field dvc_yaml_fields[] = {
    {"datasets", &r_object, false},     {"plots", &r_top_plots, false},
    {"stages", &r_stages, false},       {"vars", &r_vars, false},
    {"params", &r_strs, false},         {"metrics", &r_strs, false},
    {"artifacts", &r_artifacts, false}, END,
};
MAP(r_dvc_yaml, dvc_yaml_fields);

/* --- .dvc files and dvc.lock ------------------------------------------------------------------ */

static const struct field cloud_fields[] = {META_FIELDS, CHECKSUM_FIELDS, END};
MAP(r_cloud_entry, cloud_fields);
R(r_cloud, .kind = RULE_MAP, .others = &r_cloud_entry, .single = true);

static const struct field dir_file_fields[] = {
    CHECKSUM_FIELDS, META_FIELDS, {"relpath", &r_str, true}, {"cloud", &r_cloud, false}, END,
};
MAP(r_dir_file, dir_file_fields);
SEQ(r_dir_files, r_dir_file);

#define ENTRY_FIELDS                                                                               \
    CHECKSUM_FIELDS, META_FIELDS, {"path", &r_str, false}, {"persist", &r_bool, false},            \
        {"cloud", &r_cloud, false}, {"hash", &r_str, false}, {"files", &r_dir_files, false},       \
    {                                                                                              \
        "fs_config", &r_dict, false                                                                \
    }

static const struct field file_out_fields[] = {
    ENTRY_FIELDS,
    ANNOTATION_FIELDS,
    {"cache", &r_bool, false},
    {"remote", &r_str, false},
    {"push", &r_bool, false},
    END,
};
MAP(r_file_out, file_out_fields);
SEQ(r_file_outs, r_file_out);
R(r_file_outs_any, .kind = RULE_ANY, .alts = {&r_file_outs, &r_null});

static const struct field repo_fields[] = {
    {"url", &r_str, true},
    {"rev", &r_str, false},
    {"rev_lock", &r_str, false},
    {"config", &r_str_or_dict, false},
    {"remote", &r_str_or_dict, false},
    END,
};
MAP(r_repo, repo_fields);
static const struct field db_fields[] = {
    {"query", &r_str, false},
    {"connection", &r_str, false},
    {"file_format", &r_str, false},
    {"table", &r_str, false},
    END,
};
MAP(r_db, db_fields);
static const struct field file_dep_fields[] = {
    ENTRY_FIELDS,
    {"repo", &r_repo, false},
    {"db", &r_db, false},
    END,
};
MAP(r_file_dep, file_dep_fields);
SEQ(r_file_deps, r_file_dep);
R(r_file_deps_any, .kind = RULE_ANY, .alts = {&r_file_deps, &r_null});

static const struct field dvc_file_fields[] = {
    {"md5", &r_checksum, false},       {"wdir", &r_str_or_null, false},
    {"deps", &r_file_deps_any, false}, {"outs", &r_file_outs_any, false},
    {"locked", &r_bool, false},        {"frozen", &r_bool, false},
    {"meta", &r_object, false},        {"always_changed", &r_bool, false},
    {"desc", &r_str, false},           END,
};
MAP(r_dvc_file, dvc_file_fields);

static const struct field lock_entry_fields[] = {
    CHECKSUM_FIELDS,
    META_FIELDS,
    {"path", &r_str, true},
    {"cloud", &r_cloud, false},
    {"files", &r_dir_files, false},
    {"hash", &r_str, false},
    {"dataset", &r_dict, false},
    END,
};
MAP(r_lock_entry, lock_entry_fields);
SEQ(r_lock_entries, r_lock_entry);
R(r_lock_values, .kind = RULE_MAP, .others = &r_object);
R(r_lock_params, .kind = RULE_MAP, .others = &r_lock_values);
static const struct field lock_stage_fields[] = {
    {"cmd", &r_str_or_list, true},
    {"deps", &r_lock_entries, false},
    {"params", &r_lock_params, false},
    {"outs", &r_lock_entries, false},
    END,
};
MAP(r_lock_stage, lock_stage_fields);
R(r_lock_stages, .kind = RULE_MAP, .others = &r_lock_stage);
static const struct field lock_fields[] = {
    {"schema", &r_version, true},
    {"datasets", &r_object, false},
    {"stages", &r_lock_stages, false},
    END,
};
MAP(r_lock, lock_fields);

/* --- walking ---------------------------------------------------------------------------------- */

#define MAX_PATH_STEPS 16

struct place {
    struct str steps[MAX_PATH_STEPS]; /* keys and indices as text */
    size_t depth;
};

struct fault {
    const char *text;
    struct place at;
};

struct faults {
    struct fault *items;
    size_t count, capacity;
};

struct walk {
    struct arena *a;
};

static void add_fault(struct faults *f, const char *text, const struct place *at)
{
    ARRAY_RESERVE(f->items, f->count, f->capacity, 1);
    f->items[f->count++] = (struct fault){text, *at};
}

/* Replaces what `f` holds by what `from` holds. */
static void move_faults(struct faults *f, struct faults *from)
{
    free(f->items);
    *f = *from;
    *from = (struct faults){0};
}

static void append_faults(struct faults *f, const struct faults *from)
{
    for (size_t i = 0; i < from->count; i++) {
        add_fault(f, from->items[i].text, &from->items[i].at);
    }
}

static bool check(struct walk *w, const struct rule *r, const struct place *at,
                  const struct value *v, struct faults *f);

static struct place below(const struct place *at, struct str step)
{
    struct place p = *at;
    if (p.depth < MAX_PATH_STEPS) {
        p.steps[p.depth++] = step;
    }
    return p;
}

static struct str step_text(struct walk *w, const struct value *key)
{
    if (key->type == VALUE_STR) {
        return key->s;
    }
    struct strbuf b;
    strbuf_init(&b);
    value_text(&b, key);
    struct str s = arena_str(w->a, strbuf_str(&b));
    strbuf_release(&b);
    return s;
}

static bool check_any(struct walk *w, const struct rule *r, const struct place *at,
                      const struct value *v, struct faults *f)
{
    struct faults best = {0};
    for (size_t i = 0; i < ARRAY_SIZE(r->alts) && r->alts[i]; i++) {
        struct faults own = {0};
        if (check(w, r->alts[i], at, v, &own)) {
            free(best.items);
            return true;
        }
        if (best.count == 0 || own.items[0].at.depth > best.items[0].at.depth) {
            move_faults(&best, &own);
        }
        free(own.items);
    }
    append_faults(f, &best);
    free(best.items);
    return false;
}

static bool check_seq(struct walk *w, const struct rule *r, const struct place *at,
                      const struct value *v, struct faults *f)
{
    if (v->type != VALUE_LIST) {
        add_fault(f, "expected a list", at);
        return false;
    }
    struct faults all = {0};
    for (size_t i = 0; i < v->list.count; i++) {
        struct place item = below(at, str_from(arena_printf(w->a, "%zu", i)));
        struct faults last = {0};
        bool fits = false;
        for (size_t k = 0; !fits && k < ARRAY_SIZE(r->alts) && r->alts[k]; k++) {
            struct faults own = {0};
            fits = check(w, r->alts[k], &item, v->list.items[i], &own);
            bool deeper = !fits && own.items[0].at.depth > item.depth;
            move_faults(&last, &own);
            if (deeper) {
                append_faults(f, &last);
                free(last.items);
                free(all.items);
                return false;
            }
        }
        if (!fits) {
            add_fault(&all, last.items[0].text, &last.items[0].at);
        }
        free(last.items);
    }
    bool ok = all.count == 0;
    append_faults(f, &all);
    free(all.items);
    return ok;
}

static const struct field *find_field(const struct rule *r, const struct value *key)
{
    for (const struct field *f = r->fields; f && f->key && key->type == VALUE_STR; f++) {
        if (str_is(key->s, f->key)) {
            return f;
        }
    }
    return NULL;
}

static void check_required(const struct rule *r, const struct place *at, const struct value *v,
                           struct faults *f)
{
    for (const struct field *field = r->fields; field && field->key; field++) {
        if (field->required && !value_get(v, field->key)) {
            struct place p = below(at, str_from(field->key));
            add_fault(f, "required key not provided", &p);
        }
    }
    if (r->some && v->map.count == 0) {
        struct place p = below(at, STR("<class 'str'>"));
        add_fault(f, "required key not provided", &p);
    }
}

static bool check_map(struct walk *w, const struct rule *r, const struct place *at,
                      const struct value *v, struct faults *f)
{
    if (v->type != VALUE_MAP) {
        add_fault(f, "expected a dictionary", at);
        return false;
    }
    size_t before = f->count;
    for (size_t i = 0; i < v->map.count; i++) {
        const struct value_pair *p = &v->map.pairs[i];
        struct place here = below(at, step_text(w, p->key));
        const struct field *field = find_field(r, p->key);
        if (field) {
            check(w, field->rule, &here, p->val, f);
        } else if (!r->others) {
            add_fault(f, "extra keys not allowed", &here);
        } else if (p->key->type != VALUE_STR) {
            add_fault(f, "expected str", &here);
        } else {
            check(w, r->others, &here, p->val, f);
        }
    }
    check_required(r, at, v, f);
    if (r->single && v->map.count > 1 && f->count == before) {
        add_fault(f, "length of value must be at most 1", at);
    }
    return f->count == before;
}

static bool is_checksum(const struct value *v)
{
    if (v->type == VALUE_STR) {
        return v->s.n == 0 || str_utf8_length(v->s) >= 3;
    }
    return v->type == VALUE_NULL || v->type == VALUE_BIGINT ||
           (v->type == VALUE_INT && (v->i > 99 || v->i < -9)) ||
           v->type == VALUE_BOOL; /* str(True) */
}

static bool check_scalar(const struct rule *r, const struct place *at, const struct value *v,
                         struct faults *f)
{
    bool ok = true;
    const char *text = "";
    switch (r->kind) {
    case RULE_STR:
        ok = v->type == VALUE_STR || v->type == VALUE_DATE;
        text = "expected str";
        break;
    case RULE_BOOL:
        ok = v->type == VALUE_BOOL;
        text = "expected bool";
        break;
    case RULE_INT:
        ok = v->type == VALUE_INT || v->type == VALUE_BIGINT || v->type == VALUE_BOOL;
        text = "expected int";
        break;
    case RULE_LIST:
        ok = v->type == VALUE_LIST;
        text = "expected list";
        break;
    case RULE_DICT:
        ok = v->type == VALUE_MAP;
        text = "expected dict";
        break;
    case RULE_NULL:
        ok = v->type == VALUE_NULL;
        text = "not a valid value";
        break;
    case RULE_CHECKSUM:
        ok = is_checksum(v);
        text = "not a valid value";
        break;
    case RULE_VERSION:
        ok = v->type == VALUE_STR && str_is(v->s, "2.0");
        text = "invalid schema version";
        break;
    default:
        break;
    }
    if (!ok) {
        add_fault(f, text, at);
    }
    return ok;
}

static bool check(struct walk *w, const struct rule *r, const struct place *at,
                  const struct value *v, struct faults *f)
{
    switch (r->kind) {
    case RULE_ANY:
        return check_any(w, r, at, v, f);
    case RULE_SEQ:
        return check_seq(w, r, at, v, f);
    case RULE_MAP:
        return check_map(w, r, at, v, f);
    case RULE_STAGE:
        return check_map(
            w, value_get(v, "foreach") || value_get(v, "do") ? &r_stage_foreach : &r_stage_plain,
            at, v, f);
    default:
        return check_scalar(r, at, v, f);
    }
}

/* --- messages --------------------------------------------------------------------------------- */

static const struct value *value_at(const struct value *doc, const struct place *at, size_t depth)
{
    const struct value *v = doc;
    for (size_t i = 0; v && i < depth; i++) {
        if (v->type == VALUE_LIST) {
            size_t index = (size_t)strtoul(at->steps[i].p, NULL, 10);
            v = index < v->list.count ? v->list.items[index] : NULL;
        } else {
            v = value_get_str(v, at->steps[i]);
        }
    }
    return v;
}

static void add_where(struct strbuf *b, const struct value *doc, const struct place *at)
{
    const char *sep = ", in ";
    for (size_t i = 0; i < at->depth; i++) {
        strbuf_addf(b, "%s%.*s", sep, STR_ARG(at->steps[i]));
        sep = " -> ";
    }
    for (size_t depth = at->depth, step = 1; depth > 0 && step < 5; depth--, step++) {
        const struct value *v = value_at(doc, at, depth);
        if (v && (v->type == VALUE_MAP || v->type == VALUE_LIST)) {
            strbuf_addf(b, ", line %u, column %u", v->line, v->column);
            return;
        }
    }
}

static int refuse(const struct faults *f, const struct value *doc, const char *shown, struct err *e)
{
    struct strbuf b;
    strbuf_init_max(&b, 1900);
    strbuf_addf(&b, "'%s' validation failed", shown);
    if (f->count > 1) {
        strbuf_addf(&b, ": %zu errors", f->count);
    }
    if (doc->type != VALUE_MAP) {
        strbuf_addf(&b, ": %s.", f->items[0].text);
    } else {
        strbuf_addch(&b, '.');
        for (size_t i = 0; i < f->count; i++) {
            strbuf_addf(&b, "\n\n%s", f->items[i].text);
            add_where(&b, doc, &f->items[i].at);
        }
    }
    err_set(e, ERR_FORMAT, "%s", b.p);
    if (e) {
        e->detail = REPORT_PLAIN;
    }
    strbuf_release(&b);
    return -1;
}

int schema_validate(enum schema_kind kind, const struct value *doc, const char *shown,
                    struct err *e)
{
    const struct rule *rule = kind == SCHEMA_DVC_YAML   ? &r_dvc_yaml
                              : kind == SCHEMA_DVC_FILE ? &r_dvc_file
                                                        : &r_lock;
    struct arena scratch;
    arena_init(&scratch);
    struct walk w = {&scratch};
    struct place top = {.depth = 0};
    struct faults f = {0};
    int r = check(&w, rule, &top, doc, &f) ? 0 : refuse(&f, doc, shown, e);
    free(f.items);
    arena_release(&scratch);
    return r;
}

/* git's conflict markers at the start of a line. */
static bool has_conflict_marker(struct str text)
{
    struct str line;
    while (str_split(&text, '\n', &line)) {
        if (line.n > 7 && line.p[7] == ' ' &&
            (str_starts(line, "<<<<<<< ") || str_starts(line, "======= ") ||
             str_starts(line, ">>>>>>> "))) {
            return true;
        }
    }
    return false;
}

/* "NAME:3:5: text" becomes "Text, in line 3, column 5". */
static int refuse_syntax(const struct err *cause, const char *shown, struct str text, struct err *e)
{
    unsigned line = 0, column = 0;
    int used = 0;
    const char *rest = cause->text;
    size_t n = strlen(shown);
    if (strncmp(rest, shown, n) == 0 && rest[n] == ':' &&
        sscanf(rest + n, ":%u:%u: %n", &line, &column, &used) == 2 && used > 0) {
        rest += n + (size_t)used;
    }
    char first = *rest >= 'a' && *rest <= 'z' ? (char)(*rest - 'a' + 'A') : *rest;
    err_set(e, cause->code, "'%s' is invalid%s.\n\n%c%s", shown,
            has_conflict_marker(text) ? " (possible merge conflicts)" : "", first,
            first ? rest + 1 : "");
    if (line) {
        err_append(e, ", in line %u, column %u", line, column);
    }
    if (e) {
        e->detail = REPORT_PLAIN;
    }
    return -1;
}

static bool is_false(const struct value *v)
{
    return v->type == VALUE_NULL || (v->type == VALUE_BOOL && !v->b) ||
           (v->type == VALUE_INT && v->i == 0) || (v->type == VALUE_FLOAT && v->f == 0) ||
           (v->type == VALUE_STR && v->s.n == 0) || (v->type == VALUE_LIST && v->list.count == 0);
}

struct value *schema_parse(struct arena *a, enum schema_kind kind, struct str text,
                           const char *shown, size_t max_bytes, struct err *e)
{
    struct yaml_options opt = {.name = shown, .max_bytes = max_bytes};
    struct err cause = ERR_INIT;
    struct value *doc = yaml_parse(a, text, &opt, &cause);
    if (!doc) {
        refuse_syntax(&cause, shown, text, e);
        return NULL;
    }
    if (is_false(doc)) {
        doc = value_map(a);
    }
    return schema_validate(kind, doc, shown, e) < 0 ? NULL : doc;
}

const char *schema_shown(struct arena *a, const char *shown)
{
    bool as_is = shown[0] == '/' || strncmp(shown, "..", 2) == 0;
    return as_is ? shown : arena_printf(a, "./%s", shown);
}
