#!/bin/sh
# In every repository of the corpus the commands that only look answer as the real DVC does, in text and in JSON.
test_description='answers in the corpus are those of DVC'
. /usr/share/sharness/sharness.sh
. "$NEPHRON_SOURCE_DIR/tests/cli/dvc-lib.sh"
require_dvc

corpus=${NEPHRON_SHARED:-$NEPHRON_SOURCE_DIR/../shared}/data/dvc-corpus
if ! test -d "$corpus"
then
	skip_all="no corpus at $corpus"
	test_done
fi

for part in 1/2 2/2
do
	test_expect_success "every other repository, $part" '
		"$python" "$NEPHRON_SOURCE_DIR/tests/peer/corpus_commands.py" "$corpus" "$NEPHRON_BIN_DIR/nephron" \
			"$NEPHRON_STAGE_DUMP" '$part' >report
		status=$?
		cat report
		grep "^2[34] repositories, [23][0-9][0-9] answers, 0 differences$" report && test $status = 0
	'
done

test_done
