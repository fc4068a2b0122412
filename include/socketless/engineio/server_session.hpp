// engineio::server_session: the server's side of one connection, from its handshake to its end.
#pragma once

#include <socketless/core/detail/must.hpp>
#include <socketless/core/limits.hpp>
#include <socketless/core/random.hpp>
#include <socketless/core/result.hpp>
#include <socketless/core/time.hpp>
#include <socketless/engineio/detail/channel.hpp>
#include <socketless/engineio/detail/late_inputs.hpp>
#include <socketless/engineio/handshake.hpp>
#include <socketless/engineio/handshake_request.hpp>
#include <socketless/engineio/heartbeat.hpp>
#include <socketless/engineio/outbox.hpp>
#include <socketless/engineio/packet.hpp>
#include <socketless/engineio/payload.hpp>
#include <socketless/engineio/request.hpp>
#include <socketless/engineio/session.hpp>
#include <socketless/engineio/stream.hpp>
#include <socketless/engineio/transport.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::engineio {

/// How the sessions of a server behave; the defaults are the reference's.
struct server_options {
    milliseconds ping_interval{25'000};
    milliseconds ping_timeout{20'000};
    milliseconds upgrade_timeout{10'000};
    /// How long a session that is closing waits for the client to poll.
    milliseconds close_timeout{30'000};
    /// Bytes that one body of a POST, and one packet of a stream, may have.
    std::size_t max_payload = 1'000'000;
    /// Bytes that may be queued for one session; more closes it (close_reason::queue_overflow).
    std::size_t max_queued = std::size_t{16} * 1024 * 1024;
    transport_set transports = {transport::polling, transport::websocket};
    bool allow_upgrades = true;
    /// Whether clients of revision 3 are served.
    bool allow_v3 = false;
    /// A text message that every session is sent behind its handshake; none if empty. UTF-8.
    std::string initial_message = {};
    socketless::limits limits = {};
    /// Where the server is: a target that is not under it (see `is_under`) is refused with 404. A socketless::server
    /// has a path in its own options, which replaces this one.
    std::string path = "/engine.io/";
    /// Bytes that a target may have; a longer one is a bad request. That of its first request is kept with a session.
    std::size_t max_target = std::size_t{8} * 1024;
    /// Asked of each request that would begin a session, by long-polling and by WebSocket, before there is anything of
    /// one: whether it is allowed. If it throws, that request was not received. It calls nothing of the server.
    std::function<request_verdict(handshake_request const&)> allow_request = {};
    /// How many events of connections wait for `poll_connection_event`; those beyond are dropped, and counted. None are
    /// made by default.
    std::size_t max_connection_events = 0;
};

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
///     The upgrade, beside that:  none --channel--> opened --2probe--> probed --5--> (moved, none again)
///                                  ^                 |                   |
///                                  '--- anything else, closed, upgrade_timeout
///
///     5 without a probe moves the session too: some clients do without.
///
/// The loop: after each input, or several (see `max_unread_inputs`), take the events, then the transmits, until both
/// run dry; then wait for the next input or for `poll_timeout`. Bodies, frames and chunks are not copied, and their
/// packets are decoded as they are asked for. Precondition: time does not run backwards.
class server_session {
public:
    /// `options` and `id` as given; `options` must outlive the session. Precondition: then one of `open_polling`,
    /// `open_websocket` and `open_stream` is called.
    server_session(server_options const& options, session_id const& id, revision r) noexcept
        : options_(&options), id_(id), revision_(r) {}

    /// The client cannot take binary over the transport that it opens with (revision 3, b64=1): it is sent base64
    /// there. To be said before the handshake.
    void use_base64() noexcept { base64_ = true; }

    /// What `handshake` shows of the request with which the session begins. To be said before the handshake.
    void keep_request(detail::kept_request request) noexcept { request_ = std::move(request); }

    //=== what happened: HTTP ===//

    /// The handshake request: a GET by long-polling, answered with the open packet.
    void open_polling(exchange_id exchange, time_point now) {
        poll_ = exchange;
        open(transport::polling, now);
    }

    /// Whether a long-polling request fits the state of the session; if not, it is to be refused as a bad request.
    [[nodiscard]] bool takes_polling() const noexcept { return transport_ == transport::polling; }

    /// A GET for what is queued. Returns false where one is pending already: the session then closes, and this
    /// exchange is the caller's to refuse (400). Precondition: takes_polling().
    [[nodiscard]] bool poll(exchange_id exchange, time_point now) {
        if (late_.has_end()) return false;
        if (poll_) {
            break_off();
            return false;
        }
        poll_ = exchange;
        if (candidate_ && candidate_->probed) candidate_->noop_deadline = socketless::deadline(now, noop_delay);
        return true;
    }

    /// A POST. `form` says how its body is written. Returns false where another is under way: as with `poll`.
    /// Precondition: takes_polling(), and the body is at most `max_payload` long.
    [[nodiscard]] bool post(exchange_id exchange, std::span<char> body, payload_format form, time_point now) {
        // The last one is not answered yet, or none will be read any more.
        if (body_ || answered_ || late_.has_end() || state_ == state::closed) {
            break_off();
            return false;
        }
        now_ = now;
        body_ = std::make_unique<incoming_body>(incoming_body{exchange, payload_reader(body, form, options_->limits)});
        return true;
    }

    /// The client has given up the exchange.
    void exchange_aborted(exchange_id exchange) {
        if (poll_ == exchange) {
            poll_.reset();
            break_off();
        } else if (body_ && body_->exchange == exchange) {
            body_->exchange.reset();
            break_off();
        } else if (answered_ == exchange) {
            answered_.reset();
        }
    }

    /// The client has broken the rules of HTTP exchanges: the session ends (close_reason::transport_error) when what it
    /// has been given has been read.
    void break_off() {
        if (has_unread())
            late_.push({.type = detail::input_type::end, .reason = close_reason::transport_error, .now = now_});
        else
            close_now(close_reason::transport_error);
    }

    //=== what happened: channels ===//

    /// The handshake came over a WebSocket.
    void open_websocket(channel_id channel, time_point now) {
        channel_.emplace(channel);
        channel_->text_only = base64_;
        open(transport::websocket, now);
    }

    /// The handshake came over a stream, whose reader goes on behind it.
    void open_stream(channel_id channel, std::unique_ptr<stream_reader> reader, time_point now) {
        channel_.emplace(channel, std::move(reader));
        open(transport::webtransport, now);
    }

    /// A WebSocket, or with its reader a stream, offers itself for an upgrade. Returns false where it cannot be: the
    /// channel is then the caller's to close.
    [[nodiscard]] bool offer_channel(channel_id channel, std::unique_ptr<stream_reader> reader, time_point now) {
        now_ = now;
        if (!takes_upgrade() || (reader && revision_ == revision::v3)) return false; // streams came with revision 4
        candidate_ = std::make_unique<candidate>();
        candidate_->channel = detail::channel(channel, std::move(reader));
        candidate_->deadline = socketless::deadline(now, options_->upgrade_timeout);
        return true;
    }

    /// The client cannot take binary over this channel, which its target says (b64=1): it is sent base64 there.
    void use_base64(channel_id channel) noexcept {
        if (auto* const c = find(channel)) c->text_only = true;
    }

    /// Whether the session could move to another transport now.
    [[nodiscard]] bool takes_upgrade() const noexcept {
        return is_open() && !late_.has_end() && !candidate_ && !rejected_candidate_ &&
               transport_ == transport::polling && options_->allow_upgrades;
    }

    /// A WebSocket message.
    void websocket_received(channel_id channel, frame f, time_point now) {
        if (has_unread()) return wait({.type = detail::input_type::message, .id = channel, .data = f, .now = now});
        now_ = now;
        if (state_ == state::closed) return;
        if (auto* const c = find(channel)) c->message_received(f);
    }

    /// The next bytes of a stream.
    void stream_received(channel_id channel, std::string_view chunk, time_point now) {
        frame const data{frame_kind::binary, chunk};
        if (has_unread()) return wait({.type = detail::input_type::chunk, .id = channel, .data = data, .now = now});
        now_ = now;
        if (state_ == state::closed) return;
        if (auto* const c = find(channel)) c->bytes_received(chunk);
    }

    /// The channel is gone, whoever closed it. A close of it that is already due may still come, and is to be dropped.
    void channel_closed(channel_id channel, time_point now) {
        if (has_unread()) return wait({.type = detail::input_type::closed, .id = channel, .now = now});
        now_ = now;
        end_channel(channel);
    }

    /// No more is to be sent on the channel until `resume`: a write is under way. Volatile messages are refused
    /// meanwhile.
    void pause(channel_id channel) noexcept {
        if (auto* const c = find(channel)) c->paused = true;
    }
    void resume(channel_id channel) noexcept {
        if (auto* const c = find(channel)) c->paused = false;
    }

    /// Time has passed: to be called when `poll_timeout` is due. A spurious call is harmless.
    void handle_timeout(time_point now) {
        if (!has_unread()) return pass_time(now);
        if (late_.empty())
            timeout_due_ = now;
        else
            late_.push({.type = detail::input_type::timeout, .now = now});
    }

    /// Whether something that was given in has not been read by `poll_event`.
    [[nodiscard]] bool has_unread() const noexcept {
        if (state_ == state::closed) return false;
        return body_ || (channel_ && channel_->is_unread()) || !late_.empty() ||
               (candidate_ && candidate_->channel.is_unread());
    }

    //=== what the application wants ===//

    /// Queues a message.
    /// Errors: errc::not_open; errc::invalid_utf8; errc::separator_in_text for text with a record separator over
    /// long-polling of revision 4; errc::message_too_large: alone it is more than `max_queued`, and nothing else
    /// happens; errc::queue_overflow: with it more than `max_queued` bytes would wait, and the session closes.
    result<void> send(frame message) {
        if (!is_open()) return error{errc::not_open};
        auto const good = detail::check_message(message, revision_, transport_, options_->max_queued);
        if (!good) return good;
        outbox_.push(message);
        return check_queue();
    }

    /// Queues a message that others queue too, without copying it. Errors: as above.
    result<void> send(shared_message message) {
        if (!is_open()) return error{errc::not_open};
        auto const good = detail::check_message(message, revision_, transport_, options_->max_queued);
        if (!good) return good;
        outbox_.push(std::move(message));
        return check_queue();
    }

    /// Whether a message sent now would go at once: what volatile messages ask.
    [[nodiscard]] bool writable() const noexcept {
        if (!is_open() || !outbox_.empty()) return false;
        return transport_ == transport::polling ? poll_.has_value() : !channel_->paused;
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
        close_deadline_ = socketless::deadline(now, options_->close_timeout);
    }

    /// The layer above could not read what the client sent, and is about to close: `cause` says it.
    void blame(errc cause) noexcept { cause_ = cause; }

    /// Closes at once; what is queued is lost.
    void abort(close_reason reason = close_reason::forced_close) { close_now(reason); }

    //=== what it means, what to do, when to come back ===//

    /// The next event, or nothing until there is other input.
    [[nodiscard]] std::optional<event> poll_event() {
        for (;;) {
            if (auto const type = events_.take()) {
                auto const t = *type == event_type::upgrading ? candidate_->channel.transport() : transport_;
                return event{.type = *type, .transport = t, .reason = reason_};
            }
            if (auto const p = next_packet()) {
                if (auto const e = take_packet(*p)) return e;
            } else if (events_.empty() && !take_late()) {
                return std::nullopt;
            }
        }
    }

    /// The next thing to do, or nothing until there is other input. `buffer` is where bodies and handshakes are put
    /// together; it may serve any number of sessions.
    [[nodiscard]] std::optional<transmit> poll_transmit(std::string& buffer) {
        if (answered_) {
            transmit const t{.type = transmit_type::respond,
                             .id = *answered_,
                             .status = 200,
                             .content = content_type::html,
                             .data = {frame_kind::text, "ok"}};
            answered_.reset();
            return t;
        }
        if (rejected_candidate_) return close_transmit(*std::exchange(rejected_candidate_, std::nullopt));
        if (candidate_ && can_send(candidate_->channel) && std::exchange(candidate_->probe_answer_due, false))
            return candidate_->channel.send({packet_type::pong, frame_kind::text, "probe"}, revision_, buffer);
        if (poll_) return answer_poll(buffer);
        if (channel_) return send_on_channel(buffer);
        return std::nullopt;
    }

    /// When `handle_timeout` is to be called, if ever. Changes with every input and every transmit. Constant time.
    [[nodiscard]] std::optional<time_point> poll_timeout() const noexcept {
        if (state_ == state::closed || state_ == state::fresh) return std::nullopt;
        std::optional<time_point> next = heartbeat_.deadline();
        if (state_ == state::closing) next = earlier(next, close_deadline_);
        if (candidate_) {
            next = earlier(next, candidate_->deadline);
            if (poll_) next = earlier(next, candidate_->noop_deadline);
        }
        return next;
    }

    //=== what it is ===//

    /// When the input came that was read last.
    [[nodiscard]] time_point now() const noexcept { return now_; }
    [[nodiscard]] std::string_view id() const noexcept { return view(id_); }
    /// The request with which the session began. Its views live as long as the session.
    [[nodiscard]] handshake_request handshake() const noexcept { return request_.get(); }
    [[nodiscard]] engineio::revision revision() const noexcept { return revision_; }
    [[nodiscard]] engineio::transport transport() const noexcept { return transport_; }
    [[nodiscard]] bool is_open() const noexcept { return state_ == state::open; }
    /// What was wrong with what the client sent, if it ended for that: close_reason::parse_error, or `blame`.
    [[nodiscard]] std::optional<errc> cause() const noexcept { return cause_; }
    /// Whether it has ended and nothing is left to be taken from it.
    [[nodiscard]] bool is_done() const noexcept {
        return state_ == state::closed && events_.empty() && !poll_ && !body_ && !answered_ && !channel_ &&
               !rejected_candidate_;
    }
    /// Bytes that are queued and not yet handed to the I/O layer.
    [[nodiscard]] std::size_t queued() const noexcept { return outbox_.size(); }

private:
    enum class state : std::uint8_t { fresh, open, closing, closed };

    // How long a GET waits, at most, while an upgrade goes on: the reference's interval.
    static constexpr milliseconds noop_delay{100};

    struct incoming_body {
        std::optional<exchange_id> exchange; // until its client gives it up
        payload_reader reader;
    };

    // A channel that the session may move to.
    struct candidate {
        detail::channel channel;
        bool probed = false;
        bool probe_answer_due = false;
        time_point deadline{};
        std::optional<time_point> noop_deadline;
    };

    void open(engineio::transport t, time_point now) {
        now_ = now;
        transport_ = t;
        state_ = state::open;
        heartbeat_ =
            revision_ == revision::v4 ? heartbeat::pinging(now, intervals()) : heartbeat::watching(now, intervals());
        handshake_due_ = true;
        events_.set(event_type::opened);
        if (!options_->initial_message.empty()) outbox_.push({frame_kind::text, options_->initial_message});
    }

    [[nodiscard]] heartbeat::intervals intervals() const noexcept {
        return {options_->ping_interval, options_->ping_timeout};
    }

    result<void> check_queue() {
        if (!outbox_.exceeds(options_->max_queued)) return {};
        close_now(close_reason::queue_overflow);
        return error{errc::queue_overflow};
    }

    [[nodiscard]] detail::channel* find(channel_id channel) noexcept {
        if (candidate_ && candidate_->channel.id() == channel) return &candidate_->channel;
        return channel_ && channel_->id() == channel ? &*channel_ : nullptr;
    }

    // The end: whatever the state, nothing is read or queued any more. What is open is answered and closed by
    // poll_transmit.
    void close_now(close_reason reason) {
        if (state_ == state::closed) return;
        state_ = state::closed;
        reason_ = reason;
        if (candidate_ && !late_.is_over(candidate_->channel.id())) rejected_candidate_ = candidate_->channel.id();
        candidate_.reset();
        if (channel_) channel_->is_over = late_.is_over(channel_->id());
        late_.clear();
        timeout_due_.reset();
        if (body_) answered_ = body_->exchange;
        body_.reset();
        outbox_.clear();
        beats_ = {};
        handshake_due_ = false;
        events_.clear(event_type::upgrading);
        events_.clear(event_type::drained);
        events_.set(event_type::closed);
    }

    // The candidate is gone by itself.
    void drop_candidate() {
        candidate_.reset();
        noop_due_ = false;
        events_.clear(event_type::upgrading);
        events_.set(event_type::upgrade_failed);
    }

    void reject_candidate() {
        if (!late_.is_over(candidate_->channel.id())) rejected_candidate_ = candidate_->channel.id();
        drop_candidate();
    }

    //=== inputs, in their order ===//

    // What came earlier is read first.
    void wait(detail::input const& i) {
        if (find(i.id) == nullptr) return;
        if (auto const timeout = std::exchange(timeout_due_, std::nullopt))
            late_.push({.type = detail::input_type::timeout, .now = *timeout});
        late_.push(i);
    }

    // What waited for its turn, when all before it has been read. Returns false where there is nothing.
    [[nodiscard]] bool take_late() {
        if (late_.empty()) {
            if (!timeout_due_) return false;
            pass_time(*std::exchange(timeout_due_, std::nullopt));
            return true;
        }
        auto const i = late_.take();
        now_ = std::max(now_, i.now);
        detail::channel* const c = find(i.id);
        switch (i.type) {
        case detail::input_type::message:
            if (c != nullptr) c->message_received(i.data);
            break;
        case detail::input_type::chunk:
            if (c != nullptr) c->bytes_received(i.data.data);
            break;
        case detail::input_type::closed: end_channel(i.id); break;
        case detail::input_type::timeout: pass_time(i.now); break;
        default: close_now(i.reason); break;
        }
        return true;
    }

    void end_channel(channel_id channel) {
        if (candidate_ && candidate_->channel.id() == channel) {
            drop_candidate();
        } else if (channel_ && channel_->id() == channel) {
            channel_.reset();
            close_now(state_ == state::closing ? close_reason::forced_close : close_reason::transport_close);
        }
    }

    void pass_time(time_point now) {
        now_ = now;
        if (state_ == state::closing && now >= close_deadline_) close_now(close_reason::forced_close);
        if (candidate_ && now >= candidate_->deadline) reject_candidate();
        if (candidate_ && candidate_->noop_deadline && now >= *candidate_->noop_deadline) {
            candidate_->noop_deadline.reset();
            noop_due_ = poll_.has_value();
        }
        if (state_ == state::closed || state_ == state::fresh) return;
        switch (heartbeat_.handle_timeout(now, intervals())) {
        case heartbeat::action::none: break;
        case heartbeat::action::ping:
            beats_.ping = true;
            outbox_.shrink();
            break;
        case heartbeat::action::expired: close_now(close_reason::ping_timeout); break;
        }
    }

    //=== packets in ===//

    // The next packet of the session's own transport. Those of a candidate are handled on the way.
    [[nodiscard]] std::optional<result<packet>> next_packet() {
        if (state_ == state::closed) return std::nullopt;
        if (body_) {
            if (auto const p = body_->reader.next()) return p;
            answered_ = body_->exchange;
            body_.reset();
        }
        while (candidate_ && events_.empty()) {
            auto const p = candidate_->channel.next(revision_);
            if (!p) break;
            take_candidate_packet(*p);
        }
        if (!channel_ || !events_.empty()) return std::nullopt;
        return channel_->next(revision_);
    }

    [[nodiscard]] std::optional<event> take_packet(result<packet> const& p) {
        if (!p) {
            cause_ = p.error().code;
            close_now(close_reason::parse_error);
            return std::nullopt;
        }
        switch (p->type) {
        case packet_type::message:
            if (!is_open()) break;
            return event{.type = event_type::message, .transport = transport_, .message = {p->kind, p->data}};
        case packet_type::ping:
            if (heartbeat_.is_pinging()) {
                close_now(close_reason::transport_error);
            } else {
                heartbeat_.ping(now_, intervals());
                outbox_.shrink();
                beats_.pong = true;
            }
            break;
        case packet_type::pong:
            if (heartbeat_.is_pinging())
                heartbeat_.pong(now_, intervals());
            else
                close_now(close_reason::transport_error);
            break;
        case packet_type::close:
            noop_due_ = poll_.has_value(); // the pending GET is not told to close: its client did
            close_now(close_reason::transport_close);
            break;
        case packet_type::open:
        case packet_type::upgrade:
        case packet_type::noop: break;
        }
        return std::nullopt;
    }

    void take_candidate_packet(result<packet> const& p) {
        if (p && p->type == packet_type::ping && p->data == "probe") {
            candidate_->probe_answer_due = true;
            if (candidate_->probed) return;
            candidate_->probed = true;
            events_.set(event_type::upgrading);
            noop_due_ = poll_.has_value();
        } else if (p && p->type == packet_type::upgrade) { // some clients do without a probe
            channel_ = std::move(candidate_->channel);
            transport_ = channel_->transport();
            candidate_.reset();
            noop_due_ = poll_.has_value();
            events_.set(event_type::upgraded);
        } else {
            reject_candidate();
        }
    }

    //=== packets out ===//

    [[nodiscard]] static transmit close_transmit(channel_id channel) noexcept {
        return {.type = transmit_type::close, .id = channel};
    }

    [[nodiscard]] bool can_send(detail::channel const& c) const noexcept { return !c.paused && !late_.is_over(c.id()); }

    // Control packets are not queued: they are made when there is a way to send them.
    [[nodiscard]] std::optional<packet> next_control_packet(std::string& handshake_buffer) {
        if (!std::exchange(handshake_due_, false)) return beats_.take();
        handshake_buffer.clear();
        socketless::detail::must(encode_handshake(handshake_buffer, own_handshake()));
        return packet{packet_type::open, frame_kind::text, handshake_buffer};
    }

    [[nodiscard]] engineio::handshake own_handshake() const noexcept {
        engineio::handshake h{.sid = id(),
                              .upgrades = {},
                              .ping_interval = options_->ping_interval,
                              .ping_timeout = options_->ping_timeout,
                              .max_payload = {}};
        if (transport_ == transport::polling && options_->allow_upgrades)
            for (engineio::transport const t : {transport::websocket, transport::webtransport})
                if (options_->transports.contains(t) && (t == transport::websocket || revision_ == revision::v4))
                    h.upgrades.insert(t);
        if (revision_ == revision::v4) h.max_payload = options_->max_payload;
        return h;
    }

    [[nodiscard]] std::optional<transmit> send_on_channel(std::string& buffer) {
        if (state_ != state::closed) {
            if (!can_send(*channel_)) return std::nullopt;
            std::string handshake_buffer;
            if (auto const p = next_control_packet(handshake_buffer)) return channel_->send(*p, revision_, buffer);
            if (!outbox_.empty()) {
                auto const t = channel_->send_front(outbox_, revision_, buffer);
                if (outbox_.empty()) events_.set(event_type::drained);
                return t;
            }
            if (state_ != state::closing) return std::nullopt;
            close_now(close_reason::forced_close);
        }
        auto const last = *std::exchange(channel_, std::nullopt);
        if (last.is_over) return std::nullopt;
        return close_transmit(last.id());
    }

    // Answers the pending GET if there is anything to answer it with.
    [[nodiscard]] std::optional<transmit> answer_poll(std::string& buffer) {
        buffer.clear();
        bool const binary = revision_ == revision::v3 && !base64_ && outbox_.has_binary();
        auto const format = revision_ == revision::v4 ? payload_format::v4
                            : binary                  ? payload_format::v3_binary
                                                      : payload_format::v3_text;
        payload_writer writer(buffer, options_->max_payload, format);
        // After the move to another transport all but a noop goes there.
        if (transport_ == transport::polling) put_queued(writer);
        if (buffer.empty() && noop_due_) put(writer, {packet_type::noop, frame_kind::text, {}});
        if (buffer.empty() && state_ == state::closed) put(writer, {packet_type::close, frame_kind::text, {}});
        if (buffer.empty()) return channel_ ? send_on_channel(buffer) : std::nullopt;

        noop_due_ = false;
        if (candidate_) candidate_->noop_deadline.reset();
        transmit const t{.type = transmit_type::respond,
                         .id = *poll_,
                         .status = 200,
                         .content = binary ? content_type::binary : content_type::text,
                         .data = {binary ? frame_kind::binary : frame_kind::text, buffer}};
        poll_.reset();
        return t;
    }

    void put_queued(payload_writer<std::string>& writer) {
        std::string handshake_buffer;
        while (auto const p = next_control_packet(handshake_buffer)) put(writer, *p);
        while (!outbox_.empty()) {
            auto const m = outbox_.front();
            auto const pushed = writer.push({packet_type::message, m.kind, m.data()});
            if (pushed == false) return;
            // A shared message that cannot go into a body (a record separator in it) is the one that is passed over.
            outbox_.pop();
            if (outbox_.empty()) events_.set(event_type::drained);
        }
        if (state_ != state::closing || writer.push({packet_type::close, frame_kind::text, {}}) == false) return;
        close_now(close_reason::forced_close);
    }

    static void put(payload_writer<std::string>& writer, packet const& p) { socketless::detail::must(writer.push(p)); }

    server_options const* options_;
    session_id id_;
    engineio::revision revision_;
    engineio::transport transport_ = transport::polling;
    state state_ = state::fresh;
    close_reason reason_ = close_reason::transport_error;
    bool base64_ = false;
    bool handshake_due_ = false;
    bool noop_due_ = false;
    std::optional<errc> cause_;
    detail::due_beats beats_;
    detail::due_events events_;
    heartbeat heartbeat_;
    time_point close_deadline_{};
    time_point now_{};
    std::optional<exchange_id> poll_;
    std::optional<exchange_id> answered_; // a POST that is to be told "ok"
    std::optional<channel_id> rejected_candidate_;
    std::optional<detail::channel> channel_;
    detail::kept_request request_;
    std::unique_ptr<candidate> candidate_;
    std::unique_ptr<incoming_body> body_;
    detail::late_inputs late_;
    std::optional<time_point> timeout_due_; // time has passed since what is unread was given in
    detail::outbox outbox_;
};

} // namespace socketless::inline v0::engineio

#include <socketless/core/detail/epilogue.hpp>
