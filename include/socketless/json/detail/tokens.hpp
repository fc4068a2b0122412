// JSON text that goes to a sink, token by token.
#pragma once

#include <socketless/core/detail/digits.hpp>
#include <socketless/core/detail/inlining.hpp>
#include <socketless/json/detail/number.hpp>
#include <socketless/json/detail/scan.hpp>
#include <socketless/json/text.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::json::detail {

enum class string_role : bool { value, key };

// An integer as one, where 64 bits hold it. A number that no double holds is infinite.
template <class Sink>
void send_number(Sink& to, std::string_view number) {
    if (number.find_first_of(".eE") == std::string_view::npos) {
        if (auto const n = read_integer<std::int64_t>(number)) return static_cast<void>(to.number(*n));
        if (auto const n = read_integer<std::uint64_t>(number)) return static_cast<void>(to.number(*n));
    }
    double nearest = 0;
    read_nearest(number, nearest);
    to.number(nearest);
}

// Half a surrogate pair becomes U+FFFD.
template <class Sink>
void send_string(Sink& to, std::string_view quoted, string_role role) {
    auto const send = [&](std::string_view s) { role == string_role::key ? to.key(s) : to.string(s); };
    auto const string = text::trusted(quoted);
    if (auto const borrowed = string.borrow_string()) return send(*borrowed);
    std::string buffer(quoted.size(), '\0');
    send(string.unescape_lossy(buffer).value_or(std::string_view()));
}

// Valid JSON: a value, or a part of one that does not end within a token. Text that is not valid makes no progress past
// its end. A string is a key if a colon follows it, or if the caller says so.
template <class Sink>
void send_tokens(Sink& to, std::string_view json, string_role role) {
    char const* p = json.data();
    char const* const end = p + json.size();
    while ((p = skip_rare_space(p, end)) != end) {
        char const* const begin = p++;
        switch (*begin) {
        case '[': to.begin_array(); break;
        case ']': to.end_array(); break;
        case '{': to.begin_object(); break;
        case '}': to.end_object(); break;
        case ',':
        case ':': break;
        case '"': {
            p = skip_string(p, end);
            char const* const next = skip_rare_space(p, end);
            bool const is_key = role == string_role::key || (next != end && *next == ':');
            send_string(to, between(begin, p), is_key ? string_role::key : string_role::value);
            break;
        }
        default:
            p = skip_scalar(p, end);
            if (*begin == 'n')
                to.null();
            else if (*begin == 't' || *begin == 'f')
                to.boolean(*begin == 't');
            else
                send_number(to, between(begin, p));
        }
    }
}

} // namespace socketless::inline v0::json::detail

#include <socketless/core/detail/epilogue.hpp>
