/* See expcommit.h. */
#include "expcommit.h"

#include "digest.h"
#include "err.h"
#include "git.h"
#include "gitindex.h"
#include "json.h"
#include "repo.h"
#include "value.h"

#include <stdio.h>
#include <string.h>

void expcommit_hash(const struct value *stages, char hash[65])
{
    struct strbuf text;
    strbuf_init(&text);
    json_write(&text, stages, &(struct json_style){.sort_keys = true});
    digest_buffer(DIGEST_SHA256, text.p, text.n, hash);
    strbuf_release(&text);
}

int expcommit_make(const struct repo *r, const struct expcommit *x, char commit[65], struct err *e)
{
    struct arena a;
    struct gitindex index;
    char hash[65];
    arena_init(&a);
    const char *const parents[] = {x->baseline, NULL};
    const char *message = x->message;
    if (message == NULL) {
        expcommit_hash(x->stages, hash);
        message = arena_printf(&a, "dvc: commit experiment %s", hash);
    }
    int rc = gitindex_open(&index, r, &a, e);
    if (rc == 0) {
        if (gitindex_add_tracked(&index, e) < 0 ||
            gitindex_add(&index, x->paths, x->path_count, false, e) < 0 ||
            gitindex_add(&index, x->forced, x->forced_count, true, e) < 0 ||
            gitindex_commit(&index, parents, message, commit, e) < 0) {
            rc = err_wrap(e, "cannot make the experiment's commit");
        }
        gitindex_close(&index);
    }
    arena_release(&a);
    return rc;
}

const char *expcommit_ref(struct arena *a, const char *baseline, const char *name)
{
    return arena_printf(a, "refs/exps/%.2s/%s/%s", baseline, baseline + 2, name);
}

int expcommit_find(const struct repo *r, const char *ref, char commit[65], struct err *e)
{
    const char *const args[] = {"for-each-ref", "--format=%(objectname)", ref, NULL};
    struct strbuf out;
    strbuf_init(&out);
    int rc = git_run(r, args, &out, e);
    struct str id = str_trim(strbuf_str(&out));
    snprintf(commit, 65, "%.*s", STR_ARG(id));
    strbuf_release(&out);
    return rc;
}

int expcommit_conflict(const char *name, struct err *e)
{
    return err_set(e, ERR_BUSY,
                   "Experiment conflicts with existing experiment '%s'. To overwrite the existing "
                   "experiment run:\n\n\tnephron exp run -f ...\n\n",
                   name);
}

static bool same_files(const struct repo *r, const char *x, const char *y)
{
    const char *const args[] = {"diff", "--quiet", "--no-ext-diff", x, y, "--", NULL};
    return git_run(r, args, NULL, NULL) == 0;
}

int expcommit_store(const struct repo *r, const char *ref, bool force, char commit[65],
                    struct err *e)
{
    char old[65];
    if (expcommit_find(r, ref, old, e) < 0) {
        return -1;
    }
    if (strcmp(old, commit) == 0) {
        return 0;
    }
    if (old[0] != 0 && !force) {
        if (!same_files(r, old, commit)) {
            return expcommit_conflict(ref, e);
        }
        snprintf(commit, 65, "%s", old);
        return 0;
    }
    const char *const args[] = {"update-ref", ref, commit, old, NULL};
    return git_run(r, args, NULL, e) < 0 ? err_wrap(e, "cannot write the ref %s", ref) : 0;
}
