#!/bin/sh

test_description="remotes in object stores: S3, Google Cloud and Azure, credentials, big files, lists that cannot be believed"

. "$NEPHRON_SOURCE_DIR/tests/cli/xfer-lib.sh"
need_python
. /usr/share/sharness/sharness.sh
. "$NEPHRON_SOURCE_DIR/tests/cli/remote-lib.sh"

test_expect_success "a server" start_store

s3_repo() {
    new_repo "$1" && nephron remote add -d s "s3://$2" && nephron remote modify s endpointurl "$store" &&
        nephron remote modify --local s access_key_id KEY && nephron remote modify --local s secret_access_key s3cret
}

test_expect_success "S3: push, pull, status -c, run cache" '
    s3_repo r "bucket/some where" && nephron push >got && echo "5 files pushed" >want && test_cmp want got && nephron status -c &&
    grep "PUT /bucket/some%20where/files/md5/.*Credential=KEY/[0-9]*/us-east-1/s3/aws4_request,SignedHeaders=content-md5;content-type;host;x-amz" "$top/log.txt" &&
    nephron stage add -q -n s -d f -o out "echo o >out" && nephron repro -q && nephron push --run-cache >got && echo "2 files pushed" >want &&
    test_cmp want got && lose && rm -rf out && nephron pull --run-cache && test "$(cat "d/a b")" = "3 3" && test "$(cat out)" = o && find .dvc/cache/runs -type f | grep .
'

test_expect_success "many look-ups are a few pages of a list, and what the list does not say is asked for" '
    s3_repo many "bucket/many" && mkdir m && for i in $(seq 60); do echo "n$i" >m/$i; done && nephron add -q m && nephron push -q && faults &&
    nephron push m >got && echo "Everything is up to date." >want && test_cmp want got && grep -c list-type "$top/log.txt" && ! grep "^PUT" "$top/log.txt" &&
    rm -rf m .dvc/cache && nephron pull m && test "$(cat m/37)" = n37
'

test_expect_success "gc -c deletes many in one request" '
    at many && rm m.dvc && faults && nephron gc -w -c -f >got && grep "Removed 61 objects from remote." got && test "$(grep -c "POST /bucket?delete=" "$top/log.txt")" = 1 &&
    nephron status -c && lose && nephron pull -q && test "$(cat f)" = top
'

test_expect_success "get-url, list-url and import-url of what a remote has" '
    at many && nephron list-url -R remote://s/files >list && grep "^md5/" list && name=$(grep -v "\.dir$" list | head -n 1) &&
    nephron get-url "remote://s/files/$name" object && test "$(md5sum <object | cut -c1-32)" = "$(echo "${name#md5/}" | tr -d /)" &&
    nephron import-url -q "remote://s/files/$name" imported --fs-config region=eu-west-1 && cmp object imported && grep "path: remote://s/files/$name" imported.dvc &&
    grep "GET .*/eu-west-1/s3/" "$top/log.txt"
'

test_expect_success "a big file goes up in parts" '
    s3_repo big "bucket/big" && rm d.dvc f.dvc && head -c 70000000 /dev/zero >b && nephron add -q b && faults "PUT partNumber=2 503 1" && nephron push &&
    test "$(grep -c "^PUT .*partNumber=" "$top/log.txt")" = 4 && rm -rf .dvc/cache b && nephron pull -q && test "$(wc -c <b)" = 70000000
'

test_expect_success "when a part is refused nothing stays there" '
    s3_repo big2 "bucket/big2" && rm d.dvc f.dvc && head -c 70000001 /dev/zero >b && nephron add -q b && faults "PUT partNumber=2 403 1" &&
    test_expect_code 1 nephron push 2>err && grep "failed to transfer .*403" err && grep "^DELETE .*uploadId=u%261" "$top/log.txt" && ! grep "^POST .*uploadId" "$top/log.txt"
'

test_expect_success "an object that is damaged here is not pushed" '
    at big2 && nephron unprotect b && f=.dvc/cache/files/md5/$(md5sum <b | sed "s/^\(..\)\(.*\)  -/\1\/\2/") && chmod u+w "$f" && printf x | dd of="$f" conv=notrunc status=none && chmod 444 "$f" && faults &&
    test_expect_code 1 nephron push 2>err && grep "has other content" err && grep "^DELETE .*uploadId" "$top/log.txt" &&
    s3_repo small "bucket/small" && f=$(find .dvc/cache/files -type f | grep -v dir | head -1) && chmod u+w "$f" && echo x >"$f" && chmod 444 "$f" &&
    test_expect_code 1 nephron push 2>err && grep "failed to transfer .*BadDigest" err
'

test_expect_success "lists that leave the prefix, or are none" '
    at r && faults "GET list-type evil 1" && test_expect_code 255 nephron gc -w -c -f 2>err && grep "the name .other/place., which is not one below" err &&
    faults "GET list-type xml 1" && test_expect_code 255 nephron gc -w -c -f 2>err && grep "not the XML that was expected" err &&
    faults "GET list-type dotdot 1" && nephron gc -w -c -f && faults && nephron status -c
'

test_expect_success "S3: the bucket in the name of the host or in the path, as the profile asks" '
    s3_repo place "bucket/place" && mkdir -p "$HOME/.aws" && printf "[default]\nregion = eu-north-1\ns3 =\n  addressing_style = virtual\n  max_queue_size=1\nother = 1\n  addressing_style = path\n" >"$HOME/.aws/config" &&
    nephron remote modify s endpointurl "$(echo "$store" | sed s/127.0.0.1/localhost/)" && faults "PUT . 403 99" && test_expect_code 1 nephron push 2>err && grep "^PUT /place/files" "$top/log.txt" && ! grep "^PUT /bucket" "$top/log.txt" &&
    grep "/eu-north-1/s3/" "$top/log.txt" && sed -i "s/= virtual/= path/" "$HOME/.aws/config" && faults && nephron push -q && grep "^PUT /bucket/place/files" "$top/log.txt" && sed -i "s/= path/= auto/" "$HOME/.aws/config" && nephron status -c -q &&
    rm -r "$HOME/.aws"
'

test_expect_success "credentials: settings, environment, profile, process, instance; none" '
    at r && rm .dvc/config.local && test_expect_code 1 nephron push 2>err && grep "no credentials for s3://bucket/some where" err &&
    faults && AWS_ACCESS_KEY_ID=ENVKEY AWS_SECRET_ACCESS_KEY=x AWS_REGION=eu-west-1 nephron status -c && grep "Credential=ENVKEY/[0-9]*/eu-west-1/" "$top/log.txt" &&
    mkdir -p "$HOME/.aws" && printf "[default]\naws_access_key_id = DEFKEY\naws_secret_access_key = x\n[lab]\naws_access_key_id=LABKEY\naws_secret_access_key=x\n" >"$HOME/.aws/credentials" &&
    printf "[profile lab]\nregion = eu-north-1\ns3 =\n  region = no\n[profile run]\ncredential_process = echo {\\\"Version\\\": 1, \\\"AccessKeyId\\\": \\\"RUNKEY\\\", \\\"SecretAccessKey\\\": \\\"x\\\"}\n" >"$HOME/.aws/config" &&
    nephron status -c && grep "Credential=DEFKEY/" "$top/log.txt" && AWS_PROFILE=lab nephron status -c && grep "Credential=LABKEY/[0-9]*/eu-north-1/" "$top/log.txt" &&
    nephron remote modify s profile run && AWS_ACCESS_KEY_ID=ENVKEY AWS_SECRET_ACCESS_KEY=x nephron status -c && tail -1 "$top/log.txt" | grep "Credential=RUNKEY/" &&
    nephron remote modify -u s profile && rm -r "$HOME/.aws" && AWS_EC2_METADATA_DISABLED=false AWS_EC2_METADATA_SERVICE_ENDPOINT=$store nephron status -c &&
    grep "Credential=IMDSKEY/.*x-amz-security-token" "$top/log.txt"
'

test_expect_success "secrets are in no process list and no message" '
    at r && nephron remote modify --local s access_key_id KEY && nephron remote modify --local s secret_access_key s3cret && nephron remote modify --local s session_token tok3n &&
    faults "HEAD . 403 99" "GET . 403 99" && test_expect_code 1 env ASAN_OPTIONS=detect_leaks=0 strace -f -e trace=execve -o "$top/exec" nephron push 2>err && ! grep -e s3cret -e tok3n err "$top/exec" && faults
'

test_expect_success "Google Cloud: a service account, a refresh token" '
    new_repo g && openssl genrsa -out key.pem 2048 2>/dev/null && python3 -c "
import json, sys
json.dump({\"type\": \"service_account\", \"client_email\": \"me@x\", \"private_key\": open(\"key.pem\").read(), \"token_uri\": sys.argv[1] + \"/token\"}, open(\"account.json\", \"w\"))" "$store" &&
    nephron remote add -d g gs://gbucket/pre && nephron remote modify g endpointurl "$store" && nephron remote modify g credentialpath "$PWD/account.json" && faults &&
    nephron push >got && echo "5 files pushed" >want && test_cmp want got && grep "PUT /gbucket/pre/files/md5/.*auth=Bearer tok-1" "$top/log.txt" &&
    sed -n "s/^form .*\"assertion\": \[\"\([^\"]*\).*/\1/p" "$top/log.txt" | head -1 >jwt && openssl rsa -in key.pem -pubout -out pub.pem 2>/dev/null && python3 -c "
import base64, json
head, claims, mac = open(\"jwt\").read().strip().split(\".\")
pad = lambda s: base64.urlsafe_b64decode(s + \"=\" * (-len(s) % 4))
assert json.loads(pad(claims))[\"iss\"] == \"me@x\", claims
open(\"signed\", \"w\").write(head + \".\" + claims)
open(\"mac\", \"wb\").write(pad(mac))" && openssl dgst -sha256 -verify pub.pem -signature mac signed && lose && nephron pull && test "$(cat f)" = top && nephron gc -w -c -f &&
    printf "{\"type\": \"authorized_user\", \"client_id\": \"i\", \"client_secret\": \"c\", \"refresh_token\": \"r/\"}" >account.json && echo {} >no.json &&
    nephron remote modify g credentialpath "$PWD/no.json" && test_expect_code 1 nephron push 2>err && grep "neither the key of a service account" err
'

test_expect_success "Azure: the key of an account, parts, a shared access signature" '
    new_repo z && rm d.dvc && head -c 70000000 /dev/zero >b && nephron add -q b && nephron remote add -d z "azure://box/pre fix" &&
    nephron remote modify --local z connection_string "BlobEndpoint=$store;AccountName=acc;AccountKey=$(printf key | base64)" && faults && nephron push >got &&
    echo "2 files pushed" >want && test_cmp want got && grep "PUT /box/pre%20fix/files/md5/.*auth=SharedKey acc:" "$top/log.txt" && rm -rf .dvc/cache b f && nephron pull -q && test "$(cat f)" = top &&
    test "$(wc -c <b)" = 70000000 && rm b.dvc && nephron gc -w -c -f >got && grep "Removed 1 objects from remote" got &&
    nephron remote modify --local z connection_string "BlobEndpoint=$store;SharedAccessSignature=sv=1&sig=s3cret" && faults "HEAD . 403 9" && test_expect_code 1 nephron status -c 2>err && ! grep s3cret err &&
    faults && nephron status -c && grep "sig=s3cret" "$top/log.txt" && nephron remote modify --local z connection_string "AccountName=acc;AccountKey=%%%" && test_expect_code 1 nephron status -c 2>err && grep "no Base64" err
'

test_expect_success "add --to-remote; a remote that keeps files by their names is refused" '
    at r && mkdir new && echo n1 >new/1 && echo n2 >new/2 && faults && nephron add -q --to-remote new && grep "^PUT .*\.dir" "$top/log.txt" && test "$(grep -c ^PUT "$top/log.txt")" = 3 &&
    rm -rf new && nephron pull -q new && test "$(cat new/2)" = n2 && nephron remote modify s worktree true && test_expect_code 1 nephron push 2>err &&
    grep "remotes with .worktree. are not built in" err && nephron remote modify -u s worktree
'

test_expect_success "a program that is killed takes its helper with it, and its unfinished upload" '
    s3_repo killed "bucket/killed" && head -c 70000000 /dev/zero >b && nephron add -q b && : >empty && nephron add -q empty && nephron push -q empty.dvc && nephron status -c empty.dvc &&
    faults "PUT partNumber=2 503,9 9" && (nephron push & echo $! >"$top/pid"; wait) 2>/dev/null & for i in $(seq 100); do grep -q "partNumber=2" "$top/log.txt" && break; sleep 0.1; done
    at killed && pid=$(cat "$top/pid") && helper=$(pgrep -P "$pid") && kill -9 "$pid" && for i in $(seq 100); do kill -0 "$helper" 2>/dev/null || break; sleep 0.1; done &&
    test_expect_code 1 kill -0 "$helper" && grep "^DELETE .*uploadId" "$top/log.txt"
'

test_done
