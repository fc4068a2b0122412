// All of socketless: Engine.IO and Socket.IO without the I/O.
#pragma once

#include <socketless/core/error.hpp>
#include <socketless/core/frame.hpp>
#include <socketless/core/limits.hpp>
#include <socketless/core/result.hpp>
#include <socketless/core/version.hpp>
#include <socketless/engineio/handshake.hpp>
#include <socketless/engineio/packet.hpp>
#include <socketless/engineio/payload.hpp>
#include <socketless/engineio/request.hpp>
#include <socketless/engineio/stream.hpp>
#include <socketless/engineio/transport.hpp>
#include <socketless/json/text.hpp>
#include <socketless/json/validate.hpp>
#include <socketless/json/writer.hpp>
#include <socketless/socketio/arguments.hpp>
#include <socketless/socketio/assembler.hpp>
#include <socketless/socketio/encode.hpp>
#include <socketless/socketio/packet.hpp>
#include <socketless/text/base64.hpp>
#include <socketless/text/percent.hpp>
#include <socketless/text/utf8.hpp>
