// A channel of a session: a WebSocket or a stream. Packets are read from it and sent on it.
#pragma once

#include <socketless/core/assert.hpp>
#include <socketless/core/detail/must.hpp>
#include <socketless/core/frame.hpp>
#include <socketless/core/result.hpp>
#include <socketless/engineio/outbox.hpp>
#include <socketless/engineio/packet.hpp>
#include <socketless/engineio/session.hpp>
#include <socketless/engineio/stream.hpp>
#include <socketless/engineio/transport.hpp>
#include <socketless/text/utf8.hpp>

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

    // Whether `next` has nothing to read and nothing to give back.
    [[nodiscard]] bool is_at_rest() const noexcept { return !unread_ && !reader_ && !base64_; }

    // Precondition of both: all that was received has been read.
    void message_received(frame message) noexcept {
        SOCKETLESS_ASSERT(!unread_);
        message_ = message;
        unread_ = true;
    }
    void bytes_received(std::string_view chunk) {
        if (reader_) reader_->push(chunk);
    }

    // The next message, if that is what a WebSocket has received: the usual case, at little cost. Otherwise nothing is
    // read.
    [[nodiscard]] std::optional<frame> next_message(revision r) noexcept {
        if (!unread_ || base64_) return std::nullopt;
        bool const is_text = message_.kind == frame_kind::text;
        bool const is_bare = !is_text && r == revision::v4;
        if (!is_bare && !message_.data.starts_with(wire_type(message_.kind))) return std::nullopt;
        if (is_text && !utf8::validate(message_.data)) return std::nullopt;
        unread_ = false;
        return frame{message_.kind, message_.data.substr(is_bare ? 0 : 1)};
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
        core_detail::must(size);
        return {.type = transmit_type::send, .id = id_, .data = {text_only ? frame_kind::text : p.kind, buffer}};
    }

    // Takes the first message off the queue and sends it: borrowed from there if it can go as it is.
    void send_front(std::optional<transmit>& t, outbox& queue, revision r, std::string& buffer) const {
        auto const m = queue.front();
        queue.pop();
        bool const is_binary = m.kind == frame_kind::binary;
        if (reader_ || (is_binary && text_only)) {
            t = send({packet_type::message, m.kind, m.data()}, r, buffer);
            return;
        }
        transmit& sent = t.emplace();
        sent.id = id_;
        sent.data = {m.kind, is_binary && r == revision::v4 ? m.data() : m.wire};
        sent.shared = m.shared;
    }

private:
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
    frame message_;
    bool unread_ = false;

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

} // namespace socketless::inline v0::engineio::detail

#include <socketless/core/detail/epilogue.hpp>
