/* Completion scripts; see completion.h. */

#include "completion.h"

#include "alloc.h"
#include "err.h"
#include "proc.h"

#include <string.h>

/* ---- the tables ---- */

static size_t count_lines(struct str text, const char *kind)
{
    size_t n = 0;
    struct str line;
    while (text.n > 0 && str_split(&text, '\n', &line)) {
        n += str_starts(line, kind);
    }
    return n;
}

/* "option\t-j\t--jobs\tN\thelp" */
static bool cut(struct arena *a, struct str line, const char *fields[5])
{
    for (size_t i = 0; i < 5; i++) {
        struct str part;
        if (line.p == NULL || !str_split(&line, '\t', &part)) {
            return false;
        }
        fields[i] = arena_str(a, part).p;
    }
    return true;
}

int completion_parse(struct arena *a, struct str text, struct completion_command *c, struct err *e)
{
    c->options = ARENA_ARRAY(a, count_lines(text, "option\t") + 1, struct completion_option);
    c->subs = ARENA_ARRAY(a, count_lines(text, "command\t") + 1, struct completion_command);
    struct str line;
    while (text.n > 0 && str_split(&text, '\n', &line)) {
        const char *f[5];
        if (line.n == 0) {
            continue;
        }
        if (!cut(a, line, f)) {
            return err_set(e, ERR_FORMAT,
                           "expected five fields and tabs between them, found '%.*s'",
                           STR_ARG(line));
        }
        if (strcmp(f[0], "option") == 0) {
            c->options[c->option_count++] = (struct completion_option){f[1], f[2], f[3], f[4]};
        } else if (strcmp(f[0], "command") == 0) {
            c->subs[c->sub_count++] = (struct completion_command){.name = f[2], .help = f[4]};
        }
    }
    return 0;
}

/* `words`: the command, "remote" or "remote add", NULL-terminated. */
static int ask(struct arena *a, const char *program, const char *const words[2],
               struct completion_command *c, struct err *e)
{
    const char *argv[5] = {program};
    size_t n = 1;
    for (size_t i = 0; i < 2 && words[i] != NULL; i++) {
        argv[n++] = words[i];
    }
    argv[n++] = "--help-table";
    argv[n] = NULL;
    struct strbuf out;
    struct proc_status st;
    strbuf_init(&out);
    const struct proc_options opt = {.argv = argv, .stdin_fd = PROC_NULL, .stderr_fd = PROC_NULL};
    int rc = proc_capture(&opt, &out, NULL, &st, e);
    /* a program that is not installed beside this one has nothing to complete */
    if (rc == 0 && proc_exit_code(&st) == 0) {
        rc = completion_parse(a, strbuf_str(&out), c, e);
    }
    strbuf_release(&out);
    return rc;
}

int completion_load(struct arena *a, const char *program, struct completion_command *root,
                    struct err *e)
{
    *root = (struct completion_command){.name = "nephron"};
    if (ask(a, program, (const char *const[2]){NULL, NULL}, root, e) < 0) {
        return -1;
    }
    for (size_t i = 0; i < root->sub_count; i++) {
        struct completion_command *c = &root->subs[i];
        if (ask(a, program, (const char *const[2]){c->name, NULL}, c, e) < 0) {
            return -1;
        }
        for (size_t k = 0; k < c->sub_count; k++) {
            if (ask(a, program, (const char *const[2]){c->name, c->subs[k].name}, &c->subs[k], e) <
                0) {
                return -1;
            }
        }
    }
    return 0;
}

/* ---- what a value is ---- */

enum kind { KIND_NONE, KIND_FILE, KIND_REMOTE, KIND_REVISION };

static enum kind kind_of(const struct completion_option *o)
{
    static const char *const files[] = {"PATH", "FILE", "DIR", "FOLDER"};
    if (strcmp(o->long_name, "--remote") == 0) {
        return KIND_REMOTE;
    }
    if (strncmp(o->arg, "REV", 3) == 0) {
        return KIND_REVISION;
    }
    for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
        if (strncmp(o->arg, files[i], strlen(files[i])) == 0) {
            return KIND_FILE;
        }
    }
    return KIND_NONE;
}

/* Positional words of these commands are names as well as files. */
static bool takes_stages(const char *command)
{
    static const char *const names[] = {"repro",  "status", "freeze", "unfreeze",
                                        "remove", "rm",     "commit", "explain",
                                        "push",   "pull",   "fetch",  "checkout"};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        if (strcmp(command, names[i]) == 0) {
            return true;
        }
    }
    return false;
}

static bool takes_remote(const char *sub)
{
    return strcmp(sub, "modify") == 0 || strcmp(sub, "remove") == 0 || strcmp(sub, "rename") == 0 ||
           strcmp(sub, "default") == 0;
}

/* ---- bash ---- */

static void bash_names(struct strbuf *out, const struct completion_command *c)
{
    for (size_t i = 0; i < c->sub_count; i++) {
        strbuf_addf(out, "%s%s", i > 0 ? " " : "", c->subs[i].name);
    }
}

static void bash_options(struct strbuf *out, const struct completion_command *c)
{
    const char *space = "";
    for (size_t i = 0; i < c->option_count; i++) {
        const char *both[] = {c->options[i].short_name, c->options[i].long_name};
        for (size_t k = 0; k < 2; k++) {
            if (both[k][0] != '\0') {
                strbuf_addf(out, "%s%s", space, both[k]);
                space = " ";
            }
        }
    }
}

/* Options with a value, by kind: "|-r|--remote|". */
static void bash_values(struct strbuf *out, const struct completion_command *c, enum kind kind)
{
    strbuf_addch(out, '|');
    for (size_t i = 0; i < c->option_count; i++) {
        const struct completion_option *o = &c->options[i];
        if (o->arg[0] == '\0' || kind_of(o) != kind) {
            continue;
        }
        if (o->short_name[0] != '\0') {
            strbuf_addf(out, "%s|", o->short_name);
        }
        if (o->long_name[0] != '\0') {
            strbuf_addf(out, "%s|", o->long_name);
        }
    }
}

static void bash_case(struct strbuf *out, const char *label, const struct completion_command *c,
                      const char *words)
{
    strbuf_addf(out, "    '%s')\n        names='", label);
    bash_names(out, c);
    strbuf_adds(out, "' options='");
    bash_options(out, c);
    strbuf_addf(out, "' words=%s\n        remotes='", words);
    bash_values(out, c, KIND_REMOTE);
    strbuf_adds(out, "' revisions='");
    bash_values(out, c, KIND_REVISION);
    strbuf_adds(out, "' paths='");
    bash_values(out, c, KIND_FILE);
    strbuf_adds(out, "' others='");
    bash_values(out, c, KIND_NONE);
    strbuf_adds(out, "' ;;\n");
}

static const char bash_head[] =
    "# bash completion for nephron; made by `nephron completion -s bash`.\n"
    "#   nephron completion -s bash >~/.local/share/bash-completion/completions/nephron\n"
    "# A team that has `alias dvc=nephron` adds: complete -o default -F _nephron dvc\n"
    "\n"
    "_nephron()\n"
    "{\n"
    "    local current=${COMP_WORDS[COMP_CWORD]} previous= command= sub= i word\n"
    "    local names= options= words= remotes= revisions= paths= others=\n"
    "    ((COMP_CWORD > 0)) && previous=${COMP_WORDS[COMP_CWORD-1]}\n"
    "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
    "        word=${COMP_WORDS[i]}\n"
    "        case $word in\n"
    "        --cd) [[ -z $command ]] && ((i++)) ;;\n"
    "        -*) ;;\n"
    "        *)\n"
    "            if [[ -z $command ]]; then command=$word\n"
    "            elif [[ -z $sub && \" $families \" == *\" $command \"* ]]; then sub=$word\n"
    "            fi ;;\n"
    "        esac\n"
    "    done\n"
    "    case \"$command${sub:+ $sub}\" in\n";

static const char bash_tail[] =
    "    esac\n"
    "    COMPREPLY=()\n"
    "    if [[ $previous == -* && $remotes == *\"|$previous|\"* ]]; then\n"
    "        words=remotes\n"
    "    elif [[ $previous == -* && $revisions == *\"|$previous|\"* ]]; then\n"
    "        words=revisions\n"
    "    elif [[ $previous == -* && $paths == *\"|$previous|\"* ]]; then\n"
    "        words=files\n"
    "    elif [[ $previous == -* && $others == *\"|$previous|\"* ]]; then\n"
    "        return\n"
    "    elif [[ $current == -* ]]; then\n"
    "        COMPREPLY=($(compgen -W \"$options\" -- \"$current\"))\n"
    "        return\n"
    "    elif [[ -n $names ]]; then\n"
    "        COMPREPLY=($(compgen -W \"$names\" -- \"$current\"))\n"
    "        return\n"
    "    fi\n"
    "    local IFS=$'\\n'\n"
    "    case $words in\n"
    "    remotes) COMPREPLY=($(compgen -W \"$(nephron remote list 2>/dev/null | sed "
    "'s/[[:space:]].*//')\" -- \"$current\")) ;;\n"
    "    revisions) COMPREPLY=($(compgen -W \"$(git for-each-ref --format='%(refname:short)' "
    "refs/heads refs/tags 2>/dev/null)\" -- \"$current\")) ;;\n"
    "    stages) COMPREPLY=($(compgen -W \"$(nephron stage list --name-only 2>/dev/null)\" -- "
    "\"$current\") $(compgen -f -- \"$current\")) ;;\n"
    "    *) COMPREPLY=($(compgen -f -- \"$current\")) ;;\n"
    "    esac\n"
    "    return 0\n"
    "}\n"
    "\n"
    "complete -o filenames -o bashdefault -F _nephron nephron\n";

/* The script for a shell where `families` is known: names of commands that have subcommands. */
static void write_bash(struct strbuf *out, const struct completion_command *root)
{
    struct strbuf label;
    strbuf_init(&label);
    const char *local = strstr(bash_head, "    local names=");
    strbuf_add(out, bash_head, (size_t)(local - bash_head));
    strbuf_adds(out, "    local families='");
    const char *space = "";
    for (size_t i = 0; i < root->sub_count; i++) {
        if (root->subs[i].sub_count > 0) {
            strbuf_addf(out, "%s%s", space, root->subs[i].name);
            space = " ";
        }
    }
    strbuf_addf(out, "'\n%s", local);
    bash_case(out, "", root, "files");
    for (size_t i = 0; i < root->sub_count; i++) {
        const struct completion_command *c = &root->subs[i];
        bash_case(out, c->name, c, takes_stages(c->name) ? "stages" : "files");
        for (size_t k = 0; k < c->sub_count; k++) {
            strbuf_reset(&label);
            strbuf_addf(&label, "%s %s", c->name, c->subs[k].name);
            bool remote = strcmp(c->name, "remote") == 0 && takes_remote(c->subs[k].name);
            bash_case(out, label.p, &c->subs[k], remote ? "remotes" : "files");
        }
    }
    strbuf_adds(out, bash_tail);
    strbuf_release(&label);
}

/* ---- zsh ---- */

/* Text inside of '…[help]': quotes doubled, brackets and colons escaped. */
static void zsh_text(struct strbuf *out, const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '\'') {
            strbuf_adds(out, "'\\''");
        } else if (strchr("[]:\\", *text) != NULL) {
            strbuf_addf(out, "\\%c", *text);
        } else {
            strbuf_addch(out, *text);
        }
    }
}

static void zsh_option(struct strbuf *out, const struct completion_option *o, const char *name)
{
    static const char *const actions[] = {[KIND_NONE] = " ",
                                          [KIND_FILE] = "_files",
                                          [KIND_REMOTE] = "_nephron_remotes",
                                          [KIND_REVISION] = "_nephron_revisions"};
    if (name[0] == '\0') {
        return;
    }
    strbuf_addf(out, " \\\n            '*%s[", name);
    zsh_text(out, o->help);
    strbuf_addch(out, ']');
    if (o->arg[0] != '\0') {
        strbuf_addch(out, ':');
        zsh_text(out, o->arg);
        strbuf_addf(out, ":%s", actions[kind_of(o)]);
    }
    strbuf_addch(out, '\'');
}

static void zsh_case(struct strbuf *out, const char *label, const struct completion_command *c,
                     const char *words)
{
    strbuf_addf(out, "    '%s')\n        _arguments -S", label);
    for (size_t i = 0; i < c->option_count; i++) {
        zsh_option(out, &c->options[i], c->options[i].short_name);
        zsh_option(out, &c->options[i], c->options[i].long_name);
    }
    strbuf_addf(out, " \\\n            '*:target:%s' ;;\n", words);
}

static void zsh_list(struct strbuf *out, const char *label, const struct completion_command *c)
{
    strbuf_addf(out, "    '%s')\n        _values -w command", label);
    for (size_t i = 0; i < c->sub_count; i++) {
        strbuf_addf(out, " \\\n            '%s[", c->subs[i].name);
        zsh_text(out, c->subs[i].help);
        strbuf_adds(out, "]'");
    }
    strbuf_adds(out, " ;;\n");
}

static const char zsh_head[] =
    "#compdef nephron\n"
    "# zsh completion for nephron; made by `nephron completion -s zsh`.\n"
    "#   nephron completion -s zsh >\"${fpath[1]}/_nephron\"\n"
    "\n"
    "_nephron_remotes() { compadd -- ${${(f)\"$(nephron remote list 2>/dev/null)\"}%%[[:space:]]*} "
    "}\n"
    "_nephron_revisions() { compadd -- ${(f)\"$(git for-each-ref --format='%(refname:short)' "
    "refs/heads refs/tags 2>/dev/null)\"} }\n"
    "_nephron_stages() { compadd -- ${(f)\"$(nephron stage list --name-only 2>/dev/null)\"}; "
    "_files }\n"
    "\n"
    "_nephron() {\n"
    "    local command= sub= word i\n"
    "    local -a families\n";

static const char zsh_middle[] =
    "    for ((i = 2; i < CURRENT; i++)); do\n"
    "        word=${words[i]}\n"
    "        case $word in\n"
    "        --cd) [[ -z $command ]] && ((i++)) ;;\n"
    "        -*) ;;\n"
    "        *)\n"
    "            if [[ -z $command ]]; then command=$word\n"
    "            elif [[ -z $sub && -n ${families[(r)$command]} ]]; then sub=$word\n"
    "            fi ;;\n"
    "        esac\n"
    "    done\n"
    "    case \"$command${sub:+ $sub}\" in\n";

static void write_zsh(struct strbuf *out, const struct completion_command *root)
{
    struct strbuf label;
    strbuf_init(&label);
    strbuf_addf(out, "%s    families=(", zsh_head);
    for (size_t i = 0; i < root->sub_count; i++) {
        if (root->subs[i].sub_count > 0) {
            strbuf_addf(out, " %s", root->subs[i].name);
        }
    }
    strbuf_addf(out, " )\n%s", zsh_middle);
    zsh_list(out, "", root);
    for (size_t i = 0; i < root->sub_count; i++) {
        const struct completion_command *c = &root->subs[i];
        if (c->sub_count > 0) {
            zsh_list(out, c->name, c);
        } else {
            zsh_case(out, c->name, c, takes_stages(c->name) ? "_nephron_stages" : "_files");
        }
        for (size_t k = 0; k < c->sub_count; k++) {
            strbuf_reset(&label);
            strbuf_addf(&label, "%s %s", c->name, c->subs[k].name);
            bool remote = strcmp(c->name, "remote") == 0 && takes_remote(c->subs[k].name);
            zsh_case(out, label.p, &c->subs[k], remote ? "_nephron_remotes" : "_files");
        }
    }
    strbuf_adds(out,
                "    esac\n}\n\n"
                "if [[ $zsh_eval_context[-1] == loadautofunc ]]; then\n    _nephron \"$@\"\nelse\n"
                "    compdef _nephron nephron\nfi\n");
    strbuf_release(&label);
}

/* ---- fish ---- */

static void fish_text(struct strbuf *out, const char *text)
{
    strbuf_addch(out, '\'');
    for (; *text != '\0'; text++) {
        if (*text == '\'' || *text == '\\') {
            strbuf_addch(out, '\\');
        }
        strbuf_addch(out, *text);
    }
    strbuf_addch(out, '\'');
}

static void fish_options(struct strbuf *out, const char *condition,
                         const struct completion_command *c)
{
    static const char *const actions[] = {
        [KIND_NONE] = " -x",
        [KIND_FILE] = " -r -F",
        [KIND_REMOTE] =
            " -x -a '(nephron remote list 2>/dev/null | string replace -r \"\\s.*\" \"\")'",
        [KIND_REVISION] =
            (" -x -a '(git for-each-ref --format=\"%(refname:short)\" refs/heads refs/tags "
             "2>/dev/null)'")};
    for (size_t i = 0; i < c->option_count; i++) {
        const struct completion_option *o = &c->options[i];
        strbuf_addf(out, "complete -c nephron -n '%s'", condition);
        if (o->short_name[0] != '\0') {
            strbuf_addf(out, " -s %s", o->short_name + 1);
        }
        if (o->long_name[0] != '\0') {
            strbuf_addf(out, " -l %s", o->long_name + 2);
        }
        strbuf_adds(out, o->arg[0] != '\0' ? actions[kind_of(o)] : "");
        strbuf_adds(out, " -d ");
        fish_text(out, o->help);
        strbuf_addch(out, '\n');
    }
}

static void fish_names(struct strbuf *out, const char *condition,
                       const struct completion_command *c)
{
    for (size_t i = 0; i < c->sub_count; i++) {
        strbuf_addf(out, "complete -c nephron -f -n '%s' -a %s -d ", condition, c->subs[i].name);
        fish_text(out, c->subs[i].help);
        strbuf_addch(out, '\n');
    }
}

static void write_fish(struct strbuf *out, const struct completion_command *root)
{
    struct strbuf condition;
    strbuf_init(&condition);
    strbuf_adds(out, "# fish completion for nephron; made by `nephron completion -s fish`.\n"
                     "#   nephron completion -s fish >~/.config/fish/completions/nephron.fish\n\n");
    fish_names(out, "__fish_use_subcommand", root);
    fish_options(out, "__fish_use_subcommand", root);
    for (size_t i = 0; i < root->sub_count; i++) {
        const struct completion_command *c = &root->subs[i];
        strbuf_reset(&condition);
        strbuf_addf(&condition, "__fish_seen_subcommand_from %s", c->name);
        fish_options(out, condition.p, c);
        if (takes_stages(c->name)) {
            strbuf_addf(
                out,
                "complete -c nephron -n '%s' -a '(nephron stage list --name-only 2>/dev/null)'\n",
                condition.p);
        }
        if (c->sub_count > 0) {
            strbuf_adds(&condition, "; and not __fish_seen_subcommand_from");
            for (size_t k = 0; k < c->sub_count; k++) {
                strbuf_addf(&condition, " %s", c->subs[k].name);
            }
            fish_names(out, condition.p, c);
        }
        for (size_t k = 0; k < c->sub_count; k++) {
            strbuf_reset(&condition);
            strbuf_addf(&condition,
                        "__fish_seen_subcommand_from %s; and __fish_seen_subcommand_from %s",
                        c->name, c->subs[k].name);
            fish_options(out, condition.p, &c->subs[k]);
        }
    }
    strbuf_release(&condition);
}

int completion_write(struct strbuf *out, const char *shell, const struct completion_command *root,
                     struct err *e)
{
    if (strcmp(shell, "bash") == 0) {
        write_bash(out, root);
    } else if (strcmp(shell, "zsh") == 0) {
        write_zsh(out, root);
    } else if (strcmp(shell, "fish") == 0) {
        write_fish(out, root);
    } else {
        return err_set(
            e, ERR_USAGE,
            "argument -s/--shell: invalid choice: '%s' (choose from 'bash', 'zsh', 'fish')", shell);
    }
    return 0;
}
