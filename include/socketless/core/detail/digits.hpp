// Unsigned decimal numbers as the protocols write them: digits, nothing else.
#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <string_view>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::core_detail {

constexpr bool is_digit(char c) noexcept {
    return c >= '0' && c <= '9';
}

// The largest integer that every peer can hold: JavaScript's Number.MAX_SAFE_INTEGER, 2^53-1.
inline constexpr std::uint64_t max_safe_integer = (std::uint64_t{1} << 53u) - 1;

// As many digits as max_safe_integer has. read_digits reads no more, so that a long run costs no more.
inline constexpr std::size_t max_digits = 16;

// The value of the digits that a text starts with, and their number: max_digits + 1 if there are more than max_digits.
struct leading_digits {
    std::uint64_t value = 0;
    std::size_t size = 0;
};

constexpr leading_digits read_digits(std::string_view s) noexcept {
    leading_digits read;
    for (; read.size != s.size() && is_digit(s[read.size]); ++read.size) {
        if (read.size == max_digits) return {0, max_digits + 1};
        read.value = read.value * 10 + static_cast<std::uint64_t>(s[read.size] - '0');
    }
    return read;
}

// Divides it by ten, and returns what is left. Machines of 32 bits have no division of 64: there 16 bits at a time.
constexpr std::uint32_t divide_by_ten(std::uint64_t& n) noexcept {
    std::uint32_t left = 0;
    if constexpr (sizeof(std::size_t) >= sizeof n) {
        left = static_cast<std::uint32_t>(n % 10);
        n /= 10;
    } else {
        for (int part = 0; part != 4; ++part) {
            left = left << 16u | static_cast<std::uint32_t>(n >> 48u);
            n = n << 16u | left / 10; // the quotient comes in from below
            left %= 10;
        }
    }
    return left;
}

// An integer of any type in decimal.
class decimal_text {
public:
    template <std::integral T>
    constexpr explicit decimal_text(T value) noexcept {
        auto const bits = static_cast<std::uint64_t>(value);
        write(value < 0 ? 0 - bits : bits);
        if (value < 0) characters_[--first_] = '-';
    }

    [[nodiscard]] constexpr std::string_view view() const noexcept { return {characters_ + first_, longest - first_}; }

private:
    // Compiled once for all types.
    constexpr void write(std::uint64_t magnitude) noexcept {
        do {
            characters_[--first_] = static_cast<char>('0' + divide_by_ten(magnitude));
        } while (magnitude != 0);
    }

    static constexpr std::size_t longest = 20; // -9223372036854775808, 18446744073709551615

    char characters_[longest] = {};
    std::size_t first_ = longest;
};

} // namespace socketless::inline v0::core_detail

#include <socketless/core/detail/epilogue.hpp>
