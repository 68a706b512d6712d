#!/bin/sh

test_description="gangs: trainings inside the ranks, beside one another and beside other stages"

. /usr/share/sharness/sharness.sh
. "$NEPHRON_SOURCE_DIR/tests/mpi/train-lib.sh"

if ! command -v mpirun >/dev/null || ! test -x "$NEPHRON_BIN_DIR/nephron-mpi"; then
    skip_all="mpirun or nephron-mpi is not there"
    test_done
fi

# Open MPI's sockets need a short path.
TMPDIR=$(mktemp -d /tmp/t0711.XXXXXX) && export TMPDIR
cleanup 'rm -rf "$TMPDIR"' 2>/dev/null || trap 'rm -rf "$TMPDIR"' EXIT

at() {
    cd "$SHARNESS_TRASH_DIRECTORY/$1"
}

pool() {
    n=$1
    shift
    ranks "$n" nephron repro "$@"
}

one_gang() { # COMMAND RANKS [further keys of meta.nephron]
    cat >dvc.yaml <<-EOF2
	stages:
	  t:
	    cmd: $1
	    deps: [artifacts/prepare_base_model]
	    params: [EPOCHS]
	    outs: [artifacts/training]
	    meta: {nephron: {ranks: $2${3:+, $3}}}
	EOF2
}

test_expect_success 'a training on all ranks: inside them, the weights those of one rank alone' '
    at . && small_repo a && cd a && "$N" train -q && weights artifacts/training/model.pth >../alone &&
    rm -r artifacts/training && one_gang "nephron train" all &&
    pool 2 >../out && weights artifacts/training/model.pth >../gang && test_cmp ../alone ../gang &&
    grep "^> nephron train$" ../out && grep "2 ranks of" ../out && grep "^epoch 2/2" ../out &&
    grep "^epoch 2/2" .dvc/tmp/nephron/logs/t.log && grep "^.exited with 0 after" .dvc/tmp/nephron/logs/t.log &&
    nephron repro >../out && grep "up to date" ../out
'

test_expect_success 'with a shell in its line it runs on the lead alone, and writes the same' '
    at a && one_gang "nephron train | cat" all && pool 2 >../out && grep "1 rank of" ../out &&
    weights artifacts/training/model.pth >../shell && test_cmp ../alone ../shell
'

test_expect_success 'several commands: prepare, train and evaluate, one after the other' '
    at a && cat >dvc.yaml <<-\EOF &&
	stages:
	  all:
	    cmd: [nephron prepare -q, nephron train -q, nephron evaluate]
	    params: [EPOCHS]
	    outs: [artifacts/training, artifacts/evaluation]
	    metrics: [{scores.json: {cache: false}}]
	    meta: {nephron: {ranks: 2}}
	EOF
    pool 3 >../out && weights artifacts/training/model.pth >../three && test_cmp ../alone ../three &&
    grep "^> nephron evaluate" ../out && grep "^Tumor " ../out && "$N" evaluate >../table &&
    grep "^Tumor " ../table >../expect && grep "^Tumor " ../out >../actual && test_cmp ../expect ../actual
'

test_expect_success 'a matrix of two trainings on four ranks: two groups of two at once' '
    at . && small_repo m && cd m && for r in 0.01 0.02; do
        mkdir r$r && cp -r config params.yaml r$r && echo "LEARNING_RATE: $r" >>r$r/params.yaml &&
        cp -r artifacts r$r/ || return 1
    done &&
    cat >dvc.yaml <<-\EOF &&
	stages:
	  t:
	    matrix: {rate: ["0.01", "0.02"]}
	    cmd: nephron train
	    wdir: r${item.rate}
	    deps: [params.yaml]
	    outs: [artifacts/training]
	    meta: {nephron: {ranks: 2}}
	EOF
    pool 4 --json >../events && grep "2 ranks of" .dvc/tmp/nephron/logs/t@0.01.log &&
    grep "2 ranks of" .dvc/tmp/nephron/logs/t@0.02.log &&
    sed -n "s/.*\"event\": \"\(begin\|end\)\".*/\1/p" ../events >../order && printf "begin\nbegin\nend\nend\n" >../expect &&
    test_cmp ../expect ../order &&
    for r in 0.01 0.02; do
        weights r$r/artifacts/training/model.pth >../in-pool && (cd r$r && "$N" train -q --fresh) &&
        weights r$r/artifacts/training/model.pth >../by-hand && test_cmp ../in-pool ../by-hand || return 1
    done
'

# The training does not end by itself: that the chain does shows that rank 0 serves it meanwhile.
test_expect_success 'while rank 0 trains, the others are served; SIGUSR1 ends it with a checkpoint and 85' '
    at . && small_repo s EPOCHS=100000 && cd s && one_gang "nephron train" 2 &&
    cat >>dvc.yaml <<-\EOF &&
	  c0: {cmd: "while ! grep -q epoch .dvc/tmp/nephron/logs/t.log; do sleep 0.02; done; echo 0 > c0", outs: [c0]}
	EOF
    for i in 1 2 3 4 5 6 7 8; do
        echo "  c$i: {cmd: \"echo $i > c$i\", deps: [c$((i - 1))], outs: [c$i]}" >>dvc.yaml
    done &&
    { mpirun -n 3 --oversubscribe nephron repro >../out 2>../err </dev/null & } && job=$! &&
    wait_until test -e c8 && wait_until has_checkpoint . && kill -USR1 $job && { wait $job; test $? = 85; } &&
    grep "stopped by signal 10 after step" ../out && grep "failed to reproduce .t.*exited with 85" ../err &&
    has_checkpoint . && nephron status c8 >../out && grep "up to date" ../out
'

test_expect_success 'and the next start goes on from there, on another number of ranks' '
    at s && sed -i "s/^    meta:.*/    meta: {nephron: {ranks: 2, timeout: 4}}/" dvc.yaml &&
    test_expect_code 255 pool 2 >../out 2>../err && grep "resuming after step" ../out &&
    grep "exited with 143 (its time was up)" ../err
'

test_expect_success 'a time-out with retries: tried again from the checkpoint' '
    at s && sed -i "s/timeout: 4/timeout: 4, retries: 1/" dvc.yaml &&
    test_expect_code 255 pool 2 >../out 2>../err && grep "trying again (attempt 2 of 2)" ../out ../err &&
    test "$(grep -c "resuming after step" .dvc/tmp/nephron/logs/t.log)" = 2
'

test_expect_success 'SIGTERM to the ranks stops a training in order, the pool exits 143' '
    at s && one_gang "nephron train" all && rm .dvc/tmp/nephron/logs/t.log &&
    { mpirun -n 2 --oversubscribe nephron repro >../out 2>../err </dev/null & } && job=$! &&
    wait_until grep -q epoch .dvc/tmp/nephron/logs/t.log && pkill -TERM -P $job nephron && { wait $job; test $? = 143; } &&
    grep "stopped by signal 15 after step" ../out
'

test_expect_success 'environment and folder of the stage reach the ranks, and leave them again' '
    at . && small_repo w EPOCHS=1 && cd w && mkdir sub && mv config params.yaml artifacts sub/ && cat >dvc.yaml <<-\EOF &&
	stages:
	  t:
	    cmd: nephron train
	    wdir: sub
	    deps: [params.yaml]
	    outs: [artifacts/training]
	    meta: {nephron: {ranks: 2, env: {NEPHRON_THREADS: 3}}}
	  after: {cmd: "pwd; env", deps: [sub/artifacts/training], outs: [o], always_changed: true}
	EOF
    sed -i "s/pwd; env/pwd > o; env >> o/" dvc.yaml && pool 2 >../out && grep "2 ranks of 3 threads" ../out &&
    test "$(head -n 1 o)" = "$(pwd)" && ! grep "NEPHRON_THREADS" o
'

test_expect_success 'a wrong word is named as the stage says it, with the exit code' '
    at . && small_repo v && cd v && one_gang "nephron train --nosuch" all && test_expect_code 255 pool 2 >../out 2>../err &&
    grep "nephron train --nosuch, exited with 2" ../err && grep -c "error:.*nosuch" ../out >../count && echo 1 >../one &&
    test_cmp ../one ../count
'

test_expect_success 'a folder that one rank lacks fails the stage, not the pool' '
    at v && one_gang "nephron train" all && sed -i "s/^    cmd:/    wdir: none\n    cmd:/" dvc.yaml &&
    test_expect_code 255 pool 2 >../out 2>../err && grep "none" ../err
'

test_done
