#ifndef NEPHRON_DOCTOR_H
#define NEPHRON_DOCTOR_H

#include <stdbool.h>

struct arena;
struct repo;
struct value;

/*
 * Facts for a report about a problem, as `dvc version` tells them: of this machine and, when `r` is
 * not NULL, of a repository. A map in `a`:
 *   platform, libraries {name: version}, config {global, system}
 *   cache_types [reflink, hardlink, symlink]: what really works between cache and workspace, by trial;
 *     null: there is no cache yet
 *   cache_directory, workspace_directory "TYPE on DEVICE"; caches, remotes: kinds
 *   repo "dvc, git", "dvc (subdir), git", "dvc (no_scm)"
 *   site_cache_dir: where DVC keeps its memory of this repository; absent when DVC never was here
 *   state: where Nephron keeps its own
 */
struct value *doctor_report(struct arena *a, const struct repo *r);

#endif
