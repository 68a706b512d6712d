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

test_expect_success 'the time left, from earlier durations, in events' '
    new_repo e && cd e && cat >dvc.yaml <<-\EOF &&
	stages:
	  a: {cmd: "sleep 0.4; touch a", outs: [a]}
	  b: {cmd: "sleep 0.4; touch b", deps: [a], outs: [b]}
	EOF
    nephron repro --json >first && jq -e -s "[.[] | select(.event == \"progress\")] |
        (first | .done == 0 and .running == 1 and .total == 2 and .seconds_left == null) and
        (last | .done == 2)" first &&
    nephron repro -f --json >second && jq -e -s "[.[] | select(.event == \"progress\")] |
        (first | .seconds_left > 0.6 and .seconds_left < 60) and (last | .seconds_left == 0)" second
'

script -qec true /dev/null >/dev/null 2>&1 && test_set_prereq TERMINAL
test_expect_success TERMINAL 'the time left on a terminal' '
    cd "$SHARNESS_TRASH_DIRECTORY/e" &&
    script -qec "nephron repro -f -j 2" typed >/dev/null && grep "1 running, about [0-9.]* s left" typed
'

# waits N: watching has waited N times, within 20 s
waits() {
    i=0
    until test "$(grep -c "Waiting for changes" out)" -ge $1; do
        i=$((i + 1))
        test $i -lt 1000 || return 1
        sleep 0.02
    done
}

# watching OPTION...: in the background, its number in $pid, ended after a minute in any case
watching() {
    : >out && { timeout -s KILL 60 nephron repro --watch "$@" >out 2>err & guard=$!; } &&
    waits 1 && pid=$(pgrep -P $guard)
}

# ended CODE: the signal ends it with this code
ended() {
    code=0 && { wait $guard || code=$?; } && test $code = $1 && gone $pid
}

test_expect_success '--watch: what changed, why a stage runs, and only that' '
    new_repo w && cd w && mkdir src && echo 1 >in && echo x >src/code && echo "{lr: 1, other: 1}" >params.yaml &&
    cat >dvc.yaml <<-\EOF &&
	stages:
	  a: {cmd: "cp in a; echo a >>ran", deps: [in], outs: [a]}
	  b: {cmd: "cat a src/code >b; echo b >>ran", deps: [a, src], params: [lr], outs: [b]}
	EOF
    watching && printf "a\nb\n" >expect && test_cmp expect ran &&
    echo 2 >in.new && mv in.new in && waits 2 && printf "a\nb\n" >>expect && test_cmp expect ran &&
    grep "^Changed: in$" out && grep "Stage .a. is stale: .*in modified" out &&
    mkdir src/more && waits 3 && echo y >src/more/file && waits 4 && echo b >>expect && test_cmp expect ran &&
    grep "^Changed: src/more/file$" out &&
    echo "{lr: 2, other: 1}" >params.yaml && waits 5 && echo b >>expect && test_cmp expect ran &&
    echo "{lr: 2, other: 2}" >params.yaml && waits 6 && test_cmp expect ran &&
    kill -INT $pid && ended 130
'

test_expect_success '--watch: own outputs and strangers do not wake it, nor does it burn time' '
    cd "$SHARNESS_TRASH_DIRECTORY/w" && watching && touch a b stranger && sleep 0.6 &&
    test "$(grep -c "Waiting for changes" out)" = 1 &&
    test "$(awk "{print \$14 + \$15}" /proc/$pid/stat)" -lt 100 && kill -TERM $pid && ended 143
'

test_expect_success '--watch: failures and a broken pipeline are told and waited out' '
    cd "$SHARNESS_TRASH_DIRECTORY/w" && cp dvc.yaml good && watching -j 2 &&
    echo "stages: [" >dvc.yaml && waits 2 && grep invalid err &&
    sed "s/cp in a;/exit 3;/" good >dvc.yaml && waits 3 && grep "failed to reproduce .a." err &&
    cp good dvc.yaml && echo 5 >in && waits 4 && test "$(cat a)" = 5 && kill -INT $pid && ended 130
'

test_expect_success '--watch: a change while stages run is not missed; Ctrl-C while one runs' '
    new_repo m && cd m && echo 1 >in && cat >dvc.yaml <<-\EOF &&
	stages:
	  a: {cmd: "echo $$ >on; cp in a; until test -e go; do sleep 0.02; done", deps: [in], outs: [a]}
	EOF
    : >out && { timeout -s KILL 60 nephron repro --watch --json >out 2>err & guard=$!; } && wait_for on &&
    pid=$(pgrep -P $guard) && echo 2 >in && touch go && i=0 &&
    until grep "\"event\": \"changed\", \"paths\": \[\"in\"\]" out; do
        i=$((i + 1)); test $i -lt 500 || return 1; sleep 0.02
    done && i=0 && until test "$(grep -c waiting out)" = 2; do
        i=$((i + 1)); test $i -lt 500 || return 1; sleep 0.02
    done &&
    rm on go && echo 3 >in && wait_for on && stage=$(cat on) && kill -INT $pid && ended 130 && gone $stage
'

# What is recorded is what the stage has read, so it runs again, and so does a stage whose command is edited meanwhile.
test_expect_success '--watch: a dependency, a parameter and dvc.yaml edited while their stage runs make it stale again' '
    new_repo n && cd n && echo 1 >in && echo "{lr: 1}" >params.yaml && cat >dvc.yaml <<-\EOF &&
	stages:
	  a: {cmd: "cat in params.yaml >a; touch on; until test -e go; do sleep 0.02; done", deps: [in], params: [lr], outs: [a]}
	EOF
    sed "s/cat in/cat in in/" dvc.yaml >edited && : >out && { timeout -s KILL 60 nephron repro --watch >out 2>err & guard=$!; } && wait_for on &&
    pid=$(pgrep -P $guard) && echo 2 >in && touch go && waits 2 && printf "2\n{lr: 1}\n" >expect && test_cmp expect a &&
    rm on go && echo 3 >in && wait_for on && echo "{lr: 2}" >params.yaml && touch go && waits 4 && printf "3\n{lr: 2}\n" >expect && test_cmp expect a &&
    rm on go && echo 4 >in && wait_for on && cp edited dvc.yaml && touch go && waits 6 && printf "4\n4\n{lr: 2}\n" >expect && test_cmp expect a &&
    kill -INT $pid && ended 130 && nephron status -q && nephron repro >out && grep "up to date" out
'

test_expect_success '--watch and MPI ranks exclude each other' '
    test_expect_code 254 nephron repro --watch -n 2 2>err && grep -e "--watch" err
'

test_done
