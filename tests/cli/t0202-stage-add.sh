#!/bin/sh
# `stage add`: the entry DVC writes, appended to a file that keeps its comments.
test_description='stage add'
. /usr/share/sharness/sharness.sh
PATH="$NEPHRON_BIN_DIR:$PATH"
export PATH

test_expect_success 'a new file' '
	nephron init --no-scm -q &&
	nephron stage add -n prep -d raw -o clean cp raw clean &&
	cat >expect <<-\EOF &&
	stages:
	  prep:
	    cmd: cp raw clean
	    deps:
	    - raw
	    outs:
	    - clean
	EOF
	test_cmp expect dvc.yaml
'

test_expect_success 'every kind of entry, in order; comments stay' '
	sed "s/^    cmd:.*/& # copies/; 1i # the pipeline" dvc.yaml >with && mv with dvc.yaml &&
	cp dvc.yaml before &&
	nephron stage add -n add1 -d src.py -d clean -o "out x.txt" -O o2 --outs-persist op \
		--outs-persist-no-cache opn -m m.json -M m2.json --plots p.csv -p lr,EPOCHS \
		-p other.yaml:a,b -p whole.yaml: --desc "some: desc" --always-changed \
		python src.py --x "a b" &&
	cat >entry <<-\EOF &&
	  add1:
	    desc: "some: desc"
	    cmd: python src.py --x "a b"
	    deps:
	    - clean
	    - src.py
	    params:
	    - EPOCHS
	    - lr
	    - other.yaml:
	      - a
	      - b
	    - whole.yaml:
	    outs:
	    - o2:
	        cache: false
	    - op:
	        persist: true
	    - opn:
	        cache: false
	        persist: true
	    - out x.txt
	    metrics:
	    - m.json
	    - m2.json:
	        cache: false
	    plots:
	    - p.csv
	    always_changed: true
	EOF
	sed "s/desc: .*/desc: '"'some: desc'"'/" entry | cat before - >expect &&
	test_cmp expect dvc.yaml
'

test_expect_success 'refusals are 255 and write nothing' '
	cp dvc.yaml before &&
	test_expect_code 255 nephron stage add -n a@b x 2>err &&
	grep "Stage name cannot contain punctuation characters." err &&
	test_expect_code 255 nephron stage add -n prep x 2>err &&
	grep "Stage .prep. already exists in .dvc.yaml.. Use .--force. to overwrite." err &&
	test_expect_code 255 nephron stage add -n c -o clean x 2>err &&
	grep "output .clean. is already specified in stage: .prep." err &&
	test_expect_code 255 nephron stage add -n c -o q -d q x 2>err &&
	grep "/q. is specified as an output and as a dependency." err &&
	test_expect_code 255 nephron stage add -n c -w nonex x 2>err &&
	grep "stage working dir .*/nonex. does not exist" err &&
	test_cmp before dvc.yaml
'

test_done
