// cluster::redis_node: a node over Redis, beside servers of Node and of C++.
#pragma once

#include <socketless/cluster/node.hpp>
#include <socketless/cluster/options.hpp>
#include <socketless/cluster/redis_command.hpp>
#include <socketless/cluster/redis_options.hpp>
#include <socketless/core/random.hpp>
#include <socketless/core/time.hpp>
#include <socketless/server.hpp>

#include <cstdint>
#include <optional>
#include <string_view>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::cluster {

namespace detail {
class redis_bus;
} // namespace detail

/// A node over Redis: it acts as one with servers of Node.
///
/// redis_mode::pubsub: with those that use `@socket.io/redis-adapter` 8; it takes what `@socket.io/redis-emitter` 5 and
/// cluster::emitter publish.
///
/// redis_mode::streams: with those that use `@socket.io/redis-streams-adapter` 0.3. If `server_options::recovery` is
/// set too, sessions are kept in Redis: a client has its state again on whatever server it comes back to, and gets all
/// that it has missed. Then the node must be there before the server's first connection, and what it emits is delivered
/// when Redis has given it its place among the events of all servers. Only the node's own functions and server::emit do
/// so: a broadcast of the server alone (server::to) is not kept.
///
/// The caller keeps two connections to Redis, or three, and carries commands and replies:
///
///     cluster::redis_node node(server, {}, {}, system_random(), now);
///     ...
///     node.connected(cluster::redis_connection::commands, now);
///     node.replied(token, reply, now);
///     node.pushed(push, now);                                   // {"pmessage", pattern, channel, bytes}, ...
///     while (auto e = node.poll_event()) ...
///     while (auto c = node.poll_transmit()) send(c->connection, c->token, c->words);
///
/// A connection that is lost is told, and told again when it is back: the node subscribes anew then, and reads on in
/// the stream where it was. What others have published meanwhile is lost, as always with Pub/Sub. Source:
/// `@socket.io/redis-adapter` 8.3.0, `@socket.io/redis-streams-adapter` 0.3.1.
class redis_node final : public node {
public:
    /// Precondition: the server outlives the node.
    redis_node(server& io, node_options options, redis_options const& redis, random_source const& random,
               time_point now);
    ~redis_node() override;

    /// The node takes part in a namespace from now on: other nodes reach its sockets there. A namespace of which a
    /// socket was connected is known already, if `handle` has seen that, until the last one has left it. Precondition:
    /// it begins with '/'.
    void declare(std::string_view nsp);

    /// A connection is there, as new: nothing is subscribed on it. Harmless if the node knows.
    void connected(redis_connection connection, time_point now);
    /// A connection is lost. Replies that were due never come: forget their tokens.
    void lost(redis_connection connection, time_point now);
    /// The reply to a command, by its token. A token that the node does not know is ignored.
    void replied(std::uint64_t token, redis_reply const& reply, time_point now);
    /// What Redis pushes on the connection of subscriptions: an array, e.g. {"message", channel, bytes}.
    void pushed(redis_reply const& push, time_point now);

    /// The next command. Nothing for a connection that is not there.
    [[nodiscard]] std::optional<redis_command> poll_transmit();

private:
    [[nodiscard]] detail::redis_bus& bus() const noexcept;
};

} // namespace socketless::inline v0::cluster

#include <socketless/core/detail/epilogue.hpp>

#ifndef SOCKETLESS_SEPARATE_COMPILATION
#include <socketless/impl/cluster_redis.hpp>
#endif
