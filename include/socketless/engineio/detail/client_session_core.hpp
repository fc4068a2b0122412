// How a client_session works: it opens with one transport after the other, polls with one GET and one POST at a time,
// and upgrades to a channel. The comment of client_session draws its states.
#pragma once

#include <socketless/core/detail/must.hpp>
#include <socketless/core/detail/rollback.hpp>
#include <socketless/core/random.hpp>
#include <socketless/engineio/client_options.hpp>
#include <socketless/engineio/detail/session_core.hpp>
#include <socketless/engineio/handshake.hpp>
#include <socketless/engineio/request.hpp>
#include <socketless/engineio/stream.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::engineio::detail {

class client_session_core : protected session_core<client_session_core> {
protected:
    // How long close() may take.
    static constexpr milliseconds close_timeout{30'000};
    // Before anything else begins, the I/O layer ends what the session has given up: a channel, a GET and a POST.
    static constexpr std::size_t most_farewells = 3;
    struct farewell {
        transmit_type type;
        std::uint64_t id;
    };

    explicit client_session_core(client_options&& options)
        : session_core(options.revision), options_(std::move(options)) {
        if (auto const path = normalize_path(options_.path))
            options_.path = *path;
        else
            path_error_ = path.error();
    }

    //=== opening ===//

    void open(time_point now) {
        reset();
        sid_.clear();
        handshake_ = {};
        failure_ = {};
        close_sent_ = false;
        now_ = now;
        state_ = state::opening;
        deadline_ = socketless::deadline(now, options_.open_timeout);
        transport_index_ = first_transport();
        core_detail::rollback undo([this]() noexcept { state_ = state::closed; });
        begin_transport();
        undo.commit();
    }

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
        if (transport_ != transport::polling) channel_ = new_channel(transport_);
    }

    // Streams came with revision 4.
    [[nodiscard]] bool is_usable(transport t) const noexcept {
        return t != transport::webtransport || revision_ == revision::v4;
    }

    [[nodiscard]] channel new_channel(transport t) {
        bool const is_stream = t == transport::webtransport;
        channel c(next_id_++, is_stream ? std::make_unique<stream_reader>(options_.max_payload) : nullptr);
        c.open_due = true;
        c.is_open = false;
        c.hello_due = is_stream;
        return c;
    }

    // This transport could not open the session: the next one may.
    void fail_transport() {
        if (state_ != state::opening || !options_.try_all_transports) return close_now(close_reason::transport_error);
        if (channel_) give_up(*channel_);
        channel_.reset();
        give_up(get_);
        body_.reset();
        failure_.body = {}; // it does not live as long as the next attempt
        ++transport_index_;
        core_detail::rollback undo([this]() noexcept { close_now(close_reason::transport_error); });
        begin_transport();
        undo.commit();
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
        heartbeat_ =
            revision_ == revision::v4 ? heartbeat::watching(now_, intervals()) : heartbeat::pinging(now_, intervals());
        state_ = state::open;
        events_.set(event_type::opened);
        if (transport_ == transport::websocket) prior_websocket_success_ = true;
        if (transport_ == transport::polling && options_.upgrade) offer_upgrade();
    }

    [[nodiscard]] heartbeat::intervals intervals() const noexcept {
        return {handshake_.ping_interval, handshake_.ping_timeout};
    }

    //=== closing ===//

    void close_now(close_reason reason) {
        if (state_ == state::closed || state_ == state::fresh) return;
        if (close_sent_) reason = close_reason::forced_close; // the server has closed at our request
        if (reason == close_reason::transport_error || reason == close_reason::open_timeout)
            prior_websocket_success_ = false;
        if (channel_) {
            give_up(*channel_);
            channel_->is_over = true;
        }
        if (candidate_) give_up(candidate_->channel);
        give_up(get_);
        give_up(post_);
        body_.reset();
        end(reason);
    }

    // The I/O layer never heard of a channel whose open transmit was not polled: nothing to close.
    void give_up(channel const& c) noexcept {
        if (!c.open_due && !c.is_over) say_farewell(transmit_type::close, c.id());
    }
    void give_up(std::optional<exchange_id>& exchange) noexcept {
        if (exchange) say_farewell(transmit_type::abort, *exchange);
        exchange.reset();
    }

    // The I/O layer ends a channel or an exchange, unless it has said that this is over.
    void say_farewell(transmit_type type, std::uint64_t id) noexcept {
        SOCKETLESS_ASSERT(farewell_count_ != most_farewells);
        if (!late_.is_over(id)) farewells_[farewell_count_++] = {type, id};
    }

    // Whether a message may be queued. The connection may have died unnoticed (the machine slept): then it closes.
    [[nodiscard]] result<void> check_open(time_point now) {
        now_ = now;
        if (state_ != state::open) return error{errc::not_open};
        if (heartbeat_.is_pinging() || now < heartbeat_.deadline() || has_unread()) return {};
        close_now(close_reason::ping_timeout);
        return error{errc::not_open};
    }

    //=== inputs ===//

    [[nodiscard]] bool has(std::uint64_t id) noexcept { return get_ == id || post_ == id || find(id) != nullptr; }

    void set_time(time_point given) noexcept { now_ = given; }

    void take_input(input const& i) {
        switch (i.type) {
        case input_type::opened:
            if (auto* const c = find(i.id)) c->is_open = true;
            break;
        case input_type::response: return take_response(i);
        case input_type::failure:
            if (end_exchange(i.id)) fail_transport();
            break;
        default: return close_now(i.reason);
        }
    }

    // The exchange is over. Returns false if the session has no such exchange.
    [[nodiscard]] bool end_exchange(exchange_id exchange) noexcept {
        auto& found = get_ == exchange ? get_ : post_;
        if (found != exchange) return false;
        found.reset();
        return true;
    }

    void take_response(input const& i) {
        bool const is_get = get_ == i.id;
        if (!end_exchange(i.id)) return;
        if (i.status != 200) failure_ = {i.status, i.data.data};
        if (i.status != 200 || (!is_get && close_sent_)) return fail_transport();
        if (is_get) {
            // The caller gave it as a std::span<char>.
            std::span<char> const body(const_cast<char*>(i.data.data.data()), i.data.data.size());
            body_ = payload_reader(body, format_of(revision_, i.data.kind), options_.limits);
        } else if (outbox_.empty() && state_ == state::open) {
            note_drained();
        }
    }

    void lose_channel(input const& i) {
        if (i.status != 0) failure_ = {i.status, i.data.data};
        bool const was_open = channel_->is_open;
        channel_->is_over = true;
        if (state_ == state::closing)
            close_now(close_reason::forced_close);
        else if (was_open && state_ != state::opening)
            close_now(close_reason::transport_close);
        else
            fail_transport();
    }

    void pass_time(time_point now) {
        check_deadlines(now);
        beat(now, intervals());
    }

    //=== packets in ===//

    [[nodiscard]] bool has_body() const noexcept { return body_.has_value(); }

    [[nodiscard]] std::optional<result<packet>> next_of_body() {
        auto const p = body_->next();
        if (!p) body_.reset();
        return p;
    }

    [[nodiscard]] std::optional<event> take_packet(result<packet> const& p) {
        if (!p || (state_ == state::opening && p->type != packet_type::open)) {
            fail_transport();
            return std::nullopt;
        }
        switch (p->type) {
        case packet_type::message:
            return event{.type = event_type::message, .transport = transport_, .message = {p->kind, p->data}};
        case packet_type::open:
            if (state_ == state::opening)
                take_handshake(p->data);
            else
                close_now(close_reason::transport_error);
            break;
        case packet_type::close: close_now(close_reason::transport_close); break;
        case packet_type::ping:
        case packet_type::pong: take_beat(p->type, intervals()); break;
        case packet_type::upgrade:
        case packet_type::noop: break;
        }
        return std::nullopt;
    }

    //=== the upgrade ===//

    // Tries the first transport that both sides have besides the one in use.
    void offer_upgrade() {
        for (transport const t : options_.transports) {
            if (t == transport::polling || !is_usable(t) || !handshake_.upgrades.contains(t)) continue;
            auto const until = socketless::deadline(now_, options_.upgrade_timeout);
            candidate_ = std::make_unique<candidate>(new_channel(t), until);
            candidate_->probe_due = true;
            return;
        }
    }

    void take_candidate_packet(result<packet> const& p) {
        bool const is_answer = p && p->type == packet_type::pong && p->data == "probe";
        if (!is_answer || !candidate_->channel.is_open || candidate_->is_probed) return reject_candidate();
        candidate_->is_probed = true;
        events_.set(event_type::upgrading);
    }

    // The session begins no GET or POST any more, and moves when those under way have ended.
    [[nodiscard]] bool is_pausing() const noexcept { return candidate_ && candidate_->is_probed; }

    [[nodiscard]] std::optional<transmit> drive_candidate(std::string& buffer) {
        candidate& c = *candidate_;
        if (c.channel.open_due) return begin_channel(c.channel, buffer);
        if (!can_send(c.channel)) return std::nullopt;
        if (c.channel.hello_due) return send_hello(c.channel, buffer);
        if (std::exchange(c.probe_due, false))
            return c.channel.send({packet_type::ping, frame_kind::text, "probe"}, revision_, buffer);
        if (!c.is_probed || get_ || post_ || body_) return std::nullopt;
        move_to_candidate();
        if (transport_ == transport::websocket) prior_websocket_success_ = true;
        return channel_->send({packet_type::upgrade, frame_kind::text, {}}, revision_, buffer);
    }

    //=== packets out ===//

    void next_transmit(std::optional<transmit>& t, std::string& buffer) {
        if (farewell_count_ != 0)
            t = take_farewell();
        else if (state_ == state::closed || state_ == state::fresh)
            return;
        else if (channel_ && channel_->open_due)
            t = begin_channel(*channel_, buffer);
        else if (candidate_)
            t = drive_candidate(buffer);
        if (t) return;
        if (transport_ == transport::polling)
            t = drive_polling(buffer);
        else
            drive_channel(t, buffer);
    }

    [[nodiscard]] transmit take_farewell() noexcept {
        farewell const first = farewells_.front();
        std::ranges::copy(std::span(farewells_).subspan(1), farewells_.begin());
        --farewell_count_;
        return {.type = first.type, .id = first.id};
    }

    [[nodiscard]] transmit begin_channel(channel& c, std::string& buffer) {
        bool const is_stream = c.transport() == transport::webtransport;
        if (!is_stream) write_target(buffer, c.transport());
        c.open_due = false;
        if (is_stream) return {.type = transmit_type::open_stream, .id = c.id()};
        return {.type = transmit_type::open_websocket, .id = c.id(), .target = buffer};
    }

    // The first packet of a stream: "0", or in an upgrade "0{"sid":...}".
    [[nodiscard]] transmit send_hello(channel& c, std::string& buffer) const {
        c.hello_due = false;
        std::string data;
        if (!sid_.empty()) static_cast<void>(json::write(data, json::object("sid", sid_)));
        return c.send({packet_type::open, frame_kind::text, data}, revision_, buffer);
    }

    void drive_channel(std::optional<transmit>& t, std::string& buffer) {
        if (!channel_ || !can_send(*channel_)) return;
        if (channel_->hello_due) {
            t = send_hello(*channel_, buffer);
        } else if (!beats_.empty()) {
            t = channel_->send(*beats_.take(), revision_, buffer);
        } else if (!outbox_.empty()) {
            send_queued(t, buffer);
        } else if (state_ == state::closing) {
            close_now(close_reason::forced_close);
            t = take_farewell();
        }
    }

    // One GET and one POST at a time. Neither begins while an upgrade pauses the transport or a body is being read, nor
    // after a close was sent.
    [[nodiscard]] std::optional<transmit> drive_polling(std::string& buffer) {
        if (is_pausing() || close_sent_ || body_) return std::nullopt;
        if (!post_ && state_ != state::opening)
            if (auto const t = begin_post(buffer)) return t;
        if (get_) return std::nullopt;
        auto const id = next_id_++;
        write_target(buffer, transport::polling);
        get_ = id;
        return transmit{.type = transmit_type::get, .id = id, .target = buffer};
    }

    [[nodiscard]] std::optional<transmit> begin_post(std::string& buffer) {
        auto const kind = body_kind(!options_.force_base64);
        write_body(kind);
        if (body_out_.empty()) return std::nullopt;
        auto const id = next_id_++;
        write_target(buffer, transport::polling);
        post_ = id;
        return transmit{.type = transmit_type::post,
                        .id = id,
                        .content = content_of(kind),
                        .target = buffer,
                        .data = {kind, body_out_}};
    }

    // Puts what is due into a body, as much as the server takes.
    void write_body(frame_kind kind) {
        body_out_.clear();
        std::uint64_t const no_limit = std::numeric_limits<std::size_t>::max();
        auto const limit = static_cast<std::size_t>(std::min(handshake_.max_payload.value_or(no_limit), no_limit));
        payload_writer writer(body_out_, limit, format_of(revision_, kind));
        while (auto const p = beats_.take()) core_detail::must(writer.push(*p));
        // The close waits for an upgrade; what is left of the queue then goes over the new transport. The client keeps
        // the GET until this POST is answered: a server takes a GET that is given up for the end, and would lose this
        // body.
        if (put_queued(writer) && state_ == state::closing && !candidate_)
            close_sent_ = writer.push({packet_type::close, frame_kind::text, {}}) == true;
    }

    void write_target(std::string& buffer, transport t) {
        buffer.clear();
        std::span const own(options_.query);
        auto const query = std::make_unique<query_parameter[]>(own.size());
        std::ranges::transform(own, query.get(), [](auto const& p) { return query_parameter{p.first, p.second}; });
        auto const stamp = make_timestamp();
        bool const is_stamped = t == transport::polling && !options_.timestamp_param.empty();
        bool const base64 = t == transport::polling && revision_ == revision::v3 && options_.force_base64;
        auto const written = write_request_target(
            buffer, {.path = options_.path,
                     .query = {query.get(), own.size()},
                     .revision = revision_,
                     .transport = t,
                     .timestamp = {options_.timestamp_param, is_stamped ? std::string_view(stamp) : std::string_view()},
                     .base64 = base64,
                     .sid = sid_});
        core_detail::must(written); // the path has been checked
    }

    // The seed tells it from those of other clients, the count from earlier ones.
    [[nodiscard]] std::string make_timestamp() const {
        std::string stamp;
        for (std::uint64_t number : {options_.timestamp_seed, next_id_})
            for (; number != 0; number >>= 6u) stamp += core_detail::url_alphabet[number & 0x3fu];
        return stamp;
    }

    client_options options_;
    error path_error_{};
    std::size_t transport_index_ = 0;
    std::uint64_t next_id_ = 1; // of an exchange or a channel; later connections go on from there
    bool prior_websocket_success_ = false;
    bool close_sent_ = false; // over polling: its POST is under way
    std::string sid_;
    engineio::handshake handshake_;
    std::optional<exchange_id> get_;
    std::optional<exchange_id> post_;
    std::array<farewell, most_farewells> farewells_{};
    std::size_t farewell_count_ = 0;
    std::optional<payload_reader> body_;
    failed_answer failure_;
    std::string body_out_;

private:
    friend session_core<client_session_core>;
};

} // namespace socketless::inline v0::engineio::detail

#include <socketless/core/detail/epilogue.hpp>
