// A Socket.IO packet that is encoded once: all its receivers share the bytes.
#pragma once

#include <socketless/core/detail/digits.hpp>
#include <socketless/core/error.hpp>
#include <socketless/core/frame.hpp>
#include <socketless/core/result.hpp>
#include <socketless/engineio/outbox.hpp>
#include <socketless/json/detail/values.hpp>
#include <socketless/socketio/encode.hpp>
#include <socketless/socketio/message_queue.hpp>
#include <socketless/socketio/recovery_offset.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::detail {

// An event that was encoded elsewhere: the text of its packet, without an id. Borrowed.
struct encoded_event {
    std::string_view text;
    std::size_t arguments_begin;        // in the text: of the array of the name and the arguments
    attachment_list const& attachments; // NOLINT(*-ref-data-members): it lives for one call
    std::string_view offset = {};       // of sessions that are kept elsewhere; nothing that JSON would escape
};

// One after another: each packet replaces the one before.
class shared_packet {
public:
    // `queue` knows the parser, if there is one, and outlives this. The text of a packet and its attachments are those
    // of the default encoding whatever the parser: they are kept, read and added to.
    explicit shared_packet(socketio::message_queue& queue) noexcept : queue_(&queue) {}

    // Encodes an event.
    result<void> encode(socketio::packet_bounds const& bounds, socketio::address const& to, std::string_view name,
                        json::detail::values const& args) {
        text_.clear();
        attachment_list attachments;
        auto const encoded = socketio::detail::encode_event_within(text_, attachments, bounds, to, name, args);
        if (!encoded) return encoded;
        return share(attachments, bounds.max_size);
    }

    // Takes an event that was encoded before, and adds an offset to its arguments.
    // If the parser refuses it then, nothing is left.
    void assign(std::string_view text, std::span<engineio::shared_message const> attachments,
                std::optional<socketio::recovery_offset> const& offset) {
        text_ = text;
        if (offset) add(offset->view());
        messages_.clear();
        if (queue_->has_parser()) {
            attachments_.assign(attachments.begin(), attachments.end());
            attachment_list borrowed;
            borrowed.reserve(attachments.size());
            for (auto const& a : attachments) borrowed.push_back(as_bytes(a.wire().substr(1))); // behind its type
            if (!encode_again(borrowed, no_bound)) messages_.clear();
            return;
        }
        messages_.emplace_back(frame{frame_kind::text, text_});
        messages_.insert(messages_.end(), attachments.begin(), attachments.end());
    }

    // Takes an event that another server has encoded, without an id: adds one before its arguments, which begin at
    // `event.arguments_begin`, or an offset to them: this one, or else the event's own.
    result<void> assign(encoded_event const& event, std::optional<std::uint64_t> id,
                        socketio::recovery_offset const* offset, std::size_t max_size) {
        text_.assign(event.text.substr(0, event.arguments_begin));
        if (id) text_.append(core_detail::decimal_text(*id).view());
        text_.append(event.text.substr(event.arguments_begin));
        if (offset != nullptr)
            add(offset->view());
        else if (!id && !event.offset.empty())
            add(event.offset);
        if (socketio::message_queue::is_too_large(text_.size(), event.attachments, max_size))
            return error{errc::message_too_large};
        return share(event.attachments, max_size);
    }

    [[nodiscard]] std::string const& text() const noexcept { return text_; }
    [[nodiscard]] std::vector<engineio::shared_message> const& messages() const noexcept { return messages_; }
    [[nodiscard]] std::span<engineio::shared_message const> attachments() const noexcept {
        return queue_->has_parser() ? std::span(attachments_) : std::span(messages_).subspan(1);
    }

    // The memory that its text and its attachments take; with a parser at least what goes out.
    [[nodiscard]] std::size_t size() const noexcept {
        std::size_t size = text_.size();
        for (auto const& a : attachments()) size += sizeof a + a.wire().size();
        return std::max(size, messages_.front().wire().size());
    }

    // Gives its memory back.
    void release() noexcept {
        std::vector<engineio::shared_message>().swap(messages_);
        std::vector<engineio::shared_message>().swap(attachments_);
        std::string().swap(text_);
    }

private:
    static constexpr std::size_t no_bound = std::numeric_limits<std::size_t>::max();

    void add(std::string_view offset) {
        text_.pop_back(); // the bracket at the end of its arguments
        text_.append(",\"").append(offset).append("\"]");
    }

    // Makes the messages of the text and the attachments.
    result<void> share(attachment_list const& attachments, std::size_t max_size) {
        messages_.clear();
        attachments_.clear();
        if (queue_->has_parser()) {
            for (byte_view const a : attachments)
                attachments_.emplace_back(frame{frame_kind::binary, as_characters(a)});
            return encode_again(attachments, max_size);
        }
        messages_.emplace_back(frame{frame_kind::text, text_});
        for (byte_view const a : attachments) messages_.emplace_back(frame{frame_kind::binary, as_characters(a)});
        return {};
    }

    result<void> encode_again(attachment_list const& attachments, std::size_t max_size) {
        auto const message = queue_->parsed().encode_again(text_, attachments);
        if (!message) return message.error();
        if (message->data.size() > max_size) return error{errc::message_too_large};
        messages_.emplace_back(*message);
        queue_->parsed().shrink_message();
        return {};
    }

    std::string text_;
    std::vector<engineio::shared_message> messages_;    // as they go out
    std::vector<engineio::shared_message> attachments_; // unless they are among the messages
    socketio::message_queue* queue_;
};

} // namespace socketless::inline v0::detail

#include <socketless/core/detail/epilogue.hpp>
