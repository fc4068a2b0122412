// json::validate: is this text JSON, all of it? One pass, no recursion, no allocation.
#pragma once

#include <socketless/core/limits.hpp>
#include <socketless/core/result.hpp>
#include <socketless/json/detail/escape.hpp>
#include <socketless/json/detail/scan.hpp>
#include <socketless/json/text.hpp>
#include <socketless/text/utf8.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace socketless::inline v0::json {

namespace detail {

// A pushdown automaton over RFC 8259's grammar. Its stack is one bit a level: array or object.
class validator {
public:
    constexpr validator(std::string_view s, std::uint32_t max_depth) noexcept
        : begin_(s.data()), p_(begin_), end_(begin_ + s.size()), max_depth_(std::min(max_depth, limits::deepest)) {}

    constexpr result<text> run() noexcept {
        space();
        char const* const first = p_;
        char const* last = first;
        do {
            if (!value()) return error{code_, static_cast<std::size_t>(p_ - begin_)};
            last = p_;
        } while (depth_ != 0);
        space();
        if (p_ != end_) return error{errc::invalid_json, static_cast<std::size_t>(p_ - begin_)};
        return text::trusted(between(first, last));
    }

private:
    constexpr void space() noexcept { p_ = skip_space(p_, end_); }
    [[nodiscard]] constexpr bool at(char c) const noexcept { return p_ != end_ && *p_ == c; }
    constexpr bool take(char c) noexcept { return at(c) && (++p_, true); }

    // A scalar or the opening of a container, and then all that ends behind it: afterwards p_ is where the
    // next value begins, or behind the whole text's value if the depth is 0.
    constexpr bool value() noexcept {
        if (p_ == end_) return false;
        switch (*p_) {
        case '{':
            if (!open(true)) return false;
            space();
            if (!at('}')) return key();
            break;
        case '[':
            if (!open(false)) return false;
            space();
            if (!at(']')) return true;
            break;
        case '"':
            ++p_;
            if (!string()) return false;
            break;
        case 't':
            if (!word("true")) return false;
            break;
        case 'f':
            if (!word("false")) return false;
            break;
        case 'n':
            if (!word("null")) return false;
            break;
        default:
            if (!number()) return false;
            break;
        }
        return after_value();
    }

    constexpr bool after_value() noexcept {
        while (depth_ != 0) {
            space();
            if (take(in_object_ ? '}' : ']')) {
                close();
                continue;
            }
            if (!take(',')) return false;
            space();
            return !in_object_ || key();
        }
        return true;
    }

    // key [ws] : [ws]
    constexpr bool key() noexcept {
        if (!take('"') || !string()) return false;
        space();
        if (!take(':')) return false;
        space();
        return true;
    }

    constexpr bool open(bool object) noexcept {
        if (depth_ == max_depth_) {
            code_ = errc::depth_exceeded;
            return false;
        }
        ++p_;
        std::uint32_t const bit = depth_ % 64;
        std::uint64_t& bits = stack_[depth_ / 64];
        if (bit == 0) bits = 0;
        bits = (bits & ~(std::uint64_t{1} << bit)) | std::uint64_t{object} << bit;
        ++depth_;
        in_object_ = object;
        return true;
    }

    constexpr void close() noexcept {
        --depth_;
        if (depth_ != 0) in_object_ = (stack_[(depth_ - 1) / 64] >> (depth_ - 1) % 64 & 1u) != 0;
    }

    constexpr bool word(std::string_view expected) noexcept {
        if (!between(p_, end_).starts_with(expected)) return false;
        p_ += expected.size();
        return true;
    }

    // [ - ] ( 0 / 1-9 *digit ) [ . 1*digit ] [ e [ + / - ] 1*digit ]
    constexpr bool number() noexcept {
        take('-');
        if (!take('0') && !digits()) return false;
        if (take('.') && !digits()) return false;
        if (!take('e') && !take('E')) return true;
        if (!take('+')) take('-');
        return digits();
    }

    constexpr bool digits() noexcept {
        char const* const first = p_;
        p_ = skip_digits(p_, end_);
        return p_ != first;
    }

    // From behind the opening quote to behind the closing one.
    constexpr bool string() noexcept {
        for (;;) {
            p_ = skip_plain(p_, end_);
            if (p_ == end_) return false;
            if (*p_ == '"') return ++p_, true;
            if (*p_ == '\\') {
                auto const escape = read_escape(p_ + 1, end_);
                if (escape.code_point == no_code_point) return false;
                p_ = escape.end;
                continue;
            }
            std::size_t const length = utf8::sequence_length(between(p_, end_));
            if (length == 0) code_ = errc::invalid_utf8;
            if (length <= 1) return false; // not UTF-8, or a control character
            p_ += length;
        }
    }

    char const* begin_;
    char const* p_;
    char const* end_;
    std::uint32_t max_depth_;
    std::uint32_t depth_ = 0;
    bool in_object_ = false;
    errc code_ = errc::invalid_json;
    std::uint64_t stack_[limits::deepest / 64]; // a word is written when it is first reached
};

} // namespace detail

/// Checks that all of `s` is one JSON text (RFC 8259) in UTF-8, with white space around it allowed and at most
/// `max_depth` arrays and objects open at once, and returns it as `text`, white space stripped.
/// Escaped lone surrogates are JSON and pass; duplicate names too.
/// Errors, each at the byte that is wrong: errc::invalid_json, errc::invalid_utf8, errc::depth_exceeded.
/// Linear; constant stack; no allocation.
[[nodiscard]] constexpr result<text> validate(std::string_view s,
                                              std::uint32_t max_depth = limits{}.max_depth) noexcept {
    return detail::validator(s, max_depth).run();
}

} // namespace socketless::inline v0::json
