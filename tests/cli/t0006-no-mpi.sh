#!/bin/sh

test_description="a build without MPI: it does nothing that the whole build, which is here, has not done already"

. /usr/share/sharness/sharness.sh

build=$(dirname "$NEPHRON_BIN_DIR")
if ! test -e "$build/build.ninja" || ! command -v ninja >/dev/null; then
    skip_all="the build is not one by ninja"
    test_done
fi

# The commands of a build tree, free of its own name; quotes come and go with what is in that name.
commands() {
    ninja -C "$1" -t commands | sed "s#$1#BUILD#g" | tr -d "\"" | sort -u
}

# From the same settings, so that the commands are the same, too.
configure() {
    sed -n "s/^\(CMAKE_BUILD_TYPE\|CMAKE_C_COMPILER\|CMAKE_C_COMPILER_LAUNCHER\|CMAKE_C_FLAGS\|NEPHRON_[A-Z_]*\):[A-Z]*=\(.*\)/-D\1=\2/p" \
        "$build/CMakeCache.txt" | grep -v "^-DNEPHRON_\(MPI\|ARCHIVE_[a-z]*\)=" >settings &&
        tr "\n" "\0" <settings | xargs -0 cmake -G Ninja -S "$NEPHRON_SOURCE_DIR" -B "$PWD/$1" "-DNEPHRON_MPI=$2" >"$1.log" 2>&1
}

test_expect_success "it configures, and makes nephron and nephron-xfer, not nephron-mpi" '
    configure off OFF && ninja -C off -t targets all >targets && grep "^bin/nephron:" targets && grep "^bin/nephron-xfer:" targets &&
    test_expect_code 1 grep -e "nephron-mpi" -e "libworker" targets
'

test_expect_success "each of its commands, compilers and linkers, is one of the whole build" '
    commands "$build" >whole && commands "$PWD/off" >part && test "$(wc -l <part)" -gt 300 && comm -13 whole part >more && test_must_be_empty more
'

test_expect_success "... a library that only the whole build makes is found" '
    sed -i "s#^  LINK_LIBRARIES = #&-lworker #" off/build.ninja && commands "$PWD/off" >part && comm -13 whole part | grep -e "-o bin/nephron .*-lworker"
'

test_done
