// `--parser` of the programs: how packets become messages.
#pragma once

#include "command_line.hpp"

#include <socketless/socketio/msgpack_parser.hpp>
#include <socketless/socketio/parser.hpp>

#include <string_view>

inline void declare_parser(command_line& line, socketless::socketio::parser const*& to) {
    line.option("--parser", "is msgpack or default", [&to](std::string_view name) {
        to = name == "msgpack" ? &socketless::socketio::msgpack_parser : nullptr;
        return name == "msgpack" || name == "default";
    });
}
