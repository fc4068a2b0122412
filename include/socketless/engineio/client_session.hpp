// engineio::client_session: the client's side of a connection, over whichever transport is best.
#pragma once

#include <socketless/core/assert.hpp>
#include <socketless/core/detail/rollback.hpp>
#include <socketless/core/frame.hpp>
#include <socketless/core/result.hpp>
#include <socketless/core/time.hpp>
#include <socketless/engineio/client_options.hpp>
#include <socketless/engineio/detail/client_session_core.hpp>
#include <socketless/engineio/handshake.hpp>
#include <socketless/engineio/outbox.hpp>
#include <socketless/engineio/session.hpp>
#include <socketless/engineio/transport.hpp>

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::engineio {

/// The client's side of one connection.
///
///                open()            handshake                   close()
///     (idle) ------------> opening ---------> open -----------------------> closing
///       ^                     |  ^             |  |                            | flushed, or close_timeout
///       |        failed,      |  | next        |  '--- upgrade (see below)     |
///       | open()   timeout    v  | transport   v                               v
///       '------------------ closed <-----------+-------------------------------'
///                                 failure, close packet, timeout, overflow
///
///     The upgrade, beside that:  (no candidate) --offered--> connecting --opened--> probing (2probe) --3probe-->
///     pausing (no GET is begun; those under way, and a POST, end) --> 5, moved. If the candidate fails before that,
///     the session stays where it is. close() waits for an upgrade under way.
///
/// The loop is that of every session: after each input, or several (see `max_unread_inputs`), take events, then
/// transmits, until both run dry; then wait for input or `poll_timeout`. Bodies, frames and chunks are not copied.
/// The session names exchanges and channels, in the transmit that begins them.
///
/// An allocation may throw. Then the call has done nothing, or the session closes (transport_error), since a part of
/// what it read or wrote is lost.
class client_session : private detail::client_session_core {
public:
    /// Idle until `open`. See `check_options`.
    explicit client_session(client_options options) : client_session_core(std::move(options)) {}

    /// Whether the options can be used. Errors: errc::invalid_request_target, at the character of the path that no path
    /// may have.
    [[nodiscard]] result<void> check_options() const noexcept { return path_error_; }

    /// Begins to connect. Errors: those of `check_options`; then nothing happens. Precondition: idle or closed, and no
    /// event of an earlier connection waiting.
    result<void> open(time_point now) {
        SOCKETLESS_ASSERT(is_closed());
        auto const good = check_options();
        if (good) client_session_core::open(now);
        return good;
    }

    //=== what happened: HTTP ===//

    /// The answer to an exchange, its body whole. Base64 in it is decoded in place.
    void http_response(exchange_id exchange, int status, bool is_binary, std::span<char> body, time_point now) {
        auto const kind = is_binary ? frame_kind::binary : frame_kind::text;
        frame const data{kind, {body.data(), body.size()}};
        take({.type = detail::input_type::response, .status = status, .id = exchange, .data = data, .now = now});
    }

    /// An exchange has failed: there is no answer.
    void http_failed(exchange_id exchange, time_point now) {
        take({.type = detail::input_type::failure, .id = exchange, .now = now});
    }

    //=== what happened: channels ===//

    /// The WebSocket or the stream is open.
    void channel_opened(channel_id channel, time_point now) {
        take({.type = detail::input_type::opened, .id = channel, .now = now});
    }

    /// A message of a WebSocket. `text` says whether you know its text to be UTF-8: most WebSocket libraries check it,
    /// as a `websocket::message_reader` does. Otherwise the session does.
    void websocket_received(channel_id channel, frame message, time_point now, text_check text = text_check::due) {
        client_session_core::websocket_received(channel, message, now, text);
    }

    /// The next bytes of a stream.
    void stream_received(channel_id channel, std::string_view chunk, time_point now) {
        client_session_core::stream_received(channel, chunk, now);
    }

    /// The channel is gone, or could not be opened. A transmit that closes it may still come: drop it. So may the
    /// abort of an exchange that has ended.
    void channel_closed(channel_id channel, time_point now) {
        take({.type = detail::input_type::closed, .id = channel, .now = now});
    }

    /// The WebSocket could not be opened because the server has answered its request with this status, and perhaps
    /// with a body: `failure` shows them.
    void channel_refused(channel_id channel, int status, std::string_view body, time_point now) {
        frame const data{frame_kind::text, body};
        take({.type = detail::input_type::closed, .status = status, .id = channel, .data = data, .now = now});
    }

    /// A write is under way on the channel: the session sends nothing more on it until `resume`.
    /// Leaves the views of the last transmit valid; so does `resume`.
    void pause(channel_id channel) noexcept { client_session_core::pause(channel); }
    void resume(channel_id channel) noexcept { client_session_core::resume(channel); }

    /// Time has passed: call this when `poll_timeout` is due. A spurious call is harmless.
    void handle_timeout(time_point now) { client_session_core::handle_timeout(now); }

    /// Whether `handle_timeout` has something to do at this time.
    [[nodiscard]] bool is_timeout_due(time_point now) const noexcept {
        if (is_open() && !candidate_) return now >= heartbeat_.deadline(); // the usual case
        auto const next = next_deadline();
        return next && now >= *next;
    }

    /// Whether there is input that `poll_event` has not read yet.
    [[nodiscard]] bool has_unread() const noexcept { return client_session_core::has_unread(); }

    //=== what the application wants ===//

    /// Queues a message. `now` shows whether the heartbeat has expired unnoticed, as when a laptop slept: then the
    /// session closes instead (close_reason::ping_timeout).
    /// Errors: errc::not_open; errc::invalid_utf8; errc::separator_in_text for text with a record separator over
    /// long-polling of revision 4; errc::message_too_large: it alone is larger than `max_queued`, and nothing else
    /// happens; errc::queue_overflow: with it more than `max_queued` bytes would wait, and the session closes.
    result<void> send(frame message, time_point now) {
        auto const good = check_open(now);
        return good ? push(message, options_.max_queued) : good;
    }

    /// Queues a message that others queue too, without copying it. Errors: as above.
    result<void> send(shared_message message, time_point now) {
        auto const good = check_open(now);
        return good ? push(std::move(message), options_.max_queued) : good;
    }

    /// For the layer above, which makes messages where they wait: calls `put(detail::outbox&)`, and says in `sent` what
    /// has become of them: errc::queue_overflow, as above. False, and it does nothing, where the session is not open,
    /// or each message must be checked: `send` them.
    template <class Put>
    [[nodiscard]] bool put(time_point now, result<void>& sent, Put put) {
        return check_open(now) && client_session_core::put(options_.max_queued, sent, put);
    }

    /// The layer above has no use for event_type::drained: the session leaves it out.
    void leave_out_drained() noexcept { tells_drained_ = false; }

    /// Whether a message sent now would go at once: volatile messages are sent only then.
    [[nodiscard]] bool writable() const noexcept {
        if (!is_open() || !outbox_.empty() || is_pausing()) return false;
        return transport_ == transport::polling ? !post_ : !channel_->paused;
    }

    /// Sends a message if it would go at once; else it is dropped. Errors: errc::would_wait, and those of `send`.
    result<void> send_volatile(frame message, time_point now) {
        return writable() ? send(message, now) : error{errc::would_wait};
    }

    /// Closes once an upgrade under way has ended and all that is queued has gone (close_reason::forced_close). Over
    /// long-polling the session is closed when the server has answered the last POST.
    void close(time_point now) {
        now_ = now;
        if (state_ == state::opening) return abort();
        if (!is_open()) return;
        state_ = state::closing;
        deadline_ = socketless::deadline(now, close_timeout);
    }

    /// Closes at once; what is queued is lost.
    void abort() { close_now(close_reason::forced_close); }

    //=== what it means, what to do, when to come back ===//

    /// The next event, or nothing until there is other input.
    [[nodiscard]] std::optional<event> poll_event() {
        core_detail::rollback undo([this]() noexcept { close_now(close_reason::transport_error); });
        std::optional<event> e = next_event();
        undo.commit();
        return e;
    }

    /// For the layer above: the next event if it is a message, and has come over a WebSocket. Otherwise false, and
    /// `poll_event` says what it is.
    [[nodiscard]] bool next_message(frame& m) noexcept { return client_session_core::next_message(m); }

    /// Whether `poll_event` has something to say that came of no input.
    [[nodiscard]] bool has_events() const noexcept { return !events_.empty(); }
    /// Whether `poll_event` has nothing to do until there is other input. May be false where that is so.
    [[nodiscard]] bool is_read() const noexcept {
        return is_open() && events_.empty() && !candidate_ && !body_ && late_.empty() && !timeout_due_ && channel_ &&
               channel_->is_at_rest();
    }

    /// The next thing to do, or nothing until there is other input. Targets and bodies are put together in `buffer`.
    [[nodiscard]] std::optional<transmit> poll_transmit(std::string& buffer) {
        std::optional<transmit> t = detail::no_transmit();
        if (!is_at_rest()) poll_transmit(t, buffer);
        return t;
    }
    /// The same in place, for the layer above: transmits are large. Precondition: `t` is empty.
    void poll_transmit(std::optional<transmit>& t, std::string& buffer) {
        core_detail::rollback undo([this]() noexcept { close_now(close_reason::transport_error); });
        next_transmit(t, buffer);
        undo.commit();
    }

    /// When to call `handle_timeout`, if ever. Changes with every input. Constant time.
    [[nodiscard]] std::optional<time_point> poll_timeout() const noexcept { return next_deadline(); }

    //=== what it is ===//

    /// Whether it has nothing to do until there is other input. May be false where that is so.
    [[nodiscard]] bool is_at_rest() const noexcept {
        return is_open() && transport_ != transport::polling && !candidate_ && outbox_.empty() && beats_.empty() &&
               farewell_count_ == 0;
    }

    /// The time of the input that was read last.
    [[nodiscard]] time_point now() const noexcept { return now_; }
    /// The options in force: the path begins and ends with '/'.
    [[nodiscard]] client_options const& options() const noexcept { return options_; }
    /// Whether the handshake is done and the session has not begun to close.
    [[nodiscard]] bool is_open() const noexcept { return state_ == state::open; }
    /// Whether it has ended, or was never opened.
    [[nodiscard]] bool is_closed() const noexcept { return state_ == state::closed || state_ == state::fresh; }
    /// Why it closed.
    [[nodiscard]] close_reason reason() const noexcept { return reason_; }
    /// The transport in use.
    [[nodiscard]] engineio::transport transport() const noexcept { return transport_; }
    /// The answer that has ended the session, or the last attempt to open it: its status is not 200, but 0 if there was
    /// no such answer. `decode_request_error` reads its body, which lives as long as the input that it came with.
    [[nodiscard]] failed_answer const& failure() const noexcept { return failure_; }
    /// The session id; empty before the handshake.
    [[nodiscard]] std::string_view id() const noexcept { return sid_; }
    /// The server's handshake. Valid until the session is opened again.
    [[nodiscard]] engineio::handshake handshake() const noexcept {
        auto h = handshake_;
        h.sid = sid_;
        return h;
    }
    /// Bytes that are queued and not yet handed to the I/O layer.
    [[nodiscard]] std::size_t queued() const noexcept { return outbox_.size(); }
};

} // namespace socketless::inline v0::engineio

#include <socketless/core/detail/epilogue.hpp>
