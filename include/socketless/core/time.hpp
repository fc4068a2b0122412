// Time as the sessions know it: points on a clock that only the caller reads.
#pragma once

#include <chrono>
#include <optional>

namespace socketless::inline v0 {

/// A point on the caller's monotonic clock. The library never asks what time it is.
using time_point = std::chrono::steady_clock::time_point;
using std::chrono::milliseconds;

/// The earlier of two deadlines, either of which may be absent.
[[nodiscard]] constexpr std::optional<time_point> earlier(std::optional<time_point> a,
                                                          std::optional<time_point> b) noexcept {
    if (!a || !b) return a ? a : b;
    return *a < *b ? a : b;
}

} // namespace socketless::inline v0
