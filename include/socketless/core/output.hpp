// Where encoders can write to.
#pragma once

#include <concepts>
#include <cstddef>
#include <span>
#include <type_traits>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0 {

/// Any contiguous, resizable container of char: std::string, std::vector<char>, ...
template <class T>
concept character_container = requires(T& container, std::size_t n) {
    { *container.data() } -> std::same_as<char&>;
    { container.size() } -> std::convertible_to<std::size_t>;
    { container.capacity() } -> std::convertible_to<std::size_t>;
    container.resize(n);
};

/// What an encoder can write to: a character container, which is appended to, or a std::span<char>, which
/// is filled from its start.
template <class T>
concept output_target =
    character_container<std::remove_reference_t<T>> || std::same_as<std::remove_cvref_t<T>, std::span<char>>;

} // namespace socketless::inline v0

#include <socketless/core/detail/epilogue.hpp>
