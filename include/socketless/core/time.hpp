// Time as the sessions know it: points on a clock that only the caller reads.
#pragma once

#include <cstdint>
#include <limits>
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

/// A point on the caller's monotonic clock. The library never asks what time it is: you say it with all that happened.
/// Calls without a `now` use the time of the last call that had one. When a timer of your own fires, call
/// `handle_timeout(now)` first.
using time_point = std::chrono::steady_clock::time_point;
/// All durations of the library are in milliseconds.
using std::chrono::milliseconds;

/// `wait` after `now`, or before it if `wait` is negative; the end of time if time does not go that far.
[[nodiscard]] constexpr time_point deadline(time_point now, milliseconds wait) noexcept {
    // In unsigned numbers: from one end of time to the other is more than a duration holds.
    constexpr auto ticks = static_cast<std::uint64_t>(time_point::duration(milliseconds(1)).count());
    constexpr auto most = std::numeric_limits<std::uint64_t>::max() / ticks;
    auto const begin = static_cast<std::uint64_t>(now.time_since_epoch().count());
    auto const steps = static_cast<std::uint64_t>(wait.count());
    bool const is_back = wait.count() < 0;
    auto const end = is_back ? time_point::min() : time_point::max();
    auto const room = static_cast<std::uint64_t>(end.time_since_epoch().count()) - begin;
    auto const distance = is_back ? 0 - steps : steps;
    if (distance > most || distance * ticks > (is_back ? 0 - room : room)) return end;
    return time_point(time_point::duration(static_cast<time_point::rep>(begin + steps * ticks)));
}

/// The earlier of two deadlines, either of which may be absent.
[[nodiscard]] constexpr std::optional<time_point> earlier(std::optional<time_point> a,
                                                          std::optional<time_point> b) noexcept {
    if (!a || !b) return a ? a : b;
    return *a < *b ? a : b;
}

} // namespace socketless::inline v0

#include <socketless/core/detail/epilogue.hpp>
