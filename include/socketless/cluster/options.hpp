// How a node of a cluster behaves.
#pragma once

#include <socketless/core/callback.hpp>
#include <socketless/core/time.hpp>
#include <socketless/json/writer.hpp>
#include <socketless/socketio/arguments.hpp>
#include <socketless/socketio/session.hpp>

#include <cstddef>
#include <memory>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::cluster {

/// How a node behaves, whatever the bus.
struct node_options {
    /// How long `fetch_sockets`, `server_side_emit_with_ack` and `emit_with_ack` wait where the call names no time. As
    /// in the reference.
    milliseconds request_timeout{5'000};
    /// The longest time that a request of this node or of another waits, whatever it asks for.
    milliseconds max_timeout{600'000};
    /// Requests of this node that wait at once (errc::too_many_requests), and those of others for which it waits.
    std::size_t max_requests = 10'000;
    /// Bytes of one message of the bus. Larger ones are not sent (errc::message_too_large), and ignored if they come.
    std::size_t max_message = std::size_t{16} * 1024 * 1024;
    /// Bytes of messages that wait for the bus. What goes beyond is dropped, and told: event_type::dropped.
    std::size_t max_queued = std::size_t{64} * 1024 * 1024;
    /// Bytes of events that the application has not polled. Answers and events of other nodes that come beyond are
    /// ignored, and counted; what says that a request is complete, or that a node has come or gone, is always told.
    std::size_t max_events = std::size_t{64} * 1024 * 1024;
    /// Rooms that one message names. Others are ignored, and counted.
    std::size_t max_rooms = 10'000;
    /// Writes the application's data of a socket as one JSON value, for `fetch_sockets` of all nodes, and for sessions
    /// that are kept in Redis. Without it that is an empty object.
    callback<void(socketio::socket_handle, json::writer&)> write_data = {};
    /// Makes the data of a socket, as `server::set_data` takes it, from what `write_data` of this node or of another
    /// has written: the client has its state again. Without it the socket has no data then. Whatever a program that
    /// uses the same Redis has written comes here.
    callback<std::shared_ptr<void>(socketio::argument const&)> read_data = {};
    /// Writes the handshake of a socket as one JSON value. Without it that is an object of what the server knows:
    /// address, url, query, headers.
    callback<void(socketio::socket_handle, json::writer&)> write_handshake = {};
};

/// How the nodes of a `message_node`'s bus know of each other.
struct heartbeat_options {
    /// A node that has sent nothing for so long says that it is there. At least 1 ms.
    milliseconds interval{5'000};
    /// A node from which nothing has come for so long is gone.
    milliseconds timeout{10'000};
    /// Other nodes. What comes from more of them is ignored, and counted.
    std::size_t max_nodes = 1'000;
};

/// How many messages there were, since the node began.
struct statistics {
    /// Given to the bus, or to be given.
    std::uint64_t sent = 0;
    /// Not given to the bus: it was lost, or too much waited.
    std::uint64_t dropped = 0;
    /// Come from other nodes and from emitters, and acted upon.
    std::uint64_t received = 0;
    /// Come, and ignored: not readable, too large, of an unknown type, answers that nobody waits for.
    std::uint64_t ignored = 0;
};

} // namespace socketless::inline v0::cluster

#include <socketless/core/detail/epilogue.hpp>
