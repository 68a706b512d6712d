#!/bin/sh

test_description="plots show, diff, templates: the data of DVC's, a page that needs no network"

. /usr/share/sharness/sharness.sh
. "$NEPHRON_SOURCE_DIR/tests/cli/peer-lib.sh"

# p ARG...: a command that prints JSON, as peer/plot_view.py sees it.
p() {
    echo "\$ $*" && dvc "$@" >"$here/.out" 2>"$here/.err" </dev/null
    echo "  exit $?" && sed 's/^/  err /' "$here/.err" && "$python" "$NEPHRON_SOURCE_DIR/tests/peer/plot_view.py" <"$here/.out"
}

data() {
    fresh && printf 'step,loss,acc\n0,1.0,0.1\n1,0.5,0.4\n' >src.csv && echo '{"t": [{"e": 0, "l": 0.5}]}' >src.json &&
        printf 'actual,predicted\ncat,cat\ndog,cat\ndog,dog\n' >conf.csv && printf 'a\tb\n"1"\t2\n' >t.tsv &&
        printf '\211PNG' >img.png && printf '1,2\n3,4\n' >raw.csv && mkdir many && printf 'i,v\n0,1\n' >many/1.csv && printf 'i,v\n0,2\n' >many/2.csv &&
        cat >dvc.yaml <<-\EOF &&
	stages:
	  train:
	    cmd: cp src.csv loss.csv; cp src.json h.json; mkdir -p runs && cp src.csv runs/r.csv
	    deps: [src.csv, src.json]
	    plots:
	    - loss.csv: {x: step, y: loss}
	    - h.json
	    - raw.csv: {header: false, cache: false, persist: true}
	    - runs
	plots:
	- conf.csv: {x: actual, y: predicted, template: confusion}
	- both: {x: step, y: {loss.csv: [loss, acc]}, title: both things}
	- two: {x: {loss.csv: step}, y: {loss.csv: acc, runs/r.csv: acc}, template: simple}
	- t.tsv
	- many: {y: v}
	- many/2.csv: {x: i, y: v, y_label: value}
	- img.png
	- nope.csv
	EOF
        dvc repro -q && git add -A && git commit -qm 1 && git tag v1
}

change() {
    printf 'step,loss,acc\n0,0.9,0.2\n1,0.4,0.5\n2,0.3,0.6\n' >src.csv && printf 'actual,predicted\ncat,cat\n' >conf.csv && dvc repro -q
}

test_expect_success "what is shown" '
    both "data && p plots show --json && p plots show --json --split both conf && p plots show loss.csv --show-vega && rm -rf dvc_plots"
'

test_expect_success "options" '
    both "data && p plots show loss.csv --json -y zz && p plots show loss.csv -x acc -y loss --title T --x-label X --y-label Y -t scatter --json &&
        p plots show src.csv --no-header --json -t smooth && p plots show many --json &&
        for n in simple linear confusion confusion_normalized scatter scatter_jitter smooth bar_horizontal_sorted bar_horizontal; do
            p plots show conf.csv -t \$n --json; done"
'

test_expect_success "revisions" '
    both "data && p plots diff --json && change && p plots diff --json && p plots diff v1 --json --targets loss.csv both &&
        git commit -qam 2 && p plots diff v1 HEAD --json --targets conf.csv two && t plots diff nosuch && rm -rf dvc_plots &&
        mkdir sub && cd sub && p plots diff v1 --json --targets both nope && rm -rf dvc_plots"
'

test_expect_success "without the data" '
    both "data && rm -r .dvc/cache loss.csv runs && p plots show --json && rm -rf dvc_plots"
'

test_expect_success "words" '
    both "data && t plots templates && t plots templates nosuch && t plots show --show-vega && t plots show --show-vega a b && t plots show --show-vega --json h.json"
'

test_expect_success "the page" '
    turn=ours && at ours && data && change && nephron plots diff >out && echo "file://$PWD/dvc_plots/index.html" >expect && test_cmp expect out &&
    page=dvc_plots/index.html && grep -q "<svg" $page && grep -q "both things" $page && grep -q "data:image/png;base64,iVBORw==" $page &&
    grep -q "HEAD" $page && test $(grep -c "<rect" $page) -gt 4 && test_expect_code 1 grep -E "<script|https?://[^w]|@import" $page &&
    ls dvc_plots >files && echo index.html >expect && test_cmp expect files &&
    nephron plots show -o other loss.csv >out && test -f other/index.html &&
    echo "<b>{scripts}|{plot_divs}</b>" >frame && nephron plots show -o framed --html-template frame loss.csv >out &&
    grep -q "^<b>|<style>" framed/index.html && echo none >frame && test_expect_code 1 nephron plots show -o framed --html-template frame loss.csv 2>err &&
    grep -q "plot_divs" err && nephron plots show nosuch.csv --json >out && echo "{}" >expect && test_cmp expect out
'

test_expect_success "a template of one's own" '
    at ours && mkdir -p .dvc/plots && echo "{\"data\": {\"values\": \"<DVC_METRIC_DATA>\"}, \"mark\": \"point\", \"t\": \"of <DVC_METRIC_X>\"}" >.dvc/plots/mine.json &&
    nephron plots show loss.csv -t mine --show-vega >out && grep -q "\"t\": \"of step\"" out &&
    nephron plots show loss.csv -t mine >out && grep -q "<circle" dvc_plots/index.html && test_expect_code 1 grep "<polyline" dvc_plots/index.html &&
    test_expect_code 1 nephron plots show loss.csv -t nosuch 2>err && grep -q "nosuch" err
'

test_done
