/* Names of outcomes; see status.h. */
#include "status.h"

const char *status_outcome_name(enum status_outcome o)
{
    static const char *const names[] = {
#define X(name, text) text,
        STATUS_OUTCOMES(X)
#undef X
    };
    return names[o];
}
