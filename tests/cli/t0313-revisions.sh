#!/bin/sh

test_description="push, fetch, status -c over git revisions move the objects that DVC moves"

. /usr/share/sharness/sharness.sh
. "$NEPHRON_SOURCE_DIR/tests/cli/dispatch-lib.sh"

test -n "$dvc" && test_set_prereq DVC
export GIT_AUTHOR_DATE="2026-01-01T12:00:00" GIT_COMMITTER_DATE="2026-01-01T12:00:00"

commit() {
    git add -A && git commit -q -m "$1"
}

# Five commits: two on main, one tagged and left, one on a branch, one whose dvc.yaml is broken.
make_history() {
    git symbolic-ref HEAD refs/heads/main && nephron remote add -q -d r "$SHARNESS_TRASH_DIRECTORY/remote" &&
    mkdir d && echo 1 >d/1 && echo 2 >d/2 && echo a >a && nephron add -q a d && commit one &&
    git switch -q -c gone && echo tagged >t && nephron add -q t && rm a.dvc && commit tagged &&
    git tag -a -m v1 v1 && git tag light && git switch -q main && git branch -q -D gone &&
    git switch -q -c side && echo "o: side.txt" >params.yaml &&
    printf "stages:\n  s:\n    cmd: echo side >\${o}\n    outs:\n    - \${o}\n" >dvc.yaml && nephron repro -q &&
    echo 3 >d/3 && nephron add -q d && commit side && echo "stages: [" >dvc.yaml && commit broken &&
    git branch -q broken && git reset -q --hard HEAD~1 && git switch -q main && nephron checkout -q -f &&
    echo b >a && nephron add -q a && commit two
}

objects() {
    (cd "$1/files/md5" && find . -type f | sort)
}

test_expect_success "a repository with a history" '
    new_repo r && cd r && make_history && mv .dvc/cache ../all
'

# both SCOPE COMMAND...: runs it as Nephron and as DVC in the same state; what arrives is in got and want.
both() {
    to=$1 && shift && rm -rf ../remote .dvc/cache && fill $to && nephron "$@" 2>err; code=$?
    objects $to >got && rm -rf ../remote .dvc/cache && fill $to && "$dvc" "$@" 2>want-err; test $? = $code &&
    objects $to >want && test_cmp want got && grep -o "failed to collect.*" want-err | sort >want &&
    grep -o "failed to collect.*" err | sort >got && test_cmp want got
}

# The cache is full and the remote empty, or the other way round.
fill() {
    mkdir -p ../remote/files/md5 .dvc/cache/files/md5 &&
    if test $1 = ../remote; then cp -a ../all/. .dvc/cache; else cp -a ../all/. ../remote; fi
}

for scope in -a -T -A "-a -T"; do
    test_expect_success DVC "push and fetch $scope" "
        at r && both ../remote push $scope && both .dvc/cache fetch $scope
    "
done

test_expect_success DVC "targets are looked for in every revision" '
    at r && both ../remote push -A t.dvc && test "$(objects ../remote | wc -l)" = 1 && both ../remote push -A d/3 &&
    both ../remote push -a s && both ../remote push -A nosuch && test_expect_code 1 nephron push -A nosuch
'

test_expect_success DVC "pull fetches for all and checks this one out" '
    at r && both .dvc/cache pull -A -f && test "$(objects .dvc/cache | wc -l)" = "$(objects ../all | wc -l)"
'

sorted() {
    "$python" -m json.tool --sort-keys
}

test_expect_success DVC "status -c: what the remote lacks, and a revision that cannot be read" '
    at r && rm -rf ../remote .dvc/cache && fill ../remote &&
    test_expect_code 1 nephron status -c -a 2>err && grep "Failed to collect .broken." err &&
    test_expect_code 1 "$dvc" status -c -a && git branch -q -D broken &&
    nephron status -c -a --json | sorted >got && "$dvc" status -c -a --json | sorted >want && test_cmp want got &&
    nephron status -c -T --json | sorted >got && "$dvc" status -c -T --json | sorted >want && test_cmp want got &&
    test_expect_code 1 nephron status -c -T -q && nephron push -q -A && nephron status -c -A -q
'

test_expect_success DVC "a repository below the work tree, seen from before it was one" '
    at . && rm -rf all remote && mkdir sub && cd sub && git init -q . && git config user.name t &&
    git config user.email t@t && echo x >x && commit before && mkdir p && cd p && nephron init -q --subdir &&
    nephron remote add -q -d r "$SHARNESS_TRASH_DIRECTORY/sub/remote" && echo 1 >one && nephron add -q one &&
    commit one && echo 2 >one && nephron add -q one && commit two && mv .dvc/cache ../all && both ../remote push -A &&
    test "$(objects ../remote | wc -l)" = 2
'

test_expect_success DVC "metrics show names what it shows as DVC" '
    new_repo m && cd m && git symbolic-ref HEAD refs/heads/main && echo "{\"a\": 1}" >x.json &&
    printf "stages:\n  s:\n    cmd: cp x.json m.json\n    metrics: [{m.json: {cache: false}}]\n" >dvc.yaml &&
    nephron repro -q && commit one && git tag v1 && git tag -a -m x v2 && git branch other && sed -i s/1/2/ m.json &&
    commit two && for scope in -a -T -A "-a -T"; do
        nephron metrics show $scope --json | sorted >got &&
        "$dvc" metrics show $scope --json | sorted >want && test_cmp want got || return 1
    done && sed -i s/2/3/ m.json && nephron metrics show -a --json >got && "$dvc" metrics show -a --json >want &&
    test_cmp want got
'

# same ARG...: the answer, the exit code and the last line of stderr are DVC's
same() {
    nephron "$@" >got 2>got.err; echo $? >>got; "$dvc" "$@" >want 2>want.err; echo $? >>want
    tail -n 1 got.err >>got; tail -n 1 want.err >>want; test_cmp want got
}

test_expect_success DVC "metrics of a stage that keeps them in the cache, seen in each revision" '
    new_repo kept && cd kept && git symbolic-ref HEAD refs/heads/main &&
    printf "stages:\n  s:\n    cmd: mkdir d; cp x.json m.json; cp x.json d/x.json\n    deps: [x.json]\n    outs: [d]\n    metrics: [m.json]\n" >dvc.yaml &&
    echo "{\"a\": 1}" >x.json && same metrics show --json && same metrics show && same metrics show -a --json &&
    nephron repro -q && commit one && sed -i s/1/2/ x.json && nephron repro -q && same metrics diff --json &&
    same metrics show -a --json && same metrics diff --targets d/x.json --json && rm m.json && same metrics show --json &&
    same metrics show m.json nosuch.json --json && same metrics show nosuch.json && same metrics show -A nosuch.json --json
'

test_expect_success DVC "a dvc.yaml that cannot be read is an answer, for stage list --all it is left out" '
    at kept && mkdir sub && printf "stages:\n  t: {cmd: echo}\n" >sub/dvc.yaml && echo "stages: [" >dvc.yaml &&
    same metrics show && same metrics show --json && same metrics show -a --json && same metrics diff --json &&
    same params diff --json && same metrics show x.json --json && echo "stages: 3" >dvc.yaml && same metrics show --json &&
    nephron stage list --all >got 2>err && "$dvc" stage list --all >want && test_cmp want got &&
    grep "WARNING: left out: .\./dvc.yaml. validation failed" err && nephron stage list sub/dvc.yaml &&
    test_expect_code 255 nephron stage list --all --fail && test_expect_code 255 nephron stage list &&
    printf "stages:\n  z: {cmd: echo}\n  a: {cmd: \"echo \${nope}\"}\n" >dvc.yaml &&
    nephron stage list --all >got && "$dvc" stage list --all >want && test_cmp want got
'

test_expect_success DVC "no commits, no such revision, no git" '
    new_repo fresh && cd fresh && echo "lr: 1" >params.yaml && same params diff --json && same metrics diff &&
    commit one && same params diff nosuch && same metrics diff HEAD nosuch && same params diff HEAD workspace --json &&
    at . && mkdir nogit && cd nogit && nephron init -q --no-scm && same params diff && same metrics diff --json &&
    same metrics show --json && same metrics show -a --json
'

test_expect_success "without git there are no revisions" '
    at . && mkdir plain && cd plain && nephron init -q --no-scm && nephron remote add -q -d r ../remote && echo 1 >a &&
    nephron add -q a && test_expect_code 1 nephron push -a 2>err && grep "not in a git work tree" err
'

test_done
