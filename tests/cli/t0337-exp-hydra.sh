#!/bin/sh
# hydra.enabled: params.yaml composed from a folder of settings, beside the real DVC.
test_description='exp run with hydra.enabled'
. "${SHARNESS:-/usr/share/sharness/sharness.sh}"
. "$NEPHRON_SOURCE_DIR/tests/cli/peer-lib.sh"

# The form of dates that DVC's git library reads.
GIT_AUTHOR_DATE="1767323045 +0000" GIT_COMMITTER_DATE="1767323045 +0000"

project() {
    fresh && dvc config hydra.enabled true && mkdir -p conf/db conf/model &&
        printf '%s\n' 'defaults:' '- db: my' '- model: small' '- _self_' 'lr: 0.1' 'url: ${db.host}:${db.port}' 'flag: yes' >conf/config.yaml &&
        printf '%s\n' 'host: my' 'port: 3306' >conf/db/my.yaml && printf '%s\n' 'host: pg' 'port: 5432' >conf/db/pg.yaml &&
        printf '%s\n' '# @package _global_' 'depth: 2' >conf/model/small.yaml && printf '%s\n' '# @package _global_' 'depth: 9' >conf/model/big.yaml &&
        echo 'k: 1' >other.yaml && printf '%s\n' 'stages:' '  train:' '    cmd: cp params.yaml model' '    params: [lr, db, depth]' \
            '    outs: [model]' >dvc.yaml && git add -A && git commit -qm base
}

# h ARG…: as t. Of errors the first line, without DVC's word for those it does not foresee; names that were made up are nobody's.
h() {
    t "$@" | sed -E -e "s/experiment '[a-z]+-[a-z]+' for/experiment 'NAME' for/" -e 's/unexpected error - //' -e 's/\tnephron exp/\tdvc exp/' |
        awk '/^  err ERROR/ { print; bad = 1; next } /^  err / && bad { next } /^  out (Ran|Reproducing) experiment|^  err WARNING/ { next } { print }'
}

waiting() {
    git reflog show --format='%gs %H' refs/exps/celery/stash 2>/dev/null | tac | while read -r _ what rev; do
        echo "=" && git show "$rev:params.yaml" | sed 's/^/  | /'
    done
}

test_expect_success "composed in the workspace, with values and options of groups" '
    both "project && h exp run && cat params.yaml model && git status --short && h exp run -S lr=0.5 -S db=pg && cat params.yaml &&
        h exp run -S +model@m=big -S ++new.key=[1,x] -S ~flag && cat params.yaml && h exp run -S other.yaml:k=2 && cat params.yaml other.yaml"
'

test_expect_success "in a copy, dry, and without" '
    both "project && h exp run --temp -n t1 -S db=pg && git show \$(git for-each-ref --format=%\(objectname\) \"refs/exps/??/**\"):params.yaml &&
        h exp run --dry && git status --short && h exp run -S lr=1 >/dev/null && h exp run --no-hydra -S lr=7 && cat params.yaml &&
        h exp run --no-hydra -S db=pg && cat params.yaml"
'

test_expect_success "sweeps over groups are queued" '
    both "project && h exp run --queue -n a -S db=my,pg -S \"model=choice(small,big)\" && h exp run --queue -n b && waiting &&
        h exp run --queue -n c -S db=my,gone; h exp run -S db=my,pg && h exp run --queue -S \"db=glob(*)\" && git status --short"
'

test_expect_success "what is refused leaves everything as it was" '
    both "project && h exp run -S db=gone && h exp run -S nope=1 && h exp run -S nope/x=1 && h exp run -S +lr=1 && h exp run -S db=1 && h exp run -S ~nope &&
        h exp run -S hydra.nope=1 && echo \"x: \\\${gone}\" >>conf/config.yaml && h exp run && git status --short && git checkout -q . &&
        dvc config hydra.config_name gone && h exp run && dvc config hydra.config_dir nowhere && h exp run && git status --short"
'

test_expect_success "other names of the folder and the file" '
    both "project && git mv conf settings && git mv settings/config.yaml settings/main.yaml && dvc config hydra.config_dir settings &&
        dvc config hydra.config_name main && git add -A && git commit -qm moved && h exp run && cat params.yaml"
'

test_expect_success "what Python alone can do is refused by name" '
    at ours && turn=ours && project && nephron config hydra.config_module mod && test_expect_code 255 nephron exp run 2>../err &&
        grep -q "hydra.config_module .mod. is a Python module" ../err && nephron config -u hydra.config_module && mkdir -p plug/hydra_plugins &&
        nephron config hydra.plugins_path plug && test_expect_code 255 nephron exp run 2>../err && grep -q "holds plug-ins of Hydra" ../err &&
        rmdir plug/hydra_plugins && nephron exp run >/dev/null && echo "p: \${python_version:}" >>conf/config.yaml &&
        test_expect_code 255 nephron exp run 2>../err && grep -q "python_version" ../err
'

test_expect_success "generated folders are composed as DVC does, byte for byte" '
    at . && "$python" "$NEPHRON_SOURCE_DIR/tests/peer/hydra_peer.py" cases.jsonl "${NEPHRON_HYDRA_SEED:-7}" "${NEPHRON_HYDRA_COUNT:-150}" &&
        NEPHRON_HYDRA_CASES=cases.jsonl "$NEPHRON_HYDRA_TEST" >log 2>&1 || { cat log; false; }
'

test_done
