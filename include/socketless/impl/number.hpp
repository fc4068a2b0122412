// Floating point to text and back: the part of json/detail/number.hpp that needs <charconv>. With
// SOCKETLESS_SEPARATE_COMPILATION only source.hpp includes it.
#pragma once

#include <socketless/core/detail/digits.hpp>
#include <socketless/core/detail/separate.hpp>
#include <socketless/json/detail/number.hpp> // NOLINT(misc-header-include-cycle): it ends with this file
#include <socketless/json/detail/scan.hpp>

#include <algorithm>
#include <charconv>
#include <iterator>
#include <string_view>
#include <system_error>
#include <version>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::json::detail {

template <class Float>
bool read_with_from_chars([[maybe_unused]] std::string_view number, [[maybe_unused]] Float& value) noexcept {
#if defined(__cpp_lib_to_chars) && __cpp_lib_to_chars >= 201611L
    // It does not say whether the number is too large or too small.
    return std::from_chars(number.data(), number.data() + number.size(), value).ec == std::errc();
#else
    return false;
#endif
}

SOCKETLESS_INLINE bool read_quickly(std::string_view number, float& value) noexcept {
    return read_with_from_chars(number, value);
}
SOCKETLESS_INLINE bool read_quickly(std::string_view number, double& value) noexcept {
    return read_with_from_chars(number, value);
}

SOCKETLESS_INLINE char* format_double(double value, char* out) noexcept {
    if (value == 0) return *out++ = '0', out; // -0 too
    if (value < 0) {
        *out++ = '-';
        value = -value;
    }
    // JavaScript writes these without an exponent, and the digits of fixed notation are the shortest ones. From 2^53 on
    // they are exact, and may be more.
    if (1e-6 <= value && value < 9'007'199'254'740'992)
        return std::to_chars(out, out + longest_number - 1, value, std::chars_format::fixed).ptr;
    char scientific[longest_number];
    auto const written = std::to_chars(scientific, std::end(scientific), value, std::chars_format::scientific);

    // "d.ddde-dd" to digits and the position of the decimal point among them.
    char digits[20] = {};
    char const* p = scientific;
    char* last = digits;
    for (; *p != 'e'; ++p)
        if (*p != '.') *last++ = *p;
    auto const size = static_cast<int>(last - digits);
    int const point = 1 + static_cast<int>(read_exponent(p, written.ptr));

    if (size <= point && point <= 21) return std::fill_n(std::copy(digits, last, out), point - size, '0');
    *out++ = digits[0];
    if (size > 1) {
        *out++ = '.';
        out = std::copy(digits + 1, last, out);
    }
    *out++ = 'e';
    *out++ = point > 0 ? '+' : '-';
    int const magnitude = point > 0 ? point - 1 : 1 - point;
    core_detail::decimal_text const exponent(static_cast<unsigned>(magnitude));
    return std::copy_n(exponent.view().data(), exponent.view().size(), out);
}

} // namespace socketless::inline v0::json::detail

#include <socketless/core/detail/epilogue.hpp>
