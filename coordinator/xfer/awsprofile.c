/* awsprofile: see awsprofile.h. Source: the AWS CLI's description of its shared files. */
#include "awsprofile.h"

#include "arena.h"
#include "fs.h"
#include "netremote.h"
#include "str.h"
#include "value.h"

#include <stdlib.h>
#include <string.h>

#define FILE_MAX ((size_t)1 << 20)

static const char *file_path(struct arena *a, const struct netremote *n, const char *variable,
                             const char *setting, const char *usual)
{
    const char *path = getenv(variable), *home = getenv("HOME");
    path = path && *path ? path : netremote_setting(n, setting);
    path = path ? path : usual;
    return path[0] == '~' && path[1] == '/' && home ? arena_printf(a, "%s%s", home, path + 1)
                                                    : path;
}

/* "[profile x]" of the config file, "[x]" of the other one and of `default`. */
static bool is_section(struct str line, const char *profile)
{
    struct str name = str_trim(str_sub(line, 1, line.n > 1 ? line.n - 2 : 0));
    if (str_starts(name, "profile ")) {
        name = str_trim(str_sub(name, strlen("profile "), name.n));
    }
    if (name.n >= 2 && (name.p[0] == '"' || name.p[0] == '\'') && name.p[name.n - 1] == name.p[0]) {
        name = str_sub(name, 1, name.n - 2);
    }
    return str_is(name, profile);
}

/* *group: the option that holds the indented lines which follow; NULL: none. */
static void take_option(struct arena *a, struct value *options, struct str line, bool indented,
                        const char **group)
{
    struct str rest = line, key;
    str_split(&rest, '=', &key);
    const char *name = arena_str(a, str_trim(key)).p;
    bool is_option = rest.p && key.n < line.n;
    rest = str_trim(rest);
    if (!indented) {
        *group = is_option && rest.n == 0 ? name : NULL;
    }
    name = indented ? arena_printf(a, "%s.%s", *group ? *group : "", name) : name;
    if (is_option && (!indented || *group) && !value_get(options, name)) {
        value_set(a, options, name, value_str(a, rest));
    }
}

/* Adds the section's options. True: it is there. */
static bool read_file(struct arena *a, const char *path, const char *profile, struct value *options)
{
    struct strbuf text;
    bool found = false, inside = false;
    const char *group = NULL;
    strbuf_init(&text);
    if (fs_read(path, FILE_MAX, &text, NULL) == 0) {
        struct str rest = strbuf_str(&text), line;
        while (str_split(&rest, '\n', &line)) {
            bool indented = line.n > 0 && (line.p[0] == ' ' || line.p[0] == '\t');
            struct str words = str_trim(line);
            if (words.n == 0 || words.p[0] == '#' || words.p[0] == ';') {
                continue;
            }
            if (words.p[0] == '[') {
                inside = is_section(words, profile);
                group = NULL;
                found = found || inside;
            } else if (inside) {
                take_option(a, options, words, indented, &group);
            }
        }
    }
    strbuf_release(&text);
    return found;
}

struct value *awsprofile_read(struct arena *a, const struct netremote *n, const char *profile)
{
    struct value *options = value_map(a);
    const char *credentials =
        file_path(a, n, "AWS_SHARED_CREDENTIALS_FILE", "credentialpath", "~/.aws/credentials");
    const char *config = file_path(a, n, "AWS_CONFIG_FILE", "configpath", "~/.aws/config");
    bool one = read_file(a, credentials, profile, options);
    bool other = read_file(a, config, profile, options);
    return one || other ? options : NULL;
}

const char *awsprofile_get(const struct value *profile, const char *option)
{
    struct str s = value_as_str(value_get(profile, option));
    return s.n > 0 ? s.p : NULL;
}
