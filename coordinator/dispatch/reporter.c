/* Names of outcomes; see reporter.h. */
#include "reporter.h"

const char *outcome_name(enum outcome o)
{
    static const char *const names[] = {
#define X(name, text) text,
        OUTCOMES(X)
#undef X
    };
    return names[o];
}
