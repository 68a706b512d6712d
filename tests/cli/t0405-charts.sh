#!/bin/sh

test_description="graph, gantt, the forecast and repro --watch"

. /usr/share/sharness/sharness.sh
. "$NEPHRON_SOURCE_DIR/tests/cli/dispatch-lib.sh"

well_formed() {
    python3 -c "import sys, xml.dom.minidom as d; d.parse(sys.argv[1])" "$1"
}

# state STAGE STATE: in graph.svg
state() {
    grep "<g class=\"box $2\"[^>]*><title>$1: " graph.svg >/dev/null
}

test_expect_success 'graph: every stage with its state and its reason' '
    new_repo g && cd g && echo 1 >in && cat >dvc.yaml <<-\EOF &&
	stages:
	  a: {cmd: "cp in a", deps: [in], outs: [a]}
	  b: {cmd: "cp a b", deps: [a], outs: [b]}
	  f: {cmd: "cp a f", deps: [a], outs: [f]}
	  lone: {cmd: "echo \"<&>\" >lone", outs: [lone]}
	EOF
    nephron graph -o graph.svg >actual && echo graph.svg >expect && test_cmp expect actual &&
    state a never && well_formed graph.svg &&
    nephron repro -q && nephron freeze -q f && echo 2 >in &&
    nephron graph -o graph.svg && well_formed graph.svg &&
    state a stale && state b after && state f frozen && state lone fresh &&
    grep "its dependency in changed" graph.svg
'

test_expect_success 'graph: a target, its pipeline, stdout, a page that loads nothing' '
    cd "$SHARNESS_TRASH_DIRECTORY/g" &&
    nephron graph -o - b >some.svg && test "$(grep -c "class=\"box" some.svg)" = 2 &&
    nephron graph -o - --full b >some.svg && test "$(grep -c "class=\"box" some.svg)" = 3 &&
    nephron graph >actual && echo graph.html >expect && test_cmp expect actual &&
    test_expect_code 1 grep -E "src=|href=|url\(\"?http" graph.html
'

test_expect_success 'graph: wrong names and targets are refused' '
    cd "$SHARNESS_TRASH_DIRECTORY/g" &&
    test_expect_code 2 nephron graph -o x.png 2>err && grep "x.png" err &&
    test_expect_code 255 nephron graph nosuch 2>err && grep nosuch err && test ! -e x.png
'

test_expect_success 'repro --gantt and gantt: what ran on which slot, what failed' '
    new_repo t && cd t && test_expect_code 255 nephron gantt 2>err && grep "nephron repro" err &&
    cat >dvc.yaml <<-\EOF &&
	stages:
	  a: {cmd: "touch a", outs: [a]}
	  b: {cmd: "sleep 0.2; touch b", deps: [a], outs: [b]}
	  c: {cmd: "exit 3", deps: [a], outs: [c]}
	  d: {cmd: "touch d", deps: [c], outs: [d]}
	  r: {cmd: "test -e second || { touch second; exit 1; }; touch r", outs: [r], meta: {nephron: {retries: 1}}}
	EOF
    test_expect_code 255 nephron repro -k -j 2 --gantt chart.svg >/dev/null 2>&1 && well_formed chart.svg &&
    grep "2 slots" chart.svg && grep "5 runs, 2 failed" chart.svg && grep "r: ran (attempt 2)" chart.svg &&
    grep "class=\"bar failed\"" chart.svg && test_expect_code 1 grep ">d<" chart.svg &&
    nephron gantt -o again.svg >actual && echo again.svg >expect && test_cmp expect actual &&
    test_cmp chart.svg again.svg &&
    nephron graph -o graph.svg && state c failed && state b fresh && state d never
'

test_expect_success 'a repro that runs nothing leaves the picture and the record alone' '
    cd "$SHARNESS_TRASH_DIRECTORY/t" && nephron repro -q -j 2 b r --gantt none.svg 2>err &&
    grep "nothing ran" err && test ! -e none.svg && nephron gantt -o - >third.svg &&
    test_cmp chart.svg third.svg &&
    test_expect_code 254 nephron repro --gantt x.png 2>err && grep "x.png" err
'

test_expect_success 'the time left, from earlier durations, in events and on a terminal' '
    new_repo e && cd e && cat >dvc.yaml <<-\EOF &&
	stages:
	  a: {cmd: "sleep 0.4; touch a", outs: [a]}
	  b: {cmd: "sleep 0.4; touch b", deps: [a], outs: [b]}
	EOF
    nephron repro --json >first && jq -e -s "[.[] | select(.event == \"progress\")] |
        (first | .done == 0 and .running == 1 and .total == 2 and .seconds_left == null) and
        (last | .done == 2)" first &&
    nephron repro -f --json >second && jq -e -s "[.[] | select(.event == \"progress\")] |
        (first | .seconds_left > 0.6 and .seconds_left < 60) and (last | .seconds_left == 0)" second &&
    script -qec "nephron repro -f -j 2" typed >/dev/null && grep "1 running, about [0-9.]* s left" typed
'

test_done
