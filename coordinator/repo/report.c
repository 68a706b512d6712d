/* How errors of commands are printed; see report.h. */

#include "report.h"

#include "err.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* "'./dvc.yaml' validation failed…", "'./dvc.lock' is invalid." */
static bool is_about_form(const char *text)
{
    size_t line = strcspn(text, "\n");
    const char *failed = strstr(text, "' validation failed"), *invalid = strstr(text, "' is invalid.");
    return text[0] == '\'' && ((failed != NULL && (size_t)(failed - text) < line) ||
                               (invalid != NULL && (size_t)(invalid - text) < line));
}

void report_error(const struct err *e)
{
    fflush(stdout);
    const char *prefix = e->code == ERR_CONFIG       ? "ERROR: configuration error - "
                         : is_about_form(e->text) ? ""
                                                  : "ERROR: ";
    fprintf(stderr, "%s%s\n", prefix, e->text);
}
