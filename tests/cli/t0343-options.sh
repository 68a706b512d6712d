#!/bin/sh

test_description="every command and option of the real dvc: taken, or refused by name and named in the reference"

. /usr/share/sharness/sharness.sh
. "$NEPHRON_SOURCE_DIR/tests/cli/peer-lib.sh"

test_expect_success "the table of DVC's argparse against ours" '
    "$python" "$NEPHRON_SOURCE_DIR/tests/cli/dvc-options.py" "$NEPHRON_BIN_DIR/nephron" "$NEPHRON_SOURCE_DIR/docs/reference.md"
'

test_expect_success "refused options end the command before it does anything" '
    mkdir r && (cd r && git init -q && nephron init -q && test_expect_code 254 nephron import-url --version-aware x 2>err &&
        grep "argument --version-aware: not supported" err && test_expect_code 254 nephron studio login 2>err && grep "studio. is not supported" err &&
        test_expect_code 254 nephron dataset add --dvc x 2>err && grep "import-url" err)
'

test_expect_success "-v before and after the command" '
    (cd r && nephron -v status && nephron status -v && nephron remote list -vv && nephron status --verbose)
'

# DVC asks the source; here nothing may pass for unchanged that never ran.
test_expect_success "a stage that depends on a dataset is refused while nothing is recorded" '
    mkdir u && (cd u && git init -q && nephron init -q && printf "stages:\n  a:\n    cmd: echo hi >o\n    deps: [ds://x]\n    outs: [o]\n" >dvc.yaml &&
        test_expect_code 255 nephron repro 2>err && grep "stage .a. depends on .ds://x" err && test ! -e o)
'

test_done
