#!/bin/sh

test_description='clocks that jump: nothing waits, orders or trusts by the time of day'

. /usr/share/sharness/sharness.sh
. "$NEPHRON_SOURCE_DIR/tests/cli/dispatch-lib.sh"

faketime=$(command -v faketime)
if test -z "$faketime"; then
    skip_all='this test needs faketime'
    test_done
fi

# at_time WHEN COMMAND…: only the time of day is moved, as by someone who sets the clock
# (AddressSanitizer wants to be the first library, which faketime is.)
at_time() {
    when=$1 && shift && ASAN_OPTIONS=verify_asan_link_order=0 FAKETIME_DONT_FAKE_MONOTONIC=1 DONT_FAKE_MONOTONIC=1 timeout 60 "$faketime" -f "$when" "$@"
}

everything() {
    find . -path ./.git -prune -o -path ./.dvc/tmp -prune -o -path ./.nephron -prune -o -type f -print0 | sort -z | xargs -0 md5sum
}

pipeline() {
    new_repo "$1" && cd "$1" && seq 100 >in && cat >dvc.yaml <<-\EOF
	stages:
	  one: {cmd: cp in one.out, deps: [in], outs: [one.out]}
	  two: {cmd: "mkdir two && cp one.out two/a", deps: [one.out], outs: [two]}
	  slow: {cmd: "sleep 0.2; cp in slow.out", deps: [in], outs: [slow.out], meta: {nephron: {timeout: 30}}}
	EOF
}

test_expect_success 'the usual time' '
    pipeline usual && nephron repro -q && everything >../expect
'

for when in "@1970-01-02 00:00:00" "@2038-01-20 00:00:00" "@2106-02-08 00:00:00" "-1y" "+1y" "@2026-03-29 02:30:00"; do
    test_expect_success "a repro at $when, looked at in our time, and again then" '
        pipeline "at$(echo "'"$when"'" | tr " :@+" ____)" && at_time "'"$when"'" nephron repro -q -j 2 && everything >../actual &&
        sort ../expect >../e && sort ../actual >../a && grep -v "dvc.lock\|gitignore" ../e >../e1 && grep -v "dvc.lock\|gitignore" ../a >../a1 &&
        test_cmp ../e1 ../a1 && nephron status >../out && grep "up to date" ../out && at_time "'"$when"'" nephron repro >../out &&
        grep "up to date" ../out && at_time "-2y" nephron status >../out && grep "up to date" ../out
    '
done

# The size stays, the times are put back: only a memo that trusted a young file would miss it.
test_expect_success 'a file that changes while the clock stands still is seen' '
    pipeline young && nephron repro -q && at_time "-1h" nephron status >/dev/null && touch -r in ../stamp &&
    sed s/1/2/ in >../other && cat ../other >in && touch -r ../stamp in && at_time "-1h" nephron status >../out && grep "modified: *in" ../out
'

test_expect_success 'a file from the future is hashed each time, and a change of it seen' '
    pipeline future && touch -d "+1 year" in && nephron repro -q && nephron status >../out && grep "up to date" ../out &&
    seq 101 200 >in && touch -d "+1 year" in && nephron status >../out && grep "modified: *in" ../out
'

test_expect_success 'locks are waited for by the clock that never jumps' '
    pipeline held && mkdir -p .dvc/tmp && : >>.dvc/tmp/lock && { flock .dvc/tmp/lock sleep 8 & } && holder=$! && sleep 0.5 &&
    start=$(cut -d. -f1 /proc/uptime) && { at_time "+1y" nephron add in 2>../err; code=$?; } &&
    end=$(cut -d. -f1 /proc/uptime) && test $code -gt 0 && test $((end - start)) -ge 2 && test $((end - start)) -le 30 &&
    { kill $holder; wait $holder; true; }
'

test_done
