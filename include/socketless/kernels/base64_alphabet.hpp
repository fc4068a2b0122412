// The alphabet of base64 (RFC 4648, section 4).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::kernels {

inline constexpr std::string_view base64_alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// The value of each of the first N characters, `outside` for those that are not in the alphabet.
template <std::size_t N>
constexpr std::array<std::uint8_t, N> base64_values(std::uint8_t outside) noexcept {
    std::array<std::uint8_t, N> values{};
    values.fill(outside);
    for (std::size_t i = 0; i != base64_alphabet.size(); ++i)
        values[static_cast<unsigned char>(base64_alphabet[i])] = static_cast<std::uint8_t>(i);
    return values;
}

} // namespace socketless::inline v0::kernels

#include <socketless/core/detail/epilogue.hpp>
