// Which JSON each C++ type becomes.
#pragma once

#include <socketless/core/frame.hpp>
#include <socketless/json/detail/readable.hpp>
#include <socketless/json/detail/writable.hpp>
#include <socketless/json/text.hpp>

#include <concepts>
#include <cstddef>
#include <iterator>
#include <optional>
#include <ranges>
#include <span>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::json {

class writer;

namespace detail {

// An object made on the spot: names and values in turn.
template <class... NamesAndValues>
struct object_value {
    std::tuple<NamesAndValues...> names_and_values;
};

// Where the writer has heads of known sizes, one of them stands for a begin and an end. `size` is a number, or
// unknown_size.
struct unknown_size {};

template <class Writer, class Size, class Write>
constexpr void write_array(Writer& w, [[maybe_unused]] Size size, Write write) {
    if constexpr (requires { w.array_head(size); }) {
        w.array_head(size);
        write();
    } else {
        w.begin_array();
        write();
        w.end_array();
    }
}
template <class Writer, class Size, class Write>
constexpr void write_object(Writer& w, [[maybe_unused]] Size size, Write write) {
    if constexpr (requires { w.object_head(size); }) {
        w.object_head(size);
        write();
    } else {
        w.begin_object();
        write();
        w.end_object();
    }
}
template <std::ranges::range R>
constexpr auto size_of(R const& r) {
    if constexpr (std::ranges::sized_range<R const>)
        return static_cast<std::size_t>(std::ranges::size(r));
    else
        return unknown_size{};
}

template <class Writer, class Tuple, std::size_t... I>
constexpr void write_members(Writer& w, Tuple const& names_and_values, std::index_sequence<I...>) {
    (w.member(std::get<2 * I>(names_and_values), std::get<2 * I + 1>(names_and_values)), ...);
}

template <class T>
concept tuple_like = requires {
    std::tuple_size<T>::value;
};

template <class T>
inline constexpr bool is_variant = false;
template <class... Ts>
inline constexpr bool is_variant<std::variant<Ts...>> = true;

template <class T>
inline constexpr bool is_object_value = false;
template <class... Ts>
inline constexpr bool is_object_value<object_value<Ts...>> = true;

template <class Writer, class T>
constexpr void write_value(Writer& w, T const& v) {
    if constexpr (!is_not_refused<T>()) {
        // The compiler has said why.
    } else if constexpr (has_write_json_for<T, Writer>) {
        write_json(w, v);
    } else if constexpr (has_write_json<T>) {
        w.by_json_writer([&v](auto& out) { write_json(out, v); });
    } else if constexpr (std::same_as<T, std::nullptr_t> || std::same_as<T, std::nullopt_t> ||
                         std::same_as<T, std::monostate>) {
        w.null();
    } else if constexpr (std::same_as<T, bool>) {
        w.boolean(v);
    } else if constexpr (std::integral<T>) {
        w.number(v);
    } else if constexpr (std::floating_point<T>) {
        w.number(static_cast<double>(v));
    } else if constexpr (written_as_string<T>) {
        w.string(string_of(v));
    } else if constexpr (std::same_as<T, text>) {
        w.raw(v);
    } else if constexpr (is_optional<T>) {
        if (v)
            write_value(w, *v);
        else
            w.null();
    } else if constexpr (is_variant<T>) {
        std::visit([&w](auto const& alternative) { write_value(w, alternative); }, v);
    } else if constexpr (byte_range<T>) {
        w.binary(std::as_bytes(std::span(std::ranges::data(v), std::ranges::size(v))));
    } else if constexpr (is_object_value<T>) {
        constexpr std::size_t size = std::tuple_size_v<decltype(v.names_and_values)> / 2;
        write_object(w, size, [&] { write_members(w, v.names_and_values, std::make_index_sequence<size>{}); });
    } else if constexpr (map_like<T>) {
        write_object(w, size_of(v), [&] {
            for (auto const& [name, value] : v) w.member(name, value);
        });
    } else if constexpr (std::ranges::input_range<T const>) {
        write_array(w, size_of(v), [&] {
            for (auto const& element : v)
                write_value(w, static_cast<std::ranges::range_value_t<T const> const&>(element));
        });
    } else if constexpr (tuple_like<T>) {
        write_array(w, std::tuple_size_v<T>,
                    [&] { std::apply([&w](auto const&... elements) { (write_value(w, elements), ...); }, v); });
    } else {
        static_assert(always_false<T>, "no JSON is known for this type: give it a write_json(json::writer&, T const&)");
    }
}

} // namespace detail

namespace detail {

// Strings that live elsewhere are kept as views, other lvalues as references, rvalues by value.
template <class T>
using kept = std::conditional_t<written_as_string<std::remove_cvref_t<T>> &&
                                    (std::is_lvalue_reference_v<T> || std::is_pointer_v<std::remove_cvref_t<T>>),
                                std::string_view, T>;
template <class T>
constexpr decltype(auto) keep(std::remove_reference_t<T>& v) {
    if constexpr (std::is_same_v<kept<T>, std::string_view>)
        return string_of(v);
    else
        return static_cast<T&&>(v);
}

} // namespace detail

/// An object made on the spot, of names and values in turn: `json::object("id", 1, "tags", tags)`. Holds
/// references to lvalues (views of strings) and the rvalues themselves.
template <class... NamesAndValues>
requires(sizeof...(NamesAndValues) % 2 == 0) [[nodiscard]] constexpr auto object(NamesAndValues&&... names_and_values) {
    return detail::object_value<detail::kept<NamesAndValues>...>{
        std::tuple<detail::kept<NamesAndValues>...>(detail::keep<NamesAndValues>(names_and_values)...)};
}

} // namespace socketless::inline v0::json

#include <socketless/core/detail/epilogue.hpp>
