#!/bin/sh
# The structure of the tree: who includes whom, names, headers, banned calls, symbols, sizes. Each rule is first shown to
# find a planted fault.

test_description='structure'
. /usr/share/sharness/sharness.sh

lint="$NEPHRON_SOURCE_DIR/tests/lint/structure.py"
build=$(dirname "$NEPHRON_BIN_DIR")
if command -v pmccabe >/dev/null; then
    test_set_prereq PMCCABE
else
    say "SKIP: sizes of functions need pmccabe"
fi

rule() {
    python3 "$lint" "$1" --build "$build"
}

# A small tree in which to plant faults.
plant() {
    mkdir -p tree/tests/lint tree/base tree/track tree/cmake &&
    cp "$NEPHRON_SOURCE_DIR/base/banned.h" tree/base &&
    printf 'base\ntrack base\n<mpi.h> worker\n' >tree/tests/lint/layers.txt
}

# The check named must say the text.
finds() {
    check=$1 text=$2
    shift 2
    test_expect_code 1 python3 "$lint" "$check" --root tree "$@" >found &&
    grep -F -e "$text" found
}

test_expect_success 'folders include what they may' '
    rule includes
'
test_expect_success '... a wrong include, a stranger of a library and an unknown folder are found' '
    plant && printf "#ifndef NEPHRON_RUN_H\n#define NEPHRON_RUN_H\n#endif\n" >tree/track/run.h &&
    printf "#include \"run.h\"\n#include <mpi.h>\n" >tree/base/err.c && mkdir -p tree/nn && echo >tree/nn/gemm.c &&
    finds includes "base/err.c:1: base may not include track/run.h" &&
    grep -F "base/err.c:2: <mpi.h> belongs to worker" found && grep -F "folder nn has no line" found
'

test_expect_success 'file names and numbers of tests are unique, guards have their form' '
    rule names
'
test_expect_success '... the same name twice, a number twice and a wrong guard are found' '
    plant && echo >tree/base/run.c && echo >tree/track/run.c && echo >tree/base/odd.h && echo >tree/tests/t0100-a.sh && echo >tree/tests/lint/t0100-b.sh &&
    finds names "run.c: " && grep -F "base/odd.h: the guard is not NEPHRON_ODD_H" found && grep -F "t0100-b.sh has the same number" found
'

test_expect_success 'headers compile alone' '
    rule headers
'
test_expect_success '... a header that needs another is found' '
    plant && printf "#ifndef NEPHRON_LAME_H\n#define NEPHRON_LAME_H\nsize_t lame(void);\n#endif\n" >tree/base/lame.h &&
    finds headers "base/lame.h: does not compile alone"
'

test_expect_success 'banned calls are refused everywhere' '
    rule banned
'
test_expect_success '... a list with a hole and a file compiled without it are found' '
    plant && sed -i "s/strtok//" tree/base/banned.h && mkdir -p made && echo >tree/base/free.c && echo "int x(void) { return rand(); }" >tree/base/lost.c &&
    printf "[{\"file\": \"%s/tree/base/free.c\", \"command\": \"cc free.c\"}]" "$PWD" >made/compile_commands.json &&
    finds banned "banned.h does not refuse strtok" --build made &&
    grep -F "base/free.c: compiled without base/banned.h" found && grep -F "base/lost.c: no target compiles it" found &&
    grep -F "base/lost.c: calls rand" found
'

test_expect_success 'exported symbols begin with their noun, none is a variable' '
    rule symbols
'
test_expect_success '... a foreign name and a variable are found' '
    plant && mkdir -p made && printf "int graph_count;\nint lock_take(void) { return 0; }\n" >tree/base/graph.c &&
    cc -c tree/base/graph.c -o made/graph.c.o && ar rcs made/libbase.a made/graph.c.o &&
    finds symbols "base/graph.c: lock_take does not begin with graph_" --build made &&
    grep -F "base/graph.c: graph_count is an exported variable" found
'

test_expect_success PMCCABE 'functions and files are of bearable size' '
    rule size
'
test_expect_success PMCCABE '... a long function, a tangled one and a long file are found' '
    plant &&
    { echo "int a(int x)"; echo "{"; yes "    x += 1;" | head -n 210; echo "    return x;"; echo "}"; } >tree/base/long.c &&
    { echo "int b(int x)"; echo "{"; yes "    if (x > 1) { x--; }" | head -n 60; echo "    return x;"; echo "}"; } >tree/base/knot.c &&
    yes "/* */" | head -n 900 >tree/base/tome.h &&
    finds size "base/tome.h: 900 lines" && grep "^base/long.c.* lines" found && grep "^base/knot.c.*complexity 6" found
'

test_expect_success 'sources are named in CMake files' '
    rule cmake
'
test_expect_success '... a GLOB is found' '
    plant && echo "file(GLOB x *.c)" >tree/cmake/x.cmake && finds cmake "file(GLOB)"
'

test_expect_success 'the light program loads no MPI, BLAS, curl, archive or TLS' '
    rule links
'
test_expect_success '... a heavy library is found' '
    plant && mkdir -p made/bin && echo "int main(void) { return 0; }" >main.c &&
    cc main.c -o made/bin/nephron -Wl,--no-as-needed -lcurl && finds links "nephron links libcurl" --build made
'

test_done
