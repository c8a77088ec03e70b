#!/bin/sh
# Installs into an empty folder and builds the examples against it as a user would: through pkg-config (shared and
# static) and through CMake's find_package. Of each way one program is run, one with the shared library and one with the
# static, and both must print the same.
set -eu
: "${ELBOW_BUILD:?}" "${ELBOW_SOURCE:?}"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
prefix=$scratch/prefix

cmake --install "$ELBOW_BUILD" --prefix "$prefix" >"$scratch/install.log" || { cat "$scratch/install.log"; exit 1; }
lib=$(dirname "$(find "$prefix" -name 'libelbow.so')")
export PKG_CONFIG_PATH="$lib/pkgconfig" LD_LIBRARY_PATH="$lib"
compiler=$(sed -n 's/^CMAKE_C_COMPILER:[A-Z]*=//p' "$ELBOW_BUILD/CMakeCache.txt")
# run PROGRAM: in an empty folder of its own; its output is PROGRAM.log.
run() {
    echo "running $1"
    mkdir -p "$1.out"
    (cd "$1.out" && "$1") >"$1.log" 2>"$1.errors" || { cat "$1.errors"; exit 1; }
    [ -s "$1.log" ] || { echo "$1 printed nothing"; exit 1; }
}

"$prefix/bin/elbow" --version >/dev/null
[ -s "$prefix/share/man/man1/elbow.1" ] || { echo "the manual page was not installed"; exit 1; }
for example in "$ELBOW_SOURCE"/examples/*.c; do
    name=$(basename "$example" .c)
    # shellcheck disable=SC2046 # flags are words
    {
        "$compiler" -std=c11 -Wall -Wextra -Werror "$example" -o "$scratch/$name-shared" \
            $(pkg-config --cflags --libs elbow)
        "$compiler" -std=c11 -Wall -Wextra -Werror "$example" -o "$scratch/$name-static" \
            $(pkg-config --cflags elbow) "$lib/libelbow.a" $(pkg-config --static --libs-only-l elbow | sed 's/-lelbow//')
    }
    run "$scratch/$name-shared"
    [ -x "$scratch/$name-static" ]
done

# A C++ program may include every header: its names are C's.
if command -v c++ >/dev/null 2>&1; then
    for header in "$prefix"/include/elbow/*.h; do echo "#include <elbow/$(basename "$header")>"; done >"$scratch/all.cpp"
    echo 'int main() { return elb_status_name(ELB_OK) == nullptr; }' >>"$scratch/all.cpp"
    # shellcheck disable=SC2046 # flags are words
    c++ -std=c++17 -Wall -Wextra -Werror "$scratch/all.cpp" -o "$scratch/all" $(pkg-config --cflags --libs elbow)
    "$scratch/all"
fi

mkdir "$scratch/user"
cat >"$scratch/user/CMakeLists.txt" <<END
cmake_minimum_required(VERSION 3.22)
project(user C)
find_package(elbow 0.1 REQUIRED)
file(GLOB examples "$ELBOW_SOURCE/examples/*.c")
foreach(example IN LISTS examples)
    get_filename_component(name \${example} NAME_WE)
    add_executable(\${name}_shared \${example})
    target_link_libraries(\${name}_shared elbow::elbow)
    add_executable(\${name}_static \${example})
    target_link_libraries(\${name}_static elbow::elbow_static)
endforeach()
END
unset LD_LIBRARY_PATH
cmake -G Ninja -S "$scratch/user" -B "$scratch/user/build" -DCMAKE_PREFIX_PATH="$prefix" -DCMAKE_C_COMPILER="$compiler" \
    >"$scratch/cmake.log" || { cat "$scratch/cmake.log"; exit 1; }
cmake --build "$scratch/user/build" >"$scratch/build.log" || { cat "$scratch/build.log"; exit 1; }
for example in "$ELBOW_SOURCE"/examples/*.c; do
    name=$(basename "$example" .c)
    [ -x "$scratch/user/build/${name}_shared" ]
    run "$scratch/user/build/${name}_static"
    diff "$scratch/$name-shared.log" "$scratch/user/build/${name}_static.log"
done
