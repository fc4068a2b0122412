// socketio::server_session: the server's side of one connection: the namespaces that its client has joined.
#pragma once

#include <socketless/core/detail/rollback.hpp>
#include <socketless/core/frame.hpp>
#include <socketless/core/result.hpp>
#include <socketless/core/time.hpp>
#include <socketless/json/detail/values.hpp>
#include <socketless/json/writer.hpp>
#include <socketless/socketio/detail/server_session_core.hpp>
#include <socketless/socketio/encode.hpp>
#include <socketless/socketio/message_queue.hpp>
#include <socketless/socketio/packet.hpp>
#include <socketless/socketio/server_options.hpp>
#include <socketless/socketio/session.hpp>
#include <socketless/socketio/typed_event.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::socketio {

/// The server's side of one connection: messages in, messages out, over any channel that keeps their order.
///
///     A namespace, on this connection:
///
///              CONNECT            accept()                 DISCONNECT, or the connection ends
///     (none) ---------> asked ----------------> connected -----------------------------------> (none)
///        ^                | refuse()                |                                             ^
///        '----------------'                         '---- disconnect() ----> left ----------------'
///                                                          (the session ignores what was on its way until
///                                                           the client has heard: CONNECT or DISCONNECT)
///
///     Any other packet from the client, for any namespace, ends the connection: "forced server close"; one that
///     cannot be decoded: "parse error". Revision 4: the connection itself asks for "/".
///
/// The loop is that of every session: after each input, or several (see `max_unread_inputs`), take events, then
/// transmits, until both run dry; then wait for input or `poll_timeout`. Packets are borrowed from the messages. Calls
/// without a `now` use the time of the last call that had one: when a timer of your own fires, call
/// `handle_timeout(now)` first.
///
/// The application's write_json may throw, and so may an allocation. Then the call has done nothing; but if poll_event
/// throws, the connection ends (transport_error), since a message is lost.
class server_session : private detail::server_session_core {
public:
    /// `options` and `queue` outlive the session. See `message_queue` for how many sessions may share a queue.
    server_session(server_options const& options, message_queue& queue, socketio::revision r, time_point now) noexcept
        : server_session_core(options, queue, r, now) {}

    //=== what happened ===//

    /// A message of the client. `text` says whether you know its text to be UTF-8. Otherwise the session checks it.
    void message_received(frame message, time_point now, text_check text = text_check::due) {
        if (!is_closed_ && !lost_)
            inbox_.push(message, text, now, now_);
        else
            now_ = now;
    }

    /// The connection is gone. The session sends nothing more.
    void connection_closed(disconnect_reason reason, time_point now) {
        bool const is_unread = !inbox_.empty();
        inbox_.pass_time(now, now_);
        if (!is_unread) return lose(reason);
        lost_ = reason; // step loses it once it has read those
    }

    /// Time has passed. Call it when `poll_timeout` is due, and before you act on a timer of your own. A spurious call
    /// is harmless.
    void handle_timeout(time_point now) {
        bool const is_unread = !inbox_.empty();
        inbox_.pass_time(now, now_);
        if (!is_unread) check_deadline();
    }

    //=== what the application wants ===//

    /// Lets the client into the namespace that it asked for. `sid` is the socket's id, of at least 120 random bits;
    /// `pid`, if there is one, the secret by which its state can be recovered. Errors: errc::not_connected if the
    /// client does not ask (any more); errc::invalid_utf8; errc::message_too_large; errc::queue_overflow.
    result<void> accept(socket_handle socket, std::string_view sid, std::string_view pid = {}) {
        slot* const s = find(socket, state::asked);
        if (s == nullptr) return error{errc::not_connected};
        auto const put = queue_->put(options_->max_queued, [&](std::string& text, attachment_list&) {
            std::string_view const nsp = s->nsp.view();
            if (revision_ == revision::v4) return encode_connect(text, nsp);
            if (pid.empty()) return encode_connect(text, nsp, json::object("sid", sid));
            return encode_connect(text, nsp, json::object("sid", sid, "pid", pid));
        });
        if (!put) return put;
        s->state = state::connected;
        is_awaited_ = false;
        return check_queue();
    }

    /// Keeps the client out: CONNECT_ERROR with a message for people and, if there is any, data for programs (a client
    /// of revision 4 gets the message only). Errors: errc::not_connected; errc::invalid_utf8, errc::depth_exceeded,
    /// errc::message_too_large, after which you may try again.
    result<void> refuse(socket_handle socket, std::string_view message) {
        return refuse_with(socket, message, nullptr);
    }
    template <class T>
    result<void> refuse(socket_handle socket, std::string_view message, T const& data) {
        auto const written = json::detail::values_of(data);
        json::detail::values const values(written);
        return refuse_with(socket, message, &values);
    }

    /// Keeps the client out and does not answer: for a namespace whose name leaves no room for an answer
    /// (errc::message_too_large).
    void drop(socket_handle socket) noexcept {
        if (slot* const s = find(socket, state::asked)) free(*s);
    }

    /// Emits an event. Errors: errc::not_connected; errc::reserved_event_name, errc::invalid_utf8; no receiver with the
    /// same limits would accept it: errc::too_many_attachments, errc::attachments_too_large, errc::depth_exceeded;
    /// errc::message_too_large: it is larger than `max_queued` alone; errc::queue_overflow: with it more than
    /// `max_queued` bytes would wait, and the connection ends.
    template <class... Args, event_name_for<Args...> Name>
    result<void> emit(socket_handle socket, Name const& name, Args const&... args) {
        return emit_event(socket, detail::name_of(name), json::detail::values_of(json::detail::passed_on(args)...));
    }

    /// Emits an event and asks for its acknowledgement, which ends in one event_type::ack. `id` is the caller's choice,
    /// at most `max_ack_id`. Errors: as above, and errc::too_many_acks. Precondition: `id` is greater than all
    /// before.
    template <class... Args, event_name_for<Args...> Name>
    result<void> emit_with_ack(socket_handle socket, std::uint64_t id, std::optional<milliseconds> timeout,
                               Name const& name, Args const&... args) {
        return emit_awaited(socket, id, timeout, detail::name_of(name),
                            json::detail::values_of(json::detail::passed_on(args)...));
    }

    /// Awaits the acknowledgement of an event that the caller sends by itself, as in a broadcast. Errors and
    /// precondition: as above.
    result<void> expect_ack(socket_handle socket, std::uint64_t id, std::optional<milliseconds> timeout) {
        if (find(socket, state::connected) == nullptr) return error{errc::not_connected};
        return await(socket, id, timeout);
    }
    /// Stops awaiting it, because the event was not sent. There is no event of this.
    using server_session_core::forget_ack;
    /// The same as `expect_ack` for a client that has not been let in yet: the caller sends its event when it is. If
    /// the client is refused instead, its acknowledgements end, and `disconnected` follows.
    result<void> expect_early_ack(socket_handle socket, std::uint64_t id, std::optional<milliseconds> timeout) {
        if (find(socket, state::asked) == nullptr) return error{errc::not_connected};
        return await(socket, id, timeout);
    }

    /// Acknowledges an event, once: `request` is empty afterwards. Errors: errc::already_acknowledged; those of `emit`,
    /// after which you may try again.
    template <class... Args>
    result<void> acknowledge(ack_request& request, Args const&... args) {
        return acknowledge_with(request, json::detail::values_of(json::detail::passed_on(args)...));
    }

    /// Disconnects the socket: "server namespace disconnect". Harmless if it is gone.
    void disconnect(socket_handle socket) {
        slot* const s = find(socket, state::connected);
        if (s == nullptr) return;
        put_disconnect(*s);
        begin_end(*s, disconnect_reason::server_namespace_disconnect);
    }

    /// Closes the connection. With server_namespace_disconnect each namespace gets a DISCONNECT first.
    /// Precondition: `reason` is one of a server's.
    void close(disconnect_reason reason) {
        if (is_closed_) return;
        if (reason == disconnect_reason::server_namespace_disconnect)
            for (slot& s : slots_) {
                if (s.state != state::connected) continue;
                put_disconnect(s);
                begin_end(s, reason);
            }
        end(reason);
    }

    //=== what it means, what to do, when to come back ===//

    /// The next event, or nothing until there is other input: connecting, event, ack, disconnected, and once closed.
    [[nodiscard]] std::optional<event> poll_event() {
        std::optional<event> e = detail::no_event();
        poll_event(e);
        return e;
    }
    /// The same in place, for the layers above: events are large. Precondition: `e` is empty.
    void poll_event(std::optional<event>& e) {
        core_detail::rollback undo([this]() noexcept { break_off(); });
        while (!e && step(e)) {
        }
        undo.commit();
    }

    /// Whether `poll_event` may return another event, or give memory back, without other input. May be true where that
    /// is not so.
    [[nodiscard]] bool is_due() const noexcept {
        return ending_ != 0 || closed_due_ || vacated_ || root_due_ || lost_ || !inbox_.is_idle() || acks_;
    }

    /// The next thing to do, or nothing until there is other input.
    [[nodiscard]] std::optional<transmit> poll_transmit() noexcept {
        if (lost_) return std::nullopt;
        if (!queue_->empty()) {
            frame const message = queue_->front();
            queue_->pop();
            return transmit{transmit_type::message, message};
        }
        if (std::exchange(close_due_, false)) return transmit{transmit_type::close, {}};
        return std::nullopt;
    }

    /// Whether `poll_transmit` has something to give.
    [[nodiscard]] bool has_transmit() const noexcept { return !lost_ && (close_due_ || !queue_->empty()); }

    /// When to call `handle_timeout`, if ever. Changes with every input, and with every acknowledgement that the
    /// application asks for.
    [[nodiscard]] std::optional<time_point> poll_timeout() const noexcept {
        if (is_closed_) return std::nullopt;
        auto const connecting = is_awaited_ ? std::optional(connect_deadline_) : std::nullopt;
        return acks_ ? earlier(connecting, acks_->next_deadline()) : connecting;
    }

    //=== what it is ===//

    /// What was wrong with what the client sent, if it could not be read and the connection was closed for that.
    [[nodiscard]] std::optional<errc> cause() const noexcept { return cause_; }

    /// The revision of the protocol that the client speaks.
    [[nodiscard]] socketio::revision revision() const noexcept { return revision_; }
    /// Whether the connection has ended, as far as this side can tell.
    [[nodiscard]] bool is_closed() const noexcept { return is_closed_; }
    /// Whether the socket is connected.
    [[nodiscard]] bool is_connected(socket_handle socket) const noexcept {
        return find(socket, state::connected) != nullptr;
    }
    /// Why the socket ends, until `poll_event` returns its `disconnected`; nothing for any other socket.
    [[nodiscard]] std::optional<disconnect_reason> ending(socket_handle socket) const noexcept {
        auto const* const s = find(socket, state::ending);
        return s == nullptr ? std::nullopt : std::optional(s->reason);
    }
    /// The socket's namespace; empty if it is gone.
    [[nodiscard]] std::string_view nsp(socket_handle socket) const noexcept {
        for (state const s : {state::asked, state::connected})
            if (auto const* const found = find(socket, s)) return found->nsp.view();
        return {};
    }

    /// A number of the caller's own for a socket, kept until another takes its index; `no_tag` before it is set.
    /// Precondition: the handle came from this session.
    using server_session_core::no_tag;
    void set_tag(socket_handle socket, std::uint32_t tag) noexcept { slots_[socket.index].tag = tag; }
    [[nodiscard]] std::uint32_t tag(socket_handle socket) const noexcept { return slots_[socket.index].tag; }
};

} // namespace socketless::inline v0::socketio

#include <socketless/core/detail/epilogue.hpp>
