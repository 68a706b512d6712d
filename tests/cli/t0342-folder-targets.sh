#!/bin/sh

test_description="metrics and params of folders: every file below, as DVC"

. /usr/share/sharness/sharness.sh
. "$NEPHRON_SOURCE_DIR/tests/cli/peer-lib.sh"

project() {
    fresh && mkdir -p d/sub d/skip t && echo "{\"b\": 1}" >d/z.json && echo "{\"a\": 1, \"l\": {\"r\": 2}}" >d/a.json && echo "s: 3" >d/sub/m.yaml && echo x: 1 >d/skip/no.yaml &&
        echo "d/skip" >>.dvcignore && echo "{\"k\": 5}" >t/k.json && echo "{\"c\": 6}" >t/c.json && dvc add -q t && echo "{\"f\": 0.5}" >f.json && dvc add -q f.json && mkdir empty &&
        git add -A && git commit -qm 1 && git tag v1
}

test_expect_success "folders of the work tree and of tracked data" '
    both "project && t metrics show --json d && t metrics show -R d t && t metrics show --json t && t metrics show --json . && t metrics show --json empty &&
        t metrics show --json nosuch && t metrics show --json f.json d/sub && cd d && t metrics show --json sub ../t && t metrics show --json . && cd .. &&
        rm -rf t f.json && t metrics show --json t && t metrics show --json f.json"
'

test_expect_success "revisions, and what differs" '
    both "project && t metrics show -T --json d t && echo \"{\\\"a\\\": 2}\" >d/a.json && rm d/z.json && echo \"n: 1\" >d/new.yaml && echo \"{\\\"c\\\": 7}\" >t/c.json && rm t/k.json &&
        j metrics diff --targets d t --json && j metrics diff -R --targets d --json v1 && j params diff --targets d t --json && j params diff --all --targets t --json &&
        git add -A && git commit -qm 2 && j metrics diff --json v1 HEAD --targets d && j params diff --json v1 HEAD --targets d"
'

test_expect_success "folders that dvc.yaml names" '
    both "project && printf \"metrics: [d]\nparams: [t]\n\" >dvc.yaml && t metrics show --json && echo \"{\\\"k\\\": 6}\" >t/k.json && git add -A && git commit -qm 2 &&
        echo \"{\\\"k\\\": 7}\" >t/k.json && j params diff --json && echo \"{\\\"b\\\": 3}\" >d/z.json && j metrics diff --json"
'

test_done
