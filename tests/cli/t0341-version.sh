#!/bin/sh

test_description="version and doctor: what a report about a problem says, as DVC"

. /usr/share/sharness/sharness.sh
. "$NEPHRON_SOURCE_DIR/tests/cli/peer-lib.sh"

# The lines that both print. A file system that is not in the list of mounts is a tuple in DVC's words.
common() {
    sed -i "s/: (.unknown., .none.)/: unknown on none/" "$1" && grep -A2 "^Config:" "$1" && grep "^\(Cache types\|Cache directory\|Caches\|Remotes\|Workspace directory\|Repo\|Repo.site_cache_dir\): " "$1"
}

# same FOLDER: both answer the same about one repository.
same() {
    (cd "$1" && turn=theirs && dvc version >../theirs.txt && nephron version >../ours.txt) && common theirs.txt >want && common ours.txt >got && test_cmp want got
}

test_expect_success "of a repository: links by trial, file systems, remotes, the kind of repository" '
    mkdir repo && (cd repo && turn=theirs && fresh && echo 1 >f && dvc add -q f && dvc remote add -q a /tmp/x && dvc remote add -q b https://host/b && dvc status -q) &&
    same repo && grep "^Cache types: .*hardlink, symlink" ours.txt && grep "^Remotes: local, https" ours.txt && grep "^Repo: dvc, git" ours.txt &&
    (cd repo && git status --porcelain >../dirty && nephron doctor && git status --porcelain) >after && sed 1,/^State/d after >rest && test_cmp dirty rest
'

test_expect_success "of a folder below a git repository, and of one without git" '
    mkdir -p sub/deep bare && (cd sub && turn=theirs && git init -q && cd deep && dvc init -q --subdir && echo 1 >f && dvc add -q f && dvc status -q) &&
    (cd bare && turn=theirs && dvc init -q --no-scm && echo 1 >f && dvc add -q f && dvc status -q) &&
    (cd sub && same deep) && grep "^Repo: dvc (subdir), git" sub/ours.txt && same bare && grep "^Repo: dvc (no_scm)" ours.txt
'

test_expect_success "without a repository, as JSON, and short" '
    mkdir empty && (cd empty && nephron version && nephron version --json >../json) >text && test_must_fail grep "^Repo" text &&
    "$python" -c "import json; d = json.load(open(\"json\")); assert d[\"schema\"] == 1 and \"repo\" not in d and d[\"libraries\"][\"jansson\"]" &&
    (cd repo && nephron doctor --json) | "$python" -c "
import json, sys
d = json.load(sys.stdin)
assert \"symlink\" in d[\"cache_types\"] and d[\"remotes\"] == [\"local\", \"https\"], d" &&
    test "$(nephron --version)" = "$(nephron -V)"
'

test_done
