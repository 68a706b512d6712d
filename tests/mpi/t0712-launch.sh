#!/bin/sh

test_description="launch: starts an MPI job again; ranks killed at random moments cost nothing but time; signals"

. /usr/share/sharness/sharness.sh
. "$NEPHRON_SOURCE_DIR/tests/mpi/train-lib.sh"

if ! command -v mpirun >/dev/null || ! test -x "$NEPHRON_BIN_DIR/nephron-mpi"; then
    skip_all="mpirun or nephron-mpi is not there"
    test_done
fi

# Open MPI's sockets need a short path.
TMPDIR=$(mktemp -d /tmp/t0712.XXXXXX) && export TMPDIR
cleanup 'rm -rf "$TMPDIR"' 2>/dev/null || trap 'rm -rf "$TMPDIR"' EXIT

# The same moments again: NEPHRON_SEED=N.
seed=${NEPHRON_SEED:-$$}
say "seed $seed"
random() { # N: 0..N-1, in $random
    seed=$(((seed * 1103515245 + 12345) % 2147483648))
    random=$((seed / 65536 % $1))
}

at() {
    cd "$SHARNESS_TRASH_DIRECTORY/$1"
}

# in_background COMMAND…: SIGINT is ignored in what a shell starts with &; this gives it back
in_background() {
    perl -e '$SIG{INT} = "DEFAULT"; exec @ARGV' "$@" &
}

# rank_pids MARK: the ranks of all that carries the mark. A rank's guard is a nephron-mpi, too, but no child of mpirun.
rank_pids() {
    for p in $(marked "$1"); do
        parent=$(sed -n "s/^PPid:[^0-9]*//p" "/proc/$p/status" 2>/dev/null)
        if grep -q mpirun "/proc/$parent/comm" 2>/dev/null && grep -q nephron-mpi "/proc/$p/comm" 2>/dev/null && tr '\0' '\n' <"/proc/$p/cmdline" | grep -q "^train$\|^repro$" &&
            tr '\0' '\n' <"/proc/$p/environ" | grep -q ^OMPI_COMM_WORLD_RANK=; then
            echo "$p"
        fi
    done
}

test_expect_success 'a failing command is started again, with growing pauses, until it succeeds' '
    cat >flaky <<-\EOF &&
	echo x >>tries
	test $(wc -l <tries) = 3 || exit 9
	EOF
    nephron launch --max-restarts 5 --backoff 0.1 -- sh flaky 2>err && test $(wc -l <tries) = 3 &&
    grep "sh failed with 9 after .* s; starting again in 0.1 s (restart 1 of 5)" err &&
    grep "starting again in 0.2 s (restart 2 of 5)" err
'

test_expect_success 'the last exit code is the end; a signal is named' '
    test_expect_code 9 nephron launch --max-restarts 1 --backoff 0 -- sh -c "exit 9" 2>err &&
    grep "restarted 1 times already, so this is the end" err &&
    test_expect_code 137 nephron launch --max-restarts 1 --backoff 0 -- sh -c "kill -9 \$\$" 2>err &&
    grep "ended with 137 (signal 9)" err
'

for code in 0 85 130 143; do
    test_expect_success "$code is not started again" '
        rm -f tries && test_expect_code '$code' nephron launch --backoff 0 -- sh -c "echo x >>tries; exit '$code'" &&
        test $(wc -l <tries) = 1
    '
done

test_expect_success '85 is, when asked' '
    rm -f tries &&
    test_expect_code 85 nephron launch --requeue-as-restart --max-restarts 2 --backoff 0 -- sh -c "echo x >>tries; exit 85" &&
    test $(wc -l <tries) = 3
'

test_expect_success 'wrong words exit 2, a command that is not there 127' '
    test_expect_code 2 nephron launch 2>err && grep "usage: nephron launch" err &&
    test_expect_code 2 nephron launch --max-restarts -1 -- true && test_expect_code 2 nephron launch --backoff x -- true &&
    test_expect_code 127 nephron launch -- ./nosuch 2>err && grep "cannot start ./nosuch" err &&
    nephron launch --help >out && grep "nephron launch --max-restarts 5 -- mpirun" out
'

test_expect_success 'what a failed start left behind is ended before the next, also when it is stubborn' '
    cat >leaves <<-\EOF &&
	setsid sh -c "trap : TERM; echo \$\$ >>left; while :; do sleep 0.1; done" &
	while ! test -e left; do sleep 0.01; done
	exit 7
	EOF
    test_expect_code 7 nephron launch --max-restarts 0 -- sh leaves &&
    for p in $(cat left); do
        ! grep "^State:.[^Z]" /proc/$p/status 2>/dev/null || return 1
    done
'

test_expect_success 'a command that is no mpirun gets the signal; the second one ends it at once' '
    cat >slow <<-\EOF &&
	trap "echo term >>got" TERM
	touch up
	while :; do sleep 0.05; done
	EOF
    { in_background nephron launch -- sh slow; } && job=$! && wait_until test -e up && kill -TERM $job &&
    wait_until test -e got && kill -TERM $job && { wait $job; test $? = 143; }
'

test_expect_success 'the undisturbed training' '
    small_project calm EPOCHS=12 && cp -r calm wild && cp -r calm told && (cd calm && "$N" train -q) &&
    weights calm/artifacts/training/model.pth >expect
'

# Each kill waits until this start trains, then for a random moment of up to 2 s: in a step, between steps, in a
# checkpoint, in a validation.
test_expect_success 'kill -9 of a random rank, four times: the weights of the undisturbed training' '
    at wild && { in_background nephron launch --max-restarts 4 --backoff 0.1 -- mpirun -n 2 --oversubscribe "$N" train 2>../err; } &&
    job=$! && for kill in 1 2 3 4; do
        wait_until eval "test \$(grep -c \"2 ranks of\" ../err) -ge $kill" && random 2000 &&
        sleep $((random / 1000)).$(printf %03d $((random % 1000))) &&
        mark=$(tr "\0" "\n" </proc/$(pgrep -P $job mpirun)/environ | grep ^NEPHRON_LAUNCH=) && test -n "$mark" || break
        set -- $(rank_pids "$mark")
        test $# -gt 0 || break
        random $# && shift $random && kill -9 $1 || break
    done
    wait $job && test $(grep -c "starting again" ../err) -ge 2 && none_marked "$mark" &&
    weights artifacts/training/model.pth >../actual && test_cmp ../expect ../actual
'

for sig in USR1:85 INT:130 TERM:143; do
    test_expect_success "SIG${sig%:*}: a checkpoint and exit ${sig#*:}, well before mpirun would kill" '
        at told && rm -f ../err && { in_background nephron launch -- mpirun -n 2 --oversubscribe "$N" train 2>../err; } && job=$! &&
        wait_until grep -q "^epoch" ../err && kill -'${sig%:*}' $job && { wait $job; test $? = '${sig#*:}'; } &&
        grep "stopped by signal [0-9]* after step" ../err && has_checkpoint .
    '
done

test_expect_success 'and four ranks, then one, go on to the weights of the undisturbed training' '
    at told && rm -f ../err && { in_background nephron launch -- mpirun -n 4 --oversubscribe "$N" train 2>../err; } && job=$! &&
    wait_until grep -q "^epoch" ../err && grep "resuming after step" ../err && kill -USR1 $job && { wait $job; test $? = 85; } &&
    "$N" train 2>../err && grep "resuming after step" ../err &&
    weights artifacts/training/model.pth >../actual && test_cmp ../expect ../actual
'

test_expect_success 'a rank of the pool is killed: finished stages are not repeated, the gang goes on' '
    at . && small_repo pool EPOCHS=12 && cd pool && cat >dvc.yaml <<-\EOF &&
	stages:
	  a: {cmd: "echo x >> ../a-runs; echo a > a", outs: [a]}
	  t:
	    cmd: nephron train
	    deps: [a, artifacts/prepare_base_model]
	    params: [EPOCHS]
	    outs: [artifacts/training]
	    meta: {nephron: {ranks: all}}
	  b: {cmd: "echo x >> ../b-runs; echo b > b", deps: [artifacts/training], outs: [b]}
	EOF
    { in_background nephron launch --max-restarts 3 --backoff 0.1 -- mpirun -n 2 --oversubscribe nephron repro >../out 2>../err; } &&
    job=$! && wait_until has_checkpoint . &&
    mark=$(tr "\0" "\n" </proc/$(pgrep -P $job mpirun)/environ | grep ^NEPHRON_LAUNCH=) && set -- $(rank_pids "$mark") &&
    random $# && shift $random && kill -9 $1 && wait $job && none_marked "$mark" &&
    grep "starting again in 0.1 s (restart 1 of 3)" ../err && grep "resuming after step" ../out &&
    test $(wc -l <../a-runs) = 1 && test $(wc -l <../b-runs) = 1 && nephron repro >../out && grep "up to date" ../out &&
    weights artifacts/training/model.pth >../actual && test_cmp ../expect ../actual
'

test_expect_success 'repro -n 2: TERM gives 143 in order, and nothing is left' '
    at pool && sed -i "s/^EPOCHS.*/EPOCHS: 100000/" params.yaml && rm -f .dvc/tmp/nephron/logs/t.log &&
    { OMPI_MCA_rmaps_base_oversubscribe=1 NEPHRON_TEST_MARK=$$ in_background nephron repro -n 2 >../out 2>../err; } && job=$! &&
    wait_until grep -q "^epoch" .dvc/tmp/nephron/logs/t.log && kill -TERM $job && { wait $job; test $? = 143; } &&
    grep "stopped by signal 15" ../out && has_checkpoint . && none_marked NEPHRON_TEST_MARK=$$
'

test_done
