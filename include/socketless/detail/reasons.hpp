// Why an Engine.IO session ended, in Socket.IO's words.
#pragma once

#include <socketless/engineio/session.hpp>
#include <socketless/socketio/session.hpp>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::detail {

constexpr socketio::disconnect_reason reason_of(engineio::close_reason reason) noexcept {
    using enum engineio::close_reason;
    switch (reason) {
    case transport_error: return socketio::disconnect_reason::transport_error;
    case transport_close: return socketio::disconnect_reason::transport_close;
    case forced_close: return socketio::disconnect_reason::forced_close;
    case ping_timeout: return socketio::disconnect_reason::ping_timeout;
    case parse_error: return socketio::disconnect_reason::parse_error;
    case queue_overflow: return socketio::disconnect_reason::queue_overflow;
    case open_timeout: return socketio::disconnect_reason::open_timeout;
    }
    return socketio::disconnect_reason::transport_error;
}

} // namespace socketless::inline v0::detail

#include <socketless/core/detail/epilogue.hpp>
