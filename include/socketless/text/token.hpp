// The words of HTTP's fields (RFC 9110, 5.6): tokens, compared in any case, and lists of elements between commas.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <string_view>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::token {

namespace detail {

// A set of characters: a bit for each.
struct character_set {
    std::array<std::uint32_t, 8> bits{};

    constexpr explicit character_set(std::string_view characters) noexcept {
        for (char const c : characters) {
            auto const byte = static_cast<unsigned char>(c);
            bits[byte / 32] |= std::uint32_t{1} << byte % 32;
        }
    }
    [[nodiscard]] constexpr bool contains(char c) const noexcept {
        auto const byte = static_cast<unsigned char>(c);
        return (bits[byte / 32] >> byte % 32 & 1u) != 0;
    }
};

inline constexpr character_set
    characters("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");

} // namespace detail

/// Whether the character may stand in a token:
///
///     tchar = "!" / "#" / "$" / "%" / "&" / "'" / "*" / "+" / "-" / "." / "^" / "_" / "`" / "|" / "~" / DIGIT / ALPHA
///
/// Source: RFC 9110, 5.6.2.
[[nodiscard]] constexpr bool is_character(char c) noexcept {
    return detail::characters.contains(c);
}

/// Whether the text is a token: at least one character, and only such as above. Linear.
[[nodiscard]] constexpr bool is_valid(std::string_view text) noexcept {
    return !text.empty() && std::ranges::all_of(text, is_character);
}

/// The small letter of a capital letter of ASCII; other characters as they are.
[[nodiscard]] constexpr char lower(char c) noexcept {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

/// Whether the texts are the same, letters of ASCII in any case. Linear.
[[nodiscard]] constexpr bool equals(std::string_view a, std::string_view b) noexcept {
    if (a.size() != b.size()) return false;
    for (std::size_t i = 0; i != a.size(); ++i)
        if (a[i] != b[i] && lower(a[i]) != lower(b[i])) return false;
    return true;
}

/// The text without the spaces and tabs around it. Borrowed.
[[nodiscard]] constexpr std::string_view trimmed(std::string_view text) noexcept {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
    return text;
}

/// The elements of a list, in order, each borrowed and trimmed. Empty elements are left out. An element need not be a
/// token; a comma within quotes ends an element as any other.
///
///     list = [ element ] *( OWS "," OWS [ element ] )
///
///     for (std::string_view const name : token::list("websocket, h2c")) ...
///
/// Source: RFC 9110, 5.6.1.
class list {
public:
    /// Walks the elements.
    class iterator {
    public:
        /// The names that a forward iterator has.
        using iterator_concept = std::forward_iterator_tag;
        using iterator_category = std::input_iterator_tag;
        using value_type = std::string_view;
        using difference_type = std::ptrdiff_t;

        /// At no element, or at the first of a list.
        constexpr iterator() noexcept = default;
        constexpr explicit iterator(std::string_view text) noexcept : rest_(text) { read(); }

        /// The element. Precondition: not at the end.
        [[nodiscard]] constexpr std::string_view operator*() const noexcept { return current_; }
        /// The next one. Precondition: not at the end.
        constexpr iterator& operator++() noexcept { return read(), *this; }
        constexpr iterator operator++(int) noexcept {
            iterator const old = *this;
            return read(), old;
        }
        friend constexpr bool operator==(iterator const& a, iterator const& b) noexcept {
            return a.rest_.size() == b.rest_.size() && a.current_.size() == b.current_.size();
        }
        friend constexpr bool operator==(iterator const& i, std::default_sentinel_t) noexcept {
            return i.current_.empty();
        }

    private:
        constexpr void read() noexcept {
            current_ = {};
            while (current_.empty() && !rest_.empty()) {
                auto const comma = std::min(rest_.find(','), rest_.size());
                current_ = trimmed(rest_.substr(0, comma));
                rest_.remove_prefix(std::min(comma + 1, rest_.size()));
            }
        }

        std::string_view rest_;
        std::string_view current_;
    };

    /// An empty list, or this one. Borrowed.
    constexpr list() noexcept = default;
    constexpr explicit list(std::string_view text) noexcept : text_(text) {}

    /// Where the range begins, and where it ends.
    [[nodiscard]] constexpr iterator begin() const noexcept { return iterator(text_); }
    [[nodiscard]] constexpr std::default_sentinel_t end() const noexcept { return {}; }

    /// Whether one of the elements is this one, in any case. Linear.
    [[nodiscard]] constexpr bool contains(std::string_view element) const noexcept {
        return std::ranges::any_of(*this, [element](std::string_view e) { return equals(e, element); });
    }
    /// Whether an element is empty, as in "a,,b" and "": senders must not write such a list. Linear.
    [[nodiscard]] constexpr bool has_empty_element() const noexcept {
        for (std::string_view rest = text_;;) {
            auto const comma = rest.find(',');
            if (trimmed(rest.substr(0, comma)).empty()) return true;
            if (comma == std::string_view::npos) return false;
            rest.remove_prefix(comma + 1);
        }
    }

private:
    std::string_view text_;
};

} // namespace socketless::inline v0::token

#include <socketless/core/detail/epilogue.hpp>
