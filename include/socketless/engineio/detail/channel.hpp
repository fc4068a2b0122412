// What both sides of a session have in common: a channel to read packets from and to send them on, and the events due.
#pragma once

#include <socketless/core/assert.hpp>
#include <socketless/core/detail/must.hpp>
#include <socketless/core/frame.hpp>
#include <socketless/core/result.hpp>
#include <socketless/engineio/outbox.hpp>
#include <socketless/engineio/packet.hpp>
#include <socketless/engineio/payload.hpp>
#include <socketless/engineio/session.hpp>
#include <socketless/engineio/stream.hpp>
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

// A WebSocket, or a stream with its reader.
class channel {
public:
    channel() = default;
    explicit channel(channel_id id) noexcept : id_(id) {}
    channel(channel_id id, std::unique_ptr<stream_reader> reader) noexcept : id_(id), reader_(std::move(reader)) {}

    [[nodiscard]] channel_id id() const noexcept { return id_; }
    [[nodiscard]] engineio::transport transport() const noexcept {
        return reader_ ? transport::webtransport : transport::websocket;
    }

    // Whether something that was received has not been read yet.
    [[nodiscard]] bool is_unread() const noexcept { return unread_ || (reader_ && reader_->is_unread()); }

    // Precondition of both: nothing is unread.
    void message_received(frame message) noexcept {
        SOCKETLESS_ASSERT(!unread_);
        message_ = message;
        unread_ = true;
    }
    void bytes_received(std::string_view chunk) {
        if (reader_) reader_->push(chunk);
    }

    // The next packet of what was received, until that has run dry.
    [[nodiscard]] std::optional<result<packet>> next(revision r) {
        if (reader_) {
            auto const f = reader_->next();
            base64_.reset();
            if (!f) return std::nullopt;
            return *f ? decode_frame(**f, r) : result<packet>(f->error());
        }
        base64_.reset();
        if (!unread_) return std::nullopt;
        unread_ = false;
        return decode_frame(message_, r);
    }

    // Sends one packet. `buffer` holds it until it has gone.
    [[nodiscard]] transmit send(packet const& p, revision r, std::string& buffer) const {
        buffer.clear();
        // A stream cannot carry a frame without any bytes: an empty binary message goes as base64.
        if (reader_ && p.kind == frame_kind::binary && p.data.empty()) {
            buffer = stream_header(frame_kind::text, 1).view();
            buffer += 'b';
            return {.type = transmit_type::send, .id = id_, .data = {frame_kind::binary, buffer}};
        }
        auto const size = reader_     ? encode_for_stream(buffer, p)
                          : text_only ? encode_as_text(buffer, p, r)
                                      : encode(buffer, p, r);
        socketless::detail::must(size);
        return {.type = transmit_type::send, .id = id_, .data = {text_only ? frame_kind::text : p.kind, buffer}};
    }

    // Takes the first message off the queue and sends it: borrowed from there if it can go as it is.
    [[nodiscard]] transmit send_front(outbox& queue, revision r, std::string& buffer) const {
        auto const m = queue.front();
        queue.pop();
        bool const as_base64 = text_only && m.kind == frame_kind::binary;
        if (reader_ || as_base64) return send({packet_type::message, m.kind, m.data()}, r, buffer);
        bool const bare = m.kind == frame_kind::binary && r == revision::v4;
        return {.type = transmit_type::send, .id = id_, .data = {m.kind, bare ? m.data() : m.wire}};
    }

private:
    // Base64 in a frame comes only from peers that cannot send binary: rare enough to pay for a buffer then.
    [[nodiscard]] result<packet> decode_frame(frame f, revision r) {
        auto const p = decode(f, r);
        if (p || p.error().code != errc::buffer_too_small) return p;
        base64_ = std::make_unique<std::string>(p.error().offset, '\0');
        return decode(f, r, *base64_);
    }

    channel_id id_ = 0;
    std::unique_ptr<stream_reader> reader_;
    std::unique_ptr<std::string> base64_;
    frame message_;
    bool unread_ = false;

public:
    // A write is under way: nothing more may be sent.
    bool paused = false;
    // The peer cannot take binary frames: it is sent base64.
    bool text_only = false;
    // The I/O layer has told that it is gone, but its session ended before that was read.
    bool is_over = false;
};

// Events without contents that are yet to be taken, each at most once, in the order of event_type.
class due_events {
public:
    void set(event_type type) noexcept { bits_ = static_cast<std::uint8_t>(bits_ | bit(type)); }
    void clear() noexcept { bits_ = 0; }
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

// The packets of a heartbeat that are yet to be sent.
class due_beats {
public:
    bool ping = false;
    bool pong = false;

    [[nodiscard]] std::optional<packet> take() noexcept {
        if (std::exchange(ping, false)) return packet{packet_type::ping, frame_kind::text, {}};
        if (std::exchange(pong, false)) return packet{packet_type::pong, frame_kind::text, {}};
        return std::nullopt;
    }
};

// Whether a message can be sent over the transport in use: UTF-8, in a v4 body free of what separates packets, and with
// its type not larger than all that may be queued.
[[nodiscard]] inline result<void> check_message(shared_message const& message, revision r, transport t,
                                                std::size_t max_queued) noexcept {
    if (message.wire().size() > max_queued) return error{errc::message_too_large, max_queued};
    bool const in_body = t == transport::polling && r == revision::v4;
    if (in_body && message.has_separator()) return error{errc::separator_in_text};
    return {};
}

// As above.
[[nodiscard]] inline result<void> check_message(frame message, revision r, transport t,
                                                std::size_t max_queued) noexcept {
    if (message.data.size() >= max_queued) return error{errc::message_too_large, max_queued};
    if (message.kind == frame_kind::binary) return {};
    bool const in_body = t == transport::polling && r == revision::v4;
    if (in_body && message.data.find(packet_separator) != std::string_view::npos)
        return error{errc::separator_in_text, message.data.find(packet_separator)};
    return utf8::validate(message.data);
}

} // namespace socketless::inline v0::engineio::detail

#include <socketless/core/detail/epilogue.hpp>
