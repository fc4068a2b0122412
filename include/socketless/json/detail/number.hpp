// JSON numbers to C++ numbers and back, as JavaScript reads and prints them.
#pragma once

#include <socketless/core/detail/digits.hpp>
#include <socketless/core/result.hpp>
#include <socketless/json/detail/decimal.hpp>
#include <socketless/json/detail/scan.hpp>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <concepts>
#include <cstdint>
#include <limits>
#include <string_view>
#include <type_traits>
#include <version>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::json::detail {

// The value of the digits of a JSON number as an unsigned integer, whatever way it is written: 12, 12.0, 1.2e1.
constexpr result<std::uint64_t> read_magnitude(std::string_view number) noexcept {
    constexpr std::uint64_t max = std::numeric_limits<std::uint64_t>::max();
    char const* p = number.data();
    char const* const end = p + number.size();
    std::uint64_t value = 0;
    bool overflow = false;
    auto const append = [&](std::uint64_t digit) {
        overflow = overflow || value > (max - digit) / 10;
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

// Rounds to nearest; a magnitude beyond the largest is out of range, one below the smallest is zero.
template <std::floating_point Float>
constexpr result<Float> read_floating(std::string_view number) noexcept {
    Float value = 0;
#if defined(__cpp_lib_to_chars) && __cpp_lib_to_chars >= 201611L
    if (!std::is_constant_evaluated()) {
        auto const read = std::from_chars(number.data(), number.data() + number.size(), value);
        // from_chars does not say whether the number is too large or too small.
        if (read.ec == std::errc::result_out_of_range) value = nearest<Float>(number);
    } else
#endif
        value = nearest<Float>(number);
    if (value > std::numeric_limits<Float>::max() || value < std::numeric_limits<Float>::lowest())
        return error{errc::out_of_range};
    return value;
}

// The most characters that format_double writes.
inline constexpr std::size_t longest_number = 32;

// ECMAScript's Number::toString: the shortest digits that read back as the same double. Precondition: finite.
inline char* format_double(double value, char* out) noexcept {
    if (value == 0) return *out++ = '0', out; // -0 too
    if (value < 0) *out++ = '-';
    char scientific[longest_number];
    auto const written =
        std::to_chars(scientific, std::end(scientific), std::fabs(value), std::chars_format::scientific);

    // "d.ddde-dd" to digits and the position of the decimal point among them.
    char digits[20] = {};
    char const* p = scientific;
    char* last = digits;
    for (; *p != 'e'; ++p)
        if (*p != '.') *last++ = *p;
    auto const size = static_cast<int>(last - digits);
    int const point = 1 + static_cast<int>(read_exponent(p, written.ptr));

    if (size <= point && point <= 21) return std::fill_n(std::copy(digits, last, out), point - size, '0');
    if (0 < point && point <= 21) {
        out = std::copy_n(digits, point, out);
        *out++ = '.';
        return std::copy(digits + point, last, out);
    }
    if (-6 < point && point <= 0) {
        *out++ = '0';
        *out++ = '.';
        return std::copy(digits, last, std::fill_n(out, -point, '0'));
    }
    *out++ = digits[0];
    if (size > 1) {
        *out++ = '.';
        out = std::copy(digits + 1, last, out);
    }
    *out++ = 'e';
    *out++ = point > 0 ? '+' : '-';
    socketless::detail::decimal_text const exponent(std::abs(point - 1));
    return std::copy_n(exponent.view().data(), exponent.view().size(), out);
}

} // namespace socketless::inline v0::json::detail

#include <socketless/core/detail/epilogue.hpp>
