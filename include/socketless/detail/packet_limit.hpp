// How large one packet of Socket.IO may be, so that Engine.IO can queue all of its messages.
#pragma once

#include <socketless/core/limits.hpp>

#include <algorithm>
#include <cstddef>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::detail {

// Engine.IO puts a byte before each message: one of text, and one for each attachment.
constexpr std::size_t packet_limit(std::size_t max_queued, limits const& bounds) noexcept {
    return max_queued - std::min<std::size_t>(max_queued / 2, std::size_t{1} + bounds.max_attachments);
}

} // namespace socketless::inline v0::detail

#include <socketless/core/detail/epilogue.hpp>
