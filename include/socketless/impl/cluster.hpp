// The functions of node and cluster::audience, part of their headers. With
// SOCKETLESS_SEPARATE_COMPILATION only source.hpp includes them.
#pragma once

#include <socketless/cluster/audience.hpp>
#include <socketless/cluster/detail/node_core.hpp>
#include <socketless/cluster/event.hpp>
#include <socketless/cluster/node.hpp> // NOLINT(misc-header-include-cycle): it ends with this file
#include <socketless/cluster/options.hpp>
#include <socketless/core/detail/separate.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::cluster {

//=== audience ===//

SOCKETLESS_INLINE result<void> audience::broadcast(bool is_volatile, std::string_view name,
                                                   json::detail::values const& args) const {
    return core_->emit(*this, is_volatile, name, args);
}
SOCKETLESS_INLINE result<std::uint64_t> audience::broadcast_with_ack(std::optional<milliseconds> timeout,
                                                                     std::string_view name,
                                                                     json::detail::values const& args) const {
    return core_->emit_with_ack(*this, timeout, name, args);
}
SOCKETLESS_INLINE result<void> audience::join(std::string_view room) const {
    return core_->join(*this, room);
}
SOCKETLESS_INLINE result<void> audience::leave(std::string_view room) const {
    return core_->leave(*this, room);
}
SOCKETLESS_INLINE result<void> audience::disconnect() const {
    return core_->disconnect(*this, false);
}
SOCKETLESS_INLINE result<void> audience::disconnect_connections() const {
    return core_->disconnect(*this, true);
}
SOCKETLESS_INLINE result<std::uint64_t> audience::fetch_sockets(std::optional<milliseconds> timeout) const {
    return core_->fetch_sockets(*this, timeout);
}

//=== node ===//

SOCKETLESS_INLINE node::node(std::unique_ptr<detail::node_core> core) noexcept : core_(std::move(core)) {}
SOCKETLESS_INLINE node::~node() = default;

SOCKETLESS_INLINE std::string_view node::id() const noexcept {
    return core_->uid();
}
SOCKETLESS_INLINE audience node::in(std::string_view nsp) {
    return {*core_, nsp};
}
SOCKETLESS_INLINE audience node::to(std::string_view room) {
    return in("/").to(room);
}
SOCKETLESS_INLINE result<void> node::emit_to_servers(std::string_view nsp, std::string_view name,
                                                     json::detail::values const& args) {
    return core_->server_side_emit(nsp, name, args);
}
SOCKETLESS_INLINE result<std::uint64_t> node::ask_servers(std::string_view nsp, std::optional<milliseconds> timeout,
                                                          std::string_view name, json::detail::values const& args) {
    return core_->server_side_emit_with_ack(nsp, timeout, name, args);
}
SOCKETLESS_INLINE result<std::uint64_t> node::count_nodes(std::string_view nsp, std::optional<milliseconds> timeout) {
    return core_->count_nodes(nsp, timeout);
}
SOCKETLESS_INLINE result<void> node::reply_with(reply_request& request, json::detail::values const& value) {
    return core_->reply(request, value);
}
SOCKETLESS_INLINE bool node::handle(socketio::event const& e) {
    return core_->handle(e);
}
SOCKETLESS_INLINE void node::handle_timeout(time_point now) {
    core_->handle_timeout(now);
}
SOCKETLESS_INLINE std::optional<event> node::poll_event() {
    return core_->poll_event();
}
SOCKETLESS_INLINE std::optional<time_point> node::poll_timeout() const noexcept {
    return core_->poll_timeout();
}
SOCKETLESS_INLINE statistics const& node::counts() const noexcept {
    return core_->counts();
}
SOCKETLESS_INLINE std::size_t node::request_count() const noexcept {
    return core_->request_count();
}

} // namespace socketless::inline v0::cluster

#include <socketless/core/detail/epilogue.hpp>
