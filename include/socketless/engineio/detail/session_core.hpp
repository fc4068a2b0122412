// What both sides of an Engine.IO session do alike: they read inputs in their order, queue messages and send them, keep
// the heartbeat, and move from long-polling to a channel.
#pragma once

#include <socketless/core/frame.hpp>
#include <socketless/core/result.hpp>
#include <socketless/core/time.hpp>
#include <socketless/engineio/detail/channel.hpp>
#include <socketless/engineio/detail/late_inputs.hpp>
#include <socketless/engineio/heartbeat.hpp>
#include <socketless/engineio/outbox.hpp>
#include <socketless/engineio/packet.hpp>
#include <socketless/engineio/payload.hpp>
#include <socketless/engineio/session.hpp>
#include <socketless/engineio/transport.hpp>
#include <socketless/text/utf8.hpp>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::engineio::detail {

// Events without contents that wait for poll_event, each at most once, in the order of event_type.
class due_events {
public:
    void set(event_type type) noexcept { bits_ = static_cast<std::uint8_t>(bits_ | bit(type)); }
    void clear(event_type type) noexcept { bits_ = static_cast<std::uint8_t>(bits_ & ~bit(type)); }
    [[nodiscard]] bool empty() const noexcept { return bits_ == 0; }

    [[nodiscard]] std::optional<event_type> take() noexcept {
        if (bits_ == 0) return std::nullopt;
        auto const first = static_cast<event_type>(std::countr_zero(bits_));
        clear(first);
        return first;
    }

private:
    static constexpr unsigned bit(event_type type) noexcept { return 1u << static_cast<unsigned>(type); }

    std::uint8_t bits_ = 0;
};

// The packets of a heartbeat that wait to be sent.
class due_beats {
public:
    // A ping or a pong.
    void set(packet_type type) noexcept { bits_ = static_cast<std::uint8_t>(bits_ | bit(type)); }
    [[nodiscard]] bool empty() const noexcept { return bits_ == 0; }

    [[nodiscard]] std::optional<packet> take() noexcept {
        for (auto const type : {packet_type::ping, packet_type::pong}) {
            if ((bits_ & bit(type)) == 0) continue;
            bits_ = static_cast<std::uint8_t>(bits_ & ~bit(type));
            return packet{type, frame_kind::text, {}};
        }
        return std::nullopt;
    }

private:
    static constexpr unsigned bit(packet_type type) noexcept { return 1u << static_cast<unsigned>(type); }

    std::uint8_t bits_ = 0;
};

// A channel that a session may move to.
struct candidate {
    candidate(detail::channel c, time_point until) noexcept : channel(std::move(c)), deadline(until) {}

    detail::channel channel;
    time_point deadline;
    bool is_probed = false;                  // a client has the answer to its probe; a server has the probe
    bool probe_due = false;                  // a client sends its probe next; a server the answer to it
    std::optional<time_point> noop_deadline; // when a server answers the pending GET, so that the client can move
};

// The common part of `Side`, which is derived from it and says what differs. A side has
//
//     has_body(), next_of_body()         whether it reads a body of long-polling; the next packet of that body
//     take_packet(p)                     a packet, or what was wrong with it; may return an event
//     take_candidate_packet(p)           the same of a candidate
//     take_input(i)                      an input that only this side gets, and the end
//     set_time(given)                    an input that was given at that time is read now
//     pass_time(now)                     handle_timeout, once all that came before it has been read
//     lose_channel(i)                    the I/O layer has said that the channel in use is gone
//     give_up(channel)                   the channel is not needed any more: the I/O layer closes it
//     close_now(reason)                  the end of the session
//
// and, where it does more than this one, has(id) and drop_candidate().
template <class Side>
class session_core {
protected:
    // A server's session is never opening: its handshake has arrived when it is made.
    enum class state : std::uint8_t { fresh, opening, open, closing, closed };

    void reset() noexcept {
        bool const tells_drained = tells_drained_;
        *this = session_core(revision_);
        tells_drained_ = tells_drained;
    }

    //=== inputs, in their order ===//

    [[nodiscard]] bool has_unread() const noexcept {
        if (state_ == state::closed) return false;
        return self().has_body() || (channel_ && channel_->is_unread()) || !late_.empty() ||
               (candidate_ && candidate_->channel.is_unread());
    }

    // Reads an input, or lets it wait if earlier input has not been read.
    void take(input const& i) {
        if (has_unread()) return wait(i);
        now_ = i.now;
        apply(i);
    }
    void websocket_received(channel_id channel, frame message, time_point now, text_check text) {
        if (has_unread())
            return wait({.type = input_type::message, .text = text, .id = channel, .data = message, .now = now});
        now_ = now;
        if (auto* const c = find(channel)) c->message_received(message, text);
    }
    void stream_received(channel_id channel, std::string_view chunk, time_point now) {
        take({.type = input_type::chunk, .id = channel, .data = {frame_kind::binary, chunk}, .now = now});
    }
    void handle_timeout(time_point now) {
        if (!has_unread()) return self().pass_time(now);
        if (!late_.empty()) return late_.push({.type = input_type::timeout, .now = now});
        timeout_due_ = true;
        timeout_ = now;
    }

    void pause(channel_id channel) noexcept {
        if (auto* const c = find(channel)) c->paused = true;
    }
    void resume(channel_id channel) noexcept {
        if (auto* const c = find(channel)) c->paused = false;
    }

    // The channel of that name, if packets are read from it.
    [[nodiscard]] channel* find(channel_id channel) noexcept {
        if (state_ == state::closed) return nullptr;
        if (candidate_ && candidate_->channel.id() == channel) return &candidate_->channel;
        return channel_ && channel_->id() == channel ? &*channel_ : nullptr;
    }
    // Whether the session expects inputs of this channel or exchange.
    [[nodiscard]] bool has(std::uint64_t id) noexcept { return find(id) != nullptr; }

    // Reads the next event into `m` if it is a message that has come over a WebSocket: the usual case, at little cost.
    // Otherwise it reads nothing, and returns false.
    [[nodiscard]] bool next_message(frame& m) noexcept {
        return state_ == state::open && events_.empty() && channel_ && !candidate_ && !self().has_body() &&
               channel_->next_message(m, revision_);
    }

    // The next event that the inputs produce.
    [[nodiscard]] std::optional<event> next_event() {
        // Not before: the application may have been handling a message in it.
        if (state_ == state::closed && channel_ && channel_->is_over) channel_.reset();
        std::optional<event> e;
        if (frame m; next_message(m)) {
            e = event{.type = event_type::message, .transport = transport_, .message = m};
            return e;
        }
        for (;;) {
            if (auto const type = events_.take()) {
                auto const t = *type == event_type::upgrading ? candidate_->channel.transport() : transport_;
                e = event{.type = *type, .transport = t, .reason = reason_};
                return e;
            }
            if (auto const p = next_packet()) {
                e = self().take_packet(*p);
                if (e) return e;
            } else if (events_.empty() && !take_late()) {
                return e;
            }
        }
    }

    //=== time ===//

    [[nodiscard]] std::optional<time_point> next_deadline() const noexcept {
        if (state_ == state::fresh || state_ == state::closed) return std::nullopt;
        if (state_ == state::opening) return deadline_;
        std::optional<time_point> next = heartbeat_.deadline();
        if (state_ == state::closing) next = earlier(next, deadline_);
        return candidate_ ? earlier(next, candidate_->deadline) : next;
    }

    // Closes what has taken too long: opening, closing, an upgrade.
    void check_deadlines(time_point now) {
        now_ = now;
        if (state_ == state::opening && now >= deadline_) return self().close_now(close_reason::open_timeout);
        if (state_ == state::closing && now >= deadline_) return self().close_now(close_reason::forced_close);
        if (candidate_ && now >= candidate_->deadline) reject_candidate();
    }

    void beat(time_point now, heartbeat::intervals const& intervals) {
        if (state_ != state::open && state_ != state::closing) return;
        switch (heartbeat_.handle_timeout(now, intervals)) {
        case heartbeat::action::none: break;
        case heartbeat::action::ping:
            beats_.set(packet_type::ping);
            outbox_.shrink();
            break;
        case heartbeat::action::expired: self().close_now(close_reason::ping_timeout); break;
        }
    }

    // Takes a ping or a pong. Returns false if only this side may send that.
    bool take_beat(packet_type type, heartbeat::intervals const& intervals) noexcept {
        if ((type == packet_type::ping) == heartbeat_.is_pinging()) return false;
        if (type == packet_type::pong) {
            heartbeat_.pong(now_, intervals);
        } else {
            heartbeat_.ping(now_, intervals);
            outbox_.shrink();
            beats_.set(packet_type::pong);
        }
        return true;
    }

    //=== the candidate ===//

    // Forgets the candidate, which is gone.
    void drop_candidate() {
        candidate_.reset();
        events_.clear(event_type::upgrading);
        events_.set(event_type::upgrade_failed);
    }
    void reject_candidate() {
        self().give_up(candidate_->channel);
        self().drop_candidate();
    }
    void move_to_candidate() {
        channel_ = std::move(candidate_->channel);
        candidate_.reset();
        transport_ = channel_->transport();
        events_.set(event_type::upgraded);
    }

    //=== what is sent ===//

    // Queues a message. Precondition: the session is open.
    template <class Message>
    result<void> push(Message message, std::size_t max_queued) {
        if (auto const good = check(message, max_queued); !good) return good;
        outbox_.push(std::move(message));
        if (!outbox_.exceeds(max_queued)) return {};
        self().close_now(close_reason::queue_overflow);
        return error{errc::queue_overflow};
    }

    // Calls `put(outbox&)`, which queues whole packets of the layer above by itself: text that is UTF-8 by its making,
    // and what is binary. `sent` tells what has become of them. False, and it does nothing, if each message must be
    // checked.
    template <class Put>
    [[nodiscard]] bool put(std::size_t max_queued, result<void>& sent, Put put) {
        if (state_ != state::open || has_v4_bodies()) return false;
        put(outbox_);
        if (outbox_.exceeds(max_queued)) [[unlikely]] {
            self().close_now(close_reason::queue_overflow);
            sent = error{errc::queue_overflow};
        }
        return true;
    }

    [[nodiscard]] bool can_send(channel const& c) const noexcept {
        return c.is_open && !c.paused && !late_.is_over(c.id());
    }

    // Sends the first message of the queue on the channel in use. Precondition: something is queued.
    void send_queued(std::optional<transmit>& t, std::string& buffer) {
        channel_->send_front(t, outbox_, revision_, buffer);
        if (outbox_.empty()) note_drained();
    }

    void note_drained() noexcept {
        if (tells_drained_) events_.set(event_type::drained);
    }

    // Puts as much of the queue into a body as fits. Returns whether that was all.
    bool put_queued(payload_writer<std::string>& writer) {
        while (!outbox_.empty()) {
            auto const m = outbox_.front();
            // Skips a shared message with a record separator, which a body of revision 4 cannot carry.
            if (writer.push({packet_type::message, m.kind, m.data()}) == false) return false;
            outbox_.pop();
        }
        return true;
    }

    // Whether the next body is text or binary.
    [[nodiscard]] frame_kind body_kind(bool takes_binary) const noexcept {
        bool const binary = revision_ == revision::v3 && takes_binary && outbox_.has_binary();
        return binary ? frame_kind::binary : frame_kind::text;
    }
    [[nodiscard]] static content_type content_of(frame_kind kind) noexcept {
        return kind == frame_kind::binary ? content_type::binary : content_type::text;
    }

    //=== the end ===//

    // The session reads and sends nothing more. The side closes the channel in use.
    void end(close_reason reason) noexcept {
        state_ = state::closed;
        reason_ = reason;
        candidate_.reset();
        late_.clear();
        timeout_due_ = false;
        outbox_.clear();
        beats_ = {};
        events_.clear(event_type::upgrading);
        events_.clear(event_type::drained);
        events_.set(event_type::closed);
    }

private:
    friend Side;
    explicit session_core(revision r) noexcept : revision_(r) {}

    [[nodiscard]] Side& self() noexcept { return static_cast<Side&>(*this); }
    [[nodiscard]] Side const& self() const noexcept { return static_cast<Side const&>(*this); }

    // Keeps an input until earlier ones have been read.
    void wait(input const& i) {
        if (!self().has(i.id)) return;
        if (std::exchange(timeout_due_, false)) late_.push({.type = input_type::timeout, .now = timeout_});
        late_.push(i);
    }

    // Reads the first input that waits. Precondition: all that came before it has been read. Returns false if no input
    // waits.
    [[nodiscard]] bool take_late() {
        if (!late_.empty()) {
            auto const i = late_.take();
            self().set_time(i.now);
            apply(i);
            return true;
        }
        if (!timeout_due_) return false;
        timeout_due_ = false;
        self().pass_time(timeout_);
        return true;
    }

    void apply(input const& i) {
        switch (i.type) {
        case input_type::message:
            if (auto* const c = find(i.id)) c->message_received(i.data, i.text);
            break;
        case input_type::chunk:
            if (auto* const c = find(i.id)) c->bytes_received(i.data.data);
            break;
        case input_type::closed: return end_channel(i);
        case input_type::timeout: return self().pass_time(i.now);
        default: return self().take_input(i);
        }
    }

    void end_channel(input const& i) {
        if (candidate_ && candidate_->channel.id() == i.id)
            self().drop_candidate();
        else if (channel_ && channel_->id() == i.id)
            self().lose_channel(i);
    }

    // The next packet of the transport in use. Those of a candidate are handled on the way.
    [[nodiscard]] std::optional<result<packet>> next_packet() {
        if (state_ == state::closed) return std::nullopt;
        if (self().has_body())
            if (auto const p = self().next_of_body()) return p;
        while (candidate_ && events_.empty()) {
            auto const p = candidate_->channel.next(revision_);
            if (!p) break;
            self().take_candidate_packet(*p);
        }
        if (!channel_ || !events_.empty()) return std::nullopt;
        if (channel_->is_at_rest()) return std::nullopt;
        return channel_->next(revision_);
    }

    // Whether a message can be sent over the transport in use: text is UTF-8, and in a body of revision 4 has no record
    // separator; with its type, the message fits into an empty queue.
    [[nodiscard]] result<void> check(shared_message const& message, std::size_t max_queued) const noexcept {
        if (message.wire().size() > max_queued) return error{errc::message_too_large, max_queued};
        if (has_v4_bodies() && message.has_separator()) return error{errc::separator_in_text};
        return {};
    }
    [[nodiscard]] result<void> check(frame message, std::size_t max_queued) const noexcept {
        if (message.data.size() >= max_queued) return error{errc::message_too_large, max_queued};
        if (message.kind == frame_kind::binary) return {};
        if (has_v4_bodies() && message.data.find(packet_separator) != std::string_view::npos)
            return error{errc::separator_in_text, message.data.find(packet_separator)};
        return utf8::validate(message.data);
    }
    [[nodiscard]] bool has_v4_bodies() const noexcept {
        return transport_ == transport::polling && revision_ == revision::v4;
    }

protected:
    // A server has one of these for each connection: no member takes more than it must, and where the compiler can, it
    // puts the small ones into the padding of others.
    optional_channel channel_; // in use
    std::unique_ptr<candidate> candidate_;
    late_inputs late_;
    time_point timeout_{}; // of a handle_timeout that waits for unread input, if timeout_due_
    time_point now_{};
    time_point deadline_{}; // of opening and of closing
    [[no_unique_address]] outbox outbox_;
    due_beats beats_;
    due_events events_;
    revision revision_;
    transport transport_ = transport::polling;
    state state_ = state::fresh;
    close_reason reason_ = close_reason::transport_error;
    bool tells_drained_ = true;
    bool timeout_due_ = false;
    [[no_unique_address]] heartbeat heartbeat_;
};

} // namespace socketless::inline v0::engineio::detail

#include <socketless/core/detail/epilogue.hpp>
