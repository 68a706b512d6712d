#!/bin/sh

test_description="kill -9 at random moments of a 30-stage repro, again and again until it ends"

. /usr/share/sharness/sharness.sh
. "$NEPHRON_SOURCE_DIR/tests/cli/dispatch-lib.sh"

# The same moments again: NEPHRON_SEED=N.
seed=${NEPHRON_SEED:-$$}
say "seed $seed"

write_pipeline() {
    mkdir -p "$1" && awk -v dir="$1" 'BEGIN {
        print "stages:"
        for (i = 0; i < 30; i++) {
            dep = i < 3 ? "in" : "o" i - 3
            printf "  s%d:\n    cmd: echo x >> %s/s%d; sleep 0.02; mkdir -p o%d; cat in > o%d/f; echo %d > o%d/g\n", i, dir, i, i, i, i, i
            printf "    deps: [%s]\n    outs: [o%d]\n", dep, i
        }
    }' >dvc.yaml
}

summary() {
    (cd "$1" && find . -path ./.git -prune -o -path ./.nephron -prune -o -path ./.dvc/tmp -prune -o -path ./.dvc/cache/runs -prune -o \
        -type f -print | sort | xargs md5sum | grep -v " ./\(dvc.lock\|dvc.yaml\|.gitignore\|out\|err\|again\)$" && sort dvc.lock .gitignore)
}

test_expect_success 'the undisturbed run' '
    new_repo calm && cd calm && write_pipeline ../calm-log && echo data >in && nephron repro -j 2 >/dev/null
'

for jobs in 1 3; do
    test_expect_success "killed until it ends, -j $jobs" '
        new_repo wild && cd wild && write_pipeline ../calm-log && echo data >in &&
        rm -rf ../calm-log && mkdir ../calm-log && kills=0 && done=no && state=$seed &&
        while test $done = no; do
            state=$(( (state * 1103515245 + 12345) % 2147483648 ))
            ms=$(( state / 65536 % (400 / '$jobs') + 20 + kills ))
            setsid nephron repro -j '$jobs' >out 2>err & pid=$!
            i=0
            while kill -0 $pid 2>/dev/null && test $i -lt $ms; do sleep 0.01; i=$((i + 10)); done
            case $(( state / 7 % 3 )) in
            0) end="kill -9 $pid";;     # the coordinator alone: its guard ends the stages
            *) end="pkill -9 -s $pid";; # the whole session
            esac
            if $end 2>/dev/null; then
                { wait $pid 2>/dev/null; code=$?; } || true
                kills=$((kills + 1))
            else
                { wait $pid; code=$?; } || true
            fi
            if test $code = 0; then done=yes; elif test $code != 137; then cat err; return 1; fi
            if test -s dvc.lock; then
                nephron explain --json >/dev/null 2>err || { cat err; return 1; }
                tail -c 1 dvc.lock | od -c | grep "\\\\n" >/dev/null || return 1
            fi
            test $kills -lt 300 || return 1
        done &&
        echo "killed $kills times" >&3 &&
        summary ../calm >../expect && summary . >../actual && test_cmp ../expect ../actual &&
        nephron repro >again && tail -n 1 again | grep "up to date" &&
        runs=$(cat ../calm-log/* | wc -l) && test $runs -le $((30 + kills * '$jobs')) &&
        test -z "$(find . -name ".nephron-*.tmp")" &&
        find .dvc/cache/files -type f | while read -r f; do
            name=$(echo "$f" | sed -e "s|.*/md5/||" -e "s|/||" -e "s|\.dir||")
            test "$(md5sum <"$f" | cut -c1-32)" = "$name" || return 1
        done
    '
done

test_done
