// socketless::client: a whole Socket.IO client: an Engine.IO session, the sockets on it, and connecting again.
#pragma once

#include <socketless/client_options.hpp>
#include <socketless/core/detail/separate.hpp>
#include <socketless/core/frame.hpp>
#include <socketless/core/random.hpp>
#include <socketless/core/result.hpp>
#include <socketless/core/time.hpp>
#include <socketless/engineio/session.hpp>
#include <socketless/engineio/transport.hpp>
#include <socketless/json/detail/values.hpp>
#include <socketless/socketio/session.hpp>
#include <socketless/socketio/typed_event.hpp>

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

namespace detail {
class client_core;
} // namespace detail

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
class client {
public:
    /// What `poll_event` returns, and what names a socket.
    using event = socketio::event;
    using socket_handle = socketio::socket_handle;

    /// `random` spreads the attempts of many clients to connect again, and tells their requests apart. If the path
    /// of the options is invalid, `connect` and `open` return that error.
    client(client_options options, random_source random, time_point now);
    /// Takes over the connection and the sockets of another. Of that you may only assign to it or destroy it.
    client(client&&) noexcept;
    client& operator=(client&&) noexcept;
    ~client();

    //=== what happened: see engineio::client_session ===//

    /// The answer to an exchange, its body whole. Base64 in it is decoded in place.
    void http_response(engineio::exchange_id exchange, int status, bool is_binary, std::span<char> body,
                       time_point now);
    /// An exchange has failed: there is no answer. May be called while you do what its transmit says.
    void http_failed(engineio::exchange_id exchange, time_point now);
    /// The WebSocket or the stream is open.
    void channel_opened(engineio::channel_id channel, time_point now);
    /// A message of a WebSocket.
    void websocket_received(engineio::channel_id channel, frame message, time_point now,
                            text_check text = text_check::due);
    /// The next bytes of a stream.
    void stream_received(engineio::channel_id channel, std::string_view chunk, time_point now);
    /// The channel is gone, or could not be opened. A transmit that closes it may still come: drop it.
    void channel_closed(engineio::channel_id channel, time_point now);
    /// The server has answered the request for a WebSocket with this status and body: there is no channel.
    void channel_refused(engineio::channel_id channel, int status, std::string_view body, time_point now);
    /// A write is under way on the channel: the client sends nothing more on it until `resume`. Leaves the views of the
    /// last transmit valid; so does `resume`.
    void pause(engineio::channel_id channel) noexcept;
    void resume(engineio::channel_id channel) noexcept;

    /// Time has passed. Call it when `poll_timeout` is due, and before you act on a timer of your own. A spurious call
    /// is harmless.
    void handle_timeout(time_point now);

    //=== what the application wants: the connection ===//

    /// Opens the connection, unless it is open or about to be. `connect` does so too unless `auto_connect` is off.
    /// Errors: errc::invalid_request_target: the path of the options is invalid.
    result<void> open();

    /// Leaves all namespaces, closes the connection once all that is queued has gone, and does not open another. May be
    /// called while an event is handled. Events that follow: of an open client `disconnected` (io_client_disconnect)
    /// for each connected socket, then `closed` (forced_close); of a client that is opening `closed` alone; of a client
    /// that waits to connect again, or is idle, no event. `is_idle` says when it is done.
    void close();

    //=== what the application wants: see socketio::client_session ===//

    /// Joins a namespace. Errors: errc::invalid_namespace, errc::already_connected; errc::invalid_payload,
    /// errc::depth_exceeded, errc::message_too_large for `auth`; errc::invalid_request_target: the path of the options
    /// is invalid.
    result<socket_handle> connect(std::string_view nsp = "/");
    result<socket_handle> connect(std::string_view nsp, socketio::ask_for_auth_t);
    template <class Auth>
    result<socket_handle> connect(std::string_view nsp, Auth const& auth) {
        return connect_with(nsp, json::detail::values_of(auth));
    }
    /// Answers event_type::connecting with the auth for this attempt, where the socket asks for it each time.
    template <class Auth>
    result<void> authenticate(socket_handle socket, Auth const& auth) {
        return authenticate_with(socket, json::detail::values_of(auth));
    }

    /// Leaves the namespace. When no namespace is left, the client closes the connection.
    void disconnect(socket_handle socket);

    /// Emits an event: now if the socket is connected, otherwise once it is; also if the connection is already lost but
    /// `disconnected` was not polled yet. Errors: those of socketio::client_session. With `retries`
    /// errc::queue_overflow is not returned: the event is sent again.
    template <class... Args, socketio::event_name_for<Args...> Name>
    result<void> emit(socket_handle socket, Name const& name, Args const&... args) {
        return emit_event(socket, socketio::detail::name_of(name),
                          json::detail::values_of(json::detail::passed_on(args)...));
    }
    /// Emits an event if it can go at once; otherwise drops it: errc::would_wait.
    template <class... Args, socketio::event_name_for<Args...> Name>
    result<void> emit_volatile(socket_handle socket, Name const& name, Args const&... args) {
        return emit_at_once(socket, socketio::detail::name_of(name),
                            json::detail::values_of(json::detail::passed_on(args)...));
    }
    /// Emits an event and asks for its acknowledgement: event_type::ack, with the id that is returned.
    template <class... Args, socketio::event_name_for<Args...> Name>
    result<std::uint64_t> emit_with_ack(socket_handle socket, std::optional<milliseconds> timeout, Name const& name,
                                        Args const&... args) {
        return emit_awaited(socket, timeout, socketio::detail::name_of(name),
                            json::detail::values_of(json::detail::passed_on(args)...));
    }
    /// emit("message", ...), as in Socket.IO.
    template <class... Args>
    result<void> send(socket_handle socket, Args const&... args) {
        return emit(socket, std::string_view("message"), json::detail::passed_on(args)...);
    }
    /// Acknowledges an event, once.
    template <class... Args>
    result<void> acknowledge(socketio::ack_request& request, Args const&... args) {
        return acknowledge_with(request, json::detail::values_of(json::detail::passed_on(args)...));
    }

    //=== what it means, what to do, when to come back ===//

    /// The next event, or nothing until there is other input.
    [[nodiscard]] std::optional<event> poll_event();

    /// The next thing to do, or nothing until there is other input. Targets and bodies are put together in `buffer`.
    /// Views are valid until the next call that is not const, other than `pause` and `resume`.
    [[nodiscard]] std::optional<engineio::transmit> poll_transmit(std::string& buffer);

    /// When to call `handle_timeout`, if ever. Changes with every input. Constant time.
    [[nodiscard]] std::optional<time_point> poll_timeout() const noexcept;

    //=== what it is ===//

    /// The options that it was made with.
    [[nodiscard]] client_options const& options() const noexcept;
    /// Whether the connection is open.
    [[nodiscard]] bool is_open() const noexcept;
    /// Whether no connection is open, being opened or closed, or waited for.
    [[nodiscard]] bool is_idle() const noexcept;
    /// The transport in use.
    [[nodiscard]] engineio::transport transport() const noexcept;
    /// Whether the socket is connected.
    [[nodiscard]] bool is_connected(socket_handle socket) const noexcept;
    /// The id of the socket; empty unless it is connected. Valid until the next call that is not const.
    [[nodiscard]] std::string_view sid(socket_handle socket) const noexcept;
    /// The namespace of the socket.
    [[nodiscard]] std::string_view nsp(socket_handle socket) const noexcept;
    /// Bytes that wait for `poll_transmit`, and bytes that wait for a socket to connect.
    [[nodiscard]] std::size_t queued() const noexcept;
    [[nodiscard]] std::size_t buffered() const noexcept;

private:
    // The templates above, without the types of their values.
    result<socket_handle> connect_with(std::string_view nsp, json::detail::values const& auth);
    result<void> authenticate_with(socket_handle socket, json::detail::values const& auth);
    result<void> emit_event(socket_handle socket, std::string_view name, json::detail::values const& args);
    result<void> emit_at_once(socket_handle socket, std::string_view name, json::detail::values const& args);
    result<std::uint64_t> emit_awaited(socket_handle socket, std::optional<milliseconds> timeout, std::string_view name,
                                       json::detail::values const& args);
    result<void> acknowledge_with(socketio::ack_request& request, json::detail::values const& args);

    std::unique_ptr<detail::client_core> core_;
};

} // namespace socketless::inline v0

#include <socketless/core/detail/epilogue.hpp>

#ifndef SOCKETLESS_SEPARATE_COMPILATION
#include <socketless/impl/client.hpp>
#endif
