#!/bin/sh
# A run of the queue that is killed at any moment leaves each experiment waiting or done, and nothing that keeps the next one from
# going on.
test_description='exp run --run-all and kill -9'
. "${SHARNESS:-/usr/share/sharness/sharness.sh}"

PATH=${NEPHRON_BIN_DIR:?where the programs are}:$PATH
GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_SYSTEM=/dev/null GIT_AUTHOR_NAME=t GIT_AUTHOR_EMAIL=t@t GIT_COMMITTER_NAME=t GIT_COMMITTER_EMAIL=t@t
export GIT_CONFIG_GLOBAL GIT_CONFIG_SYSTEM GIT_AUTHOR_NAME GIT_AUTHOR_EMAIL GIT_COMMITTER_NAME GIT_COMMITTER_EMAIL

test_expect_success "a repository with six experiments in the queue" '
    git init -q -b main . && nephron init -q && echo "lr: 0" >params.yaml &&
        printf "%s\n" "grep lr params.yaml >model" "test ! -e \"\$HOLD\" || { touch \"\$HOLD.\$DVC_EXP_NAME\"; sleep 60; }" >train.sh &&
        printf "%s\n" "stages:" "  train:" "    cmd: sh train.sh" "    deps: [train.sh]" "    params: [lr]" "    outs: [model]" >dvc.yaml &&
        git add -A && git commit -qm base && nephron exp run --queue -n k -S "lr=range(1,7)" >/dev/null &&
        test "$(git reflog show refs/exps/celery/stash | wc -l)" = 6
'

# wait_for COMMAND…: for at most a minute.
wait_for() {
    for i in $(seq 300); do
        "$@" && return 0
        sleep 0.2
    done
    return 1
}
both_began() {
    test -e "$HOLD.k-1" && test -e "$HOLD.k-2"
}

test_expect_success "killed while two stages run: both wait again" '
    HOLD=$PWD/../hold.$$ && export HOLD && touch "$HOLD" && { nephron exp run --run-all -j 2 >out 2>err & pid=$!; } && wait_for both_began &&
        nephron queue status >status && test "$(grep -c Running status)" = 2 && grep -q "1 active, 0 idle" status && kill -9 $pid &&
        test_expect_code 137 wait $pid && nephron queue status >status && test "$(grep -c Queued status)" = 6 && grep -q "0 active, 0 idle" status &&
        test "$(git reflog show refs/exps/celery/stash | wc -l)" = 6
'

test_expect_success "interrupted: those that ran wait again, exit 130" '
    rm -f "$HOLD".k* && { nephron exp run --run-all -j 2 >out 2>err & pid=$!; } && wait_for both_began && kill -INT $pid &&
        { wait $pid; test $? = 130; } && grep -q "waits in the queue" err && nephron queue status >status && test "$(grep -c Queued status)" = 6
'

# Each kill comes a little later; what is done stays done, and no entry is lost.
test_expect_success "killed at many moments, then run to the end" '
    rm -f "$HOLD" && HOLD=/nonexistent && for ms in 00 02 04 06 08 10 13 16 20 25; do
        { nephron exp run --run-all -j 2 >out 2>err & pid=$!; } && sleep 0.$ms && kill -9 $pid 2>/dev/null
        wait $pid
        nephron queue status >status && test "$(grep -c -e Queued -e Success -e Running status)" = 6 || return 1
        for name in $(awk "/Success/ { print \$2 }" status); do
            git for-each-ref "refs/exps/??/**" | grep -q "/$name$" || return 1
        done
    done && wait_for nephron exp run --run-all -j 2 >out && nephron queue status >status && test "$(grep -c Success status)" = 6 &&
        test "$(git for-each-ref "refs/exps/??/**" | wc -l)" = 6
'

test_expect_success "nothing is left: copies, worktrees, locks, stash, processes" '
    nephron exp clean >out && printf "%s\n" "Cleaning up dvc-task messages..." "Done!" >expect && test_cmp expect out &&
        test -z "$(ls .dvc/tmp/exps/nephron/copies)" && test -z "$(ls .dvc/tmp/exps/nephron/results)" && test "$(git worktree list | wc -l)" = 1 &&
        test_must_fail git rev-parse -q --verify refs/exps/celery/stash && test -z "$(ls .git/worktrees 2>/dev/null)" &&
        for i in 1 2 3 4 5 6; do
            test "$(git show "$(git for-each-ref --format="%(objectname)" "refs/exps/??/*/k-$i"):params.yaml")" = "lr: $i" || return 1
        done
'

test_done
