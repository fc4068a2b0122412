// The loops that JSON text is walked with. They never read past the end, whatever the text is.
#pragma once

#include <socketless/core/detail/digits.hpp>
#include <socketless/core/detail/inlining.hpp>
#include <socketless/kernels/block.hpp>
#include <socketless/kernels/blocks.hpp>
#include <socketless/kernels/json.hpp>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <type_traits>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::json::detail {

constexpr bool is_space(char c) noexcept {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

using core_detail::is_digit;

SOCKETLESS_NEVER_INLINE constexpr char const* skip_space(char const* p, char const* end) noexcept {
    while (p != end && is_space(*p)) ++p;
    return p;
}

// The same where white space is rare: then it is one comparison.
SOCKETLESS_ALWAYS_INLINE constexpr char const* skip_rare_space(char const* p, char const* end) noexcept {
    if (p != end && static_cast<unsigned char>(*p) <= ' ') [[unlikely]]
        return skip_space(p, end);
    return p;
}

constexpr char const* skip_digits(char const* p, char const* end) noexcept {
    while (p != end && is_digit(*p)) ++p;
    return p;
}

// Whether `c` stands for itself in a JSON string and is ASCII.
SOCKETLESS_ALWAYS_INLINE constexpr bool is_plain(char c) noexcept {
    return c >= 0x20 && c != '"' && c != '\\' && static_cast<unsigned char>(c) < 0x80;
}

// The first character from `p` on that is not plain: a quote, a backslash, a control character, non-ASCII.
constexpr char const* skip_plain(char const* p, char const* end) noexcept {
    if (!std::is_constant_evaluated()) {
        constexpr std::uint64_t ones = 0x0101010101010101u;
        constexpr std::uint64_t highs = 0x8080808080808080u;
        for (std::uint64_t word = 0; static_cast<std::size_t>(end - p) >= sizeof word; p += sizeof word) {
            std::memcpy(&word, p, sizeof word);
            std::uint64_t const quote = word ^ ones * '"';
            std::uint64_t const backslash = word ^ ones * '\\';
            // The high bit of each byte that is not plain. A borrow sets others only above the first of them.
            std::uint64_t const found = (word | (((quote - ones) & ~quote) | ((backslash - ones) & ~backslash) |
                                                 ((word - ones * ' ') & ~word))) &
                                        highs;
            if (found == 0) continue;
            if constexpr (std::endian::native == std::endian::little)
                return p + std::countr_zero(found) / 8;
            else
                break;
        }
    }
    while (p != end && is_plain(*p)) ++p;
    return p;
}

// From within a string to just behind its closing quote.
SOCKETLESS_NEVER_INLINE constexpr char const* skip_rest_of_string(char const* p, char const* end) noexcept {
    for (;; ++p) {
        if (!core_detail::prefers_small_code && !std::is_constant_evaluated())
            p = kernels::blocks::find_special<kernels::block>(p, end);
        else
            while (p != end && *p != '"' && *p != '\\') ++p;
        if (p == end) return end;
        if (*p == '"') return p + 1;
        if (*p == '\\' && ++p == end) return end;
    }
}

// From just behind a string's opening quote to just behind its closing one.
SOCKETLESS_ALWAYS_INLINE constexpr char const* skip_string(char const* p, char const* end) noexcept {
    using kernels::block;
    if (!core_detail::prefers_small_code && !std::is_constant_evaluated() &&
        static_cast<std::size_t>(end - p) >= block::size) {
        // Most are short.
        p += block::load(p).specials().first();
        if (p != end && *p == '"') return p + 1;
    }
    return skip_rest_of_string(p, end);
}

// From the first character of a number, true, false or null to just behind its last one.
constexpr char const* skip_scalar(char const* p, char const* end) noexcept {
    while (p != end && *p != ',' && *p != ']' && *p != '}' && !is_space(*p)) ++p;
    return p;
}

// From the first character of a value to just behind its last one.
constexpr char const* skip_value(char const* p, char const* end) noexcept {
    if (p == end) return p;
    if (*p == '"') return skip_string(p + 1, end);
    if (*p != '{' && *p != '[') return skip_scalar(p, end);
#ifdef SOCKETLESS_JSON_OUTLINE
    if (!std::is_constant_evaluated() && static_cast<std::size_t>(end - p) >= kernels::shortest_json)
        return kernels::skip_json_container(p, end);
#endif
    std::size_t depth = 0;
    while (p != end) {
        switch (*p++) {
        case '"': p = skip_string(p, end); break;
        case '{':
        case '[': ++depth; break;
        case '}':
        case ']':
            if (--depth == 0) return p;
            break;
        default: break;
        }
    }
    return p;
}

// How encoders begin the object that stands for a binary value; its index and a brace follow.
inline constexpr std::string_view placeholder_opening = R"({"_placeholder":true,"num":)";

constexpr std::string_view between(char const* first, char const* last) noexcept {
    return {first, static_cast<std::size_t>(last - first)};
}

} // namespace socketless::inline v0::json::detail

#include <socketless/core/detail/epilogue.hpp>
