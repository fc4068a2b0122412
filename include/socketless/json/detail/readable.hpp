// The kinds of C++ types that can be read from JSON.
#pragma once

#include <socketless/core/result.hpp>
#include <socketless/json/lossy_string.hpp>

#include <concepts>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::json::detail {

template <class T>
inline constexpr bool always_false = false;

template <class T>
inline constexpr bool is_optional = false;
template <class T>
inline constexpr bool is_optional<std::optional<T>> = true;

template <class T>
inline constexpr bool is_vector = false;
template <class T, class Allocator>
inline constexpr bool is_vector<std::vector<T, Allocator>> = true;

template <class T>
concept character = std::same_as<T, char> || std::same_as<T, wchar_t> || std::same_as<T, char8_t> ||
    std::same_as<T, char16_t> || std::same_as<T, char32_t>;

// The types of bytes, of which a sequence is binary. A signed char (std::int8_t) is a small number, a char part of a
// text.
template <class T>
concept byte_type = std::same_as<T, std::byte> || std::same_as<T, unsigned char>;

template <class T>
concept owned_string = std::same_as<T, std::string> || std::same_as<T, lossy_string>;

// Types that would borrow a part of the text.
template <class T>
inline constexpr bool is_view_of_text = std::same_as<T, char const*> || std::same_as<T, char*>;
template <class Char, class Traits>
inline constexpr bool is_view_of_text<std::basic_string_view<Char, Traits>> = true;

template <class T>
inline constexpr bool is_vector_of_bytes = false;
template <byte_type T, class Allocator>
inline constexpr bool is_vector_of_bytes<std::vector<T, Allocator>> = true;

// std::map, std::unordered_map and their like, with keys of std::string.
template <class T>
concept string_map = owned_string<typename T::key_type> &&
    requires(T map, typename T::key_type key, typename T::mapped_type value) {
    map.insert_or_assign(std::move(key), std::move(value));
};

// Whether there is a read_json of T's own. `to` binds to a T alone: the read_json of a type that everything converts to
// does not count for other types.
template <class T, class Source>
concept has_read_json = std::default_initializable<T> && requires(Source const& from, T& to) {
    { read_json(from, to) } -> std::same_as<result<void>>;
};

} // namespace socketless::inline v0::json::detail

#include <socketless/core/detail/epilogue.hpp>
