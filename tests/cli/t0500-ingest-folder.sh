#!/bin/sh

test_description="nephron-xfer ingest from folders, and its configuration"

. "$(dirname "$0")/xfer-lib.sh"
. /usr/share/sharness/sharness.sh

shared=${NEPHRON_SHARED:-$NEPHRON_SOURCE_DIR/../shared}
test -d "$shared/data/kidney-ct" && test_set_prereq KIDNEY

make_folder() {
    mkdir -p "$1/Normal" "$1/Tumor" &&
    for i in 1 12; do echo "n$i" >"$1/Normal/Normal- ($i).jpg"; done &&
    for i in 1 2 3; do echo "t$i" >"$1/Tumor/Tumor- ($i).JPEG"; done
}

test_expect_success 'class folders are copied, other files are left out and counted' '
    make_folder src && echo hello >src/README.md && echo x >src/Normal/notes.txt &&
    "$XFER" ingest --source src --into out --json >result.json 2>err.txt &&
    test_must_be_empty err.txt &&
    find out -type f | sort >actual &&
    cat >expect <<-\EOT &&
	out/kidney-ct-scan-image/Normal/Normal- (1).jpg
	out/kidney-ct-scan-image/Normal/Normal- (12).jpg
	out/kidney-ct-scan-image/Tumor/Tumor- (1).JPEG
	out/kidney-ct-scan-image/Tumor/Tumor- (2).JPEG
	out/kidney-ct-scan-image/Tumor/Tumor- (3).JPEG
	EOT
    test_cmp expect actual &&
    jq -r "[.schema, .kind, .images, .left_out, .classes.Normal, .classes.Tumor, .data_dir] | @csv" result.json >actual &&
    echo "1,\"folder\",5,2,2,3,\"out/kidney-ct-scan-image\"" >expect &&
    test_cmp expect actual
'

test_expect_success 'the summary goes to stderr, nothing with -q' '
    "$XFER" ingest --source src --into out >out.txt 2>err.txt &&
    test_must_be_empty out.txt &&
    grep "5 images (Normal 2, Tumor 3).*2 other files left out" err.txt &&
    "$XFER" ingest -q --source src --into out >out.txt 2>err.txt &&
    test_must_be_empty out.txt && test_must_be_empty err.txt
'

test_expect_success 'a second ingest replaces the data whole' '
    make_folder src2 && rm "src2/Tumor/Tumor- (3).JPEG" &&
    "$XFER" ingest -q --source src2 --into out &&
    test_path_is_missing "out/kidney-ct-scan-image/Tumor/Tumor- (3).JPEG" &&
    no_leftovers out
'

test_expect_success 'the class folders are found below other folders' '
    mkdir -p wrap/a && make_folder wrap/a/b && echo x >wrap/LICENSE &&
    "$XFER" ingest -q --source wrap --into out3 &&
    test -f "out3/kidney-ct-scan-image/Normal/Normal- (12).jpg"
'

test_expect_success 'a file URL with escapes names a folder' '
    make_folder "my data" &&
    "$XFER" ingest -q --source "file://$PWD/my%20data" --into out4 &&
    test -f "out4/kidney-ct-scan-image/Normal/Normal- (1).jpg"
'

test_expect_success KIDNEY 'the real data set: 465 images' '
    "$XFER" ingest --source "$shared/data/kidney-ct" --into real --json >result.json &&
    jq -e ".images == 465 and .classes == {Normal: 240, Tumor: 225} and .left_out == 2" result.json &&
    diff -r "$shared/data/kidney-ct/Normal" real/kidney-ct-scan-image/Normal &&
    diff -r "$shared/data/kidney-ct/Tumor" real/kidney-ct-scan-image/Tumor &&
    test "$(ls real/kidney-ct-scan-image)" = "Normal
Tumor"
'

test_expect_success 'a source without classes is refused and the old data stays' '
    mkdir plain && echo x >plain/a.jpg &&
    find out -type f | sort | xargs -d "\n" sha256sum >before &&
    test_expect_code 1 "$XFER" ingest --source plain --into out 2>err.txt &&
    grep "expected folders named by class.*found images that are in no folder" err.txt &&
    find out -type f | sort | xargs -d "\n" sha256sum >after &&
    test_cmp before after && no_leftovers out
'

test_expect_success 'a source that holds its own target is refused' '
    mkdir -p self && make_folder self/kidney-ct-scan-image &&
    test_expect_code 2 "$XFER" ingest --source self --into self 2>err.txt &&
    grep "lie in each other" err.txt &&
    test_expect_code 2 "$XFER" ingest --source self/kidney-ct-scan-image --into self 2>err.txt &&
    grep "lie in each other" err.txt &&
    test -f "self/kidney-ct-scan-image/Normal/Normal- (1).jpg" && no_leftovers self
'

test_expect_success 'everything from the configuration of the seed, unknown keys and all' '
    mkdir config && cat >config/config.yaml <<-EOT &&
	artifacts_root: artifacts
	data_ingestion:
	  root_dir: artifacts/data_ingestion
	  source_URL: src
	  local_data_file: artifacts/data_ingestion/data.zip
	  unzip_dir: artifacts/data_ingestion
	  something_else: 12
	prepare_base_model: {root_dir: artifacts/prepare_base_model}
	EOT
    "$XFER" ingest -q && test -f "artifacts/data_ingestion/kidney-ct-scan-image/Normal/Normal- (12).jpg"
'

test_expect_success 'data_dir names the folder; a key may differ in case' '
    sed -i -e "s/source_URL/source_url/" -e "s/something_else: 12/data_dir: slices/" config/config.yaml &&
    "$XFER" ingest -q && test -d artifacts/data_ingestion/slices/Tumor
'

refused() {
    test_expect_code 2 "$XFER" ingest 2>err.txt && cat err.txt && grep -e "$1" err.txt
}

test_expect_success 'each mistake in the configuration names file, key and purpose' '
    cp config/config.yaml good.yaml &&
    sed "/source_url/d" good.yaml >config/config.yaml &&
    refused "config/config.yaml: the key data_ingestion.source_URL is missing (where the data comes from" &&
    sed "/unzip_dir/d" good.yaml >config/config.yaml &&
    refused "data_ingestion.unzip_dir is missing (the folder that the data is unpacked in); add it, or give --into" &&
    sed "s/source_url: .*/source_url: [a]/" good.yaml >config/config.yaml &&
    refused "config/config.yaml:4: data_ingestion.source_URL must be a text.* found list" &&
    sed "s/source_url: .*/source_url: nowhere/" good.yaml >config/config.yaml &&
    refused "data_ingestion.source_URL: the source nowhere: No such file" &&
    sed "s/data_dir: .*/data_dir: a\/b/" good.yaml >config/config.yaml &&
    refused "data_ingestion.data_dir must be the name of one folder" &&
    sed "s/data_dir: .*/sha256: abc/" good.yaml >config/config.yaml &&
    refused "data_ingestion.sha256 must be 64 hex digits" &&
    sed "s/data_dir: .*/sha256: 12/" good.yaml >config/config.yaml &&
    refused "config/config.yaml:7: data_ingestion.sha256 must be 64 hex digits in quotes, found int" &&
    (cat good.yaml && echo "limits: {unpack_bytes: lots}") >config/config.yaml &&
    refused "limits.unpack_bytes must be a whole number above 0, found str" &&
    echo "data_ingestion: [1]" >config/config.yaml &&
    refused "data_ingestion must be a mapping, found list" &&
    : >config/config.yaml && refused "found an empty file" &&
    printf "a: {b\n" >config/config.yaml && refused "config/config.yaml:" &&
    rm config/config.yaml && refused "config/config.yaml is missing"
'

test_expect_success 'sources that are none are refused with words' '
    test_expect_code 2 "$XFER" ingest --source s3://bucket/data.zip --into o 2>err.txt &&
    grep "s3:// is not supported" err.txt &&
    test_expect_code 2 "$XFER" ingest --source ftp://host/x.zip --into o 2>err.txt &&
    grep "scheme .ftp:. is not known" err.txt &&
    test_expect_code 2 "$XFER" ingest --source https://drive.google.com/drive/folders/1ylm?usp=sharing --into o 2>err.txt &&
    grep "not of one file" err.txt &&
    test_expect_code 2 "$XFER" ingest --source "" --into o 2>err.txt && grep "is empty" err.txt &&
    test_path_is_missing o
'

test_expect_success 'usage' '
    test_expect_code 2 "$XFER" 2>err.txt && grep Usage err.txt &&
    test_expect_code 2 "$XFER" ingset 2>err.txt && grep "did you mean .ingest" err.txt &&
    test_expect_code 2 "$XFER" ingest --sauce x 2>err.txt &&
    test_expect_code 2 "$XFER" ingest --source src --into out --sha256 xyz 2>err.txt && grep "64 hex digits" err.txt &&
    "$XFER" --help >out.txt && grep ingest out.txt &&
    "$XFER" ingest --help >out.txt && grep -e --no-keep-archive out.txt &&
    "$XFER" fetch --help >out.txt && grep PATH out.txt &&
    "$XFER" --version | grep "^nephron [0-9]"
'

test_expect_success 'a full stdout is an error' '
    test_expect_code 1 "$XFER" ingest --source src --into out --json >/dev/full
'

test_done
