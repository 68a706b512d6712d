#!/bin/sh

test_description="lock, cache, run cache, modes and status of a pipeline are DVC's"

. /usr/share/sharness/sharness.sh
. "$NEPHRON_SOURCE_DIR/tests/cli/store-lib.sh"

write_pipeline() {
    cat >dvc.yaml <<-\EOF
	stages:
	  prep:
	    cmd: mkdir -p data; for i in 1 2 3 a-b a.c A; do echo $i > data/$i; done; mkdir -p data/a; echo x > "data/a/ü \" q"; cat in >> data/1
	    deps: [in]
	    outs: [data]
	  train:
	    cmd:
	    - cat data/1 > model
	    - echo '{}' > scores.json
	    deps: [data]
	    params: [lr, net, net.deep, {other.yaml: }]
	    outs: [model]
	    metrics: [{scores.json: {cache: false}}]
	  ex:
	    cmd: cp in tool.sh; chmod +x tool.sh; echo a very long command line with many words so that it must be folded "it's"  > /dev/null
	    deps: [in]
	    outs: [tool.sh]
	  plain:
	    cmd: echo 1 > plain
	    deps: [in]
	    outs: [{plain: {cache: false}}]
	EOF
    printf 'lr: 0.1\nnet:\n  deep: {z: [1, 2]}\n  l: [1, 2.5, x]\n' >params.yaml &&
    printf 'z: 1e-5\na:\n  b: null\n  c: yes\n' >other.yaml && echo raw >in && echo src >src.csv &&
    mkdir raw && echo 1 >raw/1
}

test_expect_success 'the same bytes, names and modes' '
    new_repo theirs && new_repo ours &&
    (cd theirs && write_pipeline && "$dvc" add -q raw src.csv && "$dvc" repro -q >/dev/null) &&
    (cd ours && write_pipeline && "$tool" add raw src.csv && "$tool" repro >/dev/null) &&
    same_repos theirs ours
'

test_expect_success 'each finds the work of the other done' '
    at theirs && "$tool" status >../actual && cd ../ours && "$dvc" status >>../actual &&
    for i in 1 2; do echo "Data and pipelines are up to date."; done >../expect && test_cmp ../expect ../actual
'

# one change after another, each seen alike
change() {
    test_expect_success "status after: $1" '
        at ours && eval "$change" && same_status
    '
}
for change in 'sed -i s/0.1/0.2/ params.yaml' 'rm other.yaml' 'touch in' 'echo more >>in' 'rm data/1' 'rm -r data' \
    'sed -i "s/lr: 0.2/zz: 1/" params.yaml' 'echo 2 >raw/2; rm src.csv' \
    'sed -i "s/    deps: .in.$/    deps: [in, src.csv]/" dvc.yaml' 'sed -i "s/cat data.1/cat  data\/1/" dvc.yaml' \
    'rm -r .dvc/cache/files'; do
    change "$change"
done

test_expect_success 'a finished run is restored from the run cache of the other' '
    at . && rm -rf theirs ours && new_repo theirs && cd theirs && write_pipeline && "$dvc" repro -q >/dev/null &&
    sed -i "s/0.1/0.2/" params.yaml && "$tool" repro train >../actual && sed -i "s/0.2/0.1/" params.yaml &&
    "$tool" repro train >>../actual && sed -i "s/0.1/0.2/" params.yaml && "$dvc" repro train >>../actual &&
    grep -c "^run train" ../actual >../count && grep -c "^restore train" ../actual >>../count &&
    grep -c "is cached - skipping run" ../actual >>../count && printf "1\n1\n1\n" >../expect && test_cmp ../expect ../count
'

test_done
