#!/bin/sh

test_description="gc: deletes what DVC deletes, never what anything in the scope uses"

. /usr/share/sharness/sharness.sh
. "$NEPHRON_SOURCE_DIR/tests/cli/peer-lib.sh"

# Three commits on two branches, a tag, an experiment, an orphan; a remote beside.
history() {
    fresh && dvc remote add -q -d st .git/st && echo 1 >f && mkdir d && echo 1 >d/1 && echo 2 >d/2 && dvc add -q f d &&
        printf 'stages:\n  s:\n    cmd: cat f > o\n    deps: [f]\n    outs:\n    - o\n' >dvc.yaml && dvc repro -q && git add -A &&
        git commit -qm 1 && git tag v1 && echo 3 >f && dvc add -q f && dvc repro -q && git add -A && git commit -qm 2 &&
        dvc push -q && git checkout -qb br && echo 4 >d/4 && dvc add -q d && git add -A && git commit -qm 3 && dvc push -q &&
        echo exp >f && dvc add -q f && git commit -qam exp && git update-ref refs/exps/aa/bb/one HEAD && git reset -q --hard HEAD~1 &&
        git checkout -q main && dvc checkout -q && echo 5 >f && dvc add -q f && echo 6 >f && dvc add -q f
}

test_expect_success "refusals and questions" '
    both "history; t gc; t gc -w; t gc -n 2 -w; t gc --not-in-remote -c -w; t gc --rev nosuch --dry; t gc -w -r nosuch -c --dry;
        t gc -w -f -p ../nosuch | sed s#/[^\\ ]*/nosuch#NOSUCH#"
'

test_expect_success "every scope, dry" '
    both "for o in -w \"-a -T\" -A \"--rev v1\" \"-a -n 2\" \"-a -T -n 2\" \"--date 2020-01-01\" \"--date 2050-01-01\" --all-experiments \
        \"-a --all-experiments\" \"-w --not-in-remote\" \"-w -c\" \"-T -c -r st\"; do s gc \$o --dry; done"
'

test_expect_success "for good: what stays is what DVC keeps" '
    both "t gc -a -T -f && t status && t gc -w -f && t gc -w -f && t status && t gc -w -c -f && find .git/st -type f | sort && t gc -f -A -q"
'

test_expect_success "one cache for two repositories" '
    both "fresh && mkdir .git/cache && echo o >o && dvc cache dir .git/cache && dvc add -q o && mkdir .git/other && cd .git/other && git init -q &&
        dvc init -q && dvc cache dir ../cache && echo x >x && dvc add -q x && t gc -w -f -p ../.. && find ../cache -type f && t gc -w -f && find ../cache -type f"
'

test_expect_success "a list that is nowhere: asked, and refused" '
    at ours && fresh && mkdir d && echo 1 >d/1 && nephron add -q d && find .dvc/cache -name "*.dir" -delete && rm -rf d &&
    echo y | test_expect_code 255 nephron gc -w 2>err && grep "unable to fully collect used cache without cache for directory .d." err &&
    test $(find .dvc/cache -type f | wc -l) = 1 && rm err && nephron gc -w -f -q && test $(find .dvc/cache -type f | wc -l) = 0
'

test_expect_success "not while a repro is at work" '
    at ours && fresh && printf "stages:\n  s:\n    cmd: touch started; sleep 30\n    outs: [started]\n" >dvc.yaml && { nephron repro -q & pid=$!; } &&
    for i in $(seq 100); do test -e started && break; sleep 0.1; done; test_expect_code 75 nephron gc -w -f 2>err; kill $pid; wait $pid;
    grep "nephron repro" err && nephron gc -w -f
'

test_expect_success "a revision that cannot be read stops it" '
    at ours && fresh && echo 1 >a && nephron add -q a && git add -A && git commit -qm 1 && cp a.dvc keep && echo "outs: [" >a.dvc && git commit -qam bad && cp keep a.dvc &&
    echo 2 >a && nephron add -q a && git commit -qam good && test_expect_code 255 nephron gc -A -f 2>err && grep "a.dvc" err &&
    test $(find .dvc/cache -type f | wc -l) = 2 && nephron gc -A -f --skip-failed && test $(find .dvc/cache -type f | wc -l) = 2
'

test_done
