// Events whose arguments are declared: what is emitted and what a handler takes is checked when it is compiled.
#pragma once

#include <socketless/core/frame.hpp>

#include <concepts>
#include <string_view>
#include <type_traits>

namespace socketless::inline v0::socketio {

/// An event with the types of its arguments, declared once:
///
///     inline constexpr socketio::typed_event<int, std::string_view> moved{"moved"};
///
///     server.emit(socket, moved, 3, "north");                                  // or it does not compile
///     dispatcher.on(moved, [](int steps, std::string_view direction) { ... });
///
/// Wherever an event is emitted its name may be one of these. The types are those that `arguments::get` reads. `name` is
/// borrowed.
template <class... Args>
struct typed_event {
    std::string_view name;
};

namespace detail {

// Whether a value of type `From` may be emitted where `To` is declared: a number for a number, but for what is a boolean
// for one side only.
template <class From, class To>
concept emits_as = std::convertible_to<From const&, To> &&
    (std::same_as<std::remove_cvref_t<From>, bool> == std::same_as<To, bool>)&&(!std::floating_point<From> ||
                                                                                !std::integral<To>);

template <class... Args>
constexpr std::string_view name_of(typed_event<Args...> const& event) noexcept {
    return event.name;
}
constexpr std::string_view name_of(std::string_view name) noexcept {
    return name;
}

template <class Name, class... Args>
inline constexpr bool declares = std::convertible_to<Name const&, std::string_view>;
template <class... Declared, class... Args>
requires(sizeof...(Declared) == sizeof...(Args)) inline constexpr bool declares<typed_event<Declared...>, Args...> =
    (emits_as<Args, Declared> && ...);

} // namespace detail

/// What an event with these arguments can be called: any text, or a `typed_event` that declares them.
template <class Name, class... Args>
concept event_name_for = detail::declares<Name, Args...>;

} // namespace socketless::inline v0::socketio
