// Unsigned decimal numbers as the protocols write them: digits, nothing else.
#pragma once

#include <socketless/core/detail/inlining.hpp>

#include <algorithm>
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
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

// Eight digits as the bytes of a word, the first one lowest. Precondition: n < 10^8.
constexpr std::uint64_t spread_digits(std::uint64_t n) noexcept {
    // All parts of the word are divided at once: the quotient stays where it is, and what is left goes above it.
    auto const divide = [](std::uint64_t parts, std::uint64_t quotients, std::uint64_t divisor, unsigned width) {
        return (parts << width) + quotients * (1 - (divisor << width));
    };
    n = divide(n, n * 109'951'163 >> 40u, 10'000, 32);
    n = divide(n, n * 5'243 >> 19u & 0x7f'0000'007fu, 100, 16);
    return divide(n, n * 103 >> 10u & 0x0f'000f'000f'000fu, 10, 8);
}

inline constexpr std::uint64_t zero_digits = 0x3030303030303030u; // "00000000"

// The lowest byte first, on every machine.
constexpr void put_bytes(char* out, std::uint64_t bytes) noexcept {
    if (!std::is_constant_evaluated() && std::endian::native == std::endian::little) {
        std::memcpy(out, &bytes, sizeof bytes);
        return;
    }
    for (std::size_t i = 0; i != sizeof bytes; ++i, bytes >>= 8u) out[i] = static_cast<char>(bytes & 0xffu);
}

// Less than 100.
constexpr char* write_one_or_two(std::uint64_t n, char* out) noexcept {
    std::uint64_t const tens = n * 103 >> 10u;
    *out = static_cast<char>('0' + tens);
    out += n >= 10 ? 1 : 0;
    *out = static_cast<char>('0' + n - tens * 10);
    return out + 1;
}

// Less than 10^8, without zeros before it.
constexpr char* write_few_digits(std::uint64_t n, char* out) noexcept {
    if (n < 100) return write_one_or_two(n, out);
    std::uint64_t const digits = spread_digits(n);
    constexpr std::uint64_t beyond = std::uint64_t{1} << 63u; // no digit has this bit: compilers see that there is one
    int const zeros = std::countr_zero(digits | beyond) / 8;
    put_bytes(out, (digits | zero_digits) >> zeros * 8);
    return out + 8 - zeros;
}

// Eight digits at a time. What stands behind the number may be written over, up to longest_integer bytes from `out`.
SOCKETLESS_NEVER_INLINE constexpr char* write_eight_at_a_time(std::uint64_t n, char* out) noexcept {
    constexpr std::uint64_t unit = 100'000'000;
    auto const put_eight = [&out](std::uint64_t digits) {
        put_bytes(out, spread_digits(digits) | zero_digits);
        out += 8;
    };
    if (n < unit) return write_few_digits(n, out);
    std::uint64_t const high = n / unit;
    if (high < unit) {
        out = write_few_digits(high, out);
    } else {
        out = write_few_digits(high / unit, out);
        put_eight(high % unit);
    }
    put_eight(n % unit);
    return out;
}

// The most characters that write_decimal writes: -9223372036854775808, 18446744073709551615
inline constexpr std::size_t longest_integer = 20;

// Writes an integer of any type at `out`, where there is room for the longest, and returns the end of it.
template <std::integral T>
constexpr char* write_decimal(T n, char* out) noexcept {
    // The sign is looked at below.
    auto magnitude = static_cast<std::uint64_t>(n); // NOLINT(bugprone-signed-char-misuse,cert-str34-c)
    if constexpr (std::is_signed_v<T>) {
        if (n < 0) {
            *out++ = '-';
            magnitude = 0 - magnitude;
        }
    }
    if constexpr (prefers_small_code || sizeof(std::size_t) < sizeof magnitude)
        return write_digit_by_digit(magnitude, out);
    else
        return magnitude < 100 ? write_one_or_two(magnitude, out) : write_eight_at_a_time(magnitude, out);
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
