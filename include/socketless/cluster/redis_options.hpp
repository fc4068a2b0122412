// How a redis_node uses Redis.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::cluster {

/// By what messages go through Redis.
enum class redis_mode : std::uint8_t {
    /// Pub/Sub, as `@socket.io/redis-adapter` 8.3.0 does it.
    pubsub,
    /// A stream, as `@socket.io/redis-streams-adapter` 0.3.1 does it: messages are not lost while the connection to
    /// Redis is, and clients have their state again on any server (server_options::recovery). What wants an answer goes
    /// by Pub/Sub. Redis 6.2 or later.
    streams,
};

/// What happens to messages while Redis is lost.
enum class redis_fate : std::uint8_t {
    /// They are dropped, and told: event_type::dropped.
    drop,
    /// They are kept within `node_options::max_queued`, and published later.
    keep,
};

/// How a node uses Redis.
struct redis_options {
    /// By what messages go through Redis. All servers must use the same.
    redis_mode mode = redis_mode::pubsub;
    /// What the names of channels begin with: the option `key` of `@socket.io/redis-adapter`, `channelPrefix` of
    /// `@socket.io/redis-streams-adapter`.
    std::string prefix = "socket.io";
    /// Streams: the name of the stream, the option `streamName`.
    std::string stream_name = "socket.io";
    /// Streams: about how many entries Redis keeps, the option `maxLen`. A client can have its state again as long as
    /// the last entry that it has heard of is there.
    std::uint64_t stream_length = 10'000;
    /// Streams: what the keys of lost sessions begin with, the option `sessionKeyPrefix`.
    std::string session_prefix = "sio:session:";
    /// Pub/Sub: answers go to a channel of the node that has asked, rather than to one that all nodes read: the option
    /// `publishOnSpecificResponseChannel`.
    bool publish_on_specific_response_channel = false;
    /// What happens to messages while Redis is lost.
    redis_fate when_lost = redis_fate::drop;
    /// Namespaces in which the node takes part at once. "/" is one of them. In others its sockets are served, but other
    /// nodes do not reach them.
    std::size_t max_namespaces = 1'000;
};

} // namespace socketless::inline v0::cluster

#include <socketless/core/detail/epilogue.hpp>
