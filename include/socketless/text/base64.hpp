// Base64 (RFC 4648, section 4): the standard alphabet, padded when written, strict when read.
#pragma once

#include <socketless/core/result.hpp>
#include <socketless/kernels/base64.hpp>
#include <socketless/kernels/base64_alphabet.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <type_traits>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::base64 {

namespace detail {

using kernels::base64_alphabet;

// The value of each character, or `outside`.
inline constexpr std::uint8_t outside = 0xff;
inline constexpr auto values = kernels::base64_values<256>(outside);

constexpr std::uint32_t value_of(char c) noexcept {
    return values[static_cast<unsigned char>(c)];
}

// The error at the first of `digits` that is not a digit; at `otherwise` if all are.
constexpr error refused(std::string_view digits, std::size_t otherwise) noexcept {
    for (std::size_t i = 0; i != digits.size(); ++i)
        if (value_of(digits[i]) == outside) return {errc::invalid_base64, i};
    return {errc::invalid_base64, otherwise};
}

// `text` without its padding. Checks that the padding is whole if there is any, and nothing else.
constexpr result<std::string_view> unpadded(std::string_view text) noexcept {
    std::string_view digits = text;
    for (int i = 0; i != 2 && digits.ends_with('='); ++i) digits.remove_suffix(1);
    if (digits.size() != text.size() && text.size() % 4 != 0) return refused(digits, digits.size());
    if (digits.size() % 4 == 1) return refused(digits, digits.size() - 1);
    return digits;
}

} // namespace detail

/// How many characters `encode` writes for `size` bytes, padding included.
[[nodiscard]] constexpr std::size_t encoded_size(std::size_t size) noexcept {
    return size / 3 * 4 + (size % 3 == 0 ? 0 : 4);
}

/// How many bytes at most `size` characters decode to.
[[nodiscard]] constexpr std::size_t max_decoded_size(std::size_t size) noexcept {
    return size / 4 * 3 + size % 4 * 3 / 4;
}

/// Writes `data` as base64 with padding at `out` and returns the end of what was written. Precondition: room
/// for `encoded_size(data.size())` characters that do not overlap `data`. Linear.
constexpr char* encode(std::string_view data, char* out) noexcept {
    auto const byte = [data](std::size_t i) { return std::uint32_t{static_cast<unsigned char>(data[i])}; };
    auto const put = [&out](std::uint32_t bits) { *out++ = detail::base64_alphabet[bits & 0x3fu]; };
    std::size_t i = std::is_constant_evaluated() ? 0 : kernels::encode_base64(data.data(), data.size(), out);
    out += i / 3 * 4;
    for (; data.size() - i >= 3; i += 3) {
        std::uint32_t const group = byte(i) << 16u | byte(i + 1) << 8u | byte(i + 2);
        put(group >> 18u);
        put(group >> 12u);
        put(group >> 6u);
        put(group);
    }
    if (std::size_t const rest = data.size() - i; rest != 0) {
        std::uint32_t const group = byte(i) << 16u | (rest == 2 ? byte(i + 1) << 8u : 0u);
        put(group >> 18u);
        put(group >> 12u);
        if (rest == 2)
            put(group >> 6u);
        else
            *out++ = '=';
        *out++ = '=';
    }
    return out;
}

/// Decodes all of `text` into the start of `out` and returns how many bytes that were. `out` may begin where
/// `text` does: decoding in place. Padding may be absent; if present it must be whole. Bits that
/// are left over in the last character are ignored, as in the reference.
/// Errors: errc::invalid_base64 at the first character that does not belong (`out` is then unspecified, but in place
/// the text is as it was from that character on); errc::buffer_too_small. Linear.
[[nodiscard]] constexpr result<std::size_t> decode(std::string_view text, std::span<char> out) noexcept {
    auto const unpadded = detail::unpadded(text);
    if (!unpadded) return unpadded.error();
    std::string_view const digits = *unpadded;
    std::size_t const size = max_decoded_size(digits.size());
    if (size > out.size()) return error{errc::buffer_too_small, size};

    char* position = out.data();
    auto const put = [&position](std::uint32_t bits) {
        *position++ = static_cast<char>(static_cast<unsigned char>(bits & 0xffu));
    };
    auto const first_outside = [digits](std::size_t i) { // the text before `i` may be overwritten
        while (detail::value_of(digits[i]) != detail::outside) ++i;
        return error{errc::invalid_base64, i};
    };
    std::size_t i = std::is_constant_evaluated() ? 0 : kernels::decode_base64(digits.data(), digits.size(), out.data());
    position += i / 4 * 3;
    for (; digits.size() - i >= 4; i += 4) {
        std::uint32_t const a = detail::value_of(digits[i]);
        std::uint32_t const b = detail::value_of(digits[i + 1]);
        std::uint32_t const c = detail::value_of(digits[i + 2]);
        std::uint32_t const d = detail::value_of(digits[i + 3]);
        if ((a | b | c | d) == detail::outside) return first_outside(i);
        std::uint32_t const group = a << 18u | b << 12u | c << 6u | d;
        put(group >> 16u);
        put(group >> 8u);
        put(group);
    }
    if (std::size_t const rest = digits.size() - i; rest != 0) {
        std::uint32_t const a = detail::value_of(digits[i]);
        std::uint32_t const b = detail::value_of(digits[i + 1]);
        std::uint32_t const c = rest == 3 ? detail::value_of(digits[i + 2]) : 0;
        if ((a | b | c) == detail::outside) return first_outside(i);
        std::uint32_t const group = a << 18u | b << 12u | c << 6u;
        put(group >> 16u);
        if (rest == 3) put(group >> 8u);
    }
    return size;
}

} // namespace socketless::inline v0::base64

#include <socketless/core/detail/epilogue.hpp>
