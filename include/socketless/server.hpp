// socketless::server: a whole Socket.IO server: many connections, their sockets in namespaces and rooms, broadcasts.
#pragma once

#include <socketless/admission.hpp>
#include <socketless/audience.hpp>
#include <socketless/core/frame.hpp>
#include <socketless/core/random.hpp>
#include <socketless/core/result.hpp>
#include <socketless/core/time.hpp>
#include <socketless/engineio/connection_event.hpp>
#include <socketless/engineio/handshake_request.hpp>
#include <socketless/engineio/http_request.hpp>
#include <socketless/engineio/request.hpp>
#include <socketless/engineio/session.hpp>
#include <socketless/json/detail/values.hpp>
#include <socketless/server_options.hpp>
#include <socketless/socketio/session.hpp>
#include <socketless/socketio/typed_event.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0 {

namespace engineio {
class server_session;
} // namespace engineio

namespace cluster::detail {
class local_sockets;
} // namespace cluster::detail

/// A whole server: all connections of a process, or of one of its threads; two servers share nothing. "/" is there from
/// the start; declare other namespaces by name or by a predicate.
///
///     for (;;) {
///         if (auto e = server.poll_event()) { ...; continue; }            // for the application
///         if (auto t = server.poll_transmit(buffer)) { ...; continue; }   // for the I/O layer
///         wait for input, or until server.poll_timeout();
///     }
///
/// Inputs and transmits are those of engineio::server. Events are those of socketio::server_session but for `closed`,
/// `connected` for each socket, and acks_complete. The work for one input, event, transmit or timer is constant,
/// however many connections there are. Calls without a `now` use the time of the last call that had one: when a timer
/// of your own fires, call `handle_timeout(now)` first.
class server {
public:
    /// What `poll_event` returns, and what names a socket.
    using event = socketio::event;
    using socket_handle = socketio::socket_handle;

    /// `random` makes the ids: see `random_source`.
    server(server_options options, random_source random, time_point now);
    ~server();

    /// The options in force.
    [[nodiscard]] server_options const& options() const noexcept;

    //=== namespaces ===//

    /// Declares a namespace: clients may join it from now on. Declare it again to change who decides that.
    /// Precondition: the name begins with '/'.
    void declare(std::string_view nsp, admission a = admission::automatic);
    /// Declares all namespaces for which the predicate returns true, given the name and a client's auth. Such a
    /// namespace is there while sockets are in it. An empty predicate declares nothing.
    void declare_matching(namespace_predicate predicate, admission a = admission::automatic);

    //=== what happened: see engineio::server ===//

    /// The head of a request has been read, its body is on its way. Optional.
    void http_started(engineio::http_request const& request, time_point now);
    /// A request, with its whole body. The server answers it exactly once.
    void http_received(engineio::http_request const& request, time_point now);
    /// The client has given the exchange up. `poll_transmit` may still give an answer to it: drop that.
    void http_aborted(engineio::exchange_id exchange, time_point now);
    /// Whether a request for this target is for the server. The I/O layer answers others itself.
    [[nodiscard]] bool takes(std::string_view target) const noexcept;
    /// Why a WebSocket may not be opened with this request, if so: answer it with that status and body.
    [[nodiscard]] std::optional<engineio::refusal> websocket_refusal(engineio::websocket_request const& request);
    [[nodiscard]] std::optional<engineio::refusal> websocket_refusal(std::string_view target,
                                                                     std::uint64_t context = 0);
    /// A WebSocket is open.
    void websocket_opened(engineio::websocket_request const& request, time_point now);
    void websocket_opened(engineio::channel_id channel, std::string_view target, time_point now);
    /// A message of a WebSocket.
    void websocket_received(engineio::channel_id channel, frame message, time_point now,
                            text_check text = text_check::due);
    /// A stream is open. Its client says in the first packet which session it is for.
    void stream_opened(engineio::channel_id channel, time_point now, std::uint64_t context = 0);
    /// The next bytes of a stream.
    void stream_received(engineio::channel_id channel, std::string_view chunk, time_point now);
    /// The channel is gone. A transmit that closes it may still come: drop it.
    void channel_closed(engineio::channel_id channel, time_point now);
    /// A write is under way on the channel: the server sends nothing more on it until `resume`. Leaves the views of the
    /// last transmit valid; so does `resume`.
    void pause(engineio::channel_id channel);
    void resume(engineio::channel_id channel);

    /// Time has passed. Call it when `poll_timeout` is due, and before you act on a timer of your own. A spurious call
    /// is harmless.
    void handle_timeout(time_point now);

    //=== what the application wants: one socket ===//

    /// Accepts the client that event_type::connecting named. Errors: errc::not_connected if the client is gone, or you
    /// have accepted it before; errc::queue_overflow.
    result<void> accept(socket_handle socket);

    /// Keeps it out. `message` is for people, `data` for programs. Errors: as above; errc::invalid_utf8,
    /// errc::depth_exceeded, errc::message_too_large, after which you may try again.
    result<void> refuse(socket_handle socket, std::string_view message);
    template <class T>
    result<void> refuse(socket_handle socket, std::string_view message, T const& data) {
        return refuse_with(socket, message, json::detail::values_of(data));
    }

    /// Emits an event. A client that has not been let in yet gets it right after the answer: the server keeps at most
    /// `max_queued` bytes for its connection until then (errc::buffer_full). With recovery, also to a socket whose
    /// connection is lost, while its state is kept: its client gets the event if it comes back. (Where a node of a
    /// cluster keeps the states, this holds until `disconnected` was handled.) Errors: errc::not_connected;
    /// errc::reserved_event_name, errc::invalid_utf8; if no client with the same limits would take it:
    /// errc::too_many_attachments, errc::attachments_too_large, errc::depth_exceeded; errc::message_too_large: it alone
    /// is larger than `max_queued`; errc::queue_overflow: with it more than `max_queued` bytes would wait, and the
    /// connection ends.
    template <class... Args, socketio::event_name_for<Args...> Name>
    result<void> emit(socket_handle socket, Name const& name, Args const&... args) {
        return emit_event(socket, socketio::detail::name_of(name),
                          json::detail::values_of(json::detail::passed_on(args)...));
    }
    /// Emits an event if its transport can take it at once; otherwise drops it: errc::would_wait.
    template <class... Args, socketio::event_name_for<Args...> Name>
    result<void> emit_volatile(socket_handle socket, Name const& name, Args const&... args) {
        return emit_at_once(socket, socketio::detail::name_of(name),
                            json::detail::values_of(json::detail::passed_on(args)...));
    }
    /// Emits an event and asks for its acknowledgement: event_type::ack, with the id that is returned. Errors: as
    /// `emit`; errc::too_many_acks. If it throws, the server awaits no acknowledgement.
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
    /// Acknowledges an event, once: `request` is empty afterwards. Errors: errc::already_acknowledged; those of `emit`,
    /// after which you may try again.
    template <class... Args>
    result<void> acknowledge(socketio::ack_request& request, Args const&... args) {
        return acknowledge_with(request, json::detail::values_of(json::detail::passed_on(args)...));
    }

    /// Disconnects the socket from its namespace. Harmless if it is gone; if its connection is lost, its client can no
    /// longer recover the state, unless a node of a cluster has it already.
    void disconnect(socket_handle socket);
    /// Disconnects all sockets of its connection and closes that.
    void disconnect_connection(socket_handle socket);

    /// Puts the socket into a room, takes it out: false if nothing changes. The id of a socket is a room that it is in
    /// by itself. A socket that is in `max_rooms` rooms enters no other: `join` is false, and so is `is_in`. Broadcasts
    /// to the room reach a socket once it has been let in.
    bool join(socket_handle socket, std::string_view room);
    bool leave(socket_handle socket, std::string_view room);
    /// Whether the socket is in the room.
    [[nodiscard]] bool is_in(socket_handle socket, std::string_view room) const noexcept;
    /// The rooms that the socket has joined, in that order. A name is valid until the last member leaves its room; you
    /// may pass it to `leave`.
    [[nodiscard]] std::vector<std::string_view> rooms_of(socket_handle socket) const;

    //=== what the application wants: many sockets ===//

    /// The sockets of a namespace.
    [[nodiscard]] audience in(std::string_view nsp);
    /// The sockets of a room of "/".
    [[nodiscard]] audience to(std::string_view room);

    /// Closes all connections once all that is queued has gone: sockets end with "server shutting down". The server
    /// closes new connections at once; the I/O layer is done when `connection_count` is 0.
    void close();

    //=== what it means, what to do, when to come back ===//

    /// The next event of any socket. The id, rooms and data of a socket are there until the next
    /// call of `poll_event` after its `disconnected`.
    [[nodiscard]] std::optional<event> poll_event();

    /// What has happened to connections and requests, for a log, if `engine.max_connection_events` asks for it. Take
    /// these after each input, as the events. "forced close" with an error: a message could not be read as Socket.IO.
    [[nodiscard]] std::optional<engineio::connection_event> poll_connection_event() noexcept;

    /// The next thing to do, for any connection. Its views are valid until the next call that is not const, or until
    /// `buffer` is used again.
    [[nodiscard]] std::optional<engineio::transmit> poll_transmit(std::string& buffer);

    /// When to call `handle_timeout`, if ever; a call at that time may find nothing to do. Constant time.
    [[nodiscard]] std::optional<time_point> poll_timeout() const noexcept;

    //=== what there is ===//

    /// How many connections and how many sockets there are.
    [[nodiscard]] std::size_t connection_count() const noexcept;
    [[nodiscard]] std::size_t socket_count() const noexcept;

    /// Whether the socket is connected.
    [[nodiscard]] bool is_connected(socket_handle socket) const noexcept;
    /// The socket's id; empty if it has none. A client of revision 4 has the id of its connection: `id` in "/",
    /// `/nsp#id` in other namespaces.
    [[nodiscard]] std::string_view sid(socket_handle socket) const noexcept;
    /// Its namespace.
    [[nodiscard]] std::string_view nsp(socket_handle socket) const noexcept;
    /// The connected socket with this id, if there is one.
    [[nodiscard]] std::optional<socket_handle> find(std::string_view nsp, std::string_view sid) const;
    /// Its connection, or null if it is gone: transport, revision, bytes queued, ... Sockets of one client share it.
    /// Valid until the next call that is not const. Its class is in engineio/server_session.hpp.
    [[nodiscard]] engineio::server_session const* connection(socket_handle socket) const noexcept;

    /// The request with which its connection began: path, query, and the I/O layer's number for it. Also while the
    /// client asks to join, and while `disconnected` is handled; empty once the connection is gone. Its views are valid
    /// as long as the connection.
    ///
    ///     if (e.type == event_type::connecting && io.handshake(e.socket).query.get("token") == token)
    ///         io.accept(e.socket).ignore();
    [[nodiscard]] engineio::handshake_request handshake(socket_handle socket) const noexcept;

    /// Something of the application's own, kept with the socket and recovered with it, unless something else was set
    /// before the socket was accepted.
    void set_data(socket_handle socket, std::shared_ptr<void> data);
    /// The same; null if there is none. Precondition: it is a T.
    template <class T>
    [[nodiscard]] T* data(socket_handle socket) const noexcept {
        return static_cast<T*>(data_of(socket));
    }

private:
    friend class cluster::detail::local_sockets;

    // The templates above, without the types of their values.
    result<void> refuse_with(socket_handle socket, std::string_view message, json::detail::values const& data);
    result<void> emit_event(socket_handle socket, std::string_view name, json::detail::values const& args);
    result<void> emit_at_once(socket_handle socket, std::string_view name, json::detail::values const& args);
    result<std::uint64_t> emit_awaited(socket_handle socket, std::optional<milliseconds> timeout, std::string_view name,
                                       json::detail::values const& args);
    result<void> acknowledge_with(socketio::ack_request& request, json::detail::values const& args);
    [[nodiscard]] void* data_of(socket_handle socket) const noexcept;

    std::unique_ptr<detail::server_emitter> core_;
};

} // namespace socketless::inline v0

#include <socketless/core/detail/epilogue.hpp>

#ifndef SOCKETLESS_SEPARATE_COMPILATION
#include <socketless/impl/server.hpp>
#endif
