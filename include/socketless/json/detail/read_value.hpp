// Which JSON each C++ type is read from.
#pragma once

#include <socketless/core/result.hpp>
#include <socketless/json/detail/number.hpp>
#include <socketless/json/detail/readable.hpp>
#include <socketless/json/kind.hpp>
#include <socketless/json/lossy_string.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <type_traits>
#include <utility>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::json {

class text;

namespace detail {

// Reads from a Source: a json::text; or a socketio::argument, which may also be binary or hold binary values: its
// functions are `json`, `binary` and `part`; or a view of another format, which has the functions of a text for its
// parts, and a specialization of `format_of` for the rest.

// The static functions of a specialization are
//
//     kind kind_of(Source const&)
//     result<T> read_scalar<T>(Source const&)
//     result<T> read_as_json<T>(Source const&)    a T with a read_json for json::text
//
template <class Source>
struct format_of {};

template <class Source>
concept other_format = requires(Source const& from) {
    format_of<Source>::kind_of(from);
};

template <class Source>
constexpr auto view_of(Source const& from) noexcept {
    if constexpr (std::is_same_v<Source, text> || other_format<Source>)
        return from;
    else
        return from.json();
}

// A binary value has no kind.
template <class Source>
constexpr kind kind_of(Source const& from) noexcept {
    if constexpr (std::is_same_v<Source, text>)
        return from.kind();
    else if constexpr (other_format<Source>)
        return format_of<Source>::kind_of(from);
    else
        return from.binary() ? kind::none : from.json().kind();
}

template <class Source, class View>
constexpr Source part_of(Source const& whole, View part) noexcept {
    if constexpr (std::is_same_v<Source, View>)
        return part;
    else
        return whole.part(part);
}

// An error within `part`, its offset counted in `whole`.
template <class View>
constexpr error error_within(View whole, View part, error e) noexcept {
    return {e.code, e.offset + static_cast<std::size_t>(part.raw().data() - whole.raw().data())};
}

template <class T, class Text>
constexpr result<T> read_scalar(Text from) {
    if constexpr (std::is_same_v<T, text>) {
        return from;
    } else if constexpr (std::is_same_v<T, bool>) {
        if (!from.is(kind::boolean)) return error{errc::wrong_kind};
        return from.raw().front() == 't';
    } else if constexpr (std::is_integral_v<T> && !character<T> && sizeof(T) <= sizeof(std::uint64_t)) {
        if (!from.is(kind::number)) return error{errc::wrong_kind};
        return read_integer<T>(from.raw());
    } else if constexpr (std::is_floating_point_v<T>) {
        if (!from.is(kind::number)) return error{errc::wrong_kind};
        using rounded = std::conditional_t<std::is_same_v<T, float>, float, double>;
        return read_floating<rounded>(from.raw()).transform([](rounded value) { return static_cast<T>(value); });
    } else if constexpr (std::is_same_v<T, std::u8string>) {
        return read_scalar<std::string>(from).transform(
            [](std::string const& contents) { return std::u8string(contents.begin(), contents.end()); });
    } else if constexpr (owned_string<T>) {
        T contents(from.has_escapes() ? from.raw().size() : 0, '\0');
        auto const unescaped =
            std::is_same_v<T, lossy_string> ? from.unescape_lossy(contents) : from.unescape(contents);
        if (!unescaped) return unescaped.error();
        if (!from.has_escapes()) return T(*unescaped);
        contents.resize(unescaped->size());
        return contents;
    } else {
        static_assert(!is_view_of_text<T>, "a string cannot be read as a std::string_view: it may hold escapes. Read a "
                                           "std::string, or borrow with json::text::borrow_string()");
        static_assert(!character<T>, "a character may be text or a number: read a std::string or an int");
        static_assert(!std::is_integral_v<T> || sizeof(T) <= sizeof(std::uint64_t),
                      "integers of more than 64 bits are not read");
        static_assert(is_view_of_text<T> || std::is_integral_v<T>,
                      "no reading of JSON is known for this type: make it default-constructible "
                      "and give it a result<void> read_json(json::text, T&)");
        return error{errc::wrong_kind};
    }
}

template <class T, class Source>
constexpr result<T> read(Source const& from);

template <class Vector, class Source>
constexpr result<Vector> read_elements(Source const& from) {
    if (kind_of(from) != kind::array) return error{errc::wrong_kind};
    auto const array = view_of(from);
    Vector all;
    for (auto const element : array.elements()) {
        auto value = read<typename Vector::value_type>(part_of(from, element));
        if (!value) return error_within(array, element, value.error());
        all.push_back(std::move(*value));
    }
    return all;
}

template <class Map, class Source>
constexpr result<Map> read_members(Source const& from) {
    if (kind_of(from) != kind::object) return error{errc::wrong_kind};
    auto const object = view_of(from);
    Map all;
    for (auto const m : object.members()) {
        auto key = read<typename Map::key_type>(m.key);
        if (!key) return error_within(object, m.key, key.error());
        auto value = read<typename Map::mapped_type>(part_of(from, m.value));
        if (!value) return error_within(object, m.value, value.error());
        all.insert_or_assign(std::move(*key), std::move(*value));
    }
    return all;
}

template <class T, class Source>
constexpr result<T> read(Source const& from) {
    if constexpr (has_read_json<T, Source>) {
        T value{};
        if (auto const done = read_json(from, value); !done) return done.error();
        return value;
    } else if constexpr (other_format<Source> && has_read_json<T, text>) {
        return format_of<Source>::template read_as_json<T>(from);
    } else if constexpr (is_optional<T>) {
        if (kind_of(from) == kind::null) return T{};
        return read<typename T::value_type>(from).transform(
            [](auto&& value) { return T(std::in_place, std::forward<decltype(value)>(value)); });
    } else if constexpr (is_vector<T>) {
        static_assert(!is_vector_of_bytes<T>, "bytes are not JSON: socketio::argument::get reads binary values");
        return read_elements<T>(from);
    } else if constexpr (string_map<T>) {
        return read_members<T>(from);
    } else if constexpr (std::is_same_v<Source, text>) {
        return read_scalar<T>(from);
    } else if constexpr (other_format<Source>) {
        return format_of<Source>::template read_scalar<T>(from);
    } else {
        if (from.binary()) return error{errc::wrong_kind};
        return read<T>(from.json());
    }
}

} // namespace detail

} // namespace socketless::inline v0::json

#include <socketless/core/detail/epilogue.hpp>
