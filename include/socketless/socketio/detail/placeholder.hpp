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

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::socketio::detail {

inline constexpr std::string_view placeholder_key = "_placeholder";
inline constexpr std::string_view num_key = "num";

// The index that the value of "num" is: digits, nothing else, below `attachments`.
constexpr std::optional<std::uint32_t> read_num(std::string_view value, std::uint32_t attachments) noexcept {
    auto const digits = socketless::detail::read_digits(value);
    if (digits.size == 0 || digits.size != value.size() || digits.value >= attachments) return std::nullopt;
    return static_cast<std::uint32_t>(digits.value);
}

// The attachment that `object` stands for, if it is a placeholder.
constexpr std::optional<std::uint32_t> placeholder_index(json::text object, std::uint32_t attachments) noexcept {
    auto const marked = object.find(placeholder_key);
    if (!marked || marked->raw() != "true") return std::nullopt;
    auto const num = object.find(num_key);
    return num ? read_num(num->raw(), attachments) : std::nullopt;
}

// Where a placeholder stands in the text, and for which attachment.
struct placeholder {
    std::size_t begin;
    std::size_t end;
    std::uint32_t index;
};

// Walks valid JSON once and calls `found(placeholder)` for each placeholder in it, in order.
//
// A placeholder is an object with a member "_placeholder" that is exactly true; other members are allowed, and
// of members with one name the last counts, as for JSON.parse. Its "num" must be the index of an attachment, and
// nothing inside it can be a placeholder itself (the reference drops what is inside): errc::invalid_placeholder
// at its start. Linear; constant stack. Precondition: valid JSON, at most limits::deepest deep.
template <class Found>
constexpr result<void> for_each_placeholder(std::string_view json, std::uint32_t attachments, Found found) {
    constexpr std::uint32_t no_num = 0xffffffff;
    struct container {
        std::size_t begin;
        std::uint32_t num;
        bool marked;
        bool holds_placeholder;
    };
    container stack[limits::deepest + 1]; // written as it is reached
    container* top = stack;
    *top = {0, no_num, false, false}; // around the whole text

    char const* const begin = json.data();
    char const* const end = begin + json.size();
    auto const offset = [begin](char const* p) { return static_cast<std::size_t>(p - begin); };
    for (char const* p = begin; p != end;) {
        char const c = *p++;
        if (c == '{' || c == '[') {
            if (top == stack + limits::deepest) return error{errc::depth_exceeded, offset(p - 1)};
            *++top = {offset(p - 1), no_num, false, false};
        } else if ((c == '}' || c == ']') && top != stack) {
            container const closed = *top--;
            top->holds_placeholder = top->holds_placeholder || closed.marked || closed.holds_placeholder;
            if (!closed.marked) continue;
            if (closed.num == no_num || closed.holds_placeholder) return error{errc::invalid_placeholder, closed.begin};
            found(placeholder{closed.begin, offset(p), closed.num});
        } else if (c == '"') {
            auto const string = json::text::trusted(json::detail::between(p - 1, json::detail::skip_string(p, end)));
            p = json::detail::skip_space(string.raw().data() + string.raw().size(), end);
            if (p == end || *p != ':') continue; // not a key
            char const* const value = json::detail::skip_space(p + 1, end);
            if (string.equals(placeholder_key))
                top->marked = json::detail::between(value, end).starts_with("true");
            else if (string.equals(num_key))
                top->num = read_num(json::detail::between(value, json::detail::skip_scalar(value, end)), attachments)
                               .value_or(no_num);
        }
    }
    return {};
}

} // namespace socketless::inline v0::socketio::detail

#include <socketless/core/detail/epilogue.hpp>
