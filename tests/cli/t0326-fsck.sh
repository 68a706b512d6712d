#!/bin/sh

test_description="fsck: names what is wrong with the cache, and repairs it from a remote"

. /usr/share/sharness/sharness.sh
. "$NEPHRON_SOURCE_DIR/tests/cli/dispatch-lib.sh"

object() {
    echo ".dvc/cache/files/md5/$(echo "$1" | cut -c1-2)/$(echo "$1" | cut -c3-)"
}

test_expect_success "setup: a file, a folder, a stage, a remote" '
    new_repo r && cd r && nephron remote add -q -d st ../st && echo a >a && mkdir d && echo 1 >d/1 && echo 2 >d/2 && nephron add -q a d &&
    printf "stages:\n  s:\n    cmd: cat a > o\n    deps: [a]\n    outs: [o]\n" >dvc.yaml && nephron repro -q && nephron push -q && nephron fsck >out &&
    grep "nothing is wrong" out && nephron fsck -q && nephron fsck --json >out && grep "\"ok\": true" out
'

a=60b725f10c9c85c70d97880dfe8191b3 one=b026324c6904b2a9cb4b88d6d61c81d1
test_expect_success "a corrupt, a missing, a writable object, a leftover: each named, exit 1" '
    at r && chmod u+w $(object $a) && echo x >$(object $a) && chmod 444 $(object $a) && rm -f $(object $one) && chmod u+w .dvc/cache/files/md5/26/* &&
    : >.dvc/cache/files/md5/.nephron-$(uname -n)-999999999-1.tmp && test_expect_code 1 nephron fsck >out && grep "^corrupt .*401b30e3b8b5d629635a5c613cdb7919" out &&
    grep "^missing  *d/1  $one" out && grep "^writable" out && grep "^leftover" out && grep "4 problems, 0 repaired" out &&
    test_expect_code 1 nephron fsck --json >out && grep -q "\"used_by\": \"d/1\"" out && test_expect_code 1 nephron fsck -q
'

test_expect_success "repair takes good objects from the remote and keeps the wrong ones aside" '
    at r && nephron fsck --repair >out && grep "4 problems, 4 repaired" out && nephron fsck && ls .dvc/cache/corrupt | grep $a &&
    rm -rf a d && nephron checkout -q && grep -x a a && grep -x 1 d/1
'

test_expect_success "a missing list: its files are looked for too" '
    at r && find .dvc/cache -name "*.dir" -exec rm -f {} + && rm -f $(object $one) && test_expect_code 1 nephron fsck >out && grep "^missing  *d  .*dir" out &&
    nephron fsck --repair && nephron fsck
'

test_expect_success "without a remote what is missing stays missing" '
    at r && rm -f $(object $one) && nephron config -u core.remote && test_expect_code 1 nephron fsck --repair >out && grep "1 problem, 0 repaired" out &&
    test_expect_code 251 nephron fsck --repair -r nosuch && nephron fsck --repair -r st
'

# hostile RELPATH: a list with that name, under its right md5.
hostile() {
    printf "[{\"md5\": \"$one\", \"relpath\": \"$1\"}]" >evil && h=$(md5sum evil | cut -c1-32) && mkdir -p .dvc/cache/files/md5/$(echo $h | cut -c1-2) &&
        cp evil $(object $h.dir) && chmod 444 $(object $h.dir) && printf "outs:\n- md5: $h.dir\n  hash: md5\n  path: evil.d\n" >evil.d.dvc
}

test_expect_success "lists that leave their folder are refused by every command that reads them" '
    at r && git add -A && git commit -qm 1 && for p in ../../out /etc/out a/../../out; do
        hostile $p && test_expect_code 1 nephron fsck >out && grep "^malformed" out && test_expect_code 255 nephron gc -w -f && nephron diff >/dev/null &&
        nephron data status --granular >/dev/null && mkdir -p ../els && rm -rf ../els/x && test_expect_code 1 nephron get . evil.d -o ../els/x && ! test -e ../els/x &&
        { nephron import-url evil.d z; test $? != 139; } && ! test -e ../out && ! test -e ../../out && ! test -e /etc/out && rm -f z.dvc || return 1
        rm -f $(object $h.dir) evil.d.dvc
    done
'

test_expect_success "kill -9 of gc leaves no list without its files" '
    at . && new_repo k && cd k && for i in $(seq 40); do mkdir d$i && for j in 1 2 3 4 5; do echo $i.$j >d$i/$j; done; done && nephron add -q d* && git add -A && git commit -qm 1 &&
    rm -rf *.dvc && for ms in 2 4 6 8 12; do
        nephron gc -w -f -q & pid=$!; sleep 0.0$ms; kill -9 $pid; wait $pid
        for list in $(find .dvc/cache -name "*.dir"); do
            for m in $(grep -o "\"md5\": \"[0-9a-f]*" $list | cut -d\" -f4); do test -e $(object $m) || { echo "$list lost $m"; return 1; }; done
        done
    done; nephron fsck
'

test_done
