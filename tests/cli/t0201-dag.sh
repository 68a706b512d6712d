#!/bin/sh
# `dag`: dot, mermaid and pictures; the expected bytes were printed by DVC 3.67.
test_description='dag'
. /usr/share/sharness/sharness.sh
PATH="$NEPHRON_BIN_DIR:$PATH"
export PATH

test_expect_success 'the four stages of the demo' '
	nephron init --no-scm -q &&
	cat >dvc.yaml <<-\EOF
	stages:
	  data_ingestion: {cmd: x, deps: [c], outs: [data]}
	  prepare_base_model: {cmd: x, deps: [c], outs: [base]}
	  training: {cmd: x, deps: [c, data, base], outs: [model.pth]}
	  evaluation: {cmd: x, deps: [c, data, model.pth], metrics: [scores.json]}
	EOF
'

test_expect_success 'boxes and arrows' '
	cat >expect <<-\EOF &&
	+----------------+            +--------------------+
	| data_ingestion |            | prepare_base_model |
	+----------------+*****       +--------------------+
	         *             *****             *
	         *                  ******       *
	         *                        ***    *
	         **                        +----------+
	           **                      | training |
	             ***                   +----------+
	                ***             ***
	                   **         **
	                     **     **
	                  +------------+
	                  | evaluation |
	                  +------------+
	EOF
	nephron dag >out &&
	sed "s/ *$//" out >actual &&
	test_cmp expect actual
'

test_expect_success 'dot' '
	cat >expect <<-\EOF &&
	strict digraph {
	"data_ingestion";
	"prepare_base_model";
	"training";
	"evaluation";
	"data_ingestion" -> "training";
	"data_ingestion" -> "evaluation";
	"prepare_base_model" -> "training";
	"training" -> "evaluation";
	}

	EOF
	nephron dag --dot >actual &&
	test_cmp expect actual
'

test_expect_success 'mermaid of a target, fenced, of outputs' '
	{ printf "\`\`\`mermaid\nflowchart TD\n\tnode1[\"base\"]\n\tnode2[\"data\"]\n" &&
	  printf "\tnode3[\"model.pth\"]\n\tnode1-->node3\n\tnode2-->node3\n\`\`\`\n"; } >expect &&
	nephron dag --md --outs training >actual &&
	test_cmp expect actual
'

test_expect_success '--full: the whole pipeline of a target' '
	nephron dag --mermaid >expect &&
	nephron dag --mermaid --full data_ingestion >actual &&
	test_cmp expect actual
'

test_expect_success 'a cycle is refused' '
	printf "stages:\n  a: {cmd: x, deps: [q], outs: [p]}\n  b: {cmd: x, deps: [p], outs: [q]}\n" \
		>dvc.yaml &&
	test_expect_code 255 nephron dag 2>err &&
	grep "Same item(s) are defined as both a dependency and an output in stages: [ab], [ab]\." err
'

test_done
