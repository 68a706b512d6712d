#!/bin/sh

test_description="cache migrate and du, as DVC"

. /usr/share/sharness/sharness.sh
. "$NEPHRON_SOURCE_DIR/tests/cli/peer-lib.sh"

# old FILE: into the cache as DVC 2 did, under the hash with LF for CR LF; prints it.
old() {
    h=$(sed "s/\r$//" "$1" | md5sum | cut -c1-32) && d=.dvc/cache/$(echo $h | cut -c1-2) && mkdir -p $d && cp "$1" $d/$(echo $h | cut -c3-) && chmod 444 $d/$(echo $h | cut -c3-) && echo $h
}

# A repository as DVC 2 left it: a file, one with CR LF, a folder, and a stage.
dvc2() {
    fresh && printf "one\r\ntwo\r\n" >crlf.txt && echo plain >plain.txt && mkdir dir && echo 1 >dir/a && printf "2\r\n" >dir/b &&
        printf "# mine\nouts:\n- md5: %s\n  size: 10\n  path: crlf.txt # kept\n" $(old crlf.txt) >crlf.txt.dvc &&
        printf "outs:\n- md5: %s\n  size: 6\n  path: plain.txt\n" $(old plain.txt) >plain.txt.dvc &&
        printf "[{\"md5\": \"%s\", \"relpath\": \"a\"}, {\"md5\": \"%s\", \"relpath\": \"b\"}]" $(old dir/a) $(old dir/b) >.git/list && list=$(md5sum <.git/list | cut -c1-32) &&
        mkdir -p .dvc/cache/$(echo $list | cut -c1-2) && cp .git/list .dvc/cache/$(echo $list | cut -c1-2)/$(echo $list | cut -c3-).dir &&
        printf "outs:\n- md5: %s.dir\n  size: 5\n  nfiles: 2\n  path: dir\n" $list >dir.dvc &&
        printf "stages:\n  s:\n    cmd: cp crlf.txt out.txt\n    deps:\n    - crlf.txt\n    outs:\n    - out.txt\n" >dvc.yaml && cp crlf.txt out.txt &&
        printf "schema: %s2.0%s\nstages:\n  s:\n    cmd: cp crlf.txt out.txt\n    deps:\n    - path: crlf.txt\n      md5: %s\n      size: 10\n    outs:\n    - path: out.txt\n      md5: %s\n      size: 10\n" \
            "'" "'" $(old crlf.txt) $(old out.txt) >dvc.lock && printf "/crlf.txt\n/plain.txt\n/dir\n/out.txt\n" >.gitignore && git add -A && git commit -qm 2
}

test_expect_success "the objects of DVC 2" '
    both "dvc2 && t status && t cache migrate --dry && find .dvc/cache -type f | sort && t cache migrate && find .dvc/cache -type f -links 2 | sort && t cache migrate && t status && git diff"
'

# DVC names the files one by one while it works, in no order.
test_expect_success "and its files" '
    both "dvc2 && t cache migrate --dvc-files --dry && git diff && dvc cache migrate --dvc-files >.git/said && t status && git diff -- . \":!.gitignore\" && t cache migrate --dvc-files --dry &&
        rm -rf crlf.txt plain.txt dir out.txt && t checkout -q && cat crlf.txt dir/b" &&
    at ours && nephron fsck
'

# DVC records the old hash under the new name there, and what it wrote cannot be checked out.
test_expect_success "what is not in the workspace keeps its old record" '
    at ours && dvc2 && rm -rf plain.txt dir && cp plain.txt.dvc dir.dvc .git && nephron cache migrate --dvc-files >out && grep "crlf.txt.dvc" out && test_cmp .git/plain.txt.dvc plain.txt.dvc &&
        test_cmp .git/dir.dvc dir.dvc && grep "hash: md5" crlf.txt.dvc && nephron checkout && cat plain.txt dir/b
'

# Of data that is not in the workspace DVC says 0, here it is what is recorded; from a folder below DVC fails. The order of DVC is that of the file system.
test_expect_success "du" '
    both "fresh && mkdir -p d/sub t/deep && head -c 3000 /dev/zero >d/z && echo 1 >d/a && head -c 2000000 /dev/zero >d/sub/m && echo hi >t/k && head -c 120000 /dev/zero >t/deep/x &&
        dvc add -q t && git add -A && git commit -qm 1 && s du . && s du . d && s du . t && s du . t/deep/x && s du -s . && s du -s . d && s du --rev HEAD . && s du . ." &&
    at ours && nephron du . >.git/want && rm -rf t && nephron du . >.git/got && test_cmp .git/want .git/got && (cd d && nephron du ..) >.git/got && test_cmp .git/want .git/got && test_expect_code 255 nephron du . nosuch 2>err && grep "No such file or directory" err && test_expect_code 255 nephron du nosuch 2>err && grep "Failed to clone" err
'

test_done
