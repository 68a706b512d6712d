#!/bin/sh
# Is the work linear in the number of stages? Runs repro_1000.sh with 1,000 and 10,000 stages (or N and 10 N), prints its two
# lines and the ratio of what one stage costs: 1 is linear.   repro_linear.sh [N] [J] [wide|chain]
n=${1:-1000} jobs=${2:-2} shape=${3:-wide}
bench=$(dirname "$0")/repro_1000.sh
small=$("$bench" "$n" "$jobs" "$shape") && echo "$small" && large=$("$bench" $((n * 10)) "$jobs" "$shape") && echo "$large" || exit 1
printf "%s\n%s\n" "$small" "$large" | tr -d '{}",:' | awk '{
    for (i = 1; i < NF; i++) value[$i] = $(i + 1)
    wall[NR] = value["seconds"] / value["stages"]; cpu[NR] = value["cpu_ms_per_stage"]
} END {
    printf "{\"ratio_seconds_per_stage\": %.2f, \"ratio_cpu_per_stage\": %.2f}\n", wall[2] / wall[1], cpu[2] / cpu[1]
}'
