#!/bin/sh
# The sessions that start ranks.

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
run_examples mpi

test_done
