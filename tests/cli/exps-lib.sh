# Shared by t034*: a repository with experiments, made once by the real DVC; each side works on a copy of its own.
# The form of dates that DVC's git library reads.
GIT_AUTHOR_DATE="1767323045 +0000" GIT_COMMITTER_DATE="1767323045 +0000"

pipeline() {
    cat >dvc.yaml <<-'EOF'
	stages:
	  train:
	    cmd: sh train.sh
	    deps: [in.txt, train.sh]
	    params: [lr, net.depth]
	    outs: [model]
	    metrics:
	    - m.json: {cache: false}
	EOF
    cat >train.sh <<-'EOF'
	lr=$(sed -n 's/^lr: //p' params.yaml)
	mkdir -p model && echo "$lr" >model/w && echo one >model/c
	echo "{\"acc\": $lr, \"val\": {\"loss\": 0.123456789, \"name\": \"x,y\"}, \"n\": 3}" >m.json
	EOF
    printf 'lr: 0.5\nnet: {depth: 2, sizes: [1, 2.5]}\nnote: hi\n' >params.yaml && echo data >in.txt && echo "/m.txt" >.gitignore
}

# The DVC remote of both. Its path is absolute: DVC reads a relative one, found in a commit, from the root of the file system.
store=$SHARNESS_TRASH_DIRECTORY/store

# In ./base: three commits; experiments of the second and of HEAD; a git remote beside it, and a DVC remote.
make_base() {
    turn=theirs && mkdir base && (
        at base && git init -q -b main . && dvc init -q && pipeline && dvc remote add -q -d store "$store" && git add -A && git commit -qm one && git tag v0 &&
            dvc repro -q && git add -A && GIT_COMMITTER_DATE="1767323145 +0000" git commit -qm two && dvc exp run -q -S lr=0.25 -n old && git checkout -q -- . &&
            git tag -a v1 -m v1 && echo "# more" >>train.sh && dvc repro -q && GIT_COMMITTER_DATE="1767323245 +0000" git commit -qam three &&
            for lr in 1.5 0.75 2; do
                dvc exp run -q -S lr=$lr -n e$lr && git checkout -q -- . || exit 1
            done && dvc checkout -q && git init -q --bare remote.git && git remote add origin remote.git && git push -q origin main &&
            echo /remote.git >>.git/info/exclude && git for-each-ref
    ) >base.log 2>&1 || { cat base.log; return 1; }
}

# both on a copy of it
beside() {
    rm -rf theirs ours && mkdir theirs ours && cp -a base/. theirs/ && cp -a base/. ours/ && both "rm -rf \"\$store\"; $1
        cd \"\$SHARNESS_TRASH_DIRECTORY/\$turn\" && rm -rf remote.git"
}

# refs SCRIPT-side: what git has now
refs() {
    echo "refs:" && git for-each-ref --format='%(objectname) %(refname)' "$@" | grep -v -e EXEC_HEAD -e exec/EXEC_BASELINE
}

