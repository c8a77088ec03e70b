# Headers, both libraries, the command, its manual page, and the two ways to find them: elbow.pc and a CMake package.
include(CMakePackageConfigHelpers)
set_target_properties(elbow_shared PROPERTIES EXPORT_NAME elbow)
install(TARGETS elbow_shared elbow_static EXPORT elbow_targets
        LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY include/elbow DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h")

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/elbow)
install(EXPORT elbow_targets NAMESPACE elbow:: DESTINATION ${package_dir} FILE elbow-targets.cmake)
configure_package_config_file(tools/cmake/elbow-config.cmake.in elbow-config.cmake INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(elbow-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/elbow-config.cmake ${CMAKE_BINARY_DIR}/elbow-config-version.cmake
        DESTINATION ${package_dir})

# Static linking needs the dependencies spelled as -l flags.
set(elbow_pc_libs "")
foreach(library IN LISTS elbow_libraries)
    get_filename_component(name ${library} NAME_WE)
    string(REGEX REPLACE "^lib" "" name ${name})
    string(APPEND elbow_pc_libs " -l${name}")
endforeach()
string(APPEND elbow_pc_libs " ${CMAKE_THREAD_LIBS_INIT}")
# Relative to where elbow.pc lies, so that an installed tree may be moved.
file(RELATIVE_PATH elbow_pc_prefix /prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig /prefix)
configure_file(tools/cmake/elbow.pc.in elbow.pc @ONLY)
install(FILES ${CMAKE_BINARY_DIR}/elbow.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

if(TARGET elbow)
    install(TARGETS elbow RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()

# The manual page comes out of the finished command, so that it cannot disagree with the option table.
if(TARGET elbow AND EXISTS ${CMAKE_SOURCE_DIR}/cli/man.c)
    add_custom_command(OUTPUT elbow.1 COMMAND elbow man > elbow.1.part COMMAND ${CMAKE_COMMAND} -E rename elbow.1.part elbow.1
                       DEPENDS elbow VERBATIM)
    add_custom_target(man ALL DEPENDS elbow.1)
    install(FILES ${CMAKE_BINARY_DIR}/elbow.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
endif()
