// Base64 by larger tables, for long texts on machines without vectors that have room for 12 KB of tables.
#pragma once

#include <socketless/kernels/base64_alphabet.hpp>
#include <socketless/kernels/detect.hpp>

#ifdef SOCKETLESS_BASE64_TABLES

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::kernels::scalar {

// Two characters for each 12 bits.
inline constexpr auto base64_pairs = [] {
    std::array<std::array<char, 2>, 4096> pairs{};
    auto next = pairs.begin();
    for (char const first : base64_alphabet)
        for (char const second : base64_alphabet) *next++ = {first, second};
    return pairs;
}();

// Four bytes as they lie in memory: three of data, and one that is not 0 for what is no character of the alphabet.
using base64_group = std::array<std::uint8_t, 4>;
inline constexpr auto not_base64 = std::bit_cast<std::uint32_t>(base64_group{0, 0, 0, 1});

// What a character says of a group, by its place there.
inline constexpr auto base64_groups = [] {
    std::array<std::array<std::uint32_t, 256>, 4> places{};
    for (auto& place : places) place.fill(not_base64);
    for (std::uint32_t i = 0; i != base64_alphabet.size(); ++i) {
        for (std::uint32_t place = 0; place != 4; ++place) {
            std::uint32_t const all = i << (18 - 6 * place);
            auto const byte = [all](unsigned shift) { return static_cast<std::uint8_t>(all >> shift & 0xffu); };
            places[place][static_cast<unsigned char>(base64_alphabet[i])] =
                std::bit_cast<std::uint32_t>(base64_group{byte(16), byte(8), byte(0), 0});
        }
    }
    return places;
}();

// Compilers know this as one instruction.
[[nodiscard]] inline std::uint64_t load_big_endian(char const* p) noexcept {
    std::uint64_t word = 0;
    std::memcpy(&word, p, sizeof word);
    if constexpr (std::endian::native == std::endian::little) {
        word = word << 32u | word >> 32u;
        word = (word & 0x0000ffff0000ffffu) << 16u | (word >> 16u & 0x0000ffff0000ffffu);
        word = (word & 0x00ff00ff00ff00ffu) << 8u | (word >> 8u & 0x00ff00ff00ff00ffu);
    }
    return word;
}

/// See kernels::encode_base64.
[[nodiscard]] inline std::size_t encode_base64(char const* data, std::size_t size, char* out) noexcept {
    std::size_t i = 0;
    for (; size - i >= 8; i += 6, out += 8) { // of which two are left
        std::uint64_t const groups = load_big_endian(data + i);
        std::memcpy(out, base64_pairs[groups >> 52u].data(), 2);
        std::memcpy(out + 2, base64_pairs[groups >> 40u & 0xfffu].data(), 2);
        std::memcpy(out + 4, base64_pairs[groups >> 28u & 0xfffu].data(), 2);
        std::memcpy(out + 6, base64_pairs[groups >> 16u & 0xfffu].data(), 2);
    }
    return i;
}

/// See kernels::decode_base64.
[[nodiscard]] inline std::size_t decode_base64(char const* text, std::size_t size, char* out) noexcept {
    auto const bits = [](std::size_t place, char c) { return base64_groups[place][static_cast<unsigned char>(c)]; };
    std::size_t i = 0;
    // Four bytes are written for each group: the next one writes the last of them again.
    for (; size - i >= 8; i += 4, out += 3) {
        char const* const p = text + i;
        std::uint32_t const group = bits(0, p[0]) | bits(1, p[1]) | bits(2, p[2]) | bits(3, p[3]);
        if ((group & not_base64) != 0) break;
        std::memcpy(out, &group, sizeof group);
    }
    return i;
}

} // namespace socketless::inline v0::kernels::scalar

#include <socketless/core/detail/epilogue.hpp>

#endif
