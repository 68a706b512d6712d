#!/bin/sh
# Wrong dvc.yaml files: the real DVC and Nephron say the same, line for line.
test_description='refusals in the words of DVC'
. /usr/share/sharness/sharness.sh
. "$NEPHRON_SOURCE_DIR/tests/cli/dvc-lib.sh"
require_dvc

test_expect_success 'every case' '
	"$python" "$NEPHRON_SOURCE_DIR/tests/peer/refusals.py" "$NEPHRON_STAGE_DUMP" \
		"$NEPHRON_SOURCE_DIR/tests/peer/refusals.txt" >report
	status=$?
	cat report
	grep " 0 differences$" report && test $status = 0
'

test_done
