#ifndef NEPHRON_REPORT_H
#define NEPHRON_REPORT_H

struct err;

/* The one line (or more) on stderr that ends a command, after what is pending on stdout: "ERROR: …", for settings "ERROR: configuration
 * error - …"; what is wrong with a pipeline file's form stands alone, as DVC prints it. */
void report_error(const struct err *e);

#endif
