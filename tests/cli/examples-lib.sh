# The runnable examples of README.md and docs/, in a small copy of the demo: run_examples LABEL ("-": those without a label).

export PATH="$NEPHRON_BIN_DIR:$PATH"

small_demo() {
    cp -r "$NEPHRON_SOURCE_DIR/dvc.yaml" "$NEPHRON_SOURCE_DIR/params.yaml" "$NEPHRON_SOURCE_DIR/config" . &&
    sed -i 's/patients=[0-9]*&slices=[0-9]*&size=[0-9]*/patients=6\&slices=2\&size=48/' config/config.yaml &&
    sed -i -e 's/^EPOCHS: .*/EPOCHS: 1/' -e 's/^IMAGE_SIZE: .*/IMAGE_SIZE: [32, 32, 3]/' params.yaml &&
    git init -q . && git config user.name you && git config user.email you@example.org &&
    nephron init -q && git add . && git commit -qm demo
}

run_examples() {
    label=$1 count=0
    for file in README.md docs/architecture.md docs/formats.md docs/reference.md; do
        rm -rf "$SHARNESS_TRASH_DIRECTORY/blocks"
        file=$file test_expect_success "$file is taken apart" '
            mkdir -p blocks &&
            python3 "$NEPHRON_SOURCE_DIR/tests/lint/examples.py" "$label" "$NEPHRON_SOURCE_DIR/$file" blocks
        '
        for block in "$SHARNESS_TRASH_DIRECTORY"/blocks/*.sh; do
            [ -e "$block" ] || continue
            count=$((count + 1))
            block=$block test_expect_success "$file:$(basename "$block" .sh | sed 's/^0*//') works" '
                cat "$block" && (cd demo && sh "$block")
            '
        done
    done
    test_expect_success 'there were examples' '[ "$count" -gt 0 ]'
}
