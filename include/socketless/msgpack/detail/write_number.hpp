// Numbers and formats as MessagePack, where there is room for them.
#pragma once

#include <socketless/core/detail/inlining.hpp>
#include <socketless/msgpack/detail/format.hpp>

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::msgpack::detail {

// The most bytes that a number takes.
inline constexpr std::size_t longest_number = 9;

// All functions return the end of what they write.

// A format, and `Size` bytes of a number.
template <std::size_t Size>
SOCKETLESS_ALWAYS_INLINE constexpr char* write_format(char* p, unsigned format, std::uint64_t n) noexcept {
    *p = static_cast<char>(format);
    store<Size>(p + 1, n);
    return p + 1 + Size;
}

// An integer in as many bytes as `magnitude` takes: 1, 2, 4 or 8. Needs room for the longest number.
constexpr char* write_wide(char* p, unsigned narrowest, std::uint64_t bits, std::uint64_t magnitude) noexcept {
    auto const last_byte = static_cast<unsigned>(63 - std::countl_zero(magnitude)) / 8;
    auto const doubled = static_cast<unsigned>(std::bit_width(last_byte));
    *p = static_cast<char>(narrowest + doubled);
    store<8>(p + 1, bits << (64u - (8u << doubled)));
    return p + 1 + (std::size_t{1} << doubled);
}

SOCKETLESS_NEVER_INLINE constexpr char* write_natural(char* p, std::uint64_t n) noexcept {
    if (n < 0x80) return write_format<0>(p, static_cast<unsigned>(n), 0);
    return write_wide(p, format::uint8, n, n);
}

SOCKETLESS_NEVER_INLINE constexpr char* write_negative(char* p, std::int64_t n) noexcept {
    auto const bits = static_cast<std::uint64_t>(n);
    if (n >= -0x20) return write_format<0>(p, static_cast<unsigned>(bits & 0xffu), 0);
    return write_wide(p, format::int8, bits, ~bits << 1u | 1u); // with the bit of the sign
}

// An integer in the shortest form, or a bool. Needs room for the longest number.
template <std::integral T>
constexpr char* write_integer(char* p, T n) noexcept {
    if constexpr (std::is_same_v<T, bool>)
        return write_format<0>(p, n ? format::boolean_true : format::boolean_false, 0);
    else if constexpr (std::is_signed_v<T>)
        return n < 0 ? write_negative(p, n) : write_natural(p, static_cast<std::uint64_t>(n));
    else
        return write_natural(p, n);
}

} // namespace socketless::inline v0::msgpack::detail

#include <socketless/core/detail/epilogue.hpp>
