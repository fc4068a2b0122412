// All that a program compiles separately, in one source file of its own:
//
//     #include <socketless/source.hpp>
//
// SOCKETLESS_SEPARATE_COMPILATION is defined for that file and all others of the program: then client.hpp and
// server.hpp only declare what is compiled there, and so does the JSON writer of how it writes a double. Without the
// macro all is inline, and nothing includes this file.
#pragma once

#ifndef SOCKETLESS_SEPARATE_COMPILATION
#error "source.hpp is for programs that define SOCKETLESS_SEPARATE_COMPILATION, in all of their files"
#endif

#include <socketless/impl/client.hpp>
#include <socketless/impl/number.hpp>
#include <socketless/impl/server.hpp>
