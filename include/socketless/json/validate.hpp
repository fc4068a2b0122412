// json::validate: is this text JSON, all of it? One pass, no recursion, no allocation.
#pragma once

#include <socketless/core/detail/inlining.hpp>
#include <socketless/core/frame.hpp>
#include <socketless/core/limits.hpp>
#include <socketless/core/result.hpp>
#include <socketless/json/detail/accept.hpp>
#include <socketless/json/detail/escape.hpp>
#include <socketless/json/detail/number_grammar.hpp>
#include <socketless/json/detail/scan.hpp>
#include <socketless/json/text.hpp>
#include <socketless/text/utf8.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <type_traits>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::json {

namespace detail {

// A pushdown automaton over RFC 8259's grammar. Its stack is one bit a level: array or object. Its state
// is in locals of one function, so that it stays in registers.
class validator {
public:
    constexpr validator(std::string_view s, std::uint32_t max_depth) noexcept
        : begin_(s.data()), end_(begin_ + s.size()), max_depth_(std::min(max_depth, limits::deepest)) {}

    constexpr result<void> run() noexcept {
        char const* const end = end_;
        char const* p = skip_space(begin_, end);
        bool in_object = false;
        bool key_due = false;
        std::uint32_t depth = 0;
        for (;;) {
            // A value or, if one is due, a key.
            if (p == end) return wrong(p);
            char const c = *p;
            if (c == '"') {
                p = skip_plain(p + 1, end);
                if (p == end || *p != '"') [[unlikely]] {
                    auto const rest = rest_of_string(p);
                    p = rest.p;
                    if (!rest.good) return wrong(p);
                }
                ++p;
                if (key_due) {
                    p = skip_space(p, end);
                    if (p == end || *p != ':') return wrong(p);
                    p = skip_space(p + 1, end);
                    key_due = false;
                    continue;
                }
            } else if (key_due) {
                return wrong(p);
            } else if (c == '{' || c == '[') {
                if (depth == max_depth_) return wrong(p, errc::depth_exceeded);
                in_object = c == '{';
                push(depth++, in_object);
                p = skip_space(p + 1, end);
                bool const empty = p != end && *p == c + 2; // the closing brackets are two behind the opening ones
                if (!empty) {
                    key_due = in_object;
                    continue;
                }
            } else if (c == '-' || is_digit(c)) {
                auto const number = skip_number(p, end);
                p = number.p;
                if (!number.good) return wrong(p);
            } else {
                auto const length = word_length(p, end);
                if (length == 0) return wrong(p);
                p += length;
            }

            // Behind it: the ends of containers, then a comma or the end of the text.
            for (;;) {
                if (depth == 0) {
                    p = skip_space(p, end);
                    return p == end ? result<void>() : wrong(p);
                }
                p = skip_space(p, end);
                if (p == end) return wrong(p);
                if (*p == ',') {
                    p = skip_space(p + 1, end);
                    key_due = in_object;
                    break;
                }
                if (*p != (in_object ? '}' : ']')) return wrong(p);
                ++p;
                if (--depth != 0) in_object = (stack_[(depth - 1) / 64] >> (depth - 1) % 64 & 1u) != 0;
            }
        }
    }

private:
    constexpr result<void> wrong(char const* p, errc code) const noexcept {
        return error{code, static_cast<std::size_t>(p - begin_)};
    }
    constexpr result<void> wrong(char const* p) const noexcept { return wrong(p, code_); }

    constexpr void push(std::uint32_t depth, bool object) noexcept {
        std::uint32_t const bit = depth % 64;
        std::uint64_t& bits = stack_[depth / 64];
        if (bit == 0) bits = 0;
        bits = (bits & ~(std::uint64_t{1} << bit)) | std::uint64_t{object} << bit;
    }

    // From a character that is not plain to the closing quote.
    constexpr progress rest_of_string(char const* p) noexcept {
        for (;; p = skip_plain(p, end_)) {
            if (p == end_) return {p, false};
            if (*p == '"') return {p, true};
            if (*p == '\\') {
                auto const escape = read_escape(p + 1, end_);
                if (escape.code_point == no_code_point) return {p, false};
                p = escape.end;
                continue;
            }
            std::size_t const length = utf8::sequence_length(between(p, end_));
            if (length == 0) code_ = errc::invalid_utf8;
            if (length <= 1) return {p, false}; // not UTF-8, or a control character
            p += length;
        }
    }

    char const* begin_;
    char const* end_;
    std::uint32_t max_depth_;
    errc code_ = errc::invalid_json;
    std::uint64_t stack_[limits::deepest / 64]; // a word is written when it is first reached
};

// Where the white space at the end of a text begins.
SOCKETLESS_NEVER_INLINE constexpr char const* begin_of_space(char const* begin, char const* end) noexcept {
    while (begin != end && is_space(end[-1])) --end;
    return end;
}

// Without the white space at both ends, where it is rare.
SOCKETLESS_ALWAYS_INLINE constexpr std::string_view without_rare_space(std::string_view s) noexcept {
    char const* end = s.data() + s.size();
    char const* const begin = skip_rare_space(s.data(), end);
    if (begin != end && static_cast<unsigned char>(end[-1]) <= ' ') [[unlikely]]
        end = begin_of_space(begin, end);
    return between(begin, end);
}

// Whether `s`, without white space around it, is known to be JSON at once.
SOCKETLESS_ALWAYS_INLINE constexpr bool is_known_json([[maybe_unused]] std::string_view s,
                                                      [[maybe_unused]] std::uint32_t max_depth,
                                                      [[maybe_unused]] text_check utf8) noexcept {
#ifdef SOCKETLESS_JSON_OUTLINE
    if (std::is_constant_evaluated() || s.size() < kernels::shortest_json) return false;
    if ((s.front() != '[' && s.front() != '{') || (s.back() | 0x20) != '}') return false;
    auto const known = judge(s.data(), s.data() + s.size(), max_depth);
    return known == verdict::ascii_json ||
           (known == verdict::json && (utf8 == text_check::done || utf8::validate(s).has_value()));
#else
    return false;
#endif
}

// The same, for each character: says where the text is wrong if it is.
SOCKETLESS_NEVER_INLINE constexpr result<void> check_each(std::string_view s, std::uint32_t max_depth) noexcept {
    return validator(s, max_depth).run();
}

// See json::validate. If the text is UTF-8, say that it was checked.
SOCKETLESS_ALWAYS_INLINE constexpr result<text> validate(std::string_view s, std::uint32_t max_depth,
                                                         text_check utf8) noexcept {
    std::string_view const inner = without_rare_space(s);
    if (!is_known_json(inner, max_depth, utf8)) [[unlikely]] {
        if (auto const good = check_each(s, max_depth); !good) return good.error();
    }
    return text::trusted(inner);
}

} // namespace detail

/// Checks that all of `s` is one JSON text (RFC 8259) in UTF-8, with white space around it allowed and at most
/// `max_depth` arrays and objects open at once, and returns it as `text`, white space stripped.
/// Escaped lone surrogates are JSON and pass; duplicate names too.
/// Errors, each at the byte that is wrong: errc::invalid_json, errc::invalid_utf8, errc::depth_exceeded.
/// Linear; constant stack; no allocation.
[[nodiscard]] constexpr result<text> validate(std::string_view s,
                                              std::uint32_t max_depth = limits{}.max_depth) noexcept {
    return detail::validate(s, max_depth, text_check::due);
}

} // namespace socketless::inline v0::json

#include <socketless/core/detail/epilogue.hpp>
