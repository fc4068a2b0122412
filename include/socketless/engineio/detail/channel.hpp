// A channel of a session: a WebSocket or a stream. Packets are read from it and sent on it.
#pragma once

#include <socketless/core/assert.hpp>
#include <socketless/core/detail/inlining.hpp>
#include <socketless/core/detail/must.hpp>
#include <socketless/core/frame.hpp>
#include <socketless/core/result.hpp>
#include <socketless/engineio/outbox.hpp>
#include <socketless/engineio/packet.hpp>
#include <socketless/engineio/session.hpp>
#include <socketless/engineio/stream.hpp>
#include <socketless/engineio/transport.hpp>
#include <socketless/text/utf8.hpp>

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
    [[nodiscard]] bool is_unread() const noexcept { return has_message() || (reader_ && reader_->is_unread()); }

    // Whether `next` has nothing to read and nothing to give back.
    [[nodiscard]] bool is_at_rest() const noexcept { return !has_message() && !reader_ && !base64_; }

    // Precondition of both: all that was received has been read.
    void message_received(frame message, text_check check) noexcept {
        SOCKETLESS_ASSERT(!has_message());
        message_ = message.data;
        unread_ = message.kind == frame_kind::binary ? unread::binary
                  : check == text_check::done        ? unread::valid_text
                                                     : unread::text;
    }
    void bytes_received(std::string_view chunk) {
        if (reader_) reader_->push(chunk);
    }

    // Reads the next message into `m`, if that is what a WebSocket has received: the usual case, at little cost.
    // Otherwise it reads nothing, and returns false.
    [[nodiscard]] bool next_message(frame& m, revision r) noexcept {
        if (!has_message() || base64_) return false;
        bool const is_text = unread_ != unread::binary;
        m.kind = is_text ? frame_kind::text : frame_kind::binary;
        m.data = message_;
        if (is_text || r == revision::v3) {
            if (message_.empty() || message_.front() != wire_type(m.kind)) return false;
            if (unread_ == unread::text && !utf8::validate(message_)) return false;
            m.data.remove_prefix(1);
        }
        unread_ = unread::nothing;
        return true;
    }

    // The next packet, or nothing until more is received.
    [[nodiscard]] std::optional<result<packet>> next(revision r) {
        if (reader_) {
            auto const f = reader_->next();
            base64_.reset();
            if (!f) return std::nullopt;
            return *f ? decode_frame(**f, r) : result<packet>(f->error());
        }
        base64_.reset();
        if (!has_message()) return std::nullopt;
        auto const kind = unread_ == unread::binary ? frame_kind::binary : frame_kind::text;
        unread_ = unread::nothing;
        return decode_frame({kind, message_}, r);
    }

    // Sends one packet. `buffer` holds it until it has gone.
    [[nodiscard]] SOCKETLESS_NEVER_INLINE transmit send(packet const& p, revision r, std::string& buffer) const {
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
        core_detail::must(size);
        return {.type = transmit_type::send, .id = id_, .data = {text_only ? frame_kind::text : p.kind, buffer}};
    }

    // Takes the first message off the queue and sends it: borrowed from there if it can go as it is.
    SOCKETLESS_ALWAYS_INLINE void send_front(std::optional<transmit>& t, outbox& queue, revision r,
                                             std::string& buffer) const {
        auto const m = queue.take();
        bool const is_binary = m.kind == frame_kind::binary;
        if (reader_ || (is_binary && text_only)) [[unlikely]] {
            t = send({packet_type::message, m.kind, m.data()}, r, buffer);
            return;
        }
        transmit& sent = t.emplace();
        sent.id = id_;
        sent.data.kind = m.kind;
        sent.data.data = m.wire;
        if (is_binary && r == revision::v4) sent.data.data.remove_prefix(1);
        sent.shared = m.shared;
    }

private:
    friend class optional_channel;

    enum class unread : std::uint8_t { nothing, text, valid_text, binary };

    [[nodiscard]] bool has_message() const noexcept { return unread_ != unread::nothing; }

    // Base64 in a frame comes only from peers that cannot send binary: rare enough to pay for a buffer then.
    [[nodiscard]] result<packet> decode_frame(frame f, revision r) {
        auto p = decode(f, r);
        if (p || p.error().code != errc::buffer_too_small) return p;
        base64_ = std::make_unique<std::string>(p.error().offset, '\0');
        p = decode(f, r, *base64_);
        return p;
    }

    channel_id id_ = 0;
    std::unique_ptr<stream_reader> reader_;
    std::unique_ptr<std::string> base64_;
    std::string_view message_; // of a WebSocket
    unread unread_ = unread::nothing;
    bool is_there_ = false; // see optional_channel

public:
    // A write is under way: the session sends nothing more.
    bool paused = false;
    // The peer cannot take binary frames: it gets base64.
    bool text_only = false;
    // The channel is gone, or its session has ended and the I/O layer closes it.
    bool is_over = false;
    // A client's channel whose open transmit was not polled yet.
    bool open_due = false;
    // A server's channels come open; a client's take time to open.
    bool is_open = true;
    // A client's stream that has yet to begin, with an open packet.
    bool hello_due = false;
};

// A std::optional<channel> that takes no more memory than a channel: each session has one.
class optional_channel {
public:
    [[nodiscard]] explicit operator bool() const noexcept { return channel_.is_there_; }
    [[nodiscard]] channel* operator->() noexcept { return &channel_; }
    [[nodiscard]] channel const* operator->() const noexcept { return &channel_; }
    [[nodiscard]] channel& operator*() noexcept { return channel_; }
    [[nodiscard]] channel const& operator*() const noexcept { return channel_; }

    optional_channel& operator=(channel&& c) noexcept {
        channel_ = std::move(c);
        channel_.is_there_ = true;
        return *this;
    }
    void reset() noexcept { channel_ = channel(); }

private:
    channel channel_;
};

} // namespace socketless::inline v0::engineio::detail

#include <socketless/core/detail/epilogue.hpp>
