#!/bin/sh

test_description="diff and data status: as DVC"

. /usr/share/sharness/sharness.sh
. "$NEPHRON_SOURCE_DIR/tests/cli/peer-lib.sh"

data() {
    fresh && echo 1 >f && mkdir -p d/s ren && echo 1 >d/1 && echo 2 >d/2 && echo 9 >d/s/9 && echo 3 >g && echo r >r1 &&
        echo a >ren/a && echo b >ren/b && echo u >u && dvc add -q f d g r1 ren u &&
        printf 'stages:\n  s:\n    cmd: echo 1 > o; echo 2 > m\n    outs:\n    - o\n    metrics:\n    - m:\n        cache: false\n  never:\n    cmd: mkdir nn\n    outs: [nn, nf]\n' >dvc.yaml &&
        dvc repro -q s && git add -A && git commit -qm 1 && git tag v1
}

change() {
    echo 2 >f && echo 33 >d/3 && rm d/1 && rm g.dvc && dvc move -q r1 r2 && dvc move -q ren ren2 && echo new >n && dvc add -q n &&
        rm u && echo oo >o && echo untracked >zz && mkdir nn && echo 7 >nn/7
}

test_expect_success "nothing changed" '
    both "data && t diff && t diff --json && t data status && j data status --json && j data status --unchanged --json --granular"
'

test_expect_success "diff against the workspace" '
    both "data && change && for o in \"\" --md \"--show-hash --json\" \"--hide-missing --json\"; do
        t diff \$o; done; dvc remove never && rm -r nn && t diff --show-hash && t diff --show-hash --md --targets f d g ren2"
'

test_expect_success "diff of targets" '
    both "t diff --targets f && t diff --targets d && t diff --targets d/2 --json && t diff --targets d/3 f && t diff --targets d/nope &&
        t diff --targets s --json && t diff --targets f.dvc --json && t diff --targets d/s"
'

test_expect_success "data status" '
    both "for o in --json \"--granular --json\" \"--untracked-files --json\" \"--untracked-files=all --json\" \"f --json\" \"d/3 --granular --json\" \
        \"d --json\" \"nosuch --json\" \"--unchanged --granular --json\" \"-r nosuch --json\" \"--not-in-remote --json\"; do j data status \$o; done;
        s data status; s data status --untracked-files; s data status --unchanged; s data status nosuch"
'

test_expect_success "diff of revisions" '
    both "dvc add -q d f && dvc commit -qf s && git add -A && git commit -qm 2 && t diff v1 HEAD && t diff HEAD v1 --json && t diff v1 &&
        t diff v1 HEAD --show-hash --json && t diff HEAD HEAD && t diff HEAD v1 --targets d/1 && s data status"
'

test_expect_success "what the cache lacks" '
    both "rm -rf .dvc/cache/files/md5/26 d/2 && t diff && t diff --json && t diff --hide-missing && t diff --md && s data status &&
        j data status --granular --json && cd d && t diff --json && s data status"
'

test_expect_success "what the remote lacks" '
    both "dvc remote add -q -d st .git/st && dvc push -q; rm -rf .git/st/files/md5/b0 &&
        j data status --not-in-remote --json && j data status --not-in-remote --json --granular && j data status --not-in-remote -r st --json d"
'

test_expect_success "errors, empty and foreign repositories" '
    both "t diff nosuch && t diff HEAD nosuch && t data status --untracked-files=x && fresh && t diff && t data status && echo 1 >a &&
        dvc add -q a && t diff && j data status --json && t diff HEAD HEAD~1 && t diff nosuch --json" &&
    both "find . -mindepth 1 -delete && dvc init -q --no-scm && echo 1 >a && dvc add -q a && t diff && t data status && t data status --json"
'

test_expect_success "targets that are nowhere are named" '
    both data && at ours && test_expect_code 255 nephron diff --targets f nosuch 2>err && grep "No such file or directory: .nosuch." err
'

test_expect_success "in a folder of a git repository, and with a file that becomes a folder" '
    both "find . -mindepth 1 -delete && git init -q -b main . && mkdir sub && cd sub && dvc init -q --subdir && echo 1 >a && mkdir b && echo 2 >b/2 &&
        dvc add -q a b && git add -A && git commit -qm 1 && rm -rf a b && mkdir a && echo 1 >a/1 && echo bb >b && t diff --json &&
        dvc add -q a b && git add -A && git commit -qm 2 && t diff HEAD~1 HEAD && t diff HEAD~1 --show-hash && echo x >../out && s data status --untracked-files"
'

test_done
