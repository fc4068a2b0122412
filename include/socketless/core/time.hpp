// Time as the sessions know it: points on a clock that only the caller reads.
#pragma once

#include <algorithm>
#include <chrono>
#include <optional>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0 {

/// A point on the caller's monotonic clock. The library never asks what time it is.
using time_point = std::chrono::steady_clock::time_point;
using std::chrono::milliseconds;

/// When `wait` will have passed; as far away as time goes, where it is longer.
[[nodiscard]] constexpr time_point deadline(time_point now, milliseconds wait) noexcept {
    auto const longest = std::chrono::floor<milliseconds>(time_point::max() - std::max(now, time_point()));
    return now + std::min(wait, longest);
}

/// The earlier of two deadlines, either of which may be absent.
[[nodiscard]] constexpr std::optional<time_point> earlier(std::optional<time_point> a,
                                                          std::optional<time_point> b) noexcept {
    if (!a || !b) return a ? a : b;
    return *a < *b ? a : b;
}

} // namespace socketless::inline v0

#include <socketless/core/detail/epilogue.hpp>
