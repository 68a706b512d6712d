#!/bin/sh

test_description="install: git calls nephron"

. /usr/share/sharness/sharness.sh
. "$NEPHRON_SOURCE_DIR/tests/cli/dispatch-lib.sh"

test_expect_success "hooks: a checkout of a branch brings its data, a commit prints the status, a push pushes" '
    new_repo r && cd r && nephron remote add -q -d st ../st && echo 1 >f && nephron add -q f && git add -A && git commit -qm 1 && git checkout -qb other &&
    echo 2 >f && nephron add -q f && git commit -qam 2 && nephron install && git checkout -q - && grep -x 1 f && git checkout -q other && grep -x 2 f &&
    echo 3 >f && git commit -q --allow-empty -m 3 >out 2>&1 && grep "changed outs" out && git init -q --bare ../bare && git push -q ../bare other >/dev/null 2>&1 &&
    test $(find ../st -type f | wc -l) = 1
'

test_expect_success "hooks that are there stay as they are" '
    at r && cp .git/hooks/pre-push keep && test_expect_code 1 nephron install 2>err && grep "Hook .post-checkout. already exists" err && test_cmp keep .git/hooks/pre-push
'

test_expect_success "the pre-commit tool gets one entry" '
    at r && printf "repos:\n- repo: https://example.org/x\n  rev: v1\n" >.pre-commit-config.yaml && nephron install --use-pre-commit-tool &&
    nephron install --use-pre-commit-tool && test $(grep -c "entry: nephron git-hook" .pre-commit-config.yaml) = 3 && grep "example.org/x" .pre-commit-config.yaml
'

test_expect_success "outside of a repository hooks do nothing" '
    at . && mkdir plain && cd plain && nephron git-hook pre-commit && nephron git-hook post-checkout a b 1 && test_expect_code 254 nephron git-hook nosuch
'

test_done
