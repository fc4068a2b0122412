# Writes the whole library as one header:
#
#   cmake -D OUTPUT=socketless.hpp [-D FORWARD=directory] -P .cmake/amalgamate.cmake
#
# Each header follows those it includes. Unconditional includes of the standard library go to the top, once each;
# what stands inside an #if stays there. The functions of a header, in impl/, follow it: the single header is never
# compiled separately. The headers share one prologue and one epilogue. FORWARD also fills a directory with a
# socketless/... tree in which every header that was inlined only includes <socketless.hpp>, so that programs written
# for the many headers use the single header.
#
# C++ is full of ; and [ ], which break CMake lists: the text is only ever cut and joined as quoted strings.
cmake_minimum_required(VERSION 3.20)

if(NOT OUTPUT)
    message(FATAL_ERROR "say where to write the header: cmake -D OUTPUT=socketless.hpp -P ${CMAKE_CURRENT_LIST_FILE}")
endif()
cmake_path(GET CMAKE_CURRENT_LIST_DIR PARENT_PATH root)
set(prologue socketless/core/detail/prologue.hpp)
set(epilogue socketless/core/detail/epilogue.hpp)

# Puts the text of `header`, without what is moved elsewhere, in `result`, and the headers it needs in the global
# property `library`, before it. `depth` counts the #if around the place where the header is included.
function(amalgamate header depth result)
    get_property(inlined GLOBAL PROPERTY inlined)
    get_property(conditional GLOBAL PROPERTY conditional)
    if(header IN_LIST conditional)
        message(FATAL_ERROR "${header} is included inside an #if and a second time: it can be inlined only once")
    endif()
    if(header IN_LIST inlined)
        set(${result} "" PARENT_SCOPE)
        return()
    endif()
    set_property(GLOBAL APPEND PROPERTY inlined "${header}")
    if(depth GREATER 0)
        set_property(GLOBAL APPEND PROPERTY conditional "${header}")
    endif()

    file(READ "${root}/include/${header}" rest)
    string(REPLACE "\r" "" rest "\n${rest}")
    string(REGEX REPLACE "#ifndef SOCKETLESS_SEPARATE_COMPILATION\n(#include <socketless/impl/[^>]+>)\n#endif" "\\1"
           rest "${rest}")
    set(text "")
    set(functions "")
    while(TRUE)
        string(FIND "${rest}" "\n#" before)
        if(before EQUAL -1)
            break()
        endif()
        math(EXPR directive "${before} + 1")
        string(SUBSTRING "${rest}" 0 ${directive} kept)
        string(APPEND text "${kept}")
        string(SUBSTRING "${rest}" ${directive} -1 rest)
        string(FIND "${rest}" "\n" length)
        string(SUBSTRING "${rest}" 0 ${length} line)
        string(SUBSTRING "${rest}" ${length} -1 rest)

        if(line MATCHES "^# *include <(${prologue}|${epilogue})>")
            # Left out: the single header has its own.
        elseif(line MATCHES "^# *include <(socketless/[^>]+)>")
            string(FIND "${line}" "<socketless/impl/" impl)
            amalgamate("${CMAKE_MATCH_1}" ${depth} included)
            if(NOT impl EQUAL -1)
                string(APPEND functions "${included}")
            elseif(depth GREATER 0)
                string(APPEND text "${included}")
            else()
                set_property(GLOBAL APPEND_STRING PROPERTY library "${included}")
            endif()
        elseif(line MATCHES "^# *include (<[^>]+>)" AND depth EQUAL 0)
            set_property(GLOBAL APPEND PROPERTY includes "${CMAKE_MATCH_1}")
        elseif(line MATCHES "^# *include \"")
            message(FATAL_ERROR "${header} includes with quotes: ${line}")
        elseif(NOT line MATCHES "^# *pragma once")
            if(line MATCHES "^# *if")
                math(EXPR depth "${depth} + 1")
            elseif(line MATCHES "^# *endif")
                math(EXPR depth "${depth} - 1")
            endif()
            string(APPEND text "${line}")
            continue()
        endif()
        # The line was taken out, and the blank lines before it go too: those after it remain.
        string(REGEX REPLACE "\n+$" "" text "${text}")
    endwhile()
    string(STRIP "${text}${rest}" text)
    set(${result} "\n//=== ${header} ===//\n\n${text}\n${functions}" PARENT_SCOPE)
endfunction()

amalgamate(socketless/socketless.hpp 0 main)
get_property(library GLOBAL PROPERTY library)
get_property(includes GLOBAL PROPERTY includes)
list(SORT includes)
list(REMOVE_DUPLICATES includes)
list(TRANSFORM includes PREPEND "#include ")
list(JOIN includes "\n" includes)

# Macros that the standard library does not survive: it has functions of these names.
foreach(name IN ITEMS abs bind clear close erase max min move open read remove round select swap write)
    string(PREPEND includes "#pragma push_macro(\"${name}\")\n#undef ${name}\n")
    string(APPEND includes "\n#pragma pop_macro(\"${name}\")")
endforeach()

file(READ "${root}/include/socketless/core/version.hpp" version)
string(REGEX REPLACE ".*_MAJOR ([0-9]+).*_MINOR ([0-9]+).*_PATCH ([0-9]+).*" "\\1.\\2.\\3" version "${version}")
file(READ "${root}/LICENSE" license)
string(STRIP "socketless ${version}: Engine.IO and Socket.IO for C++20, without the I/O.\n\n${license}" license)
string(REPLACE "\n" "\n// " license "// ${license}")
string(REPLACE "// \n" "//\n" license "${license}")

file(READ "${root}/include/${prologue}" begin)
file(READ "${root}/include/${epilogue}" end)
set(begin "\n//=== ${prologue} ===//\n\n${begin}")
set(end "\n//=== ${epilogue} ===//\n\n${end}")
set(whole "#ifdef SOCKETLESS_SEPARATE_COMPILATION\n#error \"the single header is always inline\"\n#endif")
file(WRITE "${OUTPUT}" "${license}\n#pragma once\n\n${whole}\n\n${includes}\n${begin}${library}${main}${end}")

if(FORWARD)
    get_property(inlined GLOBAL PROPERTY inlined)
    file(GLOB_RECURSE headers RELATIVE "${root}/include" "${root}/include/*.hpp")
    list(REMOVE_ITEM headers socketless/source.hpp)
    foreach(header IN LISTS headers)
        if(header IN_LIST inlined)
            file(WRITE "${FORWARD}/${header}" "#include <socketless.hpp>\n")
        else()
            configure_file("${root}/include/${header}" "${FORWARD}/${header}" COPYONLY)
        endif()
    endforeach()
endif()
