#!/bin/sh

test_description="what is recorded, put in place and taken away again is what DVC does, and so is what is said of it"

. /usr/share/sharness/sharness.sh
. "$NEPHRON_SOURCE_DIR/tests/cli/peer-lib.sh"

test_expect_success "a checkout of everything removes what no stage names any more, unless it changed" '
    both "fresh && echo 1 >f && mkdir d && echo 1 >d/1 && echo 2 >d/2 && dvc add -q f d && git add -A && git commit -qm 1 &&
        rm d.dvc && t checkout f && ls d && t checkout && ls && git checkout -q d.dvc && t checkout --summary &&
        rm d.dvc f.dvc && echo changed >d/1 && t checkout --summary && ls -R d"
'

test_expect_success "so does a pull; outputs of stages, too" '
    both "fresh && printf \"stages:\n  s: {cmd: echo 1 > o, outs: [o]}\n\" >dvc.yaml && dvc repro -q && dvc remote add -q -d r .git/r &&
        dvc push -q && echo 2 >f && dvc add -q f && dvc push -q && rm dvc.yaml dvc.lock && t pull && ls"
'

test_expect_success "what the cache does not hold stays" '
    at ours && turn=ours && fresh && echo 1 >f && nephron add -q f && mv .dvc/cache keep && rm f.dvc && nephron checkout && test -f f &&
    mv keep .dvc/cache && nephron checkout >got && echo "D       f" >want && test_cmp want got && test ! -e f
'

test_expect_success "a part of an output was added: the output stays" '
    at ours && turn=ours && fresh && mkdir d && echo 1 >d/1 && nephron add -q d && echo 2 >d/2 && nephron add -q d/2 &&
    nephron checkout >got && test_must_be_empty got && test -f d/2
'

test_expect_success "commit: a record that changes is told; the run cache also holds outputs that are not cached" '
    both "fresh && echo 1 >in && printf \"stages:\n  s:\n    cmd: cat in > o; echo u > u\n    deps: [in]\n    outs: [o, u: {cache: false}]\n\" \
        >dvc.yaml && dvc repro -q && find .dvc/cache -type f | sort && t commit && t commit -f && find .dvc/cache -type f | sort &&
        echo 2 >o && t commit -f s && rm dvc.lock && t commit -f"
'

test_expect_success "commit of what did not change leaves modes and .gitignore as they are recorded" '
    both "fresh && echo 1 >in && echo 1 >f && dvc add -q f && printf \"stages:\n  s: {cmd: cat in > o, deps: [in], outs: [o]}\n\" >dvc.yaml &&
        dvc repro -q && chmod +x in o f && rm .gitignore && t commit && ls -l o f | cut -c1-10 && cat f.dvc dvc.lock && test ! -e .gitignore"
'

test_expect_success "commit of a link that leads nowhere" '
    both "fresh && printf \"stages:\n  s: {cmd: echo 1 > o, outs: [o]}\n\" >dvc.yaml && ln -s nowhere o && t commit -f; rm o"
'

test_expect_success "gc and status -c warn of outputs that have no record, and of lists that are nowhere" '
    both "fresh && dvc remote add -q -d r .git/r && printf \"stages:\n  s: {cmd: echo 1 > o, outs: [o, p]}\n\" >dvc.yaml && echo 1 >o &&
        s gc -w -f && s status -c && t gc -w -f -q && mkdir d && echo 1 >d/1 && dvc add -q d && git add -A && git commit -qm 1 &&
        find .dvc/cache -name \"*.dir\" -delete && s gc -a -f | sed s#[./]*/dvc.yaml:s#s#g"
'

test_expect_success "-q says nothing of frozen stages" '
    both "fresh && echo 1 >f && dvc add -q f && dvc freeze -q f.dvc && t status -q && t status --json -q && t status"
'

test_expect_success "push and pull of what is not there, or cannot be read" '
    both "fresh && dvc remote add -q -d r .git/r && s push nosuch && s pull nosuch && printf \"stages:\n  s: \n    cmd: echo \\\${x}\n\" >dvc.yaml && s fetch"
'

test_expect_success "adding to a folder whose list is in the remote, or nowhere" '
    both "fresh && dvc remote add -q -d r .git/r && mkdir d && echo 1 >d/1 && dvc add -q d && dvc push -q && rm -r .dvc/cache && echo 2 >d/2 &&
        dvc add -q d/2 && cat d.dvc && find .dvc/cache .git/r -name \"*.dir\" -delete && s add d/1"
'

test_expect_success "what cannot be added or moved" '
    both "fresh && mkdir d && echo 1 >d/1 && echo 1 >f && dvc add -q d f && t move f d && t move d d && rm -r d && t add d && t add no/where"
'

test_expect_success "repro: parameters that are missing, --allow-missing, --dry" '
    both "fresh && echo 1 >in && printf \"stages:\n  s: {cmd: cat in > o, deps: [in], params: [lr], outs: [o]}\n\" >dvc.yaml && t repro &&
        t repro --dry && echo a: 1 >params.yaml && t repro --dry && t repro --allow-missing && t repro -f --allow-missing && rm -f o &&
        printf \"stages:\n  s: {cmd: cat in > o, frozen: true, outs: [o]}\n\" >dvc.yaml && t repro --allow-missing -f"
'

test_expect_success "repro -s looks at its stage alone; so does stage add --run" '
    both "fresh && printf \"stages:\n  a: {cmd: echo 1 > o, outs: [o]}\n  b: {cmd: echo 2 > o, outs: [o]}\n\" >dvc.yaml && t repro -q -s a && s repro a &&
        printf \"stages:\n  a: {cmd: echo 1 > o, outs: [o]}\n\" >dvc.yaml && rm o && echo 3 >o && t stage add -n c --run -d o -o p \"cat o >p\""
'

test_done
