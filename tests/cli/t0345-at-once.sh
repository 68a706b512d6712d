#!/bin/sh

test_description="nephron and the real dvc in one repository at once: locks hold both ways, nothing is lost; --wait-for-lock"

. /usr/share/sharness/sharness.sh
. "$NEPHRON_SOURCE_DIR/tests/cli/peer-lib.sh"

theirs() {
    "$dvc" "$@"
}

# until_free WHO COMMAND...: again while the repository is busy, at most 100 times.
until_free() {
    who=$1 && shift && log=$SHARNESS_TRASH_DIRECTORY/said.$who.$1
    for i in $(seq 100); do
        case $who in dvc) theirs "$@" >"$log" 2>&1 ;; *) nephron "$@" >"$log" 2>&1 ;; esac
        code=$?
        test $code = 0 && return 0
        grep -qi "busy\|acquire lock\|is at work\|being" "$log" || break
        sleep 0.1
    done
    echo "$who $* answered $code:" && cat "$log" && return 1
}

# hold: a lock as DVC takes it, until the file "go" is there.
hold() {
    "$python" -c "
import os, time
from dvc.lock import Lock
with Lock(\".dvc/tmp/lock\"):
    open(\"held\", \"w\").close()
    for i in range(600):
        if os.path.exists(\"go\"): break
        time.sleep(0.05)
" &
    holder=$!
    for i in $(seq 200); do test -e held && return 0; sleep 0.05; done
    return 1
}

test_expect_success "a lock of DVC stops nephron; --wait-for-lock waits for its end" '
    mkdir a && cd a && turn=ours && fresh && echo 1 >f && hold && test_expect_code 75 nephron add f 2>err && cat err && test ! -e f.dvc && test_expect_code 75 nephron repro 2>err &&
        { nephron --wait-for-lock add -q f & waiter=$!; } && sleep 0.5 && test ! -e f.dvc && kill -0 $waiter && touch go && wait $waiter && wait $holder && test -e f.dvc
'

# The file is large enough for the command to be met while it holds the lock; then it is stopped there.
test_expect_success "a lock of nephron stops DVC" '
    at a && echo 2 >g && truncate -s 600M big && { nephron add -q big & holder=$!; } && "$python" -c "
import fcntl, os, sys, time
for i in range(2000):
    with open(\".dvc/tmp/lock\", \"a\") as f:
        try:
            fcntl.flock(f, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.kill(int(sys.argv[1]), 19)
            sys.exit(0)
    time.sleep(0.002)
sys.exit(1)" $holder && test_expect_code 1 theirs add g 2>err; code=$?; kill -CONT $holder; wait $holder && cat err && test $code = 0 && grep -i "lock" err && test ! -e g.dvc &&
        test -e big.dvc && theirs add -q g && rm -rf big big.dvc .dvc/cache
'

# Each round changes what is tracked and what is run, both programs at once.
round() {
    n=$1 && echo $n >ours.$n && echo $n >theirs.$n && echo $n >in && pids= &&
        for job in "nephron add -q ours.$n" "dvc add -q theirs.$n" "nephron repro -q" "dvc push -q" "nephron gc -q -w -f" "dvc status -q" "nephron push -q"; do
            case $job in *status*) (until_free $job || true) ;; *) until_free $job ;; esac >out.$n.$(echo $job | tr -d " ") & pids="$pids $!"
        done && for p in $pids; do wait $p || { cat out.$n.*; return 1; }; done
}

test_expect_success "add, repro, gc and push of both, several times" '
    mkdir "$SHARNESS_TRASH_DIRECTORY/b" && at b && turn=ours && fresh && mkdir ../st && nephron remote add -q -d st "$PWD/../st" && git add -A && git commit -qm r && echo 0 >in &&
        nephron stage add -q -n s -d in -o out "cat in >out; echo made >>out" && for r in 1 2 3 4 5; do round $r || return 1; done
'

test_expect_success "afterwards both call it up to date, and everything can be brought back" '
    at b && rm -f out.[0-9]* && nephron repro -q && nephron status && turn=theirs && dvc status && nephron fsck && nephron push -q && rm -rf .dvc/cache out ours.[0-9] theirs.[0-9] &&
        nephron pull && for n in 1 2 3 4 5; do test "$(cat ours.$n)" = $n && test "$(cat theirs.$n)" = $n || return 1; done &&
        printf "5\nmade\n" >want && test_cmp want out
'

test_done
