#ifndef NEPHRON_CMD_EXP_H
#define NEPHRON_CMD_EXP_H

/* The subcommands of `exp`, as cmd.h: those that make experiments (cmd_exp_run.c …) and those that look at them. */

int cmd_exp_run(int argc, char **argv);
int cmd_exp_save(int argc, char **argv);
int cmd_exp_clean(int argc, char **argv);
int cmd_exp_show(int argc, char **argv);
int cmd_exp_diff(int argc, char **argv);
int cmd_exp_push(int argc, char **argv);
int cmd_exp_pull(int argc, char **argv);
int cmd_exp_list(int argc, char **argv);
int cmd_exp_remove(int argc, char **argv);
int cmd_exp_rename(int argc, char **argv);
int cmd_exp_branch(int argc, char **argv);
int cmd_exp_apply(int argc, char **argv);

#endif
