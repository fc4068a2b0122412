// The WebSocket frames of broadcasts: each is made once for all receivers.
#pragma once

#include <socketless/core/detail/must.hpp>
#include <socketless/core/frame.hpp>
#include <socketless/engineio/session.hpp>
#include <socketless/websocket/frame.hpp>

#include <array>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::wire::detail {

// The last few: a receiver gets all messages of a turn before the next receiver gets them.
class shared_frames {
public:
    // The frame of a message that others share. Valid until eight other messages have come, or `clear`.
    // Precondition: t.shared.
    [[nodiscard]] std::string_view of(engineio::transmit const& t) {
        for (entry const& e : entries_)
            if (e.owner == *t.shared && e.data == t.data.data.data()) return e.frame;
        entry& e = entries_[next_++ % entries_.size()];
        e.owner = nullptr;
        e.frame.clear();
        core_detail::must(websocket::write_frame(e.frame, websocket::opcode_of(t.data.kind), t.data.data));
        e.data = t.data.data.data();
        e.owner = *t.shared; // so nothing else can lie at that address
        return e.frame;
    }

    // Lets go of the messages.
    void clear() noexcept {
        if (next_ == 0) return;
        for (entry& e : entries_) {
            e.owner = nullptr;
            if (e.frame.capacity() > kept) std::string().swap(e.frame);
        }
        next_ = 0;
    }

private:
    static constexpr std::size_t kept = std::size_t{16} * 1024;

    struct entry {
        std::shared_ptr<std::string const> owner;
        char const* data = nullptr;
        std::string frame;
    };

    std::array<entry, 8> entries_;
    std::size_t next_ = 0;
};

} // namespace socketless::inline v0::wire::detail

#include <socketless/core/detail/epilogue.hpp>
