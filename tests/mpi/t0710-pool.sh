#!/bin/sh

test_description="mpirun -n N nephron repro: stages on ranks, failures, gangs, signals, waiting without CPU"

. /usr/share/sharness/sharness.sh
. "$NEPHRON_SOURCE_DIR/tests/cli/dispatch-lib.sh"

if ! command -v mpirun >/dev/null || ! test -x "$NEPHRON_BIN_DIR/nephron-mpi"; then
    skip_all="mpirun or nephron-mpi is not there"
    test_done
fi

OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 NEPHRON_REDIS_URL=none
export OMPI_ALLOW_RUN_AS_ROOT OMPI_ALLOW_RUN_AS_ROOT_CONFIRM NEPHRON_REDIS_URL
# Open MPI's sockets need a short path.
TMPDIR=$(mktemp -d /tmp/t0710.XXXXXX) && export TMPDIR
cleanup 'rm -rf "$TMPDIR"' 2>/dev/null || trap 'rm -rf "$TMPDIR"' EXIT

pool() {
    n=$1
    shift
    timeout 120 mpirun -n "$n" --oversubscribe nephron repro "$@" </dev/null
}

twelve() {
    cat >dvc.yaml <<-\EOF
	stages:
	  s:
	    foreach: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]
	    do:
	      cmd: "sleep 0.1; echo said ${item}; echo ${item} > o${item}"
	      outs: ["o${item}"]
	EOF
}

test_expect_success 'three stages that wait for one another run at the same time, each on a rank' '
    new_repo p && cd p && cat >dvc.yaml <<-\EOF &&
	stages:
	  a: {cmd: "echo $NEPHRON_SLOT > a; while ! test -e b || ! test -e c; do sleep 0.01; done", outs: [a]}
	  b: {cmd: "echo $NEPHRON_SLOT > b; while ! test -e a || ! test -e c; do sleep 0.01; done", outs: [b]}
	  c: {cmd: "echo $NEPHRON_SLOT > c; while ! test -e a || ! test -e b; do sleep 0.01; done", outs: [c]}
	EOF
    pool 3 >/dev/null && printf "0\n1\n2\n" >expect && sort a b c >actual && test_cmp expect actual
'

test_expect_success 'stages do not see the launcher' '
    new_repo e && cd e && echo "stages: {s: {cmd: \"env > o\", outs: [o]}, t: {cmd: \"env > u\", outs: [u]}}" >dvc.yaml &&
    pool 2 >/dev/null && ! grep -E "^(OMPI|PMIX|PMI|PRTE)_" o u && grep -q ^DVC_STAGE=s o && grep -q ^DVC_ROOT= u
'

test_expect_success 'dvc.lock and cache equal those of nephron repro, but for the order of stages' '
    new_repo one && (cd one && twelve && nephron repro >/dev/null) &&
    new_repo three && (cd three && twelve && pool 3 >../out) &&
    cd three && grep -c "^said" ../out >../count && echo 12 >../expect && test_cmp ../expect ../count &&
    sort ../one/dvc.lock >../expect && sort dvc.lock >../actual && test_cmp ../expect ../actual &&
    (cd ../one/.dvc/cache && find . -type f | sort) >../expect &&
    (cd .dvc/cache && find . -type f | sort) >../actual && test_cmp ../expect ../actual
'

test_expect_success 'the second time nothing is stale, on ranks or without' '
    at three && pool 3 >../out && grep "Data and pipelines are up to date" ../out &&
    nephron repro >../out && grep "Data and pipelines are up to date" ../out
'

fails() {
    cat >dvc.yaml <<-\EOF
	stages:
	  bad: {cmd: "echo oops; exit 3", outs: [x]}
	  after: {cmd: "cp x y", deps: [x], outs: [y]}
	  good: {cmd: "sleep 0.3; touch g", outs: [g]}
	  late: {cmd: "cp g h", deps: [g], outs: [h]}
	EOF
}

test_expect_success 'a failing stage gives 255 and is named; what runs ends, nothing begins' '
    new_repo f && cd f && fails && test_expect_code 255 pool 2 >../out 2>../err &&
    grep "failed to reproduce .bad.\|stage: .bad." ../err && grep oops ../out &&
    test -e g && ! test -e h && ! test -e y
'

test_expect_success '-k goes on with what does not depend on it' '
    new_repo k && cd k && fails && test_expect_code 255 pool 2 -k >../out 2>../err &&
    grep "bad" ../err && test -e h && ! test -e y
'

test_expect_success 'a stage on another rank that fails is named too' '
    new_repo r && cd r && cat >dvc.yaml <<-\EOF &&
	stages:
	  a: {cmd: "while ! test -e went; do sleep 0.01; done; touch a", outs: [a]}
	  b: {cmd: "echo $NEPHRON_SLOT > went; exit 7", outs: [b]}
	EOF
    test_expect_code 255 pool 2 >../out 2>../err && echo 1 >../expect && test_cmp ../expect went &&
    grep "exited with 7" ../err
'

test_expect_success 'time-outs and retries on another rank' '
    new_repo t && cd t && cat >dvc.yaml <<-\EOF &&
	stages:
	  a: {cmd: "while ! test -e done; do sleep 0.01; done; touch a", outs: [a]}
	  s: {cmd: "if test -e try; then touch done s; else touch try; sleep 100 & echo $! > child; wait; fi", outs: [s],
	      meta: {nephron: {timeout: 0.5, retries: 1}}}
	EOF
    pool 2 >../out 2>../err && grep "trying again (attempt 2 of 2)" ../out ../err && gone $(cat child)
'

test_expect_success 'a gang finds its ranks and its hosts, and other stages run beside it' '
    new_repo g && cd g && cat >dvc.yaml <<-\EOF &&
	stages:
	  g: {cmd: "echo $NEPHRON_RANKS > g; cat $NEPHRON_HOSTFILE >> g; echo $NEPHRON_HOSTFILE > name; while ! test -e n; do sleep 0.01; done",
	      outs: [g], meta: {nephron: {ranks: 2}}}
	  n: {cmd: "while ! test -e g; do sleep 0.01; done; touch n", outs: [n]}
	EOF
    pool 3 >/dev/null && printf "2\n%s slots=2\n" "$(hostname)" >../expect && test_cmp ../expect g &&
    ! test -e "$(cat name)"
'

test_expect_success 'nephron repro -n 2 starts the ranks itself, and only when something is stale' '
    new_repo n && cd n && cat >dvc.yaml <<-\EOF &&
	stages:
	  a: {cmd: "touch a; while ! test -e b; do sleep 0.01; done", outs: [a]}
	  b: {cmd: "touch b; while ! test -e a; do sleep 0.01; done", outs: [b]}
	EOF
    timeout 60 nephron repro -n 2 >/dev/null </dev/null &&
    test -e a && (PATH=$NEPHRON_BIN_DIR && nephron repro -n 2 >../out) && grep "up to date" ../out
'

test_expect_success 'a run of the pool is recorded, an up-to-date one is not' '
    at three && ls .nephron/spool/*.log >../before && pool 3 >/dev/null && ls .nephron/spool/*.log >../after &&
    test_cmp ../before ../after && nephron runs ls --json >../runs &&
    grep "\"kind\": \"repro\"" ../runs && grep "\"status\": \"finished\"" ../runs && grep "\"world_size\": 3" ../runs
'

test_expect_success 'SIGTERM to the launcher ends the stages; finished ones stay finished' '
    new_repo i && cd i && cat >dvc.yaml <<-\EOF &&
	stages:
	  quick: {cmd: "touch q", outs: [q]}
	  l1: {cmd: "sleep 1000 & echo $! > p1; wait; touch l1", deps: [q], outs: [l1]}
	  l2: {cmd: "sleep 1000 & echo $! > p2; wait; touch l2", deps: [q], outs: [l2]}
	EOF
    { mpirun -n 2 --oversubscribe nephron repro >../out 2>../err </dev/null & } && job=$! &&
    wait_for p1 && wait_for p2 && kill -TERM $job && ! wait $job &&
    gone $(cat p1) && gone $(cat p2) && ! test -e l1 && ! test -e l2 &&
    nephron repro --dry l1 >../out 2>&1 && grep "quick.*skipping" ../out
'

test_expect_success 'killing the launcher leaves no stage behind' '
    new_repo z && cd z && cat >dvc.yaml <<-\EOF &&
	stages:
	  l1: {cmd: "sleep 1000 & echo $! > p1; wait; touch l1", outs: [l1]}
	  l2: {cmd: "sleep 1000 & echo $! > p2; wait; touch l2", outs: [l2]}
	EOF
    { mpirun -n 2 --oversubscribe nephron repro >../out 2>../err </dev/null & } && job=$! &&
    wait_for p1 && wait_for p2 && kill -KILL $job && ! wait $job &&
    gone $(cat p1) && gone $(cat p2)
'

# CPU time of each rank, in ticks of 10 ms, while one stage sleeps for 3 s: a tenth of a core is too much.
test_expect_success 'waiting ranks use no CPU to speak of' '
    new_repo w && cd w && cat >ticks <<-\EOF && cat >dvc.yaml <<-\EOF2 &&
	launcher=$(awk "{print \$4}" /proc/$1/stat)
	look() {
	    for rank in $(cat /proc/$launcher/task/*/children); do
	        awk "{print \$14 + \$15}" /proc/$rank/stat
	    done
	}
	look >before && sleep 3 && look >after && paste before after | awk "{print \$2 - \$1}"
	EOF
	stages:
	  s: {cmd: "sh ticks $PPID > o", outs: [o]}
	EOF2
    pool 3 >/dev/null && test $(wc -l <o) = 3 && say "ticks of the ranks in 3 s: $(tr "\n" " " <o)" &&
    awk "\$1 > 30 { exit 1 }" o
'

test_done
