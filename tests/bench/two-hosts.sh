#!/bin/sh
# Two hosts over a slow network against one: network namespaces joined by a cable of 1 Gb/s, then of 100 Mb/s; 8 images and one
# thread a rank; beside PyTorch's DDP over gloo. Needs root.
#   two-hosts.sh [allreduce]      allreduce: instead, how fast sums are over 1 Gb/s
# The figure is the efficiency: images a second of both ranks together by those of the same two ranks each by itself, measured in turns.
name=two-hosts
. "$(dirname "$0")/bench-lib.sh"
test "$(id -u)" = 0 || skip "network namespaces need root"
for tool in ip tc mpirun; do
    command -v $tool >/dev/null || skip "needs $tool"
done
net=10.99.$(($$ % 250)) a=nephron-a-$$ b=nephron-b-$$ steps=${BENCH_STEPS:-3} batch=${BENCH_BATCH:-8} model=${BENCH_MODEL:-vgg16}
dir=$(mktemp -d) || exit 1
clean_up() {
    ip netns del $a 2>/dev/null
    ip netns del $b 2>/dev/null
    rm -rf "$dir"
}
trap clean_up EXIT
trap 'exit 130' INT TERM
ip netns add $a 2>/dev/null && ip netns add $b && ip link add na$$ type veth peer name nb$$ || skip "no network namespaces here"
ip link set na$$ netns $a && ip link set nb$$ netns $b && ip -n $a link set na$$ name eth0 && ip -n $b link set nb$$ name eth0 &&
    ip -n $a addr add "$net.1/24" dev eth0 && ip -n $b addr add "$net.2/24" dev eth0 || fail "cannot join the namespaces"
for host in $a $b; do
    ip -n $host link set lo up && ip -n $host link set eth0 up || fail "cannot raise the links of $host"
done

rate() { # 1gbit
    for host in $a $b; do
        ip netns exec $host tc qdisc replace dev eth0 root tbf rate "$1" burst 256kb latency 100ms || skip "no traffic control here"
    done
}

# What mpirun calls instead of ssh. Names and folders of their own: Open MPI's daemons would meet in /tmp/ompi.HOST otherwise.
mkdir "$dir/$a" "$dir/$b" || exit 1
cat >"$dir/agent" <<SH || exit 1
#!/bin/sh
host=\$1
shift
exec ip netns exec "\$host" unshare --uts sh -c "hostname \$host; TMPDIR=$dir/\$host; export TMPDIR; \$*"
SH
chmod +x "$dir/agent"
ranks() {
    (cd "$dir" && ip netns exec $a mpirun -n 2 --host $a:1,$b:1 --bind-to none --mca plm_rsh_agent "$dir/agent" --mca pml ob1 \
        --mca btl tcp,self --mca btl_tcp_if_include eth0 --mca oob_tcp_if_include eth0 "$bin/nephron-mpi" "$@" 2>"$dir/errors") ||
        { cat "$dir/errors" >&2; fail "nephron-mpi $1 $2 failed"; }
}

ours() { # LABEL OPTION…
    label=$1
    shift
    ranks bench train --model "$model" --batch "$batch" --threads 1 --steps "$steps" --rounds "$rounds" --json "$@" >"$dir/json" || exit 1
    efficiency=$(field efficiency <"$dir/json")
    speed=$(field img_per_s <"$dir/json")
    cat "$dir/json" >>"${BENCH_KEEP:-/dev/null}"
}

# PyTorch's side; sets $theirs to its efficiency, "" without PyTorch.
python=${NEPHRON_TORCH_PYTHON:-$peers/torch/bin/python}
ddp() {
    theirs=
    test -x "$python" || return 0
    for rank in 1 0; do
        host=$a
        test $rank = 0 || host=$b
        GLOO_SOCKET_IFNAME=eth0 ip netns exec $host "$python" "$here/torch_ddp.py" --rank $rank --master "$net.1" --model "$model" \
            --batch "$batch" --steps "$steps" --rounds "$rounds" "$@" >"$dir/ddp.$rank" 2>"$dir/ddp.errors" &
    done
    wait
    theirs=$(field efficiency <"$dir/ddp.0")
    cat "$dir/ddp.0" >>"${BENCH_KEEP:-/dev/null}"
    test -n "$theirs" || { tail -n 3 "$dir/ddp.errors" >&2; echo "SKIP $name: DDP did not run" >&2; }
}

if test "$1" = allreduce; then
    rate 1gbit
    ranks bench allreduce --max-mb 64
    exit
fi
for case in '1gbit frozen' '1gbit full' '100mbit frozen'; do
    frozen=
    test "${case#* }" = full || frozen=--frozen
    rate "${case% *}"
    ours "$case" $frozen
    test "${case% *}" = 1gbit || frozen="$frozen --steps 1 --rounds 1" # DDP's 478 MB take 40 s a step there
    ddp $frozen
    report "two hosts, ${case% *}, ${case#* }: efficiency" "$efficiency" 1 ${theirs:+"DDP over gloo" "$theirs"}
    report "two hosts, ${case% *}, ${case#* }: speed" "$speed" img/s ${theirs:+"DDP over gloo" "$(field img_per_s <"$dir/ddp.0")"}
done
