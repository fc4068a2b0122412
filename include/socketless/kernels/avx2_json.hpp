// Sixty-four bytes of JSON in two registers of x86-64 with AVX2.
#pragma once

#include <socketless/kernels/avx2_bytes.hpp>
#include <socketless/kernels/haswell.hpp>
#include <socketless/kernels/json_outline.hpp>

#ifdef SOCKETLESS_AVX2

#include <cstddef>
#include <cstdint>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::kernels::avx2 {

SOCKETLESS_AVX2_INLINE inline std::uint64_t high_bits(bytes first, bytes second) noexcept {
    return std::uint64_t{high_bits(second)} << width | high_bits(first);
}

SOCKETLESS_AVX2_INLINE inline bytes json_ends(bytes b) noexcept {
    return reinterpret_cast<bytes>(((b | 0x20) == '}') | (b == ',')); // ']' and '}' differ in one bit
}

SOCKETLESS_AVX2_INLINE inline json_masks json_masks_of(char const* p) noexcept {
    bytes const a = load(p);
    bytes const b = load(p + width);
    return {high_bits(reinterpret_cast<bytes>(a == '"'), reinterpret_cast<bytes>(b == '"')),
            high_bits(json_ends(a), json_ends(b)),
            high_bits(reinterpret_cast<bytes>(a == '\\'), reinterpret_cast<bytes>(b == '\\')),
            high_bits(reinterpret_cast<bytes>(a < 0x20), reinterpret_cast<bytes>(b < 0x20))};
}

SOCKETLESS_AVX2_INLINE inline json_nesting json_nesting_of(char const* p) noexcept {
    bytes const a = load(p);
    bytes const b = load(p + width);
    bytes const lower_a = a | 0x20; // makes '[' a '{', and ']' a '}'
    bytes const lower_b = b | 0x20;
    return {high_bits(reinterpret_cast<bytes>(a == '"'), reinterpret_cast<bytes>(b == '"')),
            high_bits(reinterpret_cast<bytes>(lower_a == '{'), reinterpret_cast<bytes>(lower_b == '{')),
            high_bits(reinterpret_cast<bytes>(lower_a == '}'), reinterpret_cast<bytes>(lower_b == '}')),
            high_bits(reinterpret_cast<bytes>(a == '\\'), reinterpret_cast<bytes>(b == '\\'))};
}

// The product with all ones, without carry.
SOCKETLESS_HASWELL_INLINE inline std::uint64_t parity_of(std::uint64_t bits) noexcept {
    using two_longs = long long __attribute__((vector_size(16)));
    two_longs const product =
        __builtin_ia32_pclmulqdq128(two_longs{static_cast<long long>(bits), 0}, two_longs{-1, 0}, 0);
    return static_cast<std::uint64_t>(product[0]);
}

SOCKETLESS_HASWELL_INLINE inline json_words take(json_strings& strings, json_masks found) noexcept {
    std::uint64_t const escapes = strings.unescape(found);
    return strings.take(found, escapes, parity_of(found.quotes));
}

/// See kernels::outline_json. Precondition: at least 64 bytes.
[[nodiscard]] SOCKETLESS_HASWELL_KERNEL inline std::size_t outline_json(json_strings& strings, char const* p,
                                                                        char const* end, json_words* found_words,
                                                                        std::size_t room) noexcept {
    constexpr std::size_t block = 2 * width;
    json_strings local = strings;
    std::size_t filled = 0;
    for (; filled != room && static_cast<std::size_t>(end - p) >= block; p += block)
        found_words[filled++] = take(local, json_masks_of(p));
    if (auto const left = static_cast<std::size_t>(end - p); filled != room && left != 0)
        found_words[filled++] = take(local, json_masks_of(end - block).from(block - left));
    strings = local;
    return filled;
}

/// See kernels::skip_json_container. Precondition: at least 64 bytes.
[[nodiscard]] SOCKETLESS_HASWELL_KERNEL inline char const* skip_json_container(char const* p,
                                                                               char const* end) noexcept {
    constexpr std::size_t block = 2 * width;
    json_strings strings;
    json_depth depth;
    while (p != end) {
        auto const left = static_cast<std::size_t>(end - p);
        json_nesting found = left >= block ? json_nesting_of(p) : json_nesting_of(end - block).from(block - left);
        static_cast<void>(strings.unescape(found));
        std::uint64_t const inside = strings.strings(parity_of(found.quotes));
        std::size_t const place = depth.take(found.opening & ~inside, found.closing & ~inside);
        if (place != block) return p + place + 1;
        p += left < block ? left : block;
    }
    return end;
}

} // namespace socketless::inline v0::kernels::avx2

#include <socketless/core/detail/epilogue.hpp>

#endif
