// The limits on what a peer may make the library do. Each has a default that every known peer stays within.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0 {

/// Limits on decoding. What goes beyond one is refused with the `errc` named beside it.
struct limits {
    /// The highest setting of `max_depth`.
    static constexpr std::uint32_t deepest = 4'096;
    /// How deep the bridges to other libraries read and write their trees, whatever `max_depth` is, because they
    /// recurse (errc::depth_exceeded).
    static constexpr std::uint32_t deepest_tree = 1'024;

    /// Arrays and objects open at once in one JSON text (errc::depth_exceeded); at most `deepest`.
    std::uint32_t max_depth = 1'000;
    /// Attachments of one Socket.IO packet (errc::too_many_attachments). The reference's default.
    std::uint32_t max_attachments = 10;
    /// Bytes in all attachments of one Socket.IO packet together (errc::attachments_too_large).
    std::size_t max_attachments_size = std::size_t{16} * 1024 * 1024;
    /// Packets of one long-polling body (errc::too_many_packets). By default only the size of the body limits them, as
    /// in the bodies that this library writes: it decodes packets one by one, as you ask for them, and keeps nothing.
    std::size_t max_packets = std::numeric_limits<std::size_t>::max();
};

} // namespace socketless::inline v0

#include <socketless/core/detail/epilogue.hpp>
