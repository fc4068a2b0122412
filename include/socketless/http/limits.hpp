// The limits on what a peer may make an HTTP reader do.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::http {

/// Limits on reading one message. What goes beyond one is refused with the `errc` named beside it.
struct limits {
    /// Bytes of the first line and the fields together (errc::head_too_large).
    std::size_t max_head = std::size_t{16} * 1024;
    /// Bytes of a request's target (errc::target_too_long).
    std::size_t max_target = std::size_t{8} * 1024;
    /// Fields (errc::too_many_fields).
    std::size_t max_fields = 100;
    /// Bytes of chunk extensions and trailers together (errc::payload_too_large).
    std::size_t max_extras = std::size_t{4} * 1024;
    /// Bytes of the body (errc::payload_too_large): refused with the head, if that says how long the body is.
    std::uint64_t max_body = std::numeric_limits<std::uint64_t>::max();
};

} // namespace socketless::inline v0::http

#include <socketless/core/detail/epilogue.hpp>
