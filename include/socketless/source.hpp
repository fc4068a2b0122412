// All that a program compiles separately, in one source file of its own:
//
//     #include <socketless/source.hpp>
//
// Define SOCKETLESS_SEPARATE_COMPILATION for all files of the program. Then client.hpp and server.hpp only declare
// their functions, and so does the header that writes doubles as JSON: the one file compiles them. Without the macro
// all is inline, and nothing includes this file.
#pragma once

#ifndef SOCKETLESS_SEPARATE_COMPILATION
#error "source.hpp is for programs that define SOCKETLESS_SEPARATE_COMPILATION, in all of their files"
#endif

#include <socketless/impl/client.hpp>
#include <socketless/impl/cluster.hpp>
#include <socketless/impl/cluster_emitter.hpp>
#include <socketless/impl/cluster_messages.hpp>
#include <socketless/impl/cluster_redis.hpp>
#include <socketless/impl/number.hpp>
#include <socketless/impl/parser.hpp>
#include <socketless/impl/server.hpp>
#include <socketless/impl/wire_client.hpp>
#include <socketless/impl/wire_server.hpp>
