// Which C++ types become which kind of JSON, and why others do not compile.
#pragma once

#include <socketless/json/detail/readable.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <ranges>
#include <string_view>
#include <type_traits>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::json {

class writer;

namespace detail {

template <class T>
concept has_write_json = requires(writer& w, T const& v) {
    write_json(w, v);
};

// The same for the writer of another format: a write_json that is a template.
template <class T, class Writer>
concept has_write_json_for = requires(Writer& w, T const& v) {
    write_json(w, v);
};

template <class T>
concept string_like = std::convertible_to<T const&, std::string_view>;

// Strings of char8_t are UTF-8 as well.
template <class T>
concept u8string_like = std::convertible_to<T const&, std::u8string_view>;

template <class T>
concept written_as_string = (string_like<T> || u8string_like<T>)&&!std::same_as<T, std::nullptr_t> &&
                            !has_write_json<T>;

template <class T>
concept byte_range = std::ranges::contiguous_range<T const> && std::ranges::sized_range<T const> &&
    byte_type<std::ranges::range_value_t<T const>>;

template <class T>
concept map_like = std::ranges::input_range<T const> && requires {
    typename T::mapped_type;
};

// Stands for a null pointer where a string is due. It is not UTF-8, so that writing it fails; the writer knows it by
// its address.
inline constexpr char null_text[] = "\xff";

// Up to the first zero or the end: a buffer may be full.
template <class Char, std::size_t N>
constexpr std::basic_string_view<Char> string_in(Char const (&array)[N]) noexcept {
    auto const* const zero = std::char_traits<Char>::find(array, N, Char());
    return {array, zero == nullptr ? N : static_cast<std::size_t>(zero - array)};
}

inline std::string_view as_char(std::u8string_view s) noexcept {
    return {reinterpret_cast<char const*>(s.data()), s.size()};
}

// The string that `s` is written as. Nothing is read behind the end of an array, nor through a null pointer.
template <class T>
constexpr std::string_view string_of(T const& s) {
    if constexpr (std::is_pointer_v<T>) {
        if (s == nullptr) return {null_text, 1};
    }
    if constexpr (string_like<T>) {
        if constexpr (std::is_array_v<T>)
            return string_in(s);
        else
            return s;
    } else {
        if constexpr (std::is_array_v<T>)
            return as_char(string_in(s));
        else
            return as_char(s);
    }
}

// Passes a value on: strings of every type, and literals of every length, as a view, so that templates are made for the
// view only.
template <class T>
constexpr decltype(auto) passed_on(T const& v) {
    if constexpr (written_as_string<T>)
        return string_of(v);
    else
        return (v);
}

// A parameter that takes strings of every type.
struct string_argument {
    template <class T>
    requires(string_like<T> || u8string_like<T>) &&
        (!std::same_as<T, std::nullptr_t>)constexpr string_argument(T const& s) // NOLINT: implicit
        : view(string_of(s)) {}
    constexpr string_argument(char const* data, std::size_t size) noexcept : view(data, size) {}

    std::string_view view;
};

template <class T>
inline constexpr bool is_pointer_to_character = false;
template <class T>
inline constexpr bool is_pointer_to_character<T*> = character<std::remove_cv_t<T>>;

// The type of a range's elements; void for other types.
template <class T>
constexpr auto element_of() {
    if constexpr (std::ranges::input_range<T const>)
        return std::type_identity<std::ranges::range_value_t<T const>>();
    else
        return std::type_identity<void>();
}
template <class T>
using element_t = typename decltype(element_of<T>())::type;

enum class refusal : std::uint8_t {
    none,
    pointer,
    wide_text,
    characters,
    character,
    wide_integer,
    enumeration,
    scattered_bytes,
    range_of_itself,
    changing_range,
    keys,
};

// Why a value of this type is not written. Its parts are checked when they are written.
template <class T>
consteval refusal why_refused() {
    using element = element_t<T>;
    // NOLINTBEGIN(bugprone-branch-clone): the order counts
    if constexpr (std::same_as<T, std::nullptr_t> || written_as_string<T>)
        return refusal::none;
    else if constexpr (is_pointer_to_character<T>)
        return refusal::wide_text;
    else if constexpr (std::is_pointer_v<T> || std::is_member_pointer_v<T> || std::is_function_v<T>)
        return refusal::pointer; // also where a type with write_json would take it for a bool
    else if constexpr (has_write_json<T>)
        return refusal::none;
    else if constexpr (character<T>)
        return refusal::character;
    else if constexpr (std::is_enum_v<T>)
        return refusal::enumeration;
    else if constexpr (std::integral<T> && sizeof(T) > sizeof(std::uint64_t))
        return refusal::wide_integer;
    else if constexpr (std::same_as<element, T>)
        return refusal::range_of_itself;
    else if constexpr (std::same_as<element, char> || std::same_as<element, char8_t>)
        return refusal::characters;
    else if constexpr (character<element>)
        return refusal::wide_text;
    else if constexpr (map_like<T>)
        return written_as_string<typename T::key_type> ? refusal::none : refusal::keys;
    else if constexpr (byte_type<element> && !byte_range<T>)
        return refusal::scattered_bytes;
    else if constexpr (std::ranges::range<T> && !std::ranges::range<T const>)
        return refusal::changing_range;
    else
        return refusal::none;
    // NOLINTEND(bugprone-branch-clone)
}

// Truth values too.
template <class T>
inline constexpr bool written_as_integer = std::integral<T>&& why_refused<T>() == refusal::none;

// Makes the compiler say why.
template <class T>
consteval bool is_not_refused() {
    constexpr refusal why = why_refused<T>();
    static_assert(why != refusal::pointer, "a pointer is not written: write what it points to, or a std::optional");
    static_assert(why != refusal::wide_text, "text in JSON is UTF-8: convert it to a std::string or std::u8string");
    static_assert(why != refusal::characters, "these characters may be text or bytes: write a std::string_view or a "
                                              "std::span<std::byte const> of them");
    static_assert(why != refusal::character, "a character may be text or a number: write a std::string_view or an int");
    static_assert(why != refusal::wide_integer, "integers of more than 64 bits are not written: no peer reads them");
    static_assert(why != refusal::enumeration,
                  "an enumerator may be a number or a name: convert it, or give its type a "
                  "write_json(json::writer&, T const&)");
    static_assert(why != refusal::scattered_bytes, "bytes are sent from one piece of memory: copy them to a "
                                                   "std::vector<std::byte>");
    static_assert(why != refusal::range_of_itself,
                  "a range of itself has no end; a std::filesystem::path is written as "
                  "what its u8string() or generic_u8string() returns");
    static_assert(why != refusal::changing_range, "reading this range changes it: copy it to a std::vector");
    static_assert(why != refusal::keys, "the names in a JSON object are strings: so are the keys of a map");
    return why == refusal::none;
}

} // namespace detail

} // namespace socketless::inline v0::json

#include <socketless/core/detail/epilogue.hpp>
