// Base64 in NEON: 48 bytes and 64 characters at once, by instructions that load and store every third or fourth byte.
#pragma once

#include <socketless/kernels/base64_alphabet.hpp>
#include <socketless/kernels/detect.hpp>

#ifdef SOCKETLESS_NEON

#include <arm_neon.h>

#include <array>
#include <cstddef>
#include <cstdint>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::kernels::neon {

// The value of each character of ASCII, or more than a value can be.
inline constexpr auto ascii_values = base64_values<128>(0xff);

// A table of 64 for `vqtbl4q_u8`.
inline uint8x16x4_t load_table(void const* p) noexcept {
    auto const* const bytes = static_cast<std::uint8_t const*>(p);
    uint8x16x4_t table;
    for (int k = 0; k != 4; ++k) table.val[k] = vld1q_u8(bytes + k * 16);
    return table;
}

/// See kernels::encode_base64.
inline std::size_t encode_base64(char const* data, std::size_t size, char* out) noexcept {
    uint8x16x4_t const alphabet = load_table(base64_alphabet.data());
    uint8x16_t const six_bits = vdupq_n_u8(0x3f);
    std::size_t i = 0;
    for (; size - i >= 48; i += 48, out += 64) {
        uint8x16x3_t const bytes = vld3q_u8(reinterpret_cast<std::uint8_t const*>(data + i));
        uint8x16x4_t characters;
        characters.val[0] = vshrq_n_u8(bytes.val[0], 2);
        characters.val[1] = vandq_u8(vsliq_n_u8(vshrq_n_u8(bytes.val[1], 4), bytes.val[0], 4), six_bits);
        characters.val[2] = vandq_u8(vsliq_n_u8(vshrq_n_u8(bytes.val[2], 6), bytes.val[1], 2), six_bits);
        characters.val[3] = vandq_u8(bytes.val[2], six_bits);
        for (uint8x16_t& c : characters.val) c = vqtbl4q_u8(alphabet, c);
        vst4q_u8(reinterpret_cast<std::uint8_t*>(out), characters);
    }
    return i;
}

/// See kernels::decode_base64.
inline std::size_t decode_base64(char const* text, std::size_t size, char* out) noexcept {
    uint8x16x4_t const lower = load_table(ascii_values.data());
    uint8x16x4_t const upper = load_table(ascii_values.data() + 64);
    std::size_t i = 0;
    for (; size - i >= 64; i += 64, out += 48) {
        uint8x16x4_t const characters = vld4q_u8(reinterpret_cast<std::uint8_t const*>(text + i));
        uint8x16x4_t values;
        // What is not ASCII is in neither table: its own bits refuse it.
        uint8x16_t all = vdupq_n_u8(0);
        for (int k = 0; k != 4; ++k) {
            uint8x16_t const c = characters.val[k];
            values.val[k] = vqtbx4q_u8(vqtbl4q_u8(lower, c), upper, vsubq_u8(c, vdupq_n_u8(64)));
            all = vorrq_u8(all, vorrq_u8(values.val[k], vandq_u8(c, vdupq_n_u8(0x80))));
        }
        if (vmaxvq_u8(all) >= 64) break;
        uint8x16x3_t bytes;
        bytes.val[0] = vsliq_n_u8(vshrq_n_u8(values.val[1], 4), values.val[0], 2);
        bytes.val[1] = vsliq_n_u8(vshrq_n_u8(values.val[2], 2), values.val[1], 4);
        bytes.val[2] = vsliq_n_u8(values.val[3], values.val[2], 6);
        vst3q_u8(reinterpret_cast<std::uint8_t*>(out), bytes);
    }
    return i;
}

} // namespace socketless::inline v0::kernels::neon

#include <socketless/core/detail/epilogue.hpp>

#endif
