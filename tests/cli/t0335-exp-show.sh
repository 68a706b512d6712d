#!/bin/sh
test_description="exp show and exp diff beside the real DVC"
. "${SHARNESS:-/usr/share/sharness/sharness.sh}"
. "$NEPHRON_SOURCE_DIR/tests/cli/peer-lib.sh"
. "$NEPHRON_SOURCE_DIR/tests/cli/exps-lib.sh"

test_expect_success "a repository with experiments" make_base

test_expect_success "show: rows" '
    beside "
        t exp show; t exp show --csv; t exp show --md; t exp show --json; t exp show -A --csv; t exp show -n 2 --csv; t exp show --rev v0 --csv
        t exp show --rev v1 --json; t exp show -a --csv; t exp show -T --csv --sha; t exp show --sha; t exp show --rev nosuch
        t exp show --hide-workspace --md; t exp show --hide-queued --hide-failed --csv; t exp show --no-fetch -f --csv; t exp show --rev e2 --csv
        echo lr: 7 >params.yaml; t exp show --csv; rm m.json; t exp show --md; t exp show --csv -q; t exp show -q --json; t exp show -q --md
    "
'

test_expect_success "show: columns and order" '
    beside "
        t exp show --only-changed; t exp show --only-changed --csv; t exp show --drop lr --md; t exp show --drop .\*a --keep acc --csv
        t exp show --only-changed --keep rev\|n --md; t exp show --param-deps --csv; t exp show --precision 2 --csv; t exp show --precision 2 --md
        t exp show --sort-by acc --csv; t exp show --sort-by lr --sort-order desc --csv; t exp show --sort-by nosuch
        t exp show --sort-by m.json:val.loss --csv; t exp show --sort-by params.yaml:acc; t exp show --sort-by val.name --sort-order desc --csv
        t exp show --sort-order up
    "
'

test_expect_success "show: what cannot be read" '
    beside "
        echo {not json >m.json; t exp show --csv; dvc exp show --json | grep -o JSONFileCorruptedError; git commit -qam broken; t exp show --csv; git checkout -q HEAD~1 m.json
        echo :x: [ >dvc.yaml; t exp show --csv; git commit -qam worse; t exp show --csv -n 3; t exp show --md -n 3
    "
'

test_expect_success "one name in several files, no commits, a folder" '
    beside "
        mkdir sub; echo {\\\"acc\\\": 1, \\\"rev\\\": 2} >sub/m.json; echo metrics: [sub/m.json] >>dvc.yaml; echo params: [sub/p.yaml] >>dvc.yaml
        echo note: 3 >sub/p.yaml; t exp show --csv; git add -A; git commit -qm x; cd sub; t exp show --csv; t exp show --json; t exp show --sort-by acc
    "
    both "git init -q .; dvc init -q; t exp show; t exp show --csv; t exp show --md; t exp show --json; t exp diff; t exp diff --json; t exp list"
'

test_expect_success "diff" '
    beside "
        t exp diff; t exp diff --json; t exp diff e2; t exp diff e2 e1.5; t exp diff e2 e1.5 --json; t exp diff --all e2 e1.5 --md
        t exp diff old --no-path; t exp diff e2 --precision 2; t exp diff e2 --param-deps --all; t exp diff nosuch; t exp diff v0 e2; t exp diff -q e2
        echo lr: x >params.yaml; t exp diff; t exp diff -q --json; t exp diff HEAD workspace
    "
'

test_expect_success "no git" '
    both "rm -rf .git .dvc; dvc init -q --no-scm; t exp show; t exp list; t exp diff; t exp apply x; t exp remove x; t exp branch x; t exp rename a b"
'

test_done
