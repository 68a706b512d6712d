#!/bin/sh
# A pipeline file that is wrong stops every command that needs it, with DVC's text and exit codes, and changes nothing.
test_description='errors in dvc.yaml'
. /usr/share/sharness/sharness.sh
PATH="$NEPHRON_BIN_DIR:$PATH"
export PATH

test_expect_success 'a repository' 'nephron init --no-scm -q'

# refused TEXT GREP-PATTERN: repro and dag exit 255, status 1; stderr has the pattern
refused() {
	printf "$1" >dvc.yaml &&
	for command in "repro" "dag"
	do
		test_expect_code 255 nephron $command >out 2>err && grep -e "$2" err || return 1
	done &&
	test_expect_code 1 nephron status >out 2>err && grep -e "$2" err &&
	test ! -e dvc.lock
}

test_expect_success 'unknown key' '
	refused "stages:\n  s:\n    bogus: 1\n    cmd: x\n" \
		"^extra keys not allowed, in stages -> s -> bogus, line 3, column 5"
'
test_expect_success 'the headline stands alone' '
	grep "^.\./dvc.yaml. validation failed\.$" err
'
test_expect_success 'missing command' '
	refused "stages:\n  s:\n    deps: [a]\n" \
		"^required key not provided, in stages -> s -> cmd, line 3, column 5"
'
test_expect_success 'syntax' '
	refused "stages:\n  s: [\n" "^.\./dvc.yaml. is invalid\."
'
test_expect_success 'unknown name in a template' '
	refused "stages:\n  s: {cmd: \"x \${nope}\"}\n" \
		"failed to parse .stages.s.cmd. in .dvc.yaml.: Could not find .nope."
'
test_expect_success 'unclosed bracket in a template' '
	refused "stages:\n  s: {cmd: \"x \${a[}\"}\n" "ParseException: Expected end of text"
'
test_expect_success 'vars that clash' '
	echo "lr: 1" >params.yaml &&
	refused "vars: [{lr: 2}]\nstages: {s: {cmd: x}}\n" \
		"cannot redefine .lr. from .vars\[0\]. as it already exists in .params.yaml."
'
test_expect_success 'an output twice: every command that needs the graph' '
	printf "stages:\n  s1: {cmd: x, outs: [o]}\n  s2: {cmd: x, outs: [o]}\n" >dvc.yaml &&
	for command in "repro" "dag"
	do
		test_expect_code 255 nephron $command >out 2>err &&
		grep "output .o. is specified in:" err || return 1
	done
'

test_expect_success 'a merge that was not finished' '
	refused "<<<<<<< HEAD\nstages: {\n=======\n" \
		"^.\./dvc.yaml. is invalid (possible merge conflicts)\.$"
'
test_expect_success 'a lock file of the wrong form stands alone too' '
	printf "stages:\n  s:\n    cmd: echo\n" >dvc.yaml &&
	printf "schema: nonsense\n" >dvc.lock &&
	test_expect_code 1 nephron status 2>err &&
	grep "^.\./dvc.lock. validation failed\.$" err &&
	rm dvc.lock
'

test_done
