// What a pair of bytes within UTF-8 says, for the kernels that look up 16 or more bytes at once.
//
// Source: Keiser and Lemire, "Validating UTF-8 In Less Than One Instruction Per Byte", 2021. There are three tables:
// for the high half of the first byte, for its low half, and for the high half of the second byte. Each bit of their
// values is a way in which two bytes can be wrong. They are wrong in this way if all three tables have the bit.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::kernels::utf8_pairs {

inline constexpr std::uint8_t too_short = 1u << 0u;      // a lead byte, and no continuation
inline constexpr std::uint8_t too_long = 1u << 1u;       // ASCII, and a continuation
inline constexpr std::uint8_t overlong_3 = 1u << 2u;     // e0, and less than a0
inline constexpr std::uint8_t too_large = 1u << 3u;      // f4 and more, and 90 or more
inline constexpr std::uint8_t surrogate = 1u << 4u;      // ed, and a0 or more
inline constexpr std::uint8_t overlong_2 = 1u << 5u;     // c0 or c1
inline constexpr std::uint8_t overlong_4 = 1u << 6u;     // f0, and less than 90
inline constexpr std::uint8_t too_large_1000 = 1u << 6u; // f5 and more, and less than 90: no bit is left for it alone
// Two continuations: wrong, unless the second one is the third or fourth byte of a sequence. It is the highest bit.
inline constexpr std::uint8_t two_continuations = 1u << 7u;

using table = std::array<std::uint8_t, 16>;

inline constexpr table first_high = [] {
    table t{};
    t.fill(too_long);
    t[0x8] = t[0x9] = t[0xa] = t[0xb] = two_continuations;
    t[0xc] = too_short | overlong_2;
    t[0xd] = too_short;
    t[0xe] = too_short | overlong_3 | surrogate;
    t[0xf] = too_short | too_large | too_large_1000 | overlong_4;
    return t;
}();

inline constexpr table first_low = [] {
    // What does not depend on it, and from 5 on what is too large.
    constexpr std::uint8_t any = too_short | too_long | two_continuations;
    table t{};
    t.fill(any | too_large | too_large_1000);
    t[0x0] = any | overlong_2 | overlong_3 | overlong_4;
    t[0x1] = any | overlong_2;
    t[0x2] = t[0x3] = any;
    t[0x4] = any | too_large;
    t[0xd] |= surrogate;
    return t;
}();

inline constexpr table second_high = [] {
    constexpr std::uint8_t any = too_long | overlong_2 | two_continuations;
    table t{};
    t.fill(too_short);
    t[0x8] = any | overlong_3 | too_large_1000 | overlong_4;
    t[0x9] = any | overlong_3 | too_large;
    t[0xa] = t[0xb] = any | surrogate | too_large;
    return t;
}();

/// How much of a text whose first `size` bytes have no wrong pair is whole sequences.
[[nodiscard]] constexpr std::size_t whole(char const* p, std::size_t size) noexcept {
    auto const is_lead = [&](std::size_t back, unsigned lowest) {
        return size >= back && static_cast<unsigned char>(p[size - back]) >= lowest;
    };
    return is_lead(1, 0xc0) ? size - 1 : is_lead(2, 0xe0) ? size - 2 : is_lead(3, 0xf0) ? size - 3 : size;
}

} // namespace socketless::inline v0::kernels::utf8_pairs

#include <socketless/core/detail/epilogue.hpp>
