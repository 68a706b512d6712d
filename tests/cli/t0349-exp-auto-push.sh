#!/bin/sh
test_description="exp.auto_push beside the real DVC"
. "${SHARNESS:-/usr/share/sharness/sharness.sh}"
. "$NEPHRON_SOURCE_DIR/tests/cli/peer-lib.sh"
. "$NEPHRON_SOURCE_DIR/tests/cli/exps-lib.sh"

test_expect_success "a repository with experiments" make_base

# there: the experiments of the other repository, and what is in the store
there() {
    git -C "${1:-remote.git}" for-each-ref --format="%(refname:lstrip=4)" refs/exps && (cd "$store" 2>/dev/null && find . -type f | sed "s#/runs/.*#/runs#" | sort -u)
}

# p ARG...: what is said of the push, and the exit code
p() {
    t "$@" | grep -e "^\\$" -e "Pushing" -e "remote" -e "git" -e "exit" | sed -e "s#remote.git-$turn#remote.git-X#" -e "s# in .*/exps/standalone/[^.]*\.# in ROOT.#"
}

test_expect_success "exp run and exp save push what they made: commit, data, history of runs" '
    beside "p exp run -n off -S lr=3; there; dvc config exp.auto_push true; p exp run -n on -S lr=4; there; p exp save -n saved; there; p exp save -q -n quiet; p exp run -q -n qrun -S lr=5; there
        git status --short | grep -v dvc/config"
'

test_expect_success "a copy pushes too; a dry run and a failure do not" '
    beside "git init -q --bare ../remote.git-\$turn; git remote set-url origin \"\$PWD/../remote.git-\$turn\"; dvc config exp.auto_push true; p exp run --temp -n t1 -S lr=6; there ../remote.git-\$turn
        p exp run --dry -n t2 -S lr=7; echo exit 3 >train.sh; p exp run -n bad -S lr=8; git checkout -q train.sh; there ../remote.git-\$turn; rm -rf ../remote.git-\$turn"
'

test_expect_success "the environment wins over the settings" '
    beside "for v in 1 y YES True anyway; do DVC_EXP_AUTO_PUSH=\$v p exp run -q -n v\$v -S lr=\$((n = n + 1)) ; there; done; dvc config exp.auto_push true
        for v in 0 no false \"\"; do DVC_EXP_AUTO_PUSH=\$v p exp run -n w\$v -S lr=\$((n = n + 10)); done; there; DVC_EXP_GIT_REMOTE=nosuch p exp run -n x1 -S lr=71
        dvc config exp.git_remote nosuch; p exp run -n x2 -S lr=72; git init -q --bare other.git; dvc config exp.git_remote other.git; p exp run -n x3 -S lr=73; there other.git
        DVC_EXP_GIT_REMOTE=origin p exp run -n x4 -S lr=74; there; rm -rf other.git"
'

test_expect_success "no repository of git, no remote: a warning, and the experiment is there" '
    beside "dvc config exp.auto_push true; git remote remove origin; p exp run -n a -S lr=3; p exp save -n b; git remote add origin nosuch.git; p exp run -n c -S lr=4
        git remote set-url origin remote.git; dvc remote default --unset; p exp run -n d -S lr=5; dvc remote remove store; p exp run -n e -S lr=6; refs | wc -l; there; rm -f .dvc/config.local"
'

test_expect_success "this repository itself: the data alone" '
    beside "dvc config exp.auto_push true; dvc config exp.git_remote \"\$PWD\"; p exp run -n a -S lr=3; there; git checkout -q .dvc/config"
'

test_expect_success "another experiment of the name is left alone there" '
    beside "dvc config exp.auto_push true; p exp run -n a -S lr=3; p exp run -f -n a -S lr=4; there; git -C remote.git log --format=%s -1 \$(git -C remote.git for-each-ref --format=%\(refname\) refs/exps) |
        cut -c1-22; git -C remote.git show \$(git -C remote.git for-each-ref --format=%\(refname\) refs/exps):params.yaml"
'

test_expect_success "a push that fails is a warning" '
    beside "dvc config exp.auto_push true; rm -rf \"\$store\"; echo >\"\$store\"; p exp run -n a -S lr=3 | sed \"s/: failed to push cache.*//\"; rm \"\$store\"; refs | wc -l; git -C remote.git for-each-ref --format=%\(refname:lstrip=4\)"
'

test_expect_success "the queue: each is pushed once it is an experiment" '
    rm -rf q && cp -a base q && at q && rm -rf "$store" && turn=ours && dvc config exp.auto_push true && dvc exp run -q --queue -n q1 -S lr=3 && dvc exp run -q --queue -n q2 -S lr=4 &&
    { there >before; true; } && dvc exp run --run-all >out && there >after && ! grep q1 before && grep q1 after && grep q2 after && grep files/md5 after && test $(grep -c "Pushing experiment" out) = 2
'

test_done
