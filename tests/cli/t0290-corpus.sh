#!/bin/sh
# Every dvc.yaml of the corpus of public repositories, read by the real DVC and by Nephron: the same stages, edges and orders.
test_description='the corpus as DVC reads it'
. /usr/share/sharness/sharness.sh
. "$NEPHRON_SOURCE_DIR/tests/cli/dvc-lib.sh"
require_dvc

corpus=${NEPHRON_SHARED:-$NEPHRON_SOURCE_DIR/../shared}/data/dvc-corpus
if ! test -d "$corpus"
then
	skip_all="no corpus at $corpus"
	test_done
fi

test_expect_success 'the same stages, or refused by both' '
	"$python" "$NEPHRON_SOURCE_DIR/tests/peer/corpus_stages.py" "$corpus" \
		"$NEPHRON_STAGE_DUMP" >report
	status=$?
	cat report
	grep "^84 dvc.yaml files, .* 0 differences$" report && test $status = 0
'

test_done
