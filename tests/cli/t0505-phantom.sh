#!/bin/sh

test_description="phantom: sources make real archives, the same for the same words"

. "$(dirname "$0")/xfer-lib.sh"
. /usr/share/sharness/sharness.sh

spec="phantom:?patients=3&slices=4&size=64&seed=5"

test_expect_success 'a data set of JPEGs in class folders, by way of an archive' '
    "$XFER" ingest --source "$spec" --into a --json >r.json &&
    jq -e ".kind == \"phantom\" and .images == 24 and .classes == {Normal: 12, Tumor: 12} and .archive == \"a/data.zip\"" r.json &&
    test "$(sha a/data.zip)" = "$(jq -r .sha256 r.json)" &&
    find a/kidney-ct-scan-image -type f >files && test_line_count = 24 files &&
    while read -r f; do test "$(head -c 3 "$f" | od -An -tx1)" = " ff d8 ff" || return 1; done <files
'

test_expect_success 'again: the same bytes, in any time zone and on any number of cores' '
    TZ=Pacific/Auckland "$XFER" ingest -q --source "$spec" --into b &&
    TZ=America/New_York taskset -c 0 "$XFER" ingest -q --source "$spec" --into c &&
    cmp a/data.zip b/data.zip && cmp a/data.zip c/data.zip &&
    diff -r a/kidney-ct-scan-image b/kidney-ct-scan-image
'

test_expect_success 'another seed: another archive' '
    "$XFER" ingest -q --source "phantom:?patients=3&slices=4&size=64&seed=6" --into d &&
    test_expect_code 1 cmp -s a/data.zip d/data.zip
'

test_expect_success 'patients are the same in class and number of files, names hold patient and slice' '
    ls a/kidney-ct-scan-image/Tumor | head -1 >first && grep "^Tumor- p[0-9]* s[0-9]*.jpg$" first
'

test_expect_success 'others read the archive' '
    if python3 -c "import zipfile" 2>/dev/null; then
        python3 -c "
import zipfile
z = zipfile.ZipFile(\"a/data.zip\")
assert z.testzip() is None and len(z.namelist()) == 24
assert all(i.date_time == (1980, 1, 1, 0, 0, 0) for i in z.infolist()), z.infolist()[0]
"
    fi
'

test_expect_success 'a wrong option is refused by name' '
    test_expect_code 2 "$XFER" ingest --source "phantom:?patience=3" --into e 2>err.txt && grep patience err.txt &&
    test_path_is_missing e/data.zip
'

test_done
