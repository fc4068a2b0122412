// Escape sequences of JSON strings (RFC 8259, section 7), read one at a time.
#pragma once

#include <cstdint>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::json::detail {

inline constexpr std::uint32_t no_code_point = 0xffffffff;
inline constexpr std::uint32_t replacement_character = 0xfffd;

constexpr std::uint32_t hex_digit(char c) noexcept {
    if (c >= '0' && c <= '9') return static_cast<std::uint32_t>(c - '0');
    if (c >= 'a' && c <= 'f') return static_cast<std::uint32_t>(c - 'a' + 10);
    if (c >= 'A' && c <= 'F') return static_cast<std::uint32_t>(c - 'A' + 10);
    return no_code_point;
}

// The code unit of the four hexadecimal digits at `p`, or no_code_point.
constexpr std::uint32_t read_code_unit(char const* p, char const* end) noexcept {
    if (end - p < 4) return no_code_point;
    std::uint32_t unit = 0;
    for (int i = 0; i != 4; ++i) {
        std::uint32_t const digit = hex_digit(p[i]);
        if (digit == no_code_point) return no_code_point;
        unit = unit << 4u | digit;
    }
    return unit;
}

constexpr bool is_high_surrogate(std::uint32_t unit) noexcept {
    return unit >= 0xd800 && unit < 0xdc00;
}

constexpr bool is_surrogate(std::uint32_t unit) noexcept {
    return unit >= 0xd800 && unit < 0xe000;
}

// What the escape behind the backslash stands for, and where it ends. A surrogate that is not half of a pair
// comes out as itself; what is not an escape as no_code_point.
struct escape {
    std::uint32_t code_point;
    char const* end;
};

constexpr escape read_escape(char const* p, char const* end) noexcept {
    if (p == end) return {no_code_point, p};
    switch (*p) {
    case '"':
    case '\\':
    case '/': return {static_cast<std::uint32_t>(*p), p + 1};
    case 'b': return {'\b', p + 1};
    case 'f': return {'\f', p + 1};
    case 'n': return {'\n', p + 1};
    case 'r': return {'\r', p + 1};
    case 't': return {'\t', p + 1};
    case 'u': break;
    default: return {no_code_point, p};
    }
    std::uint32_t const unit = read_code_unit(p + 1, end);
    if (unit == no_code_point) return {no_code_point, p};
    p += 5;
    if (is_high_surrogate(unit) && end - p >= 6 && p[0] == '\\' && p[1] == 'u') {
        std::uint32_t const low = read_code_unit(p + 2, end);
        if (low != no_code_point && is_surrogate(low) && !is_high_surrogate(low))
            return {0x10000 + ((unit - 0xd800) << 10u) + (low - 0xdc00), p + 6};
    }
    return {unit, p};
}

} // namespace socketless::inline v0::json::detail

#include <socketless/core/detail/epilogue.hpp>
