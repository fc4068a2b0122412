// Reconnection: how long a client waits before its next attempt.
#pragma once

#include <socketless/core/assert.hpp>
#include <socketless/core/time.hpp>

#include <algorithm>
#include <cstdint>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::socketio {

/// How a client waits between attempts to connect. The defaults are those of socket.io-client.
struct backoff_options {
    /// Before the first attempt, without jitter; doubled for each one after it. Zero or less: no delay at all.
    milliseconds delay{1'000};
    /// No delay is longer, with jitter or without.
    milliseconds delay_max{5'000};
    /// By how much of itself a delay may be shorter or longer: above 0 and up to 1. Any other value: no jitter.
    double randomization_factor = 0.5;
};

/// Exponential backoff with jitter: the delays of socket.io-client (its contrib/backo2.js), to the millisecond, given
/// the same random numbers. There the delay is made longer or shorter first and cut to `delay_max` then, and both how
/// much and which way come from one number.
class backoff {
public:
    constexpr explicit backoff(backoff_options const& options = {}) noexcept : options_(options) {
        options_.delay = std::max(options.delay, milliseconds(0));
        options_.delay_max = std::max(options.delay_max, milliseconds(0));
    }

    /// How many delays were given since the last reset: the number of the attempt under way, from 1.
    [[nodiscard]] constexpr std::uint64_t attempts() const noexcept { return attempts_; }

    /// The connection stands: the next delay is the first again.
    constexpr void reset() noexcept { attempts_ = 0; }

    /// The delay before the next attempt. `random` is uniform in [0, 1), which is a precondition. Never negative, never
    /// over `delay_max`, after any number of attempts.
    [[nodiscard]] constexpr milliseconds next(double random) noexcept {
        SOCKETLESS_ASSERT(random >= 0 && random < 1);
        double delay = doubled(static_cast<double>(options_.delay.count()), attempts_++);
        double const deviation = whole(random * factor() * delay);
        bool const is_shorter = static_cast<int>(random * 10) % 2 == 0;
        delay += is_shorter ? -deviation : deviation;
        if (delay >= static_cast<double>(options_.delay_max.count())) return options_.delay_max;
        return milliseconds(static_cast<milliseconds::rep>(delay));
    }

private:
    // Jitter takes nine tenths at most, so that from here on `delay_max`, whatever it is, decides. The reference goes
    // on to infinity, where it subtracts that from itself and does not wait at all.
    static constexpr std::uint64_t most_doublings = 128;

    [[nodiscard]] static constexpr double doubled(double delay, std::uint64_t times) noexcept {
        for (std::uint64_t i = std::min(times, most_doublings); i != 0; --i) delay *= 2;
        return delay;
    }

    // std::floor, at compile time too. Numbers from 2^53 on are whole.
    [[nodiscard]] static constexpr double whole(double x) noexcept {
        constexpr double all_whole = 9'007'199'254'740'992;
        return x < all_whole ? static_cast<double>(static_cast<std::int64_t>(x)) : x;
    }

    [[nodiscard]] constexpr double factor() const noexcept {
        double const f = options_.randomization_factor;
        return f > 0 && f <= 1 ? f : 0;
    }

    backoff_options options_;
    std::uint64_t attempts_ = 0;
};

} // namespace socketless::inline v0::socketio

#include <socketless/core/detail/epilogue.hpp>
