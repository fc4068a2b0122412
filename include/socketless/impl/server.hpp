// The functions of server and audience, part of server.hpp. With SOCKETLESS_SEPARATE_COMPILATION only source.hpp
// includes them.
#pragma once

#include <socketless/audience.hpp>
#include <socketless/core/assert.hpp>
#include <socketless/core/detail/separate.hpp>
#include <socketless/detail/server_emitter.hpp>
#include <socketless/engineio/server.hpp>
#include <socketless/server.hpp> // NOLINT(misc-header-include-cycle): it ends with this file

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0 {

SOCKETLESS_INLINE server::server(server_options options, random_source random, time_point now)
    : core_(std::make_unique<detail::server_emitter>(std::move(options), std::move(random), now)) {}
SOCKETLESS_INLINE server::~server() = default;

SOCKETLESS_INLINE server_options const& server::options() const noexcept {
    return core_->options_;
}

//=== namespaces ===//

SOCKETLESS_INLINE void server::declare(std::string_view nsp, admission a) {
    SOCKETLESS_ASSERT(nsp.starts_with('/'));
    core_->namespaces_.declare(nsp, a);
}
SOCKETLESS_INLINE void server::declare_matching(namespace_predicate predicate, admission a) {
    if (predicate) core_->namespaces_.declare_matching(std::move(predicate), a);
}

//=== what happened: see engineio::server ===//

SOCKETLESS_INLINE void server::http_started(engineio::http_request const& request, time_point now) {
    core_->connections_.input_at(now).http_started(request, now);
}
SOCKETLESS_INLINE void server::http_received(engineio::http_request const& request, time_point now) {
    core_->connections_.input_at(now).http_received(request, now);
}
SOCKETLESS_INLINE void server::http_aborted(engineio::exchange_id exchange, time_point now) {
    core_->connections_.input_at(now).http_aborted(exchange, now);
}
SOCKETLESS_INLINE bool server::takes(std::string_view target) const noexcept {
    return core_->connections_.engine().takes(target);
}
SOCKETLESS_INLINE std::optional<engineio::refusal>
server::websocket_refusal(engineio::websocket_request const& request) {
    return core_->connections_.engine().websocket_refusal(request);
}
SOCKETLESS_INLINE std::optional<engineio::refusal> server::websocket_refusal(std::string_view target,
                                                                             std::uint64_t context) {
    return core_->connections_.engine().websocket_refusal(target, context);
}
SOCKETLESS_INLINE void server::websocket_opened(engineio::websocket_request const& request, time_point now) {
    core_->connections_.input_at(now).websocket_opened(request, now);
}
SOCKETLESS_INLINE void server::websocket_opened(engineio::channel_id channel, std::string_view target, time_point now) {
    websocket_opened({.channel = channel, .target = target}, now);
}
SOCKETLESS_INLINE void server::websocket_received(engineio::channel_id channel, frame message, time_point now,
                                                  text_check text) {
    core_->connections_.input_at(now).websocket_received(channel, message, now, text);
}
SOCKETLESS_INLINE void server::stream_opened(engineio::channel_id channel, time_point now, std::uint64_t context) {
    core_->connections_.input_at(now).stream_opened(channel, now, context);
}
SOCKETLESS_INLINE void server::stream_received(engineio::channel_id channel, std::string_view chunk, time_point now) {
    core_->connections_.input_at(now).stream_received(channel, chunk, now);
}
SOCKETLESS_INLINE void server::channel_closed(engineio::channel_id channel, time_point now) {
    core_->connections_.input_at(now).channel_closed(channel, now);
}
SOCKETLESS_INLINE void server::pause(engineio::channel_id channel) {
    core_->connections_.engine().pause(channel);
}
SOCKETLESS_INLINE void server::resume(engineio::channel_id channel) {
    core_->connections_.engine().resume(channel);
}
SOCKETLESS_INLINE void server::handle_timeout(time_point now) {
    core_->advance_clock(now);
}

//=== what the application wants: one socket ===//

SOCKETLESS_INLINE result<void> server::accept(socket_handle socket) {
    return core_->let_in(socket);
}
SOCKETLESS_INLINE result<void> server::refuse(socket_handle socket, std::string_view message) {
    return core_->refuse(socket, message, nullptr);
}
SOCKETLESS_INLINE result<void> server::refuse_with(socket_handle socket, std::string_view message,
                                                   json::detail::values const& data) {
    return core_->refuse(socket, message, &data);
}
SOCKETLESS_INLINE result<void> server::emit_event(socket_handle socket, std::string_view name,
                                                  json::detail::values const& args) {
    return core_->emit_event(socket, name, args);
}
SOCKETLESS_INLINE result<void> server::emit_at_once(socket_handle socket, std::string_view name,
                                                    json::detail::values const& args) {
    return core_->emit_volatile_event(socket, name, args);
}
SOCKETLESS_INLINE result<std::uint64_t> server::emit_awaited(socket_handle socket, std::optional<milliseconds> timeout,
                                                             std::string_view name, json::detail::values const& args) {
    return core_->emit_event_with_ack(socket, timeout, name, args);
}
SOCKETLESS_INLINE result<void> server::acknowledge_with(socketio::ack_request& request,
                                                        json::detail::values const& args) {
    return core_->acknowledge_event(request, args);
}
SOCKETLESS_INLINE void server::disconnect(socket_handle socket) {
    core_->end_socket(socket);
}
SOCKETLESS_INLINE void server::disconnect_connection(socket_handle socket) {
    core_->end_connection(socket);
}
SOCKETLESS_INLINE bool server::join(socket_handle socket, std::string_view room) {
    return core_->join(socket, room);
}
SOCKETLESS_INLINE bool server::leave(socket_handle socket, std::string_view room) {
    return core_->leave(socket, room);
}
SOCKETLESS_INLINE bool server::is_in(socket_handle socket, std::string_view room) const noexcept {
    auto const* const s = core_->sockets_.find(socket);
    if (s == nullptr) return false;
    return room == s->sid() || core_->rooms_.contains(socket.index, room) || core_->asked_.is_in(socket.index, room);
}
SOCKETLESS_INLINE std::vector<std::string_view> server::rooms_of(socket_handle socket) const {
    std::vector<std::string_view> names;
    if (core_->sockets_.find(socket) == nullptr) return names;
    core_->asked_.for_each_room(socket.index, [&](std::string_view room) { names.push_back(room); });
    core_->rooms_.for_each_room(socket.index, [&](std::string_view room) { names.push_back(room); });
    return names;
}

//=== what the application wants: many sockets ===//

SOCKETLESS_INLINE audience server::in(std::string_view nsp) {
    return {*core_, nsp};
}
SOCKETLESS_INLINE audience server::to(std::string_view room) {
    return in("/").to(room);
}
SOCKETLESS_INLINE void server::close() {
    core_->connections_.close();
}

//=== what it means, what to do, when to come back ===//

SOCKETLESS_INLINE std::optional<server::event> server::poll_event() {
    std::optional<event> e = socketio::detail::no_event();
    core_->poll_event(e);
    return e;
}
SOCKETLESS_INLINE std::optional<engineio::connection_event> server::poll_connection_event() noexcept {
    return core_->connections_.engine().poll_connection_event();
}
SOCKETLESS_INLINE std::optional<engineio::transmit> server::poll_transmit(std::string& buffer) {
    return core_->connections_.engine().poll_transmit(buffer);
}
SOCKETLESS_INLINE std::optional<time_point> server::poll_timeout() const noexcept {
    return core_->recovery_ ? earlier(core_->recovery_->poll_timeout(), core_->connections_.poll_timeout())
                            : core_->connections_.poll_timeout();
}

//=== what there is ===//

SOCKETLESS_INLINE std::size_t server::connection_count() const noexcept {
    return core_->connections_.engine().connection_count();
}
SOCKETLESS_INLINE std::size_t server::socket_count() const noexcept {
    return core_->sockets_.count();
}
SOCKETLESS_INLINE bool server::is_connected(socket_handle socket) const noexcept {
    return core_->find_live(socket) != nullptr;
}
SOCKETLESS_INLINE std::string_view server::sid(socket_handle socket) const noexcept {
    auto const* const s = core_->sockets_.find(socket);
    bool const has_joined = s != nullptr && (s->state == detail::server_socket_state::connected ||
                                             s->state == detail::server_socket_state::ended);
    return has_joined ? s->sid() : std::string_view();
}
SOCKETLESS_INLINE std::string_view server::nsp(socket_handle socket) const noexcept {
    auto const* const s = core_->sockets_.find(socket);
    return s == nullptr ? std::string_view() : core_->namespaces_.name(s->nsp);
}
SOCKETLESS_INLINE std::optional<server::socket_handle> server::find(std::string_view nsp, std::string_view sid) const {
    auto const number = core_->sockets_.find_number(core_->namespaces_.find(nsp), sid);
    if (!number) return std::nullopt;
    return core_->sockets_.handle(*number);
}
SOCKETLESS_INLINE engineio::server_session const* server::connection(socket_handle socket) const noexcept {
    auto const* const s = core_->sockets_.find(socket);
    return s == nullptr ? nullptr : core_->connections_.engine().find(s->connection);
}
SOCKETLESS_INLINE engineio::handshake_request server::handshake(socket_handle socket) const noexcept {
    auto const* const s = core_->sockets_.find(socket);
    return s == nullptr ? engineio::handshake_request() : core_->connections_.engine().handshake(s->connection);
}
SOCKETLESS_INLINE void server::set_data(socket_handle socket, std::shared_ptr<void> data) {
    if (auto* const s = core_->sockets_.find(socket)) s->set_data(std::move(data));
}
SOCKETLESS_INLINE void* server::data_of(socket_handle socket) const noexcept {
    auto const* const s = core_->sockets_.find(socket);
    return s == nullptr || !s->details ? nullptr : s->details->data.get();
}

//=== audience ===//

SOCKETLESS_INLINE std::vector<socketio::socket_handle> audience::sockets() const {
    return server_->sockets_of(*this);
}
SOCKETLESS_INLINE std::size_t audience::size() const {
    std::size_t n = 0;
    server_->for_each(*this, [&n](std::uint32_t) { ++n; });
    return n;
}

SOCKETLESS_INLINE result<std::size_t> audience::broadcast(std::string_view name,
                                                          json::detail::values const& args) const {
    return server_->broadcast(*this, name, args);
}
SOCKETLESS_INLINE result<std::size_t> audience::broadcast_volatile(std::string_view name,
                                                                   json::detail::values const& args) const {
    return server_->broadcast_volatile(*this, name, args);
}
SOCKETLESS_INLINE result<std::uint64_t> audience::broadcast_with_ack(std::optional<milliseconds> timeout,
                                                                     std::string_view name,
                                                                     json::detail::values const& args) const {
    return server_->broadcast_with_ack(*this, timeout, name, args);
}

SOCKETLESS_INLINE void audience::join(std::string_view room) const {
    for_each([&](socketio::socket_handle s) { server_->join(s, room); });
}
SOCKETLESS_INLINE void audience::leave(std::string_view room) const {
    std::string const name(room); // it may be the room's own, which goes with its last member
    for_each([&](socketio::socket_handle s) { server_->leave(s, name); });
}
SOCKETLESS_INLINE void audience::disconnect() const {
    for_each([this](socketio::socket_handle s) { server_->end_socket(s); });
}
SOCKETLESS_INLINE void audience::disconnect_connections() const {
    for_each([this](socketio::socket_handle s) { server_->end_connection(s); });
}

} // namespace socketless::inline v0

#include <socketless/core/detail/epilogue.hpp>
