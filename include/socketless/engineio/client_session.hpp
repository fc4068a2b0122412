// engineio::client_session: the client's side of a connection, over whichever transport is best.
#pragma once

#include <socketless/core/assert.hpp>
#include <socketless/core/detail/must.hpp>
#include <socketless/core/detail/rollback.hpp>
#include <socketless/core/limits.hpp>
#include <socketless/core/random.hpp>
#include <socketless/core/result.hpp>
#include <socketless/core/time.hpp>
#include <socketless/engineio/detail/channel.hpp>
#include <socketless/engineio/detail/late_inputs.hpp>
#include <socketless/engineio/handshake.hpp>
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
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::engineio {

/// How a client connects; names and defaults are engine.io-client's.
struct client_options {
    /// Gets its slashes where it lacks them, and is percent-encoded: see `normalize_path`.
    std::string path = "/engine.io/";
    /// The caller's own query parameters. The protocol's are not theirs to set: EIO, transport, sid.
    std::vector<std::pair<std::string, std::string>> query = {};
    /// The transports that may be used; the first opens the session. Revision 3 has no webtransport: it is passed over.
    std::vector<transport> transports = {transport::polling, transport::websocket, transport::webtransport};
    /// Whether to move to a better transport when the server offers one.
    bool upgrade = true;
    /// Whether a session that is opened again starts with WebSocket if that worked the last time.
    bool remember_upgrade = false;
    /// Whether to try the next transport when opening with one fails.
    bool try_all_transports = false;
    /// The name of a parameter that differs in each request by long-polling; none if empty.
    std::string timestamp_param = "t";
    /// Makes that parameter differ from those of other clients, or a cache would join two of them: a random number.
    std::uint64_t timestamp_seed = 0;
    engineio::revision revision = revision::v4;
    /// Revision 3: whether to ask for base64 instead of binary bodies.
    bool force_base64 = false;
    /// How long opening may take.
    milliseconds open_timeout{20'000};
    /// How long a move to another transport may take.
    milliseconds upgrade_timeout{10'000};
    /// Bytes that one packet of a stream may have.
    std::size_t max_payload = 100'000'000;
    /// Bytes that may be queued; more closes the session (close_reason::queue_overflow).
    std::size_t max_queued = std::size_t{16} * 1024 * 1024;
    socketless::limits limits = {};
};

/// The answer to a request that has failed; the status is 0 where there was none.
struct failed_answer {
    int status = 0;
    std::string_view body = {};
};

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
///     The upgrade, beside that:  none --offered--> connecting --opened--> probing (2probe) --3probe--> pausing
///     (no GET is begun; those under way, and a POST, end) --> 5, moved, none again; a failure of the candidate before
///     that leaves the session where it is. close() waits for an upgrade under way.
///
/// The loop is that of every session: after each input, or several (see `max_unread_inputs`), take events, then
/// transmits, until both run dry; then wait for input or `poll_timeout`. Bodies, frames and chunks are not copied.
/// Exchanges and channels are named by the session, in the transmit that begins them.
///
/// An allocation may throw. Then the call has done nothing; where it is a poll that throws, the session closes
/// (transport_error), since something of what it read or wrote is lost.
class client_session {
public:
    explicit client_session(client_options options) : options_(std::move(options)) {
        if (auto const path = normalize_path(options_.path))
            options_.path = *path;
        else
            path_error_ = path.error();
    }

    /// Whether the options can be used. Errors: errc::invalid_request_target, at the character of the path that no path
    /// may have.
    [[nodiscard]] result<void> check_options() const noexcept { return path_error_; }

    /// Begins to connect. Errors: those of `check_options`; then nothing happens. Precondition: idle or closed, and no
    /// event of an earlier connection waiting.
    result<void> open(time_point now) {
        SOCKETLESS_ASSERT(state_ == state::idle || state_ == state::closed);
        if (auto const good = check_options(); !good) return good;
        reset();
        now_ = now;
        state_ = state::opening;
        deadline_ = socketless::deadline(now, options_.open_timeout);
        transport_index_ = first_transport();
        socketless::detail::rollback undo([this]() noexcept { state_ = state::closed; });
        begin_transport();
        undo.commit();
        return {};
    }

    //=== what happened: HTTP ===//

    /// The answer to an exchange, its body whole. Base64 in it is decoded in place.
    void http_response(exchange_id exchange, int status, bool is_binary, std::span<char> body, time_point now) {
        auto const kind = is_binary ? frame_kind::binary : frame_kind::text;
        frame const data{kind, {body.data(), body.size()}};
        take({.type = detail::input_type::response, .status = status, .id = exchange, .data = data, .now = now});
    }

    /// An exchange came to no answer.
    void http_failed(exchange_id exchange, time_point now) {
        take({.type = detail::input_type::failure, .id = exchange, .now = now});
    }

    //=== what happened: channels ===//

    /// The WebSocket or the stream is open.
    void channel_opened(channel_id channel, time_point now) {
        take({.type = detail::input_type::opened, .id = channel, .now = now});
    }

    /// A message of a WebSocket.
    void websocket_received(channel_id channel, frame message, time_point now) {
        if (has_unread())
            return wait({.type = detail::input_type::message, .id = channel, .data = message, .now = now});
        now_ = now;
        if (auto* const c = find(channel)) c->message_received(message);
    }

    /// The next bytes of a stream.
    void stream_received(channel_id channel, std::string_view chunk, time_point now) {
        frame const data{frame_kind::binary, chunk};
        take({.type = detail::input_type::chunk, .id = channel, .data = data, .now = now});
    }

    /// The channel is gone, or could not be opened. A close of it that is already due may still come, and is to be
    /// dropped; so is the abort of an exchange that has ended.
    void channel_closed(channel_id channel, time_point now) {
        take({.type = detail::input_type::closed, .id = channel, .now = now});
    }

    /// The WebSocket could not be opened because the server has answered its request with this status, and perhaps
    /// with a body: `failure` shows them.
    void channel_refused(channel_id channel, int status, std::string_view body, time_point now) {
        frame const data{frame_kind::text, body};
        take({.type = detail::input_type::closed, .status = status, .id = channel, .data = data, .now = now});
    }

    /// No more is to be sent on the channel until `resume`: a write is under way.
    void pause(channel_id channel) noexcept {
        if (auto* const c = find(channel)) c->paused = true;
    }
    void resume(channel_id channel) noexcept {
        if (auto* const c = find(channel)) c->paused = false;
    }

    /// Time has passed: to be called when `poll_timeout` is due. A spurious call is harmless.
    void handle_timeout(time_point now) {
        if (has_unread()) return wait_for_timeout(now);
        pass_time(now);
    }

    /// Whether something that was given in has not been read by `poll_event`.
    [[nodiscard]] bool has_unread() const noexcept {
        return body_ || (channel_ && channel_->is_unread()) || !late_.empty() ||
               (candidate_ && candidate_->channel.is_unread());
    }

    //=== what the application wants ===//

    /// Queues a message. `now` shows whether the heartbeat has expired unnoticed, as when a laptop slept: then the
    /// session closes instead (close_reason::ping_timeout).
    /// Errors: errc::not_open; errc::invalid_utf8; errc::separator_in_text for text with a record separator over
    /// long-polling of revision 4; errc::message_too_large: alone it is more than `max_queued`, and nothing else
    /// happens; errc::queue_overflow: with it more than `max_queued` bytes would wait, and the session closes.
    result<void> send(frame message, time_point now) {
        if (auto const good = check_open(now); !good) return good;
        auto const good = detail::check_message(message, options_.revision, transport_, options_.max_queued);
        if (!good) return good;
        outbox_.push(message);
        return check_queue();
    }

    /// Queues a message that others queue too, without copying it. Errors: as above.
    result<void> send(shared_message message, time_point now) {
        if (auto const good = check_open(now); !good) return good;
        auto const good = detail::check_message(message, options_.revision, transport_, options_.max_queued);
        if (!good) return good;
        outbox_.push(std::move(message));
        return check_queue();
    }

    /// Whether a message sent now would go at once: what volatile messages ask.
    [[nodiscard]] bool writable() const noexcept {
        if (!is_open() || !outbox_.empty() || is_pausing()) return false;
        return transport_ == transport::polling ? !post_ : !channel_->paused;
    }

    /// Sends a message if it would go at once; else it is dropped. Errors: errc::would_wait, and those of `send`.
    result<void> send_volatile(frame message, time_point now) {
        return writable() ? send(message, now) : error{errc::would_wait};
    }

    /// Closes: an upgrade under way is waited for, and what is queued goes first (close_reason::forced_close). Over
    /// long-polling the session is closed when the server has answered the last POST.
    void close(time_point now) {
        now_ = now;
        if (state_ == state::opening) return close_now(close_reason::forced_close);
        if (!is_open()) return;
        state_ = state::closing;
        deadline_ = socketless::deadline(now, close_timeout);
    }

    /// Closes at once; what is queued is lost.
    void abort() { close_now(close_reason::forced_close); }

    //=== what it means, what to do, when to come back ===//

    /// The next event, or nothing until there is other input.
    [[nodiscard]] std::optional<event> poll_event() {
        socketless::detail::rollback undo([this]() noexcept { close_now(close_reason::transport_error); });
        std::optional<event> e = next_event();
        undo.commit();
        return e;
    }

    /// The next thing to do, or nothing until there is other input. `buffer` is where targets and bodies are put
    /// together.
    [[nodiscard]] std::optional<transmit> poll_transmit(std::string& buffer) {
        socketless::detail::rollback undo([this]() noexcept { close_now(close_reason::transport_error); });
        std::optional<transmit> t = next_transmit(buffer);
        undo.commit();
        return t;
    }

    /// When `handle_timeout` is to be called, if ever. Changes with every input. Constant time.
    [[nodiscard]] std::optional<time_point> poll_timeout() const noexcept {
        if (state_ == state::closed || state_ == state::idle) return std::nullopt;
        if (state_ == state::opening) return deadline_;
        std::optional<time_point> next = heartbeat_.deadline();
        if (state_ == state::closing) next = earlier(next, deadline_);
        if (candidate_) next = earlier(next, candidate_->deadline);
        return next;
    }

    //=== what it is ===//

    /// When the input came that was read last.
    [[nodiscard]] time_point now() const noexcept { return now_; }
    [[nodiscard]] client_options const& options() const noexcept { return options_; }
    [[nodiscard]] bool is_open() const noexcept { return state_ == state::open; }
    [[nodiscard]] bool is_closed() const noexcept { return state_ == state::closed || state_ == state::idle; }
    /// Why it closed.
    [[nodiscard]] close_reason reason() const noexcept { return reason_; }
    [[nodiscard]] engineio::transport transport() const noexcept { return transport_; }
    /// The answer that has ended the session, or the last attempt to open it, where that was one: its status is not
    /// 200. `decode_request_error` reads its body, which lives as long as the input that it came with.
    [[nodiscard]] failed_answer const& failure() const noexcept { return failure_; }
    /// The session id; empty before the handshake.
    [[nodiscard]] std::string_view id() const noexcept { return sid_; }
    /// What the server has said when the session opened. Valid until it is opened again.
    [[nodiscard]] engineio::handshake handshake() const noexcept {
        auto h = handshake_;
        h.sid = sid_;
        return h;
    }
    /// Bytes that are queued and not yet handed to the I/O layer.
    [[nodiscard]] std::size_t queued() const noexcept { return outbox_.size(); }

private:
    enum class state : std::uint8_t { idle, opening, open, closing, closed };
    enum class upgrade_stage : std::uint8_t { connecting, probing, pausing };
    using next_id = std::uint64_t;

    // How long close() may take.
    static constexpr milliseconds close_timeout{30'000};

    // A channel that the session may move to.
    struct candidate {
        detail::channel channel;
        upgrade_stage stage = upgrade_stage::connecting;
        bool open_due = true;
        bool hello_due = false;
        bool probe_due = false;
        time_point deadline{};
    };

    // Everything begins anew but the options, the names, which are never used again, and what is still to be ended.
    void reset() {
        client_session fresh(std::move(options_));
        fresh.next_id_ = next_id_;
        fresh.prior_websocket_success_ = prior_websocket_success_;
        fresh.abandoned_get_ = abandoned_get_;
        fresh.abandoned_post_ = abandoned_post_;
        fresh.abandoned_channel_ = abandoned_channel_;
        fresh.abandoned_candidate_ = abandoned_candidate_;
        *this = std::move(fresh);
    }

    //=== what is next ===//

    [[nodiscard]] std::optional<event> next_event() {
        closed_channel_.reset();
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

    [[nodiscard]] std::optional<transmit> next_transmit(std::string& buffer) {
        if (auto const t = leave_behind()) return t;
        if (state_ == state::closed || state_ == state::idle) return std::nullopt;
        if (open_due_) {
            auto const t = begin_channel(*channel_, buffer);
            open_due_ = false;
            return t;
        }
        if (candidate_)
            if (auto const t = drive_candidate(buffer)) return t;
        if (transport_ == transport::polling) return drive_polling(buffer);
        return drive_channel(buffer);
    }

    //=== opening and closing ===//

    [[nodiscard]] std::size_t first_transport() const noexcept {
        if (options_.remember_upgrade && prior_websocket_success_)
            for (std::size_t i = 0; i != options_.transports.size(); ++i)
                if (options_.transports[i] == transport::websocket) return i;
        return 0;
    }

    // Starts to open with the transport at transport_index_.
    void begin_transport() {
        while (transport_index_ < options_.transports.size() && !is_usable(options_.transports[transport_index_]))
            ++transport_index_;
        if (transport_index_ >= options_.transports.size()) return close_now(close_reason::transport_error);
        transport_ = options_.transports[transport_index_];
        channel_.reset();
        channel_open_ = false;
        hello_due_ = false;
        if (transport_ == transport::polling) return;
        channel_ = new_channel(transport_);
        open_due_ = true;
        hello_due_ = transport_ == transport::webtransport;
    }

    // Streams came with revision 4.
    [[nodiscard]] bool is_usable(engineio::transport t) const noexcept {
        return t != transport::webtransport || options_.revision == revision::v4;
    }

    [[nodiscard]] detail::channel new_channel(engineio::transport t) {
        bool const stream = t == transport::webtransport;
        return {next_id_++, stream ? std::make_unique<stream_reader>(options_.max_payload) : nullptr};
    }

    // Opening with this transport did not work: with the next one it may.
    void fail_transport() {
        if (state_ != state::opening || !options_.try_all_transports) return close_now(close_reason::transport_error);
        if (channel_ && !open_due_) abandon(abandoned_channel_, channel_->id());
        if (get_) abandon(abandoned_get_, *get_);
        get_.reset();
        body_.reset();
        failure_.body = {}; // it does not live as long as the next attempt
        ++transport_index_;
        begin_transport();
    }

    void close_unless_opening(close_reason reason) {
        if (state_ == state::opening) return fail_transport();
        close_now(reason);
    }

    void close_now(close_reason reason) {
        if (state_ == state::closed || state_ == state::idle) return;
        state_ = state::closed;
        reason_ = close_sent_ ? close_reason::forced_close : reason; // the server ends what it was told to
        if (reason_ == close_reason::transport_error || reason_ == close_reason::open_timeout)
            prior_websocket_success_ = false;
        // What was named but not begun needs no end.
        if (channel_ && !open_due_) abandon(abandoned_channel_, channel_->id());
        if (candidate_ && !candidate_->open_due) abandon(abandoned_candidate_, candidate_->channel.id());
        if (get_) abandon(abandoned_get_, *get_);
        if (post_) abandon(abandoned_post_, *post_);
        get_.reset();
        post_.reset();
        late_.clear();
        timeout_due_.reset();
        closed_channel_ = std::exchange(channel_, std::nullopt); // the message that is being handled may be in it
        candidate_.reset();
        body_.reset();
        outbox_.clear();
        beats_ = {};
        open_due_ = false;
        events_.clear(event_type::upgrading);
        events_.clear(event_type::drained);
        events_.set(event_type::closed);
    }

    // The I/O layer is to end it, unless it has told that it is over.
    void abandon(std::optional<std::uint64_t>& slot, std::uint64_t id) const noexcept {
        if (!late_.is_over(id)) slot = id;
    }

    // Ends what is still under way for a session or a transport that has been given up.
    [[nodiscard]] std::optional<transmit> leave_behind() noexcept {
        auto const take = [](std::optional<std::uint64_t>& id, transmit_type type) -> std::optional<transmit> {
            if (!id) return std::nullopt;
            transmit const t{.type = type, .id = *id};
            id.reset();
            return t;
        };
        if (auto const t = take(abandoned_channel_, transmit_type::close)) return t;
        if (auto const t = take(abandoned_candidate_, transmit_type::close)) return t;
        if (auto const t = take(abandoned_get_, transmit_type::abort)) return t;
        return take(abandoned_post_, transmit_type::abort);
    }

    //=== what may be sent ===//

    [[nodiscard]] result<void> check_open(time_point now) {
        now_ = now;
        if (!is_open()) return error{errc::not_open};
        if (!heartbeat_.is_pinging() && now >= heartbeat_.deadline() && !has_unread()) {
            close_now(close_reason::ping_timeout);
            return error{errc::not_open};
        }
        return {};
    }

    result<void> check_queue() {
        if (!outbox_.exceeds(options_.max_queued)) return {};
        close_now(close_reason::queue_overflow);
        return error{errc::queue_overflow};
    }

    //=== inputs, in their order ===//

    void take(detail::input const& i) {
        if (has_unread()) return wait(i);
        apply(i);
    }

    // What came earlier is read first.
    void wait(detail::input const& i) {
        if (!get_or_post(i.id) && find(i.id) == nullptr) return;
        if (auto const timeout = std::exchange(timeout_due_, std::nullopt))
            late_.push({.type = detail::input_type::timeout, .now = *timeout});
        late_.push(i);
    }
    void wait_for_timeout(time_point now) {
        if (late_.empty())
            timeout_due_ = now;
        else
            late_.push({.type = detail::input_type::timeout, .now = now});
    }

    // What waited for its turn, when all before it has been read. Returns false where there is nothing.
    [[nodiscard]] bool take_late() {
        if (late_.empty()) {
            if (!timeout_due_) return false;
            pass_time(*std::exchange(timeout_due_, std::nullopt));
        } else {
            apply(late_.take());
        }
        return true;
    }

    void apply(detail::input const& i) {
        now_ = i.now;
        switch (i.type) {
        case detail::input_type::message:
            if (auto* const c = find(i.id)) c->message_received(i.data);
            break;
        case detail::input_type::chunk:
            if (auto* const c = find(i.id)) c->bytes_received(i.data.data);
            break;
        case detail::input_type::opened: return begin_on_channel(i.id);
        case detail::input_type::closed: return end_channel(i);
        case detail::input_type::response: return take_response(i);
        case detail::input_type::failure:
            if (end_exchange(i.id)) fail_transport();
            break;
        case detail::input_type::timeout: return pass_time(i.now);
        case detail::input_type::end: return close_now(i.reason);
        }
    }

    [[nodiscard]] bool get_or_post(exchange_id exchange) const noexcept {
        return get_ == exchange || post_ == exchange;
    }

    // The exchange is over; false if there is none of that name.
    [[nodiscard]] bool end_exchange(exchange_id exchange) noexcept {
        for (auto* const e : {&get_, &post_}) {
            if (*e != exchange) continue;
            e->reset();
            return true;
        }
        return false;
    }

    void take_response(detail::input const& i) {
        bool const is_get = get_ == i.id;
        if (!end_exchange(i.id)) return;
        if (i.status != 200) failure_ = {i.status, i.data.data};
        if (i.status != 200 || (!is_get && close_sent_)) return fail_transport();
        if (is_get) {
            auto const form = options_.revision == revision::v4   ? payload_format::v4
                              : i.data.kind == frame_kind::binary ? payload_format::v3_binary
                                                                  : payload_format::v3_text;
            // The caller has given it as a std::span<char>.
            std::span<char> const body(const_cast<char*>(i.data.data.data()), i.data.data.size());
            body_ = payload_reader(body, form, options_.limits);
        } else if (outbox_.empty() && state_ == state::open) {
            events_.set(event_type::drained);
        }
    }

    void begin_on_channel(channel_id channel) noexcept {
        if (channel_ && channel_->id() == channel) {
            channel_open_ = true;
        } else if (candidate_ && candidate_->channel.id() == channel) {
            candidate_->stage = upgrade_stage::probing;
            candidate_->hello_due = candidate_->channel.transport() == transport::webtransport;
            candidate_->probe_due = true;
        }
    }

    void end_channel(detail::input const& i) {
        if (candidate_ && candidate_->channel.id() == i.id) {
            drop_candidate();
        } else if (channel_ && channel_->id() == i.id) {
            if (i.status != 0) failure_ = {i.status, i.data.data};
            bool const opened = channel_open_;
            channel_.reset();
            channel_open_ = false;
            if (state_ == state::closing)
                close_now(close_reason::forced_close);
            else if (opened)
                close_unless_opening(close_reason::transport_close);
            else
                fail_transport();
        }
    }

    void pass_time(time_point now) {
        now_ = now;
        if (state_ == state::opening && now >= deadline_) return close_now(close_reason::open_timeout);
        if (state_ == state::closing && now >= deadline_) return close_now(close_reason::forced_close);
        if (candidate_ && now >= candidate_->deadline) reject_candidate();
        if (state_ != state::open && state_ != state::closing) return;
        switch (heartbeat_.handle_timeout(now, intervals_)) {
        case heartbeat::action::none: break;
        case heartbeat::action::ping:
            beats_.ping = true;
            outbox_.shrink();
            break;
        case heartbeat::action::expired: close_now(close_reason::ping_timeout); break;
        }
    }

    //=== packets in ===//

    [[nodiscard]] detail::channel* find(channel_id channel) noexcept {
        if (candidate_ && candidate_->channel.id() == channel) return &candidate_->channel;
        return channel_ && channel_->id() == channel ? &*channel_ : nullptr;
    }

    // The next packet of the session's own transport. Those of a candidate are handled on the way.
    [[nodiscard]] std::optional<result<packet>> next_packet() {
        if (body_) {
            if (auto const p = body_->next()) return p;
            body_.reset();
        }
        while (candidate_ && events_.empty()) {
            auto const p = candidate_->channel.next(options_.revision);
            if (!p) break;
            take_candidate_packet(*p);
        }
        if (!channel_ || !events_.empty()) return std::nullopt;
        return channel_->next(options_.revision);
    }

    [[nodiscard]] std::optional<event> take_packet(result<packet> const& p) {
        if (!p) {
            fail_transport();
            return std::nullopt;
        }
        if (state_ == state::opening) {
            if (p->type == packet_type::open)
                take_handshake(p->data);
            else
                fail_transport();
            return std::nullopt;
        }
        switch (p->type) {
        case packet_type::message:
            return event{.type = event_type::message, .transport = transport_, .message = {p->kind, p->data}};
        case packet_type::open: close_now(close_reason::transport_error); break; // a second handshake
        case packet_type::close: close_now(close_reason::transport_close); break;
        case packet_type::ping:
            if (heartbeat_.is_pinging()) break; // revision 3: ours to send
            heartbeat_.ping(now_, intervals_);
            outbox_.shrink();
            beats_.pong = true;
            break;
        case packet_type::pong: heartbeat_.pong(now_, intervals_); break;
        case packet_type::upgrade:
        case packet_type::noop: break;
        }
        return std::nullopt;
    }

    void take_handshake(std::string_view data) {
        auto h = decode_handshake(data, options_.limits);
        std::string unescaped;
        if (!h && h.error().code == errc::buffer_too_small) {
            unescaped.resize(data.size());
            h = decode_handshake(data, options_.limits, unescaped);
        }
        if (!h) return fail_transport();
        failure_ = {};
        sid_ = h->sid;
        handshake_ = *h;
        intervals_ = {h->ping_interval, h->ping_timeout};
        heartbeat_ = options_.revision == revision::v4 ? heartbeat::watching(now_, intervals_)
                                                       : heartbeat::pinging(now_, intervals_);
        state_ = state::open;
        events_.set(event_type::opened);
        if (transport_ == transport::websocket) prior_websocket_success_ = true;
        if (transport_ == transport::polling && options_.upgrade) offer_upgrade();
    }

    //=== the upgrade ===//

    // Tries the first transport that both sides have besides the one in use.
    void offer_upgrade() {
        for (engineio::transport const t : options_.transports) {
            if (t == transport::polling || !is_usable(t) || !handshake_.upgrades.contains(t)) continue;
            candidate_ = std::make_unique<candidate>();
            candidate_->channel = new_channel(t);
            candidate_->deadline = socketless::deadline(now_, options_.upgrade_timeout);
            return;
        }
    }

    void take_candidate_packet(result<packet> const& p) {
        bool const answer = p && p->type == packet_type::pong && p->data == "probe";
        if (!answer || candidate_->stage != upgrade_stage::probing) return reject_candidate();
        candidate_->stage = upgrade_stage::pausing;
        events_.set(event_type::upgrading);
    }

    // The candidate is gone by itself.
    void drop_candidate() {
        candidate_.reset();
        events_.clear(event_type::upgrading);
        events_.set(event_type::upgrade_failed);
    }

    void reject_candidate() {
        if (!candidate_->open_due) abandon(abandoned_candidate_, candidate_->channel.id());
        drop_candidate();
    }

    [[nodiscard]] bool is_pausing() const noexcept { return candidate_ && candidate_->stage == upgrade_stage::pausing; }

    [[nodiscard]] std::optional<transmit> drive_candidate(std::string& buffer) {
        candidate& c = *candidate_;
        if (std::exchange(c.open_due, false)) return begin_channel(c.channel, buffer);
        if (c.channel.paused || late_.is_over(c.channel.id())) return std::nullopt;
        if (std::exchange(c.hello_due, false)) return send_hello(c.channel, buffer);
        if (std::exchange(c.probe_due, false))
            return c.channel.send({packet_type::ping, frame_kind::text, "probe"}, options_.revision, buffer);
        if (c.stage != upgrade_stage::pausing || get_ || post_ || body_) return std::nullopt;
        // Nothing is under way any more: move.
        channel_ = std::move(c.channel);
        channel_open_ = true;
        candidate_.reset();
        transport_ = channel_->transport();
        if (transport_ == transport::websocket) prior_websocket_success_ = true;
        events_.set(event_type::upgraded);
        return channel_->send({packet_type::upgrade, frame_kind::text, {}}, options_.revision, buffer);
    }

    //=== packets out ===//

    [[nodiscard]] transmit begin_channel(detail::channel const& c, std::string& buffer) {
        if (c.transport() == transport::webtransport) return {.type = transmit_type::open_stream, .id = c.id()};
        write_target(buffer, c.transport());
        return {.type = transmit_type::open_websocket, .id = c.id(), .target = buffer};
    }

    void write_target(std::string& buffer, engineio::transport t) {
        buffer.clear();
        std::vector<query_parameter> query;
        query.reserve(options_.query.size());
        for (auto const& [name, value] : options_.query) query.push_back({name, value});
        auto const stamp = make_timestamp();
        bool const stamped = t == transport::polling && !options_.timestamp_param.empty();
        bool const base64 = t == transport::polling && options_.revision == revision::v3 && options_.force_base64;
        auto const written = write_request_target(
            buffer, {.path = options_.path,
                     .query = query,
                     .revision = options_.revision,
                     .transport = t,
                     .timestamp = {options_.timestamp_param, stamped ? std::string_view(stamp) : std::string_view()},
                     .base64 = base64,
                     .sid = sid_});
        socketless::detail::must(written); // the path has been checked
    }

    // Differs from those of other clients by the seed, from those before by the count.
    [[nodiscard]] std::string make_timestamp() const {
        std::string stamp;
        for (std::uint64_t number : {options_.timestamp_seed, next_id_})
            for (; number != 0; number >>= 6u) stamp += socketless::detail::url_alphabet[number & 0x3fu];
        return stamp;
    }

    // What a stream begins with: "0", or in an upgrade "0{"sid":...}".
    [[nodiscard]] transmit send_hello(detail::channel const& c, std::string& buffer) const {
        std::string data;
        if (!sid_.empty()) static_cast<void>(json::write(data, json::object("sid", sid_)));
        return c.send({packet_type::open, frame_kind::text, data}, options_.revision, buffer);
    }

    // One GET and one POST at a time, none of them begun while an upgrade pauses the transport.
    [[nodiscard]] std::optional<transmit> drive_polling(std::string& buffer) {
        if (is_pausing() || close_sent_ || body_) return std::nullopt;
        if (!post_ && state_ != state::opening) {
            if (auto const t = begin_post(buffer)) return t;
        }
        if (get_ || state_ == state::closed) return std::nullopt;
        get_ = next_id_++;
        write_target(buffer, transport::polling);
        return transmit{.type = transmit_type::get, .id = *get_, .target = buffer};
    }

    [[nodiscard]] std::optional<transmit> begin_post(std::string& buffer) {
        body_out_.clear();
        bool const v4 = options_.revision == revision::v4;
        bool const binary = !v4 && !options_.force_base64 && outbox_.has_binary();
        auto const format = v4 ? payload_format::v4 : binary ? payload_format::v3_binary : payload_format::v3_text;
        std::uint64_t const no_limit = std::numeric_limits<std::size_t>::max();
        auto const limit = static_cast<std::size_t>(std::min(handshake_.max_payload.value_or(no_limit), no_limit));
        payload_writer writer(body_out_, limit, format);
        auto const put = [&writer](packet const& p) { return writer.push(p) != false; };
        while (auto const p = beats_.take()) put(*p);
        while (!outbox_.empty()) {
            auto const m = outbox_.front();
            if (!put({packet_type::message, m.kind, m.data()})) break;
            outbox_.pop();
        }
        // An upgrade is waited for; what is left of the queue after it goes over the new transport. The GET is not
        // given up before this POST is answered: the server takes that for the end, and what is in here would be lost.
        if (state_ == state::closing && outbox_.empty() && !candidate_)
            close_sent_ = put({packet_type::close, frame_kind::text, {}});
        if (body_out_.empty()) return std::nullopt;
        post_ = next_id_++;
        write_target(buffer, transport::polling);
        return transmit{.type = transmit_type::post,
                        .id = *post_,
                        .content = binary ? content_type::binary : content_type::text,
                        .target = buffer,
                        .data = {binary ? frame_kind::binary : frame_kind::text, body_out_}};
    }

    [[nodiscard]] std::optional<transmit> drive_channel(std::string& buffer) {
        if (!channel_open_ || channel_->paused || late_.is_over(channel_->id())) return std::nullopt;
        if (std::exchange(hello_due_, false)) return send_hello(*channel_, buffer);
        if (auto const p = beats_.take()) return channel_->send(*p, options_.revision, buffer);
        if (!outbox_.empty()) {
            auto const t = channel_->send_front(outbox_, options_.revision, buffer);
            if (outbox_.empty()) events_.set(event_type::drained);
            return t;
        }
        if (state_ != state::closing) return std::nullopt;
        close_now(close_reason::forced_close);
        return leave_behind();
    }

    client_options options_;
    error path_error_{};
    state state_ = state::idle;
    engineio::transport transport_ = transport::polling;
    close_reason reason_ = close_reason::transport_error;
    std::size_t transport_index_ = 0;
    next_id next_id_ = 1;
    bool prior_websocket_success_ = false;
    bool open_due_ = false;
    bool hello_due_ = false;
    bool channel_open_ = false;
    bool close_sent_ = false; // over polling: its POST is under way
    detail::due_beats beats_;
    detail::due_events events_;
    time_point now_{};
    time_point deadline_{}; // of opening and of closing
    heartbeat heartbeat_;
    heartbeat::intervals intervals_;
    std::string sid_;
    engineio::handshake handshake_;
    std::optional<exchange_id> get_;
    std::optional<exchange_id> post_;
    std::optional<detail::channel> channel_;
    std::optional<detail::channel> closed_channel_; // until the next event is asked for
    std::optional<exchange_id> abandoned_get_;
    std::optional<exchange_id> abandoned_post_;
    std::optional<channel_id> abandoned_channel_;
    std::optional<channel_id> abandoned_candidate_;
    std::optional<payload_reader> body_;
    std::unique_ptr<candidate> candidate_;
    detail::late_inputs late_;
    std::optional<time_point> timeout_due_; // time has passed since what is unread was given in
    failed_answer failure_;
    std::string body_out_;
    detail::outbox outbox_;
};

} // namespace socketless::inline v0::engineio

#include <socketless/core/detail/epilogue.hpp>
