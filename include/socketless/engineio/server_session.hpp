// engineio::server_session: the server's side of one connection, from its handshake to its end.
#pragma once

#include <socketless/core/frame.hpp>
#include <socketless/core/random.hpp>
#include <socketless/core/result.hpp>
#include <socketless/core/time.hpp>
#include <socketless/engineio/detail/server_session_core.hpp>
#include <socketless/engineio/handshake_request.hpp>
#include <socketless/engineio/outbox.hpp>
#include <socketless/engineio/packet.hpp>
#include <socketless/engineio/payload.hpp>
#include <socketless/engineio/server_options.hpp>
#include <socketless/engineio/session.hpp>
#include <socketless/engineio/stream.hpp>
#include <socketless/engineio/transport.hpp>

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::engineio {

/// A session id. A bearer secret: whoever knows it is the session's client.
using session_id = random_id;

/// The server's side of one connection. Most programs use it through `server`, which makes sessions and
/// finds the one that a request or a channel belongs to.
///
///                       open                       close()
///     (constructed) ------------> open -----------------------> closing
///                                  |  |                            | flushed, or close_timeout
///          close packet, error,    |  '--- upgrade (see below) ----|
///          timeout, overflow       v                               v
///                                closed <--------------------------'
///
///     The upgrade, beside that:  (no candidate) --channel--> opened --2probe--> probed --5--> moved
///                                       ^                      |                  |
///                                       '--- anything else, closed, upgrade_timeout
///
///     5 without a probe moves the session too: some clients do without.
///
/// The loop: after each input, or several (see `max_unread_inputs`), take the events, then the transmits, until both
/// run dry; then wait for the next input or for `poll_timeout`. Bodies, frames and chunks are not copied, and their
/// packets are decoded as they are asked for. Precondition: time does not run backwards.
class server_session : private detail::server_session_core {
public:
    /// `options` must outlive the session. Next, call `open_polling`, `open_websocket` or `open_stream`.
    server_session(server_options const& options, session_id const& id, engineio::revision r) noexcept
        : server_session_core(options, id, r) {}

    /// The client cannot take binary over the transport that it opens with (revision 3, b64=1): the session sends
    /// base64 there. Call it before the handshake.
    void use_base64() noexcept { base64_ = true; }

    /// The request with which the session begins, for `handshake`. Call it before the handshake.
    void keep_request(detail::kept_request request) noexcept { request_ = std::move(request); }

    //=== what happened: HTTP ===//

    /// The handshake request: a GET by long-polling, answered with the open packet.
    void open_polling(exchange_id exchange, time_point now) {
        polling_ = std::make_unique<polling>();
        polling_->poll = exchange;
        open(transport::polling, now);
    }

    /// Whether a long-polling request fits the state of the session. If not, the caller refuses it as a bad request.
    [[nodiscard]] bool takes_polling() const noexcept { return transport_ == transport::polling; }

    /// A GET for what is queued. Returns false if a GET is pending already: the session then closes, and the caller
    /// refuses this exchange (400). Precondition: takes_polling().
    [[nodiscard]] bool poll(exchange_id exchange, time_point now) {
        if (late_.has_end()) return false;
        if (has_poll()) {
            break_off();
            return false;
        }
        polling_->poll = exchange;
        if (candidate_ && candidate_->is_probed) candidate_->noop_deadline = socketless::deadline(now, noop_delay);
        return true;
    }

    /// A POST. `form` says how its body is written. Returns false if another is under way: as with `poll`.
    /// Precondition: takes_polling(), and the body is at most `max_payload` long.
    [[nodiscard]] bool post(exchange_id exchange, std::span<char> body, payload_format form, time_point now) {
        // The last POST is not answered yet, or the session reads no POST any more.
        if (has_body() || polling_->answered || late_.has_end() || state_ == state::closed) {
            break_off();
            return false;
        }
        now_ = now;
        polling_->body =
            std::make_unique<incoming_body>(incoming_body{exchange, payload_reader(body, form, options_->limits)});
        return true;
    }

    /// The client has given up the exchange.
    void exchange_aborted(exchange_id exchange) {
        if (!polling_) return;
        if (polling_->poll == exchange) {
            polling_->poll.reset();
            break_off();
        } else if (has_body() && polling_->body->exchange == exchange) {
            polling_->body->exchange.reset();
            break_off();
        } else if (polling_->answered == exchange) {
            polling_->answered.reset();
        }
    }

    /// The client has broken the rules of HTTP exchanges: the session ends (close_reason::transport_error) once it has
    /// read all earlier input.
    void break_off() {
        if (has_unread())
            late_.push({.type = detail::input_type::end, .reason = close_reason::transport_error, .now = now_});
        else
            close_now(close_reason::transport_error);
    }

    //=== what happened: channels ===//

    /// The handshake came over a WebSocket.
    void open_websocket(channel_id channel, time_point now) {
        channel_ = detail::channel(channel);
        channel_->text_only = base64_;
        open(transport::websocket, now);
    }

    /// The handshake came over a stream, whose reader goes on behind that packet.
    void open_stream(channel_id channel, std::unique_ptr<stream_reader> reader, time_point now) {
        channel_ = detail::channel(channel, std::move(reader));
        open(transport::webtransport, now);
    }

    /// A WebSocket, or with its reader a stream, offers itself for an upgrade. Returns false where the session cannot
    /// upgrade: then the caller closes the channel.
    [[nodiscard]] bool offer_channel(channel_id channel, std::unique_ptr<stream_reader> reader, time_point now) {
        now_ = now;
        if (!takes_upgrade() || (reader && revision_ == revision::v3)) return false; // streams came with revision 4
        candidate_ = std::make_unique<detail::candidate>(detail::channel(channel, std::move(reader)),
                                                         socketless::deadline(now, options_->upgrade_timeout));
        return true;
    }

    /// The client cannot take binary over this channel, as its target says (b64=1): the session sends base64 there.
    void use_base64(channel_id channel) noexcept {
        if (auto* const c = find(channel)) c->text_only = true;
    }

    /// Whether the session could move to another transport now.
    [[nodiscard]] bool takes_upgrade() const noexcept {
        return is_open() && !late_.has_end() && !candidate_ && transport_ == transport::polling &&
               !polling_->rejected_candidate && options_->allow_upgrades;
    }

    /// A WebSocket message. `text` says whether you know its text to be UTF-8. Otherwise the session checks it.
    void websocket_received(channel_id channel, frame message, time_point now, text_check text = text_check::due) {
        server_session_core::websocket_received(channel, message, now, text);
    }

    /// The next bytes of a stream.
    void stream_received(channel_id channel, std::string_view chunk, time_point now) {
        server_session_core::stream_received(channel, chunk, now);
    }

    /// The channel is gone, whoever closed it. A transmit that closes it may still come: drop it.
    void channel_closed(channel_id channel, time_point now) {
        take({.type = detail::input_type::closed, .id = channel, .now = now});
    }

    /// A write is under way on the channel: until `resume` the session sends nothing more on it, and refuses volatile
    /// messages. Leaves the views of the last transmit valid; so does `resume`.
    void pause(channel_id channel) noexcept { server_session_core::pause(channel); }
    void resume(channel_id channel) noexcept { server_session_core::resume(channel); }

    /// Time has passed: call this when `poll_timeout` is due. A spurious call is harmless.
    void handle_timeout(time_point now) { server_session_core::handle_timeout(now); }

    /// Whether there is input that `poll_event` has not read yet.
    [[nodiscard]] bool has_unread() const noexcept { return server_session_core::has_unread(); }

    //=== what the application wants ===//

    /// Queues a message.
    /// Errors: errc::not_open; errc::invalid_utf8; errc::separator_in_text for text with a record separator over
    /// long-polling of revision 4; errc::message_too_large: it alone is larger than `max_queued`, and nothing else
    /// happens; errc::queue_overflow: with it more than `max_queued` bytes would wait, and the session closes.
    result<void> send(frame message) { return is_open() ? push(message, options_->max_queued) : error{errc::not_open}; }

    /// Queues a message that others queue too, without copying it. Errors: as above.
    result<void> send(shared_message message) {
        return is_open() ? push(std::move(message), options_->max_queued) : error{errc::not_open};
    }

    /// For the layer above, which makes messages where they wait: calls `put(detail::outbox&)`, and says in `sent` what
    /// has become of them: errc::queue_overflow, as above. False, and it does nothing, where the session is not open,
    /// or each message must be checked: `send` them.
    template <class Put>
    [[nodiscard]] bool put(result<void>& sent, Put put) {
        return server_session_core::put(options_->max_queued, sent, put);
    }

    /// For `server`, which lets its sessions share memory for their queues: a session that has none takes some, and one
    /// that seldom sends gives it back when its queue is empty and the last transmit has gone. Preconditions of
    /// `take_memory` and `give_memory`: wants_memory(), has_memory_to_give().
    [[nodiscard]] bool wants_memory() const noexcept { return !outbox_.has_memory(); }
    void take_memory(detail::outbox::memory m) noexcept { outbox_.adopt(std::move(m)); }
    [[nodiscard]] bool has_memory_to_give() const noexcept {
        return !outbox_.is_used_often && outbox_.empty() && outbox_.has_memory();
    }
    [[nodiscard]] detail::outbox::memory give_memory() noexcept {
        outbox_.is_used_often = true;
        return outbox_.release();
    }

    /// The layer above has no use for event_type::drained: the session leaves it out.
    void leave_out_drained() noexcept { tells_drained_ = false; }

    /// Whether a message sent now would go at once: volatile messages are sent only then.
    [[nodiscard]] bool writable() const noexcept {
        if (!is_open() || !outbox_.empty()) return false;
        return transport_ == transport::polling ? has_poll() : !channel_->paused;
    }

    /// Sends a message if it would go at once; else it is dropped. Errors: errc::would_wait, and those of `send`.
    result<void> send_volatile(frame message) { return writable() ? send(message) : error{errc::would_wait}; }
    result<void> send_volatile(shared_message message) {
        return writable() ? send(std::move(message)) : error{errc::would_wait};
    }

    /// Closes once all that is queued has gone (close_reason::forced_close). An upgrade under way may still succeed:
    /// the client may have moved already.
    void close(time_point now) {
        if (!is_open()) return;
        state_ = state::closing;
        deadline_ = socketless::deadline(now, options_->close_timeout);
    }

    /// The layer above could not read what the client sent, and is about to close: `cause` returns this error.
    void blame(errc cause) noexcept { cause_ = cause; }

    /// Closes at once; what is queued is lost.
    void abort(close_reason reason = close_reason::forced_close) { close_now(reason); }

    //=== what it means, what to do, when to come back ===//

    /// The next event, or nothing until there is other input.
    [[nodiscard]] std::optional<event> poll_event() { return next_event(); }
    /// For the layer above: the next event if it is a message, and has come over a WebSocket. Otherwise false, and
    /// `poll_event` says what it is.
    [[nodiscard]] bool next_message(frame& m) noexcept { return server_session_core::next_message(m); }

    /// The next thing to do, or nothing until there is other input. Bodies and handshakes are put together in `buffer`,
    /// which may serve any number of sessions.
    [[nodiscard]] std::optional<transmit> poll_transmit(std::string& buffer) {
        std::optional<transmit> t = detail::no_transmit();
        next_transmit(t, buffer);
        return t;
    }

    /// The same in place, for `server`: transmits are large. Precondition: `t` is empty.
    void poll_transmit(std::optional<transmit>& t, std::string& buffer) { next_transmit(t, buffer); }

    /// When to call `handle_timeout`, if ever. Changes with every input and every transmit. Constant time.
    [[nodiscard]] std::optional<time_point> poll_timeout() const noexcept {
        auto const next = next_deadline();
        return candidate_ && has_poll() ? earlier(next, candidate_->noop_deadline) : next;
    }

    //=== what it is ===//

    /// The time of the input that was read last.
    [[nodiscard]] time_point now() const noexcept { return now_; }
    /// The session id. Valid as long as the session.
    [[nodiscard]] std::string_view id() const noexcept { return view(id_); }
    /// The request with which the session began. Its views live as long as the session.
    [[nodiscard]] handshake_request handshake() const noexcept { return request_.get(); }
    /// The revision of the protocol that the client speaks.
    [[nodiscard]] engineio::revision revision() const noexcept { return revision_; }
    /// The transport in use.
    [[nodiscard]] engineio::transport transport() const noexcept { return transport_; }
    /// Whether it is open: neither closing nor closed.
    [[nodiscard]] bool is_open() const noexcept { return state_ == state::open; }
    /// Whether it has ended; something may still be due.
    [[nodiscard]] bool is_closed() const noexcept { return state_ == state::closed; }
    /// The error in what the client sent, if that ended the session: close_reason::parse_error, or `blame`.
    [[nodiscard]] std::optional<errc> cause() const noexcept { return cause_; }
    /// Whether `poll_event` has something to say that came of no input.
    [[nodiscard]] bool has_events() const noexcept { return !events_.empty(); }
    /// Whether `poll_event` has nothing to do until there is other input. May be false where that is so.
    [[nodiscard]] bool is_read() const noexcept {
        return is_open() && events_.empty() && !candidate_ && !polling_ && late_.empty() && !timeout_due_ &&
               channel_->is_at_rest();
    }
    /// Whether it needs no poll until there is other input. May be false where that is so.
    [[nodiscard]] bool is_at_rest() const noexcept {
        return is_open() && events_.empty() && outbox_.empty() && beats_.empty() && !handshake_due_ && !polling_;
    }
    /// Whether it has ended, and has no event and no transmit left.
    [[nodiscard]] bool is_done() const noexcept {
        return state_ == state::closed && events_.empty() && (!polling_ || polling_->is_empty()) &&
               (!channel_ || channel_->is_over);
    }
    /// Bytes that are queued and not yet handed to the I/O layer.
    [[nodiscard]] std::size_t queued() const noexcept { return outbox_.size(); }
};

} // namespace socketless::inline v0::engineio

#include <socketless/core/detail/epilogue.hpp>
