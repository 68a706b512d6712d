#!/bin/sh
test_description="exp list, remove, rename, branch, apply beside the real DVC"
. "${SHARNESS:-/usr/share/sharness/sharness.sh}"
. "$NEPHRON_SOURCE_DIR/tests/cli/peer-lib.sh"
. "$NEPHRON_SOURCE_DIR/tests/cli/exps-lib.sh"

test_expect_success "a repository with experiments" make_base

test_expect_success "list" '
    beside "
        s exp list; s exp ls -A; s exp list --rev HEAD~1; s exp list --rev v0; s exp list -n 2; s exp list --rev v1 -n -1
        s exp list --name-only; s exp list -A --names-only; s exp list --sha-only; t exp list --rev nosuch; t exp list --name-only --sha-only
        t exp list --sha-only origin; s exp list origin; t exp list nosuch; git tag t0; s exp list -A; git checkout -q --detach; s exp list
    "
'

test_expect_success "rename" '
    beside "
        t exp rename; t exp rename one; t exp rename nosuch x; t exp rename old fresh; t exp rename e2 e1.5 | sed s/nephron.exp.run/dvc\ exp\ run/; t exp rename e2 e2
        t exp rename -f e2 e1.5; t exp rename e0.75 a/b; t exp rename e0.75 a..b; t exp rename -g origin e0.75 x; t exp rename \"\" x; refs
    "
'

test_expect_success "branch" '
    beside "
        t exp branch; t exp branch nosuch; t exp branch e2; t exp branch e2; t exp branch e2 mine; t exp branch main; t exp branch HEAD
        t exp branch e2-branch; t exp branch HEAD~1 x; refs
    "
'

test_expect_success "remove" '
    beside "
        t exp remove; t exp remove e2 -A; t exp remove nosuch; t exp remove nosuch e2; t exp remove nosuch other; t exp remove e2
        t exp apply e1.5; refs; t exp remove e1.5 old; refs; t exp remove -A; t exp remove -A; refs
    "
    beside "t exp remove --rev HEAD~1; t exp remove --rev HEAD~1; t exp remove --keep e2 --queue; dvc exp remove --keep e2 >/dev/null; refs"
    beside "git push -q origin refs/exps/*/*/*:refs/exps/*/*/* 2>/dev/null
        git for-each-ref --format=%\(refname\) refs/exps | grep /e | xargs -n1 git push -q origin
        t exp remove -g origin e2; t exp remove -g origin e2; t exp remove -g nosuch e2; t exp remove -g origin --queue; s exp list origin
        dvc exp remove -g origin -A >/dev/null; s exp list origin; refs"
'

test_expect_success "apply" '
    beside "
        t exp apply; t exp apply nosuch; t exp apply e2; cat params.yaml m.json model/w; git status --short; refs
        echo more >>in.txt; echo new >untracked; echo ign >m.txt; git rm -q --cached train.sh; t exp apply e0.75; git status --short
        cat in.txt untracked m.txt model/w; refs refs/exps/exec refs/exps/apply/ORIG_HEAD
        git show --stat --format=%P%n%s refs/exps/apply/stash | sed s/[0-9a-f]\\\\{40\\\\}/X/g
        git show --stat --format= refs/exps/apply/stash^3
        git reset -q --hard; rm untracked; git stash apply -q refs/exps/apply/stash; git status --short
    "
    beside "t exp apply old; git status --short; t exp apply HEAD~2; git status --short; t exp apply --no-force e2; t exp apply -q e1.5; cat m.json; refs"
    beside "mkdir sub; cd sub; t exp apply e2; cat ../model/w"
'

test_expect_success "experiments are revisions" '
    beside "
        t params diff e2; t params diff e2 e1.5 --json; t metrics diff old e2; t diff e2 --json; t exp list --rev e2
        t params diff nosuch; j plots diff e2 --json; j plots diff -e e2 --json; t plots diff -e nosuch --json; t metrics diff --json main e0.75
    "
'

test_expect_success "two of one name" '
    beside "
        git update-ref refs/exps/\$(git rev-parse v1^{} | cut -c-2)/\$(git rev-parse v1^{} | cut -c3-)/e2 \$(git rev-parse refs/exps/*/*/old)
        git for-each-ref --format=%\(objectname\) refs/exps/*/*/old >/dev/null
        t params diff e2; git checkout -q v0; t params diff e2; t exp remove e2; t exp rename e2 x; t exp apply e2
    "
'

test_expect_success "gc keeps what experiments use" '
    beside "
        dvc gc -q -f --rev e2; t exp apply -q e2; cat model/w; dvc gc -q -f -w; t checkout; dvc exp apply e2 && cat model/w
    "
'

test_expect_success "names that are none, refs of others" '
    cp -a base odd && at odd && id=$(git rev-parse HEAD) && mkdir -p .git/refs/exps/zz/deep/er/still &&
        echo $id >.git/refs/exps/zz/deep/er/still/x && echo $id >.git/refs/exps/plain && mkdir -p .git/refs/exps/ab/cd &&
        echo $id >.git/refs/exps/ab/cd/name && nephron exp list --name-only >list && printf "e0.75\ne1.5\ne2\n" >expect && test_cmp expect list &&
        nephron exp show --csv >list && for x in "" "*" "e?" "[e]2" "a b" "../e2" "e2/../e2" "e2~99" "$(printf "a\nb")" "\\e2"; do
            test_expect_code 255 nephron exp apply -- "$x" && test_expect_code 255 nephron exp rename -- e2 "$x" &&
                test_expect_code 255 nephron exp remove -- "$x" || return 1
        done && nephron exp list --name-only >list && test_cmp expect list && git for-each-ref | grep -c "refs/exps/plain\|still/x\|cd/name" >count &&
        echo 3 >expect && test_cmp expect count
'

test_done
