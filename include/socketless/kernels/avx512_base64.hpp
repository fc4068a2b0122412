// Base64 in AVX-512 with VBMI: 48 bytes and 64 characters at once, by instructions that look up in all of a register.
//
// Source: Mula and Lemire, "Base64 encoding and decoding at almost the speed of a memory copy", 2019.
#pragma once

#include <socketless/kernels/avx2_base64.hpp>
#include <socketless/kernels/base64_alphabet.hpp>
#include <socketless/kernels/detect.hpp>

#ifdef SOCKETLESS_AVX512

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::kernels::avx512 {

using bytes = char __attribute__((vector_size(64)));
using shorts = short __attribute__((vector_size(64)));
using ints = int __attribute__((vector_size(64)));
using longs = long long __attribute__((vector_size(64)));

inline constexpr std::size_t width = sizeof(bytes);
inline constexpr std::size_t base64_bytes = width / 4 * 3;

using table = std::array<std::uint8_t, width>;

SOCKETLESS_AVX512_INLINE inline bytes load(void const* p) noexcept {
    bytes loaded;
    std::memcpy(&loaded, p, sizeof loaded);
    return loaded;
}
SOCKETLESS_AVX512_INLINE inline void store(bytes b, char* p) noexcept {
    std::memcpy(p, &b, sizeof b);
}

// GCC's builtins take what to leave out, and clang's do not.

/// The byte of `all` that the low six bits of each byte say.
SOCKETLESS_AVX512_INLINE inline bytes look_up(bytes all, bytes places) noexcept {
#ifdef __clang__
    return __builtin_ia32_permvarqi512(all, places);
#else
    return __builtin_ia32_permvarqi512_mask(all, places, bytes{}, ~0ull);
#endif
}
/// The byte of two tables that the low seven bits of each byte say.
SOCKETLESS_AVX512_INLINE inline bytes look_up(bytes lower, bytes upper, bytes places) noexcept {
#ifdef __clang__
    return __builtin_ia32_vpermi2varqi512(lower, places, upper);
#else
    return __builtin_ia32_vpermt2varqi512_mask(places, lower, upper, ~0ull);
#endif
}
/// In each eight bytes, the eight bits that begin where the byte of `shifts` says.
SOCKETLESS_AVX512_INLINE inline bytes shifted(bytes b, bytes shifts) noexcept {
#ifdef __clang__
    return __builtin_ia32_vpmultishiftqb512(shifts, b);
#else
    return __builtin_ia32_vpmultishiftqb512_mask(shifts, b, bytes{}, ~0ull);
#endif
}
/// The sum of each two neighbours, each multiplied with its factor: bytes, or numbers of 16 bits.
SOCKETLESS_AVX512_INLINE inline shorts pair_sums(bytes b, ints factors) noexcept {
#ifdef __clang__
    return __builtin_ia32_pmaddubsw512(b, reinterpret_cast<bytes>(factors));
#else
    return __builtin_ia32_pmaddubsw512_mask(b, reinterpret_cast<bytes>(factors), shorts{}, ~0u);
#endif
}
SOCKETLESS_AVX512_INLINE inline ints pair_sums(shorts s, ints factors) noexcept {
#ifdef __clang__
    return __builtin_ia32_pmaddwd512(s, reinterpret_cast<shorts>(factors));
#else
    return __builtin_ia32_pmaddwd512_mask(s, reinterpret_cast<shorts>(factors), ints{}, 0xffff);
#endif
}

// Bytes 1 0 2 1 of each group of three that begins at byte `first`.
constexpr table spread_from(std::uint8_t first) noexcept {
    constexpr std::array<std::size_t, 4> order = {1, 0, 2, 1};
    table spread{};
    for (std::size_t i = 0; i != width; ++i) spread[i] = static_cast<std::uint8_t>(first + i / 4 * 3 + order[i % 4]);
    return spread;
}

SOCKETLESS_AVX512_INLINE inline bytes base64_characters(char const* p, table const& spread) noexcept {
    // Of the 32 bits of two times 1 0 2 1, where the six bits of each character begin.
    auto const shifts = reinterpret_cast<bytes>(longs{} + 0x3036242a1016040a);
    return look_up(load(base64_alphabet.data()), shifted(look_up(load(p), load(spread.data())), shifts));
}

/// The least that `encode_base64` takes.
inline constexpr std::size_t shortest_data = width + 2;

/// See kernels::encode_base64.
SOCKETLESS_AVX512_KERNEL inline std::size_t encode_base64(char const* data, std::size_t size, char* out) noexcept {
    // From the first of 64 bytes on, or up to the last.
    static constexpr table behind = spread_from(0);
    static constexpr table before = spread_from(width - base64_bytes);
    size -= size % 3;
    std::size_t i = 0;
    for (; size - i >= width; i += base64_bytes, out += width) store(base64_characters(data + i, behind), out);
    if (size - i > base64_bytes) {
        i += base64_bytes;
        store(base64_characters(data + i - width, before), out);
        out += width;
    }
    // The last bytes, and before them some that are encoded a second time.
    out -= (base64_bytes - (size - i)) / 3 * 4;
    store(base64_characters(data + size - width, before), out);
    return size;
}

// The bits of 64 characters, in the first 48 bytes. Sets `good` to false if one is none of the alphabet.
SOCKETLESS_AVX512_INLINE inline bytes decoded_base64(bytes characters, bool& good) noexcept {
    // The value of each character of ASCII; the highest bit says that there is none.
    static constexpr auto values_of = base64_values<2 * width>(0x80);
    static constexpr auto packed = [] {
        table places{};
        for (std::size_t i = 0; i != base64_bytes; ++i) places[i] = static_cast<std::uint8_t>(i / 3 * 4 + 2 - i % 3);
        return places;
    }();
    bytes const values = look_up(load(values_of.data()), load(values_of.data() + width), characters);
    good = __builtin_ia32_cvtb2mask512(values | characters) == 0;
    // Four values of six bits are two of twelve, and then one of 24.
    ints const groups = pair_sums(pair_sums(values, ints{} + 0x01400140), ints{} + 0x00011000);
    return look_up(reinterpret_cast<bytes>(groups), load(packed.data()));
}

/// The least that `decode_base64` takes.
inline constexpr std::size_t shortest_text = width;

/// See kernels::decode_base64.
SOCKETLESS_AVX512_KERNEL inline std::size_t decode_base64(char const* text, std::size_t size, char* out) noexcept {
    std::size_t i = 0;
    bool good = true;
    // What is stored is longer than what was decoded, but not than what was read, nor than what will be written.
    for (; size - i >= width + 24; i += width, out += base64_bytes) {
        bytes const decoded = decoded_base64(load(text + i), good);
        if (!good) return i;
        store(decoded, out);
    }
    if (size - i >= width) {
        bytes const decoded = decoded_base64(load(text + i), good);
        if (!good) return i;
        std::memcpy(out, &decoded, base64_bytes);
        i += width;
        out += base64_bytes;
    }
    return i + avx2::decode_base64(text + i, size - i, out);
}

} // namespace socketless::inline v0::kernels::avx512

#include <socketless/core/detail/epilogue.hpp>

#endif
