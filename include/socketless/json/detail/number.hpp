// JSON numbers to C++ numbers and back, as JavaScript reads and prints them.
#pragma once

#include <socketless/core/detail/digits.hpp>
#include <socketless/core/detail/separate.hpp>
#include <socketless/core/result.hpp>
#include <socketless/json/detail/decimal.hpp>
#include <socketless/json/detail/scan.hpp>

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string_view>
#include <type_traits>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::json::detail {

// The value of the digits of a JSON number as an unsigned integer, whatever way it is written: 12, 12.0, 1.2e1.
constexpr result<std::uint64_t> read_magnitude(std::string_view number) noexcept {
    constexpr std::uint64_t max = std::numeric_limits<std::uint64_t>::max();
    char const* p = number.data();
    char const* const end = p + number.size();
    std::uint64_t value = 0;
    // Most are nothing but digits, and not so many that they run over.
    if (!core_detail::prefers_small_code && number.size() < 20 && core_detail::append_digits(p, end, value) == end)
        return value;
    value = 0;
    bool overflow = false;
    auto const append = [&](std::uint64_t digit) {
        overflow = overflow || value > max / 10 || (value == max / 10 && digit > max % 10);
        value = overflow ? value : value * 10 + digit;
    };

    // Zeros are held back until a digit follows: those at the end only move the decimal point.
    std::int64_t held_back = 0;
    std::int64_t after_point = 0;
    bool fraction = false;
    for (; p != end && (is_digit(*p) || *p == '.'); ++p) {
        if (*p == '.') {
            fraction = true;
            continue;
        }
        if (fraction) ++after_point;
        if (*p == '0') {
            ++held_back;
            continue;
        }
        for (; held_back != 0 && !overflow && value != 0; --held_back) append(0);
        held_back = 0;
        append(static_cast<std::uint64_t>(*p - '0'));
    }
    if (value == 0 && !overflow) return std::uint64_t{0};
    std::int64_t exponent = read_exponent(p, end) - after_point + held_back;
    if (exponent < 0) return error{errc::not_an_integer};
    for (; exponent != 0 && !overflow; --exponent) append(0);
    if (overflow) return error{errc::out_of_range};
    return value;
}

template <std::integral T>
constexpr result<T> read_integer(std::string_view number) noexcept {
    bool const negative = number.starts_with('-');
    auto const magnitude = read_magnitude(negative ? number.substr(1) : number);
    if (!magnitude) return magnitude.error();
    constexpr auto max = static_cast<std::uint64_t>(std::numeric_limits<T>::max());
    if (!negative || *magnitude == 0) {
        if (*magnitude > max) return error{errc::out_of_range};
        return static_cast<T>(*magnitude);
    }
    if (std::is_unsigned_v<T> || *magnitude > max + 1) return error{errc::out_of_range};
    return static_cast<T>(-static_cast<std::int64_t>(*magnitude - 1) - 1);
}

// The nearest, ties to even; infinite beyond the largest.
void read_nearest(std::string_view number, float& value) noexcept;
void read_nearest(std::string_view number, double& value) noexcept;

// Neither infinite nor NaN, whatever the compiler may assume of numbers.
[[nodiscard]] constexpr bool is_finite(double value) noexcept {
    constexpr std::uint64_t exponent = 0x7ff0'0000'0000'0000;
    return (std::bit_cast<std::uint64_t>(value) & exponent) != exponent;
}

// Rounds to nearest; a magnitude beyond the largest is out of range, one below the smallest is zero.
template <std::floating_point Float>
constexpr result<Float> read_floating(std::string_view number) noexcept {
    Float value = 0;
    if (std::is_constant_evaluated())
        value = nearest<Float>(number);
    else
        read_nearest(number, value);
    if (!is_finite(value)) return error{errc::out_of_range};
    return value;
}

// What format_double may write over. The longest number has fewer characters.
inline constexpr std::size_t longest_number = 32;

// ECMAScript's Number::toString: the shortest digits that read back as the same double. Precondition: finite.
SOCKETLESS_CONSTEXPR char* format_double(double value, char* out) noexcept;

} // namespace socketless::inline v0::json::detail

#include <socketless/core/detail/epilogue.hpp>

#ifndef SOCKETLESS_SEPARATE_COMPILATION
#include <socketless/impl/number.hpp>
#endif
