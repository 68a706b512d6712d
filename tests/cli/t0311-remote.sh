#!/bin/sh

test_description="config, remote, cache dir, push, fetch, pull"

. /usr/share/sharness/sharness.sh
. "$NEPHRON_SOURCE_DIR/tests/cli/dispatch-lib.sh"

test -n "$dvc" && test_set_prereq DVC

test_expect_success "remotes are kept relative to the settings" '
    at . && mkdir store && new_repo r && cd r && nephron remote add -d st ../store >got &&
    echo "Setting '\''st'\'' as a default remote." >want && test_cmp want got &&
    cat >want <<-\END &&
	[core]
	    remote = st
	['\''remote "st"'\'']
	    url = ../../store
	END
    test_cmp want .dvc/config && nephron remote default >got && echo st >want && test_cmp want got
'

test_expect_success "wrong settings answer 251 and change nothing" '
    at r && cp .dvc/config want && for c in "remote add st x" "remote modify st bogus 1" \
        "remote remove nosuch" "remote rename nosuch x" "config core.nosuch 1" \
        "config cache.type bogus" "config -u core.autostage"; do
        test_expect_code 251 nephron $c || return 1
    done && test_cmp want .dvc/config && test_expect_code 1 nephron config &&
    test_expect_code 1 nephron config -l x.y && test_expect_code 254 nephron remote bogus &&
    test_expect_code 254 nephron config --local --global a.b
'

test_expect_success "settings that are wrong can be repaired" '
    at r && cp .dvc/config good && printf "[core]\n    nosuch = 1\n" >.dvc/config &&
    test_expect_code 251 nephron status && nephron config -u core.nosuch && nephron status &&
    cp good .dvc/config
'

test_expect_success "push, fetch, pull count what they moved" '
    at r && mkdir d && echo 1 >d/1 && echo 2 >d/2 && echo a >a && nephron add -q a d &&
    nephron push >got && echo "4 files pushed" >want && test_cmp want got &&
    nephron push >got && echo "Everything is up to date." >want && test_cmp want got &&
    rm -rf .dvc/cache && nephron fetch >got && echo "4 files fetched" >want && test_cmp want got &&
    rm -rf .dvc/cache a d && nephron pull >got &&
    printf "A       d/\nA       a\n4 files fetched and 3 files added\n" >want && test_cmp want got &&
    test "$(cat d/2)" = 2
'

test_expect_success "a part of a folder" '
    at r && rm -rf .dvc/cache d && nephron pull d/1 && test -e d/1 && ! test -e d/2 && nephron pull
'

test_expect_success "an unknown remote or target answers 1, also without a default" '
    at r && test_expect_code 1 nephron push -r nosuch 2>err &&
    grep "failed to push data to the cloud - .*remote .nosuch. doesn.t exist" err &&
    test_expect_code 1 nephron pull nosuch && test_expect_code 1 nephron status -c -r nosuch &&
    nephron remote default -u && test_expect_code 1 nephron fetch 2>err && grep "no remote specified" err &&
    nephron remote default st
'

test_expect_success "an output with its own remote goes there" '
    at r && mkdir ../other && nephron remote add own ../other && echo o >o && nephron add -q o &&
    echo "  remote: own" >>o.dvc && nephron push && test -d ../other/files/md5 &&
    test "$(find ../other -type f | wc -l)" = 1 && rm -rf .dvc/cache o && nephron pull -q && test -e o
'

test_expect_success "objects that are nowhere: fetch goes on, pull answers 1 after the rest" '
    at r && rm -rf .dvc/cache a d && rm -f ../store/files/md5/60/b725* && nephron fetch 2>err &&
    grep "^md5: 60b725f10c9c85c70d97880dfe8191b3" err && test_expect_code 1 nephron pull &&
    test -e d/1 && ! test -e a && nephron pull --allow-missing
'

test_expect_success DVC "the real dvc pulls what we pushed" '
    at r && echo a >a && nephron add -q a && nephron push -q && rm -rf .dvc/cache a d o &&
    "$dvc" pull -q && nephron status >got && grep "up to date" got && test -e d/2
'

test_done
