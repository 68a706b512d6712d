/* How errors of commands are printed; see report.h. */

#include "report.h"

#include "err.h"

#include <stdbool.h>
#include <stdio.h>

int report_error(const struct err *e, int code)
{
    /* Marked texts begin with the file's name in quotes; one that begins otherwise was wrapped. */
    bool plain = e->detail == REPORT_PLAIN && e->text[0] == '\'';
    const char *prefix = e->code == ERR_CONFIG ? "ERROR: configuration error - "
                         : plain               ? ""
                                               : "ERROR: ";
    fflush(stdout);
    fprintf(stderr, "%s%s\n", prefix, e->text);
    return code;
}
