#!/bin/sh

test_description="repro and the real DVC in one repository: each finds the other's work finished"

. /usr/share/sharness/sharness.sh
. "$NEPHRON_SOURCE_DIR/tests/cli/dispatch-lib.sh"

if test -z "$dvc"; then
    skip_all="the real dvc is not installed"
    test_done
fi

write_pipeline() {
    cat >dvc.yaml <<-\EOF
	stages:
	  prep:
	    cmd: mkdir -p data; for i in 1 2 3; do echo $i > data/$i; done; cat in >> data/1
	    deps: [in]
	    outs: [data]
	  train:
	    cmd: cat data/* > model; echo 0.5 > scores.json
	    deps: [data]
	    params: [lr, net.depth]
	    outs: [model]
	    metrics: [{scores.json: {cache: false}}]
	  each:
	    foreach: [a, b]
	    do:
	      cmd: echo ${item} > "out ${item}"
	      outs: ["out ${item}"]
	  plain:
	    cmd: echo 1 > plain
	    outs: [{plain: {cache: false}}]
	EOF
    printf "lr: 0.1\nnet: {depth: 3}\n" >params.yaml && echo raw >in
}

same_files() {
    test_cmp dvc/dvc.lock nephron/dvc.lock &&
    test_cmp dvc/.gitignore nephron/.gitignore &&
    (cd dvc/.dvc/cache && find . -type f | sort | xargs md5sum) >expect &&
    (cd nephron/.dvc/cache && find . -type f | sort | xargs md5sum) >actual &&
    test_cmp expect actual
}

test_expect_success 'lock, cache, run cache and .gitignore are the same bytes' '
    new_repo dvc && new_repo nephron && at . &&
    (cd dvc && write_pipeline && "$dvc" repro -q >/dev/null) &&
    (cd nephron && write_pipeline && nephron repro -q >/dev/null) && same_files
'

test_expect_success 'DVC finds nothing stale after us, we nothing after DVC' '
    at . && (cd nephron && "$dvc" status >../actual && "$dvc" repro | tail -n 1 >>../actual) &&
    (cd dvc && nephron repro | tail -n 1 >>../actual) &&
    for i in 1 2 3; do echo "Data and pipelines are up to date."; done >expect && test_cmp expect actual
'

test_expect_success 'after a change, again' '
    at . && for d in dvc nephron; do (cd $d && sed -i "s/0.1/0.2/" params.yaml && echo more >>in) || return 1; done &&
    (cd dvc && "$dvc" repro -q >/dev/null) && (cd nephron && nephron repro -q >/dev/null) && same_files
'

test_expect_success 'a run of one is a cached run of the other' '
    at dvc && sed -i "s/0.2/0.1/" params.yaml && echo raw >in && nephron repro >actual &&
    grep "train. is cached" actual &&
    at nephron && sed -i "s/0.2/0.1/" params.yaml && echo raw >in && "$dvc" repro >actual &&
    grep "train. is cached" actual
'

test_expect_success 'messages are the same' '
    for d in dvc nephron; do
        new_repo $d && at . && (cd $d && write_pipeline && nephron repro -q >/dev/null && git add . && git commit -q -m x &&
        "$dvc" config core.analytics false && echo new >in && rm "out a") || return 1
    done &&
    (cd dvc && "$dvc" repro 2>&1 | sed -e "/^To track/,/core.autostage/d" -e "/^Use .dvc push/d" | sed -e :a -e "/^\n*\$/{\$d;N;ba" -e "}") >expect &&
    (cd nephron && nephron repro 2>&1) >actual && test_cmp expect actual
'

test_expect_success 'both respect the lock of the other' '
    new_repo both && cd both && cat >dvc.yaml <<-\EOF &&
	stages:
	  s: {cmd: "touch ../started; while test -e ../started; do sleep 0.02; done; touch o", outs: [o]}
	EOF
    rm -f ../started && { nephron repro >out 2>err & } && n=$! && wait_for ../started &&
    test_expect_code 255 "$dvc" repro 2>busy && grep "is busy, it is being blocked by" busy &&
    grep "(PID $n): nephron repro" busy && rm ../started && wait $n &&
    rm o dvc.lock && rm -rf .dvc/cache/runs && { "$dvc" repro >out 2>err & } && wait_for ../started &&
    test_expect_code 255 nephron repro 2>busy && grep "is busy, it is being blocked by" busy &&
    rm ../started && wait && nephron repro | tail -n 1 | grep "up to date"
'

test_done
