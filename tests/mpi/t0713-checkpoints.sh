#!/bin/sh

test_description="checkpoints of a training: damaged ones are named and passed over; a full disk stops nothing"

. /usr/share/sharness/sharness.sh
. "$NEPHRON_SOURCE_DIR/tests/mpi/train-lib.sh"

at() {
    cd "$SHARNESS_TRASH_DIRECTORY/$1"
}

# The newest checkpoint and the one before it.
newest() {
    find "$1/.nephron/checkpoints" -name "ckpt-*.np" | sort | tail -n 1
}

older() {
    find "$1/.nephron/checkpoints" -name "ckpt-*.np" | sort | tail -n 2 | head -n 1
}

size() {
    wc -c <"$1"
}

# flip FILE PLACE: another byte at an offset, a third of the way, or the end
flip() {
    case $2 in
    third) place=$(($(size "$1") / 3)) ;;
    last) place=$(($(size "$1") - 1)) ;;
    *) place=$2 ;;
    esac
    byte=$(od -An -tu1 -j "$place" -N 1 "$1")
    printf "\\$(printf %o $((byte ^ 64)))" | dd of="$1" bs=1 seek="$place" conv=notrunc 2>/dev/null
}

test_expect_success 'an undisturbed training, and one stopped after its third epoch' '
    small_project calm EPOCHS=6 && cp -r calm stopped && (cd calm && "$N" train -q) &&
    weights calm/artifacts/training/model.pth >expect && cd stopped &&
    { "$N" train 2>../err & } && job=$! && wait_until grep -q "^epoch 3" ../err && kill -USR1 $job &&
    { wait $job; test $? = 85; } && test "$(newest .)" != "$(older .)"
'

# damaged NAME COMMAND…: the stopped training, its checkpoints treated so, goes on
damaged() {
    at . && rm -rf "$1" && cp -r stopped "$1" && new=$(newest "$1") && old=$(older "$1") && shift && eval "$@" &&
    (cd "${new%%/*}" && "$N" train 2>../err) && weights "${new%%/*}/artifacts/training/model.pth" >actual && test_cmp expect actual
}

# passed_over NAME COMMAND…: the same, but ended as soon as it is known from where it goes on
passed_over() {
    at . && rm -rf "$1" && cp -r stopped "$1" && new=$(newest "$1") && old=$(older "$1") && shift && eval "$@" &&
    rm -f err && { (cd "${new%%/*}" && exec "$N" train 2>../err) & } && job=$! && wait_until grep -q -e "^resuming" -e "^epoch" err &&
    { kill -9 $job; wait $job; code=$?; test $code = 137 || test $code = 0; } &&
    grep "$(basename "$new"): " err && went_on_from "$(step_of "$old")"
}

went_on_from() { # STEP
    grep "resuming after step $1," err
}

step_of() {
    basename "$1" .np | sed "s/ckpt-0*//"
}

test_expect_success 'the newest cut in half: refused by name, the one before it is used' '
    damaged cut "truncate -s \$((\$(size \$new) / 2)) \$new" && grep "$(basename $new): the file has" err &&
    went_on_from $(step_of $old)
'

test_expect_success 'the newest empty' '
    passed_over empty ": >\$new" && grep "$(basename $new): the file is empty" err
'

for place in 9 100 5000 third last; do
    test_expect_success "one byte altered at $place" '
        passed_over flipped "flip \$new '"$place"'"
    '
done

test_expect_success 'the newest is gone' '
    damaged gone "rm \$new" && went_on_from $(step_of $old)
'

test_expect_success 'the two have changed names: what is in them counts' '
    damaged swapped "mv \$new x && mv \$old \$new && mv x \$old" && grep "not that of its name" err &&
    went_on_from $(step_of $new)
'

test_expect_success 'none is good: both are named, the training begins anew' '
    damaged none "truncate -s 1000 \$new && flip \$old 70000" && grep "$(basename $new)" err && grep "$(basename $old)" err &&
    test_expect_code 1 grep resuming err
'

test_expect_success "begun on 8 ranks, gone on with 2: the bits of the training that stayed on 8" '
    at . && small_project wide EPOCHS=3 && cp -r wide narrow && (cd wide && ranks 8 "$N" train -q) &&
    weights wide/artifacts/training/model.pth >wanted && cd narrow && rm -f ../err && { mpirun --oversubscribe -n 8 "$N" train </dev/null 2>../err & } && job=$! &&
    wait_until grep -q "^epoch 2" ../err && kill -USR1 $job && { wait $job; true; } && ranks 2 "$N" train 2>../err &&
    grep "resuming after step" ../err && at . && weights narrow/artifacts/training/model.pth >actual && test_cmp wanted actual
'

# 74 MB of parameters and momentum are beyond the limit, the 37 MB of the model are not.
test_expect_success 'no room for a checkpoint: warned each time, nothing left of it, the training goes on' '
    at . && cp -r calm full && rm -r full/artifacts/training && cd full &&
    (ulimit -f 100000 && "$N" train 2>../err) && weights artifacts/training/model.pth >../actual && test_cmp ../expect ../actual &&
    test "$(grep -c "no checkpoint after step .*; the training goes on" ../err)" = 6 && grep "ckpt-.*File too large" ../err &&
    test -z "$(find .nephron -name "*.tmp" -o -name "ckpt-*")"
'

test_expect_success 'told to stop without room: the older checkpoint is where it goes on once there is room' '
    at . && rm -rf full && cp -r stopped full && old=$(newest full) && cd full && rm -f ../err &&
    { (ulimit -f 100000 && exec "$N" train 2>../err) & } && job=$! && wait_until grep -q "no checkpoint after" ../err &&
    kill -USR1 $job && { wait $job; test $? = 85; } && at . && test "$(newest full)" = "$old" &&
    (cd full && "$N" train 2>../err) && went_on_from $(step_of $old) &&
    weights full/artifacts/training/model.pth >actual && test_cmp expect actual
'

test_done
