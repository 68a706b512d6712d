#!/bin/sh

test_description="init, root, add, checkout, commit"

. /usr/share/sharness/sharness.sh
. "$NEPHRON_SOURCE_DIR/tests/cli/dispatch-lib.sh"

test -n "$dvc" && test_set_prereq DVC

test_expect_success "init needs git in the same folder, and is not done twice" '
    at . && mkdir bare && (cd bare && test_expect_code 1 nephron init 2>err &&
        grep "is not tracked by any supported SCM tool" err &&
        test_expect_code 255 nephron init --no-scm --subdir && nephron init -q --no-scm &&
        printf "[core]\n    no_scm = True\n" >want && test_cmp want .dvc/config) &&
    new_repo r && cd r && test_expect_code 1 nephron init && nephron init -q -f
'

test_expect_success "outside of a repository every command answers 253" '
    at . && for c in status "add x" checkout commit push pull fetch root; do
        test_expect_code 253 nephron $c || return 1
    done
'

test_expect_success "usage errors answer 254" '
    at r && test_expect_code 254 nephron add && test_expect_code 254 nephron checkout --bogus &&
    test_expect_code 254 nephron push -j x && test_expect_code 254 nephron fetch --type x
'

test_expect_success "add writes the .dvc file and the ignore line" '
    at r && mkdir d && echo 1 >d/1 && echo 2 >d/2 && echo a >a && nephron add -q a d &&
    cat >want <<-\END &&
	outs:
	- md5: 60b725f10c9c85c70d97880dfe8191b3
	  size: 2
	  hash: md5
	  path: a
	END
    test_cmp want a.dvc && printf "/a\n/d\n" >want && test_cmp want .gitignore &&
    test -f .dvc/cache/files/md5/60/b725f10c9c85c70d97880dfe8191b3 &&
    test_expect_code 1 nephron add nosuch && test_expect_code 1 nephron add a -r x &&
    test_expect_code 1 nephron add a.dvc
'

test_expect_success "autostage puts the files into the index of git" '
    at r && nephron config core.autostage true && echo s >s && nephron add -q s &&
    git diff --cached --name-only >got && grep -x s.dvc got && grep -x .gitignore got &&
    nephron config -u core.autostage
'

test_expect_success "checkout names what it did, and keeps unsaved content" '
    at r && rm -rf a d && nephron checkout >got && printf "A       d/\nA       a\n" >want &&
    test_cmp want got && nephron checkout >got && test_must_be_empty got &&
    rm a && nephron checkout --summary >got && echo "1 file added" >want && test_cmp want got &&
    nephron checkout --summary >got && echo "No changes." >want && test_cmp want got &&
    echo unsaved >a && test_expect_code 255 nephron checkout 2>err && grep "unsaved files" err &&
    grep -x unsaved a && nephron checkout -f a && grep -x a a &&
    test_expect_code 255 nephron checkout nosuch 2>err && grep "Did you mean .git checkout nosuch" err
'

test_expect_success "a missing object: the others are restored, exit 255" '
    at r && rm -rf a d s && rm -f .dvc/cache/files/md5/60/b725f10c9c85c70d97880dfe8191b3 &&
    test_expect_code 255 nephron checkout >got && test -f d/1 && test -f s &&
    ! test -e a && nephron checkout --allow-missing && echo a >a && nephron commit a.dvc
'

test_expect_success "commit asks for force when something differs" '
    at r && echo b >a && test_expect_code 1 nephron commit 2>err &&
    grep "unable to commit changed stage: .a.dvc." err && nephron commit -f a &&
    grep 3b5d5c3712955042212316173ccf37be a.dvc &&
    test_expect_code 1 nephron commit nosuch 2>err && grep "failed to commit nosuch - " err
'

test_expect_success "root is relative to the current folder" '
    at r && mkdir -p sub/deep && cd sub/deep && nephron root >got && echo ../.. >want && test_cmp want got
'

test_expect_success DVC "files are those of the real dvc" '
    at . && for p in nephron "$dvc"; do
        rm -rf x && mkdir x && (cd x && git init -q && $p init -q && mkdir -p d/e && echo 1 >d/e/1 &&
            echo "#" >"#x" && echo i >i && chmod +x i && $p add -q d "#x" i && rm -rf d &&
            $p checkout >out) && rm -rf "keep-${p##*/}" && mv x "keep-${p##*/}" || return 1
    done &&
    for f in out d.dvc "#x.dvc" i.dvc .gitignore .dvcignore .dvc/config .dvc/.gitignore; do
        test_cmp "keep-dvc/$f" "keep-nephron/$f" || return 1
    done
'

test_done
