// socketio::client_session: the client's side: its sockets, over one connection after the other.
#pragma once

#include <socketless/core/assert.hpp>
#include <socketless/core/detail/frame_queue.hpp>
#include <socketless/core/detail/rollback.hpp>
#include <socketless/core/frame.hpp>
#include <socketless/core/result.hpp>
#include <socketless/core/time.hpp>
#include <socketless/json/detail/values.hpp>
#include <socketless/json/writer.hpp>
#include <socketless/socketio/client_options.hpp>
#include <socketless/socketio/detail/client_session_emitter.hpp>
#include <socketless/socketio/session.hpp>
#include <socketless/socketio/typed_event.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::socketio {

/// The client's sockets: messages in, messages out, over any channel that keeps their order. It outlives its
/// connections: on the next one it connects the sockets again that the application still wants, sends what was emitted
/// meanwhile, and recovers their state where the server supports that.
///
///     A socket:
///                 connect()                      CONNECT                DISCONNECT, disconnect()
///     not wanted ----------> wanted: connecting ---------> connected ----------------------------> not wanted
///         ^                       |       ^                    |
///         '-- CONNECT_ERROR ------'       '--- connection lost-'   (connecting begins with the next `opened`)
///
///     disconnect() while connecting: the session waits for the answer to CONNECT and sends DISCONNECT then; there is
///     no event.
///
/// The loop is that of every session: after each input, or several (see `max_unread_inputs`), take events, then
/// transmits, until both run dry; then wait for input or `poll_timeout`. Packets are borrowed from the messages. Calls
/// without a `now` use the time of the last call that had one: when a timer of your own fires, call
/// `handle_timeout(now)` first.
///
/// The application's write_json may throw, and so may an allocation. Then the call has done nothing; but if poll_event
/// throws, the connection ends (transport_error), since a message is lost.
class client_session : private detail::client_session_emitter {
public:
    /// Until the first input, timeouts count from `now`.
    explicit client_session(client_options const& options = {}, time_point now = {})
        : client_session_emitter(options, now) {}

    //=== what happened ===//

    /// A connection is open. Precondition: the one before has closed, and `poll_event` has returned all its events.
    void opened(time_point now) {
        SOCKETLESS_ASSERT(!is_open_ && !closed_due_ && ending_ == 0);
        out_.now = now;
        is_open_ = true;
        root_ = root_state::awaited;
        for (auto const& kept : sockets_) {
            socket& s = *kept;
            s.was_left = false;
            if (s.wanted && !core_detail::attempt([&] { begin_connect(s); })) return break_off();
        }
    }

    /// A message of the server. `text` says whether you know its text to be UTF-8. Otherwise the session checks it.
    void message_received(frame message, time_point now, text_check text = text_check::due) {
        due_ = true;
        if (is_open_ && !lost_)
            inbox_.push(message, text, now, out_.now);
        else
            out_.now = now;
    }

    /// The connection is gone. The session sends nothing until the next one.
    void closed(disconnect_reason reason, time_point now) {
        due_ = true;
        bool const is_unread = !inbox_.empty();
        inbox_.pass_time(now, out_.now);
        if (!is_unread) return lose(reason);
        lost_ = reason; // step loses it once it has read those
    }

    /// Time has passed. Call it when `poll_timeout` is due, and before you act on a timer of your own. A spurious call
    /// is harmless.
    void handle_timeout(time_point now) {
        if (inbox_.empty() && out_.acks.empty()) { // nothing is to be read, and nothing can expire
            out_.now = now;
            return;
        }
        due_ = true;
        inbox_.pass_time(now, out_.now);
    }

    //=== what the application wants: sockets ===//

    /// Joins a namespace, now or when a connection is open; without auth, or with the auth of the last time. In
    /// revision 4 a query may follow a '?'. Errors: errc::invalid_namespace, errc::already_connected.
    result<socket_handle> connect(std::string_view nsp = "/") {
        return connect_with(nsp, [](socket&) { return result<void>(); });
    }
    /// Joins it with auth: any value that is written as a JSON object; null and an empty json::text are no auth.
    /// Errors: as above; errc::invalid_payload; errc::depth_exceeded; errc::message_too_large.
    template <class Auth>
    result<socket_handle> connect(std::string_view nsp, Auth const& auth) {
        auto const values = json::detail::values_of(auth);
        return connect_with(nsp, [&](socket& s) { return s.set_auth(values, out_.bounds()); });
    }
    /// Joins it with auth that the session asks for afresh each time. Errors: as the first.
    result<socket_handle> connect(std::string_view nsp, ask_for_auth_t) {
        return connect_with(nsp, [](socket& s) {
            s.asks_for_auth = true;
            return result<void>();
        });
    }

    /// Answers event_type::connecting. Errors: errc::invalid_payload; errc::depth_exceeded; errc::already_connected
    /// if the session did not ask; errc::message_too_large.
    template <class Auth>
    result<void> authenticate(socket_handle handle, Auth const& auth) {
        return authenticate_with(handle, json::detail::values_of(auth));
    }

    /// Leaves the namespace. Events that wait for the socket to connect stay, and go if it joins again.
    void disconnect(socket_handle handle) {
        socket* const s = find(handle);
        if (s != nullptr) leave(*s);
    }

    //=== what the application wants: events ===//

    /// Emits an event: now if the socket is connected, otherwise once it is. Errors: errc::not_connected for a handle
    /// that names no socket; errc::reserved_event_name, errc::invalid_utf8; no receiver with the same limits would
    /// accept it: errc::too_many_attachments, errc::attachments_too_large, errc::depth_exceeded;
    /// errc::message_too_large: it is larger than `max_queued` alone; errc::buffer_full; errc::queue_overflow: with it
    /// more than `max_queued` bytes would wait, and the connection ends.
    template <class... Args, event_name_for<Args...> Name>
    result<void> emit(socket_handle handle, Name const& name, Args const&... args) {
        return emit_event(handle, {}, detail::name_of(name), json::detail::values_of(json::detail::passed_on(args)...));
    }

    /// Emits an event if it can go at once; otherwise drops it. Errors: errc::would_wait, and as above.
    template <class... Args, event_name_for<Args...> Name>
    result<void> emit_volatile(socket_handle handle, Name const& name, Args const&... args) {
        return emit_at_once(handle, detail::name_of(name), json::detail::values_of(json::detail::passed_on(args)...));
    }

    /// Emits an event and asks for its acknowledgement, which ends in one event_type::ack with the id that is returned.
    /// `timeout` counts from now, or with `retries` from each try; if empty, `ack_timeout` of the options counts.
    /// Errors: as above, and errc::too_many_acks.
    template <class... Args, event_name_for<Args...> Name>
    result<std::uint64_t> emit_with_ack(socket_handle handle, std::optional<milliseconds> timeout, Name const& name,
                                        Args const&... args) {
        return emit_awaited(handle, timeout, detail::name_of(name),
                            json::detail::values_of(json::detail::passed_on(args)...));
    }

    /// Acknowledges an event, once: `request` is empty afterwards. Errors: errc::already_acknowledged;
    /// errc::not_connected if the socket has disconnected since; those of `emit`, after which you may try again.
    template <class... Args>
    result<void> acknowledge(ack_request& request, Args const&... args) {
        return acknowledge_with(request, json::detail::values_of(json::detail::passed_on(args)...));
    }

    /// For whoever hands the messages to a transport: see `message_queue`.
    template <class Call>
    auto put_below(core_detail::frame_queue& below, core_detail::frame_queue::heads const& before, Call call) {
        return out_.queue.put_below(below, before, call);
    }

    //=== what it means, what to do, when to come back ===//

    /// The next event, or nothing until there is other input: connecting, connected, connect_error, event, ack,
    /// disconnected, and closed once for each connection.
    [[nodiscard]] std::optional<event> poll_event() {
        std::optional<event> e = detail::no_event();
        poll_event(e);
        return e;
    }
    /// The same in place, for the layers above: events are large. Precondition: `e` is empty.
    void poll_event(std::optional<event>& e) {
        if (!due_) return out_.queue.shrink_parsed(); // the last event is handled
        core_detail::rollback undo([this]() noexcept { break_off(); });
        while (!e && due_) due_ = step(e);
        if (e && e->type == event_type::event) due_ = has_more();
        undo.commit();
    }

    /// Whether `poll_event` may return an event without other input.
    [[nodiscard]] bool is_due() const noexcept { return due_; }

    /// The next thing to do, or nothing until there is other input.
    [[nodiscard]] std::optional<transmit> poll_transmit() noexcept {
        if (lost_) return std::nullopt;
        if (!out_.queue.empty()) {
            frame const message = out_.queue.front();
            out_.queue.pop();
            return transmit{transmit_type::message, message};
        }
        if (std::exchange(close_due_, false)) return transmit{transmit_type::close, {}};
        return std::nullopt;
    }

    /// Whether `poll_transmit` has something to give.
    [[nodiscard]] bool has_transmit() const noexcept { return !lost_ && (close_due_ || !out_.queue.empty()); }

    /// When to call `handle_timeout`, if ever. Changes with every input, and with every acknowledgement that the
    /// application asks for.
    [[nodiscard]] std::optional<time_point> poll_timeout() const noexcept { return out_.acks.next_deadline(); }

    //=== what it is ===//

    /// The options that it was made with.
    [[nodiscard]] client_options const& options() const noexcept { return out_.options; }
    /// Whether the application wants any socket.
    [[nodiscard]] bool is_active() const noexcept {
        return std::ranges::any_of(sockets_, [](auto const& s) { return s->wanted; });
    }
    /// Whether the socket is connected.
    [[nodiscard]] bool is_connected(socket_handle handle) const noexcept {
        socket const* const s = find(handle);
        return s != nullptr && s->state == socket_state::connected;
    }
    /// The socket's id while it is connected, and its namespace; otherwise empty.
    [[nodiscard]] std::string_view sid(socket_handle handle) const noexcept {
        return is_connected(handle) ? std::string_view(find(handle)->sid) : std::string_view();
    }
    [[nodiscard]] std::string_view nsp(socket_handle handle) const noexcept {
        socket const* const s = find(handle);
        return s == nullptr ? std::string_view() : s->name();
    }
    /// How many sockets there are: their handles are {0, 1} to {size() - 1, 1}.
    [[nodiscard]] std::uint32_t size() const noexcept { return static_cast<std::uint32_t>(sockets_.size()); }
    /// Why the last connection ended.
    [[nodiscard]] disconnect_reason reason() const noexcept { return reason_; }
    /// Bytes of events that wait for their socket to connect, or for their turn.
    [[nodiscard]] std::size_t buffered() const noexcept { return out_.buffered; }
};

} // namespace socketless::inline v0::socketio

#include <socketless/core/detail/epilogue.hpp>
