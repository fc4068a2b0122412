// A Redis stream as the bus: what @socket.io/redis-streams-adapter 0.3.1 does.
#pragma once

#include <socketless/cluster/detail/message.hpp>
#include <socketless/cluster/detail/message_codec.hpp>
#include <socketless/cluster/detail/node_core.hpp>
#include <socketless/cluster/detail/redis_bus.hpp>
#include <socketless/cluster/detail/redis_channels.hpp>
#include <socketless/cluster/detail/redis_sessions.hpp>
#include <socketless/cluster/detail/redis_subscriptions.hpp>
#include <socketless/cluster/detail/stream_entry.hpp>
#include <socketless/cluster/redis_command.hpp>
#include <socketless/cluster/redis_options.hpp>
#include <socketless/core/detail/digits.hpp>
#include <socketless/core/detail/fifo.hpp>
#include <socketless/core/result.hpp>
#include <socketless/core/time.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::cluster::detail {

// Broadcasts, and what changes sockets, are entries of the stream. What wants an answer goes by Pub/Sub.
//
// Where clients have their state again (server_options::recovery), what this node has added itself is acted upon when
// it is read: so its clients get the same events in the same order as all others, with the same offsets. Redis may be
// lost meanwhile. Then what has not been read back is acted upon at once, and its entries are those of a former uid:
// they are skipped if they are read after all.
//
//     reader:   lost -- connected --> to_begin -- XREVRANGE --> begins --> idle -- XREAD --> reads --> idle ...
class redis_streams final : public redis_sessions {
public:
    explicit redis_streams(redis_options const& options)
        : redis_sessions(streams_layout, options), length_(core_detail::decimal_text(options.stream_length).view()) {}

    //=== what the node wants ===//

    void begin(node_core& core) override {
        redis_bus::begin(core);
        begin_sessions();
    }

    result<bool> publish(message const& m) override {
        if (m.type == message_type::server_side_emit) {
            auto const sent = say(request_channel(m.nsp), m);
            return sent ? result<bool>(false) : sent.error();
        }
        std::string data;
        if (auto const made = encode_stream_data(data, m); !made) return made.error();
        if (is_too_large(data)) return error{errc::message_too_large};
        if (!recovers() || !is_complete()) {
            add(m, std::move(data));
            return false;
        }
        own_entry own{m.nsp, type_field(m.type), data, core().now()};
        if (own.size() > core().options().max_queued - own_size_) bring_home();
        own_.reserve(1); // what is added is known
        if (!add(m, std::move(data))) {
            bring_home(); // what was added before comes first
            return false;
        }
        own_size_ += own.size();
        own_.push(std::move(own));
        return true;
    }

    result<void> respond(std::string_view node, message const& m) override {
        return say(channel_of(prefix(), streams_layout.own_responses, m.nsp, node), m);
    }

    void handle_timeout(time_point now) override {
        redis_bus::handle_timeout(now);
        handle_session_timeouts(now);
        if (auto const end = end_of_patience(); end && *end <= now) bring_home();
    }
    [[nodiscard]] std::optional<time_point> poll_timeout() const noexcept override {
        auto next = earlier(redis_bus::poll_timeout(), earlier(next_session_timeout(), end_of_patience()));
        bool const pauses = reader_ == reader_state::to_begin || reader_ == reader_state::idle;
        return pauses && reads_at_ > core().now() ? earlier(next, reads_at_) : next;
    }

    //=== what happened ===//

    void connected(redis_connection connection) override {
        if (connection == redis_connection::reader && reader_ == reader_state::lost) reader_ = reader_state::to_begin;
        bool const was_complete = is_complete();
        redis_bus::connected(connection);
        if (!was_complete && is_complete()) begin_generation(); // what was added before was acted upon at once
    }

    void lost(redis_connection connection) override {
        bool const was_complete = is_complete();
        if (connection == redis_connection::reader) {
            reader_ = reader_state::lost;
            token_ = 0;
            reads_at_ = {};
        }
        redis_bus::lost(connection);
        if (!was_complete || is_complete()) return;
        give_up_sessions();
        bring_home();
    }

    //=== what to do ===//

    [[nodiscard]] std::optional<redis_command> poll_transmit() override {
        if (core().now() >= reads_at_ && reader_ == reader_state::to_begin) {
            reader_ = reader_state::begins;
            token_ = new_token(false);
            return send(redis_connection::reader, token_, {"XREVRANGE", stream(), "+", "-", "COUNT", "1"});
        }
        if (core().now() >= reads_at_ && reader_ == reader_state::idle) {
            reader_ = reader_state::reads;
            token_ = new_token(false);
            return send(redis_connection::reader, token_,
                        {"XREAD", "COUNT", "100", "BLOCK", "5000", "STREAMS", stream(), last_read().text()});
        }
        return redis_bus::poll_transmit();
    }

private:
    static constexpr auto pause = std::chrono::seconds(1); // after an error of Redis

    enum class reader_state : std::uint8_t { lost, to_begin, begins, idle, reads };

    // What this node has added, and has yet to read back.
    struct own_entry {
        std::string nsp;
        std::string type;
        std::string data;
        time_point since;

        [[nodiscard]] std::size_t size() const noexcept { return sizeof(own_entry) + nsp.size() + data.size(); }
    };

    // False if the message was dropped.
    bool add(message const& m, std::string data) {
        return push_message({"XADD", stream(), "MAXLEN", "~", length_, "*", "uid", own_uid(), "nsp", m.nsp, "type",
                             type_field(m.type), "data", std::move(data)});
    }

    //=== Pub/Sub ===//

    result<void> encode_request(std::string& bytes, message const& m) override { return encode(bytes, m); }
    [[nodiscard]] std::string request_channel(std::string_view nsp) const override {
        return channel_of(prefix(), streams_layout.requests, nsp);
    }

    result<void> say(std::string channel, message const& m) {
        std::string bytes;
        if (auto const made = encode(bytes, m); !made) return made;
        if (is_too_large(bytes)) return error{errc::message_too_large};
        publish_on(std::move(channel), std::move(bytes));
        return {};
    }

    void take_broadcast(std::string_view, std::string_view, std::string_view) override {}
    void take_message(redis_subscriptions::place const& from, std::string_view bytes) override {
        if (!decode(bytes, incoming_, core().bounds(), core().options().max_rooms) || incoming_.nsp != from.nsp)
            return core().note_ignored();
        if (incoming_.uid != core().uid()) core().received(incoming_);
    }

    //=== the stream ===//

    [[nodiscard]] bool is_ready() const noexcept override { return reader_ >= reader_state::idle; }

    void take_reply(std::uint64_t token, redis_reply const& reply) override {
        if (token != token_ || token == 0) return take_session_reply(token, reply);
        token_ = 0;
        if (reader_ == reader_state::begins) return begin_to_read(reply);
        reader_ = reader_state::idle;
        if (reply.type == redis_reply::kind::nil) return; // nothing has come in time
        if (!take_entries(reply)) reads_at_ = deadline(core().now(), pause);
    }

    // Reading goes on where it has ended. At first that is at the end of the stream. A stream that ends before it has
    // lost its last entries, or all: none is read twice.
    void begin_to_read(redis_reply const& reply) {
        auto const* const last = reply.elements.empty() ? nullptr : &reply.elements.front();
        auto const id =
            last != nullptr && !last->elements.empty() ? stream_id::read(last->elements.front().text) : std::nullopt;
        if (reply.type != redis_reply::kind::array || (last != nullptr && !id)) {
            reader_ = reader_state::to_begin;
            reads_at_ = deadline(core().now(), pause);
            return;
        }
        stream_id const end = id.value_or(stream_id());
        if (!std::exchange(has_read_, true) || end < last_read()) set_position(end);
        reader_ = reader_state::idle;
        if (is_complete()) begin_generation();
        tell_if_connected();
    }

    // {{stream, {{id, {name, value, ...}}, ...}}}. False if it is something else.
    [[nodiscard]] bool take_entries(redis_reply const& reply) {
        if (reply.elements.size() != 1 || reply.elements[0].elements.size() != 2) return false;
        auto const entries = reply.elements[0].elements[1].elements;
        for (redis_reply const& e : entries) {
            auto const id = e.elements.size() == 2 ? stream_id::read(e.elements[0].text) : std::nullopt;
            if (!id || *id <= last_read()) return false;
            take_entry(*id, stream_fields::of(e.elements[1]));
        }
        return !entries.empty();
    }

    void take_entry(stream_id id, stream_fields const& fields) {
        note_read(id, fields);
        if (auto const generation = own_generation(fields.uid))
            take_own(id, fields, *generation);
        else if (core().has_sockets(fields.nsp)) // a message for others costs no more than this
            take_foreign(id, fields);
        note_delivered();
    }
    void take_foreign(stream_id id, stream_fields const& fields) {
        if (is_too_large(fields.data) || !read(fields, core().options().max_rooms)) return core().note_ignored();
        if (recovers()) incoming_.offset = id.text();
        core().received(incoming_);
    }
    [[nodiscard]] bool read(stream_fields const& fields, std::size_t max_rooms) {
        return decode(fields, buffer_, incoming_, core().bounds(), max_rooms);
    }

    //=== what this node has added ===//

    // Not that of answers: others answer what has come by Pub/Sub only.
    [[nodiscard]] std::string own_uid() const {
        std::string uid = core().uid();
        if (recovers()) uid.append(1, '.').append(core_detail::decimal_text(generation()).view());
        return uid;
    }
    // That of an own entry.
    [[nodiscard]] std::optional<std::uint64_t> own_generation(std::string_view uid) const noexcept {
        std::string_view const own = core().uid();
        if (!uid.starts_with(own)) return std::nullopt;
        uid.remove_prefix(own.size());
        if (uid.empty()) return 0;
        auto const digits = core_detail::read_digits(uid.substr(1));
        bool const is_number =
            uid.front() == '.' && digits.size == uid.size() - 1 && digits.size <= core_detail::max_digits;
        return is_number ? std::optional(digits.value) : std::nullopt;
    }

    // What was added before it, and is not in the stream, was refused by Redis.
    void take_own(stream_id id, stream_fields const& fields, std::uint64_t generation) {
        if (!recovers()) return;
        if (generation != this->generation()) return note_former(id, fields, generation);
        note_current();
        while (!own_.empty()) {
            own_entry const& next = own_.front();
            bool const is_this = next.nsp == fields.nsp && next.type == fields.type && next.data == fields.data;
            if (!is_this) refuse_sessions();
            act_on_own(is_this ? id.text() : std::string());
            if (is_this) return;
        }
    }

    // Acts on the oldest one.
    void act_on_own(std::string offset) {
        own_entry const own = std::move(own_.front());
        own_.pop();
        own_size_ -= own.size();
        constexpr std::size_t any_number = std::numeric_limits<std::size_t>::max();
        if (!read({core().uid(), own.nsp, own.type, own.data}, any_number)) return;
        incoming_.offset = std::move(offset);
        core().came_back(incoming_);
    }

    // Redis does not give back in time what this node has added.
    void bring_home() {
        if (!recovers()) return;
        begin_generation();
        if (!own_.empty()) refuse_sessions();
        while (!own_.empty()) act_on_own({});
    }
    [[nodiscard]] std::optional<time_point> end_of_patience() const noexcept {
        if (own_.empty()) return std::nullopt;
        return deadline(own_.front().since, core().options().request_timeout);
    }

    std::string length_;
    reader_state reader_ = reader_state::lost;
    std::uint64_t token_ = 0; // of the reader's command
    time_point reads_at_{};   // not before
    bool has_read_ = false;   // the position is one
    core_detail::fifo<own_entry> own_;
    std::size_t own_size_ = 0; // bytes
    message incoming_;
    std::string buffer_;
};

} // namespace socketless::inline v0::cluster::detail

#include <socketless/core/detail/epilogue.hpp>
