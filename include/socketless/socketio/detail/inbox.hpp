// What both sides of a Socket.IO session do with a message that arrives: make packets of it, one at a time.
#pragma once

#include <socketless/core/assert.hpp>
#include <socketless/core/frame.hpp>
#include <socketless/core/limits.hpp>
#include <socketless/core/result.hpp>
#include <socketless/socketio/assembler.hpp>
#include <socketless/socketio/packet.hpp>

#include <memory>
#include <optional>
#include <utility>

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

    // The packet that the message is or completes, if any. An unfinished one does not need the message any more; where
    // `is_welcome(header)` says no it is not waited for (errc::not_connected).
    template <class IsWelcome>
    [[nodiscard]] std::optional<result<message>> next(revision r, limits const& l, IsWelcome is_welcome) {
        if (!std::exchange(unread_, false)) return std::nullopt;
        bool const under_way = assembler_ && assembler_->attachments_due() != 0;
        if (!under_way && frame_.kind == frame_kind::text && !announces_attachments(frame_.data)) {
            assembler_.reset();
            auto const p = decode(frame_.data, r, l);
            if (!p) return p.error();
            return message{*p, {}};
        }
        if (!assembler_) assembler_ = std::make_unique<assembler>(r, l);
        auto const m = assembler_->push(frame_);
        if (!m) return m.error();
        if (*m) return **m;
        if (frame_.kind == frame_kind::text && !is_welcome(*decode_header(frame_.data, r, l)))
            return error{errc::not_connected};
        assembler_->retain();
        return std::nullopt;
    }

    [[nodiscard]] std::optional<result<message>> next(revision r, limits const& l) {
        return next(r, l, [](header const&) { return true; });
    }

    // Forgets all there is.
    void clear() noexcept {
        unread_ = false;
        assembler_.reset();
    }

private:
    static bool announces_attachments(std::string_view text) noexcept {
        return text.starts_with(static_cast<char>('0' + static_cast<char>(packet_type::binary_event))) ||
               text.starts_with(static_cast<char>('0' + static_cast<char>(packet_type::binary_ack)));
    }

    frame frame_;
    bool unread_ = false;
    std::unique_ptr<assembler> assembler_;
};

} // namespace socketless::inline v0::socketio::detail
