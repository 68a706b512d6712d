#!/bin/sh

test_description='odd places: names, homes, masks, locales, closed descriptors, full and broken outputs'

. /usr/share/sharness/sharness.sh
. "$NEPHRON_SOURCE_DIR/tests/cli/dispatch-lib.sh"

if unshare -m true 2>/dev/null; then test_set_prereq MOUNTS; fi

pipeline() {
    new_repo "$1" && cd "$1" && echo data >in && echo "lr: 1.5" >params.yaml && cat >dvc.yaml <<-\EOF
	stages:
	  one: {cmd: cp in one.out, deps: [in], params: [lr], outs: [one.out]}
	  two: {cmd: "mkdir two && cp one.out two/a && echo '{\"acc\": 0.25}' > m.json", deps: [one.out], outs: [two], metrics: [m.json: {cache: false}]}
	EOF
}

# What a person gets: files, lock, cache.
everything() {
    find . -path ./.git -prune -o -path ./.dvc/tmp -prune -o -path ./.dvc/cache/runs -prune -o -path ./.nephron -prune -o \
        -type f -print0 | sort -z | xargs -0 md5sum
}

test_expect_success 'the usual place' '
    pipeline usual && nephron repro -q && everything >../usual.txt && nephron status >out && grep "up to date" out
'

odd=$(printf 'a b\047c"d\ne\377 $(f)*')
test_expect_success 'a path with blanks, quotes, a newline, bytes that are no text' '
    pipeline "$odd" && nephron repro -q && everything >"../odd.txt" && cmp ../usual.txt ../odd.txt &&
    nephron status >../out && grep "up to date" ../out && nephron explain --json >../out && nephron dag >../out &&
    nephron remote add -q -d store ../remote && nephron push -q && rm -rf .dvc/cache one.out two && nephron pull -q &&
    test -e two/a && nephron add -q in && nephron status --json >../out && python3 -m json.tool <../out >/dev/null
'

test_expect_success 'a path of 3,800 bytes' '
    at . && x=$(printf "%0250d" 0) && long=long && for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14; do long=$long/$x; done &&
    mkdir -p "$(dirname "$long")" && pipeline "$long" && nephron repro -q && everything >"$SHARNESS_TRASH_DIRECTORY/long.txt" &&
    at . && cmp usual.txt long.txt && rm -rf long
'

test_expect_success 'no HOME, a HOME that is read-only, a TMPDIR that is not there' '
    pipeline nohome && (unset HOME && nephron repro -q) && (unset HOME && nephron status) >out && grep "up to date" out &&
    HOME=/proc nephron repro -q -f && HOME=/dev/null nephron repro -q -f && TMPDIR=/nowhere nephron repro -q -f &&
    rm out && everything >../nohome.txt && cmp ../usual.txt ../nohome.txt
'

test_expect_success 'umask 077: nothing is readable for others, everything works' '
    at . && (umask 077 && pipeline masked && nephron repro -q && nephron status) >out && grep "up to date" out && cd masked &&
    everything >../masked.txt && cmp ../usual.txt ../masked.txt &&
    test -z "$(find .dvc/cache one.out dvc.lock \( -type f -o -type d \) -perm /077 ! -perm 444)"
'

test_expect_success MOUNTS 'no /dev/shm, no /tmp to write to' '
    pipeline bare && unshare -m sh -c "mount -t tmpfs none /dev/shm -o ro && nephron repro -q" && everything >../bare.txt &&
    cmp ../usual.txt ../bare.txt
'

for name in de_DE tr_TR; do
    if localedef -i $name -f UTF-8 "$PWD/$name.UTF-8" 2>/dev/null; then test_set_prereq $name; fi
    test_expect_success $name "$name: numbers and letters stay what they are" '
        pipeline '$name' && export LOCPATH="$SHARNESS_TRASH_DIRECTORY" && LC_ALL='$name'.UTF-8 nephron repro -q &&
        everything >../locale.txt && cmp ../usual.txt ../locale.txt && LC_ALL='$name'.UTF-8 nephron metrics show >out &&
        grep "0.25" out && LC_ALL='$name'.UTF-8 nephron CONFIG 2>err; unset LOCPATH; test -s err
    '
done

test_expect_success 'the program never takes the locale of its environment' '
    ! grep -rn "setlocale *(" "$NEPHRON_SOURCE_DIR/base" "$NEPHRON_SOURCE_DIR/coordinator" "$NEPHRON_SOURCE_DIR/nn" \
        "$NEPHRON_SOURCE_DIR/track" "$NEPHRON_SOURCE_DIR/worker" --include="*.c"
'

# Without care the first files that are opened become stdin, stdout and stderr, and answers are printed into them.
for closed in "<&-" ">&-" "2>&-" "<&- >&-" "<&- >&- 2>&-"; do
    test_expect_success "started with $closed" '
        pipeline closed && sed -i "s/cp in one.out/ls -l \/proc\/self\/fd >..\/fds; cp in one.out/" dvc.yaml &&
        { nephron repro '"$closed"'; code=$?; } && case "'"$closed"'" in *" >&-"*|">&-"*) test $code = 1;; *) test $code = 0;; esac &&
        test_expect_code 1 grep -a "\.dvc/\|\.nephron/" ../fds && nephron status >../out && grep "up to date" ../out &&
        test_expect_code 1 grep -ar "Running stage" .dvc/tmp/lock .dvc/tmp/nephron dvc.lock .gitignore &&
        sed -i "s/ls -l .proc.self.fd >...fds; //" dvc.yaml && nephron commit -q -f && everything >../closed.txt && cmp ../usual.txt ../closed.txt
    '
done

test_expect_success 'an answer that cannot be written is an error, for every command' '
    pipeline full && nephron repro -q && git add -A && git commit -qm one && sed -i "s/1.5/2.5/" params.yaml && nephron remote add -q -d store ../full-remote && failed= &&
    for c in "--help" "--version" version status "status --json" "status -c" dag "dag --dot" "dag --mermaid" "stage list" explain \
        "explain --json" "metrics show" "metrics show --json" "params diff" "config -l" "remote list" root "cache dir" "runs ls" \
        "runs ls --json" "repro" "repro -f" push fetch pull "train --help" "predict --help" "weights --help" "ingest --help" \
        "runs --help" "redis status"; do
        nephron $c >/dev/full 2>err && failed="$failed $c" ; grep -q "cannot write" err || failed="$failed $c(silent)"
    done && echo "without an error:$failed" && test -z "$failed"
'

test_expect_success 'a reader that goes away ends the program quietly, or is not needed' '
    pipeline pipe && { nephron repro; echo $? >../code; } 2>err | true && case $(cat ../code) in 0|1|141) ;; *) false;; esac &&
    { nephron explain; echo $? >../code; } 2>err | true && case $(cat ../code) in 0|1|141) ;; *) false;; esac &&
    nephron repro -q && everything >../pipe.txt && rm -f err && nephron status >../out && grep "up to date" ../out
'

test_done
