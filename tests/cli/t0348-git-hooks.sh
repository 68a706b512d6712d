#!/bin/sh

test_description="git calls nephron where it calls DVC: commits, checkouts, pushes, rebases, merges"

. /usr/share/sharness/sharness.sh
. "$NEPHRON_SOURCE_DIR/tests/cli/peer-lib.sh"

# hooks call the two by name
PATH=$(dirname "$dvc"):$PATH
export PATH

# g ARG...: a command of git, what it and its hooks say, and its exit code
g() {
    echo "\$ git $*" && git "$@" >"$here/.git-out" 2>&1 </dev/null
    code=$?
    grep -v -e "^To " -e "^remote:" "$here/.git-out" | sed "s/^/  /"
    echo "  exit $code"
}

# data NAME=TEXT...: the folder d holds these files
data() {
    rm -rf d && mkdir d && for x in "$@"; do
        mkdir -p "$(dirname "d/${x%%=*}")" && printf %s "${x#*=}" >"d/${x%%=*}" || return 1
    done && dvc add -q d && git add -A
}

# branches OURS THEIRS: two branches that gave the folder these files; `git commit -n`: no hook
branches() {
    printf "*.dvc merge=dvc\n" >.gitattributes && data a=1 b=2 s/x=3 && git commit -qnm base && git branch -f other && data $1 && git commit -qnm ours &&
        git checkout -q other && dvc checkout -q && data $2 && git commit -qnm theirs && git checkout -q main && dvc checkout -q
}

test_expect_success "install: hooks and the merge driver; once more: a refusal, the driver is set all the same" '
    both "fresh && t install && ls .git/hooks | grep -v sample; stat -c %A .git/hooks/pre-push | cut -c1-10 | grep -o rwx | head -1; cat .git/hooks/* | grep -c \"git-hook p\"
        git config merge.dvc.name; git config merge.dvc.driver | grep -o \"git-hook merge-driver --ancestor %O --our %A --their %B\"
        git config --remove-section merge.dvc; t install; git config merge.dvc.name; ls -A . | grep -v tmp; git status --short"
'

test_expect_success "the pre-commit tool: three hooks in its file, once, and no other" '
    both "fresh && printf \"repos:\n- repo: https://example.org/x  # keep\n  rev: v1\n  hooks: []\n\" >.pre-commit-config.yaml && t install --use-pre-commit-tool &&
        t install --use-pre-commit-tool; ls .git/hooks | grep -v sample; git config merge.dvc.name
        grep -c -e \"id: .*pre-commit\" -e \"id: .*pre-push\" -e \"id: .*post-checkout\" .pre-commit-config.yaml; head -2 .pre-commit-config.yaml; grep -A1 stages: .pre-commit-config.yaml
        rm .pre-commit-config.yaml && mkdir sub && cd sub && t install --use-pre-commit-tool && ls -A .. && rm -r ../.pre-commit-config.yaml ../sub"
'

test_expect_success "without git: nothing" '
    both "find . -mindepth 1 -delete; dvc init -q --no-scm && t install && t install --use-pre-commit-tool && ls -A"
'

# With hooks. The status line of git names the commit, which is the same on both sides.
start="fresh && dvc remote add -q -d st ../st-\$turn && rm -rf ../st ../st-\$turn ../bare-\$turn && mkdir ../st-\$turn && git init -q --bare ../bare-\$turn && git remote add origin ../bare-\$turn &&
    sed -i s/st-\$turn/st/ .dvc/config && ln -sfn st-\$turn ../st && git add -A && git commit -qm remote && dvc install"

test_expect_success "commit: the status; a broken pipeline stops it" '
    both "$start && echo 1 >f && dvc add -q f && git add -A && g commit -m one && echo 2 >f && g commit --allow-empty -m two &&
        echo \"stages: [\" >dvc.yaml && git add -A && git commit -qm three >out 2>&1; echo \"exit \$?\"; git log --format=%s; rm dvc.yaml out; g commit --no-verify --allow-empty -m four;
        t git-hook pre-commit; t git-hook pre-commit a b; t git-hook pre-commit --bad; t git-hook pre-commit -q"
'

test_expect_success "checkout of a branch brings its data, that of a file does not" '
    both "$start && data a=1 && git commit -qnm one && git checkout -q -b other && data a=2 b=2 && git commit -qnm two && g checkout main && cat d/* && g checkout other && cat d/a d/b &&
        git checkout -q main && g checkout other -- d.dvc && cat d/a && git checkout -q -f main && g switch --detach other && ls d && g checkout -b third && g checkout - &&
        t git-hook post-checkout a b 0; t git-hook post-checkout a b 1; t git-hook post-checkout; rm -rf d; t git-hook post-checkout a b;
        PRE_COMMIT_CHECKOUT_TYPE=0 t git-hook post-checkout a b 1; PRE_COMMIT_CHECKOUT_TYPE=1 t git-hook post-checkout; rm -rf .dvc/cache d; g checkout main; g checkout -f main"
'

test_expect_success "push: data goes first, and what cannot go stops it" '
    both "$start && data a=1 b=2 && git commit -qnm one && g push -q origin main && find ../st/ -type f | wc -l && git ls-remote origin | wc -l && g push origin main &&
        data a=1 b=3 && git commit -qnm two && rm -rf .dvc/cache/files && git push -q origin main >out 2>&1; echo \"exit \$?\"; git ls-remote -q origin main | cut -c1-8; rm out
        t git-hook pre-push origin url"
'

test_expect_success "amid a rebase the checkout hook does nothing" '
    both "$start && data a=1 && git commit -qnm base && git checkout -q -b topic && echo t >t && git add t && git commit -qnm t1 && echo t >>t && git commit -qnam t2 &&
        git checkout -q main && data a=2 && git commit -qnm moved && git checkout -q topic && cat d/a && g rebase -q main && cat d/a; dvc checkout -q && cat d/a
        git checkout -q -b hand HEAD~1 && echo other >t && git commit -qnam clash && g rebase -q topic; cat d/a; git rebase --abort >out 2>&1; rm out; cat d/a; git log --format=%s"
'

test_expect_success "a repository below git's root: the hooks, which git runs at its root, do nothing" '
    both "find . -mindepth 1 -delete; git init -q -b main . && mkdir sub && cd sub && dvc init -q --subdir && t install && ls ../.git/hooks | grep -v sample; data a=1 && git add -A &&
        g commit -m one && git checkout -q -b other && data a=2 && g commit -m two && g checkout main && cat d/a"
'

test_expect_success "merge: folders are merged, and git sees a clean merge" '
    both "$start && branches \"a=1 b=2 n=1\" \"a=5 b=2 s/x=3 m=2\" && g merge -m merged other && dvc checkout -q && ls d && cat d.dvc && git status --short && g log --format=%s%d &&
        git checkout -q -f -B main main~1 && dvc checkout -q && g cherry-pick other && dvc checkout -q && cat d.dvc && t status && git checkout -q -f -B main main~1 && g rebase other && cat d.dvc" && grep "Merge made" .ours/normal && grep "Successfully rebased" .ours/normal
'

test_expect_success "merge: a conflict is left to the person, with our version" '
    both "$start && branches \"a=x b=2\" \"a=y b=2 s/x=3\" && g merge -m merged other; git status --short; cat d.dvc; cat d/a; git ls-files -u | wc -l; git checkout --theirs d.dvc && cat d.dvc && git merge --abort; git status --short" && grep "Merge conflict" .ours/normal
'

test_expect_success "merge: added on both sides" '
    both "$start && printf \"*.dvc merge=dvc\n\" >.gitattributes && git add -A && git commit -qnm base && git branch other && data a=1 && git commit -qnm ours && git checkout -q other &&
        data b=2 && git commit -qnm theirs && g merge -m merged main; cat d.dvc; git status --short" && grep "Merge made" .ours/normal
'

test_expect_success "merge below git's root: the folders are merged, where DVC keeps ours in silence" '
    for turn in theirs ours; do
        here=$SHARNESS_TRASH_DIRECTORY/.$turn && at $turn && find . -mindepth 1 -delete && git init -q -b main . && mkdir sub && (
            cd sub && dvc init -q --subdir && dvc install && branches "a=1 b=2 s/x=3 n=1" "a=1 b=2 s/x=3 m=2" && git merge -q -m merged other && dvc checkout -q && ls d >../../$turn.ls
        ) || return 1
    done && at . && printf "%s\n" a b m n s >expect && test_cmp expect ours.ls && ! grep -q m theirs.ls
'

test_expect_success "the driver as DVC sets it, outside of a repository: a conflict, nothing is lost" '
    at ours && git config merge.dvc.driver "nephron git-hook merge-driver --ancestor %O --our %A --their %B" && git reset -q --hard HEAD~1 && test_expect_code 1 git merge -q -m merged other >out 2>&1 &&
    git status --short | grep "UU sub/d.dvc"
'

test_expect_success "outside of a repository hooks do nothing; one with broken settings is said" '
    both "find . -mindepth 1 -delete; t git-hook pre-commit; t git-hook post-checkout a b 1; t git-hook pre-push; fresh && echo \"[x\" >.dvc/config && for h in pre-commit pre-push post-checkout; do
        dvc git-hook \$h >out 2>&1; echo \"exit \$?\"; rm out; done"
'

test_done
