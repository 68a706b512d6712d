#ifndef NEPHRON_REPORT_H
#define NEPHRON_REPORT_H

struct err;

/* In err.detail: the text stands alone, without "ERROR: ", as DVC prints what is wrong with the form of
 * a pipeline or lock file. A text that was wrapped in another does not. */
#define REPORT_PLAIN 0x534348

/* What ends a command, on stderr, after what is pending on stdout: "ERROR: …", for settings "ERROR:
 * configuration error - …". Answers `code`, for callers that return it. */
int report_error(const struct err *e, int code);

#endif
