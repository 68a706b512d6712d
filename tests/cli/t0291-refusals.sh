#!/bin/sh
# Wrong dvc.yaml files: the real DVC and Nephron say the same, line for line.
test_description='refusals in the words of DVC'
. /usr/share/sharness/sharness.sh

dvc=${NEPHRON_DVC:-$(command -v dvc)}
if ! "${dvc:-/nonexistent/dvc}" --version >/dev/null 2>&1
then
	skip_all='no DVC: set NEPHRON_DVC to its program'
	test_done
fi

test_expect_success 'every case' '
	python3 "$NEPHRON_SOURCE_DIR/tests/peer/refusals.py" "$dvc" "$NEPHRON_STAGE_DUMP" \
		"$NEPHRON_SOURCE_DIR/tests/peer/refusals.txt" >report
	status=$?
	cat report
	grep " 0 differences$" report && test $status = 0
'

test_done
