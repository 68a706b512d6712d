#!/bin/sh
# What release builds promise against memory faults, read back from the programs.

test_description='hardening of release builds'
. /usr/share/sharness/sharness.sh

build=$(dirname "$NEPHRON_BIN_DIR")
if ! grep -q '^CMAKE_BUILD_TYPE:.*=Release$' "$build/CMakeCache.txt"; then
    skip_all='SKIP: not a release build'
    test_done
fi
if [ "$(uname -m)" = x86_64 ]; then
    test_set_prereq X86
fi

for program in nephron nephron-mpi nephron-xfer; do
    file=$NEPHRON_BIN_DIR/$program
    [ -e "$file" ] || continue
    file=$file test_expect_success "$program is position independent" '
        readelf -hW "$file" >header && grep -E "Type: +DYN \(Position-Independent" header
    '
    file=$file test_expect_success "$program resolves its symbols at start and then locks them" '
        readelf -dW "$file" >dynamic && grep BIND_NOW dynamic && readelf -lW "$file" >segments && grep GNU_RELRO segments
    '
    file=$file test_expect_success "$program has no executable stack, no writable code" '
        readelf -lW "$file" >segments && grep -E "GNU_STACK.* RW " segments &&
        test_must_fail grep -E "(LOAD|GNU_STACK).* RWE " segments
    '
    file=$file test_expect_success "$program checks its stack frames and buffers" '
        readelf -sW --dyn-syms "$file" >symbols && grep __stack_chk_fail symbols && grep -E "__(memcpy|snprintf|vsnprintf)_chk" symbols
    '
    file=$file test_expect_success X86 "$program marks where calls may land" '
        objdump -d --no-show-raw-insn --disassemble=main "$file" >code && grep endbr64 code
    '
done

test_expect_success 'a program without all that is found out' '
    echo "int main(void) { return 0; }" >bare.c && cc -no-pie -Wl,-z,norelro,-z,lazy bare.c -o bare &&
    readelf -hW bare >header && test_must_fail grep -E "Type: +DYN \(Position-Independent" header &&
    readelf -dW bare >dynamic && test_must_fail grep BIND_NOW dynamic &&
    readelf -lW bare >segments && test_must_fail grep GNU_RELRO segments &&
    readelf -sW --dyn-syms bare >symbols && test_must_fail grep __stack_chk_fail symbols
'

test_done
