#!/bin/sh

test_description="metrics and params over revisions, stage add, add: as DVC"

. /usr/share/sharness/sharness.sh
. "$NEPHRON_SOURCE_DIR/tests/cli/peer-lib.sh"

history() {
    fresh && printf 'lr: 0.1\nnet:\n  depth: 3\n' >params.yaml && printf '{"acc": 0.123456789, "sub": {"f1": 1, "name": "x"}}' >m.json &&
        printf 'stages:\n  s:\n    cmd: echo\n    params: [lr]\n    metrics:\n    - m.json:\n        cache: false\n' >dvc.yaml && git add -A && git commit -qm 1 &&
        git tag v1 && sed -i s/0.1/0.25/ params.yaml && sed -i s/0.123456789/0.5/ m.json && git commit -qam 2 && git checkout -qb br &&
        sed -i s/0.5/0.75/ m.json && git commit -qam 3 && git checkout -q main && echo 'new: [1, 2]' >>params.yaml && sed -i s/0.5/0.625/ m.json
}

test_expect_success "metrics" '
    both "history && for o in \"\" --md --json -a \"-T --json\" \"-a -T --md\" \"m.json\" \"--precision 3 -T\"; do t metrics show \$o; done;
        for o in \"\" --json --md \"v1 br --all\" \"v1 --no-path\" \"--precision 2 v1\" \"--targets m.json\"; do t metrics diff \$o; done"
'

test_expect_success "params" '
    both "for o in \"\" --json --md \"v1 HEAD\" \"v1 --all\" \"v1 --deps\" \"--no-path v1\" \"--targets params.yaml\" nosuch; do t params diff \$o; done"
'

test_expect_success "stage add: every option" '
    both "fresh && mkdir w && echo d >dep && t stage add -n full -d dep -p lr,net.depth -p other.yaml:a,b -p whole.yaml: -o o1 -O o2 --outs-persist o3 --outs-persist-no-cache o4 \
        -m m1 -M m2 --plots p1 --plots-no-cache p2 --desc \"what it is\" --always-changed echo \"a b\" c && cat dvc.yaml && t stage add -n wd -w w -o x echo && cat dvc.yaml w/.gitignore && sort .gitignore &&
        t stage add -n wd echo && t stage add -f -n wd -o y echo 2 && cat dvc.yaml && t stage add -n bad/name echo && t stage add -n n1 && t stage add -n n2 -o o1 echo &&
        t stage add -n n3 -w nodir echo && t stage add -n run --run -o made \"echo 1 > made\" && cat made dvc.lock && t stage list && sort -o .gitignore .gitignore"
'

test_expect_success "add: patterns, without commit, other names" '
    both "fresh && mkdir img && for i in 1 2; do echo \$i >img/\$i.png; done && echo t >img/t.txt && t add -q --glob \"img/*.png\" && t add --glob \"nomatch*\";
        echo n >n && dvc add -q --no-commit n && t status && dvc commit -q n.dvc && echo out >../outside-\$turn && dvc add -q ../outside-\$turn -o inside && cat inside.dvc &&
        echo 2 >n && dvc add -q --no-relink n && t add n nosuch; t add -o two n img/t.txt; sort -o img/.gitignore img/.gitignore"
'

test_done
