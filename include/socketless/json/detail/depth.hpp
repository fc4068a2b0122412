// The depth of JSON that was made elsewhere: it may not be deeper than its receiver reads.
#pragma once

#include <socketless/json/detail/scan.hpp>

#include <cstddef>
#include <cstdint>
#include <string_view>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::json::detail {

// How many brackets and braces open, in strings too. Blocks of constant size become vector instructions.
constexpr std::size_t count_openers(std::string_view json) noexcept {
    constexpr std::size_t block = 64;
    std::size_t total = 0;
    for (; json.size() >= block; json.remove_prefix(block)) {
        std::uint8_t n = 0;
        for (std::size_t i = 0; i != block; ++i) // '[' and '{' differ in this bit only
            n = static_cast<std::uint8_t>(n + ((static_cast<unsigned char>(json[i]) | 0x20u) == '{' ? 1 : 0));
        total += n;
    }
    for (char const c : json) total += c == '[' || c == '{' ? 1u : 0u;
    return total;
}

// Walks a part of JSON that does not end within a string. `left` is how many more containers may open, before the part
// and after it. False if more open.
constexpr bool follow_depth(std::string_view part, std::uint32_t& left) noexcept {
    char const* p = part.data();
    char const* const end = p + part.size();
    while (p != end) {
        char const c = *p++;
        if (c == '"') {
            p = skip_string(p, end);
        } else if (c == '[' || c == '{') {
            if (left == 0) return false;
            --left;
        } else if (c == ']' || c == '}') {
            ++left;
        }
    }
    return true;
}

// Whether more than `left` containers of a whole value are open at once. A level takes two bytes, so that
// short JSON need not be read at all; and counting brackets is faster than matching them.
constexpr bool is_deeper(std::string_view json, std::uint32_t left) noexcept {
    if (json.size() / 2 <= left || (json.front() != '[' && json.front() != '{')) return false;
    return count_openers(json) > left && !follow_depth(json, left);
}

} // namespace socketless::inline v0::json::detail

#include <socketless/core/detail/epilogue.hpp>
