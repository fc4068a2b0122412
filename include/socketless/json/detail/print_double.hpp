// A double as ECMAScript's Number::toString prints it.
#pragma once

#include <socketless/core/detail/digits.hpp>
#include <socketless/json/detail/shortest.hpp>

#include <bit>
#include <cstddef>
#include <cstdint>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::json::detail {

using core_detail::put_bytes;
using core_detail::spread_digits;
using core_detail::zero_digits;

// Precondition: not 0.
constexpr int used_bytes(std::uint64_t word) noexcept {
    return (static_cast<int>(std::bit_width(word | 1u)) + 7) / 8;
}

// The eight bytes with a decimal point before the one at `place`: nine characters. Precondition: place < 8.
constexpr void put_with_point(char* out, std::uint64_t bytes, int place) noexcept {
    std::uint64_t const point = std::uint64_t{1} << place * 8;
    std::uint64_t const before = bytes & (point - 1);
    put_bytes(out + 1, bytes);
    put_bytes(out, before | point * '.' | (bytes ^ before) << 8u);
}

// What print_double may write over; the longest number has 25 characters: -0.0000012345678901234567.
inline constexpr std::size_t room_for_double = 32;

constexpr char* print_shortest(shortest_decimal const& number, char* out) noexcept {
    int const point = number.point;
    std::uint64_t const first_half = number.sixteen / 100'000'000;
    std::uint64_t const second_half = number.sixteen - first_half * 100'000'000;
    std::uint64_t const first = spread_digits(first_half);
    std::uint64_t second = zero_digits;
    int size = 17;
    if (second_half != 0) {
        std::uint64_t const digits = spread_digits(second_half);
        if (number.last == 0) size = 8 + used_bytes(digits);
        second |= digits;
    } else if (number.last == 0) {
        size = used_bytes(first);
    }
    // Whole words are written, and then what follows the digits: the room suffices for that.
    auto const put_digits = [=](char* to) {
        put_bytes(to, first | zero_digits);
        put_bytes(to + 8, second);
        to[16] = static_cast<char>('0' + number.last);
    };

    if (point > 0 && point < size) {
        put_digits(out + 1);
        if (point < 8) {
            put_with_point(out, first | zero_digits, point);
        } else if (point < 16) {
            put_bytes(out, first | zero_digits);
            put_with_point(out + 8, second, point - 8);
        } else {
            put_digits(out);
            out[16] = '.';
        }
        return out + size + 1;
    }
    if (point > 0 && point <= 21) {
        put_digits(out);
        put_bytes(out + 17, zero_digits);
        return out + point;
    }
    if (point <= 0 && point > -6) {
        put_bytes(out, zero_digits ^ std::uint64_t{'0' ^ '.'} << 8u);
        put_digits(out + 2 - point);
        return out + 2 - point + size;
    }
    put_digits(out + 1);
    put_with_point(out, first | zero_digits, 1);
    out += size == 1 ? 1 : size + 1;
    *out++ = 'e';
    *out++ = point > 0 ? '+' : '-';
    return core_detail::write_decimal(point > 0 ? point - 1 : 1 - point, out);
}

// A number that has no more than eight decimals, without a table; null for others, and for the large and the small.
constexpr char* print_short_decimal(binary_parts parts, char* out) noexcept {
    // The highest bit is that of 2^-11 to 2^25: then 64 bits hold the fraction, and doubles are closer to each other
    // than 10^-8, so that one decimal at the most is rounded to this one.
    int const exponent = parts.exponent + 52;
    if (exponent < -11 || exponent > 25) return nullptr;
    std::uint64_t const aligned = parts.significand << 11u;
    std::uint64_t const integer = exponent < 0 ? 0 : aligned >> (63 - exponent);
    std::uint64_t const fraction = exponent < 0 ? aligned >> (-1 - exponent) : aligned << (exponent + 1);
    if (fraction == 0) return core_detail::write_decimal(integer, out);

    constexpr std::uint64_t unit = 100'000'000;
    wide const decimals = multiply(fraction, unit);
    bool const up = decimals.low >= one_half;
    std::uint64_t const distance = up ? 0 - decimals.low : decimals.low;
    std::uint64_t const half_way = unit << (exponent + 11); // to the next double
    if (distance >= half_way) return nullptr;
    std::uint64_t const digits = spread_digits(decimals.high + (up ? 1 : 0));
    out = core_detail::write_decimal(integer, out);
    *out++ = '.';
    put_bytes(out, digits | zero_digits);
    return out + used_bytes(digits);
}

// Any other number above 0.
constexpr char* print_long(binary_parts parts, char* out) noexcept {
    // Integers below 2^53 are printed with all their digits.
    if (parts.exponent <= 0 && parts.exponent >= -52) {
        std::uint64_t const integer = parts.significand >> -parts.exponent;
        if (integer << -parts.exponent == parts.significand) return core_detail::write_decimal(integer, out);
    }
    return print_shortest(shortest(parts), out);
}

// Precondition: finite.
constexpr char* print_double(double value, char* out) noexcept {
    auto const double_bits = std::bit_cast<std::uint64_t>(value);
    constexpr std::uint64_t sign = std::uint64_t{1} << 63u;
    if ((double_bits & ~sign) == 0) return *out++ = '0', out; // -0 too
    *out = '-';
    out += double_bits >> 63u;
    binary_parts const parts = parts_of(double_bits & ~sign);
    if constexpr (!core_detail::prefers_small_code)
        if (char* const end = print_short_decimal(parts, out)) [[likely]]
            return end;
    return print_long(parts, out);
}

} // namespace socketless::inline v0::json::detail

#include <socketless/core/detail/epilogue.hpp>
