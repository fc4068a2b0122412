// cluster::message_node: a node over any bus of the caller's own.
#pragma once

#include <socketless/cluster/bus_transmit.hpp>
#include <socketless/cluster/node.hpp>
#include <socketless/cluster/options.hpp>
#include <socketless/core/random.hpp>
#include <socketless/core/time.hpp>
#include <socketless/server.hpp>

#include <cstddef>
#include <optional>
#include <string_view>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::cluster {

namespace detail {
class message_bus;
} // namespace detail

/// A node over any bus that brings the messages of a node whole and in order to all others, e.g. a pipe, UDP multicast,
/// a broker. A message is a map in MessagePack: one of the 13 types of socket.io-adapter 2.5, as the Redis Streams
/// adapter publishes them. Nodes send heartbeats, so each knows the others; while there are none, nothing is encoded.
///
///     cluster::message_node node(server, {}, {}, system_random(), now);
///     ...
///     node.received(bytes, now);                                         // a message of another node
///     while (auto e = node.poll_event()) ...
///     while (auto t = node.poll_transmit()) send_to_others(t->bytes);
///
/// Messages may come twice, late or broken without harm to the node; what they ask for happens as often as they come.
class message_node final : public node {
public:
    /// Precondition: the server outlives the node.
    message_node(server& io, node_options options, heartbeat_options heartbeat, random_source const& random,
                 time_point now);
    ~message_node() override;

    /// A message has come. The node's own are ignored. `bytes` is read within the call.
    void received(std::string_view bytes, time_point now);
    /// Says goodbye to the others: nothing is sent after that, and what comes is ignored.
    void close();

    /// The next message to send.
    [[nodiscard]] std::optional<bus_transmit> poll_transmit();

    /// How many other nodes are known.
    [[nodiscard]] std::size_t node_count() const noexcept;

private:
    [[nodiscard]] detail::message_bus& bus() const noexcept;
};

} // namespace socketless::inline v0::cluster

#include <socketless/core/detail/epilogue.hpp>

#ifndef SOCKETLESS_SEPARATE_COMPILATION
#include <socketless/impl/cluster_messages.hpp>
#endif
