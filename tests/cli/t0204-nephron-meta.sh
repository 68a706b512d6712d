#!/bin/sh
# meta.nephron: DVC ignores it, Nephron refuses what it does not know, by name.
test_description='meta.nephron in dvc.yaml'
. /usr/share/sharness/sharness.sh
PATH="$NEPHRON_BIN_DIR:$PATH"
export PATH

test_expect_success 'a repository' 'nephron init --no-scm -q'

# with VALUE: dvc.yaml whose stage x has this under meta.nephron
with() {
	printf "stages:\n  x:\n    cmd: \"true\"\n    meta: {nephron: %s}\n" "$1" >dvc.yaml
}

test_expect_success 'known keys pass' '
	with "{ranks: 50%, limit: 2, priority: -1, env: {A: [0, 1]}, timeout: 1h30m, retries: 3}" &&
	nephron dag --dot >out &&
	grep "\"x\";" out
'
test_expect_success 'an unknown key is named, with the known ones' '
	with "{rank: 2}" &&
	test_expect_code 255 nephron dag 2>err &&
	grep "stage .x.: meta.nephron.rank is not a key of Nephron; known: ranks, slots, limit" err &&
	grep "line 4" err
'
test_expect_success 'a wrong value says what was expected' '
	with "{timeout: soon}" &&
	test_expect_code 255 nephron dag 2>err &&
	grep "meta.nephron.timeout: expected seconds above 0" err
'

test_done
