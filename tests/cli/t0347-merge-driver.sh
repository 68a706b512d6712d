#!/bin/sh

test_description="git-hook merge-driver: .dvc files of folders, beside DVC"

. /usr/share/sharness/sharness.sh
. "$NEPHRON_SOURCE_DIR/tests/cli/peer-lib.sh"

# version NAME FILE=TEXT...: versions/NAME.dvc tracks a folder of these files; both sides start from the same
version() {
    name=$1 && shift && rm -rf d && mkdir d &&
        for x in "$@"; do
            mkdir -p "$(dirname "d/${x%%=*}")" && printf %s "${x#*=}" >"d/${x%%=*}" || return 1
        done && "$dvc" add -q d && mv d.dvc "$versions/$name.dvc" && rm -rf d .gitignore
}
versions=$SHARNESS_TRASH_DIRECTORY/versions

make_versions() {
    mkdir base versions && at base && fresh && version base a=1 b=2 c=3 s/x=4 && version same a=1 b=2 c=3 s/x=4 && version add1 a=1 b=2 c=3 s/x=4 n1=n1 &&
        version add2 a=1 b=2 c=3 s/x=4 n2=n2 sub/n3=3 && version other1 a=1 b=2 c=3 s/x=4 n1=other n2=x && version change_a a=1x b=2 c=3 s/x=4 &&
        version change_a2 a=1y b=2 c=3 s/x=4 && version change_b a=1 b=2y c=3 s/x=4 && version delete_s a=1 b=2 c=3 && version delete_a b=2 c=3 s/x=4 &&
        version delete_as b=2 c=3 && version mixed1 a=A b=2 n0=0 n1=1 n2=2 && version mixed2 a=B c=C n1=x n2=y s/x=4 && version none && version inside a=1 b=2 c=3 s/x=4 n1/k=9 &&
        version odd "q'r/x=1" '\''"'\''=1' && version odd2 a=1 && printf f >d && "$dvc" add -q d && mv d.dvc "$versions/file.dvc" && rm -f d .gitignore && at versions && : >empty.dvc &&
        sed -e "s/path: d/path: e/" add1.dvc >path.dvc && (cat add1.dvc && echo "  desc: hi") >desc.dvc && (cat add2.dvc && echo "  push: true") >default.dvc &&
        (cat add2.dvc && echo "  push: false") >push.dvc && (cat add2.dvc && echo "meta: {k: 1}" && echo "# end") >meta.dvc &&
        (echo "# first" && sed "s/hash: md5/hash: md5 # why/" add1.dvc && echo "desc: text") >comment.dvc && (cat add1.dvc && echo "cmd: ls") >cmd.dvc &&
        (cat add1.dvc && sed -n "2,\$p" file.dvc | sed "s/path: d/path: d2/") >two.dvc && (echo "deps: [{path: x}]" && cat add1.dvc) >deps.dvc &&
        sed "/hash:/d" base.dvc >old.dvc && sed "/hash:/d" add1.dvc >old1.dvc && sed "s/md5: ../md5: 00/" add1.dvc >lost.dvc && echo "outs: 3" >bad.dvc &&
        echo "a: [" >broken.dvc && (cat add1.dvc && echo "wdir: w") >wdir.dvc && (echo "outs:" && echo "- path: d") >unknown.dvc && at .
}

# m ANCESTOR OUR THEIR: what is said, the file that comes of it, and its list
m() {
    echo "merge $*" && cp "$versions/$1.dvc" A && cp "$versions/$2.dvc" O && cp "$versions/$3.dvc" T && t git-hook merge-driver --ancestor A --our O --their T && cat O && rm -f A O T
}

test_expect_success "versions of a folder" '
    make_versions && cp -a base theirs && cp -a base ours
'

test_expect_success "additions, changes and deletions on either side become one folder" '
    both "for v in \"base add1 add2\" \"base add2 add1\" \"base add1 add1\" \"base base add2\" \"base add1 base\" \"base change_a change_b\" \"base change_a change_a\" \
            \"base delete_a delete_s\" \"base delete_a add1\" \"base add1 delete_as\" \"base none add1\" \"none add1 add2\" \"none base none\" \"base same same\" \
            \"base none base\" \"base base none\" \"base change_a delete_s\"; do m \$v || exit 1; done"
'

test_expect_success "what contradicts itself is named, and nothing is written" '
    both "for v in \"base change_a change_a2\" \"base change_a delete_a\" \"base add1 other1\" \"base delete_a delete_a\" \"base delete_as delete_as\" \"base delete_s delete_as\" \
            \"base none none\" \"none add1 other1\" \"empty add1 other1\" \"odd odd2 odd2\" \"base other1 mixed2\" \"base change_a none\"; do
            m \$v || exit 1; done"
'

test_expect_success "what we deleted and they changed is named as well: DVC ends in an unexpected error" '
    for v in "base mixed1 mixed2" "base delete_a change_a"; do
        set -- $v && for turn in theirs ours; do
            at $turn && cp "$versions/$1.dvc" A && cp "$versions/$2.dvc" O && cp "$versions/$3.dvc" T &&
                { dvc git-hook merge-driver --ancestor A --our O --their T 2>../$turn.err; echo $? >../$turn.code; } && cmp O "$versions/$2.dvc" && rm A O T || return 1
        done && at . && test_cmp theirs.code ours.code && grep -q "unexpected error" theirs.err && grep "unable to auto-merge" ours.err && cp ours.err "$2.err" || return 1
    done && printf "%s\n" "ERROR: unable to auto-merge the following paths:" a n1 n2 "c: unable to auto-merge the following paths:" a n1 n2 c >expect &&
    test_cmp expect mixed1.err && grep -x a delete_a.err
'

test_expect_success "a file here, a folder of its name there: a conflict, where DVC makes a list that it cannot check out" '
    at ours && cp "$versions/base.dvc" A && cp "$versions/add1.dvc" O && cp "$versions/inside.dvc" T &&
    test_expect_code 255 nephron git-hook merge-driver --ancestor A --our O --their T 2>../err && cmp O "$versions/add1.dvc" && rm A O T && grep -x n1 ../err
'

test_expect_success "versions that track nothing" '
    both "for v in \"empty add1 add2\" \"empty add1 empty\" \"empty empty add1\" \"base empty add1\" \"base add1 empty\" \"empty add1 add1\" \"base empty desc\" \"base cmd empty\" \
            \"base empty cmd\"; do m \$v || exit 1; done"
'

test_expect_success "what is no folder of add, or differs in more than its files, is refused" '
    both "for v in \"file add1 add2\" \"base file add1\" \"base add1 file\" \"empty file file\" \"file file file\" \"base add1 path\" \"path add1 add2\" \"base desc add2\" \"base add1 push\" \
            \"base cmd add2\" \"base add1 cmd\" \"cmd add1 add2\" \"base two add2\" \"base add1 two\" \"base deps add2\" \"base add1 deps\" \"base unknown add1\" \"base add1 unknown\"; do
            m \$v || exit 1; done"
'

test_expect_success "defaults that are written out, notes and comments do not count, and stay on our side" '
    both "for v in \"base add1 default\" \"base add1 meta\" \"base meta add1\" \"base comment add2\" \"base add2 comment\" \"base wdir add2\" \"base add2 wdir\"; do
            m \$v || exit 1; done"
'

test_expect_success "the form of DVC 2: the same list on all sides, or refused" '
    both "for v in \"old old1 old\" \"old old old1\" \"old old1 old1\" \"old add1 add2\" \"base old1 add2\" \"base add1 old1\" \"empty old old1\"; do m \$v || exit 1; done"
'

test_expect_success "a list or a file that is missing or broken: an error, and our version stays" '
    both "for v in \"lost add1 add2\" \"base lost add2\" \"base add1 lost\" \"bad add1 add2\" \"base bad add2\" \"base add1 broken\" \"broken empty empty\"; do
            echo \"merge \$v\" && set -- \$v && cp \"\$versions/\$1.dvc\" A && cp \"\$versions/\$2.dvc\" O && cp \"\$versions/\$3.dvc\" T
            dvc git-hook merge-driver --ancestor A --our O --their T 2>err; echo \"exit \$?\"; test -s err && cmp O \"\$versions/\$2.dvc\" || exit 1; rm -f A O T err; done
        dvc git-hook merge-driver --ancestor nosuch --our .dvcignore --their .dvcignore 2>err; echo \"exit \$?\"; grep nosuch err; rm err
        t git-hook merge-driver --ancestor x --our y; t git-hook merge-driver"
'

test_done
