#!/bin/sh

test_description="status of the workspace and of a remote"

. /usr/share/sharness/sharness.sh
. "$NEPHRON_SOURCE_DIR/tests/cli/dispatch-lib.sh"

test -n "$dvc" && test_set_prereq DVC

# Lines, and members of JSON objects, in one order: DVC's order of stages changes from run to run.
unordered() {
    sed "s/^{//; s/}$//; s/], \"/]\n\"/g" "$1" | sort
}

# both OPTION...: the answers of nephron and of dvc are the same
both() {
    nephron status "$@" >ours.raw 2>/dev/null
    a=$?
    "$dvc" status "$@" >theirs.raw 2>/dev/null
    b=$?
    unordered ours.raw >ours && unordered theirs.raw >theirs
    test_cmp theirs ours && test $a = $b
}

test_expect_success "nothing tracked" '
    new_repo r && cd r && nephron status >got && grep "no data or pipelines tracked" got &&
    nephron status --json >got && echo "{}" >want && test_cmp want got && nephron status -q
'

test_expect_success "clean, and what changed" '
    at r && cat >dvc.yaml <<-\END &&
	stages:
	  prep: {cmd: cat in > p, deps: [in], params: [lr], outs: [p]}
	  train: {cmd: cat p > m, deps: [p], outs: [m]}
	END
    echo 1 >in && echo "lr: 1" >params.yaml && nephron repro -q && nephron status >got &&
    echo "Data and pipelines are up to date." >want && test_cmp want got && nephron status -q &&
    echo 2 >in && echo "lr: 2" >params.yaml && rm m && nephron status >got &&
    {
        printf "prep:\n\tchanged deps:\n\t\tmodified:           in\n\t\tparams.yaml:\n" &&
        printf "\t\t\tmodified:           lr\ntrain:\n\tchanged outs:\n\t\tdeleted:            m\n"
    } >want &&
    test_cmp want got && test_expect_code 1 nephron status -q &&
    nephron status --json train >got && echo "{\"train\": [{\"changed outs\": {\"m\": \"deleted\"}}]}" >want &&
    test_cmp want got
'

test_expect_success "errors answer 1" '
    at r && test_expect_code 1 nephron status nosuch && test_expect_code 1 nephron status -a &&
    test_expect_code 1 nephron status -c && cp dvc.yaml keep && echo "  zz:" >>dvc.yaml &&
    test_expect_code 1 nephron status && mv keep dvc.yaml
'

test_expect_success "outputs that clash stop commands that run or write, not those that tell" '
    at . && new_repo clash && cd clash &&
    printf "stages:\n  a: {cmd: x, outs: [b]}\n  b: {cmd: x, outs: [b/c]}\n  c: {cmd: x, deps: [d], outs: [d]}\n" >dvc.yaml &&
    nephron status >got && grep -c "deleted:            b" got >count && echo 2 >want && test_cmp want count &&
    nephron stage list --name-only >got && printf "a\nb\nc\n" >want && test_cmp want got &&
    test_expect_code 255 nephron repro 2>err && grep "overlap and are thus" err &&
    test_expect_code 1 nephron status -d a
'

test_expect_success DVC "the real dvc tells the same" '
    at clash && both && both --json
'

test_expect_success "status -c: new, deleted, in sync" '
    at r && mkdir ../st && nephron remote add -q -d st ../st && nephron repro -q && nephron status -c >got &&
    printf "\tnew:                %s\n" p >want && test_cmp want got &&
    test_expect_code 1 nephron status -c -q && nephron push -q && nephron status -c >got &&
    echo "Cache and remote '\''st'\'' are in sync." >want && test_cmp want got &&
    rm -rf .dvc/cache && nephron status -c --json >got && echo "{\"p\": \"deleted\"}" >want && test_cmp want got
'

test_expect_success DVC "the same bytes as the real dvc" '
    at r && nephron pull -q && both && both --json && echo 7 >in && rm p && both && both --json &&
    both train && both p && both -d train && both -q && both nosuch && both --json prep m
'

test_done
