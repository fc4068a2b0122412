// socketless::client: a whole Socket.IO client: an Engine.IO session, the sockets on it, and connecting again.
#pragma once

#include <socketless/client_options.hpp>
#include <socketless/core/frame.hpp>
#include <socketless/core/random.hpp>
#include <socketless/core/result.hpp>
#include <socketless/core/time.hpp>
#include <socketless/detail/client_core.hpp>
#include <socketless/engineio/session.hpp>
#include <socketless/engineio/transport.hpp>
#include <socketless/json/writer.hpp>
#include <socketless/socketio/session.hpp>
#include <socketless/socketio/typed_event.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0 {

/// A whole client: one connection at a time, any number of namespaces.
///
///                 open(), connect()                 handshake               close(), the last socket leaves
///     idle -------------------------> opening ------------------> open ------------------------------> closing -> idle
///                                       ^  | failed, timeout       | lost
///                           the delay   |  v                       |
///                           is over     '- waiting <---------------'     (without `reconnection`: idle)
///
/// The loop is that of every session; it runs after each input, or several (see `max_unread_inputs`):
///
///     for (;;) {
///         if (auto e = client.poll_event()) { ...; continue; }            // for the application
///         if (auto t = client.poll_transmit(buffer)) { ...; continue; }   // for the I/O layer
///         wait for input, or until client.poll_timeout();
///     }
///
/// Inputs and transmits are those of engineio::client_session, events those of socketio::client_session and opened,
/// upgraded, open_failed, reconnecting, reconnect_failed. Calls without a `now` use the time of the last call that had
/// one: when a timer of your own fires, call `handle_timeout(now)` first.
class client : private detail::client_core {
public:
    /// What `poll_event` returns, and what names a socket.
    using event = socketio::event;
    using socket_handle = socketio::socket_handle;

    /// `random` spreads the attempts of many clients to connect again, and tells their requests apart. If the path
    /// of the options is invalid, `connect` and `open` return that error.
    client(client_options options, random_source random, time_point now)
        : client_core(std::move(options), std::move(random), now) {}

    //=== what happened: see engineio::client_session ===//

    /// The answer to an exchange, its body whole. Base64 in it is decoded in place.
    void http_response(engineio::exchange_id exchange, int status, bool is_binary, std::span<char> body,
                       time_point now) {
        input_at(now).http_response(exchange, status, is_binary, body, now);
    }
    /// An exchange has failed: there is no answer.
    void http_failed(engineio::exchange_id exchange, time_point now) { input_at(now).http_failed(exchange, now); }
    /// The WebSocket or the stream is open.
    void channel_opened(engineio::channel_id channel, time_point now) { input_at(now).channel_opened(channel, now); }
    /// A message of a WebSocket.
    void websocket_received(engineio::channel_id channel, frame message, time_point now) {
        input_at(now).websocket_received(channel, message, now);
    }
    /// The next bytes of a stream.
    void stream_received(engineio::channel_id channel, std::string_view chunk, time_point now) {
        input_at(now).stream_received(channel, chunk, now);
    }
    /// The channel is gone, or could not be opened. A transmit that closes it may still come: drop it.
    void channel_closed(engineio::channel_id channel, time_point now) { input_at(now).channel_closed(channel, now); }
    /// The server has answered the request for a WebSocket with this status and body: there is no channel.
    void channel_refused(engineio::channel_id channel, int status, std::string_view body, time_point now) {
        input_at(now).channel_refused(channel, status, body, now);
    }
    /// A write is under way on the channel: the client sends nothing more on it until `resume`.
    void pause(engineio::channel_id channel) noexcept { engine_.pause(channel); }
    void resume(engineio::channel_id channel) noexcept { engine_.resume(channel); }

    /// Time has passed. Call it when `poll_timeout` is due, and before you act on a timer of your own. A spurious call
    /// is harmless.
    void handle_timeout(time_point now) {
        input_at(now).handle_timeout(now);
        reconnect_if_due();
    }

    //=== what the application wants: the connection ===//

    /// Opens the connection, unless it is open or about to be. `connect` does so too unless `auto_connect` is off.
    /// Errors: errc::invalid_request_target: the path of the options is invalid.
    result<void> open() {
        if (auto const good = engine_.check_options(); !good) return good;
        is_wanted_ = true;
        may_be_idle_ = false;
        if (phase_ == phase::idle || phase_ == phase::waiting) try_to_open();
        return {};
    }

    /// Leaves all namespaces, closes the connection once all that is queued has gone, and does not open another.
    void close() {
        for (std::uint32_t i = 0; i != session_.size(); ++i) session_.disconnect({i, 1});
        stop_wanting_connection();
    }

    //=== what the application wants: see socketio::client_session ===//

    /// Joins a namespace. Errors: errc::invalid_namespace, errc::already_connected; errc::invalid_payload,
    /// errc::depth_exceeded, errc::message_too_large for `auth`; errc::invalid_request_target: the path of the options
    /// is invalid.
    result<socket_handle> connect(std::string_view nsp = "/") {
        if (auto const good = engine_.check_options(); !good) return good.error();
        return joined(session_.connect(nsp));
    }
    template <class Auth>
    result<socket_handle> connect(std::string_view nsp, Auth const& auth) {
        if (auto const good = engine_.check_options(); !good) return good.error();
        return joined(session_.connect(nsp, auth));
    }
    /// Answers event_type::connecting with the auth for this attempt, where the socket asks for it each time.
    template <class Auth>
    result<void> authenticate(socket_handle socket, Auth const& auth) {
        return flushed(session_.authenticate(socket, auth));
    }

    /// Leaves the namespace. When no namespace is left, the client closes the connection.
    void disconnect(socket_handle socket) {
        session_.disconnect(socket);
        may_be_idle_ = true;
        flush().ignore();
    }

    /// Emits an event: now if the socket is connected, otherwise once it is; also if the connection is already lost but
    /// `disconnected` was not polled yet. Errors: those of socketio::client_session. With `retries`
    /// errc::queue_overflow is not returned: the event is sent again.
    template <class... Args, socketio::event_name_for<Args...> Name>
    result<void> emit(socket_handle socket, Name const& name, Args const&... args) {
        notice_lost_connection();
        auto const emitted = session_.emit(socket, socketio::detail::name_of(name), json::detail::passed_on(args)...);
        auto const sent = flush();
        bool const is_retried = options_.retries != 0; // whatever has become of the first try
        return emitted && !is_retried ? sent : emitted;
    }
    /// Emits an event if it can go at once; otherwise drops it: errc::would_wait.
    template <class... Args, socketio::event_name_for<Args...> Name>
    result<void> emit_volatile(socket_handle socket, Name const& name, Args const&... args) {
        notice_lost_connection();
        if (!engine_.writable()) return error{errc::would_wait};
        return flushed(
            session_.emit_volatile(socket, socketio::detail::name_of(name), json::detail::passed_on(args)...));
    }
    /// Emits an event and asks for its acknowledgement: event_type::ack, with the id that is returned.
    template <class... Args, socketio::event_name_for<Args...> Name>
    result<std::uint64_t> emit_with_ack(socket_handle socket, std::optional<milliseconds> timeout, Name const& name,
                                        Args const&... args) {
        notice_lost_connection();
        auto const id =
            session_.emit_with_ack(socket, timeout, socketio::detail::name_of(name), json::detail::passed_on(args)...);
        flush_or_break_off(); // a connection that cannot take it ends, and the acknowledgement with it
        return id;
    }
    /// emit("message", ...), as in Socket.IO.
    template <class... Args>
    result<void> send(socket_handle socket, Args const&... args) {
        return emit(socket, std::string_view("message"), json::detail::passed_on(args)...);
    }
    /// Acknowledges an event, once.
    template <class... Args>
    result<void> acknowledge(socketio::ack_request& request, Args const&... args) {
        notice_lost_connection();
        return flushed(session_.acknowledge(request, json::detail::passed_on(args)...));
    }

    //=== what it means, what to do, when to come back ===//

    /// The next event, or nothing until there is other input.
    [[nodiscard]] std::optional<event> poll_event() {
        std::optional<event> e = socketio::detail::no_event();
        while (!e && step(e)) {
        }
        return e;
    }

    /// The next thing to do, or nothing until there is other input. Targets and bodies are put together in
    /// `buffer`.
    [[nodiscard]] std::optional<engineio::transmit> poll_transmit(std::string& buffer) {
        return engine_.poll_transmit(buffer);
    }

    /// When to call `handle_timeout`, if ever. Changes with every input. Constant time.
    [[nodiscard]] std::optional<time_point> poll_timeout() const noexcept {
        auto const attempt = phase_ == phase::waiting ? std::optional(next_attempt_) : std::nullopt;
        return earlier(attempt, earlier(engine_.poll_timeout(), session_.poll_timeout()));
    }

    //=== what it is ===//

    /// The options that it was made with.
    [[nodiscard]] client_options const& options() const noexcept { return options_; }
    /// Whether the connection is open.
    [[nodiscard]] bool is_open() const noexcept { return phase_ == phase::open; }
    /// Whether no connection is open, being opened or closed, or waited for.
    [[nodiscard]] bool is_idle() const noexcept { return phase_ == phase::idle; }
    /// The transport in use.
    [[nodiscard]] engineio::transport transport() const noexcept { return engine_.transport(); }
    /// Whether the socket is connected.
    [[nodiscard]] bool is_connected(socket_handle socket) const noexcept { return session_.is_connected(socket); }
    /// The id of the socket; empty unless it is connected. Valid until the next call that is not const.
    [[nodiscard]] std::string_view sid(socket_handle socket) const noexcept { return session_.sid(socket); }
    /// The namespace of the socket.
    [[nodiscard]] std::string_view nsp(socket_handle socket) const noexcept { return session_.nsp(socket); }
    /// Bytes that wait for `poll_transmit`, and bytes that wait for a socket to connect.
    [[nodiscard]] std::size_t queued() const noexcept { return engine_.queued(); }
    [[nodiscard]] std::size_t buffered() const noexcept { return session_.buffered(); }
};

} // namespace socketless::inline v0

#include <socketless/core/detail/epilogue.hpp>
