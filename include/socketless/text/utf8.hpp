// UTF-8 (RFC 3629): validation, and the lengths that the protocols count in.
#pragma once

#include <socketless/core/result.hpp>
#include <socketless/kernels/block.hpp>
#include <socketless/kernels/blocks.hpp>
#include <socketless/kernels/bulk.hpp>
#include <socketless/kernels/scalar_block.hpp>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <type_traits>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::utf8 {

/// The length of the well-formed sequence at the start of `s` (1 to 4 bytes), or 0 if it is not well-formed:
/// overlong forms, surrogates, code points over U+10FFFF, cut sequences and the empty text (RFC 3629, 4).
[[nodiscard]] constexpr std::size_t sequence_length(std::string_view s) noexcept {
    auto const byte = [s](std::size_t i) { return static_cast<unsigned char>(s[i]); };
    auto const continues = [&](std::size_t i) { return (byte(i) & 0xc0u) == 0x80u; };
    if (s.empty()) return 0;
    unsigned const lead = byte(0);
    if (lead < 0x80) return 1;
    if (lead < 0xc2) return 0;
    if (lead < 0xe0) return s.size() >= 2 && continues(1) ? 2 : 0;
    if (lead < 0xf0) {
        if (s.size() < 3 || !continues(1) || !continues(2)) return 0;
        if (lead == 0xe0 && byte(1) < 0xa0) return 0;
        if (lead == 0xed && byte(1) >= 0xa0) return 0;
        return 3;
    }
    if (lead > 0xf4 || s.size() < 4 || !continues(1) || !continues(2) || !continues(3)) return 0;
    if (lead == 0xf0 && byte(1) < 0x90) return 0;
    if (lead == 0xf4 && byte(1) >= 0x90) return 0;
    return 4;
}

/// The length of the longest prefix of `s` that is ASCII. Linear.
[[nodiscard]] constexpr std::size_t ascii_prefix(std::string_view s) noexcept {
    if (!std::is_constant_evaluated()) return kernels::blocks::ascii_prefix<kernels::block>(s.data(), s.size());
    std::size_t i = 0;
    while (i != s.size() && static_cast<unsigned char>(s[i]) < 0x80) ++i;
    return i;
}

namespace detail {

// The size of a prefix that is whole sequences: as much of `s` as kernels can judge. Nearly all short texts are ASCII.
constexpr std::size_t valid_prefix(std::string_view s) noexcept {
    using kernels::block;
#ifdef __OPTIMIZE_SIZE__
    return ascii_prefix(s);
#endif
    if (std::is_constant_evaluated()) return ascii_prefix(s);
    if (s.size() <= 8 * block::size) {
        if (kernels::blocks::is_ascii<block>(s.data(), s.size())) return s.size();
        if (s.size() < 4 * block::size) return 0;
    }
    return kernels::valid_utf8(s.data(), s.size());
}

} // namespace detail

/// Checks that `s` is UTF-8. Errors: errc::invalid_utf8 at the first byte that cannot be read. Linear.
[[nodiscard]] constexpr result<void> validate(std::string_view s) noexcept {
    for (std::size_t i = detail::valid_prefix(s); i != s.size();) {
        std::size_t const length = sequence_length(s.substr(i));
        if (length == 0) return error{errc::invalid_utf8, i};
        i += length;
        if (length == 1) i += ascii_prefix(s.substr(i));
    }
    return {};
}

namespace detail {

// The bytes of `s` from `i` on, at most four, the first one lowest; zeros behind the end.
inline std::uint32_t next_four(std::string_view s, std::size_t i) noexcept {
    std::uint32_t bytes = 0;
    std::size_t const left = s.size() - i;
    if (std::endian::native == std::endian::little && s.size() >= sizeof bytes) {
        std::size_t const before = left < sizeof bytes ? sizeof bytes - left : 0;
        std::memcpy(&bytes, s.data() + i - before, sizeof bytes);
        return bytes >> before * 8;
    }
    for (std::size_t n = std::min(left, sizeof bytes); n != 0; --n)
        bytes = bytes << 8u | static_cast<unsigned char>(s[i + n - 1]);
    return bytes;
}

// Whether a short text that is not ASCII is UTF-8. What is ASCII is passed eight bytes at a time, then four.
inline bool is_valid_short(std::string_view s) noexcept {
    using kernels::scalar::block;
    std::size_t i = 0;
    while (i < s.size()) {
        if (s.size() - i >= block::size) {
            auto const beyond = block::load(s.data() + i).non_ascii();
            i += beyond.first();
            if (!beyond.any()) continue;
        }
        std::uint32_t const bytes = next_four(s, i);
        if ((bytes & 0x80u) == 0) { // only near the end
            i += static_cast<std::size_t>(std::countr_zero(bytes & 0x80808080u)) / 8;
            continue;
        }
        if ((bytes & 0xc0e0u) == 0x80c0u) {
            if ((bytes & 0x1eu) == 0) return false; // overlong
            i += 2;
        } else if ((bytes & 0xc0c0f0u) == 0x8080e0u) {
            std::uint32_t const start = bytes & 0x200fu; // what tells overlong forms and surrogates
            if (start == 0 || start == 0x200du) return false;
            i += 3;
        } else {
            std::uint32_t const plane = (bytes & 0x7u) << 2u | (bytes >> 12u & 0x3u);
            if ((bytes & 0xc0c0c0f8u) != 0x808080f0u || plane == 0 || plane > 16) return false;
            i += 4;
        }
    }
    return true;
}

} // namespace detail

/// How many UTF-16 code units one sequence of `length` bytes is: what JavaScript counts as its length.
[[nodiscard]] constexpr std::size_t utf16_units(std::size_t length) noexcept {
    return length == 4 ? 2 : 1;
}

/// The length of `s` in UTF-16 code units. Precondition: `s` is UTF-8. Linear.
[[nodiscard]] constexpr std::size_t utf16_length(std::string_view s) noexcept {
    std::size_t units = 0;
    for (char const c : s) {
        auto const byte = static_cast<unsigned char>(c);
        units += static_cast<std::size_t>((byte & 0xc0u) != 0x80u) + static_cast<std::size_t>(byte >= 0xf0u);
    }
    return units;
}

/// The most bytes that `encode` writes.
inline constexpr std::size_t longest_sequence = 4;

/// Writes `code_point` at `out` and returns the end of what was written. Preconditions: a Unicode scalar
/// value, and room for its sequence.
constexpr char* encode(std::uint32_t code_point, char* out) noexcept {
    SOCKETLESS_ASSERT(code_point < 0x110000 && (code_point < 0xd800 || code_point >= 0xe000));
    auto const put = [&out](std::uint32_t byte) { *out++ = static_cast<char>(static_cast<unsigned char>(byte)); };
    auto const put_continuation = [&](unsigned shift) { put(0x80u | ((code_point >> shift) & 0x3fu)); };
    if (code_point < 0x80) {
        put(code_point);
    } else if (code_point < 0x800) {
        put(0xc0u | (code_point >> 6u));
        put_continuation(0);
    } else if (code_point < 0x10000) {
        put(0xe0u | (code_point >> 12u));
        put_continuation(6);
        put_continuation(0);
    } else {
        put(0xf0u | (code_point >> 18u));
        put_continuation(12);
        put_continuation(6);
        put_continuation(0);
    }
    return out;
}

} // namespace socketless::inline v0::utf8

#include <socketless/core/detail/epilogue.hpp>
