// How a redis_node uses Redis.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::cluster {

/// What happens to messages while Redis is lost.
enum class redis_fate : std::uint8_t {
    /// They are dropped, and told: event_type::dropped.
    drop,
    /// They are kept within `node_options::max_queued`, and published later.
    keep,
};

/// How a node uses Redis.
struct redis_options {
    /// What the names of channels begin with: the option `key` of `@socket.io/redis-adapter`.
    std::string prefix = "socket.io";
    /// Answers go to a channel of the node that has asked, rather than to one that all nodes read: the option
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
