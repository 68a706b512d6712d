#!/bin/sh
# Sources are laid out as clang-format-14 and .clang-format say.

test_description='layout of the sources'
. /usr/share/sharness/sharness.sh

if ! command -v clang-format-14 >/dev/null; then
    skip_all='SKIP: clang-format-14 is not installed'
    test_done
fi

# Prints the files below a folder that would be changed.
unformatted() {
    find "$@" -name '*.[ch]' -print0 | xargs -0 -P 2 -n 40 clang-format-14 --dry-run 2>&1 |
        sed -n 's/:[0-9]*:[0-9]*: warning: code should be clang-formatted.*//p' | sort -u
}

test_expect_success 'a file that is not formatted is found' '
    cp "$NEPHRON_SOURCE_DIR/.clang-format" . && mkdir planted &&
    printf "int f(int x) {return x;}\n" >planted/f.c && printf "int g(int x);\n" >planted/g.h &&
    unformatted planted >found && echo planted/f.c >expect && test_cmp expect found
'

test_expect_success 'all files are formatted; else: clang-format-14 -i FILE' '
    cd "$NEPHRON_SOURCE_DIR" && unformatted base coordinator nn track worker tests >"$SHARNESS_TRASH_DIRECTORY/found" &&
    cat "$SHARNESS_TRASH_DIRECTORY/found" && ! [ -s "$SHARNESS_TRASH_DIRECTORY/found" ]
'

test_done
