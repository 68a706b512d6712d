#ifndef NEPHRON_RUN_FACTS_H
#define NEPHRON_RUN_FACTS_H

#include "arena.h"
#include "str.h"

#include <stdbool.h>

/*
 * What reproduces a run: git, command line, machine, libraries, environment. Text in the arena;
 * NULL when unknown. Secrets are taken out by redact_*.
 */

struct run_git {
    const char *commit, *branch; /* branch "" when detached */
    bool dirty;
    const char *diff_path; /* relative to the project; written when dirty */
};
/* Runs git in `project`; commit NULL without git or repository. The diff goes to
 * .nephron/runs/<id>/git.diff. */
void run_facts_git(struct arena *a, const char *project, const char *run, struct run_git *out);

const char *run_facts_command(struct arena *a, int argc, char *const *argv);
const char *run_facts_host(struct arena *a);
const char *run_facts_user(struct arena *a);
const char *run_facts_cpu(struct arena *a);
const char *run_facts_kernel(struct arena *a);
const char *run_facts_hiredis(struct arena *a);
const char *run_facts_lock_md5(struct arena *a, const char *project);
/* JSON object of the environment, at most 7,900 bytes; values of secret-looking names are
 * "[redacted]". */
const char *run_facts_environment(struct arena *a, char *const *env);

/* A name whose value nobody else should see: password, token, key, credential … */
bool redact_is_secret_name(struct str name);
/* Appends `text` with the passwords of URLs (scheme://user:secret@host), well-known key forms and
 * the values of secret-looking --name=value and name=value words replaced. */
void redact_text(struct strbuf *out, struct str text);

#endif
