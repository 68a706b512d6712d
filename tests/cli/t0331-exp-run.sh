#!/bin/sh
# `exp run` and `exp save` beside the real DVC: what is printed, exit codes, the workspace, and the commits of experiments.
test_description='exp run and exp save as DVC'
. "${SHARNESS:-/usr/share/sharness/sharness.sh}"
. "$NEPHRON_SOURCE_DIR/tests/cli/peer-lib.sh"

# The form of dates that DVC's git library reads.
GIT_AUTHOR_DATE="1767323045 +0000" GIT_COMMITTER_DATE="1767323045 +0000"

# project: one stage, parameters with comments, data of `add`.
project() {
    fresh && printf '%s\n' '# learning' 'lr: 0.1   # rate' 'epochs: 3' '' 'net:' '  # layers' '  depth: 2' 'last: z' >params.yaml &&
        printf '%s\n' 'grep -v "^#" params.yaml >model' 'cat data >>model' 'echo "{\"acc\": 0.5}" >m.json' \
            'test ! -e stop || exit 3' >train.sh &&
        printf '%s\n' 'stages:' '  train:' '    cmd: sh train.sh' '    deps: [train.sh, data]' '    params: [lr, epochs, net]' \
            '    outs: [model]' '    metrics:' '    - m.json:' '        cache: false' '  last:' '    cmd: cp m.json copy.json' \
            '    deps: [m.json]' '    outs: [copy.json]' >dvc.yaml &&
        echo 1 >data && dvc add -q data && git add -A && git commit -qm base
}

# Experiments by name (the arguments of DVC's own run, which `save` leaves in .dvc/tmp, apart): the message, what changed against the baseline, the parameters.
experiments() {
    git for-each-ref --format='%(refname)' 'refs/exps/??/**' | sort | while read -r ref; do
        echo "= ${ref##*/}" && test "$(git rev-parse "$ref^")" = "$(git rev-parse HEAD)" && git log -1 --format=%B "$ref" &&
            git diff --name-status HEAD "$ref" -- . ":!.dvc/tmp" && git show "$ref:params.yaml" | sed 's/^/  | /' && git show "$ref:dvc.lock" | md5sum
    done
}

# tt ARG…: as t, with nephron's name for the command in hints. In an order of their own: DVC's warnings about outputs, and names of files
# that git does not know.
tt() {
    t "$@" | sed -e 's/\tnephron exp/\tdvc exp/' -e 's#/\.dvc/tmp/exps/[^ ]*/\(model\|copy.json\)#/COPY/\1#' >"$here/.tt" &&
        grep -v "No file hash info" "$here/.tt" |
        awk '/err \t.*, / { n = split(substr($0, 8), a, ", "); for (i = 1; i < n; i++) for (j = i + 1; j <= n; j++) if (a[i] > a[j]) { x = a[i]; a[i] = a[j]; a[j] = x }
            line = a[1]; for (i = 2; i <= n; i++) line = line ", " a[i]; print "  err \t" line; next } { print }' &&
        { grep "No file hash info" "$here/.tt" | sort; true; }
}

test_expect_success "an experiment in the workspace" '
    both "project && echo other >untracked && tt exp run -n e1 -S lr=0.2 && experiments && cat params.yaml && git status --short &&
        git branch && tt exp run -n e2 -S net.depth=5 -S +net.width=7 train && experiments && cat params.yaml"
'

test_expect_success "nothing changed, a name that is taken, -f, a message" '
    both "tt exp run -n again && tt exp run -n again && tt exp run -n again -S lr=9 && cat params.yaml && tt exp run -f -n again -S lr=9 &&
        tt exp run -n said -m \"a message\" && experiments && git status --short"
'

test_expect_success "what is refused leaves everything as it was" '
    both "git stash -q && tt exp run -n a/b && tt exp run -n x..y && tt exp run -S nope=1 && tt exp run -S net.nope=1 && tt exp run -S net.no.pe=1 &&
        tt exp run -S lr=1,2 && tt exp run -S lr=3 nosuch && tt exp run -S ~nope && tt exp run -S ~lr=7 && tt exp run -S +lr=1 &&
        git status --short && git stash pop -q"
'

test_expect_success "a stage that fails" '
    both "touch stop && tt exp run -n bad -S lr=0.7 && head -3 params.yaml && rm stop && experiments && git status --short"
'

test_expect_success "in a copy" '
    both "project && echo other >untracked && tt exp run --temp -n t1 -S lr=0.3 && experiments && git status --short && cat params.yaml &&
        tt exp run --temp -n t2 -S lr=0.4 -C untracked && experiments && git status --short && git worktree list | wc -l"
'

test_expect_success "data that changed since it was added" '
    both "echo 2 >data && tt exp run --temp -n d1 && git status --short && sleep 1.1 && tt exp run -n d2 && experiments && git status --short && cat data.dvc"
'

test_expect_success "staged and deleted files" '
    both "project && echo new >new.txt && git add new.txt && git rm -q --cached .dvcignore && rm .dvcignore && tt exp run -n s1 && experiments &&
        git show \$(git for-each-ref --format=%\(objectname\) \"refs/exps/??/**\"):new.txt"
'

test_expect_success "the index and HEAD stay as they were" '
    at ours && git status --porcelain >before && git ls-files -s >before-index && git rev-parse HEAD >before-head &&
        nephron exp run -n untouched -S lr=0.11 >/dev/null && nephron exp run --temp -n untouched2 -S lr=0.12 >/dev/null &&
        git checkout -q params.yaml && git ls-files -s >after-index && test_cmp before-index after-index &&
        test "$(cat before-head)" = "$(git rev-parse HEAD)" && test "$(git symbolic-ref HEAD)" = refs/heads/main &&
        rm before* after-index
'

test_expect_success "save" '
    both "project && tt repro -q && echo other >untracked && echo ig >ignored.txt && echo /ignored.txt >>.git/info/exclude &&
        tt exp save -n s1 && experiments && tt exp save -n s1 && tt exp save -f -n s1 -m text && tt exp save -n s2 -I ignored.txt && experiments &&
        echo 7 >data && tt exp save -n s3 data.dvc && experiments && cat data.dvc && tt exp save -n a/b && git status --short"
'

test_expect_success "the real DVC lists, shows and applies what nephron made" '
    at ours && project >/dev/null && nephron exp run -n e1 -S lr=0.2 >/dev/null && nephron exp run --temp -n e2 -S lr=0.4 >/dev/null &&
        nephron exp save -n e3 >/dev/null && turn=theirs && dvc exp list --name-only | sort >../listed && printf "%s\n" e1 e2 e3 >../expect &&
        test_cmp ../expect ../listed && dvc exp show --csv >../shown && grep -q "^e2,.*,0.5,0.4," ../shown && git checkout -q . &&
        dvc exp apply e2 && grep -q "lr: 0.4" params.yaml && grep -q "lr: 0.4" model && dvc status | grep -q "up to date"
'

test_expect_success "edge cases of repositories" '
    here=$SHARNESS_TRASH_DIRECTORY && mkdir -p "$here/empty" && (cd "$here/empty" && git init -q -b main . && turn=ours &&
        nephron init -q && t exp run && rm -rf .git && t exp run -n x) >"$here/log" &&
        grep -q "Empty Git repo. Add a commit to use experiments." "$here/log" && test "$(grep -c "exit 255" "$here/log")" = 2
'

test_done
