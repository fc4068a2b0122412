// json::text: a valid JSON text, read lazily: nothing is parsed until it is asked for, and nothing is kept.
#pragma once

#include <socketless/core/detail/inlining.hpp>
#include <socketless/core/result.hpp>
#include <socketless/json/detail/escape.hpp>
#include <socketless/json/detail/read_value.hpp>
#include <socketless/json/detail/scan.hpp>
#include <socketless/json/kind.hpp>
#include <socketless/text/utf8.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <span>
#include <string_view>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::json {

class element_range;
class member_range;

namespace detail {
enum class lone_surrogates : bool { refused, replaced };
} // namespace detail

/// A borrowed JSON text that is known to be valid, without white space around it: a whole document or a
/// value within one. Made by `validate`; lives as long as the bytes it was cut from. Copying is cheap.
///
/// Reading allocates only for a type that allocates. It recurses into the type that you ask for, never along the text,
/// and stays within the text even if the promise of `trusted` was broken.
class text {
public:
    /// No JSON: what a packet without a payload holds.
    constexpr text() noexcept = default;

    /// Takes text for valid without looking. Precondition: `validate(valid)` would succeed, and there is no
    /// white space at either end.
    [[nodiscard]] static constexpr text trusted(std::string_view valid) noexcept { return text(valid); }

    /// The JSON itself.
    [[nodiscard]] constexpr std::string_view raw() const noexcept { return raw_; }
    /// Whether there is nothing: no JSON at all.
    [[nodiscard]] constexpr bool empty() const noexcept { return raw_.empty(); }

    /// Constant time.
    [[nodiscard]] constexpr json::kind kind() const noexcept;
    /// Whether it is of this kind. Constant time.
    [[nodiscard]] constexpr bool is(json::kind k) const noexcept { return kind() == k; }

    /// The value as a C++ value:
    ///
    ///   bool                        a boolean
    ///   an integer type             a number whose value is an integer, however it is written: 12, 12.0, 1.2e1
    ///   double, float               a number, rounded to the nearest
    ///   std::string, std::u8string  a string
    ///   json::lossy_string          any string, U+FFFD in the place of half a surrogate pair
    ///   std::optional<T>            null, or what T takes
    ///   std::vector<T>              an array of what T takes
    ///   std::map<std::string, T>    an object of what T takes; of several members with one name the last is kept.
    ///     and other such maps       All of them must be what T takes.
    ///   text                        anything
    ///   a type with read_json       what that takes
    ///
    /// A default-constructible type of your own is read by a function beside it, which argument-dependent lookup finds.
    /// It leaves the value in `to`, or returns an error with its offset counted in `from`:
    ///
    ///     socketless::result<void> read_json(socketless::json::text from, point& to);
    ///
    /// A std::string_view cannot be read: there is no memory for what the escapes of a string stand for. It does not
    /// compile, rather than fail for one string in a hundred. If you want no copy, use `borrow_string`.
    ///
    /// Errors: errc::wrong_kind, errc::not_an_integer, errc::out_of_range, errc::lone_surrogate, and those of
    /// read_json; of several errors the first, its offset in this text. Linear in the size of the text.
    template <class T>
    [[nodiscard]] constexpr result<T> get() const;

    /// Whether this is a string with escapes in it, so that `unescape` has something to do.
    [[nodiscard]] constexpr bool has_escapes() const noexcept {
        return is(json::kind::string) && raw_.find('\\') != std::string_view::npos;
    }

    /// The contents of a string. Without escapes they are a part of this text; otherwise they are unescaped into
    /// `buffer`, for which `raw().size()` bytes are always enough.
    /// Errors: errc::wrong_kind, errc::lone_surrogate (offset in the text), errc::buffer_too_small.
    [[nodiscard]] constexpr result<std::string_view> unescape(std::span<char> buffer) const noexcept {
        return unescape(buffer, detail::lone_surrogates::refused);
    }

    /// The same with U+FFFD in the place of half a surrogate pair. Errors: errc::wrong_kind, errc::buffer_too_small.
    [[nodiscard]] constexpr result<std::string_view> unescape_lossy(std::span<char> buffer) const noexcept {
        return unescape(buffer, detail::lone_surrogates::replaced);
    }

    /// The contents of a string that is written without escapes: a part of this text. A peer may write any character
    /// as an escape, so have an answer for errc::escaped_string too.
    /// Errors: errc::wrong_kind, errc::escaped_string. Linear.
    [[nodiscard]] constexpr result<std::string_view> borrow_string() const noexcept {
        if (!is(json::kind::string)) return error{errc::wrong_kind};
        if (has_escapes()) return error{errc::escaped_string, raw_.find('\\')};
        return inside();
    }

    /// Whether this is a string whose contents are `contents`. Neither copies nor allocates.
    [[nodiscard]] constexpr bool equals(std::string_view contents) const noexcept;

    /// The elements of an array, in order. Empty for any other kind.
    [[nodiscard]] constexpr element_range elements() const noexcept;

    /// The members of an object, in order, duplicates included. Empty for any other kind.
    [[nodiscard]] constexpr member_range members() const noexcept;

    /// The value of the member called `key`; of several the last, which is the one that JSON.parse keeps.
    /// Linear.
    [[nodiscard]] constexpr std::optional<text> find(std::string_view key) const noexcept;

    /// Compares the bytes, not what they mean.
    friend constexpr bool operator==(text, text) noexcept = default;

private:
    constexpr explicit text(std::string_view raw) noexcept : raw_(raw) {}

    [[nodiscard]] constexpr result<std::string_view> unescape(std::span<char> buffer,
                                                              detail::lone_surrogates halves) const noexcept;

    // The text between the quotes, brackets or braces.
    [[nodiscard]] constexpr std::string_view inside() const noexcept {
        return raw_.size() < 2 ? std::string_view() : std::string_view(raw_.data() + 1, raw_.size() - 2);
    }

    std::string_view raw_;
};

/// One name and value of an object. The name is a string.
struct member {
    /// The name, a JSON string.
    text key;
    /// The value.
    text value;
};

namespace detail {

// The value that begins at `p`, if one does.
SOCKETLESS_ALWAYS_INLINE constexpr text value_at(char const* p, char const* end) noexcept {
    return text::trusted(between(p, skip_value(p, end)));
}

constexpr char const* end_of(text value) noexcept {
    return value.raw().data() + value.raw().size();
}

// What comes behind `p`: white space, and `c`, where they stand there.
SOCKETLESS_ALWAYS_INLINE constexpr char const* skip_mark(char const* p, char const* end, char c) noexcept {
    p = skip_rare_space(p, end);
    return p != end && *p == c ? p + 1 : p;
}

// What a container holds, a part at a time: see item_iterator.
SOCKETLESS_ALWAYS_INLINE constexpr void read_item(char const* p, char const* end, text& item) noexcept {
    item = value_at(p, end);
}
SOCKETLESS_ALWAYS_INLINE constexpr void read_item(char const* p, char const* end, member& item) noexcept {
    item.key = value_at(p, end);
    item.value = value_at(skip_rare_space(skip_mark(end_of(item.key), end, ':'), end), end);
}

// Walks the inside of an array or an object, an Item at a time. It is small, so that compilers keep it in registers;
// past the last item, it holds one that begins and ends at the end.
template <class Item>
class item_iterator {
public:
    using iterator_concept = std::forward_iterator_tag;
    using iterator_category = std::input_iterator_tag;
    using value_type = Item;
    using difference_type = std::ptrdiff_t;

    constexpr item_iterator() noexcept = default;
    SOCKETLESS_ALWAYS_INLINE constexpr explicit item_iterator(std::string_view inside) noexcept
        : end_(inside.data() + inside.size()) {
        read(inside.data());
    }

    [[nodiscard]] SOCKETLESS_ALWAYS_INLINE constexpr Item operator*() const noexcept { return item_; }
    SOCKETLESS_ALWAYS_INLINE constexpr item_iterator& operator++() noexcept {
        char const* const next = skip_mark(last(item_), end_, ',');
        // Text that is not JSON makes no progress: stop instead of standing still.
        read(next == first(item_) ? end_ : next);
        return *this;
    }
    constexpr item_iterator operator++(int) noexcept {
        item_iterator const old = *this;
        return ++*this, old;
    }

    friend constexpr bool operator==(item_iterator const& a, item_iterator const& b) noexcept {
        return a.end_ - first(a.item_) == b.end_ - first(b.item_);
    }
    friend constexpr bool operator==(item_iterator const& i, std::default_sentinel_t) noexcept {
        return first(i.item_) == i.end_;
    }

private:
    SOCKETLESS_ALWAYS_INLINE constexpr void read(char const* p) noexcept {
        read_item(skip_rare_space(p, end_), end_, item_);
    }

    static constexpr char const* first(text item) noexcept { return item.raw().data(); }
    static constexpr char const* first(member const& item) noexcept { return first(item.key); }
    static constexpr char const* last(text item) noexcept { return end_of(item); }
    static constexpr char const* last(member const& item) noexcept { return end_of(item.value); }

    Item item_;
    char const* end_ = nullptr;
};

} // namespace detail

/// The elements of an array: a forward range of `text`.
class element_range {
public:
    /// A forward iterator.
    using iterator = detail::item_iterator<text>;

    /// No elements, or those that stand in `inside`, between the brackets. `text::elements` makes it.
    constexpr element_range() noexcept = default;
    constexpr explicit element_range(std::string_view inside) noexcept : inside_(inside) {}
    /// Where the range begins, and where it ends.
    [[nodiscard]] constexpr iterator begin() const noexcept { return iterator(inside_); }
    [[nodiscard]] constexpr std::default_sentinel_t end() const noexcept { return {}; }
    /// Whether it has no elements.
    [[nodiscard]] constexpr bool empty() const noexcept { return begin() == end(); }

private:
    std::string_view inside_;
};

/// The members of an object: a forward range of `member`.
class member_range {
public:
    /// A forward iterator.
    using iterator = detail::item_iterator<member>;

    /// No members, or those that stand in `inside`, between the braces. `text::members` makes it.
    constexpr member_range() noexcept = default;
    constexpr explicit member_range(std::string_view inside) noexcept : inside_(inside) {}
    /// Where the range begins, and where it ends.
    [[nodiscard]] constexpr iterator begin() const noexcept { return iterator(inside_); }
    [[nodiscard]] constexpr std::default_sentinel_t end() const noexcept { return {}; }
    /// Whether it has no members.
    [[nodiscard]] constexpr bool empty() const noexcept { return begin() == end(); }

private:
    std::string_view inside_;
};

constexpr json::kind text::kind() const noexcept {
    if (raw_.empty()) return json::kind::none;
    switch (raw_.front()) {
    case 'n': return json::kind::null;
    case 't':
    case 'f': return json::kind::boolean;
    case '"': return json::kind::string;
    case '[': return json::kind::array;
    case '{': return json::kind::object;
    default: return json::kind::number;
    }
}

constexpr element_range text::elements() const noexcept {
    return is(json::kind::array) ? element_range(inside()) : element_range();
}

constexpr member_range text::members() const noexcept {
    return is(json::kind::object) ? member_range(inside()) : member_range();
}

constexpr std::optional<text> text::find(std::string_view key) const noexcept {
    std::optional<text> found;
    for (member const m : members())
        if (m.key.equals(key)) found = m.value;
    return found;
}

constexpr bool text::equals(std::string_view contents) const noexcept {
    if (!is(json::kind::string)) return false;
    std::string_view const escaped = inside();
    char const* p = escaped.data();
    char const* const end = p + escaped.size();
    for (;;) {
        std::size_t same = 0;
        auto const size = std::min(contents.size(), static_cast<std::size_t>(end - p));
        while (same != size && p[same] == contents[same] && p[same] != '\\') ++same;
        contents.remove_prefix(same);
        p += same;
        if (p == end || *p != '\\') return p == end && contents.empty();
        auto const escape = detail::read_escape(p + 1, end);
        if (escape.code_point == detail::no_code_point || detail::is_surrogate(escape.code_point)) return false;
        char sequence[utf8::longest_sequence] = {};
        auto const last = utf8::encode(escape.code_point, sequence);
        std::string_view const expected = detail::between(sequence, last);
        if (!contents.starts_with(expected)) return false;
        contents.remove_prefix(expected.size());
        p = escape.end;
    }
}

constexpr result<std::string_view> text::unescape(std::span<char> buffer,
                                                  detail::lone_surrogates halves) const noexcept {
    if (!is(json::kind::string)) return error{errc::wrong_kind};
    std::string_view const escaped = inside();
    if (!has_escapes()) return escaped;
    if (buffer.size() < escaped.size()) return error{errc::buffer_too_small, escaped.size()};

    char const* p = escaped.data();
    char const* const end = p + escaped.size();
    char* out = buffer.data();
    while (p != end) {
        if (*p != '\\') {
            *out++ = *p++;
            continue;
        }
        auto escape = detail::read_escape(p + 1, end);
        if (escape.code_point == detail::no_code_point || detail::is_surrogate(escape.code_point)) {
            if (escape.code_point == detail::no_code_point || halves == detail::lone_surrogates::refused)
                return error{errc::lone_surrogate, static_cast<std::size_t>(p - raw_.data())};
            escape.code_point = detail::replacement_character;
        }
        out = utf8::encode(escape.code_point, out);
        p = escape.end;
    }
    return detail::between(buffer.data(), out);
}

template <class T>
constexpr result<T> text::get() const {
    return detail::read<T>(*this);
}

namespace detail {

// The string of that name in an object, empty where there is no such string.
inline std::string string_member(text object, std::string_view key) {
    auto const value = object.find(key);
    return value ? value->get<std::string>().value_or("") : std::string();
}

} // namespace detail

} // namespace socketless::inline v0::json

#include <socketless/core/detail/epilogue.hpp>
