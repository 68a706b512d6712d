#!/bin/sh

test_description="Google Drive share links, against a server that answers as Drive does"

. "$(dirname "$0")/xfer-lib.sh"
need_python
. /usr/share/sharness/sharness.sh

make_data_zip data.zip 200000
start_server data.zip
export NEPHRON_GDRIVE_URL=$url

for link in "file/d/direct/view?usp=sharing" "open?id=direct" "uc?id=direct" \
    "uc?export=download&id=direct" "uc?/export=download&id=direct" "file/u/0/d/direct/edit"; do
    test_expect_success "link spelled $link" '
        rm -f a.zip* && "$XFER" fetch -q "https://drive.google.com/$link" a.zip && cmp data.zip a.zip
    '
done

test_expect_success 'the confirm form, with its cookie, then resumed after a cut' '
    : >log.txt && "$XFER" fetch -q "https://drive.google.com/file/d/form/view?usp=drive_link" form.zip &&
    cmp data.zip form.zip &&
    grep "^/download?id=form&export=download&confirm=t&uuid=0-1%262 range=None" log.txt &&
    grep "^/download.*range=bytes=[1-9].*cookie=NID=511" log.txt &&
    jq -e ".url == \"https://drive.google.com/file/d/form/view?usp=drive_link\"" form.zip.json
'

test_expect_success 'the older link and the older cookie' '
    "$XFER" fetch -q "https://drive.google.com/open?id=link" link.zip && cmp data.zip link.zip &&
    "$XFER" fetch -q "https://drive.google.com/open?id=cookie" cookie.zip && cmp data.zip cookie.zip
'

test_expect_success 'quota, sign-in, nothing there: each with its reason' '
    test_expect_code 1 "$XFER" fetch "https://drive.google.com/open?id=quota" q.zip 2>err.txt &&
    grep "quota exceeded); try again in 24 hours" err.txt &&
    test_expect_code 1 "$XFER" fetch "https://drive.google.com/open?id=private" q.zip 2>err.txt &&
    grep "Anyone with the link" err.txt &&
    test_expect_code 1 "$XFER" fetch "https://drive.google.com/open?id=gone" q.zip 2>err.txt &&
    grep "HTTP status 404" err.txt && test_path_is_missing q.zip
'

test_expect_success 'a form that leads to a stranger is not followed' '
    test_expect_code 1 "$XFER" fetch "https://drive.google.com/open?id=elsewhere" e.zip 2>err.txt &&
    grep "leads to another host" err.txt
'

test_expect_success 'ingest from the seed configuration' '
    mkdir config && cat >config/config.yaml <<-\EOT &&
	artifacts_root: artifacts
	data_ingestion:
	  root_dir: artifacts/data_ingestion
	  source_URL: https://drive.google.com/file/d/form/view?usp=sharing
	  local_data_file: artifacts/data_ingestion/data.zip
	  unzip_dir: artifacts/data_ingestion
	EOT
    "$XFER" ingest --json >r.json && jq -e ".kind == \"gdrive\" and .images == 5" r.json &&
    test -f "artifacts/data_ingestion/kidney-ct-scan-image/Normal/Normal- (2).jpg"
'

test_expect_success 'the base from the configuration' '
    unset NEPHRON_GDRIVE_URL && echo "  gdrive_url: $url" >>config/config.yaml &&
    : >log.txt && "$XFER" ingest -q --force && grep "^/uc?export=download&id=form" log.txt
'

test_expect_success 'stop server' 'stop_server'

test_done
