/* `version`, also `doctor`. */

#include "cmd.h"

#include "doctor.h"
#include "err.h"
#include "session.h"

#include <stdio.h>
#include <string.h>

static void print_pairs(const struct value *map, const char *heading, const char *between)
{
    printf("%s:\n", heading);
    for (size_t i = 0; i < map->map.count; i++) {
        printf("\t%s%s%s\n", value_as_str(map->map.pairs[i].key).p, between,
               value_as_str(map->map.pairs[i].val).p);
    }
}

static void print_list(const struct value *list, const char *heading, const char *none)
{
    bool empty = list->type != VALUE_LIST || list->list.count == 0;
    printf("%s: %s", heading, empty ? none : "");
    for (size_t i = 0; !empty && i < list->list.count; i++) {
        printf("%s%s", i > 0 ? ", " : "", value_as_str(list->list.items[i]).p);
    }
    putchar('\n');
}

static void print_text(const struct value *report, const char *key, const char *heading)
{
    const struct value *v = value_get(report, key);
    if (v) {
        printf("%s: %s\n", heading, value_as_str(v).p);
    }
}

/* In the order and the words of `dvc version`. */
static void print_report(const struct value *report)
{
    int length = printf("Nephron version: %s\n", NEPHRON_VERSION);
    for (int i = 1; i < length; i++) {
        putchar('-');
    }
    putchar('\n');
    print_text(report, "platform", "Platform");
    print_pairs(value_get(report, "libraries"), "Libraries", " = ");
    const struct value *config = value_get(report, "config");
    if (config) {
        printf("Config:\n\tGlobal: %s\n\tSystem: %s\n", value_as_str(value_get(config, "global")).p,
               value_as_str(value_get(config, "system")).p);
    }
    const struct value *types = value_get(report, "cache_types");
    if (types) {
        print_list(types, "Cache types",
                   types->type == VALUE_NULL ? "there is no cache yet" : "copy alone");
        print_text(report, "cache_directory", "Cache directory");
        print_list(value_get(report, "caches"), "Caches", "");
        print_list(value_get(report, "remotes"), "Remotes", "None");
    }
    print_text(report, "workspace_directory", "Workspace directory");
    print_text(report, "repo", "Repo");
    print_text(report, "site_cache_dir", "Repo.site_cache_dir");
    print_text(report, "state", "State");
}

static void print_json(struct arena *a, const struct value *report)
{
    struct value *all = value_map(a);
    value_set(a, all, "schema", value_int(a, 1));
    value_set(a, all, "version", value_cstr(a, NEPHRON_VERSION));
    for (size_t i = 0; i < report->map.count; i++) {
        value_set_key(a, all, report->map.pairs[i].key, report->map.pairs[i].val);
    }
    session_print_json(all);
}

static int show(bool json)
{
    struct err e = ERR_INIT;
    struct session s;
    struct arena a;
    bool inside = session_open(&s, SESSION_REPO, false, &e) == 0;
    if (!inside && e.code != ERR_MISSING) {
        return session_fail(&e, 255);
    }
    arena_init(&a);
    struct value *report = doctor_report(&a, inside ? &s.repo : NULL);
    if (json) {
        print_json(&a, report);
    } else {
        print_report(report);
    }
    arena_release(&a);
    if (inside) {
        session_close(&s);
    }
    return 0;
}

int cmd_version(int argc, char **argv)
{
    bool quiet = false, json = false;
    const struct opt options[] = {{OPT_FLAG, 0, "json", NULL, "one JSON object", &json, NULL},
                                  {OPT_FLAG, 'q', "quiet", NULL, "print nothing", &quiet, NULL},
                                  OPT_END};
    const struct opt_spec spec = {
        .usage = "nephron version [--json]",
        .about = "Prints what a report about a problem should say: version, libraries, and of the "
                 "repository the kinds of links that work between cache and workspace, by trial.",
        .examples = "  nephron version\n  nephron doctor --json",
        .options = options};
    struct opt_list args = {0};
    int code;
    if (!session_options(&spec, argc, argv, &args, 254, &code)) {
        return code;
    }
    opt_list_release(&args);
    return quiet ? 0 : show(json);
}
