#!/bin/sh

test_description="plots modify, as DVC: properties of an output in dvc.yaml"

. /usr/share/sharness/sharness.sh
. "$NEPHRON_SOURCE_DIR/tests/cli/peer-lib.sh"

# A pipeline with comments, in another order than DVC's.
pipeline() {
    fresh && cat >dvc.yaml <<-\EOF &&
	# the pipeline
	stages:
	  # trains
	  train:
	    cmd: echo 1 >loss.csv   # quick
	    deps:
	    - z.txt
	    - a.txt
	    params:
	    - other.yaml:
	      - k
	    - lr
	    - b
	    outs:
	    - model:
	        persist: true
	    - table.csv
	    metrics:
	    - m.json:   # kept in git
	        cache: false
	    plots:
	    - loss.csv:
	        x: step   # of the optimiser
	        y: loss
	    - bare.csv
	    meta: {who: me}

	  tail:
	    wdir: sub
	    cmd: echo ${item}
	    outs: [t.csv]
	  plain:
	    cmd: echo plain
	    plots:
	    - p.csv
	EOF
    mkdir -p sub .dvc/plots && echo "{}" >.dvc/plots/own.json && echo "item: 1" >params.yaml && touch z.txt a.txt && git add -A && git commit -qm p
}

test_expect_success "properties are set and taken off, comments stay" '
    both "pipeline && t plots modify loss.csv --title Loss -x epoch && cat dvc.yaml && t plots modify loss.csv --unset title y && cat dvc.yaml &&
        t plots modify bare.csv -t confusion --no-header --x-label X --y-label \"a: b\" && cat dvc.yaml && t plots modify bare.csv --unset header x_label y_label template && cat dvc.yaml &&
        t plots modify p.csv -t own && t plots modify p.csv && cat dvc.yaml"
'

test_expect_success "an output becomes a plot" '
    both "pipeline && t plots modify table.csv -y v && cat dvc.yaml && t plots modify m.json && cat dvc.yaml && t plots modify model --title M && cat dvc.yaml"
'

test_expect_success "what is refused, with the words of DVC" '
    both "pipeline && t plots modify nosuch.csv -x a; t plots modify table.csv --unset x; t plots modify loss.csv --unset nosuch; t plots modify loss.csv --unset title;
        cd sub && t plots modify t.csv -x a; t plots modify ../loss.csv -x a; cd .. && git diff" &&
    at ours && test_expect_code 255 nephron plots modify loss.csv -t nosuch 2>err && grep "emplate .nosuch. not found" err && test_expect_code 254 nephron plots modify
'

# DVC writes a .dvc file that it refuses to read.
test_expect_success "an output of a .dvc file is refused" '
    at ours && fresh && echo a,b >d.csv && nephron add -q d.csv && cp d.csv.dvc before && test_expect_code 255 nephron plots modify d.csv -x a 2>err &&
    grep "d.csv.dvc" err && test_cmp before d.csv.dvc
'

test_done
