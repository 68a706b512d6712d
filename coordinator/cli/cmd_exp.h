#ifndef NEPHRON_CMD_EXP_H
#define NEPHRON_CMD_EXP_H

/* The subcommands of `exp`, as cmd.h: those that make experiments (cmd_exp_run.c …) and those that look at them. */

int cmd_exp_clean(int argc, char **argv);

#endif
