// Reconnection: how long a client waits before its next attempt.
#pragma once

#include <socketless/core/assert.hpp>
#include <socketless/core/time.hpp>

#include <algorithm>
#include <bit>
#include <cstdint>
#include <limits>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::socketio {

/// How a client waits between attempts to connect. The defaults are those of socket.io-client.
struct backoff_options {
    /// Before the first attempt, without jitter; doubled for each one after it. Zero or less: no delay at all.
    milliseconds delay{1'000};
    /// No delay is longer, with jitter or without.
    milliseconds delay_max{5'000};
    /// Each delay is shorter or longer by a random part of itself, at most this: above 0 and up to 1. Any other value:
    /// no jitter.
    double randomization_factor = 0.5;
};

/// Exponential backoff with jitter: the delays of socket.io-client (its contrib/backo2.js), to the millisecond, given
/// the same random numbers. As there, one number says by how much and in which direction the delay changes, and then it
/// is cut to `delay_max`.
class backoff {
public:
    /// At its first delay. Delays in `options` that are negative count as zero.
    constexpr explicit backoff(backoff_options const& options = {}) noexcept : options_(options) {
        options_.delay = std::max(options.delay, milliseconds(0));
        options_.delay_max = std::max(options.delay_max, milliseconds(0));
    }

    /// How many delays were given since the last reset: the number of the attempt under way, from 1.
    [[nodiscard]] constexpr std::uint64_t attempts() const noexcept { return attempts_; }

    /// The connection is open: the next delay is the first again.
    constexpr void reset() noexcept { attempts_ = 0; }

    /// The delay before the next attempt. `random` is uniform in [0, 1), which is a precondition. Never negative, never
    /// over `delay_max`, after any number of attempts.
    [[nodiscard]] constexpr milliseconds next(double random) noexcept {
        SOCKETLESS_ASSERT(random >= 0 && random < 1);
        return next_of((static_cast<std::uint64_t>(random * 0x1p54) + 1) / 2);
    }
    /// The same for a random number below 2^53, which stands for that number / 2^53. Needs no floating point, which
    /// small machines do not have.
    [[nodiscard]] constexpr milliseconds next_of(std::uint64_t random) noexcept {
        constexpr std::uint64_t too_far = std::uint64_t{1} << 62u; // in milliseconds: then `delay_max` decides
        auto delay = static_cast<std::uint64_t>(options_.delay.count());
        for (std::uint64_t i = std::min(attempts_++, most_doublings); i != 0 && delay < too_far; --i) delay *= 2;
        if (delay >= too_far) return options_.delay_max;
        // The reference rounds its products, and so a number just below a whole one is whole: hence the small addends.
        std::uint64_t const deviation = part_of(part_of(random, factor()) + 1, delay);
        bool const is_shorter = ((random * 10 + 8) >> bits) % 2 == 0;
        delay = is_shorter ? delay - std::min(delay, deviation) : delay + deviation;
        auto const longest = static_cast<std::uint64_t>(options_.delay_max.count());
        return milliseconds(static_cast<milliseconds::rep>(std::min(delay, longest)));
    }

private:
    static constexpr unsigned bits = 53; // of a part, as in a double: 2^53 is all of it
    static constexpr std::uint64_t one = std::uint64_t{1} << bits;

    // Even if the first delay is a millisecond, the last one is too far already.
    static constexpr std::uint64_t most_doublings = 64;

    // part * n / 2^53, rounded down. Precondition: part <= 2^53, n <= 2^62.
    [[nodiscard]] static constexpr std::uint64_t part_of(std::uint64_t part, std::uint64_t n) noexcept {
        constexpr std::uint64_t low = 0xffffffff;
        std::uint64_t const upper = part >> 32u;
        std::uint64_t const lower = part & low;
        std::uint64_t const middle = lower * (n >> 32u) + (lower * (n & low) >> 32u);
        std::uint64_t const rest = upper * (n & low) + (middle & low);
        // The other parts are multiples of 2^32, and of 2^64.
        return ((upper * (n >> 32u) + (middle >> 32u) + (rest >> 32u)) << (64u - bits)) +
               ((rest & low) >> (bits - 32u));
    }

    // The factor as a part. The bits of the double say it: its sign, 11 bits of exponent, 52 of the number behind a
    // leading 1.
    [[nodiscard]] constexpr std::uint64_t factor() const noexcept {
        static_assert(std::numeric_limits<double>::is_iec559);
        constexpr std::uint64_t exponent_of_one = 1023;
        auto const raw = std::bit_cast<std::uint64_t>(options_.randomization_factor);
        if (raw > exponent_of_one << 52u) return 0; // over 1, negative, or not a number
        std::uint64_t const too_small = exponent_of_one - (raw >> 52u);
        return too_small >= bits ? 0 : ((raw << 1u & (one - 1)) | one) >> too_small;
    }

    backoff_options options_;
    std::uint64_t attempts_ = 0;
};

} // namespace socketless::inline v0::socketio

#include <socketless/core/detail/epilogue.hpp>
