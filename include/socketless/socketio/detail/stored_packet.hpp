// A Socket.IO packet that is kept: it was emitted or received too early, or may be sent again.
#pragma once

#include <socketless/core/detail/must.hpp>
#include <socketless/core/frame.hpp>
#include <socketless/core/limits.hpp>
#include <socketless/core/result.hpp>
#include <socketless/json/detail/values.hpp>
#include <socketless/json/text.hpp>
#include <socketless/socketio/assembler.hpp>
#include <socketless/socketio/encode.hpp>
#include <socketless/socketio/message_queue.hpp>
#include <socketless/socketio/packet.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::socketio::detail {

// The messages of one packet.
class stored_packet {
public:
    stored_packet() = default;
    stored_packet(std::string text, std::span<byte_view const> attachments) : text_(std::move(text)) {
        attachments_.reserve(attachments.size());
        for (byte_view const a : attachments) attachments_.emplace_back(as_characters(a));
    }

    // Encodes an event. Errors: those of `encode_event`, errc::message_too_large.
    static result<stored_packet> event(packet_bounds const& bounds, address const& to, std::string_view name,
                                       json::detail::values const& args) {
        std::string text;
        attachment_list attachments;
        auto const encoded = encode_event_within(text, attachments, bounds, to, name, args);
        if (!encoded) return encoded.error();
        return stored_packet(std::move(text), attachments);
    }

    // Encodes a packet that was received. Precondition: it was decoded.
    static stored_packet copy_of(packet const& p, std::span<byte_view const> attachments) {
        std::string text;
        core_detail::must(encode(text, p));
        return {std::move(text), attachments};
    }

    // Whether a parser makes a message of it, which is not too large.
    [[nodiscard]] result<void> check(parsed_packets& parsed, std::size_t max_size) {
        attachment_list attachments;
        auto const message = parsed.encode_again(text_, view(attachments).attachments);
        parsed_size_ = message ? message->data.size() : 0;
        parsed.shrink_message();
        if (!message) return message.error();
        return parsed_size_ > max_size ? result<void>(error{errc::message_too_large}) : result<void>();
    }

    // The memory that it takes; with a parser at least what goes out.
    [[nodiscard]] std::size_t size() const noexcept {
        std::size_t size = text_.size();
        for (std::string const& a : attachments_) size += sizeof(std::string) + a.size();
        return sizeof *this + std::max(size, parsed_size_);
    }

    // The packet, borrowed. `attachments` receives its attachments.
    [[nodiscard]] message view(attachment_list& attachments) const {
        attachments.clear();
        for (std::string const& a : attachments_) attachments.push_back(as_bytes(a));
        header const h = decode_header(text_, revision::v5, unlimited).value_or(header());
        return {packet_of(h, json::text::trusted(h.payload)), attachments};
    }

    // Queues its messages, with another id if one is given.
    result<void> put(message_queue& queue, std::optional<std::uint64_t> id = std::nullopt) const {
        // It was checked when it was made; the id may be longer now.
        return queue.put(unlimited_size, [&](std::string& text, attachment_list& attachments) {
            packet p = view(attachments).packet;
            if (id) p.id = id;
            return encode(text, p);
        });
    }

private:
    // It was within its limits when it was made.
    static constexpr limits unlimited{.max_attachments = 0xffffffff};
    static constexpr std::size_t unlimited_size = std::numeric_limits<std::size_t>::max();

    std::string text_;
    std::vector<std::string> attachments_;
    std::size_t parsed_size_ = 0; // of its message, if a parser has made one
};

} // namespace socketless::inline v0::socketio::detail

#include <socketless/core/detail/epilogue.hpp>
