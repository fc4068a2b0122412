// Unsigned decimal numbers as the protocols write them: digits, nothing else.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <type_traits>

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

// Appends the digits at `p` to those before, modulo 2^64, and returns where they end.
constexpr char const* append_digits(char const* p, char const* end, std::uint64_t& digits) noexcept {
    std::uint64_t appended = digits;
    for (; p != end; ++p) {
        unsigned const digit = static_cast<unsigned char>(*p) - unsigned{'0'};
        if (digit > 9) break;
        appended = appended * 10 + digit;
    }
    digits = appended;
    return p;
}

// Whether the compiler is told to make small code, as for microcontrollers.
#ifdef __OPTIMIZE_SIZE__
inline constexpr bool prefers_small_code = true;
#else
inline constexpr bool prefers_small_code = false;
#endif

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

// The last digit first: small, and without a division of 64 bits.
constexpr char* write_digit_by_digit(std::uint64_t n, char* out) noexcept {
    char* end = out;
    do {
        *end++ = static_cast<char>('0' + divide_by_ten(n));
    } while (n != 0);
    std::reverse(out, end);
    return end;
}

inline constexpr char digit_pairs[] = "00010203040506070809101112131415161718192021222324252627282930313233343536373839"
                                      "40414243444546474849505152535455565758596061626364656667686970717273747576777879"
                                      "8081828384858687888990919293949596979899";

inline constexpr auto integer_powers_of_ten = [] {
    std::array<std::uint64_t, 20> powers{1};
    for (std::size_t i = 1; i != powers.size(); ++i) powers[i] = powers[i - 1] * 10;
    return powers;
}();

// How many digits an integer has: as many as the power of two below it, or one more. Precondition: not 0.
constexpr std::size_t count_digits(std::uint64_t n) noexcept {
    auto const least = static_cast<std::size_t>(std::bit_width(n)) * 1233 >> 12u;
    return least + (n >= integer_powers_of_ten[least] ? 1 : 0);
}

constexpr char* write_pair(std::uint32_t pair, char* out) noexcept {
    char const* const digits = digit_pairs + std::size_t{pair} * 2;
    out[0] = digits[0];
    out[1] = digits[1];
    return out + 2;
}

// Two digits at a time, in their places: their number is known first.
constexpr char* write_pairs(std::uint64_t n, char* out) noexcept {
    if (n < 10) return *out++ = static_cast<char>('0' + n), out;
    if (n < 100) return write_pair(static_cast<std::uint32_t>(n), out);
    char* const end = out + count_digits(n);
    char* p = end;
    for (; n > 0xffffffff; n /= 100) write_pair(static_cast<std::uint32_t>(n % 100), p -= 2);
    auto rest = static_cast<std::uint32_t>(n); // it takes half of the work to divide this
    for (; rest >= 100; rest /= 100) write_pair(rest % 100, p -= 2);
    if (rest >= 10)
        write_pair(rest, out);
    else
        *out = static_cast<char>('0' + rest);
    return end;
}

// The most characters that write_decimal writes: -9223372036854775808, 18446744073709551615
inline constexpr std::size_t longest_integer = 20;

// Writes an integer of any type at `out`, and returns the end of it.
template <std::integral T>
constexpr char* write_decimal(T n, char* out) noexcept {
    auto magnitude = static_cast<std::uint64_t>(n);
    if constexpr (std::is_signed_v<T>) {
        if (n < 0) {
            *out++ = '-';
            magnitude = 0 - magnitude;
        }
    }
    if constexpr (prefers_small_code || sizeof(std::size_t) < sizeof magnitude)
        return write_digit_by_digit(magnitude, out);
    else
        return write_pairs(magnitude, out);
}

// An integer of any type in decimal.
class decimal_text {
public:
    template <std::integral T>
    constexpr explicit decimal_text(T value) noexcept
        : size_(static_cast<std::size_t>(write_decimal(value, characters_) - characters_)) {}

    [[nodiscard]] constexpr std::string_view view() const noexcept { return {characters_, size_}; }

private:
    char characters_[longest_integer] = {};
    std::size_t size_;
};

} // namespace socketless::inline v0::core_detail

#include <socketless/core/detail/epilogue.hpp>
