// Decimal numerals to the nearest float or double, exactly and slowly: for those that nearest_quickly.hpp does not
// decide, and for compile time.
#pragma once

#include <socketless/json/detail/scan.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string_view>
#include <type_traits>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::json::detail {

// The significant digits of a JSON number and the power of ten that they are multiplied by.
struct decimal {
    // Digits beyond these do not change which double is nearest, only whether there is a tie.
    static constexpr std::size_t max_digits = 770;

    std::array<std::uint8_t, max_digits> digits{};
    std::size_t size = 0;
    std::int64_t exponent = 0;
    bool negative = false;
};

// Adds up to an exponent written in digits without overflowing; far beyond what any double has.
inline constexpr std::int64_t exponent_cap = 1'000'000'000;

// The exponent part at `p` ("e-12"), 0 where there is none, within +-exponent_cap.
constexpr std::int64_t read_exponent(char const* p, char const* end) noexcept {
    if (p == end || (*p != 'e' && *p != 'E')) return 0;
    ++p;
    bool const negative = p != end && *p == '-';
    if (p != end && (*p == '-' || *p == '+')) ++p;
    std::int64_t exponent = 0;
    for (; p != end && is_digit(*p); ++p) exponent = std::min(exponent * 10 + (*p - '0'), exponent_cap);
    return negative ? -exponent : exponent;
}

// Precondition: `number` is a JSON number. Zeros at either end do not count as digits.
constexpr decimal read_decimal(std::string_view number) noexcept {
    decimal result;
    char const* p = number.data();
    char const* const end = p + number.size();
    result.negative = p != end && *p == '-';
    if (result.negative) ++p;

    std::int64_t scale = 0;
    bool fraction = false;
    bool lost = false;
    for (; p != end && (is_digit(*p) || *p == '.'); ++p) {
        if (*p == '.') {
            fraction = true;
            continue;
        }
        bool const leading_zero = *p == '0' && result.size == 0;
        if (!leading_zero && result.size != decimal::max_digits)
            result.digits[result.size++] = static_cast<std::uint8_t>(*p - '0');
        else if (!leading_zero) {
            lost = lost || *p != '0';
            ++scale;
        }
        if (fraction) --scale;
    }
    if (lost) result.digits[decimal::max_digits - 1] |= 1; // above a tie, if it was one
    result.exponent = scale + read_exponent(p, end);
    for (; result.size != 0 && result.digits[result.size - 1] == 0; --result.size) ++result.exponent;
    return result;
}

// A natural number of up to 7,000 bits: the largest that a comparison of a double with a decimal needs.
class big_natural {
public:
    constexpr void multiply_add(std::uint32_t factor, std::uint32_t addend) noexcept {
        std::uint64_t carry = addend;
        for (std::size_t i = 0; i != size_; ++i) {
            carry += std::uint64_t{words_[i]} * factor;
            words_[i] = static_cast<std::uint32_t>(carry);
            carry >>= 32u;
        }
        if (carry != 0) words_[size_++] = static_cast<std::uint32_t>(carry);
    }

    constexpr void multiply_power_of_10(std::int64_t power) noexcept {
        for (; power >= 9; power -= 9) multiply_add(1'000'000'000, 0);
        for (; power > 0; --power) multiply_add(10, 0);
    }

    constexpr void shift_left(std::size_t bits) noexcept {
        for (; bits >= 16; bits -= 16) multiply_add(1u << 16u, 0);
        multiply_add(1u << bits, 0);
    }

    [[nodiscard]] constexpr std::int64_t bit_length() const noexcept {
        return size_ == 0 ? 0 : static_cast<std::int64_t>(size_ * 32) - std::countl_zero(words_[size_ - 1]);
    }

    [[nodiscard]] constexpr bool less_than(big_natural const& other) const noexcept {
        if (size_ != other.size_) return size_ < other.size_;
        for (std::size_t i = size_; i-- != 0;)
            if (words_[i] != other.words_[i]) return words_[i] < other.words_[i];
        return false;
    }

    // Precondition: not less than `other`.
    constexpr void subtract(big_natural const& other) noexcept {
        std::uint64_t borrow = 0;
        for (std::size_t i = 0; i != size_; ++i) {
            std::uint64_t const taken = borrow + (i < other.size_ ? other.words_[i] : 0);
            borrow = words_[i] < taken ? 1 : 0;
            words_[i] = static_cast<std::uint32_t>(words_[i] + (borrow << 32u) - taken);
        }
        while (size_ != 0 && words_[size_ - 1] == 0) --size_;
    }

private:
    std::array<std::uint32_t, 220> words_{};
    std::size_t size_ = 0;
};

template <std::floating_point Float>
using float_bits_t = std::conditional_t<sizeof(Float) == sizeof(std::uint32_t), std::uint32_t, std::uint64_t>;

// The float or double nearest to `number`, ties to even; infinite where it is beyond the largest.
template <std::floating_point Float>
constexpr Float nearest(std::string_view number) noexcept {
    using float_limits = std::numeric_limits<Float>;
    using float_bits = float_bits_t<Float>;
    static_assert(float_limits::is_iec559 && sizeof(Float) == sizeof(float_bits));

    decimal const digits = read_decimal(number);
    Float const sign = digits.negative ? Float(-1) : Float(1);
    auto const magnitude = digits.exponent + static_cast<std::int64_t>(digits.size);
    if (digits.size == 0 || magnitude < -330) return sign * Float(0);
    if (magnitude > 310) return sign * float_limits::infinity();

    big_natural numerator;
    for (std::size_t i = 0; i != digits.size; ++i) numerator.multiply_add(10, digits.digits[i]);
    big_natural denominator;
    denominator.multiply_add(1, 1);
    numerator.multiply_power_of_10(digits.exponent);
    denominator.multiply_power_of_10(-digits.exponent);

    // Scale by a power of two so that the quotient has the bits of a significand (fewer for a subnormal one):
    // 2^(bits-1) <= numerator / denominator < 2^(bits+1), then one step more if it is over 2^bits.
    constexpr std::size_t bits = float_limits::digits;
    constexpr std::int64_t lowest = float_limits::min_exponent - float_limits::digits;
    constexpr std::int64_t highest = float_limits::max_exponent - float_limits::digits;
    std::int64_t binary = numerator.bit_length() - denominator.bit_length() - std::int64_t{bits};
    binary = std::max(binary, lowest);
    auto const scale = [&](std::int64_t by) {
        if (by < 0)
            numerator.shift_left(static_cast<std::size_t>(-by));
        else
            denominator.shift_left(static_cast<std::size_t>(by));
    };
    scale(binary);
    big_natural limit = denominator;
    limit.shift_left(bits);
    if (!numerator.less_than(limit)) {
        scale(1);
        ++binary;
    }

    // Long division, one bit at a time.
    std::uint64_t quotient = 0;
    for (std::size_t bit = bits; bit-- != 0;) {
        big_natural part = denominator;
        part.shift_left(bit);
        if (numerator.less_than(part)) continue;
        numerator.subtract(part);
        quotient |= std::uint64_t{1} << bit;
    }
    numerator.shift_left(1);
    bool const half_or_more = !numerator.less_than(denominator);
    bool const half = half_or_more && !denominator.less_than(numerator);
    if (half_or_more && (!half || (quotient & 1u) != 0)) ++quotient;
    if (quotient >> bits != 0) {
        quotient >>= 1u;
        ++binary;
    }

    auto const from_bits = [sign](std::uint64_t b) { return sign * std::bit_cast<Float>(static_cast<float_bits>(b)); };
    constexpr std::uint64_t hidden = std::uint64_t{1} << (bits - 1);
    if (quotient < hidden) return from_bits(quotient); // subnormal or zero
    if (binary > highest) return sign * float_limits::infinity();
    auto const biased = static_cast<std::uint64_t>(binary - lowest + 1);
    return from_bits((quotient - hidden) | biased << (bits - 1));
}

} // namespace socketless::inline v0::json::detail

#include <socketless/core/detail/epilogue.hpp>
