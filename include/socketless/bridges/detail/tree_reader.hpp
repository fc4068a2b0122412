// Reads JSON and the binary values in it into the tree of another library, in one pass over the text.
#pragma once

#include <socketless/core/frame.hpp>
#include <socketless/core/limits.hpp>
#include <socketless/core/result.hpp>
#include <socketless/json/detail/scan.hpp>
#include <socketless/json/text.hpp>
#include <socketless/socketio/arguments.hpp>
#include <socketless/socketio/detail/placeholder.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::socketio::detail {

// Whether a number is an integer as it is written: without a fraction and an exponent. That is where parsers of JSON
// draw the line between integers and doubles.
constexpr bool is_written_as_integer(json::text number) noexcept {
    return number.raw().find_first_of(".eE") == std::string_view::npos;
}

// The members of an object that make it a placeholder; of several with one name the last counts. The same rules as
// `argument::binary`, followed while the object is read.
class placeholder_members {
public:
    constexpr explicit placeholder_members(std::size_t attachments) noexcept
        : attachments_(static_cast<std::uint32_t>(attachments)) {}

    constexpr void see(json::text key, std::string_view value) noexcept {
        if (attachments_ == 0) return;
        if (key.equals(placeholder_key))
            marked_ = value == "true";
        else if (key.equals(num_key))
            num_ = read_num(value, attachments_);
    }

    // The attachment that the object stands for.
    [[nodiscard]] constexpr std::optional<std::uint32_t> index() const noexcept {
        return marked_ ? num_ : std::nullopt;
    }

private:
    std::uint32_t attachments_;
    bool marked_ = false;
    std::optional<std::uint32_t> num_;
};

// Builds the tree that a Tree describes: a type `value`, and static functions that replace one
//
//   void null(value&), boolean(value&, bool), string(value&, std::string_view)
//   result<void> number(value&, json::text), binary(value&, byte_view)
//   void array(value&), object(value&)                     by an empty one
//   value& element(value& array)                           a new one at the end
//   value& member(value& object, std::string_view name)    a new one, or the one that has the name already
//
// Recurses limits::deepest_tree times at most. Linear, if `element` and `member` take constant time. Stays within the
// text and ends even where that is not JSON.
template <class Tree>
class tree_reader {
public:
    using value = typename Tree::value;

    explicit tree_reader(argument const& from) noexcept
        : begin_(from.json().raw().data()), p_(begin_), end_(begin_ + from.json().raw().size()),
          attachments_(from.attachments()) {}

    // Replaces the contents of `to`. On an error they are unspecified; the offset counts in the text.
    result<void> read(value& to) { return read_value(to, 0); }

private:
    // `depth` is the number of arrays and objects around the value.
    result<void> read_value(value& to, std::uint32_t depth) {
        skip_space();
        bool const container = is_next('[') || is_next('{');
        if (!container) return read_scalar(to);
        if (depth == limits::deepest_tree) return error{errc::depth_exceeded, offset()};
        return is_next('[') ? read_array(to, depth + 1) : read_object(to, depth + 1);
    }

    result<void> read_array(value& to, std::uint32_t depth) {
        ++p_;
        Tree::array(to);
        while (!closes(']')) {
            if (auto const done = read_value(Tree::element(to), depth); !done) return done;
            skip_past(',');
        }
        return {};
    }

    result<void> read_object(value& to, std::uint32_t depth) {
        std::size_t const begin = offset();
        ++p_;
        Tree::object(to);
        placeholder_members placeholder(attachments_.size());
        while (!closes('}')) {
            auto const key = next_scalar();
            auto const name = contents(key);
            if (!name) return name.error();
            value& member = Tree::member(to, *name);
            skip_past(':');
            skip_space();
            char const* const begin_of_value = p_;
            if (auto const done = read_value(member, depth); !done) return done;
            placeholder.see(key, json::detail::between(begin_of_value, p_));
            skip_past(',');
        }
        auto const index = placeholder.index();
        if (!index) return {};
        auto const done = Tree::binary(to, attachments_[*index]);
        return done ? done : error{done.error().code, begin};
    }

    result<void> read_scalar(value& to) {
        std::size_t const begin = offset();
        auto const scalar = next_scalar();
        switch (scalar.kind()) {
        case json::kind::null: Tree::null(to); return {};
        case json::kind::boolean: Tree::boolean(to, scalar.raw() == "true"); return {};
        case json::kind::number: {
            auto const done = Tree::number(to, scalar);
            return done ? done : error{done.error().code, begin};
        }
        default: break; // a string, or nothing that could be read
        }
        auto const string = contents(scalar);
        if (!string) return string.error();
        Tree::string(to, *string);
        return {};
    }

    // Reads the value here up to its end, if it is no array or object.
    json::text next_scalar() noexcept {
        char const* const begin = p_;
        p_ = is_next('"') ? json::detail::skip_string(p_ + 1, end_) : json::detail::skip_scalar(p_, end_);
        return json::text::trusted(json::detail::between(begin, p_));
    }

    // The contents of a string, until the next call. A value is readable even if a string has half a surrogate pair.
    result<std::string_view> contents(json::text string) {
        std::size_t const begin = offset() - string.raw().size();
        if (string.has_escapes() && buffer_.size() < string.raw().size()) buffer_.resize(string.raw().size());
        auto const unescaped = string.unescape_lossy(buffer_);
        if (!unescaped) return error{unescaped.error().code, begin + unescaped.error().offset};
        return unescaped;
    }

    // Whether the array or object ends here; then steps over its end.
    bool closes(char bracket) noexcept {
        skip_space();
        if (p_ == end_) return true;
        if (*p_ != bracket) return false;
        ++p_;
        return true;
    }

    void skip_space() noexcept { p_ = json::detail::skip_space(p_, end_); }

    void skip_past(char c) noexcept {
        skip_space();
        if (is_next(c)) ++p_;
    }

    [[nodiscard]] bool is_next(char c) const noexcept { return p_ != end_ && *p_ == c; }

    [[nodiscard]] std::size_t offset() const noexcept { return static_cast<std::size_t>(p_ - begin_); }

    char const* begin_;
    char const* p_;
    char const* end_;
    std::span<byte_view const> attachments_;
    std::string buffer_; // for strings with escapes, as large as the largest so far
};

} // namespace socketless::inline v0::socketio::detail

#include <socketless/core/detail/epilogue.hpp>
