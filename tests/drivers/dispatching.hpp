// Gives events to a dispatcher by hand.
#pragma once

#include <socketless/socketio/dispatcher.hpp>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace support::dispatching {

using namespace socketless::socketio;

using calls = std::vector<std::string>;

// An event that a peer has emitted.
inline event emitted(std::string_view wire) {
    event e;
    e.type = event_type::event;
    e.packet.packet = decode(wire).value();
    return e;
}

inline bool dispatch(dispatcher& d, std::string_view wire) {
    auto e = emitted(wire);
    return d.dispatch(e);
}
inline bool dispatch(dispatcher& d, event_type type) {
    event e;
    e.type = type;
    return d.dispatch(e);
}

// A handler that says that it was called.
inline auto noting(calls& log, std::string name) {
    return [&log, name = std::move(name)](event&) { log.push_back(name); };
}

inline constexpr typed_event<int, std::string> moved{"moved"};

} // namespace support::dispatching
