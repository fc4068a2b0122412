// The functions of client, part of client.hpp. With SOCKETLESS_SEPARATE_COMPILATION only source.hpp includes them.
#pragma once

#include <socketless/client.hpp> // NOLINT(misc-header-include-cycle): it ends with this file
#include <socketless/core/detail/separate.hpp>
#include <socketless/detail/client_core.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0 {

SOCKETLESS_INLINE client::client(client_options options, random_source random, time_point now)
    : core_(std::make_unique<detail::client_core>(std::move(options), std::move(random), now)) {}
SOCKETLESS_INLINE client::client(client&&) noexcept = default;
SOCKETLESS_INLINE client& client::operator=(client&&) noexcept = default;
SOCKETLESS_INLINE client::~client() = default;

//=== what happened ===//

SOCKETLESS_INLINE void client::http_response(engineio::exchange_id exchange, int status, bool is_binary,
                                             std::span<char> body, time_point now) {
    core_->input_at(now).http_response(exchange, status, is_binary, body, now);
}
SOCKETLESS_INLINE void client::http_failed(engineio::exchange_id exchange, time_point now) {
    core_->input_at(now).http_failed(exchange, now);
}
SOCKETLESS_INLINE void client::channel_opened(engineio::channel_id channel, time_point now) {
    core_->input_at(now).channel_opened(channel, now);
}
SOCKETLESS_INLINE void client::websocket_received(engineio::channel_id channel, frame message, time_point now,
                                                  text_check text) {
    core_->input_at(now).websocket_received(channel, message, now, text);
}
SOCKETLESS_INLINE void client::stream_received(engineio::channel_id channel, std::string_view chunk, time_point now) {
    core_->input_at(now).stream_received(channel, chunk, now);
}
SOCKETLESS_INLINE void client::channel_closed(engineio::channel_id channel, time_point now) {
    core_->input_at(now).channel_closed(channel, now);
}
SOCKETLESS_INLINE void client::channel_refused(engineio::channel_id channel, int status, std::string_view body,
                                               time_point now) {
    core_->input_at(now).channel_refused(channel, status, body, now);
}
SOCKETLESS_INLINE void client::pause(engineio::channel_id channel) noexcept {
    core_->engine_.pause(channel);
}
SOCKETLESS_INLINE void client::resume(engineio::channel_id channel) noexcept {
    core_->engine_.resume(channel);
}

SOCKETLESS_INLINE void client::handle_timeout(time_point now) {
    core_->input_at(now).handle_timeout(now);
    core_->reconnect_if_due();
}

//=== what the application wants ===//

SOCKETLESS_INLINE result<void> client::open() {
    return core_->open();
}
SOCKETLESS_INLINE void client::close() {
    core_->close();
}

SOCKETLESS_INLINE result<client::socket_handle> client::connect(std::string_view nsp) {
    return core_->join([&](auto& session) { return session.connect(nsp); });
}
SOCKETLESS_INLINE result<client::socket_handle> client::connect(std::string_view nsp, socketio::ask_for_auth_t ask) {
    return core_->join([&](auto& session) { return session.connect(nsp, ask); });
}
SOCKETLESS_INLINE result<client::socket_handle> client::connect_with(std::string_view nsp,
                                                                     json::detail::values const& auth) {
    return core_->join([&](auto& session) { return session.connect(nsp, auth); });
}
SOCKETLESS_INLINE result<void> client::authenticate_with(socket_handle socket, json::detail::values const& auth) {
    return core_->flushed([&] { return core_->session_.authenticate(socket, auth); });
}
SOCKETLESS_INLINE void client::disconnect(socket_handle socket) {
    core_->disconnect(socket);
}

SOCKETLESS_INLINE result<void> client::emit_event(socket_handle socket, std::string_view name,
                                                  json::detail::values const& args) {
    return core_->emit(socket, name, args);
}
SOCKETLESS_INLINE result<void> client::emit_at_once(socket_handle socket, std::string_view name,
                                                    json::detail::values const& args) {
    return core_->emit_volatile(socket, name, args);
}
SOCKETLESS_INLINE result<std::uint64_t> client::emit_awaited(socket_handle socket, std::optional<milliseconds> timeout,
                                                             std::string_view name, json::detail::values const& args) {
    return core_->emit_with_ack(socket, timeout, name, args);
}
SOCKETLESS_INLINE result<void> client::acknowledge_with(socketio::ack_request& request,
                                                        json::detail::values const& args) {
    return core_->acknowledge(request, args);
}

//=== what it means, what to do, when to come back ===//

SOCKETLESS_INLINE std::optional<client::event> client::poll_event() {
    std::optional<event> e = socketio::detail::no_event();
    core_->poll_event(e);
    return e;
}
SOCKETLESS_INLINE std::optional<engineio::transmit> client::poll_transmit(std::string& buffer) {
    std::optional<engineio::transmit> t = engineio::detail::no_transmit();
    core_->poll_transmit(t, buffer);
    return t;
}
SOCKETLESS_INLINE std::optional<time_point> client::poll_timeout() const noexcept {
    return core_->poll_timeout();
}

//=== what it is ===//

SOCKETLESS_INLINE client_options const& client::options() const noexcept {
    return core_->options_;
}
SOCKETLESS_INLINE bool client::is_open() const noexcept {
    return core_->is_open();
}
SOCKETLESS_INLINE bool client::is_idle() const noexcept {
    return core_->is_idle();
}
SOCKETLESS_INLINE engineio::transport client::transport() const noexcept {
    return core_->engine_.transport();
}
SOCKETLESS_INLINE bool client::is_connected(socket_handle socket) const noexcept {
    return core_->session_.is_connected(socket);
}
SOCKETLESS_INLINE std::string_view client::sid(socket_handle socket) const noexcept {
    return core_->session_.sid(socket);
}
SOCKETLESS_INLINE std::string_view client::nsp(socket_handle socket) const noexcept {
    return core_->session_.nsp(socket);
}
SOCKETLESS_INLINE std::size_t client::queued() const noexcept {
    return core_->engine_.queued();
}
SOCKETLESS_INLINE std::size_t client::buffered() const noexcept {
    return core_->session_.buffered();
}

} // namespace socketless::inline v0

#include <socketless/core/detail/epilogue.hpp>
