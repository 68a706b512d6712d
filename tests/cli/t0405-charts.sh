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

test_done
