// The numbers of MessagePack as C++ numbers.
#pragma once

#include <socketless/core/result.hpp>
#include <socketless/json/detail/number.hpp>
#include <socketless/msgpack/detail/format.hpp>

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string_view>
#include <type_traits>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::msgpack::detail {

// An integer of either sign.
struct any_integer {
    std::uint64_t bits = 0; // in two's complement if it is negative
    bool is_negative = false;

    [[nodiscard]] constexpr std::int64_t as_signed() const noexcept { return static_cast<std::int64_t>(bits); }
};

// Precondition: `raw` begins with the head of an integer. Bytes that are missing are zeros.
constexpr any_integer read_any_integer(std::string_view raw) noexcept {
    unsigned const first = byte_at(raw.data());
    if (first < 0x80) return {first, false};
    if (first >= 0xe0) return {~std::uint64_t{0xff} | first, true};
    auto const size = std::size_t{1} << (first & 3u);
    if (raw.size() <= size) return {};
    std::uint64_t const bits = load(raw.data() + 1, size);
    if (first < format::int8) return {bits, false};
    auto const unused = static_cast<unsigned>(64 - size * 8);
    auto const extended = static_cast<std::int64_t>(bits << unused) >> unused;
    return {static_cast<std::uint64_t>(extended), extended < 0};
}

// Precondition: `raw` begins with the head of a floating-point number.
constexpr double read_double(std::string_view raw) noexcept {
    if (format_of(raw) == format::float32)
        return raw.size() < 5 ? 0 : std::bit_cast<float>(static_cast<std::uint32_t>(load<4>(raw.data() + 1)));
    return raw.size() < 9 ? 0 : std::bit_cast<double>(load<8>(raw.data() + 1));
}

// Whatever the compiler may assume of numbers.
constexpr bool is_nan(double n) noexcept {
    constexpr std::uint64_t fraction = 0x000f'ffff'ffff'ffff;
    return !json::detail::is_finite(n) && (std::bit_cast<std::uint64_t>(n) & fraction) != 0;
}

inline constexpr double two_to_63 = 9223372036854775808.0;
inline constexpr double two_to_64 = 18446744073709551616.0;

// The integer that is the value of `n`.
constexpr result<any_integer> as_integer(double n) noexcept {
    if (is_nan(n)) return error{errc::not_an_integer};
    if (n >= two_to_64 || n < -two_to_63) return error{errc::out_of_range};
    any_integer i;
    if (n < 0) {
        auto const whole = static_cast<std::int64_t>(n);
        i = {static_cast<std::uint64_t>(whole), whole < 0};
        if (static_cast<double>(whole) != n) return error{errc::not_an_integer};
    } else {
        i.bits = static_cast<std::uint64_t>(n);
        if (static_cast<double>(i.bits) != n) return error{errc::not_an_integer};
    }
    return i;
}

template <std::integral T>
constexpr result<T> narrowed(any_integer i) noexcept {
    if (i.is_negative) {
        if (std::is_unsigned_v<T> || i.as_signed() < static_cast<std::int64_t>(std::numeric_limits<T>::min()))
            return error{errc::out_of_range};
        return static_cast<T>(i.as_signed());
    }
    if (i.bits > static_cast<std::uint64_t>(std::numeric_limits<T>::max())) return error{errc::out_of_range};
    return static_cast<T>(i.bits);
}

// A finite number beyond the largest is out of range.
template <std::floating_point T>
constexpr result<T> narrowed(double n) noexcept {
    if constexpr (std::is_same_v<T, float>) {
        constexpr double largest = std::numeric_limits<float>::max();
        constexpr double half_beyond = 0x1.ffffffp127; // from here on the nearest is 2^128
        double const magnitude = n < 0 ? -n : n;
        if (json::detail::is_finite(n) && magnitude > largest) {
            if (magnitude >= half_beyond) return error{errc::out_of_range};
            return n < 0 ? std::numeric_limits<float>::lowest() : std::numeric_limits<float>::max();
        }
    }
    return static_cast<T>(n);
}

} // namespace socketless::inline v0::msgpack::detail

#include <socketless/core/detail/epilogue.hpp>
