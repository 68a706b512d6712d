#!/bin/sh

test_description="downloads: resume, retries, redirects, checksums, what is no archive"

. "$(dirname "$0")/xfer-lib.sh"
need_python
. /usr/share/sharness/sharness.sh

make_data_zip data.zip 100000
SHA=$(sha data.zip)
start_server data.zip

fetched() {
    cmp data.zip "$1" && test_path_is_missing "$1.part" && test_path_is_missing "$1.part.json"
}

test_expect_success 'a plain download lands whole, with its record' '
    "$XFER" fetch -q "$url/plain/x" plain.zip && fetched plain.zip &&
    jq -e ".schema == 1 and .url == \"$url/plain/x\" and .sha256 == \"$SHA\" and (.etag | length) > 0" plain.zip.json
'

test_expect_success 'it is not fetched again, unless forced or changed' '
    : >log.txt && "$XFER" fetch -q "$url/plain/x" plain.zip && test_must_be_empty log.txt &&
    "$XFER" fetch -q --force "$url/plain/x" plain.zip && test_line_count = 1 log.txt &&
    echo more >>plain.zip && "$XFER" fetch -q "$url/plain/x" plain.zip && fetched plain.zip &&
    "$XFER" fetch -q "$url/plain/y" plain.zip && test_line_count = 3 log.txt
'

test_expect_success 'a file with the right checksum is not fetched, whatever its record' '
    : >log.txt && cp data.zip there.zip &&
    "$XFER" fetch -q --sha256 $SHA "$url/plain/x" there.zip && test_must_be_empty log.txt
'

test_expect_success 'a cut connection goes on by range, with the ETag' '
    : >log.txt && "$XFER" fetch -q "$url/cut/2/a" cut.zip && fetched cut.zip &&
    test_line_count = 3 log.txt &&
    grep -c "range=bytes=[1-9][0-9]*- if-range=\"" log.txt >actual && echo 2 >expect && test_cmp expect actual
'

test_expect_success 'Last-Modified serves as well' '
    : >log.txt && "$XFER" fetch -q "$url/lastmod/x" lastmod.zip && fetched lastmod.zip &&
    grep "range=bytes=.*if-range=Tue, 24 Nov" log.txt
'

test_expect_success 'without a validator it begins anew' '
    "$XFER" fetch -q "$url/norange/x" norange.zip && fetched norange.zip
'

test_expect_success 'a file that changed between two tries is never mixed' '
    (cat data.zip && printf "\\0") >other.zip &&
    "$XFER" fetch -q "$url/once/x" once.zip && cmp other.zip once.zip
'

test_expect_success 'another process goes on where one gave up' '
    test_expect_code 1 "$XFER" fetch "$url/cut/5/b" later.zip 2>err.txt &&
    grep "5 tries.*run it again to go on" err.txt &&
    test -s later.zip.part && test_path_is_missing later.zip &&
    : >log.txt && "$XFER" fetch -q "$url/cut/5/b" later.zip && fetched later.zip &&
    test_line_count = 1 log.txt && grep "range=bytes=[1-9]" log.txt
'

test_expect_success 'a part of another source is not used' '
    test_expect_code 1 "$XFER" fetch -q "$url/cut/5/c" mixed.zip && test -s mixed.zip.part &&
    : >log.txt && "$XFER" fetch -q "$url/plain/x" mixed.zip && fetched mixed.zip &&
    grep "range=None" log.txt
'

test_expect_success 'after a crash of the machine only synced bytes count' '
    test_expect_code 1 "$XFER" fetch -q "$url/cut/5/d" crash.zip && test -s crash.zip.part &&
    jq -c ".boot = \"another\"" crash.zip.part.json >x && mv x crash.zip.part.json &&
    : >log.txt && "$XFER" fetch -q "$url/cut/5/d" crash.zip && fetched crash.zip && grep "range=None" log.txt
'

test_expect_success 'a whole part is only verified' '
    test_expect_code 1 "$XFER" fetch -q "$url/cut/5/e" whole.zip && cp data.zip whole.zip.part &&
    "$XFER" fetch -q "$url/cut/5/e" whole.zip && fetched whole.zip
'

test_expect_success 'damage in a part is found by the checksum and fetched anew' '
    test_expect_code 1 "$XFER" fetch -q "$url/cut/5/f" dam.zip &&
    printf XXXX | dd of=dam.zip.part bs=1 seek=1000 conv=notrunc 2>/dev/null &&
    "$XFER" fetch -q --sha256 $SHA "$url/cut/5/f" dam.zip && fetched dam.zip
'

test_expect_success '429 and 503 are tried again, Retry-After is honoured' '
    "$XFER" fetch -q "$url/busy/503/2/-/x" busy.zip && fetched busy.zip &&
    date +%s >t0 && "$XFER" fetch "$url/busy/429/1/2/x" after.zip 2>err.txt && date +%s >t1 && fetched after.zip &&
    test $(($(cat t1) - $(cat t0))) -ge 2 && grep "HTTP status 429; try 2 of 5" err.txt
'

test_expect_success 'a long Retry-After is said, not waited for' '
    test_expect_code 1 "$XFER" fetch "$url/busy/503/9/9999/x" never.zip 2>err.txt &&
    grep "wants 9999 s of pause" err.txt && test_path_is_missing never.zip
'

test_expect_success 'five tries, then the reason' '
    : >log.txt && test_expect_code 1 "$XFER" fetch "$url/busy/500/9/-/x" never.zip 2>err.txt &&
    grep "cannot download $url/busy/500/9/-/x to never.zip: HTTP status 500 (5 tries)" err.txt &&
    test_line_count = 5 log.txt && test_path_is_missing never.zip.part
'

test_expect_success 'other statuses are final, with a hint' '
    : >log.txt && test_expect_code 1 "$XFER" fetch "$url/status/404" x.zip 2>err.txt &&
    grep "HTTP status 404 instead of 200; nothing is there" err.txt &&
    test_expect_code 1 "$XFER" fetch "$url/status/401" x.zip 2>err.txt && grep "sign-in" err.txt &&
    test_expect_code 1 "$XFER" fetch "$url/status/403" x.zip 2>err.txt && grep "refuses access" err.txt &&
    test_line_count = 3 log.txt
'

test_expect_success 'five redirects are followed, not six, not in circles' '
    "$XFER" fetch -q "$url/hops/5/x" hops.zip && fetched hops.zip &&
    test_expect_code 1 "$XFER" fetch "$url/hops/6/x" six.zip 2>err.txt && grep "more than 5 redirects" err.txt &&
    test_expect_code 1 "$XFER" fetch "$url/loop/x" six.zip 2>err.txt && grep "more than 5 redirects" err.txt
'

test_expect_success 'no redirect leads to a file' '
    test_expect_code 1 "$XFER" fetch "$url/to/file%3A%2F%2F%2Fetc%2Fpasswd" p.zip 2>err.txt &&
    grep "protocol that is not followed" err.txt && test_path_is_missing p.zip
'

test_expect_success 'credentials go to their host only, and are in no message or record' '
    port=$(cat port) && : >log.txt &&
    "$XFER" fetch -q "http://user:s3cret@127.0.0.1:$port/to/http%3A%2F%2Flocalhost%3A$port%2Fplain%2Fx" cred.zip &&
    grep "^/to/.*auth=Basic" log.txt && grep "^/plain/x .*auth=None" log.txt &&
    test_expect_code 1 grep s3cret cred.zip.json &&
    test_expect_code 1 "$XFER" fetch "http://user:s3cret@127.0.0.1:$port/status/404?token=s3cret" c2.zip 2>err.txt &&
    grep "token=\*\*\*" err.txt && test_expect_code 1 grep s3cret err.txt
'

test_expect_success 'a wrong checksum keeps nothing' '
    bad=$(printf "%064d" 7) &&
    test_expect_code 1 "$XFER" fetch --sha256 $bad "$url/plain/x" wrong.zip 2>err.txt &&
    grep "the SHA-256 is $SHA, expected $bad" err.txt &&
    test_path_is_missing wrong.zip && test_path_is_missing wrong.zip.part && test_path_is_missing wrong.zip.json
'

test_expect_success 'a web page, an empty file and a wrong range are no download' '
    test_expect_code 1 "$XFER" fetch "$url/html/x" h.zip 2>err.txt && grep "a web page, not the file" err.txt &&
    test_expect_code 1 "$XFER" fetch "$url/empty/x" h.zip 2>err.txt && grep "empty file" err.txt &&
    test_expect_code 1 "$XFER" fetch "$url/wrongrange/x" h.zip 2>err.txt && grep "wrong range" err.txt &&
    test_path_is_missing h.zip && "$XFER" fetch -q "$url/html/x" page.html && grep "log in" page.html
'

test_expect_success 'a server that is not there' '
    test_expect_code 1 "$XFER" fetch http://127.0.0.1:1/x.zip n.zip 2>err.txt &&
    grep "cannot download http://127.0.0.1:1/x.zip.*(5 tries); check the address" err.txt
'

test_expect_success 'a place that cannot be written' '
    : >file && test_expect_code 1 "$XFER" fetch "$url/plain/x" file/x.zip 2>err.txt && grep "file" err.txt
'

test_expect_success 'fetch of a local file is verified too' '
    "$XFER" fetch -q --sha256 $SHA "file://$PWD/data.zip" copy.zip && cmp data.zip copy.zip &&
    test_expect_code 1 "$XFER" fetch --sha256 $(printf "%064d" 7) data.zip copy2.zip 2>err.txt &&
    test_path_is_missing copy2.zip && test_expect_code 2 "$XFER" fetch . x 2>err.txt && grep "is no file" err.txt
'

write_config() {
    mkdir -p config && cat >config/config.yaml <<-EOT
	data_ingestion:
	  root_dir: art
	  source_URL: $1
	  local_data_file: art/data.zip
	  unzip_dir: art
	  ${2:-extra: 1}
	EOT
}

test_expect_success 'ingest downloads and unpacks; the archive stays' '
    write_config "$url/cut/1/ingest" &&
    "$XFER" ingest --json >r.json && cmp data.zip art/data.zip &&
    jq -e ".kind == \"http\" and .fetched and .sha256 == \"$SHA\" and .archive == \"art/data.zip\" and .images == 5" r.json &&
    test -f "art/kidney-ct-scan-image/Normal/Normal- (2).jpg" && no_leftovers art
'

test_expect_success 'a second ingest unpacks what is there' '
    : >log.txt && rm -r art/kidney-ct-scan-image && "$XFER" ingest --json >r.json &&
    test_must_be_empty log.txt && jq -e ".fetched | not" r.json && test -d art/kidney-ct-scan-image/Tumor &&
    "$XFER" ingest -q --force && test_line_count = 1 log.txt
'

test_expect_success 'keep_archive: false removes it, the option wins' '
    write_config "$url/plain/x" "keep_archive: false" &&
    "$XFER" ingest -q --keep-archive && test -f art/data.zip &&
    "$XFER" ingest -q --json >r.json && jq -e ".archive == null" r.json &&
    test_path_is_missing art/data.zip && test_path_is_missing art/data.zip.json
'

test_expect_success 'the checksum of the configuration is believed' '
    write_config "$url/plain/x" "sha256: \"$(printf %064d 9)\"" &&
    test_expect_code 1 "$XFER" ingest 2>err.txt && grep "expected 0000" err.txt &&
    test -f "art/kidney-ct-scan-image/Tumor/Tumor- (2).jpg"
'

test_expect_success 'a web page instead of an archive leaves the old data' '
    write_config "$url/html/x" && test_expect_code 1 "$XFER" ingest 2>err.txt &&
    grep "a web page, not an archive" err.txt && test -f "art/kidney-ct-scan-image/Tumor/Tumor- (2).jpg"
'

test_expect_success 'limits.download_bytes' '
    write_config "$url/plain/z" && echo "limits: {download_bytes: 1000}" >>config/config.yaml &&
    test_expect_code 1 "$XFER" ingest 2>err.txt && grep "limits.download_bytes" err.txt && test_path_is_missing art/data.zip
'

test_expect_success 'stop server' 'stop_server'

test_done
