// How a server_session works: it says the handshake, answers a pending GET and a POST, and moves to the channel that
// its client upgrades to. The comment of server_session draws its states.
#pragma once

#include <socketless/core/detail/must.hpp>
#include <socketless/core/random.hpp>
#include <socketless/engineio/detail/session_core.hpp>
#include <socketless/engineio/handshake.hpp>
#include <socketless/engineio/handshake_request.hpp>
#include <socketless/engineio/server_options.hpp>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::engineio::detail {

class server_session_core : protected session_core<server_session_core> {
protected:
    // How long a GET waits, at most, while an upgrade goes on: the reference's interval.
    static constexpr milliseconds noop_delay{100};

    struct incoming_body {
        std::optional<exchange_id> exchange; // until its client gives it up
        payload_reader reader;
    };

    // What is under way by long-polling. A session that uses it has one, and one that has moved has it until the last
    // exchange is answered: those over a WebSocket, which are many, are smaller without.
    struct polling {
        std::optional<exchange_id> poll;     // a GET
        std::optional<exchange_id> answered; // a POST that gets its "ok" next
        std::optional<channel_id> rejected_candidate;
        std::unique_ptr<incoming_body> body;

        [[nodiscard]] bool is_empty() const noexcept { return !poll && !answered && !rejected_candidate && !body; }
    };

    server_session_core(server_options const& options, random_id const& id, revision r) noexcept
        : session_core(r), id_(id), options_(&options) {}

    //=== opening and closing ===//

    void open(transport t, time_point now) {
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

    // poll_transmit answers and closes what is open.
    void close_now(close_reason reason) {
        if (state_ == state::closed) return;
        if (candidate_) give_up(candidate_->channel);
        if (channel_ && late_.is_over(channel_->id())) channel_->is_over = true;
        if (has_body()) end_body();
        handshake_due_ = false;
        end(reason);
    }

    // Closes a candidate, unless the I/O layer has said that it is gone.
    void give_up(channel const& c) noexcept {
        if (!late_.is_over(c.id())) polling_->rejected_candidate = c.id();
    }

    void drop_candidate() {
        noop_due_ = false;
        session_core::drop_candidate();
    }

    //=== inputs ===//

    // A POST may be read before inputs that came earlier and wait: time does not go back.
    void set_time(time_point given) noexcept { now_ = std::max(now_, given); }

    // The end, once all earlier input has been read. GETs and POSTs do not wait.
    void take_input(input const& i) { close_now(i.reason); }

    void lose_channel(input const&) {
        channel_->is_over = true;
        close_now(state_ == state::closing ? close_reason::forced_close : close_reason::transport_close);
    }

    void pass_time(time_point now) {
        check_deadlines(now);
        if (candidate_ && candidate_->noop_deadline && now >= *candidate_->noop_deadline) {
            candidate_->noop_deadline.reset();
            release_poll();
        }
        beat(now, intervals());
    }

    // A pending GET is answered with a noop if there is nothing else.
    void release_poll() noexcept { noop_due_ = has_poll(); }

    //=== packets in ===//

    [[nodiscard]] bool has_poll() const noexcept { return polling_ && polling_->poll; }
    [[nodiscard]] bool has_body() const noexcept { return polling_ && polling_->body; }

    [[nodiscard]] std::optional<result<packet>> next_of_body() {
        auto const p = polling_->body->reader.next();
        if (!p) end_body();
        return p;
    }
    void end_body() noexcept {
        polling_->answered = polling_->body->exchange;
        polling_->body.reset();
    }

    [[nodiscard]] std::optional<event> take_packet(result<packet> const& p) {
        if (!p) {
            cause_ = p.error().code;
            close_now(close_reason::parse_error);
            return std::nullopt;
        }
        switch (p->type) {
        case packet_type::message:
            if (state_ != state::open) break;
            return event{.type = event_type::message, .transport = transport_, .message = {p->kind, p->data}};
        case packet_type::ping:
        case packet_type::pong:
            if (!take_beat(p->type, intervals())) close_now(close_reason::transport_error);
            break;
        case packet_type::close:
            release_poll(); // the answer of the pending GET holds no close: its client has closed
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
            candidate_->probe_due = true;
            if (std::exchange(candidate_->is_probed, true)) return;
            events_.set(event_type::upgrading);
            release_poll();
        } else if (p && p->type == packet_type::upgrade) { // some clients do without a probe
            move_to_candidate();
            release_poll();
        } else {
            reject_candidate();
        }
    }

    //=== packets out ===//

    void next_transmit(std::optional<transmit>& t, std::string& buffer) {
        if (polling_) answer_exchanges(t, buffer);
        if (!t && channel_) send_on_channel(t, buffer);
    }

    void answer_exchanges(std::optional<transmit>& t, std::string& buffer) {
        if (polling_->answered)
            t = answer_post();
        else if (polling_->rejected_candidate)
            t = close_channel(*std::exchange(polling_->rejected_candidate, std::nullopt));
        else if (candidate_ && can_send(candidate_->channel) && std::exchange(candidate_->probe_due, false))
            t = candidate_->channel.send({packet_type::pong, frame_kind::text, "probe"}, revision_, buffer);
        else if (polling_->poll)
            t = answer_poll(buffer);
        if (transport_ != transport::polling && polling_->is_empty()) polling_.reset();
    }

    [[nodiscard]] static transmit close_channel(channel_id channel) noexcept {
        return {.type = transmit_type::close, .id = channel};
    }

    [[nodiscard]] transmit answer_post() noexcept {
        return {.type = transmit_type::respond,
                .id = *std::exchange(polling_->answered, std::nullopt),
                .status = 200,
                .content = content_type::html,
                .data = {frame_kind::text, "ok"}};
    }

    // Answers the pending GET if there is something to send.
    [[nodiscard]] std::optional<transmit> answer_poll(std::string& buffer) {
        auto const kind = body_kind(!base64_);
        bool const is_first = handshake_due_;
        write_body(buffer, kind);
        if (buffer.empty()) return std::nullopt;
        noop_due_ = false;
        if (candidate_) candidate_->noop_deadline.reset();
        return transmit{.type = transmit_type::respond,
                        .id = *std::exchange(polling_->poll, std::nullopt),
                        .status = 200,
                        .content = content_of(kind),
                        .data = {kind, buffer},
                        .sid = is_first ? view(id_) : std::string_view()};
    }

    void write_body(std::string& buffer, frame_kind kind) {
        buffer.clear();
        payload_writer writer(buffer, options_->max_payload, format_of(revision_, kind));
        auto const put = [&writer](packet_type type) { core_detail::must(writer.push({type, frame_kind::text, {}})); };
        // After the move to another transport all but a noop goes over that.
        if (transport_ == transport::polling) put_due(writer);
        if (buffer.empty() && noop_due_) put(packet_type::noop);
        if (buffer.empty() && state_ == state::closed) put(packet_type::close);
    }

    // Puts what is due into a body, as much as fits; at the end of a session that is closing, its close.
    void put_due(payload_writer<std::string>& writer) {
        std::string handshake_buffer;
        while (auto const p = next_control_packet(handshake_buffer)) core_detail::must(writer.push(*p));
        if (!outbox_.empty()) {
            if (!put_queued(writer)) return;
            note_drained();
        }
        if (state_ != state::closing || writer.push({packet_type::close, frame_kind::text, {}}) == false) return;
        close_now(close_reason::forced_close);
    }

    void send_on_channel(std::optional<transmit>& t, std::string& buffer) {
        if (state_ != state::closed) {
            if (!can_send(*channel_)) return;
            if (handshake_due_ || !beats_.empty()) {
                t = send_control_packet(buffer);
                return;
            }
            if (!outbox_.empty()) return send_queued(t, buffer);
            if (state_ != state::closing) return;
            close_now(close_reason::forced_close);
        }
        if (!std::exchange(channel_->is_over, true)) t = close_channel(channel_->id());
    }

    // Precondition: one is due.
    [[nodiscard]] transmit send_control_packet(std::string& buffer) {
        std::string handshake_buffer;
        return channel_->send(*next_control_packet(handshake_buffer), revision_, buffer);
    }

    // Control packets are not queued: they are made when there is a way to send them.
    [[nodiscard]] std::optional<packet> next_control_packet(std::string& handshake_buffer) {
        if (!std::exchange(handshake_due_, false)) return beats_.take();
        handshake_buffer.clear();
        core_detail::must(encode_handshake(handshake_buffer, own_handshake()));
        return packet{packet_type::open, frame_kind::text, handshake_buffer};
    }

    [[nodiscard]] handshake own_handshake() const noexcept {
        engineio::handshake h{.sid = view(id_),
                              .upgrades = {},
                              .ping_interval = options_->ping_interval,
                              .ping_timeout = options_->ping_timeout,
                              .max_payload = {}};
        if (transport_ == transport::polling && options_->allow_upgrades)
            for (transport const t : {transport::websocket, transport::webtransport})
                if (options_->transports.contains(t) && (t == transport::websocket || revision_ == revision::v4))
                    h.upgrades.insert(t);
        if (revision_ == revision::v4) h.max_payload = options_->max_payload;
        return h;
    }

    bool base64_ = false;
    bool handshake_due_ = false;
    bool noop_due_ = false;
    std::optional<errc> cause_;
    random_id id_;
    server_options const* options_;
    kept_request request_;
    std::unique_ptr<polling> polling_;

private:
    friend session_core<server_session_core>;
};

} // namespace socketless::inline v0::engineio::detail

#include <socketless/core/detail/epilogue.hpp>
