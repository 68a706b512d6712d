# beside_torch WHAT LABEL OPTION…: `nephron bench WHAT OPTION…` in turns with PyTorch in fp32 (both layouts) and in bf16 autocast (both
# layouts); three comparisons: speed against fp32's better layout, against bf16's, and peak memory against fp32's better layout.
torch_python
steps=${BENCH_STEPS:-3}

torch_side() { # LIST OPTION…
    list=$1
    shift
    "$python" "$here/torch_bench.py" "$what" --threads "$threads" --steps "$steps" "$@" >>"$list" || fail "PyTorch failed"
}

# Median of key $2 over the lines of file $1.
middle_of() {
    field "$2" <"$1" | median
}

# The faster of two files; sets $best.
better() {
    best=$(awk -v a="$(middle_of "$1" img_per_s)" -v b="$(middle_of "$2" img_per_s)" -v fa="$1" -v fb="$2" 'BEGIN { print (a >= b ? fa : fb) }')
}

beside_torch() {
    what=$1 label=$2
    shift 2
    dir=$(mktemp -d) || exit 1
    trap 'rm -rf "$dir"' EXIT
    i=0
    while test $i -lt "$rounds"; do
        "$nephron" bench "$what" --threads "$threads" --steps "$steps" --json "$@" >>"$dir/nephron" || fail "nephron bench failed"
        torch_side "$dir/fp32" "$@"
        torch_side "$dir/fp32 channels_last" --channels-last "$@"
        torch_side "$dir/bf16" --bf16 "$@"
        torch_side "$dir/bf16 channels_last" --bf16 --channels-last "$@"
        i=$((i + 1))
    done
    torch=$(sed -n 's/.*"peer": "\([^"]*\)".*/\1/p' "$dir/fp32" | head -n 1)
    better "$dir/fp32" "$dir/fp32 channels_last"
    fp32=$best
    better "$dir/bf16" "$dir/bf16 channels_last"
    bf16=$best
    speed=$(middle_of "$dir/nephron" img_per_s)
    report "$label" "$speed" img/s "$torch ${fp32##*/}" "$(middle_of "$fp32" img_per_s)"
    report "$label" "$speed" img/s "$torch ${bf16##*/}" "$(middle_of "$bf16" img_per_s)"
    report "$label, CPU time of an image" "$(middle_of "$dir/nephron" cpu_s_per_img)" s "$torch ${fp32##*/}" \
        "$(middle_of "$fp32" cpu_s_per_img)"
    report "$label, peak memory" "$(middle_of "$dir/nephron" peak_rss_bytes)" bytes "$torch ${fp32##*/}" \
        "$(middle_of "$fp32" peak_rss_bytes)"
}
