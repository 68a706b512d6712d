/* Commands of DVC that this program knows by name and does not have: what to do instead. */

#include "cmd.h"

#include "alloc.h"

#include <stdio.h>
#include <string.h>

struct refusal {
    const char *name, *why;
};

static const struct refusal refusals[] = {
    {"dataset", "data sets of DataChain and `datasets` of dvc.yaml; track a source with `nephron "
                "import-url` or "
                "`nephron import`"},
    {"import-db", "copies of database queries; write the query's answer to a file in a stage"},
    {"test-db", "copies of database queries"},
    {"studio", "an account at DVC Studio; `nephron runs` shows runs, `nephron config studio.token` "
               "keeps a token for DVC"},
    {"daemon", "background jobs of DVC: there is nothing to update or to report"},
};

int cmd_refused(int argc, char **argv)
{
    const char *name = strcmp(argv[0], "ds") == 0 ? "dataset" : argv[0];
    (void)argc;
    for (size_t i = 0; i < ARRAY_SIZE(refusals); i++) {
        if (strcmp(refusals[i].name, name) == 0) {
            fprintf(stderr, "ERROR: '%s' is not supported: %s\n", name, refusals[i].why);
        }
    }
    return 254;
}
