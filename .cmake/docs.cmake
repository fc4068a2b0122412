# The pages of the public headers, made by Doxygen in html/ of the build directory; README.md is the first of them.
# `cmake --workflow --preset docs` makes them. A public name without a comment is an error.
find_package(Doxygen REQUIRED)

set(DOXYGEN_USE_MDFILE_AS_MAINPAGE README.md)
set(DOXYGEN_FILTER_PATTERNS "*.hpp=awk -f ${PROJECT_SOURCE_DIR}/.cmake/docs.awk")
set(DOXYGEN_FILE_PATTERNS *.hpp *.md *.dox)
set(DOXYGEN_STRIP_FROM_INC_PATH ${PROJECT_SOURCE_DIR}/include)
set(DOXYGEN_STRIP_FROM_PATH ${PROJECT_SOURCE_DIR}/include ${PROJECT_SOURCE_DIR})

# Only the headers for callers. The pages of a class do not show what it is made of.
set(DOXYGEN_EXCLUDE_PATTERNS */detail/* */impl/* */kernels/*)
set(DOXYGEN_EXCLUDE_SYMBOLS *detail *detail::*)
set(DOXYGEN_CLASS_GRAPH NO)
set(DOXYGEN_SHOW_INCLUDE_FILES NO)
set(DOXYGEN_HIDE_FRIEND_COMPOUNDS YES)
set(DOXYGEN_HIDE_UNDOC_RELATIONS YES)
set(DOXYGEN_EXTRACT_ALL NO)

# The first sentence of a comment stands in the overview. Members keep the order in which the header tells of them.
set(DOXYGEN_JAVADOC_AUTOBRIEF YES)
set(DOXYGEN_SORT_MEMBER_DOCS NO)
set(DOXYGEN_SORT_BRIEF_DOCS NO)
set(DOXYGEN_SUBGROUPING YES)

# The headers as on Linux. Doxygen follows no include.
set(DOXYGEN_PREDEFINED __linux__)
set(DOXYGEN_SEARCH_INCLUDES NO)

set(DOXYGEN_HAVE_DOT NO)
set(DOXYGEN_VERBATIM_HEADERS NO)
set(DOXYGEN_QUIET YES)
set(DOXYGEN_WARN_IF_UNDOCUMENTED YES)
set(DOXYGEN_WARN_AS_ERROR FAIL_ON_WARNINGS)

doxygen_add_docs(docs README.md include .cmake/docs.dox COMMENT "Writing build/docs/html")
