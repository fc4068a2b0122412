// How a socketless::client behaves.
#pragma once

#include <socketless/core/limits.hpp>
#include <socketless/core/time.hpp>
#include <socketless/engineio/packet.hpp>
#include <socketless/engineio/transport.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0 {

namespace socketio {
class parser;
} // namespace socketio

/// The options of socket.io-client that make sense without I/O, by their names and with their defaults. (`auth` is an
/// argument of `client::connect`.)
struct client_options {
    /// The path of all requests; engineio::normalize_path adds missing slashes and percent-encodes it.
    std::string path = "/socket.io/";
    /// Query parameters of your own. The library sets those of the protocol: EIO, transport, sid.
    std::vector<std::pair<std::string, std::string>> query = {};
    /// EIO=4 goes with revision 5 of Socket.IO, EIO=3 with 4.
    engineio::revision revision = engineio::revision::v4;
    /// The transports that may be used; the first opens the connection.
    std::vector<engineio::transport> transports = {engineio::transport::polling, engineio::transport::websocket,
                                                   engineio::transport::webtransport};
    /// Whether to move to a better transport when the server offers one.
    bool upgrade = true;
    /// Whether the next connection starts with WebSocket if that worked the last time.
    bool remember_upgrade = false;
    /// Whether to try the next transport when opening with one fails.
    bool try_all_transports = false;
    /// The name of a parameter that differs in each request by long-polling. Empty: there is no such parameter.
    std::string timestamp_param = "t";
    /// Revision 3: whether to ask for base64 instead of binary bodies.
    bool force_base64 = false;

    /// Whether joining a namespace opens the connection; if not, call `open`.
    bool auto_connect = true;
    /// Whether to connect again when the connection is lost or could not be opened.
    bool reconnection = true;
    /// How many attempts that may take; any number if empty.
    std::optional<std::uint32_t> reconnection_attempts = std::nullopt;
    /// How long to wait before the first attempt, and at most; each wait is twice as long as the one before.
    milliseconds reconnection_delay{1'000};
    milliseconds reconnection_delay_max{5'000};
    /// Each wait is longer or shorter by a random part of itself, at most this: 0 to 1.
    double randomization_factor = 0.5;
    /// How long opening may take.
    milliseconds timeout{20'000};
    /// How long the client waits for an acknowledgement if the call does not say; for ever if empty.
    std::optional<milliseconds> ack_timeout = std::nullopt;
    /// How often the client sends an event again that was not acknowledged: see socketio::client_options.
    std::uint32_t retries = 0;
    /// Whether a socket recovers its state on the next connection, if the server offers that.
    bool recovery = true;

    /// Bytes that may wait for the transport (`max_queued`), and for a socket to connect (`max_buffered`, `max_early`):
    /// see engineio::client_options and socketio::client_options.
    std::size_t max_queued = std::size_t{16} * 1024 * 1024;
    std::size_t max_buffered = std::size_t{16} * 1024 * 1024;
    std::size_t max_early = std::size_t{1} * 1024 * 1024;
    /// Acknowledgements that may be awaited; asking for another is refused (errc::too_many_acks).
    std::size_t max_pending_acks = 65'536;
    /// Bytes that one packet of a stream may have: a good limit, too, for the bodies and messages that your network
    /// reads.
    std::size_t max_payload = 100'000'000;
    /// How packets become messages, if not in the default way: see socketio::client_options.
    socketio::parser const* parser = nullptr;
    /// How much one packet and one body may hold.
    socketless::limits limits = {};
};

} // namespace socketless::inline v0

#include <socketless/core/detail/epilogue.hpp>
