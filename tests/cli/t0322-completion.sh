#!/bin/sh

test_description="completion: scripts that shells understand, made from the tables of options"

. /usr/share/sharness/sharness.sh
. "$NEPHRON_SOURCE_DIR/tests/cli/dispatch-lib.sh"

# complete_bash WORD...: what bash would offer for the last word, sorted.
complete_bash() {
    bash --norc -c '
        source ./bash.sh || exit 9
        COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) && _nephron && printf "%s\n" "${COMPREPLY[@]}"
    ' bash "$@" | sort
}

test_expect_success "setup" '
    new_repo r && cd r && nephron completion -s bash >bash.sh && nephron remote add -d store ../s && nephron remote add other ../o &&
    git tag v1 HEAD 2>/dev/null || git commit -qm x --allow-empty && git tag -f v1 >/dev/null &&
    printf "stages:\n  prep:\n    cmd: echo 1\n  train:\n    cmd: echo 2\n" >dvc.yaml && touch data.csv
'

test_expect_success "bash: commands, options, subcommands" '
    at r && bash -n bash.sh && complete_bash nephron re >got && printf "%s\n" redis remote remove repro >want && test_cmp want got &&
    complete_bash nephron remote re >got && printf "%s\n" remove rename >want && test_cmp want got &&
    complete_bash nephron --cd . push --re >got && printf "%s\n" --recursive --remote >want && test_cmp want got &&
    complete_bash nephron train --fr >got && echo --fresh >want && test_cmp want got
'

test_expect_success "bash: stages, remotes, revisions, files" '
    at r && complete_bash nephron freeze p >got && printf "%s\n" prep >want && test_cmp want got &&
    complete_bash nephron push -r "" >got && printf "%s\n" other store >want && test_cmp want got &&
    complete_bash nephron remote remove st >got && echo store >want && test_cmp want got &&
    complete_bash nephron add da >got && echo data.csv >want && test_cmp want got
'

test_expect_success "every command has a case in every script" '
    at r && nephron completion -s zsh >zsh.sh && nephron completion -s fish >fish.sh && head -1 zsh.sh | grep -x "#compdef nephron" &&
    for c in $(nephron --help-table | sed -n "s/^command\t\t\([^\t]*\).*/\1/p"); do
        grep -q "^    .$c.)" bash.sh && grep -q "^    .$c.)" zsh.sh && grep -q " -a $c -d " fish.sh || { echo "$c"; return 1; }
    done && test_expect_code 254 nephron completion -s tcsh
'

test -n "$(command -v zsh)" && test_set_prereq ZSH
test_expect_success ZSH "zsh reads its script" "at r && zsh -n zsh.sh"
test -n "$(command -v fish)" && test_set_prereq FISH
test_expect_success FISH "fish reads its script" "
    at r && fish -n fish.sh && fish -c 'source fish.sh; complete -C \"nephron rem\"' | cut -f1 | sort >got && printf '%s\n' remote remove >want && test_cmp want got
"

test_done
