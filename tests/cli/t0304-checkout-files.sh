#!/bin/sh

test_description="checkout: what is restored, refused and reported is DVC's"

. /usr/share/sharness/sharness.sh
. "$NEPHRON_SOURCE_DIR/tests/cli/store-lib.sh"

# DVC writes a tab as blanks up to the next stop when it does not write to a terminal.
lines() {
    sed "s#$SHARNESS_TRASH_DIRECTORY/[a-z]*s/#ROOT/#; s/^\([AMD]\)[ 	]*/\1 /"
}

# both STEP…: run in each repository; outputs and trees must agree
both() {
    (at theirs && checkout() { "$dvc" checkout "$@"; } && eval "$1") 2>&1 | lines >theirs.out
    (at ours && checkout() { "$tool" checkout "$@"; } && eval "$1") 2>&1 | lines >ours.out
    at . && test_cmp theirs.out ours.out && same_repos theirs ours
}

test_expect_success 'setup' '
    for d in theirs ours; do
        new_repo $d && (cd $d && mkdir -p dd/e && echo 1 >dd/1 && echo 2 >dd/e/2 && echo s >s.txt && printf x >x.sh &&
        chmod +x x.sh && "$dvc" add -q dd s.txt x.sh) || return 1
    done
'

step() {
    test_expect_success "$1" 'both "$step"'
}
for step in 'rm -r dd s.txt x.sh; checkout' 'checkout' 'rm dd/1; checkout' 'echo changed >s.txt; checkout' 'checkout -f' \
    'echo mine >dd/mine; checkout' 'checkout -f dd.dvc' 'chmod a-x x.sh; checkout' 'rm -r dd; echo file >dd; checkout -f' \
    'rm s.txt; mkdir s.txt; checkout' 'rm -r dd/e; echo 2 >dd/e; checkout -f' \
    'rm -r .dvc/cache/files/md5/*; checkout' 'rm -r dd; checkout' 'echo zz >s.txt; checkout'; do
    step "$step"
done

test_done
