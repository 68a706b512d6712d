#!/bin/sh

test_description="settings for other repositories (--config, --remote, --remote-config), and what becomes of imports later: as DVC"

. /usr/share/sharness/sharness.sh
. "$NEPHRON_SOURCE_DIR/tests/cli/peer-lib.sh"

# A repository whose cache is gone and whose own remote moved: what it tracks is at ./alt alone.
sources() {
    at . && rm -rf src store alt && mkdir src store && (
        cd src && git init -q -b main && "$dvc" init -q && echo hello >f && mkdir d && echo 1 >d/1 && echo 2 >d/2 && echo plain >plain &&
            "$dvc" add -q f d && "$dvc" remote add -q -d store ../store && "$dvc" push -q && git add -A && git commit -qm one
    ) && mv store alt && rm -rf src/.dvc/cache src/f src/d &&
        printf '[core]\nremote = alt\n['"'"'remote "alt"'"'"']\nurl = %s\n' "$PWD/alt" >alt.cfg && printf '[core]\nremote = nosuch\n' >bad.cfg
}

# A change in it, pushed to where it is asked for.
move_on() {
    at . && (cd src && echo "$1" >f && "$dvc" add -q f && git commit -qam "$1" && md5=$(sed -n 's/^- md5: //p' f.dvc) && mkdir -p ../alt/files/md5/$(echo "$md5" | cut -c 1-2) &&
        cp f "../alt/files/md5/$(echo "$md5" | cut -c 1-2)/$(echo "$md5" | cut -c 3-)" && rm -rf .dvc/cache f)
}

test_expect_success "setup" sources

test_expect_success "get: each of the three, together, and wrong ones" '
    both "fresh && t get ../src f -o a --config ../alt.cfg && t get ../src f -o b --remote-config url=../alt && t get ../src d -o c --remote new --remote-config url=../alt &&
        t get ../src f -o x --remote new && t get ../src f -o x --config ../bad.cfg &&
        t get ../src f -o e --rev main --config ../alt.cfg && t get \"file://\$PWD/../src\" f -o g --remote-config url=../alt && t get ../src f --show-url --remote-config url=/else && t get ../src f --show-url --remote new" &&
    at ours && test_expect_code 255 nephron get ../src f -o x --config none 2>err && echo "ERROR: [Errno 2] No such file or directory: '"'none'"'" >want && test_cmp want err &&
    test_expect_code 1 nephron get ../src f -o x --remote-config url 2>err && grep "remote-config needs NAME=VALUE" err && test_expect_code 1 nephron get ../src f -o x --remote-config nosuch=1 2>err && grep "extra keys not allowed .*nosuch" err &&
    test_expect_code 1 nephron get ../src f -o x --remote-config url=foo://x 2>err && grep "Unsupported URL type foo://" err && test_expect_code 254 nephron get --remote-config ../src f 2>err && rm err want
'

test_expect_success "list and du" '
    both "fresh && t list ../src --config ../alt.cfg && t list -R ../src d --config ../alt.cfg && t list -R ../src d --remote-config url=../alt && t list ../src --json --remote new && t list ../src --config none &&
        s du ../src --remote-config url=../alt && s du ../src d --config ../alt.cfg && s du ../src --remote new --remote-config url=../alt"
'

test_expect_success "artifacts get" '
    (cd src && printf "artifacts:\n  model:\n    path: f\n" >dvc.yaml && git add -A && git commit -qm two && git tag -a -m v model@v1.0.0) &&
    at . && for how in "--config alt.cfg" "--remote-config url=alt" "--remote z --remote-config url=alt"; do
        rm -f got && nephron artifacts get src model -o got $how && echo hello >want && test_cmp want got || return 1; done &&
    rm got && test_expect_code 1 nephron artifacts get src model -o got
'

test_expect_success "import writes them into the .dvc file" '
    both "fresh && t import ../src f -o a --config ../alt.cfg && t import ../src f -o b --remote alt --remote-config url=../alt jobs=2 && t import ../src d -o c --remote-config url=../alt &&
        t import ../src plain && t import ../src f -o e --remote alt --config ../alt.cfg && t import ../src f -o x --remote nosuch && t import ../src f -o g --no-exec --remote r && t import ../src f -o h --no-download --remote-config url=u &&
        t import ../src f -o i --rev main --config ../alt.cfg && git add -A && git commit -qm 1 && s status" &&
    at ours && test_expect_code 255 nephron import ../src f -o z --remote a --remote-config url=b --config ../alt.cfg 2>err && grep "config path together with both" err && test_expect_code 255 nephron import ../src f -o z --config none 2>err && rm err
'

test_expect_success "update takes the settings from there" '
    move_on two && both "s status && s status --no-updates && j status --json && t update a.dvc && cat a && t update c.dvc && t update i.dvc --rev main && t update b.dvc && s status"
'

test_expect_success "the data of imports comes from where it was imported, and goes nowhere" '
    both "fresh && mkdir .git/own && dvc remote add -q -d own .git/own && t import -q ../src f -o a --config ../alt.cfg && t import -q ../src d -o c --remote-config url=../alt && t import -q ../src plain && git add -A && git commit -qm 1 &&
        t push && find .git/own -type f && t status -c && rm -r .dvc/cache a c plain && t status -c && s status && t fetch a.dvc && t fetch && t fetch && s checkout && rm -r .dvc/cache a c plain && t pull a.dvc && s pull && t pull" &&
    both "git rm -q --cached plain.dvc && rm -r .dvc/cache a c plain plain.dvc && t fetch -A && rm -rf .dvc/cache && printf \"\" >.dvc/config && t fetch -q"
'

test_expect_success "each reads the imports of the other" '
    at . && rm -rf swap && mv theirs swap && mv ours theirs && mv swap ours && both "rm -rf .dvc/cache a c && s pull && cat a c/1 && s status" && move_on three && both "s status && t update a.dvc && t update c.dvc && cat a a.dvc"
'

test_expect_success "sources that changed behind a revision, or are gone" '
    at ours && sed -i "s/^- md5: [0-9a-f]*$/- md5: 0000000000000000000000000000000a/;1d" a.dvc && rm -f a && test_expect_code 1 nephron pull a.dvc 2>err && grep "has the md5 .*, not 0000000000000000000000000000000a as recorded" err &&
    mv ../src ../src2 && test_expect_code 1 nephron status 2>err && grep "SCM error: Failed to clone repo .../src." err && nephron status --no-updates && mv ../src2 ../src && ! ls .dvc/tmp | grep import-
'

test_done
