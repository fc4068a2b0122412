// A Socket.IO packet that is encoded once: all its receivers share the bytes.
#pragma once

#include <socketless/core/frame.hpp>
#include <socketless/core/result.hpp>
#include <socketless/engineio/outbox.hpp>
#include <socketless/json/detail/values.hpp>
#include <socketless/socketio/encode.hpp>
#include <socketless/socketio/message_queue.hpp>
#include <socketless/socketio/recovery_offset.hpp>

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::detail {

// One after another: each packet replaces the one before.
class shared_packet {
public:
    // Encodes an event.
    result<void> encode(socketio::packet_bounds const& bounds, socketio::address const& to, std::string_view name,
                        json::detail::values const& args) {
        messages_.clear();
        text_.clear();
        attachment_list attachments;
        auto const encoded = socketio::detail::encode_event_within(text_, attachments, bounds, to, name, args);
        if (!encoded) return encoded;
        messages_.emplace_back(frame{frame_kind::text, text_});
        for (byte_view const a : attachments) messages_.emplace_back(frame{frame_kind::binary, as_characters(a)});
        return {};
    }

    // Takes an event that was encoded before, and adds an offset to its arguments.
    void assign(std::string_view text, std::span<engineio::shared_message const> attachments,
                std::optional<socketio::recovery_offset> const& offset) {
        text_ = text;
        if (offset) {
            text_.pop_back(); // the bracket at the end of its arguments
            text_.append(",\"").append(offset->view()).append("\"]");
        }
        messages_.clear();
        messages_.emplace_back(frame{frame_kind::text, text_});
        messages_.insert(messages_.end(), attachments.begin(), attachments.end());
    }

    [[nodiscard]] std::string const& text() const noexcept { return text_; }
    [[nodiscard]] std::vector<engineio::shared_message> const& messages() const noexcept { return messages_; }
    [[nodiscard]] std::span<engineio::shared_message const> attachments() const noexcept {
        return std::span(messages_).subspan(1);
    }

    // Gives its memory back.
    void release() noexcept {
        std::vector<engineio::shared_message>().swap(messages_);
        std::string().swap(text_);
    }

private:
    std::string text_;
    std::vector<engineio::shared_message> messages_;
};

} // namespace socketless::inline v0::detail

#include <socketless/core/detail/epilogue.hpp>
