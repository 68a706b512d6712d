#!/bin/sh
# The sessions of the documents can be typed as they stand.

test_description='examples of the documents'
. /usr/share/sharness/sharness.sh
. "$NEPHRON_SOURCE_DIR/tests/cli/examples-lib.sh"

if ! [ -x "$NEPHRON_BIN_DIR/nephron-mpi" ]; then
    skip_all='SKIP: built without MPI'
    test_done
fi

test_expect_success 'a small copy of the demo' '
    mkdir demo && (cd demo && small_demo)
'
run_examples -

test_expect_success 'an example that fails is noticed' '
    mkdir bad && printf "text\n\`\`\`console run\n\$ nephron status --no-such-option\n\`\`\`\n" >bad.md &&
    python3 "$NEPHRON_SOURCE_DIR/tests/lint/examples.py" - bad.md bad &&
    (cd demo && test_expect_code 254 sh ../bad/00002.sh)
'

test_done
