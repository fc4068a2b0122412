// How a socketless::server behaves.
#pragma once

#include <socketless/engineio/server_options.hpp>
#include <socketless/socketio/recovery_options.hpp>
#include <socketless/socketio/server_options.hpp>

#include <cstddef>
#include <optional>
#include <string>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0 {

/// How a server behaves.
struct server_options {
    /// The connections: heartbeat, transports, limits, whether clients of revision 3 (EIO=3) are served, ...
    engineio::server_options engine = {};
    /// What goes on over them. Their `max_queued` bounds one packet, and what waits for clients not let in yet.
    /// It is at most that of the connections, which bounds what waits to be sent, less a byte for each message of a
    /// packet.
    socketio::server_options sockets = {};
    /// Rooms that one socket may be in at once, beside that of its id; `join` puts it into no other (it returns false).
    /// It bounds what a client can cost if the application lets it choose its rooms.
    std::size_t max_rooms = 10'000;
    /// Connection state recovery, if it is wanted.
    std::optional<socketio::recovery_options> recovery = std::nullopt;
    /// Whether a client whose state will be recovered is let in at once, even if its namespace asks the application
    /// (admission::ask), which has accepted it before. Named as in the reference.
    bool skip_middlewares = true;
    /// Where the server is: it replaces engine.path, see there.
    std::string path = "/socket.io/";
};

} // namespace socketless::inline v0

#include <socketless/core/detail/epilogue.hpp>
