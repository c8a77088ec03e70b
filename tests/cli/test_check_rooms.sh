#!/bin/sh
# tools/check-rooms on a small tree with one breach of every kind: it must name each, and be content once they are gone.
set -eu
: "${ELBOW_BUILD:?}" "${ELBOW_SOURCE:?}"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
compiler=$(sed -n 's/^CMAKE_C_COMPILER:[A-Z]*=//p' "$ELBOW_BUILD/CMakeCache.txt")
cd "$scratch"
mkdir -p src/base src/tensor src/nn src/dist src/attic include/elbow cli examples bench tests

# build: the two libraries out of src/, as the real build makes them.
build() {
    rm -f libelbow.a ./*.o
    for f in src/*/*.c; do "$compiler" -std=c11 -O1 -fPIC -w -D_GNU_SOURCE -Isrc -Iinclude -c "$f" -o "$(basename "$f" .c).o"; done
    ar rc libelbow.a ./*.o
    "$compiler" -shared -o libelbow.so ./*.o
}
house=$ELBOW_SOURCE
check() { ELBOW_SOURCE=$scratch "$house/tools/check-rooms" "$scratch"; }
# expect TEXT: one line of the report holds it.
expect() {
    grep -qF -- "$1" report || { echo "check-rooms did not say: $1"; cat report; exit 1; }
}

printf '#ifndef ELB_GOOD_H\n#define ELB_GOOD_H\n#endif\n' >src/base/good.h
printf '#include "base/good.h"\nstatic const char *const good_names[] = {"a", "b"};\nconst char *elb_good(int i) { return good_names[i]; }\n' >src/base/good.c
build
check >report || { echo "check-rooms complained of a clean tree:"; cat report; exit 1; }

printf '#include "tensor/t.h"\n#include <dnnl.h>\n' >src/base/up.h
printf '#ifndef ELB_GOOD_H\n#define ELB_GOOD_H\n#endif\n' >src/nn/other.h
printf 'typedef int elb_t;\n' >src/tensor/t.h
printf '#ifndef ELB_X_H\n#define ELB_X_H\n#include "dist/d.h"\n#include "other.h"\n#endif\n' >src/nn/x.h
printf '#ifndef ELBOW_P_H\n#define ELBOW_P_H\n#include "base/good.h"\n#endif\n' >include/elbow/p.h
printf '#include "base/good.h"\n#include "cli.h"\n' >cli/verb.c
printf '#include "base/good.h"\n' >bench/bench_kernels.c
printf '#include "base/good.h"\n' >bench/bench_other.c
printf '\n' >src/attic/old.h
awk 'BEGIN { for (i = 0; i < 800; i++) print ""; printf "/*%119s*/\n", "" }' >tests/long.c
cat >src/base/bad.c <<END
#include <stdio.h>
#include <stdlib.h>
int counter;
static int tally = 1;
int elb_bad(int i) { printf("%d", i); counter += rand(); tally += i; if (i > tally) exit(1); return counter; }
END
build
! check >report || { echo "check-rooms was content with a bad tree"; exit 1; }
expect 'src/base/up.h:1: base may not see tensor'
expect 'src/base/up.h:2: only kernels may include <dnnl.h>'
expect 'src/base/up.h:1: the header guard should be ELB_UP_H'
expect 'src/nn/other.h:1: the header guard should be ELB_OTHER_H'
expect 'src/nn/other.h:1: the header guard ELB_GOOD_H is also that of src/base/good.h'
expect 'src/tensor/t.h: no header guard'
expect 'src/nn/x.h:3: nn may not see dist'
expect 'src/nn/x.h:4: write "room/other.h"'
expect 'include/elbow/p.h:3: public headers include <elbow/...>'
expect 'cli/verb.c:1: cli sees only <elbow/...>'
expect 'bench/bench_other.c:1: bench sees only <elbow/...>'
expect 'src/attic/ is not a room'
expect 'tests/long.c: 801 lines'
expect 'tests/long.c:801: 123 columns; a line stops at 120'
expect 'libelbow.so exports counter'
expect 'refers to exit'
expect 'refers to rand'
expect 'keeps 4 bytes of variables in .bss'
expect 'keeps 4 bytes of variables in .data'
grep -q 'refers to .*printf' report || { echo "check-rooms missed printf"; exit 1; }
if grep -q 'cli/verb.c:2\|bench_kernels\|good\.c' report; then
    echo "check-rooms complained of what is allowed:"
    cat report
    exit 1
fi
