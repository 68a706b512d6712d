#!/bin/sh

test_description="import-url, update, get-url, list-url, add --to-remote: as DVC"

. /usr/share/sharness/sharness.sh
. "$NEPHRON_SOURCE_DIR/tests/cli/peer-lib.sh"

# Beside both repositories.
sources() {
    at . && rm -rf src && mkdir -p src/dir/sub && echo s >src/file.txt && echo 1 >src/dir/1 && echo 2 >src/dir/sub/2 && chmod +x src/file.txt
}

test_expect_success "setup" sources

test_expect_success "import-url of files and folders" '
    both "fresh && t import-url ../src/file.txt && t import-url \$PWD/../src/dir imp && t import-url ../src/file.txt && t import-url -f ../src/file.txt &&
        t import-url ../src/nosuch && t import-url --no-download ../src/file.txt nd.txt && t import-url --no-exec ../src/file.txt ne.txt && mkdir tgt &&
        t import-url \$PWD/../src/file.txt tgt && t import-url \$PWD/../src/file.txt tgt/q.txt && echo own >own && t import-url own own2 &&
        t import-url ../src/file.txt nodir/x && t import-url --to-remote ../src/file.txt tr.txt && t import-url -r st ../src/file.txt tr.txt &&
        t import-url foo://x y && t import-url --no-exec --no-download ../src/file.txt tr.txt && git add -A && git commit -qm 1"
'

test_expect_success "update" '
    echo s2 >src/file.txt && echo 3 >src/dir/3 &&
    both "t update own2.dvc && t update file.txt.dvc && t update nd.txt.dvc && t update ne.txt.dvc && t update nosuch && t update nosuch.dvc && t update imp.dvc &&
        t update imp && echo a >plain && dvc add -q plain && t update plain.dvc && t update -r st file.txt.dvc && rm file.txt && t update file.txt.dvc && ls"
'

test_expect_success "update without download, comments kept, and a source that is gone" '
    rm -r src/dir && echo s3 >src/file.txt &&
    both "sed -i \"1i # mine\" file.txt.dvc && t update --no-download file.txt.dvc && t update imp.dvc && cat file.txt.dvc"
'

test_expect_success "straight to a remote" '
    sources && both "fresh && dvc remote add -q -d st .git/st && t import-url --to-remote ../src/dir far && t import-url --to-remote ../src/file.txt &&
        find .git/st -type f | grep -v tmp | sort && cp ../src/file.txt loc && t add --to-remote loc -o far2 && t add --to-remote ../src/dir -r st && t add -r st loc && t add --to-remote a b -o c"
'

test_expect_success "get-url" '
    both "fresh && t get-url ../src/file.txt && t get-url ../src/file.txt && t get-url -f ../src/file.txt && t get-url ../src/dir out && t get-url ../nosuch &&
        t get-url ../src/file.txt sub/x && t get-url ../src/file.txt out && find out sub -type f | sort && t list-url ../src/file.txt | sed s#/.*/src#SRC#" &&
    at . && nephron list-url src >got && printf "%s\n" dir file.txt >want && test_cmp want got && nephron list-url -R src >got &&
    printf "%s\n" dir/1 dir/sub/2 file.txt >want && test_cmp want got && test_expect_code 255 nephron list-url nosuch
'

test_expect_success "other schemes are refused by name" '
    at ours && for u in hdfs://b/k webdav://b/k; do test_expect_code 1 nephron get-url $u x 2>err && grep "${u%%:*}" err || return 1; done
'

test_done
