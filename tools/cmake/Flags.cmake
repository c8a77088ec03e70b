# How everything is compiled. Portable by design: no -march=native and no -ffast-math in any target; the processor is
# detected at run time. Contraction of a*b+c is off: a compiler contracts one copy of a loop and not the other, and an
# element's bits must depend neither on the compiler nor on where it stands; kernels that want an FMA write one.
set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_C_VISIBILITY_PRESET hidden)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_C_FLAGS_RELEASE "-O2")
if(NOT CMAKE_BUILD_TYPE)
    set(CMAKE_BUILD_TYPE Release CACHE STRING "Release, Debug or RelWithDebInfo" FORCE)
endif()

if(ELBOW_FUZZ AND NOT CMAKE_C_COMPILER_ID MATCHES "Clang")
    message(FATAL_ERROR "ELBOW_FUZZ needs clang: configure with -DCMAKE_C_COMPILER=clang.")
endif()
set(elbow_sanitizers ${ELBOW_SANITIZE})
if(ELBOW_FUZZ)
    set(elbow_sanitizers fuzzer-no-link,address,undefined)
endif()
if(elbow_sanitizers)
    add_compile_options(-g -O1 -fno-omit-frame-pointer -fsanitize=${elbow_sanitizers} -fno-sanitize-recover=all)
    add_link_options(-fsanitize=${elbow_sanitizers})
endif()

# elbow_flags(target): the language level, the warnings, and no contraction.
function(elbow_flags target)
    target_compile_definitions(${target} PRIVATE _GNU_SOURCE)
    target_compile_options(${target} PRIVATE -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes
                                             -ffp-contract=off $<$<BOOL:${ELBOW_WERROR}>:-Werror>)
endfunction()
