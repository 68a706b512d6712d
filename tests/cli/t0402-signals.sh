#!/bin/sh

test_description="repro: Ctrl-C and TERM end it in order; two at once; what a kill leaves is taken up"

. /usr/share/sharness/sharness.sh
. "$NEPHRON_SOURCE_DIR/tests/cli/dispatch-lib.sh"

slow_repo() {
    new_repo "$1" && cd "$1" && cat >dvc.yaml <<-\EOF
	stages:
	  a: {cmd: echo 1 > a.out, outs: [a.out]}
	  b: {cmd: "echo half > b.out; echo $$ > ../pid.tmp; mv ../pid.tmp ../pid; sleep 1000", deps: [a.out], outs: [b.out]}
	EOF
}

# in_background COMMAND…: SIGINT is ignored in what a shell starts with &; this gives it back
in_background() {
    perl -e '$SIG{INT} = "DEFAULT"; exec @ARGV' "$@" &
    echo $! >>"$SHARNESS_TRASH_DIRECTORY/started"
}

for sig in INT TERM; do
    for jobs in 1 2; do
        test_expect_success "SIG$sig with -j $jobs" '
            at . && rm -f pid && slow_repo s$sig$jobs &&
            { in_background nephron repro -j $jobs >out 2>err; } && n=$! &&
            wait_for ../pid && kill -'$sig' $n && wait $n; code=$? &&
            case '$sig' in INT) test $code = 130;; TERM) test $code = 143;; esac &&
            gone $(cat ../pid) &&
            test ! -e b.out && grep "^  a:" dvc.lock && test_expect_code 1 grep "^  b:" dvc.lock &&
            grep "failed to reproduce .b.: failed to run: .*exited with -" err &&
            sed -i "s/sleep 1000/true/" dvc.yaml && nephron repro >out && grep "Stage .a. didn" out
        '
    done
done

test_expect_success 'a second repro exits 75 and names the first; --wait waits for it' '
    at . && rm -f pid && slow_repo busy && { in_background nephron repro >out 2>err; } && n=$! && wait_for ../pid &&
    test_expect_code 75 nephron repro 2>busy && grep "process $n " busy && grep "nephron repro" busy &&
    { in_background nephron repro --wait >waited 2>&1; } && w=$! && sleep 0.3 && kill -0 $w &&
    sed -i "s/sleep 1000/true/" dvc.yaml && kill -KILL -$(cat ../pid) && { wait $n; true; } && wait $w &&
    grep "Updating lock file" waited
'

test_expect_success 'other commands work while a stage runs' '
    at . && rm -f pid && slow_repo other && { in_background nephron repro >out 2>err; } && n=$! && wait_for ../pid &&
    sleep 1.2 && timeout 20 nephron explain a >actual && kill -TERM $n && wait $n; true
'

test_expect_success 'kill -9 of the coordinator alone: the stage is ended, the next run goes on' '
    at . && rm -f pid && slow_repo killed && { in_background nephron repro -j 2 >out 2>err; } && n=$! && wait_for ../pid &&
    kill -9 $n && { wait $n; true; } && sed -i "s/sleep 1000/true/" dvc.yaml && nephron repro >out 2>err &&
    gone $(cat ../pid) && grep "Stage .a. didn" out
'

test_expect_success 'a stage that leaves a daemon behind ends, and keeps no lock' '
    new_repo daemon && cd daemon && cat >dvc.yaml <<-\EOF &&
	stages:
	  s: {cmd: "sleep 30 > /dev/null 2>&1 & echo $! >> ../daemon.pid; touch o", outs: [o]}
	EOF
    timeout 20 nephron repro >out && nephron repro -f >out2 && test -e o; code=$?
    kill $(cat ../daemon.pid) 2>/dev/null; test $code = 0
'

# What a failed test left running.
for p in $(cat "$SHARNESS_TRASH_DIRECTORY/started"); do
    kill -TERM $p 2>/dev/null
done

test_done
