#!/bin/sh

test_description="add: .dvc files, cache, links and modes are DVC's"

. /usr/share/sharness/sharness.sh
. "$NEPHRON_SOURCE_DIR/tests/cli/store-lib.sh"

write_data() {
    mkdir -p dd/e && echo 1 >dd/1 && echo 2 >dd/e/2 && : >dd/empty && echo s >s.txt && printf x >x.sh &&
    chmod 755 x.sh && chmod 600 s.txt && ln -s ../s.txt dd/lnk && ln -s e dd/dirlnk
}

for type in "" copy hardlink symlink hardlink,copy symlink,copy; do
    test_expect_success "cache.type '$type'" '
        new_repo theirs "'$type'" && new_repo ours "'$type'" &&
        (cd theirs && write_data && "$dvc" add -q dd s.txt x.sh) &&
        (cd ours && write_data && "$tool" add dd s.txt x.sh) && same_repos theirs ours
    '
done

each() {
    (at theirs && add() { "$dvc" add -q "$@"; } && eval "$1") &&
    (at ours && add() { "$tool" add "$@"; } && eval "$1") && same_repos theirs ours
}

test_expect_success 'a file that people edited keeps their words' '
    new_repo theirs && new_repo ours && each "write_data && add dd" &&
    each "sed -i \"1i # comment\" dd.dvc && printf \"  desc: hello # why\nmeta:\n  a: 1\n\" >>dd.dvc && echo 3 >dd/3 && add dd"
'

test_expect_success 'a file added, changed and removed inside of a tracked folder' '
    each "echo 4 >dd/4 && add dd/4" && each "echo 5 >dd/4 && add dd/4" && each "rm dd/4 && add dd/4" &&
    each "mkdir dd/new && echo 6 >dd/new/6 && add dd/new" && each "add dd"
'

test_expect_success 'the same refusals' '
    at . && for d in theirs ours; do (cd $d && echo t >tracked.txt && git add tracked.txt && mkdir q real && echo 1 >q/f &&
    echo 1 >real/x && ln -s real lnk && echo root.txt >.dvcignore && echo 1 >root.txt) || return 1; done &&
    (cd theirs && "$dvc" add -q q/f) && (cd ours && "$tool" add q/f) &&
    for t in nosuch tracked.txt /etc/hostname dd/nope dd.dvc q lnk/x root.txt; do
        (cd theirs && test_expect_code 1 "$dvc" add "$t" 2>../theirs.err) &&
        (cd ours && test_expect_code 1 "$tool" add "$t" 2>../ours.err) &&
        sed -i "s#$PWD/[a-z]*s/#ROOT/#g" theirs.err ours.err && test_cmp theirs.err ours.err || return 1
    done && same_repos theirs ours
'

test_done
