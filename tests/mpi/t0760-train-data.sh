#!/bin/sh

test_description='other data sets train without a change of code; the rate that breaks a training leaves a checkpoint'

if ! command -v mpirun >/dev/null 2>&1; then
    echo 'SKIP: this test needs mpirun'
    exit 77
fi

. /usr/share/sharness/sharness.sh
. "$NEPHRON_SOURCE_DIR/tests/mpi/train-lib.sh"

shared=${NEPHRON_SHARED:-$NEPHRON_SOURCE_DIR/../shared}/data

for set in brain-mri chest-ct; do
    if test -d "$shared/$set"; then
        test_set_prereq "$(echo $set | tr a-z- A-Z_)"
    fi
done

# trains NAME: one epoch on the folder NAME of the real inputs, grey, colour, PNG and JPEG as they come.
trains() {
    mkdir -p "$1/config" && cat >"$1/config/config.yaml" <<-YAML &&
	data_ingestion:
	  root_dir: artifacts/data_ingestion
	  source_URL: $shared/$1
	  local_data_file: artifacts/data_ingestion/data.zip
	  unzip_dir: artifacts/data_ingestion
	YAML
    printf '%s\n' 'MODEL: vgg11' 'HEAD: linear' 'IMAGE_SIZE: [32, 32, 3]' 'EPOCHS: 1' 'CLIP_NORM: 5' \
        'AUGMENTATION: True' >"$1/params.yaml" &&
    (cd "$1" && "$NEPHRON_BIN_DIR/nephron-xfer" ingest -q && "$N" prepare -q && "$N" train -q && "$N" evaluate >../$1.table) &&
    test -s "$1/artifacts/training/model.pth" && jq -e ".accuracy > 0 and .accuracy <= 1" "$1/scores.json"
}

test_expect_success BRAIN_MRI 'brain MRI, tumour yes or no' '
    trains brain-mri && grep "^no " brain-mri.table && grep "^yes " brain-mri.table
'

test_expect_success CHEST_CT 'chest CT' '
    trains chest-ct && grep "^adenocarcinoma " chest-ct.table && grep "^normal " chest-ct.table
'

test_expect_success 'a rate that breaks the weights: exit 3, the checkpoint before stays' '
    small_project b EPOCHS=9 "LR_SCHEDULE=step(1,1e30)" CLIP_NORM=0 AUGMENTATION=False &&
    (cd b && test_expect_code 3 "$N" train 2>../broken.err) &&
    grep "not finite in 5 steps in a row" broken.err && has_checkpoint b && test ! -e b/artifacts/training/model.pth
'

test_done
