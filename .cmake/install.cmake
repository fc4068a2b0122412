# The headers, and the files by which find_package and pkg-config find them. They do not depend on the architecture or
# on where the tree is installed.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(config_dir "${CMAKE_INSTALL_DATADIR}/cmake/socketless")
set(pkgconfig_dir "${CMAKE_INSTALL_DATADIR}/pkgconfig")

install(TARGETS socketless EXPORT socketless-targets INCLUDES DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}")
install(DIRECTORY include/socketless DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}" FILES_MATCHING PATTERN "*.hpp")
install(FILES LICENSE DESTINATION "${CMAKE_INSTALL_DATADIR}/licenses/socketless")
install(EXPORT socketless-targets NAMESPACE socketless:: DESTINATION "${config_dir}")

configure_package_config_file(.cmake/socketless-config.cmake.in socketless-config.cmake
    INSTALL_DESTINATION "${config_dir}"
    NO_SET_AND_CHECK_MACRO
)
write_basic_package_version_file(socketless-config-version.cmake COMPATIBILITY SameMinorVersion ARCH_INDEPENDENT)
install(
    FILES "${PROJECT_BINARY_DIR}/socketless-config.cmake" "${PROJECT_BINARY_DIR}/socketless-config-version.cmake"
    DESTINATION "${config_dir}"
)

# Both are relative to the .pc file, unless the installation directories were given as absolute paths.
cmake_path(RELATIVE_PATH CMAKE_INSTALL_PREFIX
    BASE_DIRECTORY "${CMAKE_INSTALL_FULL_DATADIR}/pkgconfig" OUTPUT_VARIABLE prefix_from_pkgconfig
)
cmake_path(APPEND pc_includedir "\${prefix}" "${CMAKE_INSTALL_INCLUDEDIR}")
configure_file(.cmake/socketless.pc.in socketless.pc @ONLY)
install(FILES "${PROJECT_BINARY_DIR}/socketless.pc" DESTINATION "${pkgconfig_dir}")
