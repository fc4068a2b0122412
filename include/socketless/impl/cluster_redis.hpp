// The functions of cluster::redis_node, part of its header. With SOCKETLESS_SEPARATE_COMPILATION only source.hpp
// includes them.
#pragma once

#include <socketless/cluster/detail/node_core.hpp>
#include <socketless/cluster/detail/redis_bus.hpp>
#include <socketless/cluster/detail/redis_pubsub.hpp>
#include <socketless/cluster/detail/redis_streams.hpp>
#include <socketless/cluster/redis_node.hpp> // NOLINT(misc-header-include-cycle): it ends with this file
#include <socketless/core/assert.hpp>
#include <socketless/core/detail/separate.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::cluster {

namespace detail {

[[nodiscard]] inline std::unique_ptr<detail::bus> make_redis_bus(redis_options const& options) {
    if (options.mode == redis_mode::streams) return std::make_unique<redis_streams>(options);
    return std::make_unique<redis_pubsub>(options);
}

} // namespace detail

SOCKETLESS_INLINE redis_node::redis_node(server& io, node_options options, redis_options const& redis,
                                         random_source const& random, time_point now)
    : node(std::make_unique<detail::node_core>(io, std::move(options), random, now, detail::make_redis_bus(redis))) {}
SOCKETLESS_INLINE redis_node::~redis_node() = default;

SOCKETLESS_INLINE detail::redis_bus& redis_node::bus() const noexcept {
    return static_cast<detail::redis_bus&>(core().bus());
}

SOCKETLESS_INLINE void redis_node::declare(std::string_view nsp) {
    SOCKETLESS_ASSERT(nsp.starts_with('/'));
    bus().declare(nsp);
}
SOCKETLESS_INLINE void redis_node::connected(redis_connection connection, time_point now) {
    core().advance(now);
    bus().connected(connection);
}
SOCKETLESS_INLINE void redis_node::lost(redis_connection connection, time_point now) {
    core().advance(now);
    bus().lost(connection);
}
SOCKETLESS_INLINE void redis_node::replied(std::uint64_t token, redis_reply const& reply, time_point now) {
    core().advance(now);
    bus().replied(token, reply);
}
SOCKETLESS_INLINE void redis_node::pushed(redis_reply const& push, time_point now) {
    core().advance(now);
    bus().pushed(push);
}
SOCKETLESS_INLINE std::optional<redis_command> redis_node::poll_transmit() {
    return bus().poll_transmit();
}

} // namespace socketless::inline v0::cluster

#include <socketless/core/detail/epilogue.hpp>
