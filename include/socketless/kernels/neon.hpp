// The kernel for UTF-8 in NEON: 64 bytes at a time. For the others the loops over blocks are as good.
#pragma once

#include <socketless/kernels/detect.hpp>
#include <socketless/kernels/utf8_tables.hpp>

#ifdef SOCKETLESS_NEON

#include <arm_neon.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::kernels::neon {

inline constexpr std::size_t width = sizeof(uint8x16_t);

inline uint8x16_t load(char const* p) noexcept {
    return vld1q_u8(reinterpret_cast<std::uint8_t const*>(p));
}

// Which of the 16 bytes at `p` are wrong after the three before them: not 0 in these.
inline uint8x16_t utf8_errors(char const* p) noexcept {
    auto const look_up = [](utf8_pairs::table const& table, uint8x16_t places) {
        return vqtbl1q_u8(vld1q_u8(table.data()), places);
    };
    uint8x16_t const first = load(p - 1);
    uint8x16_t const wrong = vandq_u8(vandq_u8(look_up(utf8_pairs::first_high, vshrq_n_u8(first, 4)),
                                               look_up(utf8_pairs::first_low, vandq_u8(first, vdupq_n_u8(0x0f)))),
                                      look_up(utf8_pairs::second_high, vshrq_n_u8(load(p), 4)));
    // Two continuations are right, and needed, two bytes behind a lead of three or four, and three behind one of four.
    uint8x16_t const continued =
        vorrq_u8(vqsubq_u8(load(p - 2), vdupq_n_u8(0xe0 - 0x80)), vqsubq_u8(load(p - 3), vdupq_n_u8(0xf0 - 0x80)));
    return veorq_u8(wrong, vandq_u8(continued, vdupq_n_u8(utf8_pairs::two_continuations)));
}

inline bool has_utf8_errors(char const* p) noexcept {
    return vmaxvq_u8(vorrq_u8(vorrq_u8(utf8_errors(p), utf8_errors(p + width)),
                              vorrq_u8(utf8_errors(p + 2 * width), utf8_errors(p + 3 * width)))) != 0;
}

inline bool is_ascii(char const* p) noexcept {
    return vmaxvq_u8(vorrq_u8(vorrq_u8(load(p), load(p + width)), vorrq_u8(load(p + 2 * width), load(p + 3 * width)))) <
           0x80;
}

/// The least that `valid_utf8` takes.
inline constexpr std::size_t shortest_utf8 = 4 * width + 3;

/// See kernels::avx2::valid_utf8.
inline std::size_t valid_utf8(char const* p, std::size_t size) noexcept {
    constexpr std::size_t step = 4 * width;
    std::size_t i = 0;
    bool after_ascii = true; // before `i` is no sequence that goes on
    if (!is_ascii(p)) {
        // Nothing is before the first bytes.
        std::array<char, 2 * step> padded{};
        std::memcpy(padded.data() + step, p, step);
        if (has_utf8_errors(padded.data() + step)) return 0;
        after_ascii = false;
    }
    for (i = step; size - i >= step; i += step) {
        bool const ascii = is_ascii(p + i);
        if (!(ascii && after_ascii) && has_utf8_errors(p + i)) return utf8_pairs::whole(p, i);
        after_ascii = ascii;
    }
    // Less than 64 bytes are left.
    if (has_utf8_errors(p + size - step)) return utf8_pairs::whole(p, i);
    return utf8_pairs::whole(p, size);
}

} // namespace socketless::inline v0::kernels::neon

#include <socketless/core/detail/epilogue.hpp>

#endif
