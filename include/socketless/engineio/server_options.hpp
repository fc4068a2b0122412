// How the sessions of an Engine.IO server behave.
#pragma once

#include <socketless/core/callback.hpp>
#include <socketless/core/limits.hpp>
#include <socketless/core/time.hpp>
#include <socketless/engineio/handshake_request.hpp>
#include <socketless/engineio/transport.hpp>

#include <cstddef>
#include <string>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::engineio {

/// How the sessions of a server behave; the defaults are the reference's.
struct server_options {
    /// How often the server pings; with revision 3 the client does.
    milliseconds ping_interval{25'000};
    /// How long it waits for the pong, or, beyond ping_interval, for a ping.
    milliseconds ping_timeout{20'000};
    /// How long a client may take to move to another transport.
    milliseconds upgrade_timeout{10'000};
    /// How long a session that is closing waits for the client to poll.
    milliseconds close_timeout{30'000};
    /// Bytes that one body of a POST, and one packet of a stream, may have.
    std::size_t max_payload = 1'000'000;
    /// Bytes that may be queued for one session; more closes it (close_reason::queue_overflow).
    std::size_t max_queued = std::size_t{16} * 1024 * 1024;
    /// The transports that clients may use.
    transport_set transports = {transport::polling, transport::websocket};
    /// Whether a session may move from long-polling to another transport.
    bool allow_upgrades = true;
    /// Whether clients of revision 3 are served.
    bool allow_v3 = false;
    /// A text message that the server sends to every session behind its handshake. UTF-8. Empty: it sends nothing.
    std::string initial_message = {};
    /// How much one body may hold.
    socketless::limits limits = {};
    /// Where the server is: it refuses a target that is not under this path (see `is_under`) with 404. A
    /// socketless::server has a path in its own options, which replaces this one.
    std::string path = "/engine.io/";
    /// Bytes that a target may have; a longer one is a bad request. A session keeps the target of its first request.
    std::size_t max_target = std::size_t{8} * 1024;
    /// Whether a session keeps the fields and the address of its first request, if the I/O layer gives them: see
    /// handshake_request. Without them it takes less memory; `allow_request` sees them either way.
    bool keep_fields = true;
    /// Whether a request may begin a session. The server asks this of each such request, by long-polling and by
    /// WebSocket, before it makes anything for the session. If it throws, that request was not received. It must not
    /// call the server.
    callback<request_verdict(handshake_request const&)> allow_request = {};
    /// How many events of connections wait for `poll_connection_event`. The server drops further ones, and counts them.
    /// By default it makes no such events.
    std::size_t max_connection_events = 0;
};

} // namespace socketless::inline v0::engineio

#include <socketless/core/detail/epilogue.hpp>
