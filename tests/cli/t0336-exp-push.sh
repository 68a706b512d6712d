#!/bin/sh
test_description="exp push and exp pull beside the real DVC"
. "${SHARNESS:-/usr/share/sharness/sharness.sh}"
. "$NEPHRON_SOURCE_DIR/tests/cli/peer-lib.sh"
. "$NEPHRON_SOURCE_DIR/tests/cli/exps-lib.sh"

test_expect_success "a repository with experiments" make_base

# there: what the other repository and the store have
there() {
    git -C remote.git for-each-ref && (cd "$store" 2>/dev/null && find . -type f | sort)
}

# gone: forgets an experiment and what the cache has
gone() {
    for x in "$@"; do
        git for-each-ref --format="delete %(refname)" "refs/exps/*/*/$x" | git update-ref --stdin
    done
}

test_expect_success "push" '
    beside "
        t exp push; t exp push nosuch e2 | grep exit; t exp push origin none; t exp push origin e2; there
        t exp push origin e2; t exp push --no-cache origin e1.5; t exp push --rev v1 origin; s exp list -A origin; t exp push --rev v0 origin; there
        t exp push -q origin e0.75; there; t exp push remote.git e2; dvc exp push -A origin nosuch | grep -c nosuch; dvc exp push -q -A origin e2; there; t exp push -r none origin e2
    "
'

test_expect_success "pull" '
    beside "
        dvc exp push -q origin e2 e1.5; dvc exp push -q --rev v1 origin; t exp pull; t exp pull nosuch; t exp pull origin none; gone e2 e1.5 old
        rm -rf .dvc/cache; t exp pull origin e2; refs; find .dvc/cache -type f | sort; t exp pull origin e2; t exp pull --no-cache origin e1.5
        t exp pull --rev v1 origin; dvc exp pull -q --rev v0 origin 2>/dev/null; refs; find .dvc/cache -type f | sort; gone e2; t exp pull -q -A origin; refs
    "
'

test_expect_success "another experiment of the name" '
    beside "
        dvc exp push -q origin e2; git update-ref \$(git for-each-ref --format=%\(refname\) refs/exps/*/*/e2) e0.75
        git update-ref \$(git for-each-ref --format=%\(refname\) refs/exps/*/*/e2) \$(git rev-parse \$(git for-each-ref --format=%\(refname\) refs/exps/*/*/e0.75))
        t exp push origin e2; t exp pull origin e2; there; refs; dvc exp pull -f origin e2 >/dev/null; refs
        git update-ref \$(git for-each-ref --format=%\(refname\) refs/exps/*/*/e2) \$(git rev-parse \$(git for-each-ref --format=%\(refname\) refs/exps/*/*/e0.75))
        t exp push -f origin e2; there
    "
'

test_done
