// Floating point to text and back: the part of json/detail/number.hpp that needs tables. With
// SOCKETLESS_SEPARATE_COMPILATION only source.hpp includes it.
#pragma once

#include <socketless/core/detail/separate.hpp>
#include <socketless/json/detail/nearest_quickly.hpp>
#include <socketless/json/detail/number.hpp> // NOLINT(misc-header-include-cycle): it ends with this file
#include <socketless/json/detail/print_double.hpp>

#include <string_view>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::json::detail {

SOCKETLESS_INLINE void read_nearest(std::string_view number, float& value) noexcept {
    value = nearest_of<float>(number);
}
SOCKETLESS_INLINE void read_nearest(std::string_view number, double& value) noexcept {
    value = nearest_of<double>(number);
}

SOCKETLESS_CONSTEXPR char* format_double(double value, char* out) noexcept {
    static_assert(longest_number >= room_for_double);
    return print_double(value, out);
}

} // namespace socketless::inline v0::json::detail

#include <socketless/core/detail/epilogue.hpp>
