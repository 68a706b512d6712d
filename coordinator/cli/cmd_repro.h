#ifndef NEPHRON_CMD_REPRO_H
#define NEPHRON_CMD_REPRO_H

/* Commands of the table in nephron_main.c: argv[0] is the command's name; the answer is the exit code. */
int cmd_repro(int argc, char **argv);
int cmd_explain(int argc, char **argv);

#endif
