// Makes packets of the messages that arrive, one at a time, for the sessions of both sides.
#pragma once

#include <socketless/core/detail/fifo.hpp>
#include <socketless/core/detail/inlining.hpp>
#include <socketless/core/frame.hpp>
#include <socketless/core/input.hpp>
#include <socketless/core/limits.hpp>
#include <socketless/core/result.hpp>
#include <socketless/core/time.hpp>
#include <socketless/socketio/assembler.hpp>
#include <socketless/socketio/message_queue.hpp>
#include <socketless/socketio/packet.hpp>

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::socketio::detail {

// Holds messages until the session asks for packets. A packet without attachments needs no assembler: it is made for
// the first packet that has some, and kept for the next ones.
class inbox {
public:
    // Messages, and times that pass, wait while an earlier message is unread; `now` becomes the time of each when its
    // turn comes. If more than max_unread_inputs wait, `next` returns errc::queue_overflow after them.
    void push(frame f, text_check text, time_point at, time_point& now) {
        if (!empty()) return wait({f, at, true, text});
        now = at;
        set(f, text);
        unread_ = true;
    }
    void pass_time(time_point at, time_point& now) {
        if (!empty()) return wait({{}, at, false, text_check::due});
        now = at;
    }

    // Whether everything has been read.
    [[nodiscard]] bool empty() const noexcept { return !unread_ && !later_; }

    // Whether, besides, there is no memory to release.
    [[nodiscard]] bool is_idle() const noexcept { return empty() && (!assembler_ || assembler_->is_idle()); }

    // Goes on to the next input, unless a message is unread. Returns whether it is a time.
    bool go_on(time_point& now) noexcept { return !unread_ && later_ && take_later(now); }

    // Whether a message can be read.
    [[nodiscard]] bool has_next() const noexcept { return unread_ || (later_ && later_->inputs.empty()); }

    // Reads a message. If it is or completes a packet, calls take(packet, attachments). An unfinished packet is copied
    // and waits for its attachments, unless is_welcome(packet) refuses it (errc::not_connected). With a parser there
    // are none.
    // Precondition: has_next().
    template <class IsWelcome, class Take>
    [[nodiscard]] result<void> next(message_queue& queue, revision r, limits const& bounds, IsWelcome is_welcome,
                                    Take take) {
        if (!unread_) {
            later_.reset();
            return error{errc::queue_overflow};
        }
        frame const f = last();
        unread_ = false;
        if (queue.has_parser()) [[unlikely]]
            return parse(queue.parsed(), f, r, bounds, take);
        bool const under_way = assembler_ && assembler_->attachments_due() != 0;
        if (under_way || f.kind == frame_kind::binary || announces_attachments(f.data))
            return assemble(f, r, bounds, is_welcome, take);
        if (assembler_ && ++assembler_->texts_since == most_texts) assembler_.reset();
        auto const p = socketio::decode(f.data, r, bounds, check_);
        if (!p) return p.error();
        take(*p, std::span<byte_view const>());
        return {};
    }

    // The application has handled the last packet: gives back the memory that it kept.
    void release() noexcept {
        if (assembler_ && assembler_->attachments_due() == 0 && !assembler_->is_idle()) assembler_->reset();
    }

    // The message that was read last.
    [[nodiscard]] frame last() const noexcept { return {kind_, message_}; }

    // Reads nothing more. The last packet stays valid.
    void stop() noexcept {
        unread_ = false;
        later_.reset();
    }

    // Forgets everything.
    void clear() noexcept {
        stop();
        assembler_.reset();
    }

private:
    // After so many packets without attachments the assembler goes: others may not come.
    static constexpr std::uint8_t most_texts = 64;

    struct kept_assembler : assembler {
        using assembler::assembler;
        std::uint8_t texts_since = 0; // packets without attachments
    };

    struct later_input {
        frame message;
        time_point at;
        bool is_message;
        text_check text;
    };
    // Inputs that came while a message was unread: rare.
    struct later_inputs {
        core_detail::fifo<later_input> inputs;
        bool has_overflown = false;
    };

    void wait(later_input const& i) {
        if (!later_) later_ = std::make_unique<later_inputs>();
        auto& inputs = later_->inputs;
        bool const replaces = !i.is_message && !inputs.empty() && !inputs.back().is_message;
        if (replaces) {
            inputs.back() = i;
        } else if (later_->has_overflown || inputs.size() == max_unread_inputs) {
            later_->has_overflown = true;
        } else {
            inputs.push(i);
        }
    }

    bool take_later(time_point& now) noexcept {
        if (later_->inputs.empty()) return false; // too many have come
        auto const next = later_->inputs.front();
        later_->inputs.pop();
        now = next.at;
        set(next.message, next.text);
        unread_ = next.is_message;
        if (later_->inputs.empty() && !later_->has_overflown) later_.reset();
        return !unread_;
    }

    template <class IsWelcome, class Take>
    SOCKETLESS_NEVER_INLINE result<void> assemble(frame f, revision r, limits const& bounds, IsWelcome is_welcome,
                                                  Take take) {
        if (!assembler_) assembler_ = std::make_unique<kept_assembler>(r, bounds);
        assembler_->texts_since = 0;
        auto const assembled = assembler_->push(f, check_);
        if (!assembled) return assembled.error();
        if (*assembled) {
            take((*assembled)->packet, (*assembled)->attachments);
            return {};
        }
        if (f.kind == frame_kind::text && !is_welcome(assembler_->under_way())) return error{errc::not_connected};
        assembler_->retain();
        return {};
    }

    template <class Take>
    SOCKETLESS_NEVER_INLINE result<void> parse(parsed_packets& parsed, frame f, revision r, limits const& bounds,
                                               Take take) {
        auto const decoded = parsed.decode(f, check_, r, bounds);
        if (!decoded) return decoded.error();
        take(decoded->packet, decoded->attachments);
        return {};
    }

    static bool announces_attachments(std::string_view text) noexcept {
        return text.starts_with(static_cast<char>('0' + static_cast<char>(packet_type::binary_event))) ||
               text.starts_with(static_cast<char>('0' + static_cast<char>(packet_type::binary_ack)));
    }

    void set(frame f, text_check text) noexcept {
        message_ = f.data;
        kind_ = f.kind;
        check_ = text;
    }

    std::unique_ptr<later_inputs> later_;
    std::unique_ptr<kept_assembler> assembler_;
    std::string_view message_; // and its kind, and whether it is known to be UTF-8
    frame_kind kind_ = frame_kind::text;
    text_check check_ = text_check::due;
    bool unread_ = false;
};

} // namespace socketless::inline v0::socketio::detail

#include <socketless/core/detail/epilogue.hpp>
