#!/bin/sh
# `stage list`: what a pipeline is, in words.
test_description='stage list'
. /usr/share/sharness/sharness.sh
PATH="$NEPHRON_BIN_DIR:$PATH"
export PATH

test_expect_success 'a repository with a pipeline' '
	nephron init --no-scm -q &&
	cat >params.yaml <<-\EOF &&
	lr: 0.1
	models: [a, true]
	EOF
	cat >dvc.yaml <<-\EOF
	stages:
	  prep:
	    cmd: cp raw clean
	    deps: [raw]
	    outs: [clean]
	  train:
	    foreach: ${models}
	    do:
	      cmd: train ${item}
	      params: [lr]
	      metrics: ["m-${item}.json"]
	  grid:
	    matrix: {a: [1, 2], b: [{x: 1}]}
	    cmd: grid ${key}
	  look:
	    cmd: look
	    desc: "first line\nsecond"
	    deps: [clean]
	EOF
'

test_expect_success 'names and what they do' '
	cat >expect <<-\EOF &&
	prep        Outputs clean
	train@a     Reports m-a.json
	train@True  Reports m-true.json
	grid@1-b0   No outputs or dependencies
	grid@2-b0   No outputs or dependencies
	look        first line
	EOF
	nephron stage list >actual &&
	test_cmp expect actual
'

test_expect_success 'names alone' '
	cut -d" " -f1 expect >names &&
	nephron stage list --name-only >actual &&
	test_cmp names actual
'

test_expect_success 'a group and a member' '
	nephron stage list --name-only train >actual &&
	printf "train@a\ntrain@True\n" >expect &&
	test_cmp expect actual &&
	nephron stage list --name-only train@a >actual &&
	echo train@a >expect &&
	test_cmp expect actual
'

test_expect_success 'other files are named by their path' '
	mkdir sub &&
	printf "stages: {s: {cmd: x, outs: [o]}}\n" >sub/dvc.yaml &&
	nephron stage list --all --name-only >actual &&
	grep "^sub/dvc.yaml:s$" actual &&
	(cd sub && nephron stage list --name-only >../actual) &&
	echo s >expect &&
	test_cmp expect actual
'

test_expect_success 'no dvc.yaml: 255' '
	mkdir empty &&
	(cd empty && test_expect_code 255 nephron stage list >out 2>err && grep "does not exist" err)
'

test_done
