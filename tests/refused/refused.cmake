# cmake -D COMPILER=g++ -D INCLUDE=include -D "SOURCES=results.cpp;values.cpp" -P refused.cmake
#
# Compiles files in which lines end with `// words`, and fails unless the compiler refuses each of them with these words
# and no other statement. All files are one unit, as most of the time goes into the headers.
cmake_minimum_required(VERSION 3.20)

set(all_errors "")
if(COMPILER MATCHES "clang")
    set(all_errors -ferror-limit=0)
endif()
set(unit ${SOURCES})
list(POP_BACK unit last)
list(TRANSFORM unit PREPEND "-include;")
execute_process(
    COMMAND "${COMPILER}" -std=c++20 -fsyntax-only -Werror=unused-result -ftemplate-backtrace-limit=0 ${all_errors}
        -I "${INCLUDE}" ${unit} "${last}"
    RESULT_VARIABLE failed OUTPUT_VARIABLE said ERROR_VARIABLE said
)
if(failed EQUAL 0)
    message(FATAL_ERROR "${SOURCES} compile")
endif()

string(REPLACE ";" "," said "${said}")
string(REPLACE "[" "(" said "${said}")
string(REPLACE "]" ")" said "${said}")
string(REPLACE "\n" ";" said "${said}")

foreach(source IN LISTS SOURCES)
    # Which errors stem from which line of the source: those at the line itself, and those in a template that it makes.
    # GCC names the line before such an error, clang behind it.
    get_filename_component(name "${source}" NAME)
    set(error "")
    unset(place)
    foreach(line IN LISTS said)
        if(line MATCHES "${name}:([0-9]+):[0-9]+: +required from")
            set(place "${CMAKE_MATCH_1}")
        elseif(line MATCHES "${name}:([0-9]+):[0-9]+: note: in instantiation of")
            string(APPEND found_${name}_${CMAKE_MATCH_1} "${error}\n")
        elseif(line MATCHES "${name}:([0-9]+):[0-9]+: error: (.*)")
            string(APPEND found_${name}_${CMAKE_MATCH_1} "${CMAKE_MATCH_2}\n")
        elseif(line MATCHES "error: (.*)")
            set(error "${CMAKE_MATCH_1}")
            if(DEFINED place)
                string(APPEND found_${name}_${place} "${error}\n")
            endif()
        endif()
    endforeach()

    set(number 0)
    set(tried 0)
    file(READ "${source}" rest)
    while(NOT rest STREQUAL "")
        math(EXPR number "${number} + 1")
        string(FIND "${rest}" "\n" end)
        string(SUBSTRING "${rest}" 0 ${end} line)
        math(EXPR end "${end} + 1")
        string(SUBSTRING "${rest}" ${end} -1 rest)
        if(line MATCHES "; +// (.*)")
            math(EXPR tried "${tried} + 1")
            string(FIND "${found_${name}_${number}}" "${CMAKE_MATCH_1}" at)
            if(at EQUAL -1)
                message(SEND_ERROR
                    "${name}:${number} is not refused as it should be:\n${line}\nbut: ${found_${name}_${number}}")
            endif()
        elseif(DEFINED found_${name}_${number})
            message(SEND_ERROR "${name}:${number} is refused:\n${line}\n${found_${name}_${number}}")
        endif()
    endwhile()
    if(tried EQUAL 0)
        message(SEND_ERROR "${source} tries nothing")
    endif()
endforeach()
