// The shortest decimal numeral that is read as a given double: "The Schubfach way to render doubles" by Raffaello
// Giulietti, with one product for the double and for the ends of the interval that is rounded to it.
#pragma once

#include <socketless/core/detail/digits.hpp>
#include <socketless/json/detail/powers_of_ten.hpp>
#include <socketless/json/detail/wide.hpp>

#include <cstdint>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::json::detail {

// significand * 2^exponent
struct binary_parts {
    std::uint64_t significand = 0;
    int exponent = 0;
};

inline constexpr std::uint64_t hidden_bit = std::uint64_t{1} << 52u;
inline constexpr int least_exponent = -1074;

// Precondition: the bits of a double that is finite and not negative.
constexpr binary_parts parts_of(std::uint64_t double_bits) noexcept {
    std::uint64_t const fraction = double_bits & (hidden_bit - 1);
    auto const biased = static_cast<int>(double_bits >> 52u);
    if (biased == 0) [[unlikely]]
        return {fraction, least_exponent};
    return {fraction | hidden_bit, biased - 1 + least_exponent};
}

// The number 0.dddddddddddddddd * 10^point, of sixteen digits and the last one, the first of them not 0. Most numbers
// have no last digit: then it is 0, and the sixteen may end with zeros.
struct shortest_decimal {
    std::uint64_t sixteen = 0;
    std::uint32_t last = 0;
    int point = 0;
};

// A double divided by 10^k: tens * 10 + digit + fraction / 2^128, where 2^exponent / 10^k is 1 or more, and less than
// 16. `half` is half of that, in 2^-124: how far the numbers reach that are rounded to the double.
struct scaled_double {
    std::uint64_t tens = 0;
    std::uint64_t digit = 0;
    wide fraction;
    wide half;
};

constexpr scaled_double scale(binary_parts parts, int k) noexcept {
    wide const power = power_of_ten(-k);
    int const shift = parts.exponent + log2_of_power(-k); // 0 to 3
    std::uint64_t const factor = parts.significand << (shift + 1);
    wide const low = multiply(factor, power.low);
    wide const high = add(multiply(factor, power.high), low.high);
    std::uint64_t const tens = high.high / 10;
    return {tens,
            high.high - tens * 10,
            {high.low, low.low},
            {power.high >> (4 - shift), power.high << (60 + shift) | power.low >> (4 - shift)}};
}

inline constexpr std::uint64_t one_half = std::uint64_t{1} << 63u;
inline constexpr std::uint64_t one = std::uint64_t{1} << 60u; // where four bits are the integer

// Four bits of integer, and 124 of fraction.
constexpr wide fixed_point(std::uint64_t integer, wide fraction) noexcept {
    return {integer * one | fraction.high >> 4u, fraction.high << 60u | fraction.low >> 4u};
}

// Whether a distance is shorter than a limit, or as long and the limit belongs to it. Both are less than 2^-70 too long
// or too short, while two that are not equal differ by more than 2^-66. (The least difference that there is, for each
// exponent of a double, follows from a continued fraction.)
constexpr bool is_within(wide distance, wide limit, bool limit_included) noexcept {
    constexpr std::uint64_t tolerance = std::uint64_t{1} << 56u;
    bool const less = distance.high != limit.high ? distance.high < limit.high : distance.low < limit.low;
    wide const& large = less ? limit : distance;
    wide const& small = less ? distance : limit;
    std::uint64_t const high = large.high - small.high - (large.low < small.low ? 1 : 0);
    bool const equal = high == 0 && large.low - small.low < tolerance;
    return equal ? limit_included : less;
}

// One of the decimals that are next to a double: a multiple of 10^(k+1) or, with its last digit, of 10^k.
constexpr shortest_decimal with_digits(std::uint64_t tens, std::uint64_t digit, int k) noexcept {
    shortest_decimal result{tens, static_cast<std::uint32_t>(digit), k + 17};
    for (; result.sixteen < 1'000'000'000'000'000; --result.point) {
        result.sixteen = result.sixteen * 10 + result.last;
        result.last = 0;
    }
    return result;
}

// With k such that 10^k is not more than the numbers that are rounded to the double are far from each other, and
// 10^(k+1) is more: there is a multiple of 10^k among them, and no more than one of 10^(k+1). That one is the shortest
// then, whatever number of zeros it ends with; else the nearest multiple of 10^k is, the even one of two.
constexpr shortest_decimal shortest_exactly(binary_parts parts) noexcept {
    // Below a power of two the doubles are closer to each other.
    bool const is_power = parts.significand == hidden_bit && parts.exponent != least_exponent;
    int const k = (parts.exponent * 1'262'611 - (is_power ? 524'031 : 0)) >> 22;
    auto const [tens, digit, fraction, half] = scale(parts, k);
    bool const even = parts.significand % 2 == 0;
    wide const half_below = is_power ? wide{half.high >> 1u, half.high << 63u | half.low >> 1u} : half;
    wide const below = fixed_point(digit, fraction);
    if (is_within(below, half_below, even)) return with_digits(tens, 0, k);
    wide const above{10 * one - below.high - (below.low != 0 ? 1 : 0), 0 - below.low};
    if (is_within(above, half, even)) return with_digits(tens + 1, 0, k);
    bool const up = fraction.high > one_half || (fraction.high == one_half && (fraction.low != 0 || digit % 2 != 0)) ||
                    !is_within(fixed_point(0, fraction), half_below, true);
    return with_digits(tens, digit + (up ? 1 : 0), k);
}

// Precondition: the double is above 0.
constexpr shortest_decimal shortest(binary_parts parts) noexcept {
    if (core_detail::prefers_small_code || parts.significand == hidden_bit) [[unlikely]]
        return shortest_exactly(parts);
    int const k = (parts.exponent * 1'262'611) >> 22;
    auto const [tens, digit, fraction, half] = scale(parts, k);

    // Here 60 bits of a fraction suffice to decide, unless they are all alike but for their rounding.
    std::uint64_t const below = digit * one | fraction.high >> 4u;
    bool const up = below > 5 * one;
    std::uint64_t const distance = up ? 10 * one - below : below;
    if (distance - half.high + 2 <= 4 || fraction.high == one_half) [[unlikely]]
        return shortest_exactly(parts);
    if (distance < half.high) return with_digits(tens + (up ? 1 : 0), 0, k);
    return with_digits(tens, digit + (fraction.high > one_half ? 1 : 0), k);
}

} // namespace socketless::inline v0::json::detail

#include <socketless/core/detail/epilogue.hpp>
