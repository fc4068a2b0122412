// Sixty-four bytes of JSON in two registers of x86-64 with AVX2.
#pragma once

#include <socketless/kernels/avx2_bytes.hpp>
#include <socketless/kernels/haswell.hpp>
#include <socketless/kernels/json_outline.hpp>

#ifdef SOCKETLESS_AVX2

#include <array>
#include <cstddef>
#include <cstdint>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::kernels::avx2 {

SOCKETLESS_AVX2_INLINE inline std::uint64_t high_bits(bytes first, bytes second) noexcept {
    return std::uint64_t{high_bits(second)} << width | high_bits(first);
}

// One bit for each byte of two registers whose bytes stand `distance` apart; those that are in both count once.
SOCKETLESS_AVX2_INLINE inline std::uint64_t high_bits(bytes first, bytes second, std::size_t distance) noexcept {
    return std::uint64_t{high_bits(second)} << distance | high_bits(first);
}

// What bytes of JSON are compared with. It is read from memory, where it costs nothing: compilers that see what it is
// make it anew in each round of a loop.
struct json_constants {
    std::array<std::uint8_t, width> quote;
    std::array<std::uint8_t, width> opening;
    std::array<std::uint8_t, width> closing;
    std::array<std::uint8_t, width> comma;
    std::array<std::uint8_t, width> colon;
    std::array<std::uint8_t, width> backslash;
    std::array<std::uint8_t, width> space;
    std::array<std::uint8_t, width> control;
    std::array<std::uint8_t, width> zero;
    std::array<std::uint8_t, width> nine;
    std::array<std::uint8_t, width> minus;
    std::array<std::uint8_t, width> point;
};

constexpr std::array<std::uint8_t, width> filled(std::uint8_t byte) noexcept {
    std::array<std::uint8_t, width> all{};
    for (std::uint8_t& each : all) each = byte;
    return all;
}

alignas(width) inline constexpr json_constants json_characters{filled('"'), filled('{'),  filled('}'),  filled(','),
                                                               filled(':'), filled('\\'), filled(0x20), filled(0x1f),
                                                               filled('0'), filled(9),    filled('-'),  filled('.')};

inline json_constants const& json_constants_of() noexcept {
    json_constants const* constants = &json_characters;
    asm("" : "+r"(constants)); // hides what it points to
    return *constants;
}

// Which bytes of two registers are like those of a constant.
SOCKETLESS_AVX2_INLINE inline std::uint64_t where(bytes a, bytes b, std::size_t distance,
                                                  std::array<std::uint8_t, width> const& constant) noexcept {
    bytes const all = load(constant);
    return high_bits(reinterpret_cast<bytes>(a == all), reinterpret_cast<bytes>(b == all), distance);
}

SOCKETLESS_AVX2_INLINE inline bytes up_to(bytes a, std::array<std::uint8_t, width> const& highest) noexcept {
    return reinterpret_cast<bytes>(a <= load(highest));
}

SOCKETLESS_AVX2_INLINE inline json_masks json_masks_of(char const* p, std::size_t distance) noexcept {
    json_constants const& like = json_constants_of();
    bytes const a = load(p);
    bytes const b = load(p + distance);
    bytes const lower_a = a | load(like.space); // makes '[' a '{', and ']' a '}'
    bytes const lower_b = b | load(like.space);
    json_masks found{where(a, b, distance, like.quote),
                     where(lower_a, lower_b, distance, like.opening),
                     where(lower_a, lower_b, distance, like.closing),
                     where(a, b, distance, like.comma),
                     where(a, b, distance, like.colon),
                     high_bits(up_to(a, like.space), up_to(b, like.space), distance),
                     0,
                     0,
                     high_bits(a | b)};
    bytes const backslash = load(like.backslash);
    bytes const rare =
        reinterpret_cast<bytes>((a == backslash) | (b == backslash)) | up_to(a, like.control) | up_to(b, like.control);
    if (meet(rare, rare)) [[unlikely]] {
        found.backslashes = where(a, b, distance, like.backslash);
        found.controls = high_bits(up_to(a, like.control), up_to(b, like.control), distance);
    }
    return found;
}

SOCKETLESS_AVX2_INLINE inline json_digits json_digits_of(char const* p, std::size_t distance) noexcept {
    json_constants const& like = json_constants_of();
    bytes const a = load(p);
    bytes const b = load(p + distance);
    bytes const zero = load(like.zero);
    return {high_bits(up_to(a - zero, like.nine), up_to(b - zero, like.nine), distance),
            where(a, b, distance, like.zero)};
}

SOCKETLESS_AVX2_INLINE inline json_signs json_signs_of(char const* p, std::size_t distance) noexcept {
    json_constants const& like = json_constants_of();
    bytes const a = load(p);
    bytes const b = load(p + distance);
    return {where(a, b, distance, like.minus), where(a, b, distance, like.point)};
}

// Sixty-four bytes of a text, or what is left of it at its end: they are loaded together with what stands before.
// Precondition: at least 32 bytes in all.
class json_place {
public:
    json_place(char const* begin, char const* p, char const* end) noexcept : p_(p) {
        auto const size = static_cast<std::size_t>(end - begin);
        auto const left = static_cast<std::size_t>(end - p);
        if (left >= 2 * width) return;
        whole_ = false;
        if (size < 2 * width) {
            distance_ = size - width;
        } else {
            p_ = end - 2 * width;
            before_ = 2 * width - left;
        }
    }

    [[nodiscard]] SOCKETLESS_AVX2_INLINE json_masks masks() const noexcept {
        return whole_ ? json_masks_of(p_, width) : json_masks_of(p_, distance_).from(before_);
    }
    [[nodiscard]] SOCKETLESS_AVX2_INLINE json_digits digits() const noexcept {
        return whole_ ? json_digits_of(p_, width) : json_digits_of(p_, distance_).from(before_);
    }
    [[nodiscard]] SOCKETLESS_AVX2_INLINE json_signs signs() const noexcept {
        return json_signs_of(p_, distance_).from(before_);
    }

private:
    char const* p_;
    std::size_t distance_ = width;
    std::size_t before_ = 0;
    bool whole_ = true;
};

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
