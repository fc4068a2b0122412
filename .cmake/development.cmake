# How the tests, tools, benchmarks and fuzzers are built. Nothing here reaches a program that uses the library.
option(SOCKETLESS_WERROR "Treat warnings as errors" OFF)
option(SOCKETLESS_NO_EXCEPTIONS "Build without exceptions and RTTI" OFF)
option(SOCKETLESS_UNITY_TESTS "Compile the tests as few large units: a third of the time, when all are compiled" OFF)
set(SOCKETLESS_SANITIZE "" CACHE STRING "Sanitizers to build with, for example address,undefined")

add_library(socketless_development INTERFACE)
# The headers in tests/tools, tests/drivers and tests/simulation serve every program.
target_include_directories(socketless_development INTERFACE "${PROJECT_SOURCE_DIR}/tests")

if(MSVC)
    target_compile_options(socketless_development INTERFACE /W4 /permissive- /utf-8)
else()
    target_compile_options(socketless_development INTERFACE
        -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wsign-conversion
    )
endif()

if(SOCKETLESS_NO_EXCEPTIONS)
    target_compile_options(socketless_development INTERFACE -fno-exceptions -fno-rtti)
    target_compile_definitions(socketless_development INTERFACE CATCH_CONFIG_DISABLE_EXCEPTIONS)
endif()

if(SOCKETLESS_SANITIZE)
    set(sanitize "-fsanitize=${SOCKETLESS_SANITIZE}" -fno-sanitize-recover=all -fno-omit-frame-pointer)
    target_compile_options(socketless_development INTERFACE ${sanitize})
    target_link_options(socketless_development INTERFACE ${sanitize})
    # GCC follows values through optimized code; where a sanitizer has instrumented it, these warnings are wrong.
    if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
        target_compile_options(socketless_development INTERFACE -Wno-array-bounds -Wno-maybe-uninitialized)
    endif()
endif()

function(socketless_develop target)
    target_link_libraries(${target} PRIVATE socketless::socketless socketless_development)
    set_target_properties(${target} PROPERTIES
        COMPILE_WARNING_AS_ERROR ${SOCKETLESS_WERROR}
        CXX_EXTENSIONS OFF
        RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/bin"
    )
endfunction()

# A program of one source file, and the libraries that it links.
function(socketless_add_program name)
    add_executable(${name} ${name}.cpp)
    socketless_develop(${name})
    target_link_libraries(${name} PRIVATE ${ARGN})
endfunction()
