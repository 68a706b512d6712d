#!/bin/sh

test_description='disks that are full, in bytes and in files, limits of file sizes, disks that became read-only'

. /usr/share/sharness/sharness.sh
. "$NEPHRON_SOURCE_DIR/tests/cli/dispatch-lib.sh"

if unshare -m mount -t tmpfs none /mnt 2>/dev/null; then test_set_prereq MOUNTS; fi

# 100 KB each of outputs and cache
test_expect_success 'the usual disk' '
    new_repo usual && cd usual && seq 20000 >in && cat >dvc.yaml <<-\EOF &&
	stages:
	  one: {cmd: cp in one.out, deps: [in], outs: [one.out]}
	  two: {cmd: "mkdir two && cp one.out two/a && echo b >two/b", deps: [one.out], outs: [two]}
	  three: {cmd: cp two/b three.out, deps: [two], outs: [three.out]}
	EOF
    cp -a . ../template && nephron repro -q
'

at .
cat >everything <<-\EOF
	find . -path ./.git -prune -o -path ./.dvc/tmp -prune -o -path ./.nephron -prune -o -type f -print0 | sort -z | xargs -0 md5sum
EOF

# on_disk MOUNT-OPTION: a repro in a tmpfs that was changed so, then another after the disk is whole again
cat >on_disk <<-\EOF
	set -e
	top=$PWD
	mount -t tmpfs -o size=16m none /mnt
	cp -a template /mnt/r
	cd /mnt/r
	bytes=$(df --output=used -k /mnt | tail -n 1) files=$(df --output=iused /mnt | tail -n 1)
	eval "mount -o remount,$1 /mnt"
	code=0
	nephron repro >"$top"/out 2>"$top"/err || code=$?
	echo "$1: exit $code"
	cat "$top"/err
	test $code -lt 126 || test $code -ge 251
	# the stage's own program may have met the full disk first
	test $code = 0 || grep -q "$2\|exited with" "$top"/err
	nephron stage list >/dev/null
	nephron status --json >/dev/null
	mount -o remount,rw,size=16m,nr_inodes=100000 /mnt
	nephron repro -q
	sh "$top"/everything >"$top"/actual
	test -z "$(find . -name '.nephron-*.tmp')"
	cmp "$top"/expect "$top"/actual
EOF
(cd usual && sh ../everything) >expect

test_expect_success MOUNTS 'a disk that is full after a few KB more' '
    at . && for i in 0 1 2 3 4 5 6 7 8 9 10 12 14 16 18 20 22 24 28 32; do
        unshare -m sh ./on_disk "size=\$((bytes + $i * 16))k" "No space left" || return 1
    done
'

test_expect_success MOUNTS 'a disk that can hold a few files more' '
    at . && for i in 1 3 5 8 11 14 17 20 25 30; do
        unshare -m sh ./on_disk "nr_inodes=\$((files + $i))" "No space left" || return 1
    done
'

test_expect_success MOUNTS 'a disk that became read-only' '
    at . && unshare -m sh ./on_disk ro "Read-only file system"
'

for blocks in 0 1 8 64 100 200; do
    test_expect_success "no file beyond $blocks blocks (ulimit -f)" '
        at . && rm -rf limited && cp -a template limited && cd limited &&
        { (ulimit -f '$blocks' && exec nephron repro >/dev/null 2>/dev/null); code=$?; } &&
        { test $code -lt 126 || test $code -ge 251; } && nephron repro -q && sh ../everything >../actual &&
        cmp ../expect ../actual && test -z "$(find . -name ".nephron-*.tmp")"
    '
done

test_expect_success 'the message of a file that may not grow names file and reason' '
    at usual && { cat in && echo more; } >add.bin &&
    { (ulimit -f 64 && exec nephron add add.bin 2>../err); code=$?; } && test $code = 1 &&
    grep "cannot write a copy of .*add.bin: File too large" ../err && test ! -e add.bin.dvc && nephron add -q add.bin
'

test_done
