// Integers of 128 bits, which not every compiler has.
#pragma once

#include <cstdint>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::json::detail {

struct wide {
    std::uint64_t high = 0;
    std::uint64_t low = 0;
};

// For compilers and machines that multiply 32 bits by 32.
constexpr wide multiply_halves(std::uint64_t a, std::uint64_t b) noexcept {
    constexpr std::uint64_t half = 0xffffffff;
    std::uint64_t const low = (a & half) * (b & half);
    std::uint64_t const cross = (a >> 32u) * (b & half) + (low >> 32u);
    std::uint64_t const middle = (a & half) * (b >> 32u) + (cross & half);
    return {(a >> 32u) * (b >> 32u) + (cross >> 32u) + (middle >> 32u), middle << 32u | (low & half)};
}

constexpr wide multiply(std::uint64_t a, std::uint64_t b) noexcept {
#ifdef __SIZEOF_INT128__
    __extension__ using native = unsigned __int128;
    native const product = static_cast<native>(a) * b;
    return {static_cast<std::uint64_t>(product >> 64u), static_cast<std::uint64_t>(product)};
#else
    return multiply_halves(a, b);
#endif
}

constexpr wide add(wide a, std::uint64_t b) noexcept {
    std::uint64_t const low = a.low + b;
    return {a.high + (low < b ? 1 : 0), low};
}

} // namespace socketless::inline v0::json::detail

#include <socketless/core/detail/epilogue.hpp>
