#!/bin/sh
# docs/reference.md and the program say the same: commands, options, keys, variables, metrics, exit codes.

test_description='reference tables'
. /usr/share/sharness/sharness.sh

lint="$NEPHRON_SOURCE_DIR/tests/lint/reference.py"

test_expect_success 'every command, option, key, variable, metric and exit code has its row' '
    python3 "$lint" check "$NEPHRON_BIN_DIR" "$NEPHRON_SOURCE_DIR"
'

test_expect_success 'a tree in which much is wrong' '
    mkdir -p tree/docs tree/config &&
    cp "$NEPHRON_SOURCE_DIR/docs/reference.md" tree/docs &&
    cp "$NEPHRON_SOURCE_DIR/params.yaml" tree &&
    cp "$NEPHRON_SOURCE_DIR/config/config.yaml" tree/config &&
    for folder in base coordinator nn track worker; do
        cp -r "$NEPHRON_SOURCE_DIR/$folder" tree || return 1
    done &&
    sed -i -e "/^| .CLIP_NORM. /d" -e "s/^| .tracking.prefix. /| \`tracking.prefux\` /" \
        -e "s/--keep-going/--go-on/" -e "s/.site_cache_dir./\`cache_site\`/" tree/docs/reference.md &&
    printf "int f(void)\n{\n    if (getenv(\"NEPHRON_X\")) {\n        return 252;\n    }\n}\n" >>tree/base/err.c &&
    test_expect_code 1 python3 "$lint" check "$NEPHRON_BIN_DIR" tree >found
'

for line in '`CLIP_NORM` has no row' '`tracking.prefix` has no row' 'nothing reads or writes `tracking.prefux`' \
    '`NEPHRON_X` has no row' '`252` has no row' "'commands' differs" "'config-schema' differs"; do
    line=$line test_expect_success "is told: $line" '
        grep -F "$line" found
    '
done

test_done
