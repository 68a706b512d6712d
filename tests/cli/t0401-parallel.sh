#!/bin/sh

test_description="repro -j: stages at the same time, output whole, order, groups, time-outs, retries"

. /usr/share/sharness/sharness.sh
. "$NEPHRON_SOURCE_DIR/tests/cli/dispatch-lib.sh"

test_expect_success 'independent stages run at the same time (each waits for the other)' '
    new_repo p && cd p && cat >dvc.yaml <<-\EOF &&
	stages:
	  a: {cmd: "touch a.on; while ! test -e b.on; do sleep 0.01; done; touch a", outs: [a]}
	  b: {cmd: "touch b.on; while ! test -e a.on; do sleep 0.01; done; touch b", outs: [b]}
	EOF
    timeout 60 nephron repro -j 2 >/dev/null
'

test_expect_success 'output comes whole, under the name of its stage' '
    new_repo o && cd o && cat >dvc.yaml <<-\EOF &&
	stages:
	  s:
	    foreach: [1, 2, 3, 4]
	    do:
	      cmd: "for i in 1 2 3; do echo ${item}; sleep 0.02; echo ${item} >&2; done; touch o${item}"
	      outs: ["o${item}"]
	EOF
    nephron repro -j 4 >actual && sed -e "/^Running/d" -e "/^>/d" -e "/^$/d" actual | uniq -c >runs &&
    test "$(awk "\$1 != 6" runs | wc -l)" = 0 && test "$(wc -l <runs)" = 4 &&
    for i in 1 2 3 4; do grep "^$i$" .dvc/tmp/nephron/logs/s@$i.log >/dev/null || return 1; done
'

test_expect_success 'what depends waits for what it needs' '
    new_repo c && cd c && cat >dvc.yaml <<-\EOF &&
	stages:
	  z: {cmd: "test -e y && cp y z", deps: [y], outs: [z]}
	  y: {cmd: "test -e x && cp x y", deps: [x], outs: [y]}
	  x: {cmd: "sleep 0.1; echo 1 > x", outs: [x]}
	EOF
    nephron repro -j 4 >/dev/null && echo 1 >expect && test_cmp expect z
'

test_expect_success 'limit and env of a group' '
    new_repo l && cd l && cat >dvc.yaml <<-\EOF &&
	stages:
	  t:
	    matrix: {k: [1, 2, 3, 4, 5]}
	    cmd: mkdir run.$GPU && sleep 0.05 && rmdir run.$GPU && touch o${item.k}
	    outs: ["o${item.k}"]
	    meta: {nephron: {limit: 2, env: {GPU: [7, 9]}}}
	EOF
    nephron repro -j 5 >actual 2>&1 && ls -d run.* 2>/dev/null | test_expect_code 1 grep .
'

test_expect_success 'a stage whose time is up fails, and its children are gone' '
    new_repo t && cd t && cat >dvc.yaml <<-\EOF &&
	stages:
	  s: {cmd: "sleep 1000 & echo $! > child; wait; touch o", outs: [o], meta: {nephron: {timeout: 0.3}}}
	EOF
    test_expect_code 255 nephron repro -j 2 >actual 2>err && grep "its time was up" err &&
    gone $(cat child)
'

test_expect_success 'retries' '
    new_repo y && cd y && cat >dvc.yaml <<-\EOF &&
	stages:
	  s: {cmd: "echo x >> tries; test $(wc -l < tries) = 3; touch o", outs: [o], meta: {nephron: {retries: 2}}}
	  u: {cmd: "echo x >> utries; test $(wc -l < utries) = 3 && touch u", outs: [u], meta: {nephron: {retries: 2}}}
	EOF
    nephron repro -j 2 u >actual 2>err && test "$(wc -l <utries)" = 3 &&
    grep "trying again (attempt 2 of 3)" err
'

test_expect_success 'wrong meta.nephron is refused by name' '
    new_repo w && cd w && echo "stages: {s: {cmd: x, meta: {nephron: {nosuch: 1}}}}" >dvc.yaml &&
    test_expect_code 255 nephron repro 2>err && grep nosuch err
'

test_expect_success 'the lock after -j 4 is as after -j 1, but for the order of stages' '
    for j in 1 4; do
        new_repo j$j && at . && (cd j$j &&
        awk "BEGIN { print \"stages:\"; for (i = 0; i < 20; i++) printf \"  s%d: {cmd: echo %d > o%d, deps: [%s], outs: [o%d]}\n\", i, i, i, (i > 5 ? \"o\" i - 5 : \"in\"), i }" >dvc.yaml &&
        echo 1 >in && nephron repro -j $j >/dev/null) || return 1
    done &&
    at . && sort j1/dvc.lock >expect && sort j4/dvc.lock >actual && test_cmp expect actual &&
    (cd j1/.dvc/cache && find . -type f | sort) >expect &&
    (cd j4/.dvc/cache && find . -type f | sort) >actual && test_cmp expect actual
'

test_done
