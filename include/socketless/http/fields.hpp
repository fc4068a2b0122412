// The fields of HTTP messages: their grammar, and the section of a head as a range that owns nothing.
#pragma once

#include <socketless/text/token.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <optional>
#include <string_view>
#include <type_traits>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::http {

/// One field. Borrowed.
struct field {
    /// A token; compared in any case.
    std::string_view name;
    /// Without the white space around it.
    std::string_view value;

    friend constexpr bool operator==(field const&, field const&) noexcept = default;
};

/// Whether the character may stand in a field's value: visible ones, space, tab, and bytes from 0x80 on.
///
///     field-value = *field-content;  field-vchar = VCHAR / obs-text
///
/// Source: RFC 9110, 5.5.
[[nodiscard]] constexpr bool is_value_character(char c) noexcept {
    auto const byte = static_cast<unsigned char>(c);
    return byte == '\t' || (byte >= ' ' && byte != 0x7f);
}

namespace detail {

// What `look` finds in any of the words that cover a text: the highest bit of a byte is set if it is one that is looked
// for, or a byte below it in the same word is. Precondition: at least 8 characters. Source: Hacker's Delight, 6-1.
template <class Look>
bool any_word(std::string_view text, Look look) noexcept {
    constexpr std::size_t size = sizeof(std::uint64_t);
    auto const word_at = [text](std::size_t i) {
        std::uint64_t word = 0;
        std::memcpy(&word, text.data() + i, size);
        return word;
    };
    std::uint64_t found = look(word_at(text.size() - size)); // the last ones overlap
    for (std::size_t i = 0; text.size() - i > size; i += size) found |= look(word_at(i));
    return (found & 0x8080808080808080u) != 0;
}

// Each byte of a word less the same byte: the highest bit is set if it was smaller, and not above 0x80.
constexpr std::uint64_t less(std::uint64_t word, unsigned char byte) noexcept {
    return word - 0x0101010101010101u * byte;
}
// The same where a byte is this one.
constexpr std::uint64_t same(std::uint64_t word, unsigned char byte) noexcept {
    return less(word ^ (0x0101010101010101u * byte), 1);
}

// Whether all characters may stand in a value: most of a head are values.
constexpr bool is_value(std::string_view text) noexcept {
    if (!std::is_constant_evaluated() && text.size() >= sizeof(std::uint64_t)) {
        auto const control = [](std::uint64_t word) { return (less(word, ' ') | same(word, 0x7f)) & ~word; };
        if (!any_word(text, control)) return true; // otherwise it may be a tab
    }
    return std::ranges::all_of(text, is_value_character);
}

} // namespace detail

/// Whether a message can carry the field as it is: so a value cannot begin a line of its own. Linear.
[[nodiscard]] constexpr bool is_valid(field const& f) noexcept {
    return token::is_valid(f.name) && detail::is_value(f.value);
}

/// The fields of one message, in the order in which they came: a forward range of `field`. Borrowed.
///
///     field-section = *( name ":" OWS value OWS CRLF )
///
/// Precondition of all: the text is such a section, as a reader has found it.
class field_view {
public:
    /// Walks the fields.
    class iterator {
    public:
        /// The names that a forward iterator has.
        using iterator_concept = std::forward_iterator_tag;
        using iterator_category = std::input_iterator_tag;
        using value_type = field;
        using difference_type = std::ptrdiff_t;

        /// At no field, or at the first of a section.
        constexpr iterator() noexcept = default;
        constexpr explicit iterator(std::string_view lines) noexcept : rest_(lines) {}

        /// The field. Precondition: not at the end.
        [[nodiscard]] constexpr field operator*() const noexcept {
            auto const line = rest_.substr(0, rest_.find('\r'));
            auto const colon = std::min(line.find(':'), line.size());
            return {line.substr(0, colon), token::trimmed(line.substr(std::min(colon + 1, line.size())))};
        }
        /// The next one. Precondition: not at the end.
        constexpr iterator& operator++() noexcept {
            auto const end = rest_.find('\n');
            rest_.remove_prefix(std::min(end == std::string_view::npos ? end : end + 1, rest_.size()));
            return *this;
        }
        constexpr iterator operator++(int) noexcept {
            iterator const old = *this;
            ++*this;
            return old;
        }
        friend constexpr bool operator==(iterator const& a, iterator const& b) noexcept {
            return a.rest_.size() == b.rest_.size();
        }
        friend constexpr bool operator==(iterator const& i, std::default_sentinel_t) noexcept {
            return i.rest_.empty();
        }

    private:
        std::string_view rest_;
    };

    /// No fields, or these lines.
    constexpr field_view() noexcept = default;
    constexpr explicit field_view(std::string_view lines) noexcept : lines_(lines) {}

    /// The lines as they came.
    [[nodiscard]] constexpr std::string_view raw() const noexcept { return lines_; }
    /// Where the range begins, and where it ends.
    [[nodiscard]] constexpr iterator begin() const noexcept { return iterator(lines_); }
    [[nodiscard]] constexpr std::default_sentinel_t end() const noexcept { return {}; }

    /// The value of the first field of this name. Linear.
    [[nodiscard]] constexpr std::optional<std::string_view> find(std::string_view name) const noexcept {
        for (field const f : *this)
            if (token::equals(f.name, name)) return f.value;
        return std::nullopt;
    }
    /// How many fields have this name. Linear.
    [[nodiscard]] constexpr std::size_t count(std::string_view name) const noexcept {
        std::size_t n = 0;
        for (field const f : *this)
            if (token::equals(f.name, name)) ++n;
        return n;
    }
    /// Whether a list, on one line or several, has this element, in any case. Linear.
    [[nodiscard]] constexpr bool has_token(std::string_view name, std::string_view element) const noexcept {
        return std::ranges::any_of(*this, [&](field const& f) {
            return token::equals(f.name, name) && token::list(f.value).contains(element);
        });
    }

private:
    std::string_view lines_;
};

} // namespace socketless::inline v0::http

#include <socketless/core/detail/epilogue.hpp>
