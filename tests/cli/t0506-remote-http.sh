#!/bin/sh

test_description="remotes on a web server: push, pull, what goes wrong on the way, credentials"

. "$NEPHRON_SOURCE_DIR/tests/cli/xfer-lib.sh"
need_python
. /usr/share/sharness/sharness.sh
. "$NEPHRON_SOURCE_DIR/tests/cli/remote-lib.sh"

test_expect_success "a server" start_store

test_expect_success "push, fetch, pull, status -c" '
    new_repo r && nephron remote add -d h "$store/base/dir/" && nephron push >got && echo "5 files pushed" >want && test_cmp want got &&
    nephron push >got && echo "Everything is up to date." >want && test_cmp want got && nephron status -c &&
    lose && nephron pull >got && grep "5 files fetched" got && test "$(cat "d/a b")" = "3 3" && test "$(cat f)" = top &&
    grep -q "POST /base/dir/files/md5/" "$top/log.txt"
'

test_expect_success "the .dir goes last, and not at all when a member failed" '
    new_repo r2 && nephron remote add -d h "$store/two" && faults "POST /two/files/md5/26/ 403 1" && test_expect_code 1 nephron push 2>err &&
    grep "failed to transfer .26ab0db90d72e28ad0ba1e22ee510510. - .*HTTP status 403" err && grep "2 files failed to upload" err &&
    ! grep "POST .*\.dir" "$top/log.txt" && faults && nephron push >got && echo "2 files pushed" >want && test_cmp want got &&
    grep POST "$top/log.txt" | tail -1 | grep "\.dir "
'

test_expect_success "trouble that passes is waited out" '
    at r && lose && faults "GET . 503 2" "GET . 429,1 1" "GET . reset 1" "HEAD . 500 1" && nephron pull && test "$(cat f)" = top &&
    test -z "$(find .dvc/cache -name "*.tmp")"
'

test_expect_success "trouble that stays ends after five tries and names the object" '
    at r && lose && faults "GET /base 503 999" && test_expect_code 1 nephron fetch f 2>err &&
    grep "failed to transfer .*HTTP status 503 .*(5 tries)" err && grep "1 files failed to download" err &&
    test "$(grep -c "^GET" "$top/log.txt")" = 5 && test -z "$(find .dvc/cache -type f)"
'

test_expect_success "a download that broke goes on where it stopped" '
    new_repo big && head -c 3000000 /dev/urandom >b && nephron add -q b && nephron remote add -d h "$store/big" && nephron push && mv b was &&
    rm -rf .dvc/cache && faults "GET . cut 3" && nephron pull b && cmp b was && grep -c "range=bytes=1500000-" "$top/log.txt" >n &&
    test "$(cat n)" = 1 && test "$(grep -c "^GET" "$top/log.txt")" = 4
'

test_expect_success "a file that changed meanwhile is fetched from the beginning" '
    at big && rm -rf .dvc/cache b && faults "GET . change 1" && nephron pull b && cmp b was
'

test_expect_success "what comes is verified: other content is no object" '
    at big && rm -rf .dvc/cache b && faults "GET . wrong 9" && test_expect_code 1 nephron pull b 2>err &&
    grep "failed to transfer" err && ! test -e b && test -z "$(find .dvc/cache -type f)"
'

test_expect_success "a server that answers too slowly is given up" '
    at r && lose && nephron remote modify h read_timeout 1 && faults "GET . slow 9" && test_expect_code 1 nephron fetch f 2>err &&
    grep "failed to transfer" err && nephron remote modify -u h read_timeout && faults
'

test_expect_success "basic and custom credentials, also from the URL; in no message" '
    at r && nephron remote modify --local h auth basic && test_expect_code 1 nephron status -c 2>err && grep "require both .user. and .password." err &&
    nephron remote modify --local h user me && nephron remote modify --local h password s3cret && faults "HEAD . 403 99" &&
    test_expect_code 1 nephron push 2>err && ! grep s3cret err && faults && nephron status -c &&
    grep "auth=Basic $(printf me:s3cret | base64)" "$top/log.txt" && nephron remote modify --local h auth custom &&
    nephron remote modify --local h custom_auth_header X-Token && faults && nephron status -c && grep "x-token=s3cret" "$top/log.txt" &&
    nephron remote add u "$(echo "$store" | sed "s#//#//you:pa%20ss@#")/base/dir" && faults "HEAD . 403 99" && test_expect_code 1 nephron push -r u 2>err &&
    ! grep "pa.*ss@" err && grep "auth=Basic $(printf "you:pa ss" | base64)" "$top/log.txt"
'

test_expect_success "digest: push, status, pull, a big file; a wrong password; it does not follow to another host" '
    faults && new_repo dig && nephron remote add -d h "$store/digest/dir" && test_expect_code 1 nephron push 2>err && grep 401 err && nephron remote modify --local h auth digest && test_expect_code 1 nephron push 2>err && grep "require both .user. and .password." err &&
    nephron remote modify --local h user me && nephron remote modify --local h password wr0ng && faults && test_expect_code 1 nephron push 2>err && grep 401 err && ! grep wr0ng err && nephron remote modify --local h password "s3cret: x" &&
    faults && nephron push >got && echo "5 files pushed" >want && test_cmp want got && nephron status -c -q && grep "auth=Digest username=.me." "$top/log.txt" && ! grep "auth=Basic" "$top/log.txt" && ! grep s3cret "$top/log.txt" &&
    head -c 5000000 /dev/urandom >big && nephron add -q big && nephron push -q && mv big big2 && lose && nephron pull -q && cmp big big2 && test "$(cat "d/a b")" = "3 3" && lose && rm -rf big .dvc/cache && nephron pull -q && rm big2 &&
    faults "GET digest/dir cut 2" && lose && nephron pull -q -j 1 && faults && lose && other=$(echo "$store" | sed s/127.0.0.1/localhost/) && faults "GET digest/dir to,$other/open 1" && test_expect_code 1 nephron pull -j 1 2>err && ! grep "/open auth=Digest" "$top/log.txt" && faults
'

test_expect_success "a redirect is followed, without the credentials when it leads to another host" '
    at r && lose && other=$(echo "$store" | sed s/127.0.0.1/localhost/) && faults "HEAD base/dir to,$other/base/dir/files/md5/no 1" "GET base/dir to,$other/x 1" &&
    echo gone >g && nephron add -q g && nephron status -c g.dvc && sed -n 1p "$top/log.txt" | grep x-token=s3cret &&
    grep "/md5/no .*x-token=None" "$top/log.txt" && faults
'

test_expect_success "no list: no run cache, and gc -c is refused" '
    at r && nephron push --run-cache && test_expect_code 255 nephron gc -w -c -f 2>err && grep "cannot list or delete" err
'

test_expect_success "a server that is not there" '
    at r && nephron remote add away http://127.0.0.1:9/x && test_expect_code 1 nephron push -r away 2>err && grep "failed to push data to the cloud" err
'

test_done
