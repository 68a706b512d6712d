#!/bin/sh

test_description="list, get, import, artifacts get: another repository, as DVC"

. /usr/share/sharness/sharness.sh
. "$NEPHRON_SOURCE_DIR/tests/cli/peer-lib.sh"

# Beside both repositories: a registry with a remote.
test_expect_success "setup" '
    mkdir plain && echo 1 >plain/file.txt && mkdir reg && turn=theirs && (cd reg && git init -q -b main . && dvc init -q && dvc remote add -q -d st ../reg-store &&
        mkdir -p dd/s sub && echo 1 >dd/1 && echo 22 >dd/s/2 && echo f >f && chmod +x f && echo g >sub/gitfile && echo hello >README &&
        dvc add -q dd f && printf "stages:\n  s:\n    cmd: cat f > o; echo 1 > m\n    deps: [f]\n    outs: [o]\n    metrics: [{m: {cache: false}}]\nartifacts:\n  kidney:\n    path: o\n    type: model\n" >dvc.yaml &&
        dvc repro -q && echo s >sub/dv && dvc add -q sub/dv && git add -A && git commit -qm 1 && git tag v1 && git tag -a -m x "kidney@v1.9.0" && echo f2 >f && dvc add -q f &&
        dvc repro -q && git add -A && git commit -qm 2 && git tag -a -m x "kidney@v1.10.0" && git tag -a -m x "kidney#prod#1" HEAD~1 && dvc push -q)
'

test_expect_success "list" '
    both "fresh && for o in \"\" -R --dvc-only \"--dvc-only -R\" \"-R --json\" \"-T\" \"-T -L 1\" \"--show-hash\" \"-R --size --show-hash\" \"--rev nosuch\"; do
        t list ../reg \$o; done; for p in dd \"dd/s -R\" f nosuch sub sub/gitfile \"dd/s/2 --json\" \"dd -R -L 1\"; do t list ../reg \$p; done;
        t list --rev v1 ../reg -R --show-hash; t list ../plain"
'

test_expect_success "list of a clone" '
    at . && mkdir tmp && TMPDIR=$PWD/tmp && export TMPDIR && nephron list "file://$PWD/reg" sub >got && printf "%s\n" .gitignore dv dv.dvc gitfile >want && test_cmp want got &&
    test_expect_code 1 nephron list "file://$PWD/reg" dd --rev v1 2>err && grep "failed to load directory .dd.: .*reg-store" err &&
    nephron list "file://$PWD/reg" dd --rev v1 --remote-config url=reg-store >got && printf "1\ns\n" >want && test_cmp want got && test_expect_code 1 nephron list "file://$PWD/reg" --rev nosuch &&
    test_expect_code 1 nephron list "file://$PWD/nowhere" 2>err && grep "Failed to clone repo" err && rmdir tmp && unset TMPDIR
'

test_expect_success "get" '
    both "fresh && t get ../reg f && t get ../reg f && t get -f ../reg f --rev v1 && cat f && t get ../reg dd && t get ../reg dd/s/2 -o two && t get ../reg README &&
        t get ../reg sub -o subo && find . -path ./.git -prune -o -type f -print | grep -v \\\\.dvc/ | sort && t get ../reg f -o newdir/f &&
        t get ../reg o -o oo --rev v1 && cat oo && t get ../nosuch q 2>&1 | head -1"
'

test_expect_success "get takes from the remote what the cache lacks" '
    mkdir kept && mv reg/.dvc/cache kept/ && (cd reg && rm -rf f dd o sub/dv) &&
    both "fresh && t get ../reg f && t get ../reg dd && cat f dd/s/2 && t get --show-url ../reg f | sed s#/.*/reg-store#STORE#" &&
    chmod -R u+w reg-store/files/md5/57 && echo bad >$(find reg-store/files/md5/57 -type f) && at ours && test_expect_code 1 nephron get ../reg f -o wrong 2>err &&
    grep "other content" err && ! test -e wrong && rm err && at . && mv kept/cache reg/.dvc/ && rm -rf reg-store && (cd reg && nephron checkout -q && nephron push -q)
'

test_expect_success "import from a repository, and update" '
    both "fresh && t import ../reg f -o imp && t import ../reg dd --rev v1 && t import ../reg README && t import ../reg nosuch 2>&1 | head -1; t import ../reg f -o imp;
        t import --no-download ../reg o && t import --no-exec ../reg dd -o ne && t update imp.dvc && git add -A && git commit -qm 1" &&
    (cd reg && echo f3 >f && nephron add -q f && git commit -qam 3) &&
    both "t update imp.dvc && cat imp && t update README.dvc && t update dd.dvc && cat .gitignore"
'

test_expect_success "artifacts: the newest version, one version, a stage" '
    at ours && fresh && nephron artifacts get ../reg kidney && grep -x f2 o && nephron artifacts get ../reg kidney --rev v1.9.0 -o old && grep -x f old &&
    nephron artifacts get ../reg kidney --stage prod -o prod && grep -x f prod && test_expect_code 1 nephron artifacts get ../reg kidney --rev v7 2>err &&
    grep "Unable to find artifact .kidney @ v7." err && test_expect_code 1 nephron artifacts get ../reg nosuch
'

test_done
