// Decimal numerals to the nearest float or double, after "Number Parsing at a Gigabyte per Second" by Daniel Lemire:
// one product of the digits and a power of ten, or two, decide for nearly all numerals.
#pragma once

#include <socketless/json/detail/decimal.hpp>
#include <socketless/json/detail/powers_of_ten.hpp>
#include <socketless/json/detail/scan.hpp>
#include <socketless/json/detail/wide.hpp>

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string_view>
#include <type_traits>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::json::detail {

// The nearest to a number that is not negative, as its bits; or that it takes more to decide.
struct quick_answer {
    std::uint64_t nearest = 0;
    bool decided = true;

    friend constexpr bool operator==(quick_answer const&, quick_answer const&) = default;
};

// Precondition: digits are not 0.
template <std::floating_point Float>
constexpr quick_answer nearest_quickly(std::uint64_t digits, std::int64_t exponent) noexcept {
    using float_limits = std::numeric_limits<Float>;
    constexpr int precision = float_limits::digits;
    constexpr int least = float_limits::min_exponent - 1; // of a number that is not subnormal
    constexpr std::uint64_t infinity = static_cast<std::uint64_t>(float_limits::max_exponent - least + 1)
                                       << (precision - 1);
    if (exponent < least_power) return {}; // less than 10^19 * 10^-343
    if (exponent > float_limits::max_exponent10) return {infinity};

    // With the highest bit at the top. The power is less than one too large, in the last of its bits: what is left out
    // of the first product can add one to its high half, and what the power is too large by can take one away.
    auto const ten_to = static_cast<int>(exponent);
    int const leading_zeros = std::countl_zero(digits | 1u);
    digits <<= leading_zeros;
    wide const power = power_of_ten(ten_to);
    wide product = multiply(digits, power.high);
    auto const top = static_cast<int>(product.high >> 63u);
    int const binary_exponent = 63 + top - leading_zeros + log2_of_power(ten_to);
    int dropped = 63 - precision + top;
    std::uint64_t base = static_cast<std::uint64_t>(binary_exponent - least) << (precision - 1);
    if (binary_exponent < least) [[unlikely]] { // a subnormal number has fewer bits
        dropped += least - binary_exponent;
        base = 0;
        if (dropped > 63) return {0, binary_exponent < least - precision - 1};
    }
    if (binary_exponent >= float_limits::max_exponent) [[unlikely]]
        return {infinity};

    std::uint64_t const half = std::uint64_t{1} << (dropped - 1);
    std::uint64_t rest = product.high & (half * 2 - 1);
    std::uint64_t significand = product.high >> dropped;
    bool up = rest > half;
    if (rest == half || rest == half - 1) [[unlikely]] {
        wide const lower = multiply(digits, power.low);
        product = add(product, lower.high);
        rest = product.high & (half * 2 - 1);
        if (rest == half && product.low == 0 && !is_exact_power(ten_to)) return {0, false};
        bool const tie = rest == half && (product.low | lower.low) == 0;
        up = tie ? significand % 2 != 0 : rest >= half;
    }
    // The highest bit of a significand adds to the exponent; so does a carry out of it.
    significand += up ? 1 : 0;
    return {base + significand};
}

template <std::floating_point Float>
constexpr Float with_sign(bool negative, std::uint64_t magnitude) noexcept {
    using float_bits = float_bits_t<Float>;
    auto const sign = static_cast<float_bits>(float_bits{negative} << (sizeof(Float) * 8 - 1));
    return std::bit_cast<Float>(static_cast<float_bits>(sign | magnitude));
}

// The same as nearest_of, for any number of digits. The first nineteen suffice if the next number with nineteen has
// the same answer.
template <std::floating_point Float>
constexpr Float read_long_numeral(std::string_view number) noexcept {
    constexpr std::uint64_t enough = 1'000'000'000'000'000'000;
    char const* p = number.data();
    char const* const end = p + number.size();
    std::uint64_t digits = 0;
    std::int64_t scale = 0;
    bool fraction = false;
    bool has_more = false;
    for (p += *p == '-' ? 1 : 0; p != end && (is_digit(*p) || *p == '.'); ++p) {
        if (*p == '.') {
            fraction = true;
        } else if (digits < enough) {
            digits = digits * 10 + static_cast<std::uint64_t>(*p - '0');
            if (fraction) --scale;
        } else {
            has_more = has_more || *p != '0';
            if (!fraction) ++scale;
        }
    }
    scale += read_exponent(p, end);
    quick_answer answer;
    if (digits != 0) answer = nearest_quickly<Float>(digits, scale);
    if (!answer.decided || (has_more && answer != nearest_quickly<Float>(digits + 1, scale)))
        return nearest<Float>(number);
    return with_sign<Float>(number.front() == '-', answer.nearest);
}

// The same as append_digits, for as many times eight digits as there are.
constexpr char const* append_eights(char const* p, char const* end, std::uint64_t& digits) noexcept {
    if (std::is_constant_evaluated() || std::endian::native != std::endian::little) return p;
    constexpr std::uint64_t alternate = 0xff'0000'00ff;
    for (std::uint64_t eight = 0; static_cast<std::size_t>(end - p) >= sizeof eight; p += sizeof eight) {
        std::memcpy(&eight, p, sizeof eight);
        eight ^= 0x3030303030303030u; // to the values of the digits; others become 10 or more
        if ((((eight + 0x7676767676767676u) | eight) & 0x8080808080808080u) != 0) break;
        // Pairs, the first digit of each being the lower byte; then all four, in the upper half of the product.
        eight = eight * 10 + (eight >> 8u);
        eight = ((eight & alternate) * (100 + (std::uint64_t{1'000'000} << 32u)) +
                 (eight >> 16u & alternate) * (1 + (std::uint64_t{10'000} << 32u))) >>
                32u;
        digits = digits * 100'000'000 + eight;
    }
    return p;
}

// The nearest to a JSON number, ties to even; infinite where it is beyond the largest.
template <std::floating_point Float>
constexpr Float nearest_of(std::string_view number) noexcept {
    char const* p = number.data();
    char const* const end = p + number.size();
    bool const negative = *p == '-';
    p += negative ? 1 : 0;

    char const* const first = p;
    std::uint64_t digits = 0;
    p = core_detail::append_digits(p, end, digits);
    auto size = p - first;
    std::int64_t exponent = 0;
    if (p != end) {
        if (*p == '.') {
            char const* const decimals = ++p;
            p = core_detail::append_digits(append_eights(p, end, digits), end, digits);
            exponent = decimals - p;
            size -= exponent;
        }
        if (p != end) exponent += read_exponent(p, end);
    }
    if (size > 19) [[unlikely]] // the digits may have run over
        return read_long_numeral<Float>(number);
    if (digits == 0) return with_sign<Float>(negative, 0);
    auto const answer = nearest_quickly<Float>(digits, exponent);
    if (!answer.decided) [[unlikely]]
        return nearest<Float>(number);
    return with_sign<Float>(negative, answer.nearest);
}

} // namespace socketless::inline v0::json::detail

#include <socketless/core/detail/epilogue.hpp>
