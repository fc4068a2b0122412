// How the Socket.IO sessions of a server behave.
#pragma once

#include <socketless/core/limits.hpp>
#include <socketless/core/time.hpp>

#include <cstddef>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::socketio {

class parser;

/// How the sessions of a server behave; the defaults are those of the reference, if it has the option.
struct server_options {
    /// How long a connection may be in no namespace before it has joined its first one.
    milliseconds connect_timeout{45'000};
    /// Namespaces that one connection may be in at once; a CONNECT for another is refused ("Too many namespaces").
    std::size_t max_sockets = 100;
    /// Acknowledgements that one connection may owe; asking for another is refused (errc::too_many_acks).
    std::size_t max_pending_acks = 65'536;
    /// Bytes that may wait for `poll_transmit`; more ends the connection (disconnect_reason::queue_overflow). A packet
    /// that is larger alone is refused (errc::message_too_large).
    std::size_t max_queued = std::size_t{16} * 1024 * 1024;
    /// How packets become messages, if not in the default way, such as &msgpack_parser: the clients have to use the
    /// same parser. It outlives the server. Its packets come and go whole: the limits of attachments do not matter for
    /// it.
    socketio::parser const* parser = nullptr;
    /// How much one packet may hold.
    socketless::limits limits = {};
};

} // namespace socketless::inline v0::socketio

#include <socketless/core/detail/epilogue.hpp>
