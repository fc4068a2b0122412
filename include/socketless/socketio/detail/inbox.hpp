// What both sides of a Socket.IO session do with a message that arrives: make packets of it, one at a time.
#pragma once

#include <socketless/core/assert.hpp>
#include <socketless/core/frame.hpp>
#include <socketless/core/limits.hpp>
#include <socketless/core/result.hpp>
#include <socketless/socketio/assembler.hpp>
#include <socketless/socketio/packet.hpp>

#include <memory>
#include <string_view>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::socketio::detail {

// Holds one message until it is asked for. Packets without attachments never meet the assembler: connections that send
// no others have none.
class inbox {
public:
    // Precondition: what the last message held has been taken.
    void push(frame f) noexcept {
        SOCKETLESS_ASSERT(!unread_);
        frame_ = f;
        unread_ = true;
    }

    [[nodiscard]] bool empty() const noexcept { return !unread_; }

    // Reads the message: true if it is or completes a packet, which goes to `m`. What is unfinished does not need the
    // message any more; where `is_welcome(header)` says no it is not waited for (errc::not_connected). Precondition: not
    // empty.
    template <class IsWelcome>
    [[nodiscard]] result<bool> next(message& m, revision r, limits const& l, IsWelcome is_welcome) {
        unread_ = false;
        bool const under_way = assembler_ && assembler_->attachments_due() != 0;
        if (under_way || frame_.kind == frame_kind::binary || announces_attachments(frame_.data))
            return assemble(m, r, l, is_welcome);
        assembler_.reset();
        auto const p = decode(frame_.data, r, l);
        if (!p) return p.error();
        m.packet = *p;
        return true;
    }

    // Nothing more is read. The packet that was taken last can still be.
    void stop() noexcept { unread_ = false; }

    // Forgets all there is.
    void clear() noexcept {
        unread_ = false;
        assembler_.reset();
    }

private:
    template <class IsWelcome>
    [[nodiscard]] result<bool> assemble(message& m, revision r, limits const& l, IsWelcome is_welcome) {
        if (!assembler_) assembler_ = std::make_unique<assembler>(r, l);
        auto const assembled = assembler_->push(frame_);
        if (!assembled) return assembled.error();
        if (*assembled) {
            m = **assembled;
            return true;
        }
        if (frame_.kind == frame_kind::text && !is_welcome(*decode_header(frame_.data, r, l)))
            return error{errc::not_connected};
        assembler_->retain();
        return false;
    }

    static bool announces_attachments(std::string_view text) noexcept {
        return text.starts_with(static_cast<char>('0' + static_cast<char>(packet_type::binary_event))) ||
               text.starts_with(static_cast<char>('0' + static_cast<char>(packet_type::binary_ack)));
    }

    frame frame_;
    bool unread_ = false;
    std::unique_ptr<assembler> assembler_;
};

} // namespace socketless::inline v0::socketio::detail

#include <socketless/core/detail/epilogue.hpp>
