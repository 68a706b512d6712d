#ifndef NEPHRON_CMD_H
#define NEPHRON_CMD_H

/*
 * The commands of the table in nephron_main.c, one file a family. argv[0] is the command's name; the
 * answer is the exit code. They parse options, call the libraries and print; they decide nothing.
 */

int cmd_add(int argc, char **argv);
int cmd_artifacts(int argc, char **argv);
int cmd_cache(int argc, char **argv);
int cmd_check_ignore(int argc, char **argv);
int cmd_checkout(int argc, char **argv);
int cmd_commit(int argc, char **argv);
int cmd_completion(int argc, char **argv);
int cmd_config(int argc, char **argv);
int cmd_dag(int argc, char **argv);
int cmd_data(int argc, char **argv);
int cmd_destroy(int argc, char **argv);
int cmd_diff(int argc, char **argv);
int cmd_exp(int argc, char **argv);
int cmd_du(int argc, char **argv);
int cmd_explain(int argc, char **argv);
int cmd_fetch(int argc, char **argv);
int cmd_freeze(int argc, char **argv);
int cmd_fsck(int argc, char **argv);
int cmd_gantt(int argc, char **argv);
int cmd_gc(int argc, char **argv);
int cmd_get(int argc, char **argv);
int cmd_get_url(int argc, char **argv);
int cmd_git_hook(int argc, char **argv);
int cmd_graph(int argc, char **argv);
int cmd_import(int argc, char **argv);
int cmd_import_url(int argc, char **argv);
int cmd_init(int argc, char **argv);
int cmd_install(int argc, char **argv);
int cmd_launch(int argc, char **argv);
int cmd_list(int argc, char **argv);
int cmd_list_url(int argc, char **argv);
int cmd_metrics(int argc, char **argv);
int cmd_move(int argc, char **argv);
int cmd_params(int argc, char **argv);
int cmd_plots(int argc, char **argv);
int cmd_pull(int argc, char **argv);
int cmd_push(int argc, char **argv);
int cmd_queue(int argc, char **argv);
int cmd_redis(int argc, char **argv);
int cmd_refused(int argc, char **argv);
int cmd_remote(int argc, char **argv);
int cmd_remove(int argc, char **argv);
int cmd_repro(int argc, char **argv);
int cmd_root(int argc, char **argv);
int cmd_runs(int argc, char **argv);
int cmd_stage(int argc, char **argv);
int cmd_status(int argc, char **argv);
int cmd_unfreeze(int argc, char **argv);
int cmd_unprotect(int argc, char **argv);
int cmd_update(int argc, char **argv);
int cmd_version(int argc, char **argv);

#endif
