// msgpack::value: valid MessagePack, read lazily: nothing is parsed until it is asked for, and nothing is kept.
#pragma once

#include <socketless/core/frame.hpp>
#include <socketless/core/result.hpp>
#include <socketless/json/detail/read_value.hpp>
#include <socketless/json/writer.hpp>
#include <socketless/msgpack/detail/format.hpp>
#include <socketless/msgpack/detail/json_converter.hpp>
#include <socketless/msgpack/detail/read_scalar.hpp>
#include <socketless/msgpack/kind.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::msgpack {

class value;
struct member;

namespace detail {
template <class Item>
class item_range;
} // namespace detail

/// The elements of an array: a forward range of `value`.
using element_range = detail::item_range<value>;
/// The members of a map: a forward range of `member`.
using member_range = detail::item_range<member>;

/// A value of a type that MessagePack leaves to its users. Types below 0 are the specification's own: -1 is a point in
/// time.
struct extension {
    /// The type.
    std::int8_t type = 0;
    /// The bytes, borrowed.
    byte_view data;
};

/// Borrowed MessagePack that is known to be valid: a whole message or a value within one. Made by `validate`; lives as
/// long as the bytes it was cut from. Copying is cheap.
///
/// Reading allocates only for a type that allocates. It recurses into the type that you ask for, never along the bytes,
/// and stays within them even if the promise of `trusted` was broken.
class value {
public:
    /// No MessagePack: what a packet without a payload holds.
    constexpr value() noexcept = default;

    /// Takes bytes for valid without looking. Precondition: `validate(valid)` would succeed.
    [[nodiscard]] static constexpr value trusted(std::string_view valid) noexcept { return value(valid); }

    /// The MessagePack itself.
    [[nodiscard]] constexpr std::string_view raw() const noexcept { return raw_; }
    /// Whether there is nothing: no MessagePack at all.
    [[nodiscard]] constexpr bool empty() const noexcept { return raw_.empty(); }

    /// Constant time.
    [[nodiscard]] constexpr msgpack::kind kind() const noexcept { return head().kind; }
    /// Whether it is of this kind. Constant time.
    [[nodiscard]] constexpr bool is(msgpack::kind k) const noexcept { return kind() == k; }

    /// The elements of an array, the members of a map, or the bytes of a string, a binary value or an extension; 0 for
    /// other kinds. Constant time.
    [[nodiscard]] constexpr std::size_t size() const noexcept {
        return is(msgpack::kind::integer) || is(msgpack::kind::floating) ? 0 : head().length;
    }

    /// The value as a C++ value:
    ///
    ///   bool                        a boolean
    ///   an integer type             an integer, or a floating-point number whose value is an integer
    ///   double, float               a number, rounded to the nearest; NaN and the infinities too
    ///   std::string, std::u8string  a string
    ///   json::lossy_string          a string
    ///   byte_view                   a binary value, borrowed: see `binary`; a std::span<unsigned char const> too
    ///   std::vector<std::byte>      a binary value, copied; a std::vector<unsigned char> too: never numbers
    ///   std::optional<T>            null, or what T takes
    ///   std::vector<T>              an array of what T takes
    ///   std::map<std::string, T>    a map of what T takes, whose keys are strings; of several members with one key the
    ///     and other such maps       last is kept. All of them must be what T takes.
    ///   value                       anything
    ///   a type with read_json       what that takes
    ///
    /// A read_json that is a template reads MessagePack as it reads JSON, by `from.get`, `from.find`, `from.elements`:
    ///
    ///     template <class Source>
    ///     socketless::result<void> read_json(Source const& from, point& to);
    ///
    /// For a type that has only one for json::text, the value is converted to JSON: it must not borrow from that, and
    /// there are no binary values (errc::unexpected_binary).
    ///
    /// Errors: errc::wrong_kind, errc::not_an_integer, errc::out_of_range, and those of read_json; of several errors
    /// the first, its offset in this value. Linear in the size of the value.
    template <class T>
    [[nodiscard]] constexpr result<T> get() const {
        return json::detail::read<T>(*this);
    }

    /// The contents of a string, a part of these bytes. Errors: errc::wrong_kind. Constant time.
    [[nodiscard]] constexpr result<std::string_view> borrow_string() const noexcept {
        auto const h = head();
        if (h.kind != msgpack::kind::string) return error{errc::wrong_kind};
        return detail::contents_of(raw_, h);
    }

    /// Whether this is a string whose contents are `contents`. Neither copies nor allocates.
    [[nodiscard]] constexpr bool equals(std::string_view contents) const noexcept {
        auto const h = head();
        return h.kind == msgpack::kind::string && detail::contents_of(raw_, h) == contents;
    }

    /// The bytes of a binary value, a part of these; nothing for any other kind, but for an ArrayBuffer as notepack.io
    /// before 3.0 writes it: an extension of type 0 whose length is written out. Constant time.
    [[nodiscard]] std::optional<byte_view> binary() const noexcept {
        if (!detail::may_be_binary(raw_)) return std::nullopt;
        auto const h = head();
        if (h.kind != msgpack::kind::binary && !detail::is_array_buffer(raw_, h)) return std::nullopt;
        return as_bytes(detail::contents_of(raw_, h));
    }

    /// The type and the bytes of an extension. Constant time.
    [[nodiscard]] std::optional<msgpack::extension> extension() const noexcept {
        if (!is(msgpack::kind::extension)) return std::nullopt;
        return msgpack::extension{detail::type_of(raw_, head()), as_bytes(contents())};
    }

    /// Whether this stands for JavaScript's undefined, as notepack.io before 3.0 writes it: an extension of one byte
    /// and type 0. Constant time.
    [[nodiscard]] constexpr bool is_undefined() const noexcept { return detail::is_undefined(raw_, head()); }

    /// The elements of an array, in order. Empty for any other kind.
    [[nodiscard]] constexpr element_range elements() const noexcept;

    /// The members of a map, in order, doubled keys included. Empty for any other kind.
    [[nodiscard]] constexpr member_range members() const noexcept;

    /// The value of the member whose key is the string `key`; of several the last, which is the one that JavaScript
    /// keeps. Linear.
    [[nodiscard]] constexpr std::optional<value> find(std::string_view key) const noexcept;

    /// Compares the bytes, not what they mean.
    friend constexpr bool operator==(value, value) noexcept = default;

    friend result<void> read_json(value const& from, byte_view& to) noexcept {
        auto const bytes = from.binary();
        if (!bytes) return error{errc::wrong_kind};
        to = *bytes;
        return {};
    }

    friend result<void> read_json(value const& from, std::span<unsigned char const>& to) noexcept {
        auto const bytes = from.binary();
        if (!bytes) return error{errc::wrong_kind};
        to = {reinterpret_cast<unsigned char const*>(bytes->data()), bytes->size()};
        return {};
    }

    template <json::detail::byte_type Byte, class Allocator>
    friend result<void> read_json(value const& from, std::vector<Byte, Allocator>& to) {
        auto const bytes = from.binary();
        if (!bytes) return error{errc::wrong_kind};
        to.resize(bytes->size());
        std::ranges::transform(*bytes, to.begin(), [](std::byte b) { return static_cast<Byte>(b); });
        return {};
    }

    /// Writes a value as the JSON that JSON.stringify makes of what notepack.io decodes:
    ///
    ///   binary values               attachments
    ///   keys of a map               strings; integers as their decimal text. Others fail (errc::wrong_kind)
    ///   NaN and the infinities      null
    ///   fixext 1 of type 0          undefined: the member is left out, an element is null
    ///   ext 8, 16, 32 of type 0     an attachment (an ArrayBuffer)
    ///   timestamps, fixext 8 of     what Date.prototype.toJSON gives: a string, or null out of its range
    ///     type 0
    ///   other extensions            an array of the type and an attachment
    ///
    /// Integers keep all their digits, and doubled keys are all written. An empty value is null. What `validate` may
    /// refuse as too deep fails here (errc::depth_exceeded). Linear; no recursion, no allocation of its own.
    ///
    /// So does `msgpack::write`, which writes what JSON has; `msgpack::writer::raw` takes a value as it is.
    ///
    /// The other way needs no function of its own: `msgpack::write(target, text)` writes a json::text as MessagePack,
    /// and `msgpack::write(target, socketio::argument(text, attachments))` one that has attachments.
    friend void write_json(json::writer& out, value const& v) {
        if (v.empty())
            out.null();
        else
            detail::json_converter(out).write(v.raw());
    }

private:
    constexpr explicit value(std::string_view raw) noexcept : raw_(raw) {}

    [[nodiscard]] constexpr detail::head head() const noexcept {
        return detail::read_head(raw_.data(), raw_.data() + raw_.size());
    }
    [[nodiscard]] constexpr std::string_view contents() const noexcept { return detail::contents_of(raw_, head()); }

    std::string_view raw_;
};

/// One key and value of a map. The key may be of any kind.
struct member {
    /// The key.
    msgpack::value key;
    /// The value.
    msgpack::value value;
};

namespace detail {

constexpr value value_at(char const* p, char const* end) noexcept {
    return value::trusted({p, static_cast<std::size_t>(skip_value(p, end) - p)});
}

constexpr char const* end_of(value v) noexcept {
    return v.raw().data() + v.raw().size();
}
constexpr char const* end_of(member const& m) noexcept {
    return end_of(m.value);
}

// The last item ends where all of them do: it need not be walked.
constexpr value item_at(char const* p, char const* end, bool is_last) noexcept {
    return is_last ? value::trusted({p, static_cast<std::size_t>(end - p)}) : value_at(p, end);
}
constexpr void read_item(char const* p, char const* end, bool is_last, value& item) noexcept {
    item = item_at(p, end, is_last);
}
constexpr void read_item(char const* p, char const* end, bool is_last, member& item) noexcept {
    item.key = value_at(p, end);
    item.value = item_at(end_of(item.key), end, is_last);
}

// Walks the inside of an array or a map, an Item at a time.
template <class Item>
class item_iterator {
public:
    using iterator_concept = std::forward_iterator_tag;
    using iterator_category = std::input_iterator_tag;
    using value_type = Item;
    using difference_type = std::ptrdiff_t;

    constexpr item_iterator() noexcept = default;
    constexpr item_iterator(std::string_view inside, std::uint32_t count) noexcept
        : end_(inside.data() + inside.size()), left_(count) {
        read(inside.data());
    }

    [[nodiscard]] constexpr Item operator*() const noexcept { return item_; }
    constexpr item_iterator& operator++() noexcept {
        --left_;
        read(end_of(item_));
        return *this;
    }
    constexpr item_iterator operator++(int) noexcept {
        item_iterator const old = *this;
        return ++*this, old;
    }

    friend constexpr bool operator==(item_iterator const& a, item_iterator const& b) noexcept {
        return a.left_ == b.left_;
    }
    friend constexpr bool operator==(item_iterator const& i, std::default_sentinel_t) noexcept { return i.left_ == 0; }

private:
    constexpr void read(char const* p) noexcept {
        if (p == end_) left_ = 0; // also where there are fewer bytes than were promised
        if (left_ != 0) read_item(p, end_, left_ == 1, item_);
    }

    Item item_;
    char const* end_ = nullptr;
    std::uint32_t left_ = 0;
};

// What an array or a map holds: no items, or the first `count` that stand in `inside`.
template <class Item>
class item_range {
public:
    using iterator = item_iterator<Item>;

    constexpr item_range() noexcept = default;
    constexpr item_range(std::string_view inside, std::uint32_t count) noexcept : inside_(inside), count_(count) {}
    [[nodiscard]] constexpr iterator begin() const noexcept { return {inside_, count_}; }
    [[nodiscard]] constexpr std::default_sentinel_t end() const noexcept { return {}; }
    [[nodiscard]] constexpr bool empty() const noexcept { return count_ == 0 || inside_.empty(); }

private:
    std::string_view inside_;
    std::uint32_t count_ = 0;
};

} // namespace detail

constexpr element_range value::elements() const noexcept {
    auto const h = head();
    return h.kind == msgpack::kind::array ? element_range(raw_.substr(h.size), h.length) : element_range();
}

constexpr member_range value::members() const noexcept {
    auto const h = head();
    return h.kind == msgpack::kind::map ? member_range(raw_.substr(h.size), h.length) : member_range();
}

constexpr std::optional<value> value::find(std::string_view key) const noexcept {
    std::optional<value> found;
    for (member const m : members())
        if (m.key.equals(key)) found = m.value;
    return found;
}

} // namespace socketless::inline v0::msgpack

#include <socketless/core/detail/epilogue.hpp>
