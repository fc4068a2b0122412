// Time as the sessions know it: points on a clock that only the caller reads.
#pragma once

#include <algorithm>
#include <optional>

// Arduino makes macros of two functions that <chrono> defines.
#pragma push_macro("abs")
#pragma push_macro("round")
#undef abs
#undef round
#include <chrono>
#pragma pop_macro("abs")
#pragma pop_macro("round")

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0 {

/// A point on the caller's monotonic clock. The library never asks what time it is.
using time_point = std::chrono::steady_clock::time_point;
using std::chrono::milliseconds;

/// When `wait` will have passed. Saturates: where time does not go as far, its end; `wait` may be negative.
[[nodiscard]] constexpr time_point deadline(time_point now, milliseconds wait) noexcept {
    constexpr auto furthest = std::chrono::floor<milliseconds>(time_point::duration::max());
    auto const after = [](time_point t, milliseconds step) { // a step of at most `furthest`, forwards or backwards
        auto const d = time_point::duration(step);
        if (step.count() > 0) return t > time_point::max() - d ? time_point::max() : t + d;
        return t < time_point::min() - d ? time_point::min() : t + d;
    };
    for (; wait > furthest && now != time_point::max(); wait -= furthest) now = after(now, furthest);
    for (; wait < -furthest && now != time_point::min(); wait += furthest) now = after(now, -furthest);
    return after(now, std::clamp(wait, -furthest, furthest));
}

/// The earlier of two deadlines, either of which may be absent.
[[nodiscard]] constexpr std::optional<time_point> earlier(std::optional<time_point> a,
                                                          std::optional<time_point> b) noexcept {
    if (!a || !b) return a ? a : b;
    return *a < *b ? a : b;
}

} // namespace socketless::inline v0

#include <socketless/core/detail/epilogue.hpp>
