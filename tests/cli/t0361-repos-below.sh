#!/bin/sh

test_description="several DVC repositories in one of git: list, get, du, import and artifacts get of what is in them, as DVC"

. /usr/share/sharness/sharness.sh
. "$NEPHRON_SOURCE_DIR/tests/cli/peer-lib.sh"

# mono: no DVC at the root, ./sub and ./plain/two are repositories of DVC, ./sub/deep/ner one in the other. `rooted` has one at the root too.
sources() {
    at . && rm -rf mono rooted && mkdir -p mono/plain/two mono/sub/deep mono/sub/deep/ner && (
        cd mono && git init -q -b main && echo top >top && echo p >plain/p && (cd sub && "$dvc" init -q --subdir && echo s >sf && mkdir sd && echo 1 >sd/1 && "$dvc" add -q sf sd && echo t >deep/t &&
            printf "artifacts:\n  model:\n    path: sf\n" >dvc.yaml) && (cd plain/two && "$dvc" init -q --subdir && echo z >z && "$dvc" add -q z) &&
            (cd sub/deep/ner && "$dvc" init -q --subdir && echo inner >i && "$dvc" add -q i) && git add -A && git commit -qm 1 && git tag -a -m v sub=model@v1.0.0
    ) && cp -r mono rooted && (cd rooted && "$dvc" init -q && echo r >r && "$dvc" add -q r && git add -A && git commit -qm 2)
}

test_expect_success "setup" sources

test_expect_success "list" '
    both "fresh && for m in mono rooted; do for how in \"\" \"--rev main\"; do t list ../\$m \$how && t list -R ../\$m \$how && t list -R ../\$m sub \$how && t list ../\$m sub/sd \$how && t list ../\$m sub/deep \$how &&
        t list -R ../\$m plain \$how && t list -R ../\$m plain/two \$how && t list ../\$m sub/deep/ner \$how && t list -R ../\$m/sub \$how && t list -R ../\$m sub --dvc-only \$how && t list -T ../\$m sub \$how || return 1; done; done" || return 1
'

test_expect_success "du" '
    both "fresh && s du ../mono && s du ../mono sub && s du ../mono sub/sd && s du ../mono sub/deep/ner && s du ../rooted sub && s du -s ../mono sub"
'

test_expect_success "get" '
    both "fresh && t get ../mono sub/sf && t get ../mono sub/sd --rev main && t get ../mono sub -o whole && t get ../rooted sub -o whole2 --rev main && t get ../mono plain/two/z && t get ../mono/sub sf -o sf3 && t get ../mono/sub sub/sf --rev main -o sf5 &&
        t get ../mono plain -o pl && t get ../mono sub/deep/ner/i && t get ../mono sub/deep/t && t get \"file://\$PWD/../mono\" sub/deep/t -o t2 && t get ../rooted r"
'

test_expect_success "a repository that is in the revision alone, or in the work tree alone" '
    at . && cp -r mono old && (cd old && git rm -qr sub && git commit -qm gone && rm -rf sub && mkdir -p new && cd new && "$dvc" init -q --subdir && echo n >n && "$dvc" add -q n) && rm -f got && cp -r mono/sub/.dvc/cache kept &&
    nephron list -R old sub --rev main~1 --remote z --remote-config url=kept >got && printf "%s\n" .dvcignore .gitignore deep/t dvc.yaml sd.dvc sd/1 sf sf.dvc >want && test_cmp want got &&
    test_expect_code 1 nephron get old sub/sf --rev main~1 -o got2 --remote-config url=kept 2>err && grep "Missing remote name" err && test "$(git -C old symbolic-ref HEAD)" = refs/heads/main && ! test -d old/sub &&
    test_expect_code 1 nephron get old sub/sf -o got3 && nephron get old sub/sf --rev main~1 -o got4 --remote z --remote-config url=kept && echo s >want && test_cmp want got4 && nephron get old new/n -o got5 && echo n >want && test_cmp want got5 &&
    test_expect_code 1 nephron get old new/n --rev main -o got6
'

test_expect_success "import, update, status, pull" '
    both "fresh && t import ../mono sub/sf -o a && t import ../mono/sub sf -o b && t import ../mono sub -o c && t import ../mono plain/two/z && t import ../rooted sub/deep/ner/i --rev main && find c -type f | sort && git add -A && git commit -qm 1 && t status" &&
    at . && (cd mono/sub && echo s2 >sf && "$dvc" add -q sf && git commit -qam 2) && both "s status && t update a.dvc && cat a.dvc a && rm -rf .dvc/cache a && t pull a.dvc && cat a" && at ours && nephron update b.dvc && test "$(cat b)" = s2
'

test_expect_success "the settings are those of the repository that has the path" '
    at . && rm -rf far && (cd mono/sub && "$dvc" remote add -q -d far ../../far && "$dvc" push -q && git commit -qam far && rm -rf .dvc/cache) && rm mono/sub/sf &&
    both "fresh && t get ../mono sub/sf && t get ../mono sub/sf --show-url" && rm -rf got && at . && mv far far2 && nephron get mono sub/sf -o got --remote-config url=far2 && echo s2 >want && test_cmp want got
'

test_expect_success "artifacts get" '
    at . && git -C mono tag -a -m v sub=model@v1.1.0 && mv far2 far && rm -f got && nephron artifacts get mono sub:model -o got && echo s2 >want && test_cmp want got && rm got && nephron artifacts get mono/sub sub:model -o got && test_cmp want got
'

test_done
