// The functions of cluster::message_node, part of its header. With SOCKETLESS_SEPARATE_COMPILATION only source.hpp
// includes them.
#pragma once

#include <socketless/cluster/detail/message_bus.hpp>
#include <socketless/cluster/detail/node_core.hpp>
#include <socketless/cluster/message_node.hpp> // NOLINT(misc-header-include-cycle): it ends with this file
#include <socketless/core/detail/separate.hpp>
#include <socketless/core/hash_key.hpp>

#include <cstddef>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::cluster {

SOCKETLESS_INLINE message_node::message_node(server& io, node_options options, heartbeat_options heartbeat,
                                             random_source const& random, time_point now)
    : node(std::make_unique<detail::node_core>(
          io, std::move(options), random, now,
          std::make_unique<detail::message_bus>(heartbeat, make_hash_key(random)))) {}
SOCKETLESS_INLINE message_node::~message_node() = default;

SOCKETLESS_INLINE detail::message_bus& message_node::bus() const noexcept {
    return static_cast<detail::message_bus&>(core().bus());
}

SOCKETLESS_INLINE void message_node::received(std::string_view bytes, time_point now) {
    core().advance(now);
    bus().received(bytes);
}
SOCKETLESS_INLINE void message_node::close() {
    bus().close();
}
SOCKETLESS_INLINE std::optional<bus_transmit> message_node::poll_transmit() {
    return bus().poll_transmit();
}
SOCKETLESS_INLINE std::size_t message_node::node_count() const noexcept {
    return bus().node_count();
}

} // namespace socketless::inline v0::cluster

#include <socketless/core/detail/epilogue.hpp>
