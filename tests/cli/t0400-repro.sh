#!/bin/sh

test_description="repro: what runs, what is said, exit codes (texts observed with DVC 3.67.1)"

. /usr/share/sharness/sharness.sh
. "$NEPHRON_SOURCE_DIR/tests/cli/dispatch-lib.sh"

write_pipeline() {
    cat >dvc.yaml <<-\EOF
	stages:
	  a:
	    cmd: cat in > a.out; echo hi
	    deps: [in]
	    outs: [a.out]
	  b:
	    cmd:
	    - cat a.out > b.out
	    - echo two
	    deps: [a.out]
	    outs: [b.out]
	  m:
	    cmd: echo 1 > m.json
	    metrics: [{m.json: {cache: false}}]
	EOF
}

test_expect_success 'the first run runs all, in DVC words' '
    new_repo r && cd r && write_pipeline && echo x >in &&
    nephron repro >actual 2>err &&
    cat >expect <<-\EOF &&
	Running stage '\''a'\'':
	> cat in > a.out; echo hi
	hi
	Generating lock file '\''dvc.lock'\''
	Updating lock file '\''dvc.lock'\''

	Running stage '\''b'\'':
	> cat a.out > b.out
	> echo two
	two
	Updating lock file '\''dvc.lock'\''

	Running stage '\''m'\'':
	> echo 1 > m.json
	Updating lock file '\''dvc.lock'\''
	EOF
    test_cmp expect actual && test_must_be_empty err
'

test_expect_success 'typed again it finds nothing' '
    at r && nephron repro >actual &&
    cat >expect <<-\EOF &&
	Stage '\''a'\'' didn'\''t change, skipping
	Stage '\''b'\'' didn'\''t change, skipping
	Stage '\''m'\'' didn'\''t change, skipping
	Data and pipelines are up to date.
	EOF
    test_cmp expect actual &&
    cat .gitignore >actual && printf "/a.out\n/b.out\n" >expect && test_cmp expect actual &&
    test ! -e .dvc/tmp/nephron/journal
'

test_expect_success 'a restored output, quietly' '
    at r && rm b.out && nephron repro >actual &&
    cat >expect <<-\EOF &&
	Stage '\''a'\'' didn'\''t change, skipping
	Stage '\''b'\'' is cached - skipping run, checking out outputs

	Stage '\''m'\'' didn'\''t change, skipping
	EOF
    test_cmp expect actual && echo x >expect && test_cmp expect b.out &&
    rm b.out && nephron repro -q >actual && test_must_be_empty actual && test -e b.out
'

test_expect_success '--dry touches nothing' '
    at r && echo y >in && cp dvc.lock before && nephron repro --dry >actual &&
    grep "^Running stage .a.:$" actual && grep "^> cat in > a.out; echo hi$" actual &&
    test_cmp before dvc.lock && echo x >expect && test_cmp expect a.out && echo x >in
'

test_expect_success 'a failing command: 255, its outputs stay, the lock does not change' '
    at r && sed -i "s/echo two/exit 3/" dvc.yaml && cp dvc.lock before &&
    test_expect_code 255 nephron repro >actual 2>err &&
    echo "ERROR: failed to reproduce '\''b'\'': failed to run: exit 3, exited with 3" >expect &&
    test_cmp expect err && test_cmp before dvc.lock && test -e b.out &&
    ! grep "Stage .m." actual
'

test_expect_success '-k goes on with what does not depend on it' '
    at r && test_expect_code 255 nephron repro -k >actual 2>err &&
    printf "%s\n" "WARNING: failed to run: exit 3, exited with 3" \
        "ERROR: failed to reproduce '\''b'\''" >expect &&
    test_cmp expect err && grep "Stage .m. didn" actual
'

test_expect_success '-k names what it skips' '
    new_repo k && cd k && cat >dvc.yaml <<-\EOF &&
	stages:
	  a: {cmd: exit 1, outs: [a]}
	  b: {cmd: cp a b, deps: [a], outs: [b]}
	  c: {cmd: cp b c, deps: [b], outs: [c]}
	  d: {cmd: touch d, outs: [d]}
	EOF
    test_expect_code 255 nephron repro -k >actual 2>err &&
    grep "^WARNING: Stages .[bc]. and .[bc]. will be skipped due to this failure$" err && test -e d
'

test_expect_success '--ignore-errors exits 0 and locks nothing of what failed' '
    at k && nephron repro --ignore-errors >actual 2>err &&
    test_expect_code 1 grep "^  a:" dvc.lock
'

test_expect_success 'targets: names, single items, what follows, unknown ones' '
    at r && sed -i "s/exit 3/echo two/" dvc.yaml && nephron repro -q >/dev/null && echo z >in &&
    nephron repro -s b >actual && echo "Stage '\''b'\'' didn'\''t change, skipping" >expect &&
    head -n 1 actual >first && test_cmp expect first &&
    nephron repro --downstream b >actual && ! grep "Stage .a." actual &&
    nephron repro b >actual && grep "Running stage .a." actual && ! grep "Running stage .m." actual &&
    test_expect_code 255 nephron repro nosuch 2>err &&
    echo "ERROR: Stage '\''nosuch'\'' not found inside '\''dvc.yaml'\'' file" >expect && test_cmp expect err &&
    nephron repro --glob "a*" >actual && test "$(grep -c ^Stage actual)" = 1
'

test_expect_success 'wrong usage is 254, no repository 253' '
    at r && test_expect_code 254 nephron repro --nosuch 2>err && grep nosuch err &&
    test_expect_code 254 nephron repro -j 0 2>err && grep "expected 1" err &&
    cd / && test_expect_code 253 nephron repro 2>err2 ||
    (cd / && nephron repro 2>&1 | grep "not inside of a DVC repository")
'

test_expect_success 'each line has a shell of its own, in wdir, with DVC_ROOT and DVC_STAGE' '
    new_repo e && cd e && mkdir w && cat >dvc.yaml <<-\EOF &&
	stages:
	  s:
	    wdir: w
	    cmd: |-
	      x=1
	      echo "[$x] $PWD $DVC_STAGE $DVC_ROOT" > out
	    outs: [out]
	EOF
    nephron repro >/dev/null && echo "[] $PWD/w s $PWD" >expect && test_cmp expect w/out
'

test_expect_success 'a missing dependency keeps the outputs' '
    new_repo d && cd d && echo "stages: {s: {cmd: cp in out, deps: [in], outs: [out]}}" >dvc.yaml &&
    echo 1 >in && nephron repro -q >/dev/null && rm in &&
    test_expect_code 255 nephron repro >actual 2>err && grep "failed to reproduce .s.: " err && test -e out
'

test_expect_success 'an output that was not made' '
    at d && echo 1 >in && echo "stages: {s: {cmd: echo hi, deps: [in], outs: [zz]}}" >dvc.yaml &&
    test_expect_code 255 nephron repro >actual 2>err &&
    echo "ERROR: failed to reproduce '\''s'\'': output '\''zz'\'' does not exist" >expect && test_cmp expect err
'

test_expect_success 'frozen stages are verified, not run' '
    new_repo f && cd f && cat >dvc.yaml <<-\EOF &&
	stages:
	  a: {cmd: cp in a.out, deps: [in], outs: [a.out], frozen: true}
	  b: {cmd: cp a.out b.out, deps: [a.out], outs: [b.out]}
	EOF
    echo 1 >in && echo mine >a.out && nephron repro >actual 2>err &&
    echo "WARNING: stage: '\''a'\'' is frozen. Its dependencies are not going to be reproduced." >expect &&
    test_cmp expect err && grep "^Verifying outputs in frozen stage: .a.$" actual &&
    echo mine >expect && test_cmp expect b.out
'

test_expect_success '--json: one object a line' '
    at r && echo json >in && nephron repro --json >actual &&
    jq -e -s "map(select(.event == \"end\" and .outcome == \"ran\") | .stage) == [\"a\", \"b\"]" actual
'

test_expect_success 'explain says why, before and after' '
    at r && echo why >in && nephron explain >actual && grep "in" actual | grep a &&
    nephron explain --json >actual &&
    jq -e ".schema == 1 and .stages[0].stale and (.stages[1].upstream == [\"a\"])" actual &&
    test_expect_code 1 nephron explain --check >/dev/null &&
    nephron repro -q >/dev/null && nephron explain --check >/dev/null &&
    nephron explain --json b >actual && jq -e "[.stages[] | .stale, .reasons, .upstream] == [false, [], [], false, [], []]" actual
'

test_expect_success 'explain goes down to the files of a folder and to both values of a parameter' '
    new_repo folder && at folder && mkdir d && seq 3 | while read i; do echo $i >d/$i; done && echo "lr: 1" >params.yaml &&
    printf "stages:\n  a: {cmd: cat d/* > o, deps: [d], params: [lr], outs: [o]}\n" >dvc.yaml &&
    nephron add -q d && nephron repro -q && rm d/1 && echo changed >d/2 && echo new >d/4 && echo "lr: 0.5" >params.yaml &&
    nephron explain --json a >actual &&
    jq -e ".stages[1] | .stale and .upstream == [\"d.dvc\"] and (.reasons | map(.kind) == [\"dep\", \"param\"])" actual &&
    jq -c ".stages[1].reasons[0].members" actual >members &&
    echo "{\"added\":1,\"deleted\":1,\"modified\":1,\"first\":[{\"path\":\"1\",\"change\":\"deleted\"},{\"path\":\"2\",\"change\":\"modified\"},{\"path\":\"4\",\"change\":\"added\"}]}" >expect &&
    test_cmp expect members &&
    jq -e ".stages[1].reasons[1] == {kind: \"param\", path: \"params.yaml\", param: \"lr\", change: \"modified\", recorded: 1, found: 0.5}" actual &&
    nephron explain a >actual && grep "^        deleted   1$" actual && grep "lr in params.yaml changed from 1 to 0.5" actual &&
    seq 10 40 | while read i; do echo $i >d/$i; done &&
    nephron explain a >actual && grep "… and 14 more: 32 added, 1 deleted, 1 modified in all" actual &&
    nephron explain --json a >actual && jq -e ".stages[1].reasons[0].members | .added == 32 and (.first | length) == 20" actual
'

test_expect_success 'explain: the list of a folder that the cache lost is not guessed' '
    at folder && find .dvc/cache -name "*.dir" -delete && nephron explain --json a >actual &&
    jq -e ".stages[1].reasons[0] | .kind == \"dep\" and (has(\"members\") | not)" actual
'

test_expect_success 'explain: exit 0, 1 for failure, 2 for usage; with --check 1 is stale and 2 failure' '
    at folder && nephron explain >/dev/null && test_expect_code 1 nephron explain nosuch 2>err && grep nosuch err &&
    test_expect_code 2 nephron explain --bad 2>err && grep "^usage: nephron explain" err &&
    test_expect_code 1 nephron explain --check >/dev/null && test_expect_code 2 nephron explain --check nosuch 2>err
'

test_expect_success 'an empty rwlock and an empty dvc.lock, as a killed DVC leaves them, are taken up' '
    at r && : >.dvc/tmp/rwlock && : >dvc.lock && nephron repro >actual 2>err &&
    test "$(grep -c "^    cmd:" dvc.lock)" = 3
'

test_done
