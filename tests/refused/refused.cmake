# cmake -D COMPILER=g++ -D INCLUDE=include -D SOURCE=values.cpp -P refused.cmake
#
# Compiles a file in which lines end with `// words`, and fails unless the compiler refuses each of them with these words
# and no other statement.
cmake_minimum_required(VERSION 3.20)

set(all_errors "")
if(COMPILER MATCHES "clang")
    set(all_errors -ferror-limit=0)
endif()
execute_process(
    COMMAND "${COMPILER}" -std=c++20 -fsyntax-only -Werror=unused-result -ftemplate-backtrace-limit=0 ${all_errors}
        -I "${INCLUDE}" "${SOURCE}"
    RESULT_VARIABLE failed OUTPUT_VARIABLE said ERROR_VARIABLE said
)
if(failed EQUAL 0)
    message(FATAL_ERROR "${SOURCE} compiles")
endif()

# Which errors stem from which line of the source: those at the line itself, and those in a template that it makes. GCC
# names the line before such an error, clang behind it.
string(REPLACE ";" "," said "${said}")
string(REPLACE "[" "(" said "${said}")
string(REPLACE "]" ")" said "${said}")
string(REPLACE "\n" ";" said "${said}")
get_filename_component(name "${SOURCE}" NAME)
set(error "")
foreach(line IN LISTS said)
    if(line MATCHES "${name}:([0-9]+):[0-9]+: +required from")
        set(place "${CMAKE_MATCH_1}")
    elseif(line MATCHES "${name}:([0-9]+):[0-9]+: note: in instantiation of")
        string(APPEND found_${CMAKE_MATCH_1} "${error}\n")
    elseif(line MATCHES "${name}:([0-9]+):[0-9]+: error: (.*)")
        string(APPEND found_${CMAKE_MATCH_1} "${CMAKE_MATCH_2}\n")
    elseif(line MATCHES "error: (.*)")
        set(error "${CMAKE_MATCH_1}")
        if(DEFINED place)
            string(APPEND found_${place} "${error}\n")
        endif()
    endif()
endforeach()

set(number 0)
set(tried 0)
file(READ "${SOURCE}" rest)
while(NOT rest STREQUAL "")
    math(EXPR number "${number} + 1")
    string(FIND "${rest}" "\n" end)
    string(SUBSTRING "${rest}" 0 ${end} line)
    math(EXPR end "${end} + 1")
    string(SUBSTRING "${rest}" ${end} -1 rest)
    if(line MATCHES "; +// (.*)")
        math(EXPR tried "${tried} + 1")
        string(FIND "${found_${number}}" "${CMAKE_MATCH_1}" at)
        if(at EQUAL -1)
            message(SEND_ERROR "${name}:${number} is not refused as it should be:\n${line}\nbut: ${found_${number}}")
        endif()
    elseif(DEFINED found_${number})
        message(SEND_ERROR "${name}:${number} is refused:\n${line}\n${found_${number}}")
    endif()
endwhile()
if(tried EQUAL 0)
    message(SEND_ERROR "${SOURCE} tries nothing")
endif()
