// Placeholders: the objects in the JSON of a binary packet that stand for its attachments.
#pragma once

#include <socketless/core/detail/digits.hpp>
#include <socketless/core/limits.hpp>
#include <socketless/core/result.hpp>
#include <socketless/json/detail/scan.hpp>
#include <socketless/json/text.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::socketio::detail {

inline constexpr std::string_view placeholder_key = "_placeholder";
inline constexpr std::string_view num_key = "num";

constexpr bool is_index(core_detail::leading_digits digits, std::uint32_t attachments) noexcept {
    return digits.size != 0 && digits.size <= core_detail::max_digits && digits.value < attachments;
}

// Reads the value of "num" as an index: digits, nothing else, below `attachments`.
constexpr std::optional<std::uint32_t> read_num(std::string_view value, std::uint32_t attachments) noexcept {
    auto const digits = core_detail::read_digits(value);
    if (digits.size != value.size() || !is_index(digits, attachments)) return std::nullopt;
    return static_cast<std::uint32_t>(digits.value);
}

// The attachment for which the placeholder stands that `json` begins with, and its size. Only if encoders write it so:
// there are no other members, and no spaces.
struct usual_placeholder {
    std::optional<std::uint32_t> index;
    std::size_t size = 0;
};

// The shortest placeholder there is.
inline constexpr std::size_t shortest_placeholder = json::detail::placeholder_opening.size() + 2;

constexpr usual_placeholder read_usual(std::string_view json, std::uint32_t attachments) noexcept {
    constexpr std::string_view opening = json::detail::placeholder_opening;
    if (core_detail::prefers_small_code || !json.starts_with(opening)) return {};
    auto const digits = core_detail::read_digits(json.substr(opening.size()));
    std::size_t const size = opening.size() + digits.size + 1;
    if (!is_index(digits, attachments) || size > json.size() || json[size - 1] != '}') return {};
    return {static_cast<std::uint32_t>(digits.value), size};
}

// The attachment that `object` stands for, if it is a placeholder.
constexpr std::optional<std::uint32_t> placeholder_index(json::text object, std::uint32_t attachments) noexcept {
    if (object.raw().size() < shortest_placeholder) return std::nullopt;
    if (auto const usual = read_usual(object.raw(), attachments); usual.index) return usual.index;
    auto const marked = object.find(placeholder_key);
    if (!marked || marked->raw() != "true") return std::nullopt;
    auto const num = object.find(num_key);
    return num ? read_num(num->raw(), attachments) : std::nullopt;
}

// Whether a key is this one. Nearly all keys are written without escapes.
constexpr bool is_key(json::text key, std::string_view expected) noexcept {
    if constexpr (core_detail::prefers_small_code) return key.equals(expected);
    std::string_view const raw = key.raw();
    if (raw.size() == expected.size() + 2) return raw.substr(1, expected.size()) == expected;
    return raw.size() > expected.size() + 2 && key.has_escapes() && key.equals(expected);
}

// Where a placeholder stands in the text, and for which attachment.
struct placeholder {
    std::size_t begin;
    std::size_t end;
    std::uint32_t index;
};

// Where the array or object begins whose closing bracket is at `close`. Linear in its size. Precondition: valid JSON
// from `begin` on.
constexpr char const* opening_of(char const* begin, char const* close) noexcept {
    std::size_t depth = 1;
    char const* p = close;
    while (depth != 0 && p != begin) {
        switch (*--p) {
        case '}':
        case ']': ++depth; break;
        case '{':
        case '[': --depth; break;
        case '"': // a string ends here; it begins at the first quote before it that is not escaped
            while (p != begin) {
                if (*--p != '"') continue;
                char const* first = p;
                while (first != begin && first[-1] == '\\') --first;
                if ((p - first) % 2 == 0) break;
                p = first;
            }
            break;
        default: break;
        }
    }
    return p;
}

// Walks valid JSON once and calls `found(placeholder)` for each placeholder in it, in order.
//
// A placeholder is an object with a member "_placeholder" that is exactly true; other members are allowed, and
// of members with one name the last counts, as for JSON.parse. Its "num" must be the index of an attachment, and
// nothing inside it can be a placeholder itself (the reference drops what is inside): errc::invalid_placeholder
// at its start. Linear; constant stack, a bit a level. Precondition: valid JSON, at most limits::deepest deep.
template <class Found>
constexpr result<void> for_each_placeholder(std::string_view json, std::uint32_t attachments, Found found) {
    constexpr std::uint32_t no_num = 0xffffffff;
    std::uint64_t marks[limits::deepest / 64 + 1]; // of the open containers; a word is written when it is first reached
    marks[0] = 0;
    std::uint32_t depth = 0;
    char const* const begin = json.data();
    char const* const end = begin + json.size();
    // Placeholders with other objects in them are rare: their beginning and their num are looked up when they close.
    // Placeholders do not overlap, so that all lookups together are linear.
    char const* innermost = nullptr; // the container that was opened last; null once one has closed
    std::uint32_t num = no_num;      // that of `innermost`
    char const* last_found = begin;  // where the last placeholder ends
    auto const offset = [begin](char const* p) { return static_cast<std::size_t>(p - begin); };
    for (char const* p = begin; p != end;) {
        char const c = *p++;
        if (c == '{' || c == '[') {
            if (depth == limits::deepest) return error{errc::depth_exceeded, offset(p - 1)};
            if (auto const usual = read_usual(json::detail::between(p - 1, end), attachments); usual.index) {
                found(placeholder{offset(p - 1), offset(p - 1 + usual.size), *usual.index});
                p += usual.size - 1;
                innermost = nullptr;
                last_found = p;
                continue;
            }
            std::uint32_t const bit = ++depth % 64;
            std::uint64_t& word = marks[depth / 64];
            word = bit == 0 ? 0 : word & ~(std::uint64_t{1} << bit);
            innermost = p - 1;
            num = no_num;
        } else if ((c == '}' || c == ']') && depth != 0) {
            bool const marked = (marks[depth / 64] >> depth % 64 & 1u) != 0;
            --depth;
            char const* const opening = std::exchange(innermost, nullptr);
            if (!marked) continue;
            char const* const first = opening != nullptr ? opening : opening_of(begin, p - 1);
            if (opening == nullptr) {
                auto const member = json::text::trusted(json::detail::between(first, p)).find(num_key);
                num = member ? read_num(member->raw(), attachments).value_or(no_num) : no_num;
            }
            if (num == no_num || last_found > first) return error{errc::invalid_placeholder, offset(first)};
            last_found = p;
            found(placeholder{offset(first), offset(p), num});
        } else if (c == '"') {
            auto const string = json::text::trusted(json::detail::between(p - 1, json::detail::skip_string(p, end)));
            p = json::detail::skip_space(string.raw().data() + string.raw().size(), end);
            if (p == end || *p != ':') continue; // not a key
            char const* const value = json::detail::skip_space(p + 1, end);
            if (is_key(string, placeholder_key)) {
                std::uint64_t const bit = std::uint64_t{1} << depth % 64;
                bool const marked = json::detail::between(value, end).starts_with("true");
                marks[depth / 64] = marked ? marks[depth / 64] | bit : marks[depth / 64] & ~bit;
            } else if (is_key(string, num_key)) {
                num = read_num(json::detail::between(value, json::detail::skip_scalar(value, end)), attachments)
                          .value_or(no_num);
            }
        }
    }
    return {};
}

// How many placeholders there are, if all are valid.
constexpr result<std::size_t> count_placeholders(std::string_view json, std::uint32_t attachments) {
    std::size_t count = 0;
    auto const good = for_each_placeholder(json, attachments, [&count](placeholder const&) { ++count; });
    return good ? result<std::size_t>(count) : good.error();
}

// Whether all placeholders are written as encoders write them, and so are valid. In JSON without backslashes, their key
// and what stands around it are no part of another string. Precondition: `json` was validated, its depth too.
constexpr bool are_usual(std::string_view json, std::uint32_t attachments) noexcept {
    if (core_detail::prefers_small_code || json.find('\\') != std::string_view::npos) return false;
    constexpr std::size_t before = 2; // a brace and a quote
    for (std::size_t i = 0; (i = json.find(placeholder_key, i)) != std::string_view::npos;) {
        if (i < before) return false;
        auto const usual = read_usual(json.substr(i - before), attachments);
        if (!usual.index) return false;
        i += usual.size - before;
    }
    return true;
}

} // namespace socketless::inline v0::socketio::detail

#include <socketless/core/detail/epilogue.hpp>
