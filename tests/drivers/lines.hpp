// The events and transmits of Engine.IO sessions, as readable lines:
//
//     opened polling                 the events, as they are called; `drained` is only counted
//     message hi
//     closed: transport error
//     answer 2: 200 html ok          a task of the I/O layer, and its exchange or channel
//     get 1, post 2: 4hi, open websocket 3, open stream 3, send 3: 2probe, close 3, abort 2
//
// Binary stands as <hex>, and '|' for the record separator of v4 bodies, in inputs and in outputs.
#pragma once

#include "tools/hex.hpp"

#include <socketless/core/time.hpp>
#include <socketless/engineio/packet.hpp>
#include <socketless/engineio/payload.hpp>
#include <socketless/engineio/session.hpp>
#include <socketless/engineio/stream.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace support {

namespace engineio = socketless::engineio;
using socketless::frame;
using socketless::frame_kind;

using lines = std::vector<std::string>;

// The clock of each test begins here. Tests tell the time in milliseconds since then.
inline constexpr socketless::time_point start{std::chrono::hours(1000)};

inline std::string with_separators(std::string_view text) {
    std::string body(text);
    std::ranges::replace(body, '|', engineio::packet_separator);
    return body;
}

inline std::string show(frame f) {
    if (f.kind == frame_kind::binary) return "<" + to_hex(f.data) + ">";
    std::string text(f.data);
    std::ranges::replace(text, engineio::packet_separator, '|');
    return text;
}

inline std::string show(engineio::event const& e) {
    using enum engineio::event_type;
    switch (e.type) {
    case opened: return "opened " + std::string(name(e.transport));
    case message: return "message " + show(e.message);
    case upgrading: return "upgrading to " + std::string(name(e.transport));
    case upgraded: return "upgraded to " + std::string(name(e.transport));
    case upgrade_failed: return "upgrade failed";
    case drained: return "drained";
    case closed: return "closed: " + std::string(name(e.reason));
    }
    return "?";
}

inline std::string show(engineio::transmit const& t) {
    using enum engineio::transmit_type;
    constexpr std::string_view contents[] = {"", " text ", " html ", " binary ", " json "};
    std::string const id = std::to_string(t.id);
    switch (t.type) {
    case respond:
        return "answer " + id + ": " + std::to_string(t.status) +
               std::string(contents[static_cast<std::size_t>(t.content)]) + show(t.data);
    case get: return "get " + id;
    case post: return "post " + id + ": " + show(t.data);
    case open_websocket: return "open websocket " + id;
    case open_stream: return "open stream " + id;
    case send: return "send " + id + ": " + show(t.data);
    case close: return "close " + id;
    case abort: return "abort " + id;
    }
    return "?";
}

// A binary frame, and one of a stream.
inline frame binary(std::string_view bytes) {
    return {frame_kind::binary, bytes};
}
inline frame text(std::string_view characters) {
    return {frame_kind::text, characters};
}

inline std::string stream_frame(std::string_view data, frame_kind kind = frame_kind::text) {
    return std::string(engineio::stream_header(kind, data.size()).view()) + std::string(data);
}

inline lines operator+(lines a, lines const& b) {
    a.insert(a.end(), b.begin(), b.end());
    return a;
}

} // namespace support
