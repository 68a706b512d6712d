#!/bin/sh
# Experiments that wait: sweeps, the queue's commands, run-all, workers. What is queued is held against the real DVC.
test_description='exp run --queue and queue'
. "${SHARNESS:-/usr/share/sharness/sharness.sh}"
. "$NEPHRON_SOURCE_DIR/tests/cli/peer-lib.sh"

# The form of dates that DVC's git library reads.
GIT_AUTHOR_DATE="1767323045 +0000" GIT_COMMITTER_DATE="1767323045 +0000"

project() {
    fresh && printf '%s\n' 'lr: 0.1 # rate' 'epochs: 3' 'opt: {name: sgd, m: 0.9}' 'wait: 0' >params.yaml &&
        printf '%s\n' 'grep ^lr params.yaml >model' 'while test -n "$HOLD" && test -e "$HOLD"; do sleep 0.1; done' \
            '! grep -q "lr: 13" params.yaml' >train.sh &&
        printf '%s\n' 'stages:' '  train:' '    cmd: sh train.sh' '    deps: [train.sh]' \
            '    params: [lr, epochs, opt]' '    outs: [model]' >dvc.yaml && git add -A && git commit -qm base
}

# What waits, oldest first: name, what changed, parameters.
waiting() {
    git reflog show --format='%gs %H' refs/exps/celery/stash 2>/dev/null | tac | while read -r _ what rev; do
        echo "= ${what##*:}" && test "$(git rev-parse "$rev^1")" = "$(git rev-parse HEAD)" &&
            git diff --name-status HEAD "$rev" -- . ':!.dvc/tmp' && git show "$rev:params.yaml" | sed 's/^/  | /'
    done
}

# q ARG…: as t; names that were made up are nobody's contract.
q() {
    t "$@" | sed -E "s/experiment '[a-z]+-[a-z]+' for/experiment 'NAME' for/"
}

test_expect_success "sweeps are queued as DVC does" '
    both "project && echo other >untracked && q exp run --queue -n a -S lr=1,2 && q exp run --queue -n b -S \"lr=choice(5,6)\" -S \"epochs=range(1,3)\" &&
        q exp run --queue -n c -S \"lr=range(0.5,2,0.5)\" && waiting && git status --short && cat params.yaml"
'

test_expect_success "values of all kinds, files of other names" '
    both "project && echo \"k: 1\" >other.yaml && git add other.yaml && q exp run --queue -n a -S other.yaml:k=2,3 -S lr=7 && waiting &&
        q exp run --queue -n b -S \"+s='\''a b'\'',\\\"c\\\"\" && q exp run --queue -n d -S \"+l=[1,[2,x]]\" -S \"+m={a:1,b:{c:null}}\" -S lr=true &&
        q exp run --queue -n e -S \"lr=sort(3,1,2)\" && q exp run --queue -n f -S \"opt.m=float(1),int(2.5)\" && q exp run --queue -n g -S lr= -S ~epochs &&
        waiting && q exp run --queue -n bad -S \"lr=interval(1,2)\" >/dev/null && q exp run --queue -n bad -S \"nope=1,2\" && git status --short"
'

test_expect_success "names of the queue" '
    both "project && q exp run --queue -S lr=4 >/dev/null && q exp run --queue -n x/y -S lr=4 && q queue logs nosuch && q queue remove nosuch && q queue remove a b &&
        q queue remove && q queue kill nosuch && q queue remove --queued >/dev/null && q queue status"
'

test_expect_success "the queue in one go, results as experiments of the real DVC" '
    at ours && project >/dev/null && turn=ours && nephron exp run --queue -n r -S lr=11,12,13,14 >/dev/null && cp params.yaml ../before &&
        nephron queue status >../status && test "$(grep -c Queued ../status)" = 4 && nephron queue logs r-1 2>../err; grep -q "has not been started" ../err &&
        nephron exp run --run-all -j 2 >../out 2>../err && grep -q "^Ran experiment(s): r-" ../out && test_cmp ../before params.yaml &&
        grep -q "^Failed to reproduce experiment(s) .r-3." ../err && grep -q "nephron queue logs r-3" ../err && nephron queue logs r-3 >../log &&
        grep -q "Running stage" ../log && nephron queue status >../status && test "$(grep -c Success ../status)" = 3 &&
        test "$(grep -c Failed ../status)" = 1 && git rev-parse -q --verify refs/exps/celery/failed && test_must_fail git rev-parse -q --verify refs/exps/celery/stash &&
        turn=theirs && dvc exp list --name-only | sort >../listed && printf "%s\n" r-1 r-2 r-4 >../expect && test_cmp ../expect ../listed &&
        dvc exp apply r-2 && grep -q "lr: 12" params.yaml && git checkout -q . && rm -f dvc.lock &&
        test "$(git worktree list | wc -l)" = 1 && test -z "$(ls .dvc/tmp/exps/nephron/copies)"
'

test_expect_success "an experiment is taken out by name or kind" '
    at ours && nephron queue remove r-3 | grep -q "Removed tasks in queue: r-3" && test_must_fail git rev-parse -q --verify refs/exps/celery/failed &&
        nephron exp run --queue -n w -S lr=21,22 >/dev/null && nephron queue remove w-1 >/dev/null &&
        test "$(git reflog show refs/exps/celery/stash | wc -l)" = 1 && nephron queue remove --all >../out && grep -q "w-2, r-" ../out &&
        nephron queue status | grep -q "No experiment tasks" && test -n "$(git for-each-ref "refs/exps/??/**")"
'

# wait_for COMMAND…: for at most a minute.
wait_for() {
    for i in $(seq 300); do
        "$@" && return 0
        sleep 0.2
    done
    return 1
}
none_works() {
    nephron queue status | grep -q "Worker status: 0 active, 0 idle"
}
# workers that have only been started do not count yet
bg_ran() {
    test "$(nephron queue status | grep -c "bg-.*Success")" = 3
}
one_runs() {
    nephron queue status | grep -q "$1 .*Running"
}

test_expect_success "workers in the background" '
    at ours && nephron exp run --queue -n bg -S lr=31,32,33 >/dev/null && nephron queue start -j 2 >../out &&
        echo "Started '\''2'\'' new experiments task queue workers." >../expect && test_cmp ../expect ../out && wait_for bg_ran && wait_for none_works
'

test_expect_success "stop lets the running one end, kill ends it" '
    at ours && touch ../hold && HOLD=$(cd .. && pwd)/hold && export HOLD &&
        nephron exp run --queue -n k -S lr=41,42,43 >/dev/null && nephron queue start >/dev/null && wait_for one_runs k-1 &&
        wait_for nephron queue logs k-1 >/dev/null && nephron queue kill k-1 >../out && grep -q "k-1 has been killed" ../out && wait_for one_runs k-2 &&
        nephron queue stop | grep -q "will stop after" && rm ../hold && wait_for none_works && nephron queue status >../status &&
        grep -q "k-1 .*Failed" ../status && grep -q "k-2 .*Success" ../status && grep -q "k-3 .*Queued" ../status
'

test_done
