#!/bin/sh

test_description="remove, move, freeze, unfreeze, unprotect, check-ignore, destroy: as DVC"

. /usr/share/sharness/sharness.sh
. "$NEPHRON_SOURCE_DIR/tests/cli/peer-lib.sh"

pipeline() {
    fresh && echo 1 >f && mkdir d && echo 1 >d/1 && echo 2 >d/2 && echo x >x.txt && dvc add -q f d x.txt &&
        cat >dvc.yaml <<-\END && dvc repro -q && git add -A && git commit -qm 1
	# top
	stages:
	  a: # comment a
	    cmd: cp f a.txt
	    deps:
	    - f
	    outs:
	    - a.txt
	  b:
	    cmd: cp a.txt b.txt
	    deps:
	    - a.txt
	    outs:
	    - b.txt:
	        cache: false
	  fe:
	    foreach: [1, 2]
	    do:
	      cmd: echo ${item} > fe${item}
	      outs:
	      - fe${item}
	metrics:
	- m.json
	END
}

test_expect_success "freeze and unfreeze" '
    both "pipeline && t freeze a && t freeze a && t unfreeze a && t unfreeze a && t freeze nosuch && t freeze f &&
        t freeze f.dvc && cat f.dvc && t unfreeze f.dvc && t freeze fe@1 && t freeze fe && t freeze dvc.yaml:a &&
        t freeze dvc.yaml && t freeze nosuch.dvc && t freeze other/dvc.yaml:x && t freeze a nosuch b && t freeze"
'

test_expect_success "remove" '
    both "pipeline && t remove nosuch && t remove f && t remove nosuch.dvc && t remove f.dvc && t remove --outs d.dvc &&
        t remove a && t remove b fe@2 && t remove fe && t remove x.txt.dvc nosuch && t remove dvc.yaml && t remove"
'

test_expect_success "the last stage takes the files along" '
    both "fresh && printf \"stages:\n  s:\n    cmd: echo 1 > o\n    outs:\n    - o\n  t:\n    cmd: echo 2 > p\n    outs: [p]\n\" >dvc.yaml &&
        dvc repro -q && t remove --outs s && t remove dvc.yaml:t && mkdir sub && cp .gitignore sub/x 2>/dev/null;
        printf \"stages:\n  s:\n    cmd: echo 1 > o\n    outs:\n    - o\n\" >sub/dvc.yaml && dvc repro -q -R sub &&
        t remove sub/dvc.yaml:s && echo 5 >un && dvc add -q un && echo 6 >un && t remove --outs un.dvc"
'

test_expect_success "a pipeline that contradicts itself can be repaired" '
    both "fresh && printf \"stages:\n  s:\n    cmd: echo 1\n    outs: [o]\n  t:\n    cmd: echo 2\n    outs: [o]\n\" >dvc.yaml &&
        mkdir sub && echo bad: [ >sub/dvc.yaml && t remove t && cat dvc.yaml"
'

test_expect_success "move" '
    both "pipeline && mkdir dest && printf \"  desc: hello\nmeta:\n  a: 1\n\" >>x.txt.dvc && sed -i \"1i # c\" x.txt.dvc &&
        t move f h && t move h dest && t move d dest/dd && t move nosuch q && t move a.txt p && t move x.txt f &&
        cat f.dvc && t move f nodir/x && echo e >e && dvc add -q e && t move e f && t move dest/dd/1 f &&
        echo yy >taken && t move e taken && chmod u+w taken && echo ch >taken && t move taken t3 && t move t3 t3 &&
        t move t3.dvc t4 && mkdir sub && cd sub && t move ../t3 u && t move u .. && rm ../u && t move ../u v"
'

for type in symlink hardlink; do
    test_expect_success "unprotect, remove and move with $type" '
        both "fresh && dvc config cache.type '$type' && echo 1 >f && mkdir d && echo 1 >d/1 && echo g >g && dvc add -q f d g &&
            t unprotect f d && t unprotect f.dvc && t remove g.dvc && t move d e"
    '
done

test_expect_success "unprotect of nothing is an error" '
    at ours && test_expect_code 255 nephron unprotect nosuch 2>err && grep "unexpected error - can.t unprotect non-existing data .nosuch." err && rm err
'

test_expect_success "check-ignore" '
    both "fresh && printf \"# c\n*.tmp\n!keep.tmp\n/root.txt\nlogs/\n\" >.dvcignore && mkdir logs sub && echo sub.x >sub/.dvcignore &&
        for o in \"\" -d \"-d -a\" \"-d -n\"; do t check-ignore \$o a.tmp keep.tmp root.txt sub/root.txt logs logs/a f sub/sub.x .git ../y; done;
        t check-ignore f; t check-ignore; t check-ignore -n f; t check-ignore -a f; t check-ignore --stdin f;
        t check-ignore -q a.tmp; printf \"a.tmp\nf\nsub/b.tmp\n\" | dvc check-ignore --stdin -d -n; echo \$?;
        cd sub && t check-ignore -d a.tmp ../root.txt sub.x"
'

test_expect_success "destroy asks, and leaves the data" '
    both "pipeline && t destroy && t destroy -f && ls"
'

test_expect_success "a running stage keeps its outputs" '
    at ours && fresh && printf "stages:\n  s:\n    cmd: touch started; sleep 30; echo 1 > o\n    outs: [o]\n" >dvc.yaml &&
    { nephron repro -q & pid=$!; } && for i in $(seq 100); do test -e started && break; sleep 0.1; done &&
    echo 1 >f && nephron add -q f && test_expect_code 1 nephron remove --outs s 2>err; kill $pid; wait $pid;
    grep "busy" err
'

test_expect_success "what a stage makes is refused before any other target is added" '
    both "fresh && echo 1 >f && mkdir out && printf \"stages:\\n  s:\\n    cmd: echo 1 > out/o\\n    outs: [out/o]\\n\" >dvc.yaml &&
        dvc repro -q && t add f out/o"
'

test_expect_success "stage add -f leaves the keys of the entry where they are" '
    both "fresh && echo 1 >in && printf \"stages:\\n  s:\\n    outs: [o]\\n    cmd: echo 1 > o\\n    desc: why\\n\" >dvc.yaml &&
        t stage add -f -n s -d in -o o2 \"cp in o2\" && t stage add -f -n s -M m.json \"echo 1 > m.json\""
'

test_done
