#!/bin/sh

test_description="archives: good ones of every kind, hostile ones refused whole"

. "$(dirname "$0")/xfer-lib.sh"
need_python
. /usr/share/sharness/sharness.sh

python3 "$here/xfer-archives.py" arch || exit 1

listing() {
    (cd "$1" && find . -type f | LC_ALL=C sort)
}

cat >five <<\LIST
./Normal/Normal- (1).jpg
./Normal/Normal- (12).jpg
./Tumor/Tumor- (1).jpg
./Tumor/Tumor- (2).jpg
./Tumor/Tumor- (3).jpg
LIST

for name in seed.zip stored.zip notop.zip deep.zip mac.zip dotted.tar pax.tar gz.tar.gz xz.tar.xz \
    wrongname.zip modes.zip; do
    test_expect_success "good: $name" '
        "$XFER" ingest -q --source arch/good/$name --into out-$name &&
        listing out-$name/kidney-ct-scan-image >actual && test_cmp five actual && no_leftovers out-$name
    '
done

test_expect_success 'good: another top folder, with what is in it' '
    "$XFER" ingest --source arch/good/othername.zip --into out2 --json >r.json &&
    jq -e ".images == 5 and .left_out == 0 and (.archive | endswith(\"othername.zip\"))" r.json &&
    test -f out2/kidney-ct-scan-image/README.md
'

test_expect_success 'good: what lies beside the class folders is left out and counted' '
    "$XFER" ingest --source arch/good/deep.zip --into out2 --json >r.json && jq -e ".left_out == 1" r.json &&
    "$XFER" ingest --source arch/good/mac.zip --into out2 --json >r.json && jq -e ".left_out == 2" r.json
'

test_expect_success 'good: names beyond ASCII, in any locale' '
    LC_ALL=C "$XFER" ingest -q --source arch/good/unicode.zip --into out3 &&
    ls out3/kidney-ct-scan-image/Normal >names && grep "schön 中.jpg" names
'

test_expect_success 'modes are cut to 0755, contents equal' '
    find out-modes.zip -type f -perm /7022 >actual && test_must_be_empty actual &&
    diff -r out-modes.zip/kidney-ct-scan-image out-gz.tar.gz/kidney-ct-scan-image
'

test_expect_success 'names that differ in case are reported' '
    python3 -c "
import zipfile
with zipfile.ZipFile(\"case.zip\", \"w\") as z:
    for n in (\"x/A/a.jpg\", \"x/A/A.jpg\", \"x/B/b.jpg\"): z.writestr(n, b\"x\")
" && "$XFER" ingest --source case.zip --into out4 2>err.txt && grep "differ only in case.*x/A/A.jpg" err.txt
'

test_expect_success 'old data for the hostile ones' '
    "$XFER" ingest -q --source arch/good/seed.zip --into keep && listing keep >before
'

while IFS="	" read -r name words; do
    test_expect_success "bad: $name" '
        test_expect_code 1 "$XFER" ingest --source "arch/bad/$name" --into keep 2>err.txt &&
        cat err.txt && grep -F "$words" err.txt && grep -F "$name" err.txt && test_line_count = 1 err.txt &&
        listing keep >after && test_cmp before after && no_leftovers keep
    '
done <arch/bad/EXPECT

test_expect_success 'nothing was made outside' '
    test_path_is_missing /tmp/nephron-evil.jpg &&
    find . .. -maxdepth 2 -name "*evil*" >found && test_must_be_empty found
'

test_expect_success 'limits of the configuration' '
    mkdir config && printf "limits: {unpack_bytes: 3000}\n" >config/config.yaml &&
    test_expect_code 1 "$XFER" ingest --source arch/good/seed.zip --into keep 2>err.txt &&
    grep "more than 3000 bytes (limits.unpack_bytes)" err.txt &&
    test_expect_code 1 "$XFER" ingest --source arch/good/gz.tar.gz --into keep 2>err.txt &&
    grep "limits.unpack_bytes" err.txt &&
    printf "limits: {unpack_entries: 4}\n" >config/config.yaml &&
    test_expect_code 1 "$XFER" ingest --source arch/good/stored.zip --into keep 2>err.txt &&
    grep "limits.unpack_entries" err.txt &&
    printf "limits: {unpack_ratio: 100000}\n" >config/config.yaml &&
    "$XFER" ingest -q --source arch/bad/bomb.zip --into bomb && listing keep >after && test_cmp before after
'

test_expect_success 'a file system without room' '
    (ulimit -f 8 && trap "" XFSZ &&
        test_expect_code 1 "$XFER" ingest --source arch/bad/bomb.zip --into keep 2>err.txt) &&
    grep "File too large" err.txt && listing keep >after && test_cmp before after && no_leftovers keep
'

test_done
