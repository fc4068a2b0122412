// How an Engine.IO client connects.
#pragma once

#include <socketless/core/limits.hpp>
#include <socketless/core/time.hpp>
#include <socketless/engineio/packet.hpp>
#include <socketless/engineio/transport.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::engineio {

/// How a client connects; names and defaults are engine.io-client's.
struct client_options {
    /// The path of all requests; `normalize_path` adds missing slashes and percent-encodes it.
    std::string path = "/engine.io/";
    /// The caller's own query parameters. The session sets those of the protocol: EIO, transport, sid.
    std::vector<std::pair<std::string, std::string>> query = {};
    /// The transports that may be used; the first opens the session. Revision 3 skips webtransport.
    std::vector<transport> transports = {transport::polling, transport::websocket, transport::webtransport};
    /// Whether to move to a better transport when the server offers one.
    bool upgrade = true;
    /// Whether a session that is opened again starts with WebSocket if that worked the last time.
    bool remember_upgrade = false;
    /// Whether to try the next transport when opening with one fails.
    bool try_all_transports = false;
    /// The name of a parameter that differs in each request by long-polling. Empty: there is no such parameter.
    std::string timestamp_param = "t";
    /// A random number, by which that parameter differs from those of other clients: a cache would mix them up.
    std::uint64_t timestamp_seed = 0;
    /// The revision of the protocol to speak: EIO.
    engineio::revision revision = revision::v4;
    /// Revision 3: whether to ask for base64 instead of binary bodies.
    bool force_base64 = false;
    /// How long opening may take.
    milliseconds open_timeout{20'000};
    /// How long a move to another transport may take.
    milliseconds upgrade_timeout{10'000};
    /// Bytes that one packet of a stream may have: a good limit, too, for the bodies and messages that your network
    /// reads.
    std::size_t max_payload = 100'000'000;
    /// Bytes that may be queued; more closes the session (close_reason::queue_overflow).
    std::size_t max_queued = std::size_t{16} * 1024 * 1024;
    /// How much one body may hold.
    socketless::limits limits = {};
};

} // namespace socketless::inline v0::engineio

#include <socketless/core/detail/epilogue.hpp>
