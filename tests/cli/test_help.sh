#!/bin/sh
# Every page of help, the manual and the completions: there, complete, and out of one table.
. "$(dirname "$0")/lib.sh"

ok "$ELBOW" --version
says '^elbow [0-9]+\.[0-9]+\.[0-9]+$'
ok "$ELBOW" --help
cp out overview
ok "$ELBOW" help
same out overview
for code in 0 1 2 3 4 5 6 75 130; do says "^ *$code  " overview; done
verbs=$(sed -n '/^Commands/,/^$/s/^  \([a-z]*\) .*/\1/p' overview)
[ "$(echo "$verbs" | wc -l)" -ge 10 ] || fail "only these commands: $verbs"

ok "$ELBOW" man
cp out page
says '^\.TH ELBOW 1' page
ok "$ELBOW" completion bash
cp out script.bash
ok "$ELBOW" completion zsh
cp out script.zsh

for verb in $verbs; do
    ok "$ELBOW" "$verb" --help
    says "^elbow $verb - "
    says '^Options$'
    cp out first
    ok "$ELBOW" "$verb" -h
    same out first
    ok "$ELBOW" help "$verb"
    same out first
    says "^\\.SS elbow $verb" page
    # Every option of the page is in the manual and in both completions.
    for option in $(sed -n 's/^ *\(-[a-z],\)* *--\([a-z-]*\) .*/\2/p' first); do
        says "--$option\b" script.bash
        says "--$option\b" script.zsh
        says "\\\\-\\\\-$(echo "$option" | sed 's/-/\\\\-/g')" page
    done
    refuse 2 "unknown option '--no-such-thing'" "$ELBOW" "$verb" --no-such-thing
done

for key in $("$ELBOW" keys | sed -n 's/^\([a-z_.]*\)=.*/\1/p'); do
    says "$(echo "$key" | sed 's/\./\\./g')" page
    says " $key\b" script.bash
done

# The shells and the formatter, where they are here, take them.
if command -v groff >/dev/null; then
    groff -man -ww -z page 2>warnings
    [ ! -s warnings ] || fail "groff: $(head -n 3 warnings)"
fi
if command -v zsh >/dev/null; then zsh -n script.zsh || fail "zsh cannot read its completion"; fi
if command -v bash >/dev/null; then
    bash -n script.bash || fail "bash cannot read its completion"
    cat >ask.bash <<'END'
source ./script.bash
compopt() { :; }
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
_elbow
printf '%s\n' "${COMPREPLY[@]}"
END
    bash ask.bash elbow tr >out && says '^train$'
    bash ask.bash elbow train --pres >out && says '^--preset$'
    bash ask.bash elbow train --preset av >out && says '^avi$'
    bash ask.bash elbow train --set model.lat >out && says '^model\.latent=$'
    bash ask.bash elbow eval run --estimator i >out && says '^iwae$'
fi
refuse 2 "bash and zsh; did you mean 'bash'" "$ELBOW" completion bsh

# Words that are none.
refuse 2 "unknown command 'tarin'; did you mean 'train'" "$ELBOW" tarin
refuse 2 "unknown command 'xyzzy'; 'elbow help'" "$ELBOW" xyzzy
refuse 2 "no command 'tarin'; did you mean 'train'" "$ELBOW" help tarin
code=0
"$ELBOW" >out 2>err || code=$?
if [ "$code" -ne 2 ] || [ -s out ]; then fail "no command at all: exit code $code"; fi
says '^Commands$' err

# A result that does not arrive is no success; a reader that had enough is none of our business.
lost() {
    code=0
    "$@" 2>err || code=$?
    [ "$code" -eq 1 ] || fail "exit code $code where the result was lost"
    says 'standard output' err
}
if [ -w /dev/full ]; then lost "$ELBOW" man >/dev/full; fi
lost "$ELBOW" man >&-
{ "$ELBOW" man 2>err; echo $? >code; } | head -n 1 >out
[ "$(cat code)" -eq 0 ] || fail "exit code $(cat code) for a reader that leaves"
[ ! -s err ] || fail 'a reader that leaves was complained of'
