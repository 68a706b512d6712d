#!/bin/sh

test_description="mpirun -n N nephron exp run --run-all: the queue of experiments over the ranks"

. /usr/share/sharness/sharness.sh
. "$NEPHRON_SOURCE_DIR/tests/cli/dispatch-lib.sh"

if ! command -v mpirun >/dev/null || ! test -x "$NEPHRON_BIN_DIR/nephron-mpi"; then
    skip_all="mpirun or nephron-mpi is not there"
    test_done
fi

OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 NEPHRON_REDIS_URL=none
export OMPI_ALLOW_RUN_AS_ROOT OMPI_ALLOW_RUN_AS_ROOT_CONFIRM NEPHRON_REDIS_URL
# Open MPI's sockets need a short path.
TMPDIR=$(mktemp -d /tmp/t0715.XXXXXX) && export TMPDIR
trap 'rm -rf "$TMPDIR"' EXIT
GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_SYSTEM=/dev/null GIT_AUTHOR_NAME=t GIT_AUTHOR_EMAIL=t@t GIT_COMMITTER_NAME=t GIT_COMMITTER_EMAIL=t@t
export GIT_CONFIG_GLOBAL GIT_CONFIG_SYSTEM GIT_AUTHOR_NAME GIT_AUTHOR_EMAIL GIT_COMMITTER_NAME GIT_COMMITTER_EMAIL

ranks() {
    n=$1
    shift
    timeout 120 mpirun -n "$n" --oversubscribe nephron "$@" </dev/null
}

# Experiments m-1 and m-2 wait for one another, so they end only when they run at the same time.
test_expect_success 'a queue of four, two of which need one another' '
    mkdir p && cd p && git init -q -b main . && nephron init -q && echo "lr: 0" >params.yaml && MEET=$TMPDIR/meet && export MEET && mkdir "$MEET" &&
        cat >train.sh <<-\EOF && printf "%s\n" "stages:" "  train:" "    cmd: sh train.sh" "    deps: [train.sh]" "    params: [lr]" "    outs: [model]" >dvc.yaml &&
	env | grep -c -e ^OMPI_ -e ^PMIX_ >model
	cat params.yaml >>model
	case $DVC_EXP_NAME in
	m-1) touch "$MEET/1"; while ! test -e "$MEET/2"; do sleep 0.05; done ;;
	m-2) touch "$MEET/2"; while ! test -e "$MEET/1"; do sleep 0.05; done ;;
	m-3) echo no; exit 7 ;;
	esac
	EOF
        git add -A && git commit -qm base && nephron exp run --queue -n m -S "lr=range(1,5)" >/dev/null && cd ..
'

test_expect_success 'two ranks run it, one writes the refs' '
    (cd p && ranks 2 exp run --run-all >../out 2>../err && grep -q "^Ran experiment(s): m-" ../out &&
        grep -q "Failed to reproduce experiment(s) .m-3." ../err && grep -q "exited with 7" ../err && nephron queue logs m-3 | grep -q "^no" &&
        nephron queue status >../status && test "$(grep -c Success ../status)" = 3 && test "$(grep -c Failed ../status)" = 1 &&
        git for-each-ref --format="%(refname)" "refs/exps/??/**" | sed "s#.*/##" >../names && printf "m-1\nm-2\nm-4\n" | test_cmp - ../names &&
        git status --short >../changed && test_must_be_empty ../changed && test -z "$(ls .dvc/tmp/exps/nephron/copies)")
'

test_expect_success 'stages of experiments do not see the launcher' '
    (cd p && ref=$(git for-each-ref --format="%(refname)" "refs/exps/??/*/m-4") && git show "$ref:params.yaml" | grep -q "lr: 4" &&
        md5=$(git show "$ref:dvc.lock" | sed -n "/outs:/,\$s/.*md5: \(..\)\(.*\)/\1\/\2/p" | tail -1) &&
        printf "0\nlr: 4\n" | test_cmp - ".dvc/cache/files/md5/$md5")
'

test_expect_success 'an empty queue ends at once, exit 0; other commands of exp are not for ranks' '
    (cd p && ranks 2 exp run --run-all >../out && test_must_be_empty ../out && ranks 1 exp clean >../out && test "$(grep -c Done ../out)" = 1)
'

test_done
