# What the library stands on. elbow_libraries ends as full paths and -l names, so that neither the exported CMake package
# nor elbow.pc needs the dependencies' own build files.
find_package(PkgConfig REQUIRED)
set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads REQUIRED)

# elbow_require(variable package): libraries and header folders of one Debian package's .pc file.
function(elbow_require module)
    string(MAKE_C_IDENTIFIER ${module} id)
    pkg_check_modules(${id} REQUIRED QUIET ${module})
    set(elbow_libraries ${elbow_libraries} ${${id}_LINK_LIBRARIES} PARENT_SCOPE)
    set(elbow_include_dirs ${elbow_include_dirs} ${${id}_INCLUDE_DIRS} PARENT_SCOPE)
endfunction()

set(elbow_libraries "")
set(elbow_include_dirs "")
elbow_require(jansson)
elbow_require(libpng)
elbow_require(zlib)
elbow_require(yaml-0.1)

find_path(RANDOM123_INCLUDE_DIR Random123/philox.h)
if(NOT RANDOM123_INCLUDE_DIR)
    message(FATAL_ERROR "Random123/philox.h was not found: install librandom123-dev, or run tools/packages.sh.")
endif()

if(ELBOW_FAST)
    # Not dnnl's own CMake package: it insists on OpenCL's headers, which nothing here uses.
    find_path(DNNL_INCLUDE_DIR oneapi/dnnl/dnnl.h)
    find_library(DNNL_LIBRARY dnnl)
    if(NOT DNNL_INCLUDE_DIR OR NOT DNNL_LIBRARY)
        message(FATAL_ERROR "oneDNN was not found: install libdnnl-dev, or configure with -DELBOW_KERNELS=reference.")
    endif()
    find_path(SLEEF_INCLUDE_DIR sleef.h)
    find_library(SLEEF_LIBRARY sleef)
    if(NOT SLEEF_INCLUDE_DIR OR NOT SLEEF_LIBRARY)
        message(FATAL_ERROR "SLEEF was not found: install libsleef-dev, or configure with -DELBOW_KERNELS=reference.")
    endif()
    # gomp by name and for every compiler: oneDNN's packages are built with it, and two OpenMP runtimes in one process
    # would not know of each other's thread counts.
    list(APPEND elbow_libraries ${DNNL_LIBRARY} ${SLEEF_LIBRARY} gomp)
endif()
list(APPEND elbow_libraries m)
