#!/bin/sh

test_description="several commands, and the real dvc, at work in one repository: nothing is lost"

. /usr/share/sharness/sharness.sh
. "$NEPHRON_SOURCE_DIR/tests/cli/dispatch-lib.sh"

test -n "$dvc" && test_set_prereq DVC

# until_free COMMAND...: again while the repository is busy (75, DVC: 1 or 255 with its words), at most 300 times
until_free() {
    for i in $(seq 300); do
        "$@" >out.$ME 2>&1; code=$?
        if test $code = 75 || { test $code != 0 && grep -qi "busy\|lock\|is being" out.$ME; }; then
            sleep 0.2
        else
            break
        fi
    done
    test $code = 0 || { echo "$* answered $code:" && cat out.$ME && return 1; }
}

# Each edits the dvc.yaml that the one before has left.
test_expect_success "stages that are added at once are all there" '
    new_repo a && cd a && pids= && for n in $(seq 12); do
        ( ME=$n; until_free nephron stage add -q -n s$n -o o$n "echo $n >o$n" ) & pids="$pids $!"
    done && for p in $pids; do wait $p || return 1; done &&
    nephron stage list --name-only | sort >got && for n in $(seq 12); do echo s$n; done | sort >want && test_cmp want got &&
    sort .gitignore >got && for n in $(seq 12); do echo /o$n; done | sort >want && test_cmp want got
'

test_expect_success "files that are added at once are all tracked" '
    new_repo b && cd b && for n in $(seq 12); do echo $n >f$n; done && pids= && for n in $(seq 12); do
        ( ME=$n; until_free nephron add -q f$n ) & pids="$pids $!"
    done && for p in $pids; do wait $p || return 1; done && sort .gitignore >got &&
    for n in $(seq 12); do echo /f$n; done | sort >want && test_cmp want got &&
    test "$(find .dvc/cache/files/md5 -type f | wc -l)" = 12 && nephron status -q
'

# One of eight: does something until the time is over. Odd ones change the input of "their" stage.
worker() {
    ME=$1 end=$(($(date +%s) + $2)) turn=0
    while test "$(date +%s)" -lt $end; do
        turn=$((turn + 1))
        case $(((ME + turn) % 4)) in
        0) echo $ME.$turn >in$ME && until_free nephron repro -q s$ME || return 1 ;;
        1) echo $ME.$turn >d$ME && until_free nephron add -q d$ME || return 1 ;;
        2) nephron status >/dev/null 2>err.$ME; test $? -le 1 || { cat err.$ME; return 1; } ;;
        3) if test -n "$dvc" && test $ME = 1; then
               until_free "$dvc" repro -q s$ME || return 1
           else
               until_free nephron commit -q -f s$ME || return 1
           fi ;;
        esac
    done
}

test_expect_success "eight at random for some seconds, dvc among them" '
    new_repo c && cd c && for n in $(seq 8); do
        echo 0 >in$n && echo 0 >d$n &&
        nephron stage add -q -n s$n -d in$n -o o$n "cat in$n >o$n; echo made >>o$n" || return 1
    done && nephron repro -q && nephron add -q $(seq -f "d%g" 8) && pids= && for n in $(seq 8); do
        worker $n 10 >worker.$n 2>&1 & pids="$pids $!"
    done && bad= && for p in $pids; do wait $p || bad=1; done && cat worker.* && test -z "$bad"
'

test_expect_success "afterwards everything parses, every object is there and is what its name says" '
    at c && nephron repro -q && nephron status -q && grep -c "^    cmd:" dvc.lock >got && echo 8 >want && test_cmp want got &&
    for o in .dvc/cache/files/md5/*/*; do
        name=$(basename $(dirname $o))$(basename $o) && test "$(md5sum <$o | cut -c1-32)" = "${name%.dir}" || return 1
    done && rm -f o? d? && nephron checkout && for n in $(seq 8); do test -s o$n && test -s d$n || return 1; done &&
    test -z "$(find . -name ".nephron-*.tmp")"
'

test_expect_success DVC "and dvc agrees" '
    at c && "$dvc" status -q && "$dvc" repro >got && grep "up to date" got
'

test_done
