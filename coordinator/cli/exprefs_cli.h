#ifndef NEPHRON_EXPREFS_CLI_H
#define NEPHRON_EXPREFS_CLI_H

#include "expref.h"
#include "opt.h"
#include "revnames.h"

/* The options by which commands choose experiments; `c`: a struct expref_choice, `list`: for --rev. */
#define EXPREFS_OPTIONS(c, list)                                                                     \
    {OPT_FLAG, 'A', "all-commits", NULL, "experiments of all commits", &(c).all, NULL},              \
        {OPT_LIST, 0,   "rev", "COMMIT", "those that started from this commit (may be given twice)", \
         &(list),  NULL},                                                                            \
    {                                                                                                \
        OPT_INT, 'n', "num", "N",                                                                    \
            "and from N-1 commits before it (first parents; negative: from all of them)",            \
            &(c).num, NULL                                                                           \
    }

#endif
