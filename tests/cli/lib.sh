# lib.sh - what the tests of the command share; source it first. Leaves the shell in an empty folder of its own, which is
# removed at the end. ELBOW names the command.
# shellcheck shell=sh
set -u
: "${ELBOW:?}"
LC_ALL=C
export LC_ALL
scratch=$(mktemp -d)
trap 'chmod -R u+w "$scratch"; rm -rf "$scratch"' EXIT
trap 'exit 1' INT TERM
cd "$scratch" || exit 1

# fail TEXT: what went wrong, what the command said last, and the end.
fail() {
    printf 'FAILED: %s\n' "$1"
    [ ! -f out ] || sed 's/^/  stdout: /' out
    [ ! -f err ] || sed 's/^/  stderr: /' err
    exit 1
}

# ok COMMAND...: must succeed; its output is in the files out and err.
ok() {
    code=0
    "$@" >out 2>err </dev/null || code=$?
    [ "$code" -eq 0 ] || fail "exit code $code of: $*"
}

# refuse CODE PATTERN COMMAND...: must exit with CODE, print nothing to stdout, and say one sentence that matches.
refuse() {
    expected=$1 pattern=$2
    shift 2
    code=0
    "$@" >out 2>err </dev/null || code=$?
    [ "$code" -eq "$expected" ] || fail "exit code $code, not $expected, of: $*"
    [ ! -s out ] || fail "something on stdout from: $*"
    [ "$(grep -c '^elbow' err)" -eq 1 ] || fail "not one sentence from: $*"
    tail -n 1 err | grep -Eq -- "$pattern" || fail "the sentence does not match '$pattern': $*"
}

# says PATTERN [FILE]: a line of FILE (out) matches.
says() { grep -Eq -- "$1" "${2:-out}" || fail "'$1' is not in ${2:-out}"; }

# same A B: two files with the same bytes.
same() { cmp -s "$1" "$2" || fail "$1 and $2 differ"; }

# json [FILE]: one valid JSON object, by the word of the command's own JSON reader.
json() {
    answer=$(tr -d '\n' <"${1:-out}" | "$ELBOW" bench --worker 2>&1)
    case $answer in
    *'one JSON object'*) fail "${1:-out} is not one JSON object" ;;
    *error*) ;;
    *) fail "${1:-out} could not be checked: $answer" ;;
    esac
}

# number FILE KEY: a number out of a flat JSON object.
number() { tr -s ',{}' '\n' <"$1" | sed -n "s/^ *\"$2\": *//p"; }

# bytes COUNT FIRST: so many bytes from 1 to 250, never 0.
bytes() { awk -v n="$1" -v s="$2" 'BEGIN { for (i = 0; i < n; i++) { s = (s * 37 + 11) % 250; printf "%c", s + 1 } }'; }

# npy FILE DESCR SHAPE: the header of an NPY file, to which values are to be appended.
npy() {
    printf '\223NUMPY\001\000\166\000' >"$1"
    printf "%-117s\n" "{'descr': '$2', 'fortran_order': False, 'shape': ($3), }" >>"$1"
}

# images FILE COUNT: 8-bit images of 4 x 4.
images() {
    npy "$1" '|u1' "$2, 4, 4"
    bytes "$(($2 * 16))" 7 >>"$1"
}

# table FILE ROWS: three columns of numbers under a header.
table() {
    awk -v n="$2" 'BEGIN { print "a,b,c"; for (i = 0; i < n; i++) { t = i / n * 6.28318
        printf "%.4f,%.4f,%.4f\n", cos(t), sin(t), cos(t) * sin(t) } }' >"$1"
}
