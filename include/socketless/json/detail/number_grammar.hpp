// The tokens of JSON that are neither strings nor brackets.
#pragma once

#include <socketless/json/detail/scan.hpp>

#include <cstddef>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::json::detail {

// The length of true, false or null at `p`, else 0.
constexpr std::size_t word_length(char const* p, char const* end) noexcept {
    auto const room = end - p;
    if (room >= 4 && p[0] == 't' && p[1] == 'r' && p[2] == 'u' && p[3] == 'e') return 4;
    if (room >= 4 && p[0] == 'n' && p[1] == 'u' && p[2] == 'l' && p[3] == 'l') return 4;
    if (room >= 5 && p[0] == 'f' && p[1] == 'a' && p[2] == 'l' && p[3] == 's' && p[4] == 'e') return 5;
    return 0;
}

// Where a part of the text ends or, if it is not good, where it goes wrong.
struct progress {
    char const* p;
    bool good;
};

// [ - ] ( 0 / 1-9 *digit ) [ . 1*digit ] [ e [ + / - ] 1*digit ]
constexpr progress skip_number(char const* p, char const* end) noexcept {
    if (p != end && *p == '-') ++p;
    if (p == end || !is_digit(*p)) return {p, false};
    if (*p == '0')
        ++p;
    else
        p = skip_digits(p + 1, end);
    if (p == end) return {p, true};
    if (*p == '.') {
        ++p;
        if (p == end || !is_digit(*p)) return {p, false};
        p = skip_digits(p + 1, end);
        if (p == end) return {p, true};
    }
    if (*p != 'e' && *p != 'E') return {p, true};
    ++p;
    if (p != end && (*p == '+' || *p == '-')) ++p;
    if (p == end || !is_digit(*p)) return {p, false};
    return {skip_digits(p + 1, end), true};
}

} // namespace socketless::inline v0::json::detail

#include <socketless/core/detail/epilogue.hpp>
