#ifndef NEPHRON_CHART_COMMAND_H
#define NEPHRON_CHART_COMMAND_H

struct err;
struct str;

/*
 * Draws panels of curves as a PNG: what `nephron runs compare --plot FILE.png` asks of this
 * program, since the light one has no canvas. The JSON is that of coordinator/cli/runs_plot.h; two
 * panels stand abreast.
 */
int chart_draw(struct str json, const char *file, struct err *e);

#endif
