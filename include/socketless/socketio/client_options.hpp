// How a client's Socket.IO session behaves.
#pragma once

#include <socketless/core/limits.hpp>
#include <socketless/core/time.hpp>
#include <socketless/socketio/packet.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::socketio {

class parser;

/// How a client behaves; names and defaults are socket.io-client's where it has them.
struct client_options {
    /// The revision of the protocol to speak.
    socketio::revision revision = revision::v5;
    /// How long the session waits for an acknowledgement if the call does not say; for ever if empty.
    std::optional<milliseconds> ack_timeout = std::nullopt;
    /// How often the session sends an event again that was not acknowledged. If this is not 0, events go one at a time,
    /// in order: each after the one before was acknowledged or has failed. An event that is acknowledged has therefore
    /// arrived at least once; up to `retries` + 1 tries are made. `ack_timeout` says how long a try takes.
    std::uint32_t retries = 0;
    /// Whether a socket recovers its state on the next connection, if the server offers that.
    bool recovery = true;
    /// Bytes of events that may wait for a socket to connect or, with `retries`, for their turn; another is refused
    /// (errc::buffer_full). Those that wait for sockets go together: they are no more than `max_queued`.
    std::size_t max_buffered = std::size_t{16} * 1024 * 1024;
    /// Bytes of events that may come before the answer to CONNECT; more ends the connection
    /// (disconnect_reason::queue_overflow).
    std::size_t max_early = std::size_t{1} * 1024 * 1024;
    /// Acknowledgements that may be awaited; asking for another is refused (errc::too_many_acks).
    std::size_t max_pending_acks = 65'536;
    /// Bytes that may wait for `poll_transmit`; more ends the connection (disconnect_reason::queue_overflow). A packet
    /// that is larger alone is refused (errc::message_too_large).
    std::size_t max_queued = std::size_t{16} * 1024 * 1024;
    /// How packets become messages, if not in the default way, such as &msgpack_parser: the server has to use the same
    /// parser. It outlives the client. Its packets come and go whole: the limits of attachments do not matter for it.
    socketio::parser const* parser = nullptr;
    /// How much one packet may hold.
    socketless::limits limits = {};
};

} // namespace socketless::inline v0::socketio

#include <socketless/core/detail/epilogue.hpp>
