// engineio::server: the sessions of many connections: made, found, timed and forgotten.
#pragma once

#include <socketless/core/detail/prefetch.hpp>
#include <socketless/core/detail/rollback.hpp>
#include <socketless/core/frame.hpp>
#include <socketless/core/random.hpp>
#include <socketless/core/result.hpp>
#include <socketless/core/time.hpp>
#include <socketless/engineio/connection_event.hpp>
#include <socketless/engineio/detail/server_core.hpp>
#include <socketless/engineio/handshake_request.hpp>
#include <socketless/engineio/http_request.hpp>
#include <socketless/engineio/outbox.hpp>
#include <socketless/engineio/request.hpp>
#include <socketless/engineio/server_session.hpp>
#include <socketless/engineio/session.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::engineio {

/// An event, and the session it belongs to.
struct server_event {
    /// Whose event it is, and what happened.
    session_handle session;
    engineio::event event;
};

/// All sessions of a process, or of one of its threads: two servers share nothing. Checks each request, answers those
/// that are wrong, hands the others to their session, and runs the timers of all.
///
///     for (;;) {
///         if (auto e = server.poll_event()) { ...; continue; }            // for the application
///         if (auto t = server.poll_transmit(buffer)) { ...; continue; }   // for the I/O layer
///         wait for input, or until server.poll_timeout();
///     }
///
/// The work for one input, event, transmit or timer is constant, however many sessions there are. The caller names
/// exchanges and channels. The server answers each exchange exactly once, unless it was aborted. Calls without a `now`
/// use the time of the last call that had one: when a timer of your own fires, call `handle_timeout(now)` first.
///
/// The random source may throw, and so may an allocation. The server has not taken an input that throws: answer its
/// exchange yourself (503), close its channel. If work for a session throws, only that session ends (transport_error).
class server : private detail::server_core {
public:
    /// `random` makes the ids of sessions.
    server(server_options options, random_source random) : server_core(std::move(options), std::move(random)) {}

    /// The options that it was made with.
    [[nodiscard]] server_options const& options() const noexcept { return options_; }

    //=== what happened ===//

    /// The head of a request has been read, its body is on its way; `http_received` or `http_aborted` follows.
    /// Optional: an I/O layer that tells this lets the server notice a second POST of a session while the first is
    /// still being read, as the protocol asks, and a POST that its client gives up half-way. Either closes the session.
    void http_started(http_request const& request, time_point now) {
        now_ = now;
        if (request.method != http_method::post) return;
        auto const checked = check(to_check(request));
        if (!checked) return; // it is refused when it is whole
        slot& s = slots_[checked.session];
        if (s.has_post) {
            s.session->break_off();
            return mark_busy(checked.session);
        }
        if (!exchanges_.emplace(request.exchange, checked.session)) return;
        s.has_post = true;
        s.post = request.exchange;
    }

    /// A request by long-polling, its body whole; `http_started` may have told of it before.
    void http_received(http_request const& request, time_point now) {
        now_ = now;
        end_post(request.exchange);
        auto const checked = check(to_check(request));
        if (!checked) return refuse(request, *checked.refused);
        if (checked.session == none)
            return make_session(exchanges_, request.exchange, checked, kept(request),
                                [&](server_session& s) { s.open_polling(request.exchange, now); });
        take_request(request, checked.session, now);
    }

    /// The client has given up an exchange. `poll_transmit` may still give an answer to it: drop that.
    void http_aborted(exchange_id exchange, time_point now) {
        now_ = now;
        auto const* const found = exchanges_.find(exchange);
        if (found == nullptr) return;
        std::uint32_t const index = *found;
        server_session& session = *slots_[index].session;
        if (!end_post(exchange)) {
            exchanges_.erase(exchange);
            session.exchange_aborted(exchange);
        } else if (session.takes_polling()) {
            session.break_off();
        }
        mark_busy(index);
    }

    /// Whether a target is this server's: see `is_under`. The I/O layer answers the others; given them, the server
    /// refuses them with 404.
    [[nodiscard]] bool takes(std::string_view target) const noexcept { return is_under(target, options_.path); }

    /// How to refuse the request for a WebSocket; nothing if the WebSocket may be opened.
    [[nodiscard]] std::optional<refusal> websocket_refusal(websocket_request const& request) {
        auto const checked = check(to_check(request));
        if (!checked) note_refusal(0, request.context, *checked.refused);
        return checked.refused;
    }
    [[nodiscard]] std::optional<refusal> websocket_refusal(std::string_view target, std::uint64_t context = 0) {
        return websocket_refusal({.target = target, .context = context});
    }

    /// A WebSocket is open. Where `websocket_refusal` would refuse it, the server closes it.
    void websocket_opened(websocket_request const& request, time_point now) {
        now_ = now;
        channel_id const channel = request.channel;
        auto const checked = check(to_check(request));
        if (!checked) return refuse_channel(channel, request.context, *checked.refused);
        if (checked.session == none)
            return make_session(channels_, channel, checked, kept(request),
                                [&](server_session& s) { s.open_websocket(channel, now); });
        server_session& session = *slots_[checked.session].session;
        auto const offer = [&] { return session.offer_channel(channel, nullptr, now); };
        if (!assign(channels_, channel, checked.session, offer)) return refuse_channel(channel, request.context, {});
        if (checked.base64) session.use_base64(channel);
        mark_busy(checked.session);
    }
    void websocket_opened(channel_id channel, std::string_view target, time_point now) {
        websocket_opened({.channel = channel, .target = target}, now);
    }

    /// A message of a WebSocket. `text` says whether you know its text to be UTF-8: most WebSocket libraries check it,
    /// as a `websocket::message_reader` does. Otherwise the session does.
    void websocket_received(channel_id channel, frame message, time_point now, text_check text = text_check::due) {
        now_ = now;
        auto const* const found = channels_.find(channel);
        if (found == nullptr) return;
        std::uint32_t const index = *found;
        slots_[index].session->websocket_received(channel, message, now, text);
        mark_busy(index);
    }

    /// A stream is open; its first packet, within `upgrade_timeout`, says which session it is for.
    /// `context`: see handshake_request.
    void stream_opened(channel_id channel, time_point now, std::uint64_t context = 0) {
        now_ = now;
        if (!options_.transports.contains(transport::webtransport))
            return refuse_channel(channel, context, {request_error::unknown_transport});
        new_streams_.add(channel, socketless::deadline(now, options_.upgrade_timeout), options_.max_payload, context);
    }

    /// The next bytes of a stream.
    void stream_received(channel_id channel, std::string_view chunk, time_point now) {
        now_ = now;
        if (auto const* const found = channels_.find(channel)) {
            std::uint32_t const index = *found;
            core_detail::rollback undo([&]() noexcept { fail(index); }); // the rest would make no sense
            slots_[index].session->stream_received(channel, chunk, now);
            undo.commit();
            return mark_busy(index);
        }
        if (auto opening = new_streams_.push(channel, chunk)) open_stream(channel, std::move(*opening), now);
    }

    /// A WebSocket or a stream is gone. `poll_transmit` may still ask to close it: ignore that.
    void channel_closed(channel_id channel, time_point now) {
        now_ = now;
        new_streams_.remove(channel);
        auto const* const found = channels_.find(channel);
        if (found == nullptr) return;
        std::uint32_t const index = *found;
        channels_.erase(channel);
        slots_[index].session->channel_closed(channel, now);
        mark_busy(index);
    }

    /// A write on the channel is under way: `poll_transmit` sends nothing more on it until `resume`.
    /// Leaves the views of the last transmit valid; so does `resume`.
    void pause(channel_id channel) {
        if (auto const* const found = channels_.find(channel))
            slots_[*found].session->pause(channel);
        else
            new_streams_.set_paused(channel, true);
    }
    void resume(channel_id channel) {
        new_streams_.set_paused(channel, false);
        auto const* const found = channels_.find(channel);
        if (found == nullptr) return;
        slots_[*found].session->resume(channel);
        mark_busy(*found);
    }

    /// Time has passed. A spurious call is harmless.
    void handle_timeout(time_point now) {
        now_ = now;
        timers_.advance(now, [this, now](std::uint32_t index) {
            if (!slots_[index].is_used()) return;
            slots_[index].has_timer = false;
            slots_[index].session->handle_timeout(now);
            mark_busy(index);
        });
        new_streams_.expire(
            now, [this](channel_id channel, std::uint64_t context) { refuse_channel(channel, context, {}); });
    }

    //=== what the application wants ===//

    /// Queues a message. Errors: those of server_session::send; errc::not_open also for a session that has ended.
    result<void> send(session_handle session, frame message) {
        return with_session(session, [&](server_session& s) {
            lend_memory(s);
            return s.send(message);
        });
    }
    result<void> send(session_handle session, shared_message message) {
        return with_session(session, [&](server_session& s) { return s.send(std::move(message)); });
    }

    /// For the layer above: see server_session.
    template <class Put>
    [[nodiscard]] bool put(session_handle session, result<void>& sent, Put put) {
        slot* const s = slots_.find(session);
        if (s == nullptr) return false;
        lend_memory(*s->session);
        bool const is_put = s->session->put(sent, put);
        if (is_put) mark_sending(session.index, *s->session);
        return is_put;
    }
    /// The next event if it is a message, and has come over a WebSocket: its session, which `from` names. Otherwise
    /// null, and `poll_event` says what it is.
    [[nodiscard]] server_session const* next_message(session_handle& from, frame& m) noexcept {
        if (with_events_.empty()) return nullptr;
        std::uint32_t const index = with_events_.front();
        slot& s = slots_[index];
        if (!s.session->next_message(m)) return nullptr;
        from = {index, s.generation()};
        note_read(index, *s.session);
        return &*s.session;
    }
    void leave_out_drained() noexcept { tells_drained_ = false; }
    /// A call for the session of this index follows soon.
    void prefetch(std::uint32_t index) const noexcept {
        if (index < slots_.indices()) core_detail::prefetch(&slots_[index], sizeof(slot));
    }

    /// Sends a message if it would go at once. Errors: errc::would_wait, and those of `send`.
    result<void> send_volatile(session_handle session, frame message) {
        return with_session(session, [&](server_session& s) { return s.send_volatile(message); });
    }
    result<void> send_volatile(session_handle session, shared_message message) {
        return with_session(session, [&](server_session& s) { return s.send_volatile(std::move(message)); });
    }

    /// Closes a session once all that is queued for it has gone.
    void close(session_handle session) {
        if (find(session) == nullptr) return;
        slots_[session.index].session->close(now_);
        mark_busy(session.index);
    }
    /// Closes all sessions in this way. Linear in their number.
    void close() {
        for (std::uint32_t index = 0; index != slots_.indices(); ++index)
            if (slots_[index].is_used()) close(handle(index));
    }

    /// The layer above could not read a message of the session and closes it next: connection_event says why.
    void blame(session_handle session, errc cause) {
        if (find(session) != nullptr) slots_[session.index].session->blame(cause);
    }

    /// Closes a session at once.
    void abort(session_handle session, close_reason reason = close_reason::forced_close) {
        if (find(session) == nullptr) return;
        slots_[session.index].session->abort(reason);
        mark_busy(session.index);
    }

    /// The session, or null if it has ended. Valid until the next call that is not const.
    [[nodiscard]] server_session const* find(session_handle session) const noexcept {
        auto const* const found = slots_.find(session);
        return found == nullptr ? nullptr : &*found->session;
    }

    /// The request with which the session began; empty if it has ended. Views live as long as the session.
    [[nodiscard]] handshake_request handshake(session_handle session) const noexcept {
        auto const* const s = find(session);
        return s == nullptr ? handshake_request() : s->handshake();
    }

    /// How many connections there are: each is a session.
    [[nodiscard]] std::size_t connection_count() const noexcept { return slots_.size(); }

    //=== what it means, what to do, when to come back ===//

    /// The next event of any session.
    [[nodiscard]] std::optional<server_event> poll_event() {
        while (!with_events_.empty()) {
            std::uint32_t const index = with_events_.front();
            core_detail::rollback undo([&]() noexcept { fail(index); }); // what could not be read is lost
            auto const e = slots_[index].session->poll_event();
            undo.commit();
            if (e) {
                if (log_.is_on() && e->type != event_type::message)
                    core_detail::attempt([&] { note(index, *e); }); // the event counts more than its note
                note_read(index, *slots_[index].session);
                return server_event{handle(index), *e};
            }
            with_events_.pop();
            with_transmits_.push(index);
        }
        return std::nullopt;
    }

    /// What has happened to connections and requests, for a log, if `max_connection_events` asks for it. Take these
    /// after each input, as the events.
    [[nodiscard]] std::optional<connection_event> poll_connection_event() noexcept { return log_.take(); }

    /// The next thing to do, for any session. `transmit` says how long its views are valid.
    [[nodiscard]] std::optional<transmit> poll_transmit(std::string& buffer) {
        if (with_transmits_.empty() && immediate_.empty()) return std::nullopt;
        return next_transmit(buffer);
    }

    /// When to call `handle_timeout`, if ever; a call at that time may find nothing to do. Constant time.
    [[nodiscard]] std::optional<time_point> poll_timeout() const noexcept {
        return earlier(timers_.next(), new_streams_.poll_timeout());
    }
};

} // namespace socketless::inline v0::engineio

#include <socketless/core/detail/epilogue.hpp>
