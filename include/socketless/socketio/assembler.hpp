// The assembler: text and binary messages in, whole packets out, each with its attachments.
#pragma once

#include <socketless/core/assert.hpp>
#include <socketless/core/detail/made_in_place.hpp>
#include <socketless/core/detail/must.hpp>
#include <socketless/core/frame.hpp>
#include <socketless/core/limits.hpp>
#include <socketless/core/result.hpp>
#include <socketless/json/text.hpp>
#include <socketless/json/writer.hpp>
#include <socketless/socketio/arguments.hpp>
#include <socketless/socketio/packet.hpp>

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::socketio {

/// A packet with all of its attachments.
struct message {
    /// The packet.
    socketio::packet packet;
    /// Its attachments, in the order of their placeholders.
    std::span<byte_view const> attachments;

    /// The arguments of the packet.
    [[nodiscard]] constexpr socketio::arguments arguments() const noexcept {
        return socketio::arguments(packet, attachments);
    }
};

/// Puts packets together from the messages of a connection, in the order they arrive:
///
///     idle --text--> complete, or --text of a binary type--> waiting --last attachment--> complete
///
/// It copies nothing while the input lives: a caller whose buffer holds the header and its attachments pays for
/// neither. A caller that reuses its buffer calls `retain` first. The limits, and the size of the messages that really
/// came, bound what it keeps.
class assembler {
public:
    /// Idle. `bounds` says what a packet may hold.
    explicit assembler(revision r = revision::v5, limits const& bounds = {}) noexcept : revision_(r), limits_(bounds) {}

    /// Takes the next message; returns the packet that it completes, or nothing while attachments are due.
    /// Whoever says that UTF-8 was checked promises that a text is UTF-8, as what engineio::decode returned is.
    /// The input must live until the packet is complete or `retain` was called; the packet lives as long as the
    /// input, and until the next call here.
    /// Errors: those of `decode`; errc::unexpected_text while attachments are due; errc::unexpected_binary while
    /// no attachment is due; errc::attachments_too_large. After an error the assembler is idle again.
    [[nodiscard]] result<std::optional<message>> push(frame f, text_check utf8 = text_check::due) {
        if (complete_) reset();
        auto const taken = f.kind == frame_kind::text ? take_text(f.data, utf8) : take_attachment(f.data);
        if (!taken) {
            reset();
            return taken.error();
        }
        if (attachments_due() != 0) return std::optional<message>();
        complete_ = true;
        if (is_text_kept_) cut_from_copy();
        return result<std::optional<message>>(core_detail::made_in_place{[&] {
            return std::optional<message>(core_detail::made_in_place{[&] {
                return message{packet_->value(), attachments_};
            }});
        }});
    }

    /// Copies what an incomplete packet still borrows from the input, so that the input may go.
    void retain() {
        if (attachments_due() == 0) return;
        if (!is_text_kept_) kept_.append(text_);
        is_text_kept_ = true;
        for (; kept_attachments_ != attachments_.size(); ++kept_attachments_)
            kept_.append(as_characters(attachments_[kept_attachments_]));
    }

    /// How many attachments the packet under way still waits for; 0 if no packet is under way.
    [[nodiscard]] std::size_t attachments_due() const noexcept {
        return packet_ ? packet_->value().attachments - attachments_.size() : 0;
    }

    /// Whether it holds no packet, neither whole nor under way.
    [[nodiscard]] bool is_idle() const noexcept { return !packet_; }

    /// The packet under way, without its attachments. Precondition: some are due, and `retain` was not called yet.
    [[nodiscard]] packet const& under_way() const noexcept {
        SOCKETLESS_ASSERT(attachments_due() != 0 && !is_text_kept_);
        return packet_->value();
    }

    /// Forgets the packet under way.
    void reset() noexcept {
        packet_.reset();
        attachments_.clear();
        is_text_kept_ = false;
        kept_attachments_ = 0;
        attachments_size_ = 0;
        complete_ = false;
        kept_.clear();
        if (kept_.capacity() > largest_idle_buffer) std::string().swap(kept_);
    }

private:
    // Memory that an idle assembler holds on to, so that the next packet finds it.
    static constexpr std::size_t largest_idle_buffer = 4096;

    result<void> take_text(std::string_view text, text_check utf8) {
        if (attachments_due() != 0) return error{errc::unexpected_text};
        auto const& p =
            packet_.emplace(core_detail::made_in_place{[&] { return decode(text, revision_, limits_, utf8); }});
        if (!p) return p.error();
        text_ = text;
        return {};
    }

    result<void> take_attachment(std::string_view bytes) {
        if (attachments_due() == 0) return error{errc::unexpected_binary};
        if (bytes.size() > limits_.max_attachments_size - attachments_size_) return error{errc::attachments_too_large};
        attachments_size_ += bytes.size();
        attachments_.push_back(as_bytes(bytes));
        return {};
    }

    // Makes the packet anew, of the copy. Of what was borrowed, only the sizes are left.
    void cut_from_copy() noexcept {
        std::string_view rest = kept_;
        auto const take = [&rest](std::size_t size) {
            std::string_view const taken = rest.substr(0, size);
            rest.remove_prefix(size);
            return taken;
        };
        std::string_view const text = take(text_.size());
        for (byte_view& a : std::span(attachments_).first(kept_attachments_)) a = as_bytes(take(a.size()));
        detail::header_parts h;
        core_detail::must(detail::read_header(text, h, revision_, limits_, text_check::done)); // it was read before
        auto const data = json::text::trusted(text.substr(h.size, packet_->value().data.raw().size()));
        packet_ = detail::packet_of(h, data);
    }

    revision revision_;
    limits limits_;
    std::optional<result<packet>> packet_; // never an error between two calls
    std::string_view text_;
    attachment_list attachments_;
    std::size_t attachments_size_ = 0;
    bool complete_ = false;
    // The text and the first attachments, one behind the other, where the input may go.
    std::string kept_;
    bool is_text_kept_ = false;
    std::size_t kept_attachments_ = 0;
};

} // namespace socketless::inline v0::socketio

#include <socketless/core/detail/epilogue.hpp>
