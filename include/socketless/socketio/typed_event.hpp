// Events that declare their arguments: the compiler checks what you emit and what a handler takes.
#pragma once

#include <socketless/core/frame.hpp>
#include <socketless/json/detail/readable.hpp>
#include <socketless/json/detail/write_value.hpp>
#include <socketless/json/text.hpp>
#include <socketless/json/writer.hpp>

#include <concepts>
#include <cstddef>
#include <ranges>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>
#include <vector>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::socketio {

/// An event with the types of its arguments, declared once:
///
///     inline constexpr socketio::typed_event<int, std::string> moved{"moved"};
///
///     server.emit(socket, moved, 3, "north").ignore();                         // or it does not compile
///     dispatcher.on(moved, [](int steps, std::string const& direction) { ... });
///
/// It stands for the name of an event wherever you emit one. The types are those that `arguments::get` reads; each
/// takes what becomes JSON of its kind:
///
///   bool                                   bool
///   an integer type                        any integer type but bool and characters; how large it is, is not checked
///   double, float                          these too
///   std::string, json::lossy_string,       what converts to std::string_view
///     std::string_view (only to emit)
///   byte_view, std::vector<std::byte>      any contiguous range of std::byte or unsigned char
///     (or of unsigned char)
///   std::optional<T>                       nullptr, std::nullopt, what T takes, an optional of that
///   std::vector<T>                         any range of what T takes
///   std::map<std::string, T>               any map of what T takes, its keys as above
///   json::text                             anything but binary values
///   a type of the user's                   that type
///
/// Emit every declared argument, trailing optionals too: recovery appends an offset, which would be read as the missing
/// one. `name` is borrowed.
template <class... Args>
struct typed_event {
    /// The name of the event, borrowed.
    std::string_view name;
};

namespace detail {

template <class T>
concept plain_integer = std::integral<T> && !std::same_as<T, bool> && !json::detail::character<T>;

template <class T>
concept plain_range = std::ranges::input_range<T const> && !json::detail::written_as_string<T> &&
                      !json::detail::byte_range<T> && !json::detail::map_like<T>;

template <class T>
concept bytes = std::same_as<T, byte_view> || std::same_as<T, std::span<unsigned char const>> ||
    json::detail::is_vector_of_bytes<T>;

template <class T>
concept null = std::same_as<T, std::nullptr_t> || std::same_as<T, std::nullopt_t> || std::same_as<T, std::monostate>;

// Whether a value of type `From` becomes JSON of the kind from which `To` is read. Of a type with a write_json nothing
// is known but that it is itself.
template <class From, class To>
consteval bool is_written_for() {
    using namespace json::detail;
    if constexpr (std::same_as<From, To> || std::derived_from<From, To>) {
        return true;
    } else if constexpr (std::same_as<To, json::text>) {
        return !byte_range<From>;
    } else if constexpr (is_optional<To>) {
        if constexpr (is_optional<From>)
            return is_written_for<typename From::value_type, typename To::value_type>();
        else
            return null<From> || is_written_for<From, typename To::value_type>();
    } else if constexpr (has_write_json<From>) { // NOLINT(bugprone-branch-clone)
        return false;
    } else if constexpr (bytes<To>) {
        return byte_range<From>;
    } else if constexpr (plain_integer<To>) {
        return plain_integer<From>;
    } else if constexpr (std::floating_point<To>) {
        return plain_integer<From> || std::floating_point<From>;
    } else if constexpr (owned_string<To> || std::same_as<To, std::string_view> || std::same_as<To, std::u8string>) {
        return written_as_string<From>;
    } else if constexpr (is_vector<To> && plain_range<From>) {
        return is_written_for<std::ranges::range_value_t<From const>, typename To::value_type>();
    } else if constexpr (string_map<To> && map_like<From>) {
        return written_as_string<typename From::key_type> &&
               is_written_for<typename From::mapped_type, typename To::mapped_type>();
    } else {
        return false;
    }
}

template <class From, class To>
concept written_for = is_written_for<From, To>();

template <class Name>
constexpr std::string_view name_of(Name const& name) {
    return json::detail::string_of(name);
}
template <class... Args>
constexpr std::string_view name_of(typed_event<Args...> const& event) noexcept {
    return event.name;
}

template <class Name, class... Args>
inline constexpr bool declares_arguments = std::convertible_to<Name const&, json::detail::string_argument>;
template <class... Declared, class... Args>
requires(sizeof...(Declared) ==
         sizeof...(Args)) inline constexpr bool declares_arguments<typed_event<Declared...>, Args...> =
    (written_for<Args, Declared> && ...);

} // namespace detail

/// A name for an event with these arguments: any text, or a `typed_event` that declares them.
template <class Name, class... Args>
concept event_name_for = detail::declares_arguments<Name, Args...>;

} // namespace socketless::inline v0::socketio

#include <socketless/core/detail/epilogue.hpp>
